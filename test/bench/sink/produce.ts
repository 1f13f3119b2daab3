import type { ByteStream } from './byte-stream.js'

/**
 * Produce requests, v0 to v11, read as far as it takes to count their records, and answered; written apart from the
 * library's own protocol, so that the measuring side costs little and shares no fault with what is measured.
 */
export const PRODUCE = 0

/** Where what is read of a batch ends, counted from its start; in all formats these are at the same place. */
const LENGTH_END = 12
const MAGIC_END = 17
/** Of a record batch. */
const RECORD_COUNT_AT = 57

export interface ProduceRequest {
  readonly acks: number
  readonly topics: ProducedTopic[]
}

interface ProducedTopic {
  readonly name: Buffer
  readonly partitions: { readonly index: number; readonly records: number }[]
}

/** From behind the request header's correlation id on. */
export function readProduce(stream: ByteStream, version: number): ProduceRequest {
  const flexible = version >= 9
  skipString(stream, false) // client id
  if (flexible) skipTags(stream)
  if (version >= 3) skipString(stream, flexible) // transactional id
  const acks = stream.i16()
  stream.skip(4) // time-out
  const topics = readArray(stream, flexible, () => {
    const name = stream.take(flexible ? stream.uvarint() - 1 : stream.i16())
    const partitions = readArray(stream, flexible, () => {
      const index = stream.i32()
      const records = countRecords(stream, flexible ? stream.uvarint() - 1 : stream.i32())
      if (flexible) skipTags(stream)
      return { index, records }
    })
    if (flexible) skipTags(stream)
    return { name, partitions }
  })
  if (flexible) skipTags(stream)
  return { acks, topics }
}

/** In a record batch, also a compressed one, the count stands in front; a message of the older formats is one, if it is not compressed. */
function countRecords(stream: ByteStream, size: number): number {
  let count = 0
  for (let left = size; left > 0;) {
    stream.skip(8)
    const length = stream.i32()
    stream.skip(MAGIC_END - 1 - LENGTH_END)
    if (stream.u8() < 2) {
      count++
      stream.skip(length + LENGTH_END - MAGIC_END)
    } else {
      stream.skip(RECORD_COUNT_AT - MAGIC_END)
      count += stream.i32()
      stream.skip(length + LENGTH_END - RECORD_COUNT_AT - 4)
    }
    left -= length + LENGTH_END
  }
  return count
}

/** The whole response; `baseOffset` is asked for each partition. */
export function encodeProduceResponse(
  { topics }: ProduceRequest,
  version: number,
  correlationId: number,
  baseOffset: (topic: string, partition: number, records: number) => number,
): Buffer {
  const flexible = version >= 9
  const buffer = Buffer.allocUnsafe(
    32 + topics.reduce((sum, { name, partitions }) => sum + 16 + name.length + partitions.length * 48, 0),
  )
  let at = 4
  const arrayLength = (length: number) =>
    (at = flexible ? writeUvarint(buffer, at, length + 1) : buffer.writeInt32BE(length, at))
  const noTags = () => void (flexible && (buffer[at++] = 0))
  at = buffer.writeInt32BE(correlationId, at)
  noTags()
  arrayLength(topics.length)
  for (const { name, partitions } of topics) {
    at = flexible ? writeUvarint(buffer, at, name.length + 1) : buffer.writeInt16BE(name.length, at)
    at += name.copy(buffer, at)
    arrayLength(partitions.length)
    for (const { index, records } of partitions) {
      at = buffer.writeInt32BE(index, at)
      at = buffer.writeInt16BE(0, at) // no error
      at = writeOffset(buffer, at, baseOffset(name.toString('latin1'), index, records))
      if (version >= 2) at = buffer.fill(0xff, at, at + 8) && at + 8 // no time of the log's own
      if (version >= 5) at = writeOffset(buffer, at, 0)
      if (version >= 8) {
        arrayLength(0) // records with errors
        at = flexible ? writeUvarint(buffer, at, 0) : buffer.writeInt16BE(-1, at) // no message
      }
      noTags()
    }
    noTags()
  }
  if (version >= 1) at = buffer.writeInt32BE(0, at) // no throttling
  noTags()
  buffer.writeInt32BE(at - 4, 0)
  return buffer.subarray(0, at)
}

function writeOffset(buffer: Buffer, at: number, offset: number): number {
  buffer.writeInt32BE(Math.floor(offset / 0x1_0000_0000), at)
  return buffer.writeUInt32BE(offset % 0x1_0000_0000, at + 4)
}

function writeUvarint(buffer: Buffer, start: number, value: number): number {
  let at = start
  let v = value
  for (; v > 0x7f; v >>>= 7) buffer[at++] = (v & 0x7f) | 0x80
  buffer[at++] = v
  return at
}

function readArray<T>(stream: ByteStream, flexible: boolean, read: () => T): T[] {
  const items: T[] = []
  for (let left = flexible ? stream.uvarint() - 1 : stream.i32(); left > 0; left--) items.push(read())
  return items
}

function skipString(stream: ByteStream, compact: boolean): void {
  const length = compact ? stream.uvarint() - 1 : stream.i16()
  if (length > 0) stream.skip(length)
}

function skipTags(stream: ByteStream): void {
  for (let left = stream.uvarint(); left > 0; left--) {
    stream.uvarint()
    stream.skip(stream.uvarint())
  }
}
