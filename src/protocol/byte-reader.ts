import { counted } from '../wording/counted.js'

const EMPTY = Buffer.alloc(0)

/**
 * Reads Kafka's primitive types from bytes that may be hostile. The first thing that does not fit turns the reader
 * invalid: it stays so, reads nothing more, answers zeros and empties, and tells at the end ({@link problem}). So a
 * decoder reads straight through and its caller checks once.
 *
 * Nothing is allocated by a count or length that the bytes left could not hold.
 */
export class ByteReader {
  private reason: string | undefined

  constructor(
    private readonly buffer: Buffer,
    public position = 0,
    private readonly end: number = buffer.length,
  ) {}

  get remaining(): number {
    return this.end - this.position
  }

  /** True once anything did not fit. */
  get invalid(): boolean {
    return this.reason !== undefined
  }

  /** What did not fit first, or that bytes were left over; undefined when all was read and well-formed. */
  problem(): string | undefined {
    if (this.reason !== undefined) return this.reason
    return this.remaining > 0 ? `${counted(this.remaining, 'byte')} left over at byte ${this.position}` : undefined
  }

  /** Turns the reader invalid; for decoders that find a value the protocol forbids. */
  fail(reason: string): void {
    this.reason ??= `${reason} at byte ${this.position}`
    this.position = this.end
  }

  private take(count: number): number {
    if (count > this.end - this.position) {
      this.fail(`${counted(count, 'byte')} wanted, ${this.end - this.position} left`)
      return -1
    }
    const at = this.position
    this.position += count
    return at
  }

  readInt8(): number {
    const at = this.take(1)
    return at < 0 ? 0 : this.buffer.readInt8(at)
  }

  readBoolean(): boolean {
    return this.readInt8() !== 0
  }

  readInt16(): number {
    const at = this.take(2)
    return at < 0 ? 0 : this.buffer.readInt16BE(at)
  }

  readInt32(): number {
    const at = this.take(4)
    return at < 0 ? 0 : this.buffer.readInt32BE(at)
  }

  readUint32(): number {
    return this.readInt32() >>> 0
  }

  /** A 64-bit integer that the protocol keeps within 53 bits, such as a timestamp; rounded beyond. */
  readInt64(): number {
    const at = this.take(8)
    return at < 0 ? 0 : this.buffer.readInt32BE(at) * 0x100000000 + this.buffer.readUInt32BE(at + 4)
  }

  readBigInt64(): bigint {
    const at = this.take(8)
    return at < 0 ? 0n : this.buffer.readBigInt64BE(at)
  }

