import * as zlib from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { Codecs } from '../../../src/compression/codec.js'
import { type DecodedBatch, decodeBatches } from '../../../src/protocol/records/decode.js'
import type { MessageSetMagic } from '../../../src/protocol/records/message-set.js'
import type { Decompress } from '../../../src/protocol/records/record.js'
import {
  messageSet,
  outgoing,
  recordBatch,
  recordBytes,
  type OutgoingRecord,
} from '../../unit/protocol/records/support.js'
import { goldenBatches, goldenMessages, inJavasWords, inScalasWords } from './fixtures.js'

/** Only some releases of Node can read zstd. */
const readable = (codec: number): boolean => codec !== 4 || 'zstdDecompressSync' in zlib

const codecs = new Codecs()
const decompress: Decompress = (codec, bytes, magic) =>
  codecs.decompress(codec, bytes, { magic, maxOutputBytes: 1 << 20 })

function again(batch: DecodedBatch): OutgoingRecord[] {
  return batch.records.map(({ key, value, timestamp, headers }) =>
    outgoing({ key, value, timestamp, headers: headers.map((header) => [header.key, header.value] as const) }),
  )
}

/** Bytes as they stand uncompressed in a batch, or in a wrapper message. */
function plain(batch: DecodedBatch): Buffer {
  const records = again(batch)
  if (batch.magic < 2) return messageSet(records, batch.magic as MessageSetMagic)
  return recordBytes(records)
}

describe('records made by kafka-clients 3.9.2', () => {
  const readables = goldenBatches.filter(({ batches }) => batches.every(({ codec }) => readable(codec)))

  it.each(readables)('are read as Java reads them: $name', ({ bytes, batches }) => {
    expect(decodeBatches(bytes, { decompress }).map(inJavasWords)).toEqual(batches)
  })

  // What only brokers set is not the producer's to make.
  const byProducers = goldenBatches.filter(
    ({ name, batches }) => !/stored|append-time|control/.test(name) && batches[0]?.codec === 0,
  )

  it.each(byProducers)('are made by us byte for byte: $name', ({ bytes }) => {
    const decoded = decodeBatches(bytes)
    const magic = decoded[0]?.magic
    const records = decoded.flatMap(again)
    const encoded = magic === 2 ? recordBatch(records, decoded[0]) : messageSet(records, magic as MessageSetMagic)
    expect(encoded.equals(bytes)).toBe(true)
  })

  const compressed = readables.filter(
    ({ name, batches }) => !/stored|append-time/.test(name) && batches[0]?.codec !== 0,
  )

  it.each(compressed)('are the same before the codec as ours: $name', ({ bytes }) => {
    const blocks: Buffer[] = []
    const [batch] = decodeBatches(bytes, {
      decompress: (codec, block, magic) => {
        blocks.push(decompress(codec, block, magic))
        return blocks[0] as Buffer
      },
    })
    expect(plain(batch as DecodedBatch).equals(blocks[0] as Buffer)).toBe(true)
  })
})

describe('messages made by Kafka 0.8.2.2', () => {
  const readables = goldenMessages.filter(({ codec }) => readable(codec))

  it.each(readables)('are read as Scala reads them: $name', ({ codec, bytes, records }) => {
    const decoded = decodeBatches(bytes, { decompress })
    expect(decoded.every((entry) => entry.codec === codec && entry.magic === 0)).toBe(true)
    expect(inScalasWords(decoded.flatMap((entry) => entry.records))).toEqual(records)
  })

  it('are made by us byte for byte', () => {
    const uncompressed = goldenMessages.filter(({ codec }) => codec === 0)
    expect(uncompressed).not.toEqual([])
    for (const { bytes } of uncompressed)
      expect(messageSet(decodeBatches(bytes).flatMap(again), 0).equals(bytes)).toBe(true)
  })
})
