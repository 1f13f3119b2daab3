import { isDeepStrictEqual } from 'node:util'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteReader } from '../../src/protocol/byte-reader.js'
import { ByteWriter } from '../../src/protocol/byte-writer.js'
import { decodeBatches } from '../../src/protocol/records/decode.js'
import { RecordBatchBuilder, UNPOOLED } from '../../src/protocol/records/record-batch.js'
import { RecordCursor } from '../../src/protocol/records/record-cursor.js'
import { sizeOfData } from '../../src/protocol/records/record.js'
import { putVarint, putVarlong, sizeOfUnsignedVarint, sizeOfVarint, sizeOfVarlong } from '../../src/protocol/varint.js'
import {
  build,
  compressedMessageSet,
  compressedRecordBatch,
  decodeOrReject,
  expected,
  fakeCodecs,
  flip,
  messageSet,
  outgoing,
  recordBatch,
  recordBytes,
} from '../unit/protocol/records/support.js'

const text = fc.string({ unit: 'binary', maxLength: 80 })
// Halves of a surrogate pair alone have no UTF-8; they go out as U+FFFD, like everywhere else in Node.
const brokenText = fc
  .array(fc.integer({ min: 0xd700, max: 0xe000 }), { maxLength: 10 })
  .map((units) => String.fromCharCode(...units))
const data = fc.oneof(fc.constant(null), text, brokenText, fc.uint8Array({ maxLength: 300 }))
const headers = fc.option(fc.array(fc.tuple(fc.oneof(text, fc.constantFrom('a', 'trace')), data), { maxLength: 6 }))
const timestamp = fc.oneof(
  fc.integer({ min: 1_600_000_000_000, max: 1_600_000_100_000 }),
  fc.constantFrom(-1, 0, 1, 2 ** 31, -(2 ** 31) - 1, 2 ** 52 - 1, -(2 ** 52)),
  fc.integer({ min: -(2 ** 52), max: 2 ** 52 - 1 }),
)
const record = fc.record({ key: data, value: data, headers, timestamp }).map(outgoing)
const records = fc.oneof(
  fc.array(record, { minLength: 1, maxLength: 30 }),
  // Many, so that offset deltas and the count of records need several bytes.
  fc
    .tuple(fc.integer({ min: 60, max: 500 }), fc.array(record, { minLength: 1, maxLength: 5 }))
    .map(([count, some]) => Array.from({ length: count }, (_, i) => some[i % some.length] ?? outgoing({}))),
)
const magic = fc.constantFrom(0 as const, 1 as const)
const codec = fc.constantFrom(
  { id: 7, compress: flip },
  { id: 1, compress: (bytes: Uint8Array) => gzipSync(bytes, { level: 1 }) },
)
const producer = fc.record({
  producerId: fc.bigInt({ min: -1n, max: 2n ** 63n - 1n }),
  producerEpoch: fc.integer({ min: -1, max: 2 ** 15 - 1 }),
  baseSequence: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
  transactional: fc.boolean(),
})

/** Only what differs is worth the slow comparison that shows it. */
function expectSame(actual: unknown, wanted: unknown): void {
  if (!isDeepStrictEqual(actual, wanted)) expect(actual).toEqual(wanted)
}

