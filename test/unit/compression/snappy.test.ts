import { afterEach, describe, expect, it, vi } from 'vitest'
import { snappyCodec } from '../../../src/compression/snappy.js'
import { CorruptRecordsError } from '../../../src/errors.js'
import { jsonLines, randomBytes, require } from './support.js'

interface SnappyPackage {
  compressSync(input: Buffer): Buffer
  uncompressSync(input: Buffer): Buffer
}
const snappy = require('snappy') as SnappyPackage
const HEADER = Buffer.from('82534e41505059000000000100000001', 'hex')
const options = { magic: 2, maxOutputBytes: 1_000_000 }
const INPUTS = [
  Buffer.from('a'),
  jsonLines(100),
  jsonLines(40_000),
  jsonLines(200_000),
  randomBytes(70_000),
  Buffer.alloc(150_000),
  Buffer.alloc(0),
  // Literals whose size takes another number of bytes from here on.
  ...[59, 60, 61, 255, 256, 257, 258].map(randomBytes),
]

afterEach(() => {
  vi.restoreAllMocks()
})

function read(bytes: Buffer | readonly number[]): Buffer {
  return snappyCodec().decompress(Buffer.from(bytes), options)
}

describe.each([
  ['with its package', snappyCodec()],
  ['without', snappyCodec(null)],
] as const)('snappy %s', (_name, codec) => {
  it("writes xerial's frame around blocks that the package reads", async () => {
    for (const input of INPUTS) {
      const compressed = Buffer.from(await codec.compress(input, { magic: 2 }))
      expect(compressed.subarray(0, 16)).toEqual(HEADER)
      const blocks: Buffer[] = []
      for (let at = 16; at < compressed.length;) {
        const size = compressed.readInt32BE(at)
        blocks.push(snappy.uncompressSync(compressed.subarray(at + 4, at + 4 + size)))
        at += 4 + size
      }
      expect(Buffer.concat(blocks).equals(input)).toBe(true)
    }
  })
})

describe('reading snappy', () => {
  it('takes a block without a frame', () => {
    for (const input of INPUTS) expect(read(snappy.compressSync(input)).equals(input)).toBe(true)
  })

  it('takes every kind of element', () => {
    const text = Buffer.from('0123456789')
    const literal = [9 << 2, ...text]
    expect(read([10, ...literal]).toString()).toBe('0123456789')
    expect(read([10, 60 << 2, 9, ...text]).toString()).toBe('0123456789')
    expect(read([10, 61 << 2, 9, 0, ...text]).toString()).toBe('0123456789')
    expect(read([10, 62 << 2, 9, 0, 0, ...text]).toString()).toBe('0123456789')
    expect(read([10, 63 << 2, 9, 0, 0, 0, ...text]).toString()).toBe('0123456789')
    expect(read([14, ...literal, 0x01, 10]).toString()).toBe('01234567890123')
    expect(read([14, ...literal, (3 << 2) | 2, 10, 0]).toString()).toBe('01234567890123')
    expect(read([14, ...literal, (3 << 2) | 3, 10, 0, 0, 0]).toString()).toBe('01234567890123')
    expect(read([74, ...literal, (63 << 2) | 2, 1, 0]).toString()).toBe(`0123456789${'9'.repeat(64)}`)
    expect(read([52, ...literal, (41 << 2) | 2, 3, 0]).toString()).toBe(`0123456789${'789'.repeat(14)}`)
  })

  it('takes an offset of eleven bits', () => {
    const input = Buffer.concat([randomBytes(2000), Buffer.from('x')])
    const block = Buffer.concat([
      Buffer.from([0xd5, 0x0f, 61 << 2, 0xd0, 0x07]),
      input,
      Buffer.from([(7 << 5) | 1, 0xd1]),
    ])
    expect(read(block)).toEqual(Buffer.concat([input, input.subarray(0, 4)]))
  })

  it.each([
    ['nothing at all', []],
    ['a size that does not end', [0x80]],
    ['a size of six bytes', [0x80, 0x80, 0x80, 0x80, 0x80, 0x01]],
    ['a size of 4 GB', [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 97]],
    ['a size beyond what the bytes could make', [0xe8, 0x07, 0, 97]],
    ['a size of 0 in six bytes', [0x80, 0x80, 0x80, 0x80, 0x80, 0x00]],
    ['a size of 0 in two hundred bytes', [...new Array<number>(200).fill(0x80), 0x00]],
    ['less than its size', [2, 0, 97]],
    ['more than its size', [1, 1 << 2, 97, 98]],
    ['many literals more than its size', [2, 49 << 2, ...new Array<number>(50).fill(97)]],
    ['a long copy beyond its size', [70, 39 << 2, ...new Array<number>(40).fill(97), (39 << 2) | 2, 40, 0]],
    ['literals that are cut off', [3, 2 << 2, 97, 98]],
    ['4 GB of literals', [3, 63 << 2, 0xff, 0xff, 0xff, 0xff, 97]],
    ['a size of literals that is cut off', [3, 61 << 2, 1]],
    ['an offset of 0', [5, 0, 97, 0x01, 0]],
    ['an offset before the start', [5, 0, 97, 0x01, 2]],
    ['an offset of 4 GB', [5, 0, 97, (3 << 2) | 3, 0xff, 0xff, 0xff, 0xff]],
    ['an offset that is cut off', [5, 0, 97, (3 << 2) | 2, 1]],
    ['a copy beyond its size', [5, 0, 97, (4 << 2) | 2, 1, 0]],
  ])('refuses %s', (_what, bytes) => {
    expect(() => read(bytes)).toThrow(CorruptRecordsError)
  })

  it('takes no memory for a size that the bytes could not make', () => {
    const allocate = vi.spyOn(Buffer, 'allocUnsafe')
    expect(() => read([0xc0, 0x84, 0x3d, 0, 97])).toThrow(CorruptRecordsError)
    expect(Math.max(0, ...allocate.mock.calls.map(([size]) => size))).toBeLessThan(1000)
  })

  it('refuses frames whose blocks do not add up', () => {
    const block = snappy.compressSync(Buffer.from('abc'))
    const framed = (size: number): Buffer => {
      const bytes = Buffer.alloc(4)
      bytes.writeInt32BE(size)
      return Buffer.concat([HEADER, bytes, block])
    }
    expect(read(framed(block.length)).toString()).toBe('abc')
    for (const size of [block.length + 1, block.length - 1, 0, -1, 2 ** 31 - 1])
      expect(() => read(framed(size))).toThrow(CorruptRecordsError)
  })

  it('does not let one block of a frame reach into another', () => {
    const block = (bytes: readonly number[]): Buffer => Buffer.from([0, 0, 0, bytes.length, ...bytes])
    expect(() => read(Buffer.concat([HEADER, block([1, 0, 97]), block([4, (3 << 2) | 2, 1, 0])]))).toThrow(
      CorruptRecordsError,
    )
  })
})
