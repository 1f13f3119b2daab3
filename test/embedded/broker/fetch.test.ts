import { setImmediate } from 'node:timers/promises'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { fetch } from '../../../src/protocol/apis/fetch.js'
import { listOffsets } from '../../../src/protocol/apis/list-offsets.js'
import { metadata } from '../../../src/protocol/apis/metadata.js'
import { crc32c } from '../../../src/protocol/crc32c.js'
import { decodeBatches } from '../../../src/protocol/records/decode.js'
import { PartitionLog } from '../../../src/testing/partition-log.js'
import { connectTo, startKafka } from '../support/cluster.js'
import type { RawClient } from '../support/raw-client.js'
import { batchOf, fetchFrom, fetchRequest, messagesOf, metadataRequest, produceTo } from '../support/requests.js'
import { RawTransaction } from '../support/transactions.js'

const OFFSET_OUT_OF_RANGE = 1
const ZSTD = 4
const OFFSET_AND_SIZE = 12
const CRC_AT = 17
const ATTRIBUTES_AT = 21
const RECORDS_AT = 61

function valuesIn(records: Buffer | null): (string | undefined)[] {
  const batches = decodeBatches(records ?? Buffer.alloc(0), { partialTail: true })
  return batches.flatMap((batch) => batch.records.map(({ value }) => value?.toString()))
}

async function appendEach(client: RawClient, values: readonly string[]): Promise<void> {
  for (const value of values) await produceTo(client, batchOf([{ value }]))
}

/** One message. */
function zstdBatch(timestamp: number): Buffer {
  const records = Buffer.from('28b52ffd20084100000e00000001027600', 'hex')
  const batch = Buffer.concat([batchOf([{ timestamp }]).subarray(0, RECORDS_AT), records])
  batch.writeInt32BE(batch.length - OFFSET_AND_SIZE, 8)
  batch.writeInt16BE(ZSTD, ATTRIBUTES_AT)
  batch.writeUInt32BE(crc32c(batch, ATTRIBUTES_AT), CRC_AT)
  return batch
}

