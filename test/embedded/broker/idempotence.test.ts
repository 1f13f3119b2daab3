import { describe, expect, it } from 'vitest'
import { initProducerId } from '../../../src/protocol/apis/init-producer-id.js'
import { connectTo, startKafka } from '../support/cluster.js'
import type { RawClient } from '../support/raw-client.js'
import { batchOf, produceTo } from '../support/requests.js'

const OUT_OF_ORDER = 45
const INVALID_EPOCH = 47
const UNKNOWN_PRODUCER = 59

async function producerId(client: RawClient, version = 1): Promise<bigint> {
  const answer = await client.call(initProducerId, version, {
    transactionalId: null,
    transactionTimeoutMs: 60_000,
    producerId: -1n,
    producerEpoch: -1,
    enable2Pc: false,
    keepPreparedTxn: false,
  })
  expect([answer.errorCode, answer.producerEpoch]).toEqual([0, 0])
  return answer.producerId
}

interface Batch {
  id: bigint
  sequence: number
  epoch?: number
  count?: number
  version?: number
}

async function send(
  client: RawClient,
  { id, sequence, epoch = 0, count = 1, version = 3 }: Batch,
): Promise<[number, bigint]> {
  const messages = Array.from({ length: count }, (_, i) => ({ value: String(sequence + i) }))
  const records = batchOf(messages, { producerId: id, producerEpoch: epoch, baseSequence: sequence })
  const { errorCode, baseOffset } = await produceTo(client, records, { version })
  return [errorCode, baseOffset]
}

describe('idempotence', () => {
  it('gives every producer an id of its own, on every broker', async () => {
    const kafka = await startKafka({ brokers: 2 })
    const ids = [await producerId(await connectTo(kafka, 1)), await producerId(await connectTo(kafka, 2))]
    expect(new Set(ids).size).toBe(2)
  })

  it('answers a duplicate of the last five batches as the first time, and appends it once', async () => {
    const kafka = await startKafka({ release: '2.8', topics: { orders: {} } })
    const client = await connectTo(kafka)
    const id = await producerId(client)
    for (let i = 0; i < 6; i++)
      expect(await send(client, { id, sequence: i * 2, count: 2 })).toEqual([0, BigInt(i * 2)])
    expect(await send(client, { id, sequence: 2, count: 2 })).toEqual([0, 2n])
    expect(await send(client, { id, sequence: 10, count: 2 })).toEqual([0, 10n])
    expect(await send(client, { id, sequence: 0, count: 2 })).toEqual([OUT_OF_ORDER, -1n])
    expect(kafka.records('orders')).toHaveLength(12)
    expect(kafka.records('orders').map(({ sequence }) => sequence)).toEqual(Array.from({ length: 12 }, (_, i) => i))
  })

  it('remembers a single batch on Kafka 0.11', async () => {
    const kafka = await startKafka({ release: '0.11', topics: { orders: {} } })
    const client = await connectTo(kafka)
    const id = await producerId(client, 0)
    for (const sequence of [0, 1, 2]) await send(client, { id, sequence })
    expect(await send(client, { id, sequence: 2 })).toEqual([0, 2n])
    expect(await send(client, { id, sequence: 1 })).toEqual([OUT_OF_ORDER, -1n])
  })

  it('refuses a gap, and goes on where it was', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const client = await connectTo(kafka)
    const id = await producerId(client)
    await send(client, { id, sequence: 0 })
    expect(await send(client, { id, sequence: 2 })).toEqual([OUT_OF_ORDER, -1n])
    expect(await send(client, { id, sequence: 1 })).toEqual([0, 1n])
  })

  it('lets a new epoch begin at 0 only, and fences the old one', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const client = await connectTo(kafka)
    const id = await producerId(client)
    await send(client, { id, sequence: 0 })
    expect(await send(client, { id, epoch: 1, sequence: 1 })).toEqual([OUT_OF_ORDER, -1n])
    expect(await send(client, { id, epoch: 1, sequence: 0 })).toEqual([0, 1n])
    expect(await send(client, { id, epoch: 0, sequence: 1 })).toEqual([INVALID_EPOCH, -1n])
  })

  it('goes from the largest sequence to 0', async () => {
    const kafka = await startKafka({ release: '2.8', topics: { orders: {} } })
    const client = await connectTo(kafka)
    const id = await producerId(client)
    expect(await send(client, { id, sequence: 0x7ffffffe, count: 3 })).toEqual([0, 0n])
    expect(await send(client, { id, sequence: 1 })).toEqual([0, 3n])
    expect(kafka.records('orders').map(({ sequence }) => sequence)).toEqual([0x7ffffffe, 0x7fffffff, 0, 1])
  })

  it.each([
    ['0.11', OUT_OF_ORDER],
    ['1.1', UNKNOWN_PRODUCER],
    ['2.8', 0],
    ['4', 0],
  ])('Kafka %s: the first batch of an unknown producer with a sequence of 7', async (release, code) => {
    const kafka = await startKafka({ release, topics: { orders: {} } })
    const client = await connectTo(kafka)
    const [errorCode] = await send(client, { id: 4_711n, sequence: 7 })
    expect(errorCode).toBe(code)
  })

  it('knows duplicates after the leader has moved', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { orders: {} } })
    const client = await connectTo(kafka, kafka.leaderOf('orders', 0))
    const id = await producerId(client)
    await send(client, { id, sequence: 0 })
    kafka.moveLeader('orders', 0, 2)
    expect(await send(await connectTo(kafka, 2), { id, sequence: 0 })).toEqual([0, 0n])
    expect(kafka.records('orders')).toHaveLength(1)
  })
})
