import { expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../../../src/clock.js'
import {
  AuthenticationError,
  ConnectionClosedError,
  DeliveryTimeoutError,
  type DeliveryError,
} from '../../../../src/errors.js'
import type { BrokerPartitionInfo } from '../../../../src/producer/brokers/broker-partition-info.js'
import type { Freed } from '../../../../src/producer/queues/batch.js'
import { PartitionQueue } from '../../../../src/producer/queues/partition-queue.js'
import { RetryPolicy } from '../../../../src/producer/queues/retry-policy.js'
import { CompressionChoice } from '../../../../src/producer/queues/topic-compression.js'
import { Idempotence } from '../../../../src/producer/sending/idempotence.js'
import { Outcomes } from '../../../../src/producer/sending/outcomes.js'
import { UNKNOWN_LEADER } from '../../../../src/protocol/apis/leader-hints.js'
import type { ProducePartitionResponse } from '../../../../src/protocol/apis/produce.js'
import { UNPOOLED } from '../../../../src/protocol/records/record-batch.js'
import { Observers } from '../../../../src/stats/observer.js'
import { StatsCounters } from '../../../../src/stats/producer-stats.js'
import { SYSTEM } from '../../../../src/surroundings.js'
import { Owner, outgoingMessage } from '../outgoing.js'

const INVALID_RECORD = 87

const ANSWER: ProducePartitionResponse = {
  index: 0,
  errorCode: 0,
  baseOffset: 0n,
  logAppendTimeMs: -1,
  logStartOffset: -1n,
  recordErrors: [],
  errorMessage: null,
  currentLeader: UNKNOWN_LEADER,
}

/** Outcomes of a partition with a batch in flight of so many messages. */
function inFlight(count: number) {
  const freed: Freed[] = []
  const compression = new CompressionChoice(
    { compression: 'none', compressedTopics: [], topicCompression: {}, codecs: [] },
    1_000,
  )
  const policy = new RetryPolicy({ retries: Infinity, retryBackoffMs: 60_000, retryBackoffMaxMs: 60_000 }, SYSTEM)
  const counters = new StatsCounters()
  const outcomes = new Outcomes({
    clock: systemClock,
    topicPartitionInfos: {
      doubtLeader: () => undefined,
      refresh: () => Promise.resolve(),
    } as unknown as BrokerPartitionInfo,
    policy,
    idempotence: new Idempotence(
      { acks: 1, requestTimeoutMs: 1_000 },
      {
        counters,
        pacing: policy,
        isNeeded: () => true,
        warn: () => undefined,
        clusterId: () => null,
        onOtherCluster: () => undefined,
      },
    ),
    counters,
    observers: new Observers(),
    compression,
    release: (room) => freed.push(room),
    enlist: () => undefined,
  })
  const queue = new PartitionQueue('orders', 0, compression.limitOf('orders'), UNPOOLED)
  const owner = new Owner()
  queue.isLedBy(1)
  for (let index = 0; index < count; index++) queue.append(outgoingMessage(owner, index, { value: 'four' }))
  onTestFinished(() => policy.close())
  return { freed, outcomes, queue, owner, batch: queue.takeNext(0) }
}

it('what ended while its batch was in flight holds no room any longer when the batch comes back', () => {
  const { freed, outcomes, queue, batch } = inFlight(5)
  for (const place of [0, 3]) batch.endOne(place, new DeliveryTimeoutError('late'), performance.now())
  outcomes.unanswered([batch], new ConnectionClosedError('lost'), true, 0)
  expect(freed).toEqual([{ messages: 2, bytes: 8 }])
  expect(batch.count).toBe(3)
  expect(queue.backlogBytes).toBe(12)
})

it('a message that is wrong and alone in its batch is told what the broker says of it', () => {
  const { outcomes, owner, batch } = inFlight(1)
  const recordErrors = [{ batchIndex: 0, batchIndexErrorMessage: 'it has no key' }]
  const answer = { ...ANSWER, errorCode: INVALID_RECORD, recordErrors }
  outcomes.answered(batch, answer, false, 2, 0)
  expect(String((owner.fates[0]?.[0] as DeliveryError).message)).toContain('it has no key')
})

it('what is behind a batch that was refused for good knows why, should its time pass before it is tried', () => {
  const { outcomes, queue, batch } = inFlight(1)
  queue.append(outgoingMessage(new Owner(), 0, { value: 'behind' }))
  const refusal = new AuthenticationError('refused')
  outcomes.unanswered([batch], refusal, false, 0)
  expect(batch.isSettled).toBe(true)
  expect(queue.peekNext()?.history).toMatchObject({ lastError: refusal, mayHaveBeenWritten: false })
})

it('of record errors those count that are of a message of the batch, and of one message the first', () => {
  const { outcomes, owner, batch } = inFlight(3)
  const recordErrors = [
    { batchIndex: -1, batchIndexErrorMessage: 'before' },
    { batchIndex: 3, batchIndexErrorMessage: 'behind' },
    { batchIndex: 1, batchIndexErrorMessage: 'first' },
    { batchIndex: 1, batchIndexErrorMessage: 'second' },
  ]
  outcomes.answered(batch, { ...ANSWER, errorCode: INVALID_RECORD, recordErrors }, false, 2, 0)
  expect(Object.keys(owner.fates)).toEqual(['1'])
  expect((owner.fates[1]?.[0] as DeliveryError).message).toContain('first')
  expect(batch.count).toBe(2)
})
