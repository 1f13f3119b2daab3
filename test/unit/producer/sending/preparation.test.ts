import { describe, expect, it } from 'vitest'
import { systemClock } from '../../../../src/clock.js'
import { DeliveryError, DeliveryTimeoutError } from '../../../../src/errors.js'
import type { Freed } from '../../../../src/producer/queues/batch.js'
import { PartitionQueue, type PartitionBatch } from '../../../../src/producer/queues/partition-queue.js'
import { CompressionChoice } from '../../../../src/producer/queues/topic-compression.js'
import { Preparation } from '../../../../src/producer/sending/preparation.js'
import { UNPOOLED } from '../../../../src/protocol/records/record-batch.js'
import { AddedHeaders } from '../../../../src/protocol/records/record.js'
import { Failures } from '../../../../src/stats/failures.js'
import { Observers } from '../../../../src/stats/observer.js'
import { StatsCounters } from '../../../../src/stats/producer-stats.js'
import { ManualTurn } from '../calls/admission-support.js'
import { Owner, outgoingMessage, type Given } from '../outgoing.js'

const BATCH_BYTES = 1_000
const PRODUCE_V2 = 2
const PRODUCE_V9 = 9

/** A partition with one batch of so many messages, about to be sent to a broker of Kafka 0.10. */
function prepared(count: number, given: Given, sentAt = performance.now(), turn = new ManualTurn()) {
  const freed: Freed[] = []
  const counters = new StatsCounters()
  const compression = new CompressionChoice(
    { compression: 'none', compressedTopics: [], topicCompression: {}, codecs: [] },
    BATCH_BYTES,
  )
  const preparation = new Preparation({
    clock: systemClock,
    compression,
    failures: new Failures(counters, new Observers()),
    turn,
    deliveryTimeoutMs: 60_000,
    codecTimeoutMs: 60_000,
    codecFailed: () => undefined,
    whyLate: () => new DeliveryTimeoutError('late'),
    unnumber: (queue) => queue.sequences.startOver(),
    thin: (batch) => freed.push(batch.queue.thin(batch)),
  })
  const queue = new PartitionQueue('orders', 0, compression.limitOf('orders'), UNPOOLED)
  const owner = new Owner({ timestamp: 1_700_000_000_000, at: sentAt })
  queue.isLedBy(1)
  for (let index = 0; index < count; index++) queue.append(outgoingMessage(owner, index, given))
  const prepare = () => preparation.prepare(queue.peekNext() as PartitionBatch, 1, PRODUCE_V2)
  const isDone = count > 0 && prepare()
  return { queue, owner, freed, counters, isDone, prepare, preparation }
}

it('a batch that goes as it is leaves out nothing but what is late: headers and timestamps have their place', () => {
  const { queue, owner, preparation } = prepared(0, { value: 'v' })
  const given = { value: 'v', headers: ['h', 'x'], timestamp: 1 }
  const late = new Owner({ timestamp: 1_700_000_000_000, at: performance.now() - 70_000 })
  for (const of of [late, owner]) queue.append(outgoingMessage(of, 0, given))
  const batch = queue.peekNext() as PartitionBatch
  expect(preparation.prepare(batch, 2, PRODUCE_V9)).toBe(true)
  expect(late.fates).toEqual([[expect.any(DeliveryError)]])
  expect(owner.fates).toEqual([])
  expect(batch.count).toBe(1)
})

describe('the preparation of a batch for an old format', () => {
  it('halves a batch that is larger in that format than batchBytes', () => {
    const { queue, owner } = prepared(60, { value: 'v' })
    const counts: number[] = []
    while (queue.hasUnsent) counts.push(queue.takeNext(0).count)
    expect(counts).toEqual([15, 15, 30])
    expect(owner.fates).toEqual([])
  })

  it('leaves out headers that are not the caller’s, in each half as well', () => {
    const { queue, owner, prepare } = prepared(60, { value: 'v', headers: new AddedHeaders('traceparent', 'x') })
    const counts: number[] = []
    while (queue.hasUnsent) {
      expect(prepare()).toBe(true)
      counts.push(queue.takeNext(0).count)
    }
    expect(counts.length).toBeGreaterThan(1)
    expect(counts.reduce((sum, count) => sum + count)).toBe(60)
    expect(owner.fates).toEqual([])
  })

  it.each([
    ['the format can hold none of it', { headers: ['h', ''] }, performance.now(), 40],
    ['the deadline of all has passed', { value: 'v' }, performance.now() - 70_000, 60],
  ])('leaves nothing of a large batch where %s', (_, given, sentAt, count) => {
    const { queue, owner, freed, counters } = prepared(count, given, sentAt)
    expect(queue.isEmpty).toBe(true)
    expect(queue.backlogBytes).toBe(0)
    expect(freed).toEqual([{ told: 0, messages: count, bytes: count }])
    expect(counters.failed).toBe(count)
    expect(owner.fates).toHaveLength(count)
    for (const fates of owner.fates) expect(fates).toEqual([expect.any(DeliveryError)])
    // Stack traces of thousands that end together would take seconds.
    const errors = new Set(owner.fates.flat() as DeliveryError[])
    expect([...errors].filter(({ stack }) => /\n +at /.test(stack ?? '')).length).toBeLessThanOrEqual(20)
  })

  it('goes on in another turn where very many end', () => {
    const turn = new ManualTurn()
    turn.spent = true
    const { queue, owner, counters, isDone, prepare } = prepared(100, { value: 'v' }, performance.now() - 70_000, turn)
    expect(isDone).toBe(false)
    const told = owner.fates.flat().length
    expect(told).toBeGreaterThan(0)
    expect(told).toBeLessThan(100)
    expect(counters.failed).toBe(told)
    expect(queue.isEmpty).toBe(false)
    turn.spent = false
    expect(prepare()).toBe(true)
    expect(counters.failed).toBe(100)
    expect(queue.isEmpty).toBe(true)
    for (const fates of owner.fates) expect(fates).toEqual([expect.any(DeliveryError)])
  })
})
