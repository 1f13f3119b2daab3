import { expect, it } from 'vitest'
import { BrokerUnavailableError } from '../../../../src/errors.js'
import { Batch } from '../../../../src/producer/queues/batch.js'
import { PartitionQueue } from '../../../../src/producer/queues/partition-queue.js'
import { Sequences } from '../../../../src/producer/queues/sequences.js'
import { UNPOOLED } from '../../../../src/protocol/records/record-batch.js'
import { outgoingMessage, Owner } from '../outgoing.js'

const identity = { producerId: 1n, epoch: 0 }
/** The last one there is, of 31 bits. */
const LAST = 0x7fffffff

it('behind the last sequence comes the first, be it in the midst of a batch', () => {
  const sequences = new Sequences()
  expect(sequences.take(identity, LAST - 1).base).toBe(0)
  // These have LAST - 1, LAST, 0 and 1.
  expect(sequences.take(identity, 4).base).toBe(LAST - 1)
  const next = sequences.take(identity, 3)
  expect(next.base).toBe(2)
  sequences.giveBack(next)
  expect(sequences.take(identity, 1).base).toBe(2)
})

it('what was refused gives its sequences back from the first on, whichever is told of last', () => {
  const sequences = new Sequences()
  sequences.take(identity, 9)
  sequences.loseFrom(3)
  sequences.loseFrom(6)
  expect(sequences.regain()).toBe(true)
  expect(sequences.take(identity, 1)).toEqual({ identity, base: 3 })
})

it.each([
  ['before', (sequences: Sequences) => (sequences.lose(), sequences.loseFrom(3))],
  ['after', (sequences: Sequences) => (sequences.loseFrom(3), sequences.lose())],
])('no sequence is free again where some may be in the log, though others were refused: told %s', (_, lose) => {
  const sequences = new Sequences()
  sequences.take(identity, 9)
  lose(sequences)
  // Whoever had them next would be taken for what is there, and never be written.
  expect(sequences.regain()).toBe(false)
  expect(sequences.isBroken).toBe(true)
  sequences.startOver()
  expect(sequences.regain()).toBe(false)
  expect(sequences.take({ ...identity, epoch: 1 }, 1).base).toBe(0)
})

it('a batch may end with the last one', () => {
  const sequences = new Sequences()
  sequences.take(identity, LAST)
  expect(sequences.take(identity, 1).base).toBe(LAST)
  expect(sequences.take(identity, 1).base).toBe(0)
})

it('the second half of a batch that may be in the log may be so as well, and keeps its sequence', () => {
  const cause = new BrokerUnavailableError('of the test')
  const queue = new PartitionQueue('orders', 0, { plainBytes: 10_000, ratio: 1 }, UNPOOLED)
  queue.isLedBy(1)
  const owner = new Owner()
  for (let i = 0; i < 4; i++) queue.append(outgoingMessage(owner, i, { value: 'v' }))
  const first = queue.takeNext(0, identity, 5)
  first.history.noteFailure(cause, false, true)
  queue.split(first)
  const second = owner.batches[3]
  expect(second).not.toBe(first)
  for (const half of [first, second])
    expect(half?.history).toMatchObject({ mayBeInLog: true, lastError: cause, countedAttempts: 0 })
  expect(second?.sequence).toEqual({ identity, base: 2 })
})

it('what was written and forgiven stays an attempt where the next one is none', () => {
  const queue = new PartitionQueue('orders', 0, { plainBytes: 10_000, ratio: 1 }, UNPOOLED)
  queue.isLedBy(1)
  queue.append(outgoingMessage(new Owner(), 0, { value: 'v' }))
  const batch = queue.takeNext(0, identity, 5)
  batch.history.forgiveAttempt()
  queue.returned(batch)
  expect(queue.takeNext(0, identity, 5)).toBe(batch)
  // Its connection was lost before anything of it was written.
  batch.history.takeBackAttempt()
  expect(batch.history).toMatchObject({ attempts: 1, countedAttempts: 0 })
  queue.returned(batch)
  queue.takeNext(0, identity, 5)
  expect(batch.history).toMatchObject({ attempts: 1, countedAttempts: 1 })
})

it('the second half of a batch that is split has those behind the last one, too', () => {
  const buffers = { take: (size: number) => Buffer.alloc(size), giveBack: () => undefined }
  const queue = { topic: 'orders', partition: 0, leader: 1, hasGap: false, thin: () => ({ messages: 0, bytes: 0 }) }
  const batch = new Batch(queue, buffers)
  for (let i = 0; i < 6; i++) batch.add(outgoingMessage(new Owner(), 0, { key: null, value: String(i) }), 10_000)
  batch.renumber({ identity, base: LAST - 1 })
  expect(batch.splitHalf().sequence).toEqual({ identity, base: 1 })
  expect(batch.sequence).toEqual({ identity, base: LAST - 1 })
})
