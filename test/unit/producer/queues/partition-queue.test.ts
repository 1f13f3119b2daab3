import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { BrokerUnavailableError } from '../../../../src/errors.js'
import { PartitionQueue, type PartitionBatch } from '../../../../src/producer/queues/partition-queue.js'
import { outgoingMessage, Owner } from '../outgoing.js'

const buffers = { take: (size: number) => Buffer.alloc(size), giveBack: () => undefined }
const acknowledgement = { baseOffset: 0n, logAppendTime: -1, hasTimestamps: true, acknowledged: true }

const IDENTITY = { producerId: 1n, epoch: 0 }

/** A queue with so many batches of one message. */
function queueOf(batches: number): PartitionQueue {
  const queue = new PartitionQueue('orders', 0, { plainBytes: 1, ratio: 1 }, buffers)
  queue.isLedBy(1)
  for (let i = 0; i < batches; i++) queue.append(outgoingMessage(new Owner(), 0, { key: null, value: String(i) }))
  return queue
}

/** The next batch, on its connection. */
function handedOver(queue: PartitionQueue): PartitionBatch {
  const batch = queue.takeNext(0, IDENTITY, 5)
  queue.handedOver(batch)
  return batch
}

it.each([
  ['another producer id', { producerId: 2n, epoch: 0 }],
  ['another epoch', { producerId: 1n, epoch: 1 }],
])('nothing goes behind the first batch under %s until the leader has acknowledged it', (_, next) => {
  const identity = { producerId: 1n, epoch: 0 }
  const queue = queueOf(4)
  const first = queue.takeNext(0, identity, 5)
  queue.handedOver(first)
  expect(queue.isReadyFor(identity, 5)).toBe(false)
  queue.acknowledged(first, acknowledgement, 100)
  const second = queue.takeNext(100, next, 5)
  queue.handedOver(second)
  // A broker that does not know the producer would take any sequence.
  expect(queue.isReadyFor(next, 5)).toBe(false)
  queue.acknowledged(second, acknowledgement, 200)
  queue.handedOver(queue.takeNext(200, next, 5))
  expect(queue.isReadyFor(next, 5)).toBe(true)
})

it('nothing goes under another identity behind what is in flight under the one before', () => {
  const identity = { producerId: 1n, epoch: 0 }
  const queue = queueOf(3)
  const first = queue.takeNext(0, identity, 5)
  queue.handedOver(first)
  queue.acknowledged(first, acknowledgement, 100)
  const second = queue.takeNext(100, identity, 5)
  queue.handedOver(second)
  expect(queue.isReadyFor(identity, 5)).toBe(true)
  // A broker that took it and not the one before would not take that any more: its epoch is over.
  expect(queue.isReadyFor({ producerId: 1n, epoch: 1 }, 5)).toBe(false)
  // Nor without sequences, as to a topic that can't have them any more.
  expect(queue.isReadyFor(undefined, 5)).toBe(false)
})

it('nor behind the first after its sequences have started over', () => {
  const identity = { producerId: 1n, epoch: 0 }
  const queue = queueOf(4)
  const first = queue.takeNext(0, identity, 5)
  queue.handedOver(first)
  queue.acknowledged(first, acknowledgement, 100)
  const second = queue.takeNext(100, identity, 5)
  queue.handedOver(second)
  queue.sequences.break()
  queue.failed(second, new BrokerUnavailableError('of the test'), 200)
  expect(queue.sequences.startOver()).toBe(identity)
  const next = { producerId: 1n, epoch: 1 }
  queue.handedOver(queue.takeNext(200, next, 5))
  expect(queue.isReadyFor(next, 5)).toBe(false)
})

it('what was refused before one that was taken has no sequences that others could get', () => {
  const identity = { producerId: 1n, epoch: 0 }
  const queue = queueOf(4)
  const proof = queue.takeNext(0, identity, 5)
  queue.handedOver(proof)
  queue.acknowledged(proof, acknowledgement, 1)
  const [refused, taken] = [queue.takeNext(2, identity, 5), queue.takeNext(2, identity, 5)]
  for (const batch of [refused, taken]) queue.handedOver(batch)
  // As by a topic that is gone, and is there again.
  refused.history.noteFailure(new BrokerUnavailableError('of the test'), false)
  queue.returned(refused)
  queue.acknowledged(taken, acknowledgement, 3)
  expect(queue.hasGap).toBe(true)
  expect(queue.sequences.startOver()).toBe(identity)
})

