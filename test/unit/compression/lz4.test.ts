import { afterEach, describe, expect, it, vi } from 'vitest'
import { lz4Codec } from '../../../src/compression/lz4.js'
import { xxHash32 } from '../../../src/compression/xxhash32.js'
import { CorruptRecordsError } from '../../../src/errors.js'
import { jsonLines, randomBytes, require } from './support.js'

interface Lz4Package {
  compressFrameSync(input: Buffer, options?: { contentChecksum?: boolean; blockChecksums?: boolean }): Buffer
  decompressFrameSync(input: Buffer): Buffer
}
const lz4 = require('lz4-napi') as Lz4Package
const INPUTS = [
  Buffer.from('a'),
  jsonLines(100),
  jsonLines(40_000),
  jsonLines(200_000),
  randomBytes(70_000),
  Buffer.alloc(150_000),
  Buffer.alloc(0),
]

afterEach(() => {
  vi.restoreAllMocks()
})

function read(bytes: Buffer, magic = 2): Buffer {
  return lz4Codec().decompress(bytes, { magic, maxOutputBytes: 1_000_000 })
}

const uint32 = (value: number): number[] => [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24]

interface FrameParts {
  flags?: number
  blockSizes?: number
  /** After the flags and the block size. */
  more?: readonly number[]
  blocks: readonly (readonly number[])[]
  end?: readonly number[]
}

/** A frame with a right checksum of its header; each block is put after its size. */
function frame({ flags = 0x60, blockSizes = 0x40, more = [], blocks, end = uint32(0) }: FrameParts): Buffer {
  const header = Buffer.from([flags, blockSizes, ...more])
  return Buffer.from([
    0x04,
    0x22,
    0x4d,
    0x18,
    ...header,
    (xxHash32(header) >>> 8) & 0xff,
    ...blocks.flatMap((block) => [...uint32(block.length), ...block]),
    ...end,
  ])
}

describe.each([
  ['with its package', lz4Codec()],
  ['without', lz4Codec(null)],
] as const)('lz4 %s', (_name, codec) => {
  it('writes frames that the package reads', async () => {
    for (const input of INPUTS) {
      const compressed = Buffer.from(await codec.compress(input, { magic: 2 }))
      if (input.length > 0) expect(lz4.decompressFrameSync(compressed).equals(input)).toBe(true)
      expect(compressed.toString('hex', 0, 7)).toBe('04224d18604082')
    }
  })

  it('writes the wrong checksum of its header that Kafka 0.8 and 0.9 want for magic 0 alone', async () => {
    for (const [magic, checksum] of [
      [0, 0x1a],
      [1, 0x82],
      [2, 0x82],
    ] as const) {
      expect((await codec.compress(Buffer.from('abc'), { magic }))[6]).toBe(checksum)
    }
  })

  it('leaves as it is what would not shrink', async () => {
    const compressed = Buffer.from(await codec.compress(randomBytes(65_536 + 10), { magic: 2 }))
    expect(compressed.readUInt32LE(7)).toBe(0x80000000 + 65_536)
    expect(compressed.readUInt32LE(11 + 65_536)).toBe(0x80000000 + 10)
  })
})

/** Where in its content each copy of a block begins and ends. */
function copiesOf(block: Buffer): [from: number, to: number][] {
  const copies: [number, number][] = []
  let at = 0
  let to = 0
  const size = (start: number): number => {
    let total = start
    for (let more = start === 15 ? 255 : 0; more === 255; total += more) more = block[at++] ?? 0
    return total
  }
  while (at < block.length) {
    const token = block[at++] ?? 0
    const literals = size(token >> 4)
    at += literals
    to += literals
    if (at === block.length) break
    at += 2
    const length = size(token & 15) + 4
    copies.push([to, to + length])
    to += length
  }
  return copies
}

it('ends blocks as the format wants it, which some decoders rely on', async () => {
  for (let size = 5; size < 60; size++) {
    for (const input of [Buffer.alloc(size), Buffer.alloc(size, 'abcd'), Buffer.alloc(size, 'abcdefghijkl')]) {
      const compressed = Buffer.from(await lz4Codec(null).compress(input, { magic: 2 }))
      if (compressed.readUInt32LE(7) >= 0x80000000) continue
      const copies = copiesOf(compressed.subarray(11, 11 + compressed.readUInt32LE(7)))
      for (const [from, to] of copies) {
        expect(size - from).toBeGreaterThanOrEqual(12)
        expect(size - to).toBeGreaterThanOrEqual(5)
      }
      if (size >= 30) expect(copies).not.toEqual([])
    }
  }
})

