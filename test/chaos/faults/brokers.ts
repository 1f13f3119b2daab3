/** What happens to brokers as processes. */
import { freeze } from '../../kafka/support/freeze.js'
import type { Dice } from '../../simulation/dice.js'
import type { Stage } from '../stage.js'
import type { Fault } from './fault.js'

/** Longer than the session of a broker with its coordinator, or shorter. */
const drawPause = (dice: Dice): number =>
  dice.weighed([
    [2, dice.between(200, 3_000)],
    [1, dice.between(6_000, 10_000)],
  ])

export const brokerFaults: readonly Fault[] = [
  {
    name: 'kill',
    weight: 3,
    begin(stage, dice) {
      const { id, proxy } = drawBroker(stage, dice)
      const away = dice.between(0, 6_000)
      const isRefusing = dice.isLucky(0.5)
      const over = async (): Promise<void> => {
        await stage.kafka.killBroker(id)
        if (isRefusing) proxy.refuse()
        await stage.hold(away)
        if (isRefusing) await proxy.listenAgain()
        await stage.kafka.startBroker(id)
      }
      return { what: `broker ${id}, away for ${away} ms`, over: over() }
    },
  },
  {
    name: 'pause',
    weight: 3,
    begin(stage, dice) {
      const { id } = drawBroker(stage, dice)
      const ms = drawPause(dice)
      const over = async (): Promise<void> => {
        await freeze(stage.kafka, id)
        await stage.hold(ms)
        stage.kafka.resumeBroker(id)
      }
      return { what: `broker ${id} for ${ms} ms`, over: over() }
    },
  },
  {
    name: 'restart',
    weight: 2,
    begin(stage, dice) {
      const { id } = drawBroker(stage, dice)
      const over = async (): Promise<void> => {
        await stage.kafka.stopBroker(id)
        await stage.kafka.startBroker(id)
      }
      return { what: `broker ${id}`, over: over() }
    },
  },
  {
    name: 'another address',
    weight: 2,
    begin(stage, dice) {
      const { id, proxy } = drawBroker(stage, dice)
      const oldOne = dice.pick(['refused', 'silent'] as const)
      const over = async (): Promise<void> => {
        await stage.kafka.stopBroker(id)
        await proxy.move(oldOne)
        stage.moved()
        await stage.kafka.startBroker(id)
      }
      return { what: `broker ${id}, at its old one ${oldOne}`, over: over() }
    },
  },
]

function drawBroker({ kafka, proxies }: Stage, dice: Dice) {
  const { id } = dice.pick(kafka.brokers)
  const proxy = proxies.get(id)
  if (proxy === undefined) throw new Error(`Broker ${id} has no proxy.`)
  return { id, proxy }
}
