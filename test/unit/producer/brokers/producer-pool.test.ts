import { expect, it, onTestFinished } from 'vitest'
import { SessionFactory } from '../../../../src/network/session/session.js'
import { ProducerPool } from '../../../../src/producer/brokers/producer-pool.js'
import { SYSTEM } from '../../../../src/surroundings.js'
import { turns } from '../../../embedded/support/producers.js'
import { Dice } from '../../../simulation/dice.js'
import { VirtualClock } from '../../../simulation/virtual-clock.js'

const TIMES = { requestTimeoutMs: 1_000, deliveryTimeoutMs: 1_000, retryBackoffMs: 1, retryBackoffMaxMs: 1 }

it('brokers of another cluster at the same addresses are others, and those of one that tells no id are not', () => {
  const sessions = new SessionFactory({
    clientId: 'test',
    connectTimeoutMs: 1_000,
    requestTimeoutMs: 1_000,
    maxResponseBytes: 1_000,
    maxIdleMs: 1_000,
    softwareVersion: '0',
    legacyOnly: false,
  })
  onTestFinished(() => sessions.close(0))
  const pool = new ProducerPool(sessions, TIMES, SYSTEM)
  const producersOf = (clusterId: string | null) => {
    const brokers = new Map([[1, { host: 'kafka', port: 9092 }]])
    sessions.cluster.learn(clusterId, brokers)
    pool.updateProducers(brokers)
    return pool.getProducer(1)
  }
  const first = producersOf('one')
  expect(producersOf('one')).toBe(first)
  expect(producersOf(null)).toBe(first)
  expect(first.isRetired).toBe(false)
  const second = producersOf('two')
  expect([first.isRetired, second.isRetired]).toEqual([true, false])
  expect(producersOf('two')).toBe(second)
})

it('32 connections are begun at once, as many more with each second that they are silent, and 256 at the most', async () => {
  const time = new VirtualClock()
  let begun = 0
  const open = () => {
    begun++
    return new Promise<never>(() => undefined)
  }
  const cluster = { id: null }
  const sessions = { open, cluster } as unknown as SessionFactory
  const pool = new ProducerPool(sessions, TIMES, { clock: time.for('test'), random: new Dice(1) })
  const ids = Array.from({ length: 300 }, (_, id) => id)
  pool.updateProducers(new Map(ids.map((id) => [id, { host: `kafka-${id}`, port: 9092 }])))
  for (const id of ids) void pool.getProducer(id).connect()
  const begunAt = new Map<number, number>()
  do {
    await turns()
    begunAt.set(time.now, begun)
  } while (time.step())
  expect([...begunAt]).toEqual(
    [32, 64, 96, 128, 160, 192, 224, 256, 256].map((count, second) => [second * 1_000, count]),
  )
})
