import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { CorruptRecordsError } from '../../../../src/errors.js'
import { crc32c } from '../../../../src/protocol/crc32c.js'
import { decodeBatches } from '../../../../src/protocol/records/decode.js'
import { BATCH_OVERHEAD, NO_ROOM } from '../../../../src/protocol/records/record-batch.js'
import { ChangedBytesError } from '../../../../src/protocol/records/record-writer.js'
import {
  build,
  compressedRecordBatch,
  decodeOrReject,
  expected,
  fakeCodecs,
  flip,
  outgoing,
  recordBatch,
  recordBytes as bytesOf,
  TELLING_BYTES,
} from './support.js'

const RECORDS = [
  outgoing({ key: 'k', value: 'grüße 雪 🙂', timestamp: 1_700_000_000_000 }),
  outgoing({ key: Buffer.alloc(0), value: null, timestamp: 1_600_000_000_000 }),
  outgoing({
    key: null,
    value: Buffer.from([0, 255]),
    timestamp: 1_700_000_000_001,
    headers: [
      ['a', 'ß'],
      ['a', null],
      ['雪', Buffer.alloc(70, 1)],
      ['', ''],
    ],
  }),
]

function batch(records = RECORDS): Buffer {
  return recordBatch(records)
}

function recordBytes(): Buffer {
  return bytesOf(RECORDS)
}

/** Changes a batch and makes its checksum right again, as a hostile sender would. */
function forge(bytes: Buffer, change: (bytes: Buffer) => void): Buffer {
  const forged = Buffer.from(bytes)
  change(forged)
  forged.writeUInt32BE(crc32c(forged, 21), 17)
  return forged
}

/** A batch whose records are these bytes, with a right checksum. */
function batchOf(records: readonly number[], count: number): Buffer {
  const bytes = Buffer.concat([batch([outgoing({})]).subarray(0, BATCH_OVERHEAD), Buffer.from(records)])
  return forge(bytes, (forged) => {
    forged.writeInt32BE(bytes.length - 12, 8)
    forged.writeInt32BE(count, 57)
  })
}

