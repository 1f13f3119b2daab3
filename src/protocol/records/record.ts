import { sizeOfUtf8 } from '../utf8.js'

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

/** The headers of a message on its way out: name, value, name, value …; never empty. */
export type OutgoingHeaders = readonly Data[]

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

/**
 * Headers none of which the caller gave, one by one or as a record has them: a broker that is too old for headers gets the
 * message without.
 */
export class AddedHeaders<T> extends Array<T> {}
// Of what somebody else makes of them, such as by `concat()`, nobody knows that. Said in the class's body, by a computed name,
// it would make a dictionary of the class, and each `instanceof`, which every message with headers meets twice, a slow call.
Object.defineProperty(AddedHeaders, Symbol.species, { value: Array })
