import { describe, expect, it } from 'vitest'
import { ByteReader } from '../../../src/protocol/byte-reader.js'
import { ByteWriter } from '../../../src/protocol/byte-writer.js'
import {
  putVarint,
  putVarlong,
  sizeOfUnsignedVarint,
  sizeOfVarint,
  sizeOfVarlong,
} from '../../../src/protocol/varint.js'

function written(write: (writer: ByteWriter) => void): Buffer {
  const writer = new ByteWriter(1)
  write(writer)
  return writer.bytes()
}

/** What `read` gets from the bytes, which must be all of them. */
function readAll<T>(bytes: Buffer, read: (reader: ByteReader) => T): T {
  const reader = new ByteReader(bytes)
  const value = read(reader)
  expect(reader.problem()).toBeUndefined()
  return value
}

/** The bytes that a function of varint.ts writes for a value; it must leave those around them alone. */
function put(write: typeof putVarlong, value: number): Buffer {
  const buffer = Buffer.alloc(16, 0xaa)
  const end = write(buffer, 1, value)
  const around = [...buffer.subarray(0, 1), ...buffer.subarray(end)]
  expect(around.every((byte) => byte === 0xaa)).toBe(true)
  return buffer.subarray(1, end)
}

function problemOf(bytes: Buffer, read: (reader: ByteReader) => unknown): string | undefined {
  const reader = new ByteReader(bytes)
  read(reader)
  return reader.problem()
}

describe('fixed width', () => {
  it.each([0, 1, -1, 127, -128])('int8 %i', (value) => {
    const bytes = written((writer) => writer.writeInt8(value))
    expect(bytes.readInt8()).toBe(value)
    expect(readAll(bytes, (reader) => reader.readInt8())).toBe(value)
  })

  it.each([0, 1, -1, 255, 256, -256, 32767, -32768])('int16 %i', (value) => {
    const bytes = written((writer) => writer.writeInt16(value))
    expect(bytes.readInt16BE()).toBe(value)
    expect(readAll(bytes, (reader) => reader.readInt16())).toBe(value)
  })

  it.each([0, 1, -1, 65535, 65536, 2 ** 31 - 1, -(2 ** 31)])('int32 %i', (value) => {
    const bytes = written((writer) => writer.writeInt32(value))
    expect(bytes.readInt32BE()).toBe(value)
    expect(readAll(bytes, (reader) => reader.readInt32())).toBe(value)
  })

  it('uint32', () => {
    expect(readAll(Buffer.from('ffffffff', 'hex'), (reader) => reader.readUint32())).toBe(2 ** 32 - 1)
    expect(readAll(Buffer.from('80000000', 'hex'), (reader) => reader.readUint32())).toBe(2 ** 31)
  })

  const around = [0, 2 ** 31, 2 ** 32, 2 ** 33, 2 ** 52, 1_700_000_000_000].flatMap((value) => [
    value - 1,
    value,
    value + 1,
  ])
  const int64s = [...around, ...around.map((value) => -value), Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]
  it.each(int64s)('int64 %i', (value) => {
    const bytes = written((writer) => writer.writeInt64(value))
    expect(bytes.readBigInt64BE()).toBe(BigInt(value))
    expect(readAll(bytes, (reader) => reader.readInt64()) + 0).toBe(value + 0)
  })

  it('int64 beyond 53 bits is rounded', () => {
    const bytes = written((writer) => writer.writeBigInt64(2n ** 62n + 1n))
    expect(readAll(bytes, (reader) => reader.readInt64())).toBe(2 ** 62)
  })

  it.each([0n, -1n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)])('int64 %i as a bigint', (value) => {
    const bytes = written((writer) => writer.writeBigInt64(value))
    expect(bytes.readBigInt64BE()).toBe(value)
    expect(readAll(bytes, (reader) => reader.readBigInt64())).toBe(value)
  })

  it('a boolean is true for any byte but 0', () => {
    expect(written((writer) => writer.writeBoolean(true))).toEqual(Buffer.from([1]))
    expect([0, 1, 255].map((byte) => readAll(Buffer.from([byte]), (reader) => reader.readBoolean()))).toEqual([
      false,
      true,
      true,
    ])
  })

  it('of too few bytes turns the reader invalid and reads 0', () => {
    const reader = new ByteReader(Buffer.from([1, 2, 3]))
    expect(reader.readInt32()).toBe(0)
    expect(reader.readInt8()).toBe(0)
    expect(reader.readBigInt64()).toBe(0n)
    expect(reader.readInt64()).toBe(0)
    expect(reader.invalid).toBe(true)
    expect(reader.problem()).toContain('4 bytes wanted, 3 left')
  })
})

