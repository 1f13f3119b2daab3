import { expect, it } from 'vitest'
import { StatisticsObserver } from '../../../src/stats/statistics.js'

/* Names that change over the months: addresses of brokers in clouds, topics of tenants and days. */

const HOUR_MS = 3_600_000

/** Statistics by a clock of the test's own. */
function statistics() {
  const clock = { now: 0 }
  const observer = new StatisticsObserver(() => clock.now)
  const request = (broker: string) =>
    observer.request({ api: 'Produce', broker, version: 9, correlationId: 0, bytes: 100 })
  const batch = (topic: string) => {
    const sizes = { messages: 1, plainBytes: 100, wireBytes: 100, queuedMs: 0 }
    observer.batch({ topic, partition: 0, brokerId: 1, attempt: 1, isFirst: true, ...sizes })
  }
  return { clock, request, batch, snapshot: () => observer.snapshot() }
}

it('brokers whose addresses have changed make way for those that there are', () => {
  const { clock, request, snapshot } = statistics()
  for (let i = 0; i < 200; i++) request(`old-${i}:9092`)
  clock.now += HOUR_MS
  request('old-7:9092')
  for (let i = 0; i < 3; i++) request(`new-${i}:9092`)
  const { brokers, allBrokers } = snapshot()
  expect(Object.keys(brokers).sort()).toEqual(['new-0:9092', 'new-1:9092', 'new-2:9092', 'old-7:9092'])
  expect(brokers['old-7:9092']?.requests.count).toBe(2)
  expect(allBrokers.requests.count).toBe(204)
})

it('topics that nobody sends to any more make way for others', () => {
  const { clock, batch, snapshot } = statistics()
  for (let i = 0; i < 1_000; i++) batch(`day-${i}`)
  clock.now += HOUR_MS
  batch('today')
  expect(Object.keys(snapshot().topics)).toEqual(['today'])
})

it('of more brokers than are told apart, all in use, the others are under one name', () => {
  const { clock, request, snapshot } = statistics()
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 300; i++) request(`broker-${i}:9092`)
    clock.now += HOUR_MS / 2
  }
  const { brokers } = snapshot()
  expect(Object.keys(brokers)).toHaveLength(201)
  expect(brokers['*']?.requests.count).toBe(300)
})

it('every figure is 0 before anything has happened, but for how small batches become', () => {
  const figuresIn = (value: unknown): unknown[] =>
    typeof value === 'object' && value !== null ? Object.values(value).flatMap(figuresIn) : [value]
  const { compressionRatio, ...others } = statistics().snapshot()
  expect(compressionRatio).toBe(1)
  expect([...new Set(figuresIn(others))]).toEqual([0])
})
