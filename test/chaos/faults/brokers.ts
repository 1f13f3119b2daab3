/** What happens to brokers as processes. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { freeze } from '../../kafka/support/freeze.js'
import type { Dice } from '../../simulation/dice.js'
import { ADDRESSES } from '../network/addresses.js'
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
        if (isRefusing) for (const address of ADDRESSES) proxy.kill(address, 'refused')
        await stage.hold(away)
        if (isRefusing) await proxy.revive()
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
        stage.crew.moved()
        await stage.kafka.startBroker(id)
      }
      return { what: `broker ${id}, at its old one ${oldOne}`, over: over() }
    },
  },
  {
    // A limit of the process in place of a disk: no file may grow. The broker sees an append that fails, and halts.
    name: 'disk full',
    weight: 1,
    begin(stage, dice) {
      const { id } = drawBroker(stage, dice)
      const over = async (): Promise<void> => {
        const { pid } = stage.kafka.brokers.find((broker) => broker.id === id) ?? {}
        await forbidGrowth(pid ?? 0)
        await stage.hold(DISK_FULL_MS)
        await stage.kafka.killBroker(id)
        await stage.kafka.startBroker(id)
      }
      return { what: `broker ${id}`, over: over() }
    },
  },
]

const DISK_FULL_MS = 4_000

async function forbidGrowth(pid: number): Promise<void> {
  await promisify(execFile)('prlimit', ['--pid', String(pid), '--fsize=0:'])
}

function drawBroker({ kafka, proxies }: Stage, dice: Dice) {
  const { id } = dice.pick(kafka.brokers)
  const proxy = proxies.get(id)
  if (proxy === undefined) throw new Error(`Broker ${id} has no proxy.`)
  return { id, proxy }
}
