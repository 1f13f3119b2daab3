import { crc32, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { CorruptRecordsError } from '../../../../src/errors.js'
import { decodeBatches } from '../../../../src/protocol/records/decode.js'
import { sizeOfMessageSet, type MessageSetMagic } from '../../../../src/protocol/records/message-set.js'
import { sizeOfData } from '../../../../src/protocol/records/record.js'
import {
  compressedMessageSet,
  decodeOrReject,
  expected,
  fakeCodecs,
  flip,
  messageSet,
  outgoing,
  recordBatch,
  TELLING_BYTES,
} from './support.js'

const RECORDS = [
  outgoing({ key: 'k', value: 'grüße 雪 🙂', timestamp: 1_700_000_000_000 }),
  outgoing({ key: Buffer.alloc(0), value: null, timestamp: 1_700_000_000_009 }),
  outgoing({ key: null, value: Buffer.from([0, 255]), timestamp: -1 }),
]

function wrapped(
  magic: MessageSetMagic,
  codec: number,
  compress: (bytes: Buffer) => Uint8Array,
  records = RECORDS,
): Buffer {
  return compressedMessageSet(records, magic, { codec, bytes: compress(messageSet(records, magic)) })
}

/** Makes the checksum of the first entry right again. */
function reseal(bytes: Buffer): Buffer {
  bytes.writeUInt32BE(crc32(bytes.subarray(16, 12 + bytes.readInt32BE(8))), 12)
  return bytes
}

describe.each([0, 1] as const)('messageSet with magic %i', (magic) => {
  const set = messageSet(RECORDS, magic)
  const valueLengthAt = magic === 0 ? 22 : 30

  it('is read back as it was written', () => {
    const decoded = decodeBatches(set)
    expect(decoded.map((entry) => entry.records)).toEqual(
      RECORDS.map((record, i) => [expected(record, BigInt(i), magic)]),
    )
    expect(decoded.map(({ baseOffset, lastOffset }) => [baseOffset, lastOffset])).toEqual([
      [0n, 0n],
      [1n, 1n],
      [2n, 2n],
    ])
    expect(decoded[0]).toMatchObject({
      magic,
      codec: 0,
      logAppendTime: false,
      producerId: -1n,
      producerEpoch: -1,
      baseSequence: -1,
      leaderEpoch: -1,
    })
    expect(decoded.at(-1)?.end).toBe(set.length)
  })

  it('announces its size before it is written', () => {
    const bytes = RECORDS.reduce(
      (sum, { key, value }) => sum + Math.max(sizeOfData(key), 0) + Math.max(sizeOfData(value), 0),
      0,
    )
    expect(sizeOfMessageSet(RECORDS.length, bytes, magic)).toBe(set.length)
  })

  it.each([
    [7, flip],
    [1, gzipSync],
  ] as const)('is read back compressed with codec %i', (codec, compress) => {
    const bytes = wrapped(magic, codec, compress)
    const [decoded, ...others] = decodeBatches(bytes, { decompress: fakeCodecs })
    expect(others).toEqual([])
    expect(decoded).toMatchObject({
      magic,
      codec,
      baseOffset: 0n,
      lastOffset: 2n,
      maxTimestamp: magic === 0 ? -1 : 1_700_000_000_009,
    })
    expect(decoded?.records).toEqual(RECORDS.map((record, i) => expected(record, BigInt(i), magic)))
    expect(() => decodeBatches(bytes)).toThrow(CorruptRecordsError)
  })

  it('refuses what is compressed twice, empty, or of another magic inside', () => {
    const other = magic === 0 ? 1 : 0
    for (const inner of [wrapped(magic, 7, flip), Buffer.alloc(0), messageSet(RECORDS, other), recordBatch(RECORDS)]) {
      const bytes = compressedMessageSet(RECORDS, magic, { codec: 7, bytes: flip(inner) })
      expect(() => decodeBatches(bytes, { decompress: fakeCodecs })).toThrow(CorruptRecordsError)
    }
    const nullValue = reseal(Buffer.concat([messageSet([outgoing({})], magic)]))
    nullValue[17] = 7
    expect(() => decodeBatches(reseal(nullValue), { decompress: fakeCodecs })).toThrow(CorruptRecordsError)
  })

  it('refuses an inner set that is cut off anywhere', () => {
    const inner = messageSet(RECORDS, magic)
    const ends = decodeBatches(inner).map((entry) => entry.end)
    for (let length = 1; length < inner.length; length++) {
      const bytes = compressedMessageSet(RECORDS, magic, { codec: 7, bytes: flip(inner.subarray(0, length)) })
      expect(decodeOrReject(bytes, fakeCodecs) !== undefined).toBe(ends.includes(length))
    }
  })

  it.each([-2, -(2 ** 31), 2 ** 31 - 1, 1, 3])('refuses a value that says it is %i bytes long', (length) => {
    const bytes = messageSet([outgoing({ value: 'ab' })], magic)
    bytes.writeInt32BE(length, valueLengthAt)
    expect(() => decodeBatches(reseal(bytes))).toThrow(CorruptRecordsError)
  })

  it('refuses every truncation but between two entries', () => {
    const ends = decodeBatches(set).map((entry) => entry.end)
    for (let length = 1; length < set.length; length++) {
      expect(decodeOrReject(set.subarray(0, length)) !== undefined).toBe(ends.includes(length))
    }
  })

  it('refuses every changed byte but of the offset', () => {
    for (const bytes of [messageSet(RECORDS.slice(0, 1), magic), wrapped(magic, 1, gzipSync)]) {
      for (let at = 0; at < bytes.length; at++) {
        for (const bits of [0x01, 0x02, 0x80, 0xff]) {
          const changed = Buffer.from(bytes)
          changed[at] = (changed[at] as number) ^ bits
          const decoded = decodeOrReject(changed, fakeCodecs)
          if (at >= 8) expect(decoded, `byte ${at}`).toBeUndefined()
        }
      }
    }
  })

  it('survives every changed byte under a right checksum', () => {
    for (const bytes of [messageSet(RECORDS.slice(0, 1), magic), wrapped(magic, 1, gzipSync)]) {
      for (let at = 17; at < bytes.length; at++) {
        for (const value of TELLING_BYTES) {
          const changed = Buffer.from(bytes)
          changed[at] = value
          decodeOrReject(reseal(changed), fakeCodecs)
        }
      }
    }
  })
})

describe('offsets of a compressed message set', () => {
  it('count up to that of the wrapper with magic 1', () => {
    const bytes = wrapped(1, 7, flip)
    bytes.writeBigInt64BE(1_000_000_000_002n)
    const [decoded] = decodeBatches(bytes, { decompress: fakeCodecs })
    expect(decoded).toMatchObject({ baseOffset: 1_000_000_000_000n, lastOffset: 1_000_000_000_002n })
    expect(decoded?.records.map((record) => record.offset)).toEqual([
      1_000_000_000_000n,
      1_000_000_000_001n,
      1_000_000_000_002n,
    ])
  })

  it('count up to that of the wrapper where compaction took some out', () => {
    const inner = messageSet(RECORDS, 1).subarray(messageSet(RECORDS.slice(0, 1), 1).length)
    const bytes = compressedMessageSet(RECORDS, 1, { codec: 7, bytes: flip(inner) })
    bytes.writeBigInt64BE(52n)
    expect(decodeBatches(bytes, { decompress: fakeCodecs })[0]?.records.map((record) => record.offset)).toEqual([
      51n,
      52n,
    ])
  })

  it('are those inside with magic 0', () => {
    const bytes = wrapped(0, 7, flip)
    bytes.writeBigInt64BE(77n)
    expect(decodeBatches(bytes, { decompress: fakeCodecs })[0]?.records.map((record) => record.offset)).toEqual([
      0n,
      1n,
      2n,
    ])
  })

  it('are those inside where the wrapper has 0, as some clients write it', () => {
    const bytes = wrapped(1, 7, flip)
    bytes.writeBigInt64BE(0n)
    const [decoded] = decodeBatches(bytes, { decompress: fakeCodecs })
    expect(decoded?.records.map((record) => record.offset)).toEqual([0n, 1n, 2n])
  })

  it('are never below the first', () => {
    const bytes = wrapped(1, 7, flip)
    bytes.writeBigInt64BE(1n)
    expect(() => decodeBatches(bytes, { decompress: fakeCodecs })).toThrow(CorruptRecordsError)
  })
})

it("gives every message the broker's time where the wrapper has it", () => {
  const bytes = wrapped(1, 7, flip)
  bytes[17] = 7 | 0x08
  bytes.writeBigInt64BE(1234n, 18)
  const [decoded] = decodeBatches(reseal(bytes), { decompress: fakeCodecs })
  expect(decoded).toMatchObject({ logAppendTime: true, maxTimestamp: 1234 })
  expect(decoded?.records.map((record) => record.timestamp)).toEqual([1234, 1234, 1234])
})

it.each([3, 127, 128, 255])('refuses magic %i under a right checksum', (magic) => {
  const bytes = messageSet(RECORDS.slice(0, 1), 0)
  bytes[16] = magic
  expect(() => decodeBatches(reseal(bytes))).toThrow(`magic ${magic}`)
})

it('reads all three formats one after another', () => {
  const bytes = Buffer.concat([messageSet(RECORDS, 0), recordBatch(RECORDS), messageSet(RECORDS, 1)])
  expect(decodeBatches(bytes).map((entry) => entry.magic)).toEqual([0, 0, 0, 2, 1, 1, 1])
})
