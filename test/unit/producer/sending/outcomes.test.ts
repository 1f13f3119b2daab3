import { expect, it } from 'vitest'
import { ConnectionClosedError, DeliveryTimeoutError } from '../../../../src/errors.js'
import type { BrokerPartitionInfo } from '../../../../src/producer/brokers/broker-partition-info.js'
import type { Freed } from '../../../../src/producer/queues/batch.js'
import { PartitionQueue } from '../../../../src/producer/queues/partition-queue.js'
import { RetryPolicy } from '../../../../src/producer/queues/retry-policy.js'
import { CompressionChoice } from '../../../../src/producer/queues/topic-compression.js'
import { Outcomes } from '../../../../src/producer/sending/outcomes.js'
import { UNPOOLED } from '../../../../src/protocol/records/record-batch.js'
import { StatsCounters } from '../../../../src/stats/producer-stats.js'
import { Owner, outgoingMessage } from '../outgoing.js'

it('what ended while its batch was in flight holds no room any longer when the batch comes back', () => {
  const freed: Freed[] = []
  const compression = new CompressionChoice(
    { compression: 'none', compressedTopics: [], topicCompression: {}, codecs: [] },
    1_000,
  )
  const policy = new RetryPolicy({ retries: Infinity, retryBackoffMs: 60_000, retryBackoffMaxMs: 60_000 })
  const outcomes = new Outcomes({
    topicPartitionInfos: {
      doubtLeader: () => undefined,
      refresh: () => Promise.resolve(),
    } as unknown as BrokerPartitionInfo,
    policy,
    counters: new StatsCounters(),
    compression,
    release: (room) => freed.push(room),
    enlist: () => undefined,
  })
  const queue = new PartitionQueue('orders', 0, compression.limitOf('orders'), UNPOOLED)
  const owner = new Owner()
  queue.isLedBy(1)
  for (let index = 0; index < 5; index++) queue.append(outgoingMessage(owner, index, { value: 'four' }))
  const batch = queue.takeNext()
  for (const place of [0, 3]) batch.endOne(place, new DeliveryTimeoutError('late'), performance.now())
  outcomes.unanswered([batch], new ConnectionClosedError('lost'), true, 0)
  expect(freed).toEqual([{ messages: 2, bytes: 8 }])
  expect(batch.count).toBe(3)
  expect(queue.backlogBytes).toBe(12)
  policy.close()
})
