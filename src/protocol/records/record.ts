import type { ByteWriter } from '../byte-writer.js'
import { sizeOfUtf8 } from '../utf8.js'
import { sizeOfVarint } from '../varint.js'

/** A header of a message; several may have the same key, their order is kept. */
export interface RecordHeader {
  readonly key: string
  readonly value: Buffer | null
}

/** A message as it stands in a log, decoded from any of the three formats. */
export interface DecodedRecord {
  readonly offset: bigint
  /** Milliseconds since 1970; -1 where the format (magic 0) has none. Rounded beyond 53 bits. */
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** Empty below magic 2. */
  readonly headers: readonly RecordHeader[]
}

/** What a key, a value or a header's value is made of: bytes, a string to be written as UTF-8, or null. */
export type Data = Uint8Array | string | null

/** Size in bytes once encoded; -1 for null, as Kafka writes it. */
export function sizeOfData(data: Data): number {
  if (data === null) return -1
  return typeof data === 'string' ? sizeOfUtf8(data) : data.length
}

/** Writes bytes whose length was measured before; zeros where they are not as many any more, never what was there. */
export function putBytes(buffer: Buffer, at: number, bytes: Uint8Array, size: number): void {
  if (bytes.length === size) buffer.set(bytes, at)
  else buffer.fill(0, at, at + size)
}

export type OutgoingHeader = readonly [key: string, value: Data]

/** The headers of a message on its way out, measured once. */
export class OutgoingHeaders {
  /** Bytes of their keys and values. */
  readonly bytes: number
  /** Bytes that they take in a record, their count included. */
  readonly size: number
  /** How many bytes each value has, -1 for null. */
  readonly valueSizes: readonly number[]
  /** True where several messages have them: then they are encoded once. */
  isShared = false
  /** As they stand in a record, once somebody has encoded them. */
  encoded: Buffer | undefined

  constructor(readonly pairs: readonly OutgoingHeader[]) {
    let bytes = 0
    let size = sizeOfVarint(pairs.length)
    this.valueSizes = pairs.map(([, value]) => sizeOfData(value))
    for (let i = 0; i < pairs.length; i++) {
      const keySize = sizeOfUtf8((pairs[i] as OutgoingHeader)[0])
      const valueSize = this.valueSizes[i] as number
      bytes += keySize + (valueSize > 0 ? valueSize : 0)
      size += sizeOfVarint(keySize) + sizeOfVarint(valueSize)
    }
    this.bytes = bytes
    this.size = size + bytes
  }
}

/**
 * A message on its way out. Strings stay strings until they are written to their final place in the request; their
 * sizes were measured once, when the message came in. Writers never change one.
 */
export interface OutgoingRecord {
  readonly key: Data
  readonly keySize: number
  readonly value: Data
  readonly valueSize: number
  /** null is the same as none. */
  readonly headers: OutgoingHeaders | null
  /** Milliseconds since 1970, a safe integer; negative is allowed. */
  readonly timestamp: number
}

/** Whether bytes in it are not as many as when it was measured: their buffer was detached, or resized. */
export function hasOtherSize({ key, keySize, value, valueSize, headers }: OutgoingRecord): boolean {
  if (isOtherSize(value, valueSize) || isOtherSize(key, keySize)) return true
  if (headers === null || headers.isShared) return false
  const { pairs, valueSizes } = headers
  return pairs.some(([, header], i) => isOtherSize(header, valueSizes[i] as number))
}

function isOtherSize(data: Data, size: number): boolean {
  return typeof data === 'object' && data !== null && data.length !== size
}

/**
 * What stands in a Produce request for one partition. The size is known before a byte is written, so that the
 * request's buffer is allocated once.
 */
export interface EncodableRecords {
  readonly byteLength: number
  readonly recordCount: number
  writeTo(writer: ByteWriter): void
}

/** The low bits of the attributes of a message or batch: which codec its records are compressed with. */
export const COMPRESSION_MASK = 0x07
/** The attribute bit that says that the broker's clock set the timestamp. */
export const LOG_APPEND_TIME_FLAG = 0x08

/** Records after compression, as one block. `codec` is Kafka's number for it: 1 gzip, 2 snappy, 3 lz4, 4 zstd. */
export interface CompressedRecords {
  readonly codec: number
  readonly bytes: Uint8Array
}

/** Undoes a codec; throws where the bytes are not valid or would grow beyond the bound that the function keeps. */
export type Decompress = (codec: number, bytes: Buffer, magic: number) => Buffer