describe('recordBatch', () => {
  it('is read back as it was written', () => {
    const [decoded, ...others] = decodeBatches(batch())
    expect(others).toEqual([])
    expect(decoded?.records).toEqual(RECORDS.map((record, i) => expected(record, BigInt(i), 2)))
    expect(decoded).toMatchObject({
      magic: 2,
      baseOffset: 0n,
      lastOffset: 2n,
      codec: 0,
      logAppendTime: false,
      transactional: false,
      control: false,
      producerId: -1n,
      producerEpoch: -1,
      baseSequence: -1,
      leaderEpoch: -1,
      baseTimestamp: 1_700_000_000_000,
      maxTimestamp: 1_700_000_000_001,
      start: 0,
      end: batch().length,
    })
  })

  it('is read back whatever the sizes of its records take before them, and were likely to', () => {
    // One, two and three bytes. What is not ASCII is longer than it was taken for, and headers have bytes of their own.
    const sizes = [0, 40, 45, 46, 47, 48, 49, 57, 58, 60, 8_000, 8_090, 8_099, 8_100, 8_180, 8_190, 8_200]
    const records = sizes.flatMap((size) =>
      ['x', 'é', '雪'].map((letter) => outgoing({ key: 'k', value: letter.repeat(size) })),
    )
    const manyHeaders = outgoing({ value: '', headers: Array.from({ length: 45 }, () => ['h', null] as const) })
    const all = [...records, manyHeaders, outgoing({ value: 'last' })]
    const [decoded] = decodeBatches(batch(all))
    expect(decoded?.records).toEqual(all.map((record, i) => expected(record, BigInt(i), 2)))
  })

  it('carries who produced it', () => {
    // No byte is that of another place, and the highest bit of each half is set.
    const producerId = 0x7edcba98_96543210n
    const producer = { producerId, producerEpoch: 0x7ffe, baseSequence: 2 ** 31 - 1, transactional: true }
    const [decoded] = decodeBatches(recordBatch(RECORDS, producer))
    expect(decoded).toMatchObject(producer)
  })

  it('has the newest timestamp, wherever it stands', () => {
    for (const timestamps of [
      [5, 9, 7],
      [9, 5, 7],
      [-3, -1, -2],
      [-1, -3, -2],
    ]) {
      const [decoded] = decodeBatches(batch(timestamps.map((timestamp) => outgoing({ timestamp }))))
      expect(decoded?.maxTimestamp).toBe(Math.max(...timestamps))
      expect(decoded?.records.map((record) => record.timestamp)).toEqual(timestamps)
    }
  })

  it('keeps timestamps that are as far apart as 53 bits reach', () => {
    const wide = [0, 2 ** 53 - 1, 2 ** 31, 2 ** 32, 2 ** 40 + 1, 63, 64, -(2 ** 53) + 1, -64, -65, -(2 ** 31) - 1]
    const records = wide.map((timestamp) => outgoing({ timestamp }))
    expect(decodeBatches(batch(records))[0]?.records.map((record) => record.timestamp)).toEqual(wide)
  })

  it('takes no record beyond its limit but the first, and is as it was after one that it did not take', () => {
    const whole = build(RECORDS)
    const builder = build(RECORDS.slice(0, 2))
    const before = Buffer.from(builder.seal())
    const [, , third] = RECORDS as [unknown, unknown, (typeof RECORDS)[number]]
    const append = (limit: number, to = builder) =>
      to.append(third.timestamp, third.key, third.value, third.headers, 76, 300, limit)
    expect(append(whole.byteLength - 1)).toBe(NO_ROOM)
    expect(Buffer.from(builder.seal()).equals(before)).toBe(true)
    expect(append(whole.byteLength)).toBeGreaterThan(0)
    expect(Buffer.from(builder.seal()).equals(whole.seal())).toBe(true)
    expect(append(1, build([]))).toBeGreaterThan(0)
  })

  it('takes no record whose bytes are fewer or more than they were said to be, and is as it was then', () => {
    const builder = build(RECORDS)
    const before = Buffer.from(builder.seal())
    const bytes = Buffer.alloc(50, 1)
    for (const said of [49, 51, 0]) {
      expect(() => builder.append(0, null, bytes, null, said, said)).toThrow(ChangedBytesError)
      expect(() => builder.append(0, bytes, '', null, said, said)).toThrow(ChangedBytesError)
    }
    expect(() => builder.append(0, null, Buffer.alloc(100_000), null, 7, 7)).toThrow(ChangedBytesError)
    expect(Buffer.from(builder.seal()).equals(before)).toBe(true)
  })

  it('counts the bytes of keys, values and headers, whatever was guessed of them', () => {
    expect(build(RECORDS).dataBytes).toBe(1 + 16 + 0 + 2 + (1 + 2) + 1 + (3 + 70) + 0)
  })

  it.each([
    [7, flip],
    [1, gzipSync],
  ] as const)('is read back compressed with codec %i', (codec, compress) => {
    const bytes = compressedRecordBatch(RECORDS, { codec, bytes: compress(recordBytes()) })
    const [decoded] = decodeBatches(bytes, { decompress: fakeCodecs })
    expect(decoded).toMatchObject({ codec, lastOffset: 2n, maxTimestamp: 1_700_000_000_001 })
    expect(decoded?.records).toEqual(RECORDS.map((record, i) => expected(record, BigInt(i), 2)))
    expect(() => decodeBatches(bytes)).toThrow(CorruptRecordsError)
  })

  it('tells the codec which format it is for', () => {
    const bytes = compressedRecordBatch(RECORDS, { codec: 3, bytes: recordBytes() })
    const calls: unknown[] = []
    decodeBatches(bytes, { decompress: (codec, block, magic) => (calls.push([codec, magic]), Buffer.from(block)) })
    expect(calls).toEqual([[3, 2]])
  })
})

