import { createRequire } from 'node:module'
import { connect as connectTcp } from 'node:net'
import { TOPIC, type BenchClient } from './modes.js'

/**
 * The least that a Node producer can do, as a limit to compare with: one partition order, no errors, no retries, no
 * time-outs. What is given in one turn goes as one Produce v9 request of one batch for one partition, in turn.
 */
const { crc32c } = createRequire(import.meta.url)('@node-rs/crc32') as { crc32c: (bytes: Buffer) => number }
const PARTITIONS = 6
const MAX_BATCH = 10_000

interface Pending {
  readonly values: Buffer[]
  readonly resolvers: { resolve: (offset: number) => void; last: number }[]
}

export async function connect(bootstrap: string): Promise<BenchClient> {
  const [host, port] = (bootstrap.split(',')[0] ?? '').split(':')
  const socket = connectTcp({ host: host ?? '', port: Number(port), noDelay: true })
  await new Promise((resolve) => socket.once('connect', resolve))
  const inFlight: Pending[] = []
  let pending: Pending = { values: [], resolvers: [] }
  let scheduled = false
  let correlationId = 0
  let buffered = Buffer.alloc(0)

  socket.on('data', (chunk) => {
    buffered = buffered.length === 0 ? chunk : Buffer.concat([buffered, chunk])
    while (buffered.length >= 4 && buffered.length >= 4 + buffered.readInt32BE(0)) {
      buffered = buffered.subarray(4 + buffered.readInt32BE(0))
      const done = inFlight.shift()
      for (const { resolve, last } of done?.resolvers ?? []) resolve(last)
      if (pending.values.length > 0) schedule()
    }
  })

  const schedule = () => {
    if (scheduled || inFlight.length >= 5) return
    scheduled = true
    setImmediate(flush)
  }
  const flush = () => {
    scheduled = false
    if (pending.values.length === 0) return
    socket.write(encode(pending.values, correlationId++))
    inFlight.push(pending)
    pending = { values: [], resolvers: [] }
  }
  const add = (values: readonly Buffer[]) =>
    new Promise((resolve) => {
      for (const value of values) pending.values.push(value)
      pending.resolvers.push({ resolve, last: pending.values.length })
      if (pending.values.length >= MAX_BATCH) flush()
      else schedule()
    })
  return {
    sendBatch: add,
    sendOne: (value) =>
      new Promise((resolve) => {
        pending.values.push(value)
        pending.resolvers.push({ resolve, last: pending.values.length })
        schedule()
      }),
    close: async () => socket.destroy(),
  }
}

function varint(buffer: Buffer, start: number, value: number): number {
  let at = start
  let v = (value << 1) ^ (value >> 31)
  while (v > 0x7f || v < 0) {
    buffer[at++] = (v & 0x7f) | 0x80
    v >>>= 7
  }
  buffer[at++] = v
  return at
}

function sizeOfVarint(value: number): number {
  const v = (value << 1) ^ (value >> 31)
  return v < 0x80 ? 1 : v < 0x4000 ? 2 : v < 0x200000 ? 3 : 4
}

function encode(values: readonly Buffer[], correlationId: number): Buffer {
  let recordsSize = 0
  for (let i = 0; i < values.length; i++) {
    const { length } = values[i] as Buffer
    const body = 4 + sizeOfVarint(i) - 1 + 1 + sizeOfVarint(length) + length
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
  at = buffer.writeInt16BE(1, at)
  at = buffer.writeInt32BE(30_000, at)
  at = buffer.writeInt32BE(1, at)
  at = buffer.writeInt16BE(TOPIC.length, at)
  at += buffer.write(TOPIC, at)
  at = buffer.writeInt32BE(1, at)
  at = buffer.writeInt32BE(correlationId % PARTITIONS, at)
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
    const body = 3 + sizeOfVarint(i) + 1 + sizeOfVarint(value.length) + value.length
    at = varint(buffer, at, body)
    buffer[at++] = 0
    buffer[at++] = 0
    at = varint(buffer, at, i)
    buffer[at++] = 1
    at = varint(buffer, at, value.length)
    buffer.set(value, at)
    at += value.length
    buffer[at++] = 0
  }
  buffer.writeUInt32BE(crc32c(buffer.subarray(crcAt + 4, at)), crcAt)
  buffer.writeInt32BE(at - 4, 0)
  return buffer.subarray(0, at)
}
