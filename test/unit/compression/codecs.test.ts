import { describe, expect, it } from 'vitest'
import { Codecs, type Codec } from '../../../src/compression/codec.js'
import { zstdCodec } from '../../../src/compression/zstd.js'
import { CorruptRecordsError, InvalidConfigError } from '../../../src/errors.js'
import { jsonLines, nodeHasZstd, require } from './support.js'

function loaded(name: string): boolean {
  return Object.keys(require.cache).some((path) => path.includes(`/node_modules/${name}/`))
}

// First in this file: what other tests use stays loaded.
it("loads a codec's package on its first use", () => {
  const codecs = new Codecs()
  codecs.get('gzip')
  expect([loaded('snappy'), loaded('lz4-napi')]).toEqual([false, false])
  codecs.get('snappy')
  expect([loaded('snappy'), loaded('lz4-napi')]).toEqual([true, false])
  codecs.get('lz4')
  expect([loaded('snappy'), loaded('lz4-napi')]).toEqual([true, true])
})

function ownCodec(name: string, id: number): Codec {
  return {
    name,
    id,
    compress: (input) => input.map((byte) => byte ^ 1),
    decompress: (input) => Buffer.from(input.map((byte) => byte ^ 1)),
  }
}

const options = { magic: 2, maxOutputBytes: 1000 }

describe('Codecs', () => {
  it('has those of Kafka, by name and by number', async () => {
    const codecs = new Codecs()
    for (const [name, id] of [
      ['gzip', 1],
      ['snappy', 2],
      ['lz4', 3],
    ] as const) {
      const codec = codecs.get(name)
      expect(codec).toMatchObject({ name, id })
      expect(codecs.get(name)).toBe(codec)
      const compressed = await codec.compress(jsonLines(500), { magic: 2 })
      expect(codecs.decompress(id, compressed, options)).toEqual(jsonLines(500))
      expect(new Codecs().decompress(id, compressed, options)).toEqual(jsonLines(500))
    }
    expect(codecs.get('zstd')).toMatchObject({ name: 'zstd', id: 4 })
  })

  it('knows no others', () => {
    for (const name of ['none', 'GZIP', 'brotli', '', 'constructor', '__proto__']) {
      expect(() => new Codecs().get(name)).toThrow(InvalidConfigError)
    }
    for (const id of [0, 5, 6, 7, 8, -1, NaN]) {
      expect(() => new Codecs().decompress(id, Buffer.alloc(10), options)).toThrow(CorruptRecordsError)
    }
  })

  it('takes levels that the codec has', () => {
    const codecs = new Codecs()
    for (const level of [1, 6, 9]) expect(codecs.get('gzip', level).name).toBe('gzip')
    for (const level of [0, 10, -1, 1.5, NaN]) expect(() => codecs.get('gzip', level)).toThrow(InvalidConfigError)
    for (const name of ['snappy', 'lz4']) expect(() => codecs.get(name, 1)).toThrow(InvalidConfigError)
  })

  it.runIf(nodeHasZstd)('takes the levels of zstd', () => {
    const codecs = new Codecs()
    for (const level of [-131072, -1, 3, 22]) expect(codecs.get('zstd', level).name).toBe('zstd')
    for (const level of [-131073, 23]) expect(() => codecs.get('zstd', level)).toThrow(InvalidConfigError)
  })

  it("puts a codec of the user's own before what is built in", () => {
    const codecs = new Codecs([ownCodec('gzip', 1), ownCodec('turn', 7)])
    expect(codecs.get('gzip').compress(Buffer.from([1]), options)).toEqual(Buffer.from([0]))
    expect(codecs.decompress(1, Buffer.from([1]), options)).toEqual(Buffer.from([0]))
    expect(codecs.decompress(7, Buffer.from([1]), options)).toEqual(Buffer.from([0]))
    expect(codecs.get('snappy')).toMatchObject({ id: 2 })
    expect(new Codecs().get('gzip').compress(Buffer.from([1]), options)).not.toEqual(Buffer.from([0]))
  })

  it("reads with the user's codec what has its number, whatever its name", async () => {
    const codecs = new Codecs([ownCodec('better', 1)])
    const builtIn = codecs.get('gzip')
    expect(builtIn.decompress(await builtIn.compress(jsonLines(50), { magic: 2 }), options)).toEqual(jsonLines(50))
    expect(codecs.decompress(1, Buffer.from([1]), options)).toEqual(Buffer.from([0]))
  })

  it('refuses codecs that no batch could name', () => {
    for (const codec of [
      ownCodec('', 5),
      ownCodec('none', 5),
      ownCodec('x', 0),
      ownCodec('x', 8),
      ownCodec('x', 1.5),
      ownCodec('gzip', 2),
    ]) {
      expect(() => new Codecs([codec])).toThrow(InvalidConfigError)
    }
    expect(() => new Codecs([ownCodec('x', 5), ownCodec('x', 6)])).toThrow(InvalidConfigError)
    expect(() => new Codecs([ownCodec('x', 5), ownCodec('y', 5)])).toThrow(InvalidConfigError)
  })
})

describe('levels', () => {
  it('make gzip smaller or quicker', async () => {
    const codec = new Codecs().get('gzip')
    for (const size of [4000, 100_000]) {
      const sizes = await Promise.all(
        [1, 6, 9, undefined].map(async (level) => (await codec.compress(jsonLines(size), { magic: 2, level })).length),
      )
      expect(sizes[0]).toBeGreaterThan(sizes[1] ?? 0)
      expect(sizes[2]).toBeLessThanOrEqual(sizes[1] ?? 0)
      expect(sizes[3]).toBe(sizes[1])
    }
  })

  it.runIf(nodeHasZstd)('make zstd smaller or quicker', async () => {
    const codec = new Codecs().get('zstd')
    for (const size of [4000, 100_000]) {
      const sizes = await Promise.all(
        [-5, 3, 19, undefined].map(
          async (level) => (await codec.compress(jsonLines(size), { magic: 2, level })).length,
        ),
      )
      expect(sizes[0]).toBeGreaterThan(sizes[1] ?? 0)
      expect(sizes[2]).toBeLessThan(sizes[1] ?? 0)
      expect(sizes[3]).toBe(sizes[1])
    }
  })
})

describe('zstd on a Node without it', () => {
  const mongodb = require('@mongodb-js/zstd') as { decompress(input: Buffer): Promise<Buffer> }

  it('says what to install', () => {
    expect(() => zstdCodec({}, () => null)).toThrow(InvalidConfigError)
    expect(() => zstdCodec({}, () => null)).toThrow(/Node 22\.15.*@mongodb-js\/zstd/)
  })

  it('compresses with the package', async () => {
    const codec = zstdCodec({})
    expect(codec).toMatchObject({ name: 'zstd', id: 4 })
    const compressed = await codec.compress(jsonLines(50_000), { magic: 2 })
    expect(compressed.length).toBeLessThan(20_000)
    expect(await mongodb.decompress(Buffer.from(compressed))).toEqual(jsonLines(50_000))
  })

  it("can't read, and says so", () => {
    expect(() => zstdCodec({}).decompress(Buffer.alloc(10), options)).toThrow(CorruptRecordsError)
  })
})
