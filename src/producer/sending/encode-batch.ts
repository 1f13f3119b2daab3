import type { Codec } from '../../compression/codec.js'
import { createDebug } from '../../debug.js'
import { UnsupportedVersionError } from '../../errors.js'
import { isPromise } from '../../is-promise.js'
import { within } from '../../network/within.js'
import { ByteWriter } from '../../protocol/byte-writer.js'
import { compressedMessageSet, messageSet } from '../../protocol/records/message-set.js'
import { compressedRecordBatch, recordBatch, writeRecords } from '../../protocol/records/record-batch.js'
import type { EncodableRecords } from '../../protocol/records/record.js'
import { bytesOf } from '../data.js'
import type { Batch } from '../queues/batch.js'
import type { TopicCompression } from '../queues/topic-compression.js'
import type { Magic } from './collate.js'

const debug = createDebug('kafka-producer:compression')

const ZSTD = 4
/** Brokers take zstd from this version of Produce on, Kafka 2.1 (KIP-110). */
const ZSTD_FROM = 7

/** Why a broker that speaks this version of Produce can't be sent a topic's batches; undefined where it can. */
export function whyCodecCantGo(
  compression: TopicCompression | null,
  version: number,
): UnsupportedVersionError | undefined {
  if (compression === null || takes(version, compression.codec) || compression.fallback !== undefined) return undefined
  return new UnsupportedVersionError(
    `compression zstd needs Kafka 2.1 or later (Produce v${ZSTD_FROM}), this broker speaks Produce v${version}; name a fallback such as 'gzip' or 'none'`,
  )
}

function takes(version: number, codec: Codec): boolean {
  return codec.id !== ZSTD || version >= ZSTD_FROM
}

/**
 * A batch as it goes into a request. The promise is there only where a codec works off the event loop. What does not
 * become smaller goes as it is, and so does what a codec fails on, gives no bytes for, or has not done in time.
 */
export function encodeBatch(
  { messages, recordsSize }: Batch,
  magic: Magic,
  compression: TopicCompression | null,
  version: number,
  codecTimeoutMs: number,
): EncodableRecords | Promise<EncodableRecords> {
  const plain = magic === 2 ? recordBatch(messages, recordsSize) : messageSet(messages, magic)
  if (compression === null) return plain
  const isTaken = takes(version, compression.codec)
  const codec = isTaken ? compression.codec : compression.fallback
  if (codec === null || codec === undefined) return plain
  const level = isTaken ? compression.level : undefined
  const input = plainInput()
  const pack = (result: unknown): EncodableRecords => {
    const bytes = bytesOf(result)
    if (bytes === undefined) throw new TypeError('it gave no bytes')
    const compressed = { codec: codec.id, bytes }
    const packed =
      magic === 2 ? compressedRecordBatch(messages, compressed) : compressedMessageSet(messages, magic, compressed)
    compression.observe(plain.byteLength, packed.byteLength)
    return packed.byteLength < plain.byteLength ? packed : plain
  }
  const failed = (error: unknown): EncodableRecords => {
    debug('%s failed, so %d messages go as they are: %O', codec.name, messages.length, error)
    return plain
  }
  try {
    const compressed = codec.compress(input, { magic, level })
    if (!isPromise(compressed)) return pack(compressed)
    return within(codecTimeoutMs, Promise.resolve(compressed)).then(pack).catch(failed)
  } catch (error) {
    return failed(error)
  }

  function plainInput(): Buffer {
    const writer = new ByteWriter(plain.byteLength)
    if (magic === 2) writeRecords(writer, messages, recordsSize)
    else plain.writeTo(writer)
    return writer.bytes()
  }
}