describe('decodeBatches of record batches', () => {
  it('reads many, and knows where each stands', () => {
    const one = batch()
    const decoded = decodeBatches(Buffer.concat([one, one, one]))
    expect(decoded.map(({ start, end }) => [start, end])).toEqual(
      [0, 1, 2].map((i) => [i * one.length, (i + 1) * one.length]),
    )
  })

  it('adds the base offset that a broker has set', () => {
    const bytes = batch()
    bytes.writeBigInt64BE(1n << 40n)
    expect(decodeBatches(bytes)[0]?.records.map((record) => record.offset)).toEqual(
      [0n, 1n, 2n].map((i) => (1n << 40n) + i),
    )
  })

  it("gives every record the broker's time where the batch has it", () => {
    const bytes = forge(batch(), (forged) => {
      forged.writeInt16BE(0x08, 21)
      forged.writeBigInt64BE(1234n, 35)
    })
    expect(decodeBatches(bytes)[0]).toMatchObject({ logAppendTime: true, maxTimestamp: 1234 })
    expect(decodeBatches(bytes)[0]?.records.map((record) => record.timestamp)).toEqual([1234, 1234, 1234])
  })

  it('leaves out a tail that is cut off only where asked to', () => {
    const one = batch()
    const bytes = Buffer.concat([one, one])
    for (let length = one.length; length < bytes.length; length++) {
      expect(decodeBatches(bytes.subarray(0, length), { partialTail: true })).toHaveLength(1)
      if (length > one.length) expect(() => decodeBatches(bytes.subarray(0, length))).toThrow(CorruptRecordsError)
    }
  })

  it.each([-1, -(2 ** 31), 2 ** 31 - 1, 2 ** 30, 4, 2])('refuses a count of %i where there are 3 records', (count) => {
    const bytes = forge(batch(), (forged) => forged.writeInt32BE(count, 57))
    expect(() => decodeBatches(bytes)).toThrow(CorruptRecordsError)
  })

  it('reads a batch without records, which compaction leaves behind', () => {
    expect(decodeBatches(batchOf([], 0))[0]?.records).toEqual([])
    expect(() => decodeBatches(batchOf([], -1))).toThrow(CorruptRecordsError)
  })

  it.each([
    ['a key of 2 GiB', [0x10, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0x0f]],
    ['a key of -2 bytes', [0x0c, 0, 0, 0, 0x03, 0x01, 0x00]],
    ['2 billion headers', [0x14, 0, 0, 0, 0x01, 0x01, 0xfe, 0xff, 0xff, 0xff, 0x0f]],
    ['-1 headers', [0x0c, 0, 0, 0, 0x01, 0x01, 0x01]],
    ['a header without a key', [0x10, 0, 0, 0, 0x01, 0x01, 0x02, 0x01, 0x01]],
    ['a size of one too many', [0x0e, 0, 0, 0, 0x01, 0x01, 0x00]],
    ['a size of one too few', [0x0a, 0, 0, 0, 0x01, 0x01, 0x00]],
    ['a negative size', [0x01, 0, 0, 0, 0x01, 0x01, 0x00]],
    ['a byte after the last record', [0x0c, 0, 0, 0, 0x01, 0x01, 0x00, 0x00]],
    [
      'a timestamp of 11 bytes',
      [0x20, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0, 0x01, 0x01, 0x00],
    ],
    ['an offset of 6 bytes', [0x16, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x01, 0x01, 0x00]],
    ['nothing', []],
  ])('refuses a record with %s', (_what, bytes) => {
    expect(decodeBatches(batchOf([0x0c, 0, 0, 0, 0x01, 0x01, 0x00], 1))[0]?.records).toHaveLength(1)
    expect(() => decodeBatches(batchOf(bytes, 1))).toThrow(CorruptRecordsError)
  })

  it.each([-1, 0, 4, 5, 48, 2 ** 31 - 1, -(2 ** 31)])('refuses a batch that says it is %i bytes long', (size) => {
    const bytes = batch()
    bytes.writeInt32BE(size, 8)
    expect(() => decodeBatches(bytes)).toThrow(CorruptRecordsError)
  })

  it.each([3, 4, 127, 128, 255])('refuses magic %i', (magic) => {
    const bytes = batch()
    bytes[16] = magic
    expect(() => decodeBatches(bytes)).toThrow(CorruptRecordsError)
  })

  it('refuses every truncation', () => {
    const bytes = batch()
    for (let length = 1; length < bytes.length; length++)
      expect(decodeOrReject(bytes.subarray(0, length))).toBeUndefined()
    expect(decodeBatches(bytes.subarray(0, 0))).toEqual([])
  })

  it('refuses every changed byte that the checksum covers, and survives the others', () => {
    const bytes = batch()
    for (let at = 0; at < bytes.length; at++) {
      for (const bits of [0x01, 0x02, 0x80, 0xff]) {
        const changed = Buffer.from(bytes)
        changed[at] = (changed[at] as number) ^ bits
        const decoded = decodeOrReject(changed)
        // Base offset and leader epoch are set by brokers, after the checksum was made.
        const covered = at >= 16 || (at >= 8 && at < 12)
        expect(decoded === undefined, `byte ${at}`).toBe(covered)
      }
    }
  })

  it('survives every changed byte under a right checksum', () => {
    for (const bytes of [batch(), compressedRecordBatch(RECORDS, { codec: 1, bytes: gzipSync(recordBytes()) })]) {
      for (let at = 21; at < bytes.length; at++) {
        for (const value of TELLING_BYTES) {
          decodeOrReject(
            forge(bytes, (forged) => {
              forged[at] = value
            }),
            fakeCodecs,
          )
        }
      }
    }
  })
})