it.each([
  ['were refused as well', false],
  ['may be in the log', true],
])(
  'the sequences of a batch that was refused for good are free again, but not where those behind it may be in the log: these %s',
  (_, mayBeInLog) => {
    const identity = { producerId: 1n, epoch: 0 }
    const cause = new BrokerUnavailableError('of the test')
    const queue = queueOf(5)
    const send = () => {
      const batch = queue.takeNext(0, identity, 5)
      queue.handedOver(batch)
      return batch
    }
    queue.acknowledged(send(), acknowledgement, 1)
    const [refused, ...behind] = [send(), send(), send()]
    queue.failed(refused, cause, 2)
    for (const batch of behind) {
      batch.history.noteFailure(cause, mayBeInLog)
      queue.returned(batch)
    }
    expect(queue.hasGap).toBe(mayBeInLog)
    if (!mayBeInLog) expect(send().sequence).toEqual({ identity, base: 1 })
  },
)

it('sequences start over only when nothing is in flight: what is there keeps those by which it would be found', () => {
  const identity = { producerId: 1n, epoch: 0 }
  const cause = new BrokerUnavailableError('of the test')
  const queue = queueOf(4)
  const send = () => {
    const batch = queue.takeNext(0, identity, 5)
    queue.handedOver(batch)
    return batch
  }
  queue.acknowledged(send(), acknowledgement, 1)
  const [late, behind] = [send(), send()]
  late.history.noteFailure(cause, true)
  queue.failed(late, cause, 2)
  expect(queue.hasGap).toBe(false)
  expect(queue.isReadyFor(identity, 5)).toBe(false)
  expect(behind.sequence).toEqual({ identity, base: 2 })
  queue.acknowledged(behind, acknowledgement, 3)
  expect(queue.hasGap).toBe(true)
})

it('what may have been written once is said to be so wherever it waits, with a sequence or without', () => {
  const cause = new BrokerUnavailableError('of the test')
  const queue = queueOf(1)
  const batch = queue.takeNext(0)
  batch.history.noteFailure(cause, true)
  queue.returned(batch)
  expect([batch.isInFlight, batch.sequence]).toEqual([false, undefined])
  for (const goesOn of [true, false]) expect(batch.deliveryError(cause, goesOn).mayHaveBeenWritten).toBe(true)
})

it('what may be in the log by its sequence alone is not, once it has none', () => {
  const cause = new BrokerUnavailableError('of the test')
  const queue = queueOf(1)
  const batch = queue.takeNext(0, { producerId: 1n, epoch: 0 }, 5)
  queue.handedOver(batch)
  // As the broker tells it was not written; it keeps its sequence all the same, by which it would be found.
  batch.history.noteFailure(cause, false, true)
  queue.returned(batch)
  expect(batch.history.mayBeInLog).toBe(true)
  queue.sequences.startOver()
  expect(batch.history.mayBeInLog).toBe(false)
})

it('what waits with a sequence may have been written when it is told of ahead of that, but not where it goes out no more', () => {
  const cause = new BrokerUnavailableError('of the test')
  const queue = queueOf(2)
  const [first, waiting] = [1, 2].map(() => queue.takeNext(0, { producerId: 1n, epoch: 0 }, 5))
  for (const batch of [first, waiting]) if (batch !== undefined) queue.handedOver(batch)
  expect(waiting?.deliveryError(cause, false).mayHaveBeenWritten).toBe(true)
  if (waiting !== undefined) queue.returned(waiting)
  expect(waiting?.deliveryError(cause).mayHaveBeenWritten).toBe(true)
  expect(waiting?.deliveryError(cause, false).mayHaveBeenWritten).toBe(false)
})

it('what is first since the one before has failed is behind that one yet, as long as their sequences are the same', () => {
  const queue = queueOf(2)
  const [first, second] = [handedOver(queue), handedOver(queue)]
  expect([queue.isBehind(first), queue.isBehind(second)]).toEqual([false, true])
  queue.failed(first, new BrokerUnavailableError('of the test'), 1)
  expect(queue.isBehind(second)).toBe(true)
})

it('a batch in flight whose messages have their fate is left alone, whatever becomes of others', () => {
  const queue = queueOf(2)
  const [batch, waiting] = [queue.takeNext(0), queue.peekNext()]
  for (const it of [batch, waiting]) it?.endOne(0, new BrokerUnavailableError('of the test'), 0)
  expect(queue.waitingWithEnded()).toEqual([waiting])
  queue.returned(batch)
  expect(queue.waitingWithEnded()).toEqual([batch, waiting])
})

it('what comes after a batch was halved goes behind both of its halves', () => {
  const queue = new PartitionQueue('orders', 0, { plainBytes: 1_000, ratio: 1 }, buffers)
  queue.isLedBy(1)
  const append = () => queue.append(outgoingMessage(new Owner(), 0, { value: 'x' }))
  for (let i = 0; i < 3; i++) append()
  const batch = queue.peekNext()
  if (batch !== undefined) queue.halve(batch)
  append()
  expect([1, 2, 3].map(() => queue.takeNext(0).count)).toEqual([1, 2, 1])
})