describe('Fetch', () => {
  it('reads from an offset to the end, whole batches', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const client = await connectTo(kafka)
    await produceTo(client, batchOf([{ value: 'a' }, { value: 'b' }, { value: 'c' }]))
    await produceTo(client, batchOf([{ value: 'd' }]))
    const answer = await fetchFrom(client, { offset: 1n })
    expect(valuesIn(answer.records)).toEqual(['a', 'b', 'c', 'd'])
    expect([answer.highWatermark, answer.lastStableOffset, answer.logStartOffset]).toEqual([4n, 4n, 0n])
    expect(valuesIn((await fetchFrom(client, { offset: 3n })).records)).toEqual(['d'])
    expect((await fetchFrom(client, { offset: 4n })).records).toHaveLength(0)
  })

  it('keeps to the bounds in bytes, but gives one batch at the least', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const client = await connectTo(kafka)
    await appendEach(client, ['a', 'b', 'c'])
    const size = batchOf([{ value: 'a' }]).length
    const read = async (options: object) => valuesIn((await fetchFrom(client, options)).records)
    expect(await read({ partitionMaxBytes: 2 * size })).toEqual(['a', 'b'])
    expect(await read({ partitionMaxBytes: 2 * size - 1 })).toEqual(['a'])
    expect(await read({ maxBytes: 2 * size })).toEqual(['a', 'b'])
    expect(await read({ partitionMaxBytes: 1, maxBytes: 1 })).toEqual(['a'])
  })

  it('cuts a batch off that is larger than the bound, before version 3', async () => {
    const kafka = await startKafka({ release: '0.9', topics: { orders: {} } })
    const client = await connectTo(kafka)
    const set = messagesOf([{ value: 'first' }, { value: 'second' }], 0)
    await produceTo(client, set, { version: 1 })
    const { records } = await fetchFrom(client, { version: 1, partitionMaxBytes: set.length - 1 })
    expect(records).toHaveLength(set.length - 1)
    expect(valuesIn(records)).toEqual(['first'])
  })

  it('waits for any number of partitions without a warning of listeners that leak', async () => {
    const kafka = await startKafka({ topics: { orders: { partitions: 40 } } })
    const warnings: string[] = []
    const warned = ({ message }: Error): unknown => warnings.push(message)
    process.on('warning', warned)
    onTestFinished(() => void process.off('warning', warned))
    const reader = await connectTo(kafka)
    const asked = fetchRequest({ maxWaitMs: 60_000 })
    const [topic] = asked.topics
    const partitions = Array.from({ length: 40 }, (_, partition) => ({ ...topic?.partitions[0], partition }))
    reader.send(fetch, 11, { ...asked, topics: [{ ...topic, partitions }] as typeof asked.topics })
    const waiting = Array.from({ length: 40 }, async () => kafka.waitForRequest({ api: 'Produce' }))
    await kafka.waitForRequest({ api: 'Fetch' })
    await produceTo(await connectTo(kafka), batchOf([{ value: 'a' }]), { partition: 39 })
    const { responses } = await reader.answer(fetch, 11)
    expect(responses[0]?.partitions.filter(({ records }) => valuesIn(records).length > 0)).toHaveLength(1)
    await Promise.all(waiting)
    // Node tells of warnings in a turn of their own.
    await setImmediate()
    expect(warnings).toEqual([])
  })

  it('waits for the bytes it wants, and is woken by an append', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const reader = await connectTo(kafka)
    reader.send(fetch, 11, fetchRequest({ maxWaitMs: 60_000 }))
    await kafka.waitForRequest({ api: 'Fetch' })
    await produceTo(await connectTo(kafka), batchOf([{ value: 'woken' }]))
    const response = await reader.answer(fetch, 11)
    expect(valuesIn(response.responses[0]?.partitions[0]?.records ?? null)).toEqual(['woken'])
  })

  it('reads once what it has waited for, however many appends that took', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const [reader, writer] = [await connectTo(kafka), await connectTo(kafka)]
    const values = Array.from({ length: 20 }, (_, i) => `message ${10 + i}`)
    const size = batchOf([{ value: 'message 10' }]).length
    const reads = vi.spyOn(PartitionLog.prototype, 'read')
    onTestFinished(() => reads.mockRestore())
    reader.send(fetch, 11, fetchRequest({ maxWaitMs: 600_000, minBytes: 20 * size }))
    await kafka.waitForRequest({ api: 'Fetch' })
    await appendEach(writer, values)
    const { responses } = await reader.answer(fetch, 11)
    expect(valuesIn(responses[0]?.partitions[0]?.records ?? null)).toEqual(values)
    // The first found too little.
    expect(reads).toHaveBeenCalledTimes(2)
  })

  it('wants no more than may be in the answer', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const client = await connectTo(kafka)
    await appendEach(client, ['a', 'b'])
    const size = batchOf([{ value: 'a' }]).length
    const bounds = { minBytes: 2 * size, maxBytes: size, maxWaitMs: 600_000 }
    expect(valuesIn((await fetchFrom(client, bounds)).records)).toEqual(['a'])
  })

  it('waits no longer than it was told', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const client = await connectTo(kafka)
    const before = performance.now()
    expect((await fetchFrom(client, { maxWaitMs: 40 })).records).toHaveLength(0)
    expect(performance.now() - before).toBeGreaterThanOrEqual(35)
  })

  it('stops waiting when the client has gone', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const client = await connectTo(kafka)
    client.send(fetch, 11, fetchRequest({ maxWaitMs: 600_000 }))
    await kafka.waitForRequest({ api: 'Fetch' })
    client.socket.resetAndDestroy()
    await expect.poll(() => kafka.connections).toEqual([])
  })

  it('says what is wrong', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { orders: {} } })
    const client = await connectTo(kafka, 1)
    const error = async (options: object) => (await fetchFrom(client, options)).errorCode
    expect(await error({ offset: 1n })).toBe(OFFSET_OUT_OF_RANGE)
    expect(await error({ offset: -1n })).toBe(OFFSET_OUT_OF_RANGE)
    expect(await error({ topic: 'other' })).toBe(3)
    expect(await error({ partition: 1 })).toBe(3)
    expect(await error({ version: 13, topicId: Buffer.alloc(16, 1) })).toBe(100)
    expect(await error({ leaderEpoch: 1 })).toBe(75)
    kafka.moveLeader('orders', 0, 2)
    expect(await error({ leaderEpoch: 0 })).toBe(74)
    const moved = await fetchFrom(client, { version: 12, leaderEpoch: 1 })
    expect([moved.errorCode, moved.currentLeader]).toEqual([6, { leaderId: 2, leaderEpoch: 1 }])
  })

  it('reads topics by id', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const client = await connectTo(kafka)
    await appendEach(client, ['a'])
    const { topics } = await client.call(metadata, 12, metadataRequest(['orders']))
    const { records } = await fetchFrom(client, { version: 13, topicId: topics[0]?.topicId ?? Buffer.alloc(16) })
    expect(valuesIn(records)).toEqual(['a'])
  })

  it('loses the oldest batches beyond the bytes kept', async () => {
    const size = batchOf([{ value: 'a' }]).length
    const kafka = await startKafka({ topics: { orders: { config: { 'retention.bytes': 3 * size } } } })
    const client = await connectTo(kafka)
    await appendEach(client, ['a', 'b', 'c', 'd', 'e'])
    expect(kafka.records('orders').map(({ offset }) => offset)).toEqual([2n, 3n, 4n])
    expect((await fetchFrom(client, { offset: 0n })).errorCode).toBe(OFFSET_OUT_OF_RANGE)
    expect((await fetchFrom(client, { offset: 2n })).logStartOffset).toBe(2n)
    expect((await produceTo(client, batchOf([{ value: 'f' }]))).logStartOffset).toBe(3n)
  })
})

