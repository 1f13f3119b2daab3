import type { ByteWriter } from '../byte-writer.js'

/** A header of a message; several may have the same key, their order is kept. */
export interface RecordHeader {
  readonly key: string
  readonly value: Buffer | null
}

/** A message as it stands in a log, decoded from any of the three formats. */
export interface DecodedRecord {
  readonly offset: bigint
  /** Milliseconds since 1970; -1 where the format (magic 0) has none. */
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** Empty below magic 2. */
  readonly headers: readonly RecordHeader[]
}

/** Bytes the caller gives for a key or value: strings are written as UTF-8, straight into the request. */
export type Data = Uint8Array | string | null

/** A message on its way out. Encoders never change one. */
export interface OutgoingRecord {
  readonly key: Data
  readonly value: Data
  readonly headers: readonly OutgoingHeader[] | null
  /** Milliseconds since 1970, a safe integer; negative is allowed. */
  readonly timestamp: number
}

export type OutgoingHeader = readonly [key: string, value: Data]

/**
 * What stands in a Produce request for one partition: its size is known before it is written, so that the request's
 * buffer is allocated once and every byte is written to its final place.
 */
export interface EncodableRecords {
  readonly byteLength: number
  writeTo(writer: ByteWriter): void
}
