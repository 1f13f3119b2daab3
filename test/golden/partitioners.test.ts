import { isUtf8 } from 'node:buffer'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { StringEncoder } from '../../src/producer/encoder.js'
import type { EncodedKey, PartitionContext, Partitioner } from '../../src/producer/partitioner.js'
import { ByteArrayPartitioner, JavaHashPartitioner } from '../../src/producer/partitioners/java-hash-partitioner.js'
import { Murmur2Partitioner } from '../../src/producer/partitioners/murmur2-partitioner.js'
import { murmur2 } from '../../src/producer/partitioners/murmur2.js'
import { partitionerByName } from '../../src/producer/partitioners/partitioner-by-name.js'

/** `partitions[i]` for `partitionCounts[i]`; how the files were made is told in their README.md. */
interface Vector<Key> {
  key: Key
  partitions: number[]
}

interface ClientsFile {
  partitionCounts: number[]
  vectors: (Vector<string> & { murmur2: number })[]
}

interface ZeroEightFile {
  partitionCounts: number[]
  strings: Vector<string>[]
  ints: Vector<number>[]
  longs: Vector<string>[]
  bytes: Vector<string>[]
  encodedStrings: { encoding: string; text: string; bytes: string }[]
}

const HASHES = ['consistent', 'murmur2', 'fnv1a'] as const
type Hash = (typeof HASHES)[number]

interface LibrdkafkaFile {
  partitionCounts: number[]
  withoutKey: Record<Hash, number[]>
  spreads: Record<`${Hash}_random`, { withoutKey: boolean; emptyKey: boolean }>
  vectors: ({ key: string } & Record<Hash, number[]>)[]
}

describe('kafka-clients 4.4.0', () => {
  const file = read<ClientsFile>('kafka-clients-4.4.0.json')

  it.each(file.vectors)('murmur2 of $key', ({ key, murmur2: hash, partitions }) => {
    for (const form of formsOf(key)) {
      expect(murmur2(form)).toBe(hash)
      expect(ask(new Murmur2Partitioner(), file.partitionCounts, null, form)).toEqual(partitions)
      expect(ask(partitionerByName('default'), file.partitionCounts, null, form)).toEqual(partitions)
    }
  })
})

describe.each([
  { version: '0.8.2.2', masked: false, names: ['java_hash', 'byte_array'] as const },
  { version: '0.8.1.1', masked: true, names: ['java_hash_masked', undefined] as const },
])('kafka $version', ({ version, masked, names }) => {
  const file = read<ZeroEightFile>(`kafka-${version}.json`)
  const byHash = new JavaHashPartitioner({ masked })
  const byBytes = new ByteArrayPartitioner({ masked })

  it('places strings, ints and longs by their hashCode', () => {
    const keys: Vector<string | number | bigint>[] = [
      ...file.strings,
      ...file.ints,
      ...file.longs.map(({ key, partitions }) => ({ key: BigInt(key), partitions })),
    ]
    expect(keys.length).toBeGreaterThan(100)
    for (const { key, partitions } of keys) {
      const [name] = names
      expect(ask(byHash, file.partitionCounts, key, ''), String(key)).toEqual(partitions)
      expect(ask(partitionerByName(name), file.partitionCounts, key, ''), String(key)).toEqual(partitions)
    }
  })

  it.each(file.bytes)('places the bytes $key by Arrays.hashCode', ({ key, partitions }) => {
    for (const form of formsOf(key)) {
      expect(ask(byBytes, file.partitionCounts, null, form)).toEqual(partitions)
      if (names[1] !== undefined) {
        expect(ask(partitionerByName(names[1]), file.partitionCounts, null, form)).toEqual(partitions)
      }
    }
  })

  it.each(file.encodedStrings)('encodes $text in $encoding', ({ encoding, text, bytes }) => {
    const encoded = new StringEncoder(encoding).encode(text, { topic: 'topic', headers: undefined, part: 'key' })
    expect(Buffer.from(encoded ?? 'null').toString('hex')).toBe(bytes)
  })
})

describe('librdkafka', () => {
  const file = read<LibrdkafkaFile>('librdkafka.json')
  const one: PartitionContext = { topic: 't', partitionCount: 1000, available: upTo(1000), backlogBytes: () => 0 }

  describe.each(HASHES)('%s', (hash) => {
    const fixed = partitionerByName(hash)
    const spreading = partitionerByName(`${hash}_random`)

    it.each(file.vectors)('of $key', (vector) => {
      for (const form of formsOf(vector.key)) {
        expect(ask(fixed, file.partitionCounts, null, form)).toEqual(vector[hash])
        if (form.length > 0) expect(ask(spreading, file.partitionCounts, null, form)).toEqual(vector[hash])
      }
    })

    it('sends messages without a key to the partition of the empty key', () => {
      const asked = file.partitionCounts.map((partitionCount) =>
        fixed.partitionKeyless?.({ ...one, partitionCount }, 100_000),
      )
      expect(asked).toEqual(file.withoutKey[hash])
    })

    it('spreads in its random form what librdkafka spreads', () => {
      const spreads = (place: () => number | undefined) => new Set(Array.from({ length: 100 }, place)).size > 1
      expect({
        withoutKey: spreads(() => spreading.partitionKeyless?.(one, 100_000)),
        emptyKey: spreads(() => spreading.partition('', 1000, '', one)),
      }).toEqual(file.spreads[`${hash}_random`])
    })
  })
})

function read<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`partitioners/${name}`, import.meta.url), 'utf8')) as T
}

/** The bytes, and the string that they are the UTF-8 of where there is one: a key may be given as either. */
function formsOf(hex: string): EncodedKey[] {
  const bytes = Buffer.from(hex, 'hex')
  return isUtf8(bytes) ? [bytes, bytes.toString()] : [bytes]
}

function ask(partitioner: Partitioner, counts: number[], key: unknown, encodedKey: EncodedKey): number[] {
  return counts.map((partitionCount) => {
    const context = { topic: 't', partitionCount, available: upTo(partitionCount), backlogBytes: () => 0 }
    return partitioner.partition(key, partitionCount, encodedKey, context)
  })
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i)
}
