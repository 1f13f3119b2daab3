import { expect, it } from 'vitest'
import { copyOf, dataOf } from '../../../../src/producer/messages/data.js'

/** Node has them, the types of its oldest release not yet. */
const Growable = SharedArrayBuffer as unknown as new (
  length: number,
  options: { maxByteLength: number },
) => SharedArrayBuffer

const KINDS: [string, (size: number) => object][] = [
  ['a Buffer', (size) => Buffer.alloc(size, 1)],
  ['a Uint8Array', (size) => new Uint8Array(size).fill(1)],
  ['an ArrayBuffer', (size) => new Uint8Array(size).fill(1).buffer],
  ['a DataView', (size) => new DataView(new Uint8Array(size).fill(1).buffer)],
  ['a SharedArrayBuffer', (size) => filled(new SharedArrayBuffer(size))],
  ['a SharedArrayBuffer that may grow', (size) => filled(new Growable(size, { maxByteLength: 9 }))],
  ['a view of a SharedArrayBuffer', (size) => new Uint8Array(filled(new SharedArrayBuffer(size)))],
]

function filled(shared: SharedArrayBuffer): SharedArrayBuffer {
  new Uint8Array(shared).fill(1)
  return shared
}

it.each(KINDS.flatMap(([kind, make]) => [0, 3].map((size) => [kind, size, make] as const)))(
  '%s of %i bytes is copied',
  (_, size, make) => {
    const given = make(size)
    const copy = copyOf(given)
    expect(copy).not.toBe(given)
    const data = dataOf(copy)
    expect(data).toBeInstanceOf(Uint8Array)
    expect([...(data as Uint8Array)]).toEqual(Array.from({ length: size }, () => 1))
  },
)
