import { createRequire } from 'node:module'
import { TOPIC, type Job } from '../job.js'

const { crc32c } = createRequire(import.meta.url)('@node-rs/crc32') as { crc32c: (bytes: Buffer) => number }

/** A whole Produce v8 request with one batch for one partition, written as directly as JavaScript can. */
export function encodeProduceRequest(
  values: readonly Buffer[],
  correlationId: number,
  partition: number,
  acks: Job['acks'],
): Buffer {
  let recordsSize = 0
  for (let i = 0; i < values.length; i++) {
    const { length } = values[i] as Buffer
    const body = 4 + sizeOfVarint(i) + sizeOfVarint(length) + length
    recordsSize += sizeOfVarint(body) + body
  }
  const batchSize = 61 + recordsSize
  const buffer = Buffer.allocUnsafe(100 + batchSize)
  let at = 4
  at = buffer.writeInt16BE(0, at)
  at = buffer.writeInt16BE(8, at)
  at = buffer.writeInt32BE(correlationId, at)
  at = buffer.writeInt16BE(1, at)
  at += buffer.write('m', at)
  at = buffer.writeInt16BE(-1, at)
  at = buffer.writeInt16BE(acks, at)
  at = buffer.writeInt32BE(30_000, at)
  at = buffer.writeInt32BE(1, at)
  at = buffer.writeInt16BE(TOPIC.length, at)
  at += buffer.write(TOPIC, at)
  at = buffer.writeInt32BE(1, at)
  at = buffer.writeInt32BE(partition, at)
  at = buffer.writeInt32BE(batchSize, at)
  at = buffer.writeBigInt64BE(0n, at)
  at = buffer.writeInt32BE(batchSize - 12, at)
  at = buffer.writeInt32BE(-1, at)
  at = buffer.writeInt8(2, at)
  const crcAt = at
  at = buffer.writeInt32BE(0, at)
  at = buffer.writeInt16BE(0, at)
  at = buffer.writeInt32BE(values.length - 1, at)
  const now = BigInt(Date.now())
  at = buffer.writeBigInt64BE(now, at)
  at = buffer.writeBigInt64BE(now, at)
  at = buffer.writeBigInt64BE(-1n, at)
  at = buffer.writeInt16BE(-1, at)
  at = buffer.writeInt32BE(-1, at)
  at = buffer.writeInt32BE(values.length, at)
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as Buffer
    at = writeVarint(buffer, at, 4 + sizeOfVarint(i) + sizeOfVarint(value.length) + value.length)
    buffer[at++] = 0
    buffer[at++] = 0
    at = writeVarint(buffer, at, i)
    buffer[at++] = 1
    at = writeVarint(buffer, at, value.length)
    buffer.set(value, at)
    at += value.length
    buffer[at++] = 0
  }
  buffer.writeUInt32BE(crc32c(buffer.subarray(crcAt + 4, at)), crcAt)
  buffer.writeInt32BE(at - 4, 0)
  return buffer.subarray(0, at)
}

function writeVarint(buffer: Buffer, start: number, value: number): number {
  let at = start
  let v = value * 2
  while (v > 0x7f) {
    buffer[at++] = (v & 0x7f) | 0x80
    v >>>= 7
  }
  buffer[at++] = v
  return at
}

/** Of a value that is not negative and below 2^27. */
function sizeOfVarint(value: number): number {
  const v = value * 2
  return v < 0x80 ? 1 : v < 0x4000 ? 2 : v < 0x200000 ? 3 : 4
}
