/**
 * Where V8 has met bytes of resizable buffers, what that of Node 20 and 22 has optimized tells the length of bytes that are gone
 * as it was. Such a message was written as zeros, and acknowledged.
 */
import { expect, it } from 'vitest'
import { dataOf } from '../../../../src/producer/messages/data.js'
import { ChangedBytesError, RecordWriter } from '../../../../src/protocol/records/record-writer.js'

/** Node has them, the types of its oldest release not yet. */
const Resizable = ArrayBuffer as unknown as new (length: number, options: { maxByteLength: number }) => ArrayBuffer

/** Enough for V8 to optimize what is called. */
const ROUNDS = 40_000

/** Calls it with bytes of every kind of buffer, of which some are gone; gives what it did with these, each once. */
function outcomesOfGone(size: number, call: (bytes: Uint8Array) => unknown): unknown[] {
  const outcomes = new Set<unknown>()
  for (let round = 0; round < ROUNDS; round++) {
    const buffer = round % 2 === 0 ? new ArrayBuffer(size) : new Resizable(size, { maxByteLength: 2 * size })
    const bytes = new Uint8Array(buffer)
    if (round % 10 !== 0) call(bytes)
    else {
      structuredClone(buffer, { transfer: [buffer] })
      outcomes.add(outcomeOf(() => call(bytes)))
    }
  }
  return [...outcomes]
}

function outcomeOf(call: () => unknown): unknown {
  try {
    call()
    return 'taken'
  } catch (error) {
    return (error as Error).constructor
  }
}

it.each([
  ['few', 5],
  ['many', 100],
])('%s bytes that are gone are not written, whatever V8 says of their length', (_, size) => {
  const writer = new RecordWriter()
  const target = Buffer.alloc(200)
  expect(outcomesOfGone(size, (bytes) => writer.put(target, 0, 0, 0, null, bytes, null, size))).toEqual([
    ChangedBytesError,
  ])
})

it('bytes that are gone are not taken in', () => {
  expect(outcomesOfGone(5, dataOf)).toEqual([TypeError])
})

it('bytes that were none are not gone', () => {
  const none = new Uint8Array(0)
  expect(dataOf(none)).toBe(none)
  expect(outcomeOf(() => new RecordWriter().put(Buffer.alloc(20), 0, 0, 0, none, none, null, 0))).toBe('taken')
})
