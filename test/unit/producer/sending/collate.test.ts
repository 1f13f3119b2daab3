import Denque from 'denque'
import { describe, expect, it } from 'vitest'
import { type PartitionBatch, PartitionQueue } from '../../../../src/producer/queues/partition-queue.js'
import { collate, takeBatches } from '../../../../src/producer/sending/collate.js'
import type { Numbering } from '../../../../src/producer/sending/idempotence.js'
import { ZERO_UUID } from '../../../../src/protocol/byte-writer.js'
import { UNPOOLED } from '../../../../src/protocol/records/record-batch.js'
import { Owner, outgoingMessage } from '../outgoing.js'

const LEADER = 1
const NOT_NUMBERED: Numbering = { identityFor: () => undefined, limit: 1, isCurrent: true }

/** A partition on its leader's list, with a message of so many bytes; several where there are several. */
function partition(topic: string, index: number, ...sizes: number[]): PartitionQueue {
  const queue = new PartitionQueue(topic, index, { plainBytes: 10_000, ratio: 1 }, UNPOOLED)
  queue.isLedBy(LEADER)
  for (const [i, size] of sizes.entries()) queue.append(outgoingMessage(new Owner(), i, { value: Buffer.alloc(size) }))
  queue.list()
  return queue
}

function take(
  queues: PartitionQueue[],
  {
    maxRequestBytes = 100_000,
    numbering = NOT_NUMBERED,
    prepare = (_batch: PartitionBatch): boolean => true,
    goesApart = (_batch: PartitionBatch): boolean => false,
    lets = undefined as ((queue: PartitionQueue) => boolean) | undefined,
  } = {},
) {
  const ready = new Denque(queues)
  const terms = { brokerId: LEADER, maxRequestBytes, magic: 2, numbering, now: 0, prepare, goesApart, lets } as const
  const batches = takeBatches(ready, terms)
  return { taken: batches.map(({ queue }) => `${queue.topic}-${queue.partition}`), batches, left: ready.toArray() }
}

