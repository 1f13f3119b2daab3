import { gunzipSync } from 'node:zlib'
import { CorruptRecordsError } from '../../../../src/errors.js'
import { ByteWriter } from '../../../../src/protocol/byte-writer.js'
import { decodeBatches, type DecodedBatch } from '../../../../src/protocol/records/decode.js'
import {
  type DecodedRecord,
  type EncodableRecords,
  type OutgoingHeader,
  type OutgoingRecord,
  OutgoingHeaders,
  sizeOfData,
  type Data,
  type Decompress,
} from '../../../../src/protocol/records/record.js'

export interface PlainRecord {
  key?: Data
  value?: Data
  headers?: readonly OutgoingHeader[] | null
  timestamp?: number
}

export function outgoing({ key = null, value = null, headers = null, timestamp = 0 }: PlainRecord): OutgoingRecord {
  return {
    key,
    keySize: sizeOfData(key),
    value,
    valueSize: sizeOfData(value),
    headers: headers && new OutgoingHeaders(headers),
    timestamp,
  }
}

/** Writes into a buffer of exactly the size announced, between bytes that belong to others. */
export function encode(records: EncodableRecords): Buffer {
  const writer = new ByteWriter(3 + records.byteLength + 2)
  const buffer = writer.buffer
  buffer.fill(0xee)
  writer.position = 3
  records.writeTo(writer)
  const end = 3 + records.byteLength
  if (writer.buffer !== buffer) throw new Error(`more was written than the ${records.byteLength} bytes announced`)
  if (writer.position !== end) throw new Error(`${writer.position - 3} bytes written, ${records.byteLength} announced`)
  if (buffer.toString('hex', 0, 3) !== 'eeeeee' || buffer.toString('hex', end) !== 'eeee')
    throw new Error('wrote outside')
  return Buffer.from(buffer.subarray(3, end))
}

/** What a reader must get back for `record`. */
export function expected(record: OutgoingRecord, offset: bigint, magic: number): DecodedRecord {
  return {
    offset,
    timestamp: magic === 0 ? -1 : record.timestamp,
    key: bytesOf(record.key),
    value: bytesOf(record.value),
    headers: magic < 2 ? [] : (record.headers?.pairs ?? []).map(([key, value]) => ({ key, value: bytesOf(value) })),
  }
}

function bytesOf(data: Data): Buffer | null {
  return data === null ? null : typeof data === 'string' ? Buffer.from(data) : Buffer.from(data)
}

/** Decodes; undefined where the bytes are corrupt. Anything thrown but the one error is a failure. */
export function decodeOrReject(bytes: Buffer, decompress?: Decompress): DecodedBatch[] | undefined {
  try {
    return decodeBatches(bytes, decompress === undefined ? {} : { decompress })
  } catch (error) {
    if (error instanceof CorruptRecordsError) return undefined
    throw error
  }
}

/** Bytes at the edges of counts, lengths, varints and flags, to try in every place. */
export const TELLING_BYTES = [0, 1, 2, 3, 7, 8, 0x0f, 0x10, 0x20, 0x3f, 0x40, 0x7e, 0x7f, 0x80, 0x81, 0xc0, 0xfe, 0xff]

/** Codec 7 turns every bit over; codec 1 is gzip. */
export const fakeCodecs: Decompress = (codec, bytes) => {
  if (codec === 7) return flip(bytes)
  if (codec !== 1) throw new CorruptRecordsError(`codec ${codec}`)
  try {
    return gunzipSync(bytes, { maxOutputLength: 1 << 22 })
  } catch (error) {
    throw new CorruptRecordsError('gzip', { cause: error })
  }
}

export function flip(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.map((byte) => byte ^ 0xff))
}