describe('reading lz4', () => {
  it('takes frames with larger blocks and checksums, as other clients write them', () => {
    for (const input of INPUTS) {
      for (const contentChecksum of [false, true]) {
        for (const blockChecksums of [false, true]) {
          const compressed = lz4.compressFrameSync(input, { contentChecksum, blockChecksums })
          expect(read(compressed).equals(input)).toBe(true)
        }
      }
    }
  })

  it('takes both checksums of the header for magic 0, and only the right one for later', async () => {
    const old = Buffer.from(await lz4Codec().compress(jsonLines(100), { magic: 0 }))
    const right = Buffer.from(await lz4Codec().compress(jsonLines(100), { magic: 1 }))
    expect(read(old, 0)).toEqual(jsonLines(100))
    expect(read(right, 0)).toEqual(jsonLines(100))
    expect(read(right, 1)).toEqual(jsonLines(100))
    for (const magic of [1, 2]) expect(() => read(old, magic)).toThrow(CorruptRecordsError)
    for (let wrong = 0; wrong < 256; wrong++) {
      right[6] = wrong
      if (wrong !== 0x1a && wrong !== 0x82) expect(() => read(right, 0)).toThrow(CorruptRecordsError)
    }
  })

  const abc = [0x30, 97, 98, 99]

  it('takes a content size, and refuses another', () => {
    expect(read(frame({ flags: 0x68, more: [3, 0, 0, 0, 0, 0, 0, 0], blocks: [abc] })).toString()).toBe('abc')
    expect(() => read(frame({ flags: 0x68, more: [4, 0, 0, 0, 0, 0, 0, 0], blocks: [abc] }))).toThrow(
      CorruptRecordsError,
    )
    expect(() => read(frame({ flags: 0x68, more: [3, 0, 0, 0, 0, 0, 0, 0x80], blocks: [abc] }))).toThrow(
      CorruptRecordsError,
    )
  })

  it('compares checksums of blocks and of the content', () => {
    const checked = lz4.compressFrameSync(jsonLines(300), { contentChecksum: true, blockChecksums: true })
    expect(read(checked)).toEqual(jsonLines(300))
    for (const at of [checked.length - 1, checked.length - 9]) {
      const changed = Buffer.from(checked)
      changed[at] = (changed[at] as number) ^ 1
      expect(() => read(changed)).toThrow(CorruptRecordsError)
    }
  })

  it('takes one frame alone: Kafka reads nothing behind it', () => {
    expect(read(frame({ blocks: [abc, abc] })).toString()).toBe('abcabc')
    for (const more of [frame({ blocks: [abc] }), frame({ blocks: [] }), Buffer.of(0)])
      expect(() => read(Buffer.concat([frame({ blocks: [abc] }), more]))).toThrow('something behind its frame')
  })

  it('takes no blocks that depend on each other, as Kafka does not', () => {
    const copyBack = [0x00, 3, 0, 0x10, 33]
    expect(() => read(frame({ flags: 0x60, blocks: [abc, copyBack] }))).toThrow('an offset of 3')
    for (const blocks of [[abc], [abc, copyBack]])
      expect(() => read(frame({ flags: 0x40, blocks }))).toThrow('depend on each other')
  })

  it('takes no memory for a block that the bytes could not make', () => {
    const allocate = vi.spyOn(Buffer, 'allocUnsafe')
    expect(read(frame({ blockSizes: 0x70, blocks: [abc] })).toString()).toBe('abc')
    expect(Math.max(0, ...allocate.mock.calls.map(([size]) => size))).toBeLessThan(2000)
  })

  it('takes long literals and long copies', () => {
    const literals = Array.from({ length: 15 + 255 + 3 }, (_, i) => 97 + (i % 26))
    const text = Buffer.from(literals).toString()
    expect(read(frame({ blocks: [[0xf0, 255, 3, ...literals]] })).toString()).toBe(text)
    expect(read(frame({ blocks: [[0xff, 255, 3, ...literals, 1, 0, 255, 255, 0, 0x10, 33]] })).toString()).toBe(
      `${text}${text.at(-1)?.repeat(4 + 15 + 255 + 255)}!`,
    )
  })

  it('takes a block that grows as much as one can', () => {
    const more = new Array<number>(16_000).fill(255)
    const bytes = frame({ blockSizes: 0x70, blocks: [[0x1f, 97, 1, 0, ...more, 0, 0]] })
    const output = lz4Codec().decompress(bytes, { magic: 2, maxOutputBytes: 5_000_000 })
    expect(output.equals(Buffer.alloc(1 + 4 + 15 + 255 * more.length, 'a'))).toBe(true)
  })

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['another magic', Buffer.from('05224d18604082' + '00000000', 'hex')],
    ['version 0', frame({ flags: 0x20, blocks: [abc] })],
    ['a reserved flag', frame({ flags: 0x62, blocks: [abc] })],
    // With its number behind them the header's checksum would not be where others have it.
    ['a dictionary', frame({ flags: 0x61, blocks: [abc] })],
    ['blocks of less than 64 KB', frame({ blockSizes: 0x30, blocks: [abc] })],
    ['a reserved bit beside the block size', frame({ blockSizes: 0xc0, blocks: [abc] })],
    ['other reserved bits beside the block size', frame({ blockSizes: 0x41, blocks: [abc] })],
    ['no end mark', frame({ blocks: [abc], end: [] })],
    ['half an end mark', frame({ blocks: [abc], end: [0, 0] })],
    ['bytes after its end', Buffer.concat([frame({ blocks: [abc] }), Buffer.from('x')])],
    ['a block that is cut off', frame({ blocks: [], end: [200, 0, 0, 0, 0x30, 97] })],
    [
      'a plain block above the block size',
      frame({ blocks: [], end: [1, 0, 1, 0x80, ...Buffer.alloc(65_537), 0, 0, 0, 0] }),
    ],
    ['a block of 2 GB', frame({ blocks: [], end: [0xff, 0xff, 0xff, 0x7f, 0x30, 97] })],
    [
      'a block that grows above the block size',
      frame({ blocks: [[0x1f, 97, 1, 0, ...new Array<number>(257).fill(255), 0, 0]] }),
    ],
    ['an empty block', frame({ blocks: [], end: [0, 0, 0, 0x80] }).subarray(0, -1)],
    ['literals that are cut off', frame({ blocks: [[0x40, 97, 98, 99]] })],
    ['a size of literals that does not end', frame({ blocks: [[0xf0, 255, 255]] })],
    ['a size of a copy that does not end', frame({ blocks: [[0x1f, 97, 1, 0, 255]] })],
    ['an offset of 0', frame({ blocks: [[0x10, 97, 0, 0, 0]] })],
    ['an offset before the start', frame({ blocks: [[0x10, 97, 2, 0, 0]] })],
    ['half an offset', frame({ blocks: [[0x10, 97, 1]] })],
    ['a copy at the end of its block', frame({ blocks: [[0x10, 97, 1, 0]] })],
  ])('refuses %s', (_what, bytes) => {
    expect(read(frame({ blocks: [[0x10, 97, 1, 0, 0]] })).toString()).toBe('aaaaa')
    expect(() => read(bytes)).toThrow(CorruptRecordsError)
  })
})

describe('xxHash32', () => {
  it.each([
    ['', 0x02cc5d05],
    ['a', 0x550d7456],
    ['abc', 0x32d153ff],
    ['Nobody inspects the spammish repetition', 0xe2293b2f],
  ])('gives the known hash of %j', (text, hash) => {
    expect(xxHash32(Buffer.from(text))).toBe(hash)
    expect(xxHash32(Buffer.from(`xx${text}yyy`), 2, 2 + Buffer.byteLength(text))).toBe(hash)
  })

  it('agrees with the package at every length', () => {
    for (let length = 1; length < 100; length++) {
      const checked = lz4.compressFrameSync(randomBytes(length, length), { contentChecksum: true })
      expect(checked.readUInt32LE(checked.length - 4)).toBe(xxHash32(randomBytes(length, length)))
    }
  })
})
