/**
 * What our codecs and record formats make, read by Kafka's own classes without a broker between: kafka-clients for all
 * three formats, the Scala classes of Kafka 0.8 for the first. Which release the other tests run makes no difference.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { Codecs, type Codec } from '../../src/compression/codec.js'
import { lz4Codec } from '../../src/compression/lz4.js'
import { snappyCodec } from '../../src/compression/snappy.js'
import type { MessageSetMagic } from '../../src/protocol/records/message-set.js'
import { inScalasWords, recordsInJavasWords } from '../golden/records/fixtures.js'
import { jsonLines, randomBytes } from '../unit/compression/support.js'
import {
  compressedMessageSet,
  compressedRecordBatch,
  expected,
  messageSet,
  outgoing,
  recordBytes,
  type OutgoingRecord,
} from '../unit/protocol/records/support.js'
import { install } from './support/install.js'
import { runJava } from './support/jvm.js'
import { findRelease } from './support/releases.js'

const TIME = 1_700_000_000_000

const codecs = new Codecs()
const makers: readonly (readonly [string, Codec])[] = [
  ...['gzip', 'snappy', 'lz4', 'zstd'].map((name) => [name, codecs.get(name)] as const),
  ['snappy without its package', snappyCodec(null)],
  ['lz4 without its package', lz4Codec(null)],
]

const contents: Readonly<Record<string, readonly OutgoingRecord[]>> = {
  'one record': [outgoing({ key: 'k', value: 'v', timestamp: TIME })],
  'a mixture': [
    outgoing({ key: 'größe', value: 'grüße 雪 🙂', timestamp: TIME }),
    outgoing({ key: Buffer.alloc(0), value: Buffer.from([0, 255]), timestamp: TIME - 9 }),
    outgoing({ key: null, value: '', timestamp: TIME + 70_000 }),
  ],
  'many blocks of JSON lines': jsonLines(300_000)
    .toString()
    .split('\n')
    .map((line, i) => outgoing({ key: `k-${i % 50}`, value: line, timestamp: TIME + i })),
  'random bytes': [outgoing({ value: randomBytes(150_000), timestamp: TIME })],
  zeros: [outgoing({ value: Buffer.alloc(500_000), timestamp: TIME })],
}

async function compressed(codec: Codec, magic: number, records: readonly OutgoingRecord[]): Promise<Buffer> {
  if (magic < 2) {
    const format = magic as MessageSetMagic
    const bytes = await codec.compress(messageSet(records, format), { magic })
    return compressedMessageSet(records, format, { codec: codec.id, bytes })
  }
  return compressedRecordBatch(records, {
    codec: codec.id,
    bytes: await codec.compress(recordBytes(records), { magic }),
  })
}

/** What the program next to the golden files says of each of these. */
async function readByKafka(release: string, program: string, all: readonly Buffer[]): Promise<unknown[]> {
  const folder = await mkdtemp(join(tmpdir(), 'kafka-records-'))
  try {
    const file = join(folder, 'records.base64')
    await writeFile(file, all.map((bytes) => bytes.toString('base64')).join('\n'))
    const main = fileURLToPath(new URL(`../golden/records/${program}`, import.meta.url))
    const stdout = await runJava({ java: '17', libs: await install(findRelease(release)), main, args: ['read', file] })
    return stdout
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown)
  } finally {
    await rm(folder, { recursive: true })
  }
}

describe('kafka-clients reads', () => {
  it.each([0, 1, 2])('what every codec makes with magic %i', async (magic) => {
    const cases = makers
      .filter(([, codec]) => magic === 2 || codec.name !== 'zstd')
      .flatMap(([name, codec]) =>
        Object.entries(contents).map(([what, records]) => ({ name: `${name}: ${what}`, codec, records })),
      )
    const read = await readByKafka(
      '3.9',
      'KafkaClientsRecords.java',
      await Promise.all(cases.map(({ codec, records }) => compressed(codec, magic, records))),
    )
    for (const [i, { name, codec, records }] of cases.entries()) {
      expect(read[i], name).toMatchObject([
        {
          magic,
          codec: codec.id,
          baseOffset: 0,
          lastOffset: records.length - 1,
          maxTimestamp: magic === 0 ? -1 : Math.max(...records.map(({ timestamp }) => timestamp)),
          records: recordsInJavasWords(records.map((record, offset) => expected(record, BigInt(offset), magic))),
        },
      ])
    }
    expect(read).toHaveLength(cases.length)
  })
})

describe('Kafka 0.8 reads', () => {
  it('what every codec of its time makes', async () => {
    const cases = makers
      .filter(([, codec]) => codec.name !== 'zstd')
      .flatMap(([name, codec]) =>
        Object.entries(contents).map(([what, records]) => ({ name: `${name}: ${what}`, codec, records })),
      )
    const read = await readByKafka(
      '0.8.2',
      'KafkaZeroEightMessages.java',
      await Promise.all(cases.map(({ codec, records }) => compressed(codec, 0, records))),
    )
    for (const [i, { name, records }] of cases.entries()) {
      expect(read[i], name).toEqual(inScalasWords(records.map((record, offset) => expected(record, BigInt(offset), 0))))
    }
    expect(read).toHaveLength(cases.length)
  })
})
