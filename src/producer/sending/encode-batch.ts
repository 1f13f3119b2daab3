import type { Clock } from '../../clock.js'
import { UnsupportedVersionError } from '../../errors.js'
import { isPromise } from '../../is-promise.js'
import { within } from '../../network/within.js'
import { ZSTD_FROM } from '../../protocol/apis/produce.js'
import { compressedMessageSet } from '../../protocol/records/message-set.js'
import { bytesOf } from '../messages/data.js'
import type { Batch, Magic } from '../queues/batch.js'
import type { TopicCompression } from '../queues/topic-compression.js'

const ZSTD = 4

export interface EncodingParts {
  readonly clock: Clock
  /** How long a codec may take for a batch, which then goes as it is. */
  readonly codecTimeoutMs: number
  readonly codecFailed: (codec: string, error: unknown) => void
}

/** Why a broker that speaks this version of Produce can't be sent a topic's batches; undefined where it can. */
export function whyCodecCantGo(
  compression: TopicCompression | null,
  version: number,
): UnsupportedVersionError | undefined {
  if (compression === null || takes(version, compression) || compression.fallback !== undefined) return undefined
  return new UnsupportedVersionError(
    `compression zstd needs Kafka 2.1 or later (Produce v${ZSTD_FROM}), this broker speaks Produce v${version}; name a fallback such as 'gzip' or 'none'`,
  )
}

function takes(version: number, { codec, isRefused }: TopicCompression): boolean {
  return !isRefused && (codec.id !== ZSTD || version >= ZSTD_FROM)
}

/**
 * A batch as it goes into a request. The promise is there only where a codec works off the event loop. What does not
 * become smaller goes as it is, and so does what a codec fails on, gives no bytes for, or has not done in time, and what
 * it is not tried for.
 */
export function encodeBatch(
  batch: Batch,
  magic: Magic,
  compression: TopicCompression | null,
  version: number,
  { clock, codecTimeoutMs, codecFailed }: EncodingParts,
): Uint8Array | Promise<Uint8Array> {
  const plain = () => (magic === 2 ? batch.sealed() : batch.asMessageSet(magic))
  batch.history.noteUntried(false)
  if (compression === null) return plain()
  const isTaken = takes(version, compression)
  const codec = isTaken ? compression.codec : compression.fallback
  if (codec === null || codec === undefined) return plain()
  const plainSize = batch.sizeIn(magic)
  if (!compression.isWorthTrying(plainSize)) {
    batch.history.noteUntried(true)
    return plain()
  }
  const level = isTaken ? compression.level : undefined
  const { count, records } = batch
  const input = magic === 2 ? records.recordBytes : batch.asMessageSet(magic)
  const pack = (result: unknown): Uint8Array => {
    const bytes = bytesOf(result)
    // There are no records of which nothing is left.
    if (bytes === undefined || bytes.length === 0) throw new TypeError('it gave no bytes')
    const compressed = { codec: codec.id, bytes }
    const packed =
      magic === 2
        ? records.sealCompressed(compressed, batch.producer)
        : compressedMessageSet(count, records.maxTimestamp, magic, compressed)
    compression.observe(plainSize, packed.length)
    return packed.length < plainSize ? packed : plain()
  }
  const failed = (error: unknown): Uint8Array => {
    compression.observe(plainSize, plainSize)
    codecFailed(codec.name, error)
    return plain()
  }
  try {
    const compressed = codec.compress(input, { magic, level })
    if (!isPromise(compressed)) return pack(compressed)
    return within(clock, codecTimeoutMs, Promise.resolve(compressed)).then(pack).catch(failed)
  } catch (error) {
    return failed(error)
  }
}
