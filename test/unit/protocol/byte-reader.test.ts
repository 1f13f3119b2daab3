import { describe, expect, it } from 'vitest'
import { ByteReader } from '../../../src/protocol/byte-reader.js'
import { ByteWriter, ZERO_UUID, type TaggedField } from '../../../src/protocol/byte-writer.js'

function written(write: (writer: ByteWriter) => void): Buffer {
  const writer = new ByteWriter(1)
  write(writer)
  return writer.bytes()
}

function reading(hex: string): ByteReader {
  return new ByteReader(Buffer.from(hex, 'hex'))
}

describe.each([false, true])('strings and bytes, compact: %s', (flexible) => {
  it.each(['', 'a', 'täglich', '💾', 'x'.repeat(127), 'x'.repeat(128), 'x'.repeat(32767)])('the string %#', (text) => {
    const reader = new ByteReader(written((writer) => writer.writeString(text, flexible)))
    expect(reader.readString(flexible)).toBe(text)
    expect(reader.problem()).toBeUndefined()
  })

  it('a string longer than Kafka allows is not written', () => {
    expect(() => written((writer) => writer.writeString('x'.repeat(32768), flexible))).toThrow(RangeError)
  })

  it('a null string', () => {
    const bytes = written((writer) => writer.writeString(null, flexible))
    expect(bytes.toString('hex')).toBe(flexible ? '00' : 'ffff')
    expect(new ByteReader(bytes).readNullableString(flexible)).toBeNull()
    const strict = new ByteReader(bytes)
    expect(strict.readString(flexible)).toBe('')
    expect(strict.problem()).toContain('null where a string is required')
  })

  it.each([0, 1, 127, 128, 20_000])('%i bytes', (length) => {
    const content = Buffer.alloc(length, 9)
    const bytes = written((writer) => writer.writeBytes(content, flexible))
    const reader = new ByteReader(bytes)
    expect(reader.readBytes(flexible)).toEqual(content)
    expect(reader.problem()).toBeUndefined()
  })

  it('bytes are a view', () => {
    const bytes = written((writer) => writer.writeBytes(Buffer.from('abc'), flexible))
    const view = new ByteReader(bytes).readBytes(flexible)
    expect(view.buffer).toBe(bytes.buffer)
  })

  it('null bytes', () => {
    const bytes = written((writer) => writer.writeBytes(null, flexible))
    expect(new ByteReader(bytes).readNullableBytes(flexible)).toBeNull()
    const strict = new ByteReader(bytes)
    expect(strict.readBytes(flexible)).toHaveLength(0)
    expect(strict.problem()).toContain('null where bytes are required')
  })

  it('arrays and null arrays', () => {
    const bytes = written((writer) => {
      writer.writeArray([1, 2, 3], flexible, (item) => writer.writeInt8(item))
      writer.writeArray(null, flexible, () => undefined)
      writer.writeArray([], flexible, () => undefined)
    })
    const reader = new ByteReader(bytes)
    expect(reader.readArray(flexible, () => reader.readInt8())).toEqual([1, 2, 3])
    expect(reader.readNullableArray(flexible, () => reader.readInt8())).toBeNull()
    expect(reader.readNullableArray(flexible, () => reader.readInt8())).toEqual([])
    expect(reader.problem()).toBeUndefined()
  })

  it('a null array where one is required', () => {
    const reader = new ByteReader(written((writer) => writer.writeArray(null, flexible, () => undefined)))
    expect(reader.readArray(flexible, () => reader.readInt8())).toEqual([])
    expect(reader.problem()).toContain('null where an array is required')
  })

  it.each(['a string', 'bytes', 'an array'])('%s longer than what is left is refused unread', (kind) => {
    const bytes = written((writer) => {
      if (kind === 'a string' && !flexible) writer.writeInt16(3)
      else writer.writeArrayLength(3, flexible)
      writer.writeRaw(Buffer.from([1, 2]))
    })
    const reader = new ByteReader(bytes)
    let elements = 0
    if (kind === 'a string') expect(reader.readNullableString(flexible)).toBe('')
    else if (kind === 'bytes') expect(reader.readNullableBytes(flexible)).toHaveLength(0)
    else expect(reader.readNullableArray(flexible, () => elements++)).toEqual([])
    expect(elements).toBe(0)
    expect(reader.invalid).toBe(true)
  })
})

