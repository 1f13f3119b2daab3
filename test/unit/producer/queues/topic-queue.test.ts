import { describe, expect, it } from 'vitest'
import { InvalidPartitionError } from '../../../../src/errors.js'
import type { TopicMetadata } from '../../../../src/producer/brokers/topic-metadata.js'
import type { Partitioner } from '../../../../src/producer/partitioner.js'
import { resolvePartitioner } from '../../../../src/producer/partitioners/partitioner-by-name.js'
import { OutgoingMessage } from '../../../../src/producer/queues/outgoing-message.js'
import { TopicQueue } from '../../../../src/producer/queues/topic-queue.js'
import { brokerResponseError } from '../../../../src/protocol/error-codes.js'
import { UNPOOLED } from '../../../../src/protocol/records/record-batch.js'
import { Owner } from '../outgoing.js'

const UNKNOWN_TOPIC = 3

/** What brokers say of a topic: who leads each partition, -1 for nobody; none for one that they do not know. */
function metadata(...leaders: number[]): TopicMetadata {
  return {
    topic: 'orders',
    id: null,
    partitions: leaders.map((leader, partition) => ({ partition, leader, leaderEpoch: -1, error: undefined })),
    error: leaders.length === 0 ? brokerResponseError(UNKNOWN_TOPIC, 'orders') : undefined,
  }
}

function topicOf(partitioner?: Partitioner): TopicQueue {
  return new TopicQueue('orders', resolvePartitioner(partitioner), { plainBytes: 10_000, ratio: 1 }, UNPOOLED)
}

const owner = new Owner()
/** A message with a place of its own, for a partition where it names one. */
function message(index: number, partition?: number): OutgoingMessage {
  const placement = partition === undefined ? null : { partition, key: null, encodedKey: null, keyBytes: undefined }
  const one = new OutgoingMessage('orders', null, 'x', null, 1, 1, null, placement)
  one.owner = owner
  one.index = index
  return one
}

/** It gets its fate while it waits. */
function end(topic: TopicQueue, one: OutgoingMessage): void {
  owner.settle(one.index, {} as never)
  topic.noteEnded(one)
}

describe('partitions', () => {
  it('are led by whom the newest metadata names, and are never fewer: they may hold messages', () => {
    const topic = topicOf()
    topic.update(metadata(1, 2, 3), 0)
    const before = [...topic.queues]
    topic.update(metadata(2), 0)
    expect(topic.queues).toEqual(before)
    expect(topic.queues.map(({ leader }) => leader)).toEqual([2, -1, -1])
    topic.update(metadata(2, 2, 2, 2), 0)
    expect(topic.queues.slice(0, 3)).toEqual(before)
    expect(topic.queues.map(({ partition }) => partition)).toEqual([0, 1, 2, 3])
  })

  it('that the metadata does not name any more are not chosen, though their queues are here', () => {
    const topic = topicOf()
    topic.update(metadata(1, 1), 0)
    expect(topic.queueFor(message(0, 1))).toBe(topic.queues[1])
    topic.update(metadata(1), 0)
    expect(() => topic.queueFor(message(0, 1))).toThrow(InvalidPartitionError)
  })

  it('a partitioner is shown which have a leader, and what waits for each', () => {
    const shown: unknown[] = []
    const topic = topicOf({
      partition: () => 0,
      partitionKeyless: (context) => {
        shown.push([context.available, context.partitionCount, context.backlogBytes(0)])
        return 0
      },
    })
    topic.update(metadata(1, -1, 1), 0)
    topic.queueFor(message(0)).append(message(0))
    topic.queueFor(message(1))
    expect(shown).toEqual([
      [[0, 2], 3, 0],
      [[0, 2], 3, topic.queues[0]?.backlogBytes],
    ])
    expect(topic.queues[0]?.backlogBytes).toBeGreaterThan(0)
  })
})

