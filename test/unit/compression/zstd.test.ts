import { describe, expect, it } from 'vitest'
import { zstdCodec } from '../../../src/compression/zstd.js'
import { CorruptRecordsError } from '../../../src/errors.js'
import { jsonLines, nodeHasZstd } from './support.js'

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd]
/** One segment of three bytes: their size, then a plain block, which is the last. */
const ABC = [...MAGIC, 0x20, 3, 0x19, 0, 0, 97, 98, 99]

describe.runIf(nodeHasZstd)('reading zstd', () => {
  const read = (bytes: readonly number[] | Uint8Array): string =>
    zstdCodec().decompress(Uint8Array.from(bytes), { magic: 2, maxOutputBytes: 1000 }).toString()

  it('takes every kind of header and block', () => {
    expect(read(ABC)).toBe('abc')
    // A window of 1 KB; no content size, two bytes of it (which count from 256), four, eight.
    expect(read([...MAGIC, 0x00, 0, 0x19, 0, 0, 97, 98, 99])).toBe('abc')
    expect(read([...MAGIC, 0x60, 1, 0, 0x0b, 8, 0, 97])).toBe('a'.repeat(257))
    expect(read([...MAGIC, 0xa0, 3, 0, 0, 0, 0x19, 0, 0, 97, 98, 99])).toBe('abc')
    expect(read([...MAGIC, 0xe0, 3, 0, 0, 0, 0, 0, 0, 0, 0x19, 0, 0, 97, 98, 99])).toBe('abc')
    // A block of one byte that repeats, then one that is empty and the last.
    expect(read([...MAGIC, 0x00, 0, 0x1a, 0, 0, 97, 0x01, 0, 0])).toBe('aaa')
  })

  it.each([
    ['nothing', []],
    ['another magic', [0x29, ...ABC.slice(1)]],
    ['bytes after its end', [...ABC, 0]],
    ['two frames', [...ABC, ...ABC]],
    ['a frame without content', [0x5a, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2]],
    ['a reserved block type', [...MAGIC, 0x20, 3, 0x1f, 0, 0, 97, 98, 99]],
    ['other than its content size', [...MAGIC, 0x20, 4, 0x19, 0, 0, 97, 98, 99]],
    ['a content of 2 EB', [...MAGIC, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0x19, 0, 0, 97, 98, 99]],
    ['a window of 3.75 TB', [...MAGIC, 0x00, 0xff, 0x19, 0, 0, 97, 98, 99]],
    ['a dictionary that is not there', [...MAGIC, 0x21, 9, 3, 0x19, 0, 0, 97, 98, 99]],
  ])('refuses %s', (_what, bytes) => {
    expect(() => read(bytes)).toThrow(CorruptRecordsError)
  })

  it('compares the checksum of the content', () => {
    const checked = [...MAGIC, 0x24, 0, 0x01, 0, 0, 0x99, 0xe9, 0xd8, 0x51]
    expect(read(checked)).toBe('')
    expect(() => read([...checked.slice(0, -1), 0x52])).toThrow(CorruptRecordsError)
  })

  it('compresses with the level asked for', async () => {
    const sizes = await Promise.all(
      [-5, 3, 19].map(async (level) => (await zstdCodec().compress(jsonLines(40_000), { magic: 2, level })).length),
    )
    expect(sizes[0]).toBeGreaterThan(sizes[1] ?? 0)
    expect(sizes[1]).toBeGreaterThan(sizes[2] ?? 0)
  })
})
