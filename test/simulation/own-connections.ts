import type { Duplex } from 'node:stream'
import type { Clock } from '../../src/clock.js'
import type { BrokerAddress } from '../../src/index.js'
import type { Dice } from './dice.js'

type Connect = (address: BrokerAddress) => Duplex

/**
 * The user's own way to brokers: it takes its time, at times more than anybody waits, fails, throws, and gives what is closed
 * by then. All is well with it in the end.
 */
export function lateConnections(connect: Connect, clock: Clock, dice: Dice, isWell: () => boolean) {
  const later = <T>(value: () => T) =>
    new Promise<T>((resolve, reject) => {
      const settle = () => {
        try {
          resolve(value())
        } catch (error) {
          reject(error)
        }
      }
      clock.setTimeout(settle, dice.pick([1, 20, 300, 3_000]))
    })
  /** Until somebody has it whatever befalls it is the user's. */
  const given = (address: BrokerAddress) => connect(address).on('error', () => undefined)
  const fails = () => {
    throw new Error('the way to the broker is closed')
  }
  return (address: BrokerAddress): Duplex | Promise<Duplex> => {
    const how = isWell()
      ? 'at once'
      : dice.weighed([
          [6, 'at once'],
          [3, 'opened late'],
          [3, 'given late'],
          [1, 'fails late'],
          [1, 'throws'],
          [0.3, 'never'],
        ] as const)
    switch (how) {
      case 'at once':
        return given(address)
      case 'opened late':
        return later(() => given(address))
      case 'given late': {
        const stream = given(address)
        return later(() => stream)
      }
      case 'fails late':
        return later(fails)
      case 'throws':
        return fails()
      case 'never':
        return new Promise(() => undefined)
    }
  }
}