describe('varints', () => {
  it.each([
    [0, '00'],
    [1, '01'],
    [0x7f, '7f'],
    [0x80, '8001'],
    [0x3fff, 'ff7f'],
    [0x4000, '808001'],
    [0x1fffff, 'ffff7f'],
    [0x200000, '80808001'],
    [0xfffffff, 'ffffff7f'],
    [0x10000000, '8080808001'],
    [0x7fffffff, 'ffffffff07'],
    [0xffffffff, 'ffffffff0f'],
  ])('unsigned %i is %s', (value, hex) => {
    const bytes = written((writer) => writer.writeUnsignedVarint(value))
    expect(bytes.toString('hex')).toBe(hex)
    expect(sizeOfUnsignedVarint(value)).toBe(bytes.length)
    expect(readAll(bytes, (reader) => reader.readUnsignedVarint())).toBe(value)
  })

  it.each([
    [0, '00'],
    [-1, '01'],
    [1, '02'],
    [63, '7e'],
    [-64, '7f'],
    [64, '8001'],
    [-65, '8101'],
    [8191, 'fe7f'],
    [-8192, 'ff7f'],
    [2 ** 31 - 1, 'feffffff0f'],
    [-(2 ** 31), 'ffffffff0f'],
  ])('signed %i is %s, in 32 and in 64 bits', (value, hex) => {
    const bytes = put(putVarint, value)
    expect(bytes.toString('hex')).toBe(hex)
    expect(sizeOfVarint(value)).toBe(bytes.length)
    expect(sizeOfVarlong(value)).toBe(bytes.length)
    expect(put(putVarlong, value)).toEqual(bytes)
    expect(readAll(bytes, (reader) => reader.readVarint())).toBe(value)
    expect(readAll(bytes, (reader) => reader.readVarlong())).toBe(value)
  })

  it.each([
    [2 ** 31, '8080808010'],
    [-(2 ** 31) - 1, '8180808010'],
    [2 ** 34 - 1, 'feffffff7f'],
    [2 ** 34, '808080808001'],
    [-(2 ** 34), 'ffffffff7f'],
    [2 ** 53 - 1, 'feffffffffffff1f'],
    [-(2 ** 53) + 1, 'fdffffffffffff1f'],
  ])('signed %i of more than 32 bits is %s', (value, hex) => {
    const bytes = put(putVarlong, value)
    expect(bytes.toString('hex')).toBe(hex)
    expect(sizeOfVarlong(value)).toBe(bytes.length)
    expect(readAll(bytes, (reader) => reader.readVarlong())).toBe(value)
  })

  it.each([
    [0, 1],
    [0x7f, 1],
    [0xffffffff, 5],
  ])('unsigned %i takes no more room than it needs', (value, size) => {
    const writer = new ByteWriter(size)
    const { buffer } = writer
    writer.writeUnsignedVarint(value)
    expect(writer.buffer).toBe(buffer)
    expect(writer.position).toBe(buffer.length)
  })

  it('reads the ends of 64 bits, rounded', () => {
    expect(readAll(Buffer.from('feffffffffffffffff01', 'hex'), (reader) => reader.readVarlong())).toBe(2 ** 63)
    expect(readAll(Buffer.from('ffffffffffffffffff01', 'hex'), (reader) => reader.readVarlong())).toBe(-(2 ** 63))
  })

  it('refuses more than 32 bits unsigned', () => {
    expect(problemOf(Buffer.from('ffffffff1f', 'hex'), (reader) => reader.readUnsignedVarint())).toContain('32 bits')
    expect(problemOf(Buffer.from('808080808000', 'hex'), (reader) => reader.readUnsignedVarint())).toContain('32 bits')
  })

  it('refuses more than ten bytes', () => {
    expect(problemOf(Buffer.alloc(11, 0x80), (reader) => reader.readVarlong())).toContain('64 bits')
  })

  it.each(['', '80', 'ffff'])('refuses an end in the middle: "%s"', (hex) => {
    expect(problemOf(Buffer.from(hex, 'hex'), (reader) => reader.readUnsignedVarint())).toBeDefined()
    expect(problemOf(Buffer.from(hex, 'hex'), (reader) => reader.readVarlong())).toBeDefined()
  })
})
