import { putVarint, putVarlong, sizeOfVarint } from '../varint.js'
import type { Data, OutgoingHeaders } from './record.js'

/** Strings up to this length are written here: for them a call into native code takes longer. */
const SHORT_TEXT = 28
/** Bytes up to this length are copied here, for the same reason. */
const SHORT_BYTES = 24

/** Bytes are not as many as when they were given: their buffer was detached or resized meanwhile. */
export class ChangedBytesError extends Error {
  override readonly name = 'ChangedBytesError'
}

/**
 * Writes the records of a record batch:
 *
 *     size varint | attributes int8 | timestamp delta varlong | offset delta varint |
 *     key size varint, key | value size varint, value | header count varint, headers…
 *
 * In one pass: a string is guessed to be ASCII, as most are, written, and its size looked at; only where the guess was
 * wrong is it written again. The buffer must have room for the most that a record can come to.
 */
export class RecordWriter {
  /** By how many bytes the strings of the record written last are longer than they would be as ASCII. */
  expansion = 0
  /** Lengths of its key, its value and its headers together. */
  private written = 0

  /**
   * Writes one record and returns where it ends.
   *
   * @param leastData bytes of key, value and headers if every string is ASCII
   * @throws ChangedBytesError
   */
  put(
    buffer: Buffer,
    start: number,
    timestampDelta: number,
    offsetDelta: number,
    key: Data,
    value: Data,
    headers: OutgoingHeaders | null,
    leastData: number,
  ): number {
    // The size comes first and is known last: room is left for as many bytes as it is likely to take.
    const likelyWidth = leastData < 48 ? 1 : leastData < 8_100 ? 2 : leastData < 1_000_000 ? 3 : 4
    const bodyAt = start + likelyWidth
    let at = bodyAt
    this.written = 0
    this.expansion = 0
    buffer[at++] = 0
    if (timestampDelta === 0) buffer[at++] = 0
    else at = putVarlong(buffer, at, timestampDelta)
    at = putVarint(buffer, at, offsetDelta)
    at = this.putData(buffer, at, key)
    at = this.putData(buffer, at, value)
    if (headers === null) buffer[at++] = 0
    else {
      at = putVarint(buffer, at, headers.length >> 1)
      for (let i = 0; i < headers.length; i++) at = this.putData(buffer, at, headers[i] as Data)
    }
    if (this.written !== leastData) throw new ChangedBytesError()
    const size = at - bodyAt
    const width = sizeOfVarint(size)
    if (width !== likelyWidth) {
      buffer.copyWithin(start + width, bodyAt, at)
      at += width - likelyWidth
    }
    putVarint(buffer, start, size)
    return at
  }

  private putData(buffer: Buffer, start: number, data: Data): number {
    if (data === null) {
      // The varint of -1.
      buffer[start] = 1
      return start + 1
    }
    const { length } = data
    this.written += length
    const at = putVarint(buffer, start, length)
    if (typeof data !== 'string') {
      // Where V8 has met resizable buffers, that of Node 20 and 22 goes on telling how many bytes there were that are gone.
      const isGone = length > 0 && data[length - 1] === undefined
      if (isGone || at + length > buffer.length) throw new ChangedBytesError()
      if (length > SHORT_BYTES) buffer.set(data, at)
      else for (let i = 0; i < length; i++) buffer[at + i] = data[i] as number
      return at + length
    }
    if (length > SHORT_TEXT) {
      // UTF-8 has a byte for each unit of UTF-16 at the least, and no more only where all are ASCII.
      return buffer.write(data, at) === length ? at + length : this.putLongerText(buffer, start, data)
    }
    for (let i = 0; i < length; i++) {
      const unit = data.charCodeAt(i)
      if (unit > 0x7f) return this.putLongerText(buffer, start, data)
      buffer[at + i] = unit
    }
    return at + length
  }

  private putLongerText(buffer: Buffer, start: number, text: string): number {
    const size = Buffer.byteLength(text)
    this.expansion += size - text.length
    const at = putVarint(buffer, start, size)
    buffer.write(text, at, size)
    return at + size
  }
}
