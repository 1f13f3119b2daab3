import { expect, it, onTestFinished } from 'vitest'
import { SessionFactory } from '../../../../src/network/session.js'
import { ProducerPool } from '../../../../src/producer/brokers/producer-pool.js'
import { SYSTEM } from '../../../../src/surroundings.js'

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