  readUnsignedVarint(): number {
    // Most have one byte.
    if (this.position < this.end) {
      const byte = this.buffer[this.position] as number
      if (byte < 0x80) {
        this.position++
        return byte
      }
    }
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const at = this.take(1)
      if (at < 0) return 0
      const byte = this.buffer[at] as number
      if (shift === 28 && byte > 0x0f) break
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
    }
    this.fail('a varint of more than 32 bits')
    return 0
  }

  /** Zigzag varint of a 32-bit signed integer. */
  readVarint(): number {
    const value = this.readUnsignedVarint()
    return (value >>> 1) ^ -(value & 1)
  }

  /** Zigzag varint of a 64-bit signed integer; rounded beyond 53 bits. */
  readVarlong(): number {
    let magnitude = 0
    let scale = 64
    const first = this.take(1)
    if (first < 0) return 0
    let byte = this.buffer[first] as number
    const negative = (byte & 1) === 1
    magnitude = (byte & 0x7f) >> 1
    for (let count = 1; byte >= 0x80; count++) {
      const at = count === 10 ? -1 : this.take(1)
      if (at < 0) {
        this.fail('a varint of more than 64 bits')
        return 0
      }
      byte = this.buffer[at] as number
      magnitude += (byte & 0x7f) * scale
      scale *= 128
    }
    return negative ? -magnitude - 1 : magnitude
  }

  /** A view of the next `count` bytes. */
  readRaw(count: number): Buffer {
    if (count < 0) {
      this.fail(`a length of ${count}`)
      return EMPTY
    }
    const at = this.take(count)
    return at < 0 ? EMPTY : this.buffer.subarray(at, at + count)
  }

  /** A uuid: a copy of 16 bytes, so that it does not keep the frame alive. */
  readUuid(): Buffer {
    return Buffer.from(this.readRaw(16))
  }

  private readLength(flexible: boolean, short: boolean): number {
    const length = flexible ? this.readUnsignedVarint() - 1 : short ? this.readInt16() : this.readInt32()
    if (length < -1) this.fail(`a length of ${length}`)
    return length
  }

  readString(flexible = false): string {
    const value = this.readNullableString(flexible)
    if (value === null) {
      this.fail('null where a string is required')
      return ''
    }
    return value
  }

  readNullableString(flexible = false): string | null {
    const length = this.readLength(flexible, true)
    if (length === -1 || this.invalid) return this.invalid ? '' : null
    const at = this.take(length)
    return at < 0 ? '' : this.buffer.toString('utf8', at, at + length)
  }

  /** Passes over so many bytes. */
  skip(count: number): void {
    this.take(count)
  }

  /** A view of the bytes; null where the length is -1. */
  readNullableBytes(flexible = false): Buffer | null {
    const length = this.readLength(flexible, false)
    if (length === -1 && !this.invalid) return null
    return this.invalid ? EMPTY : this.readRaw(length)
  }

  readBytes(flexible = false): Buffer {
    const value = this.readNullableBytes(flexible)
    if (value === null) this.fail('null where bytes are required')
    return value ?? EMPTY
  }

  /** @param max how many elements are allowed, where that is known */
  readArray<T>(flexible: boolean, read: () => T, max?: number): T[] {
    const items = this.readNullableArray(flexible, read, max)
    if (items === null) this.fail('null where an array is required')
    return items ?? []
  }

  /** Every element takes a byte at the least, so a count above the bytes left is refused before anything is allocated. */
  readNullableArray<T>(flexible: boolean, read: () => T, max = Infinity): T[] | null {
    const count = this.readLength(flexible, false)
    if (count === -1 && !this.invalid) return null
    if (count > this.remaining)
      this.fail(`an array of ${counted(count, 'element')} in ${counted(this.remaining, 'byte')}`)
    if (count > max) this.fail(`an array of ${counted(count, 'element')}, allowed are ${max}`)
    const items: T[] = []
    for (let i = 0; i < count && !this.invalid; i++) items.push(read())
    return this.invalid ? [] : items
  }

  /** Passes over an array; `element` passes over one of its elements, or is the size that each has. */
  skipArray(flexible: boolean, element: (() => void) | number, max = Infinity): void {
    const count = this.readLength(flexible, false)
    if (count === -1) this.fail('null where an array is required')
    if (count > max) this.fail(`an array of ${counted(count, 'element')}, allowed are ${max}`)
    if (typeof element === 'number') this.take(Math.max(count, 0) * element)
    else for (let i = 0; i < count && !this.invalid; i++) element()
  }

  /**
   * The section of tagged fields that ends every structure of a flexible version. `read` is called with the tag and a
   * reader of that field's bytes alone, all of which it reads; a tag it does not know is skipped by reading nothing.
   */
  readTaggedFields(read?: (tag: number, field: ByteReader) => void): void {
    const count = this.readUnsignedVarint()
    let previous = -1
    for (let i = 0; i < count && !this.invalid; i++) {
      const tag = this.readUnsignedVarint()
      const size = this.readUnsignedVarint()
      const start = this.take(size)
      if (start < 0) return
      if (tag <= previous) this.fail(`tagged field ${tag} after ${previous}`)
      previous = tag
      if (read === undefined) continue
      const field = new ByteReader(this.buffer, start, start + size)
      read(tag, field)
      const problem = field.position === start ? field.reason : field.problem()
      if (problem !== undefined) this.fail(`tagged field ${tag}: ${problem}`)
    }
  }
}