describe('ByteReader', () => {
  it.each(['fffe', '8000'])('refuses the negative string length %s', (hex) => {
    const reader = reading(hex)
    expect(reader.readNullableString()).toBe('')
    expect(reader.problem()).toContain('a length of -')
  })

  it.each(['fffffffe', '80000000'])('refuses the negative length %s of bytes and arrays', (hex) => {
    const bytes = reading(hex)
    expect(bytes.readNullableBytes()).toHaveLength(0)
    expect(bytes.problem()).toContain('a length of -')
    const array = reading(hex)
    expect(array.readNullableArray(false, () => array.readInt8())).toEqual([])
    expect(array.problem()).toContain('a length of -')
  })

  it('refuses the largest counts without allocating for them', () => {
    for (const [hex, flexible] of [
      ['7fffffff00', false],
      ['ffffffff0f00', true],
    ] as const) {
      const reader = reading(hex)
      expect(reader.readArray(flexible, () => reader.readInt8())).toEqual([])
      expect(reader.problem()).toContain('an array of')
    }
  })

  it('stops an array at the element that does not fit', () => {
    const reader = reading('00000003' + '0001' + '00')
    let calls = 0
    expect(
      reader.readArray(false, () => {
        calls++
        return reader.readInt16()
      }),
    ).toEqual([])
    expect(calls).toBe(2)
  })

  it('says that bytes are left over', () => {
    const reader = reading('000102')
    reader.readInt8()
    expect(reader.invalid).toBe(false)
    expect(reader.problem()).toBe('2 bytes left over at byte 1')
  })

  it('keeps the first reason', () => {
    const reader = reading('00')
    reader.readInt8()
    reader.fail('first')
    reader.fail('second')
    reader.readInt32()
    expect(reader.problem()).toBe('first at byte 1')
  })

  it('reads a part of a buffer and nothing behind it', () => {
    const reader = new ByteReader(Buffer.from([1, 2, 3, 4]), 1, 3)
    expect(reader.remaining).toBe(2)
    expect(reader.readInt16()).toBe(0x0203)
    expect(reader.readInt8()).toBe(0)
    expect(reader.invalid).toBe(true)
  })

  it.each<[string, (reader: ByteReader) => unknown]>([
    ['a byte', (reader) => reader.readInt8()],
    ['an int16', (reader) => reader.readInt16()],
    ['an int32', (reader) => reader.readInt32()],
    ['an int64', (reader) => reader.readInt64()],
    ['a large int64', (reader) => reader.readBigInt64()],
    ['an unsigned varint', (reader) => reader.readUnsignedVarint()],
    ['a varint', (reader) => reader.readVarint()],
    ['a varlong', (reader) => reader.readVarlong()],
    ['bytes', (reader) => reader.readRaw(1)],
    ['a uuid', (reader) => reader.readUuid()],
    ['a string', (reader) => reader.readString()],
    ['a compact string', (reader) => reader.readString(true)],
    ['compact bytes', (reader) => reader.readBytes(true)],
    ['a compact array', (reader) => reader.readArray(true, () => reader.readInt8())],
    ['an array passed over', (reader) => reader.skipArray(true, 1)],
    ['tagged fields', (reader) => reader.readTaggedFields()],
  ])('%s: not read behind the end of its part', (_, read) => {
    // Each of them would be whole there.
    const reader = new ByteReader(Buffer.alloc(64, 1), 8, 8)
    read(reader)
    expect(reader.problem()).toMatch(/wanted, 0 left at byte 8$/)
  })

  it('starts behind the end: invalid at the first read', () => {
    const reader = new ByteReader(Buffer.alloc(2), 4)
    expect(reader.readInt8()).toBe(0)
    expect(reader.invalid).toBe(true)
  })

  it('refuses a negative raw length', () => {
    const reader = reading('0000')
    expect(reader.readRaw(-1)).toHaveLength(0)
    expect(reader.invalid).toBe(true)
  })

  it('copies a uuid, so that it does not hold on to the frame', () => {
    const bytes = Buffer.alloc(16, 5)
    const uuid = new ByteReader(bytes).readUuid()
    bytes.fill(0)
    expect(uuid).toEqual(Buffer.alloc(16, 5))
    expect(() => written((writer) => writer.writeUuid(Buffer.alloc(15)))).toThrow(RangeError)
    expect(written((writer) => writer.writeUuid(ZERO_UUID))).toEqual(Buffer.alloc(16))
  })

  it('replaces what is not UTF-8', () => {
    expect(reading('0002c328').readString()).toBe('\ufffd(')
  })
})

describe('tagged fields', () => {
  const int32 =
    (value: number) =>
    (field: ByteWriter): void =>
      field.writeInt32(value)

  function tags(...fields: TaggedField[]): Buffer {
    return written((writer) => writer.writeTaggedFields(fields))
  }

  it('are counted, tagged and sized', () => {
    expect(tags([0, int32(1)], [200, int32(2)]).toString('hex')).toBe(
      '02' + '0004' + '00000001' + 'c80104' + '00000002',
    )
    expect(written((writer) => writer.writeNoTaggedFields()).toString('hex')).toBe('00')
  })

  it('are read by tag, the unknown ones skipped', () => {
    const seen = new Map<number, number>()
    const reader = new ByteReader(tags([0, int32(1)], [1, int32(2)], [7, int32(3)]))
    reader.readTaggedFields((tag, field) => {
      if (tag !== 1) seen.set(tag, field.readInt32())
    })
    expect([...seen]).toEqual([
      [0, 1],
      [7, 3],
    ])
    expect(reader.problem()).toBeUndefined()
  })

  it('are skipped where none is known', () => {
    const reader = new ByteReader(tags([0, int32(1)], [3, () => undefined]))
    reader.readTaggedFields()
    expect(reader.problem()).toBeUndefined()
  })

  it.each([
    ['out of order', '02' + '0100' + '0000'],
    ['twice', '02' + '0100' + '0100'],
  ])('%s are refused', (_, hex) => {
    const reader = reading(hex)
    reader.readTaggedFields()
    expect(reader.problem()).toContain('tagged field')
  })

  it('are bounded by their size, whatever they hold', () => {
    const reader = reading('01' + '0002' + '0000' + '00000000')
    reader.readTaggedFields((_, field) => field.readInt32())
    expect(reader.problem()).toContain('tagged field 0: 4 bytes wanted, 2 left')
  })

  it('are read to their end if at all', () => {
    const reader = reading('01' + '0005' + '0000000000')
    reader.readTaggedFields((_, field) => field.readInt32())
    expect(reader.problem()).toContain('tagged field 0: 1 byte left over')
  })

  it('of a size beyond the end are refused', () => {
    const reader = reading('01' + '0005' + '0000')
    reader.readTaggedFields()
    expect(reader.problem()).toContain('5 bytes wanted, 2 left')
  })

  it('of a count beyond the end are refused', () => {
    const reader = reading('ffffffff0f' + '0000')
    reader.readTaggedFields()
    expect(reader.invalid).toBe(true)
  })
})
