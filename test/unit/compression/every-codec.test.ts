import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { CorruptRecordsError } from '../../../src/errors.js'
import { decompressOrReject, everyCodec, jsonLines, randomBytes } from './support.js'

const SIZES = [
  0, 1, 2, 3, 4, 5, 11, 12, 13, 14, 17, 64, 100, 1000, 8191, 8192, 32_767, 32_768, 65_535, 65_536, 65_537, 131_072,
  200_000, 1_000_000,
]
const CONTENTS = {
  'JSON lines': jsonLines(1_000_000),
  'random bytes': randomBytes(1_000_000),
  zeros: Buffer.alloc(1_000_000),
  'a short pattern': Buffer.alloc(1_000_000, 'abc'),
  'random and zeros by turns': Buffer.concat(
    Array.from({ length: 2000 }, (_, i) => (i % 2 === 0 ? randomBytes(700, i) : Buffer.alloc(300))),
  ),
}
const MAX = { maxOutputBytes: 1_000_000 }

afterEach(() => {
  vi.restoreAllMocks()
})

describe.each(everyCodec())('%s', (_name, codec) => {
  it.each(Object.entries(CONTENTS))('gives back %s of any size, in every format', async (_what, content) => {
    const before = Buffer.from(content)
    for (const size of SIZES) {
      const input = content.subarray(0, size)
      // Only lz4 makes a difference between formats.
      for (const magic of codec.name === 'lz4' ? [0, 1, 2] : [2]) {
        const compressed = await codec.compress(input, { magic })
        expect(codec.decompress(compressed, { magic, ...MAX }).equals(input), `${size} bytes`).toBe(true)
      }
    }
    expect(content.equals(before)).toBe(true)
  })

  it('gives back anything', async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 5000 }),
      fc
        .array(fc.tuple(fc.uint8Array({ maxLength: 20 }), fc.nat(400)), { maxLength: 40 })
        .map((runs) =>
          Uint8Array.from(runs.flatMap(([run, times]) => Array.from({ length: times }, () => [...run]).flat())),
        ),
    )
    await fc.assert(
      fc.asyncProperty(bytes, async (input) => {
        const compressed = await codec.compress(input, { magic: 2 })
        expect(codec.decompress(compressed, { magic: 2, ...MAX }).equals(input)).toBe(true)
      }),
    )
  })

  it('gives back runs of every length, between copies of every length', async () => {
    for (let length = 1; length < 300; length++) {
      const input = Buffer.concat([Buffer.alloc(700), randomBytes(length, length), Buffer.alloc(300 + length)])
      const compressed = await codec.compress(input, { magic: 2 })
      expect(codec.decompress(compressed, { magic: 2, ...MAX }).equals(input), `${length} bytes`).toBe(true)
    }
  })

  it('takes views into larger buffers', async () => {
    const large = jsonLines(50_000)
    const input = new Uint8Array(large.buffer, large.byteOffset + 1001, 40_000)
    const compressed = await codec.compress(input, { magic: 2 })
    const within = Buffer.concat([randomBytes(7), compressed, randomBytes(7)])
    const view = new Uint8Array(within.buffer, within.byteOffset + 7, compressed.length)
    expect(codec.decompress(view, { magic: 2, ...MAX }).equals(input)).toBe(true)
  })

  it('makes what repeats smaller, and what does not hardly larger', async () => {
    for (const size of [2000, 20_000, 300_000]) {
      const lines = await codec.compress(jsonLines(size), { magic: 2 })
      expect(lines.length).toBeLessThan(size * 0.7)
      const noise = await codec.compress(randomBytes(size), { magic: 2 })
      expect(noise.length).toBeLessThan(size * 1.01 + 64)
    }
  })

  it('compresses small inputs at once, and large ones later, many at a time', async () => {
    expect(codec.compress(jsonLines(4000), { magic: 2 })).toBeInstanceOf(Uint8Array)
    const inputs = Array.from({ length: 12 }, (_, i) => jsonLines(150_000 + i, i))
    const compressing = inputs.map((input) => codec.compress(input, { magic: 2 }))
    for (const promise of compressing) expect(promise).toBeInstanceOf(Promise)
    const compressed = await Promise.all(compressing.map(async (bytes) => bytes))
    for (const [i, bytes] of compressed.entries()) {
      expect(codec.decompress(bytes, { magic: 2, ...MAX }).equals(inputs[i] ?? Buffer.alloc(0))).toBe(true)
    }
  })

  it('makes the same of the same, whatever came before', async () => {
    const compress = async (input: Buffer): Promise<Buffer> => Buffer.from(await codec.compress(input, { magic: 2 }))
    for (const size of [300, 3000, 100_000]) {
      const first = await compress(jsonLines(size))
      await compress(randomBytes(size))
      await compress(jsonLines(size, 2))
      expect((await compress(jsonLines(size))).equals(first)).toBe(true)
    }
  })

  it('refuses what grows beyond the bound, to the byte', async () => {
    for (const size of [1000, 100_000]) {
      const compressed = await codec.compress(jsonLines(size), { magic: 2 })
      expect(codec.decompress(compressed, { magic: 2, maxOutputBytes: size })).toHaveLength(size)
      const beyond = () => codec.decompress(compressed, { magic: 2, maxOutputBytes: size - 1 })
      expect(beyond).toThrow(CorruptRecordsError)
      expect(beyond).toThrow(`compressed records that grow beyond ${size - 1} bytes`)
    }
  })

  it('refuses a bomb without taking memory for it', async () => {
    const bomb = await codec.compress(Buffer.alloc(64 << 20), { magic: 2 })
    expect(bomb.length).toBeLessThan(4 << 20)
    const allocate = vi.spyOn(Buffer, 'allocUnsafe')
    const before = process.memoryUsage().arrayBuffers
    expect(() => codec.decompress(bomb, { magic: 2, maxOutputBytes: 100_000 })).toThrow(CorruptRecordsError)
    expect(Math.max(0, ...allocate.mock.calls.map(([size]) => size))).toBeLessThanOrEqual(100_000)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 << 20)
  })

  it('refuses every truncation', async () => {
    const input = jsonLines(3000)
    const compressed = await codec.compress(input, { magic: 2 })
    for (let length = 0; length < compressed.length; length++) {
      const output = decompressOrReject(codec, compressed.subarray(0, length))
      // snappy's frame has no end of its own: a cut between two blocks can't be seen.
      if (codec.name === 'snappy' && length === 16) expect(output).toHaveLength(0)
      else expect(output, `${length} of ${compressed.length} bytes`).toBeUndefined()
    }
  })

  it('survives every changed byte', async () => {
    for (const input of [jsonLines(700), Buffer.alloc(500), randomBytes(100)]) {
      for (const magic of codec.name === 'lz4' ? [0, 2] : [2]) {
        const compressed = Buffer.from(await codec.compress(input, { magic }))
        for (let at = 0; at < compressed.length; at++) {
          for (const bits of [0x01, 0x04, 0x40, 0x80, 0xff]) {
            const changed = Buffer.from(compressed)
            changed[at] = (changed[at] as number) ^ bits
            decompressOrReject(codec, changed, magic)
          }
        }
      }
    }
  })

  it('survives anything', async () => {
    const head = Buffer.from(await codec.compress(jsonLines(200), { magic: 2 }))
    const bytes = fc.tuple(fc.nat(head.length), fc.uint8Array({ maxLength: 200 }), fc.constantFrom(0, 1, 2))
    fc.assert(
      fc.property(bytes, ([kept, tail, magic]) => {
        decompressOrReject(codec, Buffer.concat([head.subarray(0, kept), tail]), magic)
      }),
      { numRuns: 2000 },
    )
  })
})