describe('whatever is written is read back', () => {
  it('as a record batch', () => {
    fc.assert(
      fc.property(records, producer, (written, by) => {
        const [decoded, ...others] = decodeBatches(recordBatch(written, by))
        expect(others).toEqual([])
        expect(decoded).toMatchObject({
          ...by,
          lastOffset: BigInt(written.length - 1),
          maxTimestamp: Math.max(...written.map((one) => one.timestamp)),
        })
        expectSame(
          decoded?.records,
          written.map((one, i) => expected(one, BigInt(i), 2)),
        )
      }),
    )
  })

  it('as a compressed record batch', () => {
    fc.assert(
      fc.property(records, producer, codec, (written, by, { id, compress }) => {
        const bytes = compressedRecordBatch(written, { codec: id, bytes: compress(recordBytes(written)) }, by)
        const [decoded, ...others] = decodeBatches(bytes, { decompress: fakeCodecs })
        expect(others).toEqual([])
        expect(decoded).toMatchObject({ ...by, codec: id, lastOffset: BigInt(written.length - 1) })
        expectSame(
          decoded?.records,
          written.map((one, i) => expected(one, BigInt(i), 2)),
        )
      }),
    )
  })

  it('as a message set', () => {
    fc.assert(
      fc.property(records, magic, (written, format) => {
        const decoded = decodeBatches(messageSet(written, format))
        expectSame(
          decoded.flatMap((entry) => entry.records),
          written.map((one, i) => expected(one, BigInt(i), format)),
        )
      }),
    )
  })

  it('as a compressed message set, at whichever offset a broker puts it', () => {
    fc.assert(
      fc.property(
        records,
        magic,
        codec,
        fc.bigInt({ min: 1n, max: 2n ** 62n }),
        (written, format, { id, compress }, offset) => {
          const bytes = compressedMessageSet(written, format, {
            codec: id,
            bytes: compress(messageSet(written, format)),
          })
          const last = BigInt(written.length - 1)
          const moved = format === 1 ? offset : 0n
          bytes.writeBigInt64BE(last + moved)
          const [decoded, ...others] = decodeBatches(bytes, { decompress: fakeCodecs })
          expect(others).toEqual([])
          expect(decoded).toMatchObject({ codec: id, lastOffset: last + moved })
          expectSame(
            decoded?.records,
            written.map((one, i) => expected(one, moved + BigInt(i), format)),
          )
        },
      ),
    )
  })

  it('by its place, without being decoded', () => {
    fc.assert(
      fc.property(records, (written) => {
        const { recordBytes: bytes, baseTimestamp, dataBytes } = build(written)
        const cursor = new RecordCursor(bytes, 0, bytes.length)
        const sizes: number[] = []
        const seen: unknown[] = []
        while (cursor.next()) {
          const { keySize, valueSize, keyAt, valueAt, hasHeaders, timestampDelta } = cursor
          seen.push([
            keySize < 0 ? null : bytes.toString('hex', keyAt, keyAt + keySize),
            valueSize < 0 ? null : bytes.toString('hex', valueAt, valueAt + valueSize),
            hasHeaders,
            baseTimestamp + timestampDelta,
          ])
          sizes.push(cursor.dataBytes)
        }
        const hex = (data: Uint8Array | string | null) => data && Buffer.from(data as string).toString('hex')
        expectSame(
          seen,
          written.map(({ key, value, headers, timestamp }) => [
            key === '' ? '' : hex(key),
            value === '' ? '' : hex(value),
            headers !== null,
            timestamp,
          ]),
        )
        expectSame(
          sizes,
          written.map(({ key, value, headers }) =>
            [key, value, ...(headers ?? [])].reduce<number>((sum, data) => sum + Math.max(sizeOfData(data), 0), 0),
          ),
        )
        expect(dataBytes).toBe(sizes.reduce((sum, size) => sum + size))
      }),
    )
  })

  it('from a batch that took some of them over from another', () => {
    fc.assert(
      fc.property(records, fc.infiniteStream(fc.boolean()), (written, choices) => {
        const kept = written.filter(() => choices.next().value)
        const from = build(written)
        const bytes = from.recordBytes
        const cursor = new RecordCursor(bytes, 0, bytes.length)
        const isKept = new Set(kept.map((one) => written.indexOf(one)))
        const thinned = new RecordBatchBuilder(UNPOOLED)
        const expectedRecords = written.filter((_, i) => isKept.has(i))
        while (cursor.next())
          if (isKept.has(cursor.index))
            thinned.appendEncoded(
              from.baseTimestamp + cursor.timestampDelta,
              bytes,
              cursor.dataAt,
              cursor.end,
              cursor.dataBytes,
            )
        if (expectedRecords.length === 0) return
        expect(thinned.seal().equals(recordBatch(expectedRecords))).toBe(true)
        expect(thinned.dataBytes).toBe(build(expectedRecords).dataBytes)
      }),
    )
  })
})

describe('corrupt bytes give the one error, or what was not covered', () => {
  const formats = fc
    .tuple(records, fc.constantFrom(0 as const, 1 as const, 2 as const))
    .map(([written, format]) => (format === 2 ? recordBatch(written) : messageSet(written, format)))

  it('when a byte is changed or the end is missing', () => {
    fc.assert(
      fc.property(formats, fc.nat(), fc.integer({ min: 1, max: 255 }), fc.nat(), (bytes, at, bits, length) => {
        const changed = Buffer.from(bytes)
        changed[at % bytes.length] = (changed[at % bytes.length] as number) ^ bits
        decodeOrReject(changed, fakeCodecs)
        decodeOrReject(bytes.subarray(0, length % bytes.length), fakeCodecs)
      }),
      { numRuns: 500 },
    )
  })

  it('when they are anything at all', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(0, 1, 2), (bytes, format) => {
        const buffer = Buffer.from(bytes)
        if (buffer.length > 16) {
          buffer[16] = format
          buffer.writeInt32BE(buffer.length - 12, 8)
        }
        decodeOrReject(buffer, fakeCodecs)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('varints', () => {
  const int32 = fc.oneof(
    fc.integer(),
    fc.nat(30).map((bit) => 2 ** bit),
    fc.nat(31).map((bit) => -(2 ** bit)),
    fc.nat(30).map((bit) => 2 ** bit - 1),
  )
  const safe = fc.oneof(
    fc.maxSafeInteger(),
    int32,
    fc.nat(52).chain((bit) => fc.constantFrom(2 ** bit, 2 ** bit - 1, -(2 ** bit), -(2 ** bit) - 1)),
  )

  it('are read back, and as long as announced', () => {
    fc.assert(
      fc.property(int32, safe, (small, wide) => {
        const writer = new ByteWriter(1)
        writer.writeUnsignedVarint(small)
        expect(writer.position).toBe(sizeOfUnsignedVarint(small))
        const signed = Buffer.alloc(20)
        const smallEnd = putVarint(signed, 0, small)
        expect(smallEnd).toBe(sizeOfVarint(small))
        const end = putVarlong(signed, smallEnd, wide)
        expect(end).toBe(smallEnd + sizeOfVarlong(wide))
        const reader = new ByteReader(Buffer.concat([writer.bytes(), signed.subarray(0, end)]))
        expect([reader.readUnsignedVarint(), reader.readVarint(), reader.readVarlong()]).toEqual([
          small >>> 0,
          small,
          wide,
        ])
        expect(reader.problem()).toBeUndefined()
      }),
      { numRuns: 1000 },
    )
  })
})