describe('messages that wait for metadata', () => {
  it('go on in their order, those for a partition that was missing first: they came before', () => {
    const topic = topicOf()
    const [a, b, c] = [message(0, 5), message(1), message(2)]
    topic.waitForPartition(a)
    topic.wait(b)
    topic.wait(c)
    expect(topic.beginPlacing()).toEqual([a, b, c])
    expect(topic.endPlacing([])).toBe(false)
  })

  it('are not overtaken by what comes while they are placed', () => {
    const topic = topicOf()
    topic.update(metadata(1), 0)
    const [a, b, c] = [message(0), message(1), message(2)]
    topic.wait(a)
    topic.wait(b)
    expect(topic.canPlace).toBe(false)
    topic.beginPlacing()
    expect([topic.canPlace, topic.canPlaceWaiting]).toEqual([false, false])
    topic.wait(c)
    expect(topic.endPlacing([b])).toBe(true)
    expect([topic.canPlace, topic.canPlaceWaiting]).toEqual([false, true])
    expect(topic.beginPlacing()).toEqual([b, c])
    topic.endPlacing([])
    expect(topic.canPlace).toBe(true)
  })

  it('are left out once they have their fate, wherever they stand', () => {
    const topic = topicOf()
    const messages = Array.from({ length: 6 }, (_, index) => message(10 + index))
    for (const one of messages) topic.wait(one)
    for (const one of messages.filter((_, place) => ![3, 5].includes(place))) end(topic, one)
    expect(topic.takeWaiting()).toEqual([messages[3], messages[5]])
    expect(topic.isEmpty).toBe(true)
  })

  it('are gone when the last of them has its fate, those included that were to be placed just then', () => {
    const topic = topicOf()
    const [a, b, c] = [message(20), message(21), message(22)]
    for (const one of [a, b, c]) topic.wait(one)
    topic.beginPlacing()
    end(topic, b)
    expect(topic.endPlacing([b, c])).toBe(true)
    end(topic, c)
    expect(topic.isEmpty).toBe(true)
  })

  it('are not all looked at for each of them that has its fate', () => {
    const topic = topicOf()
    let looks = 0
    const ended = new Set<number>()
    const watched = new (class extends Owner {
      override isSettled(index: number): boolean {
        looks++
        return ended.has(index)
      }
    })()
    const messages = Array.from({ length: 1_000 }, (_, index) => message(index))
    for (const one of messages) {
      one.owner = watched
      topic.wait(one)
    }
    // The newest first, as callers may give up in any order.
    for (const one of messages.reverse()) {
      ended.add(one.index)
      topic.noteEnded(one)
    }
    expect(looks).toBeLessThan(5_000)
    expect(topic.isEmpty).toBe(true)
  })

  it('are not kept for their number where they are large', () => {
    const topic = topicOf()
    for (let index = 30; index < 130; index++) topic.wait(message(index))
    const large = new OutgoingMessage('orders', null, 'x', null, 100_000, 100_000, null, null)
    large.owner = owner
    large.index = 130
    topic.wait(large)
    let isLookedAt = false
    owner.settle(large.index, {} as never)
    const isSettled = owner.isSettled.bind(owner)
    owner.isSettled = (index) => {
      if (index === large.index) isLookedAt = true
      return isSettled(index)
    }
    topic.noteEnded(large)
    expect(isLookedAt).toBe(true)
    expect(topic.takeWaiting()).toHaveLength(100)
  })
})

describe('what is asked for', () => {
  it('is metadata, while a message waits for it, names a partition that is missing, or lies in one without a leader', () => {
    const topic = topicOf()
    expect(topic.needsMetadata).toBe(false)
    topic.wait(message(0))
    expect(topic.needsMetadata).toBe(true)
    topic.update(metadata(1, -1), 0)
    expect(topic.needsMetadata).toBe(false)
    topic.takeWaiting()
    expect(topic.lacksPartitionOf(message(1, 2))).toBe(true)
    topic.waitForPartition(message(1, 2))
    expect(topic.needsMetadata).toBe(true)
    topic.takeWaiting()
    topic.queueFor(message(2, 0)).append(message(2, 0))
    expect(topic.needsMetadata).toBe(false)
    topic.update(metadata(-1), 0)
    expect(topic.needsMetadata).toBe(true)
  })

  it('is nothing for a topic that is gone, which nothing is kept of', () => {
    const topic = topicOf()
    topic.update(metadata(), 0)
    expect([topic.isGone, topic.wasSeen]).toEqual([true, false])
    topic.wait(message(0))
    expect(topic.isGone).toBe(false)
  })
})

it('how long a topic is unknown is counted without a break, and not for one that was there', () => {
  const topic = topicOf()
  topic.update(metadata(), 1_000)
  topic.update(metadata(), 1_500)
  expect(topic.unknownForMs(3_000)).toBe(2_000)
  topic.hadNoAnswer()
  expect(topic.unknownForMs(3_000)).toBeUndefined()
  topic.update(metadata(), 4_000)
  expect(topic.unknownForMs(5_000)).toBe(1_000)
  topic.update(metadata(1), 6_000)
  topic.update(metadata(), 7_000)
  expect(topic.unknownForMs(9_000)).toBeUndefined()
})
