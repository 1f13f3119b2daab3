import { expect, it } from 'vitest'
import { BrokerUnavailableError } from '../../../../src/errors.js'
import type { BatchMessage } from '../../../../src/producer/queues/batch.js'
import { PartitionQueue, type PartitionBatch } from '../../../../src/producer/queues/partition-queue.js'
import type { BufferSource } from '../../../../src/protocol/records/record-batch.js'
import { AddedHeaders, type Data } from '../../../../src/protocol/records/record.js'
import { outgoingMessage, Owner } from '../outgoing.js'

const buffers: BufferSource = { take: (size: number) => Buffer.alloc(size), giveBack: () => undefined }
const acknowledgement = { baseOffset: 0n, logAppendTime: -1, hasTimestamps: true, acknowledged: true }
const cause = new BrokerUnavailableError('of the test')
const IDENTITY = { producerId: 1n, epoch: 0 }

/** A queue with so many messages, in one batch as far as there is room for them. */
function queueOf(messages: number, owner = new Owner(), source = buffers): PartitionQueue {
  const queue = new PartitionQueue('orders', 0, { plainBytes: 1_000_000, ratio: 1 }, source)
  queue.isLedBy(1)
  for (let i = 0; i < messages; i++) queue.append(outgoingMessage(owner, i, { value: 'x' }))
  return queue
}

it('what goes out again and has not come to its connection has not been written, though it was on one before', () => {
  const queue = queueOf(1)
  const batch = queue.takeNext(0)
  queue.handedOver(batch)
  expect(batch.deliveryError(cause, false).mayHaveBeenWritten).toBe(true)
  // It was refused.
  queue.returned(batch)
  queue.takeNext(0)
  expect(batch.deliveryError(cause, false).mayHaveBeenWritten).toBe(false)
})

it('messages that fail together are told by one error, and by another once there was another attempt', () => {
  const queue = queueOf(1)
  const batch = queue.takeNext(0)
  const first = batch.deliveryError(cause)
  expect(batch.deliveryError(cause)).toBe(first)
  queue.returned(batch)
  queue.takeNext(0)
  expect([first.attempts, batch.deliveryError(cause).attempts]).toEqual([1, 2])
})

it('a message that was refused has not been written, though those beside it keep their sequences and go again', () => {
  const owner = new Owner()
  const queue = queueOf(2, owner)
  const batch = queue.takeNext(0, IDENTITY, 5)
  queue.append(outgoingMessage(new Owner(), 0, { value: 'behind' }))
  queue.takeNext(0, IDENTITY, 5)
  queue.returned(batch)
  expect(batch.sequence).toBeDefined()
  batch.endOne(0, cause, 0, true)
  batch.endOne(1, cause, 0)
  expect(owner.fates).toMatchObject([[{ mayHaveBeenWritten: false }], [{ mayHaveBeenWritten: true }]])
})

it('a batch has 5,000 messages at the most, however small they are', () => {
  const queue = queueOf(5_001)
  expect([queue.takeNext(0).count, queue.takeNext(0).count]).toEqual([5_000, 1])
})

it('which headers and timestamps callers gave is known of each message, in whichever batch it comes to be', () => {
  const queue = queueOf(0)
  const owner = new Owner()
  const added = AddedHeaders.from<Data>(['traceparent', '00'])
  const given = [{}, { headers: added }, { headers: added, timestamp: 5 }, { headers: ['own', '1'], timestamp: 6 }, {}]
  given.forEach((message, index) => queue.append(outgoingMessage(owner, index, { value: 'x', ...message })))
  const whoseOf = (batch: PartitionBatch | undefined) => {
    const whose: boolean[][] = []
    const note = ({ hasOwnHeaders, hasOwnTimestamp }: BatchMessage) => {
      whose.push([hasOwnHeaders, hasOwnTimestamp])
      return undefined
    }
    batch?.endSome(0, note, () => false)
    return whose
  }
  const batch = queue.takeNext(0)
  batch.endOne(0, cause, 0)
  queue.returned(batch)
  queue.thin(batch)
  const left = [
    [false, false],
    [false, true],
    [true, true],
    [false, false],
  ]
  expect(whoseOf(batch)).toEqual(left)
  queue.halve(batch)
  expect(whoseOf(batch)).toEqual(left.slice(0, 2))
  queue.takeNext(0)
  expect(whoseOf(queue.peekNext())).toEqual(left.slice(2))
})

it('the halves of a batch have its sequences, each those of its own messages, where the whole may be in the log', () => {
  const queue = queueOf(5)
  const batch = queue.takeNext(0, IDENTITY, 5)
  batch.history.noteFailure(cause, true)
  queue.split(batch)
  const halves = [queue.takeNext(0, IDENTITY, 5), queue.takeNext(0, IDENTITY, 5)]
  expect(halves.map(({ count, sequence }) => [count, sequence])).toEqual([
    [2, { identity: IDENTITY, base: 0 }],
    [3, { identity: IDENTITY, base: 2 }],
  ])
})

it('bytes that are read beyond the fate of their batch can be used again once they are read, and not before', () => {
  const givenBack: Buffer[] = []
  const giveBack = (buffer: Buffer) => {
    if (buffer.length > 0) givenBack.push(buffer)
  }
  const queue = queueOf(1, new Owner(), { ...buffers, giveBack })
  const batch = queue.takeNext(0)
  const readings = [batch.beginReading(), batch.beginReading()]
  queue.acknowledged(batch, acknowledgement, 0)
  const seen = [givenBack.length]
  for (const reading of readings) {
    batch.endReading(reading)
    seen.push(givenBack.length)
  }
  expect(seen).toEqual([0, 0, 1])
})

it('where the format has no timestamps no message has one', () => {
  const owner = new Owner()
  const queue = queueOf(1, owner)
  queue.acknowledged(queue.takeNext(0), { ...acknowledgement, hasTimestamps: false }, 1)
  expect(owner.fates).toMatchObject([[{ timestamp: -1 }]])
})
