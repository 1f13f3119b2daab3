import { expect, it } from 'vitest'
import { Batch } from '../../../../src/producer/queues/batch.js'
import { Sequences } from '../../../../src/producer/queues/sequences.js'
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

it('a batch may end with the last one', () => {
  const sequences = new Sequences()
  sequences.take(identity, LAST)
  expect(sequences.take(identity, 1).base).toBe(LAST)
  expect(sequences.take(identity, 1).base).toBe(0)
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