describe('ListOffsets', () => {
  async function offsetOf(client: RawClient, timestamp: number, version = 7, isolationLevel = 0) {
    const response = await client.call(listOffsets, version, {
      replicaId: -1,
      isolationLevel,
      timeoutMs: 0,
      topics: [
        {
          name: 'orders',
          partitions: [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp, maxNumOffsets: 1 }],
        },
      ],
    })
    const partition = response.topics[0]?.partitions[0]
    return version === 0 ? partition?.oldStyleOffsets : [partition?.errorCode, partition?.offset, partition?.timestamp]
  }

  it('finds the start, the end, and the first message at or after a time', async () => {
    const kafka = await startKafka({ release: '3.9', topics: { orders: {} } })
    const client = await connectTo(kafka)
    await produceTo(client, batchOf([{ timestamp: 100 }, { timestamp: 300 }]))
    await produceTo(client, batchOf([{ timestamp: 200 }, { timestamp: 400 }]))
    expect(await offsetOf(client, -1)).toEqual([0, 4n, -1])
    expect(await offsetOf(client, -2)).toEqual([0, 0n, -1])
    expect(await offsetOf(client, -3)).toEqual([0, 3n, 400])
    expect(await offsetOf(client, 100)).toEqual([0, 0n, 100])
    expect(await offsetOf(client, 101)).toEqual([0, 1n, 300])
    expect(await offsetOf(client, 301)).toEqual([0, 3n, 400])
    expect(await offsetOf(client, 401)).toEqual([0, -1n, -1])
    expect(await offsetOf(client, -1, 0)).toEqual([4n])
  })

  it('of a batch that not every Node can decompress (zstd)', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const client = await connectTo(kafka)
    expect((await produceTo(client, zstdBatch(500))).errorCode).toBe(0)
    await produceTo(client, batchOf([{ timestamp: 600 }]))
    const times = [-3, 500, 501, 601]
    const found = await Promise.all(times.map((time) => offsetOf(client, time)))
    expect(found).toEqual([
      [0, 1n, 600],
      [0, 0n, 500],
      [0, 1n, 600],
      [0, -1n, -1],
    ])
    await kafka.stop()
  })

  it.each(['2.8', '3.9', '4'])(
    'gives a reader of committed messages none of an open transaction, Kafka %s',
    async (release) => {
      const kafka = await startKafka({ release, topics: { orders: {} } })
      const client = await connectTo(kafka)
      await produceTo(client, batchOf([{ timestamp: 100 }]))
      const producer = new RawTransaction(client)
      await producer.init()
      await producer.add('orders', [0])
      await producer.produce('open', { version: 9 })
      const offsets = async (times: readonly number[], isolationLevel: number, version = 6) => {
        const found = times.map((time) => offsetOf(client, time, version, isolationLevel))
        return (await Promise.all(found)).map((one) => one?.[1])
      }
      expect(await offsets([-1, -2, 100, 101], 0)).toEqual([2n, 0n, 0n, 1n])
      expect(await offsets([-1, -2, 100, 101], 1)).toEqual([1n, 0n, 0n, -1n])
      // The newest message is the open one: there is none then, whatever there is before it.
      if (release !== '2.8') expect(await offsets([-3], 1, 7)).toEqual([-1n])
      await producer.end(true)
      expect(await offsets([101], 1)).toEqual([1n])
    },
  )

  it('what is committed does not end before the log begins, where retention took the start of an open transaction', async () => {
    const size = batchOf([{ value: 'a' }]).length
    const kafka = await startKafka({ topics: { orders: { config: { 'retention.bytes': 3 * size } } } })
    const client = await connectTo(kafka)
    const producer = new RawTransaction(client)
    await producer.init()
    await producer.add('orders', [0])
    await producer.produce('0')
    await appendEach(client, ['1', '2', '3', '4'])
    const end = await offsetOf(client, -1, 7, 1)
    expect(end).toEqual([0, 2n, -1])
    const { errorCode, lastStableOffset, logStartOffset, records } = await fetchFrom(client, {
      offset: 2n,
      isolationLevel: 1,
    })
    expect([errorCode, lastStableOffset, logStartOffset]).toEqual([0, 2n, 2n])
    expect(records).toHaveLength(0)
    await producer.end(true)
    expect(valuesIn((await fetchFrom(client, { offset: 4n, isolationLevel: 1 })).records)).toContain('4')
  })

  it('asks the leader', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { orders: {} } })
    expect(await offsetOf(await connectTo(kafka, 2), -1)).toEqual([6, -1n, -1])
  })
})