it('what fails before it has come to its connection does not hold up what may go behind others', () => {
  const queue = queueOf(4)
  queue.acknowledged(handedOver(queue), acknowledgement, 100)
  handedOver(queue)
  const batch = queue.takeNext(100, IDENTITY, 5)
  expect(queue.isReadyFor(IDENTITY, 5)).toBe(false)
  queue.failed(batch, new BrokerUnavailableError('of the test'), 100)
  expect(queue.isReadyFor(IDENTITY, 5)).toBe(true)
})

it('nothing new goes behind what goes out again and may be in the log', () => {
  const identity = { producerId: 1n, epoch: 0 }
  const queue = queueOf(6)
  const send = () => {
    const batch = queue.takeNext(0, identity, 5)
    queue.handedOver(batch)
    return batch
  }
  queue.acknowledged(send(), acknowledgement, 1)
  const doubtful = [send(), send()]
  for (const batch of doubtful) batch.history.noteFailure(new BrokerUnavailableError('of the test'), true)
  for (const batch of doubtful) queue.returned(batch)
  // The first one is found, and the leader has proven that it knows the sequences.
  queue.acknowledged(send(), acknowledgement, 2)
  const searched = send()
  expect(queue.isReadyFor(identity, 5)).toBe(false)
  queue.acknowledged(searched, acknowledgement, 3)
  send()
  expect(queue.isReadyFor(identity, 5)).toBe(true)
})

it('a broker that has a batch already tells its newest timestamp as the time of the append: each message keeps its own', () => {
  const queue = new PartitionQueue('orders', 0, { plainBytes: 1_000, ratio: 1 }, buffers)
  queue.isLedBy(1)
  const owner = new Owner()
  for (const [i, timestamp] of [1_000, 1_005].entries())
    queue.append(outgoingMessage(owner, i, { value: 'x', timestamp }))
  const identity = { producerId: 1n, epoch: 0 }
  queue.returned(queue.takeNext(0, identity, 5))
  queue.acknowledged(queue.takeNext(1, identity, 5), { ...acknowledgement, logAppendTime: 1_005 }, 2)
  expect(owner.fates).toMatchObject([[{ timestamp: 1_000 }], [{ timestamp: 1_005 }]])
})

it.each([
  ['as a broker says that has a batch already and remembers no offset of it', { ...acknowledgement, baseOffset: -1n }],
  ['as with acks 0', { ...acknowledgement, baseOffset: -1n, acknowledged: false }],
])('where nobody knows the offset no message has one: %s', (_, unknown) => {
  const queue = new PartitionQueue('orders', 0, { plainBytes: 1_000, ratio: 1 }, buffers)
  queue.isLedBy(1)
  const owner = new Owner()
  for (let i = 0; i < 3; i++) queue.append(outgoingMessage(owner, i, { value: 'x' }))
  queue.acknowledged(queue.takeNext(0), unknown, 1)
  expect(owner.fates).toMatchObject(Array(3).fill([{ offset: -1n }]))
})

it('each message of a batch that was split is told its own timestamp, and those of a large one that fails all hear of it', () => {
  const queue = new PartitionQueue('orders', 0, { plainBytes: 10_000, ratio: 1 }, buffers)
  queue.isLedBy(1)
  const owner = new Owner()
  for (let i = 0; i < 60; i++) queue.append(outgoingMessage(owner, i, { value: 'x', timestamp: 1_000 + i }))
  queue.split(queue.takeNext(0))
  queue.acknowledged(queue.takeNext(1), acknowledgement, 2)
  queue.split(queue.takeNext(3))
  queue.acknowledged(queue.takeNext(4), acknowledgement, 5)
  expect(owner.fates).toMatchObject(Array.from({ length: 45 }, (_, i) => [{ timestamp: 1_000 + i }]))
  for (let i = 60; i < 120; i++) queue.append(outgoingMessage(owner, i, { value: 'x' }))
  while (queue.hasUnsent) queue.failed(queue.takeNext(6), new BrokerUnavailableError('of the test'), 7)
  expect(owner.fates.slice(45)).toMatchObject(
    Array(75).fill([{ code: 'BROKER_UNAVAILABLE', mayHaveBeenWritten: false }]),
  )
  expect([queue.isEmpty, queue.backlogBytes]).toEqual([true, 0])
})

it('the time of the append is that of every message where the topic has it', () => {
  const queue = queueOf(1)
  const owner = new Owner()
  queue.append(outgoingMessage(owner, 0, { value: 'x', timestamp: 1_000 }))
  queue.acknowledged(queue.takeNext(0), acknowledgement, 1)
  queue.acknowledged(queue.takeNext(1), { ...acknowledgement, logAppendTime: 9_000 }, 2)
  expect(owner.fates).toMatchObject([[{ timestamp: 9_000 }]])
})