describe('the batches of a request', () => {
  it('are one of each partition that is ready, in turn', () => {
    const { taken, left } = take([partition('a', 0, 10), partition('b', 0, 10), partition('a', 1, 10, 20)])
    expect(taken).toEqual(['a-0', 'b-0', 'a-1'])
    expect(left).toEqual([])
  })

  it('are in flight from then on, and their partitions on no list', () => {
    const queue = partition('a', 0, 10)
    const { batches } = take([queue])
    expect(batches[0]?.isInFlight).toBe(true)
    expect(queue.isListedWith(LEADER)).toBe(false)
  })

  it('are as many as the request has bytes for; the others stay in the list, in their order', () => {
    const queues = [partition('a', 0, 400), partition('a', 1, 400), partition('a', 2, 400)]
    const { taken, left } = take(queues, { maxRequestBytes: 1_000 })
    expect(taken).toEqual(['a-0', 'a-1'])
    expect(left).toEqual([queues[2]])
    expect(queues[2]?.isListedWith(LEADER)).toBe(true)
  })

  it('are those that could be prepared in this turn; the others stay in the list', () => {
    const queues = [partition('a', 0, 10), partition('a', 1, 10), partition('a', 2, 10)]
    const { taken, left } = take(queues, { prepare: ({ queue }) => queue !== queues[1] })
    expect(taken).toEqual(['a-0'])
    expect(left).toEqual(queues.slice(1))
  })

  it('that go apart go with those of their topic alone', () => {
    const queues = [partition('a', 0, 10), partition('b', 0, 10), partition('b', 1, 10), partition('a', 1, 10)]
    const goesApart = ({ queue }: PartitionBatch) => queue.topic === 'b'
    expect(take(queues, { goesApart }).taken).toEqual(['a-0'])
    expect(take(queues.slice(1), { goesApart }).taken).toEqual(['b-0', 'b-1'])
  })

  it('are at least one, however large', () => {
    expect(take([partition('a', 0, 5_000), partition('a', 1, 1)], { maxRequestBytes: 1_000 }).taken).toEqual(['a-0'])
  })

  it('are counted as large as codecs have left those of the topic lately', () => {
    const queues = [0, 1, 2].map((index) => partition('a', index, 400))
    for (const { limit } of queues) Object.assign(limit, { ratio: 0.25 })
    expect(take(queues, { maxRequestBytes: 1_000 }).taken).toHaveLength(3)
  })

  it('come to no more messages than are settled in one go', () => {
    const many = () => partition('a', 0, ...Array<number>(200).fill(0))
    const { taken } = take(Array.from({ length: 30 }, many))
    expect(taken).toHaveLength(25)
  })

  it.each([
    ['first', [true, false, false], ['a-0']],
    ['later', [false, true, false], ['a-0']],
  ])('that are to travel alone have a request to themselves: %s', (_, alone, expected) => {
    const queues = [0, 1, 2].map((index) => partition('a', index, 10))
    for (const [i, queue] of queues.entries()) if (alone[i] === true) queue.peekNext()?.history.travelAlone()
    const { taken, left } = take(queues)
    expect(taken).toEqual(expected)
    expect(left).toHaveLength(2)
  })

  it('are not of a partition that another broker leads by now, that has nothing, or that may not be written to', () => {
    const moved = partition('a', 0, 10)
    moved.isLedBy(2)
    moved.list()
    const refused = partition('a', 2, 10)
    const queues = [moved, partition('a', 1), refused, partition('a', 3, 10)]
    const { taken, left } = take(queues, { lets: (queue) => queue !== refused })
    expect(taken).toEqual(['a-3'])
    expect(left).toEqual([])
    // Where it is listed now is another sender's.
    expect(moved.isListedWith(2)).toBe(true)
  })

  it('are not of a partition that has more, but must wait: it backs off, or has as many in flight as this broker allows', () => {
    const identity = { producerId: 1n, epoch: 0 }
    const backingOff = partition('a', 0, 10)
    backingOff.backOff()
    const busy = partition('a', 1, 5_000, 6_000, 7_000)
    // Two may be in flight, as to the broker that was the leader when the first was taken.
    const first = busy.takeNext(0, identity, 2)
    busy.handedOver(first)
    busy.acknowledged(first, { baseOffset: 0n, logAppendTime: -1, hasTimestamps: true, acknowledged: true }, 100)
    busy.handedOver(busy.takeNext(100, identity, 2))
    expect(busy.isReady).toBe(true)
    const numbering = { identityFor: () => identity, limit: 1, isCurrent: true }
    const { taken, left } = take([backingOff, busy, partition('a', 2, 10)], { numbering })
    expect(taken).toEqual(['a-2'])
    expect(left).toEqual([])
    for (const queue of [backingOff, busy]) expect([queue.isListedWith(LEADER), queue.hasUnsent]).toEqual([false, true])
  })

  it('are looked at again where preparing them has left nothing, or half of it', () => {
    const emptied = partition('a', 0, 10)
    const halved = partition('a', 1, 10, 20)
    const { taken, batches } = take([emptied, halved], {
      prepare: (batch) => {
        if (batch.queue === emptied) {
          for (let place = 0; place < batch.count; place++) batch.endOne(place, new Error('late') as never, 0)
          emptied.thin(batch)
        } else if (batch.count === 2) halved.halve(batch)
        return true
      },
    })
    expect(taken).toEqual(['a-1'])
    expect(batches[0]?.count).toBe(1)
  })

  it('are no more once another identity is to number them', () => {
    let isCurrent = true
    const numbering = {
      identityFor: () => undefined,
      limit: 1,
      get isCurrent() {
        return isCurrent
      },
    }
    const queues = [partition('a', 0, 10), partition('a', 1, 10)]
    const { taken, left } = take(queues, { numbering, prepare: () => !(isCurrent = false) })
    expect(taken).toEqual(['a-0'])
    expect(left).toEqual([queues[1]])
  })
})

describe('a request', () => {
  it('has topic → partition → batch, in the order taken, whichever way the topics come', () => {
    const { batches } = take([partition('a', 0, 1), partition('b', 7, 1), partition('a', 1, 1)])
    const id = Buffer.alloc(16, 7)
    const topics = collate(batches, (topic) => (topic === 'b' ? id : null))
    expect(
      topics.map(({ name, topicId, partitionData }) => [name, topicId, partitionData.map(({ index }) => index)]),
    ).toEqual([
      ['a', ZERO_UUID, [0, 1]],
      ['b', id, [7]],
    ])
    expect(topics[0]?.partitionData.map(({ batch }) => batch)).toEqual([batches[0], batches[2]])
  })
})
