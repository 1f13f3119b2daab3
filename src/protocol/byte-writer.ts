import { sizeOfUnsignedVarint } from './varint.js'

/** A UUID of all zeros: Kafka's "no id". */
export const ZERO_UUID: Buffer = Buffer.alloc(16)

const MAX_STRING_BYTES = 0x7fff

/** A tagged field that is set: its tag, and what writes its content. */
export type TaggedField = readonly [tag: number, write: (field: ByteWriter) => void]

/**
 * Writes Kafka's primitive types, big-endian, into one buffer. Whoever knows the size gives it as the capacity and pays
 * for no growth.
 */
export class ByteWriter {
  buffer: Buffer
  position = 0

  /** @param allocate gives the first buffer, of `capacity` at the least */
  constructor(capacity = 256, allocate?: (capacity: number) => Buffer) {
    this.buffer = allocate === undefined ? Buffer.allocUnsafe(capacity) : allocate(capacity)
  }

  /** What has been written, as a view of the buffer. */
  bytes(): Buffer {
    return this.buffer.subarray(0, this.position)
  }

  /** Makes room for `count` more bytes. */
  ensure(count: number): void {
    const needed = this.position + count
    if (needed <= this.buffer.length) return
    const grown = Buffer.allocUnsafe(Math.max(needed, this.buffer.length * 2))
    this.buffer.copy(grown, 0, 0, this.position)
    this.buffer = grown
  }

  writeInt8(value: number): void {
    this.ensure(1)
    this.buffer[this.position++] = value
  }

  writeBoolean(value: boolean): void {
    this.writeInt8(value ? 1 : 0)
  }

  writeInt16(value: number): void {
    this.ensure(2)
    this.buffer[this.position++] = value >> 8
    this.buffer[this.position++] = value
  }

  writeInt32(value: number): void {
    this.ensure(4)
    this.putInt32(this.position, value)
    this.position += 4
  }

  /** Overwrites four bytes already written, such as a length known only afterwards. */
  putInt32(at: number, value: number): void {
    const buffer = this.buffer
    buffer[at] = value >> 24
    buffer[at + 1] = value >> 16
    buffer[at + 2] = value >> 8
    buffer[at + 3] = value
  }

  /** A 64-bit integer given as a safe integer. */
  writeInt64(value: number): void {
    this.writeInt32(Math.floor(value / 0x100000000))
    this.writeInt32((value % 0x100000000) | 0)
  }

  writeBigInt64(value: bigint): void {
    this.ensure(8)
    this.position = this.buffer.writeBigInt64BE(value, this.position)
  }

  writeUnsignedVarint(value: number): void {
    if (this.position + 5 > this.buffer.length) this.ensure(sizeOfUnsignedVarint(value))
    let v = value >>> 0
    while (v > 0x7f) {
      this.buffer[this.position++] = (v & 0x7f) | 0x80
      v >>>= 7
    }
    this.buffer[this.position++] = v
  }

  writeRaw(bytes: Uint8Array): void {
    this.ensure(bytes.length)
    this.buffer.set(bytes, this.position)
    this.position += bytes.length
  }

  /** Bytes that may be many: a writer for gathered writes takes them by reference. */
  writeBlock(bytes: Uint8Array): void {
    this.writeRaw(bytes)
  }

  /** `byteLength` is the string's length in UTF-8, which the caller has measured. */
  writeUtf8(text: string, byteLength: number): void {
    this.ensure(byteLength)
    this.position += this.buffer.write(text, this.position, byteLength, 'utf8')
  }

  writeUuid(value: Uint8Array): void {
    if (value.length !== ZERO_UUID.length) throw new RangeError(`a uuid of ${value.length} bytes`)
    this.writeRaw(value)
  }

  /**
   * string, or in a flexible version compact string; null only where the protocol's field is nullable. Kafka allows no
   * more bytes than an int16 counts in either.
   */
  writeString(value: string | null, flexible = false): void {
    if (value === null) {
      if (flexible) this.writeUnsignedVarint(0)
      else this.writeInt16(-1)
      return
    }
    const length = Buffer.byteLength(value)
    if (length > MAX_STRING_BYTES) throw new RangeError(`a string of ${length} bytes, Kafka allows ${MAX_STRING_BYTES}`)
    if (flexible) this.writeUnsignedVarint(length + 1)
    else this.writeInt16(length)
    this.writeUtf8(value, length)
  }

  /** bytes, or in a flexible version compact bytes. */
  writeBytes(value: Uint8Array | null, flexible = false): void {
    this.writeBytesLength(value === null ? -1 : value.length, flexible)
    if (value !== null) this.writeRaw(value)
  }

  /** The length before bytes or records that the caller writes next; -1 is null. */
  writeBytesLength(length: number, flexible = false): void {
    if (flexible) this.writeUnsignedVarint(length + 1)
    else this.writeInt32(length)
  }

  /** The count before elements that the caller writes next; -1 is null. */
  writeArrayLength(count: number, flexible: boolean): void {
    if (flexible) this.writeUnsignedVarint(count + 1)
    else this.writeInt32(count)
  }

  /** An array's count and each of its elements; null only where the protocol's field is nullable. */
  writeArray<T>(items: readonly T[] | null, flexible: boolean, write: (item: T) => void): void {
    this.writeArrayLength(items === null ? -1 : items.length, flexible)
    if (items !== null) for (const item of items) write(item)
  }

  /** The section of tagged fields that ends every structure of a flexible version, where none is set. */
  writeNoTaggedFields(): void {
    this.writeUnsignedVarint(0)
  }

  /** Tagged fields in ascending order of their tags; each is written by its own function. */
  writeTaggedFields(fields: readonly TaggedField[]): void {
    this.writeUnsignedVarint(fields.length)
    for (const [tag, write] of fields) {
      const content = new ByteWriter(64)
      write(content)
      this.writeUnsignedVarint(tag)
      this.writeUnsignedVarint(content.position)
      this.writeRaw(content.bytes())
    }
  }
}