it('whoever holds a batch with its fate holds nothing of those it was of', async () => {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  const queue = new PartitionQueue('orders', 0, { plainBytes: 1_000, ratio: 1 }, buffers)
  queue.isLedBy(1)
  const owners = Array.from({ length: 20 }, () => {
    const owner = new Owner()
    queue.append(outgoingMessage(owner, 0, { key: null, value: 'x' }))
    return new WeakRef(owner)
  })
  const batch = queue.takeNext(0, undefined, 1)
  queue.acknowledged(batch, acknowledgement, 1)
  // What a WeakRef was asked for stays until the turn is over.
  await new Promise((resolve) => setImmediate(resolve))
  gc()
  // A register may still hold the one that was used last.
  expect(owners.filter((owner) => owner.deref() !== undefined).length).toBeLessThan(2)
  expect([batch.isSettled, batch.count]).toEqual([true, 20])
})

it('bytes that somebody reads yet stay what they are when their batch gets other sequences', () => {
  const queue = queueOf(1)
  const batch = queue.takeNext(0, { producerId: 1n, epoch: 0 })
  batch.beginReading()
  const bytes = batch.sealed()
  const sent = Buffer.from(bytes)
  // Its connection was lost before it went out.
  queue.returned(batch)
  const again = queue.takeNext(1, { producerId: 1n, epoch: 1 })
  expect(again.sealed()).not.toEqual(sent)
  expect(bytes).toEqual(sent)
})

it('nothing goes to a proven leader that leads again while the one between owes an answer', () => {
  const identity = { producerId: 1n, epoch: 0 }
  const queue = queueOf(4)
  const first = queue.takeNext(0, identity, 5)
  queue.handedOver(first)
  queue.acknowledged(first, acknowledgement, 1)
  queue.isLedBy(2)
  const second = queue.takeNext(2, identity, 5)
  queue.handedOver(second)
  queue.isLedBy(1)
  expect(queue.isReadyFor(identity, 5)).toBe(false)
  queue.acknowledged(second, acknowledgement, 3)
  expect(queue.isReadyFor(identity, 5)).toBe(true)
})

it('what comes back in doubt goes out together once the first of it is acknowledged, and what is new waits behind it', () => {
  const identity = { producerId: 1n, epoch: 0 }
  const queue = queueOf(6)
  const send = () => {
    const batch = queue.takeNext(0, identity, 5)
    queue.handedOver(batch)
    return batch
  }
  queue.acknowledged(send(), acknowledgement, 1)
  const lost = [send(), send(), send()]
  for (const batch of lost) {
    batch.history.noteFailure(new BrokerUnavailableError('of the test'), true)
    queue.returned(batch)
  }
  // The leader must prove itself anew with the first.
  expect(send()).toBe(lost[0])
  expect(queue.isReadyFor(identity, 5)).toBe(false)
  queue.acknowledged(lost[0] as PartitionBatch, acknowledgement, 2)
  expect(send()).toBe(lost[1])
  expect(queue.isReadyFor(identity, 5)).toBe(true)
  expect(send()).toBe(lost[2])
  expect(queue.isReadyFor(identity, 5)).toBe(false)
})

it.each<[string, (queue: PartitionQueue) => void]>([
  ['sequences before it are missing', (queue) => queue.sequences.break()],
  ['the one before it is still at its codec', (queue) => void queue.takeNext(2, IDENTITY, 5)],
])('nothing goes behind what is in flight where %s', (_, happen) => {
  const queue = queueOf(6)
  queue.acknowledged(handedOver(queue), acknowledgement, 1)
  handedOver(queue)
  expect(queue.isReadyFor(IDENTITY, 5)).toBe(true)
  happen(queue)
  expect(queue.isReadyFor(IDENTITY, 5)).toBe(false)
})

it('what comes back twice goes ahead of what came back behind it, though the leader has taken one of those', () => {
  const queue = queueOf(7)
  queue.acknowledged(handedOver(queue), acknowledgement, 1)
  const lose = (batch: PartitionBatch) => {
    batch.history.noteFailure(new BrokerUnavailableError('of the test'), true)
    queue.returned(batch)
  }
  const lost = Array.from({ length: 5 }, () => handedOver(queue))
  for (const batch of lost) lose(batch)
  queue.acknowledged(handedOver(queue), acknowledgement, 2)
  const [second, third, fourth] = [handedOver(queue), handedOver(queue), handedOver(queue)]
  expect(queue.isReadyFor(IDENTITY, 5)).toBe(true)
  lose(second)
  queue.acknowledged(third, acknowledgement, 3)
  expect(queue.isReadyFor(IDENTITY, 5)).toBe(false)
  queue.acknowledged(fourth, acknowledgement, 4)
  expect(handedOver(queue)).toBe(second)
})
