import { describe, expect, it } from 'vitest'
import { decodeBatches } from '../../../src/protocol/records/decode.js'
import type { EmbeddedKafka } from '../../../src/testing/index.js'
import { connectTo, startKafka } from '../support/cluster.js'
import { RawMember } from '../support/groups.js'
import type { RawClient } from '../support/raw-client.js'
import { batchOf, fetchFrom, produceTo, type FetchOptions } from '../support/requests.js'
import { RawTransaction } from '../support/transactions.js'

const UNKNOWN_MEMBER_ID = 25
const INVALID_PRODUCER_EPOCH = 47
const OUT_OF_ORDER_SEQUENCE_NUMBER = 45
const INVALID_TXN_STATE = 48
const INVALID_PRODUCER_ID_MAPPING = 49
const INVALID_TRANSACTION_TIMEOUT = 50
const CONCURRENT_TRANSACTIONS = 51
const OPERATION_NOT_ATTEMPTED = 55
const UNSTABLE_OFFSET_COMMIT = 88
const PRODUCER_FENCED = 90
const TRANSACTION_ABORTABLE = 120

async function start(release = '3.9'): Promise<[EmbeddedKafka, RawTransaction]> {
  const kafka = await startKafka({ release, topics: { orders: { partitions: 2 } } })
  const producer = new RawTransaction(await connectTo(kafka))
  await producer.init()
  return [kafka, producer]
}

function valuesOf(kafka: EmbeddedKafka, isolation: 'read_committed' | 'read_uncommitted' = 'read_committed') {
  return kafka.records('orders', { isolation }).map(({ value }) => value?.toString())
}

/** What a reader of committed messages is given. */
async function readCommitted(client: RawClient, options: FetchOptions = {}) {
  const partition = await fetchFrom(client, { isolationLevel: 1, ...options })
  const batches = decodeBatches(partition.records ?? Buffer.alloc(0))
  return {
    ...partition,
    values: batches.flatMap(({ records }) => records.map(({ value }) => value?.toString())),
    batches,
  }
}

describe('a transaction', () => {
  it('can be read from its commit on', async () => {
    const [kafka, producer] = await start()
    expect(await producer.add('orders', [0])).toEqual([0])
    expect(await producer.produce('one')).toMatchObject({ errorCode: 0, baseOffset: 0n })
    const open = await readCommitted(producer.client)
    expect([open.values, open.lastStableOffset, open.highWatermark]).toEqual([[], 0n, 1n])
    expect(await producer.end(true)).toBe(0)
    const { batches, lastStableOffset, abortedTransactions } = await readCommitted(producer.client)
    expect([lastStableOffset, abortedTransactions]).toEqual([2n, []])
    const [, marker] = batches
    expect(marker).toMatchObject({
      control: true,
      transactional: true,
      baseOffset: 1n,
      producerId: producer.producerId,
    })
    expect(marker?.records[0]?.key).toEqual(Buffer.from([0, 0, 0, 1]))
    expect(valuesOf(kafka)).toEqual(['one'])
    expect(kafka.transactions).toEqual([
      { id: 'tx', producerId: Number(producer.producerId), producerEpoch: 0, state: 'CompleteCommit' },
    ])
  })

  it('that was lost with the end of the log hides nothing of what comes after', async () => {
    const [kafka, producer] = await start()
    await producer.add('orders', [0])
    await producer.produce('aborted')
    expect(await producer.end(false)).toBe(0)
    kafka.truncateTopic('orders', 1)
    await producer.add('orders', [0])
    expect(await producer.produce('committed')).toMatchObject({ errorCode: 0, baseOffset: 1n })
    expect(await producer.end(true)).toBe(0)
    expect(valuesOf(kafka)).toEqual(['committed'])
    kafka.truncateTopic('orders', 9)
    await producer.add('orders', [0])
    expect(await producer.produce('again')).toMatchObject({ errorCode: 0, baseOffset: 0n })
    expect(await producer.end(true)).toBe(0)
    expect(valuesOf(kafka)).toEqual(['again'])
  })

  it('is left out by readers of what is committed once it is aborted', async () => {
    const [kafka, producer] = await start()
    await producer.add('orders', [0])
    await producer.produce('aborted')
    await produceTo(producer.client, batchOf([{ value: 'beside' }]))
    expect(await producer.end(false)).toBe(0)
    const { abortedTransactions, batches } = await readCommitted(producer.client)
    expect(abortedTransactions).toEqual([{ producerId: producer.producerId, firstOffset: 0n }])
    expect(batches[2]?.records[0]?.key).toEqual(Buffer.from([0, 0, 0, 0]))
    expect((await readCommitted(producer.client, { offset: 3n })).abortedTransactions).toEqual([])
    expect((await fetchFrom(producer.client)).abortedTransactions).toBeNull()
    expect([valuesOf(kafka), valuesOf(kafka, 'read_uncommitted')]).toEqual([['beside'], ['aborted', 'beside']])
  })

  it('wakes a reader that waits for its end', async () => {
    const [kafka, producer] = await start()
    await producer.add('orders', [0])
    await producer.produce('one')
    const waiting = readCommitted(await connectTo(kafka), { maxWaitMs: 20_000 })
    await kafka.waitForRequest({ api: 'Fetch' })
    await producer.end(true)
    expect((await waiting).values[0]).toBe('one')
  })

  it('may be ended again with the same outcome, and not with the other', async () => {
    const [, producer] = await start()
    expect(await producer.end(true)).toBe(INVALID_TXN_STATE)
    await producer.add('orders', [0])
    expect([await producer.end(true), await producer.end(true), await producer.end(false)]).toEqual([
      0,
      0,
      INVALID_TXN_STATE,
    ])
  })

  it('consists of all partitions of a request or of none', async () => {
    const [, producer] = await start()
    expect(await producer.add('orders', [0, 7])).toEqual([OPERATION_NOT_ATTEMPTED, 3])
    expect(await producer.end(true)).toBe(INVALID_TXN_STATE)
  })

  it('does not take what its coordinator does not know of, since 3.6', async () => {
    for (const [release, version, errorCode] of [
      ['3.9', 9, INVALID_TXN_STATE],
      ['3.9', 11, TRANSACTION_ABORTABLE],
      ['2.8', 9, 0],
    ] as const) {
      const [, producer] = await start(release)
      expect([release, version, (await producer.produce('stray', { version })).errorCode]).toEqual([
        release,
        version,
        errorCode,
      ])
    }
  })

  it('begins with the first batch: one that comes before it is refused, since 4.0 and Produce v12', async () => {
    const [, producer] = await start('4')
    producer.sequence = 3
    expect((await producer.produce('second', { version: 12 })).errorCode).toBe(OUT_OF_ORDER_SEQUENCE_NUMBER)
    producer.sequence = 0
    expect((await producer.produce('first', { version: 12 })).errorCode).toBe(0)
    expect(await producer.end(true, 5)).toBe(0)
    producer.sequence = 3
    expect((await producer.produce('second', { version: 12 })).errorCode).toBe(OUT_OF_ORDER_SEQUENCE_NUMBER)
    producer.sequence = 0
    expect((await producer.produce('first', { version: 12 })).errorCode).toBe(0)
  })

  it('its coordinator is asked before a sequence is looked at', async () => {
    const [, producer] = await start()
    await producer.add('orders', [0])
    expect((await producer.produce('a')).errorCode).toBe(0)
    expect(await producer.end(true)).toBe(0)
    producer.sequence = 7
    expect((await producer.produce('late')).errorCode).toBe(TRANSACTION_ABORTABLE)
    producer.sequence = 0
    expect((await producer.produce('a, again')).errorCode).toBe(TRANSACTION_ABORTABLE)
  })

  it('offsets of a group that is not in it: v4 tells that an abort mends it', async () => {
    const [, producer] = await start()
    await producer.add('orders', [0])
    expect(await producer.commitOffset(5n)).toBe(INVALID_TXN_STATE)
    expect(await producer.commitOffset(5n, undefined, 4)).toBe(TRANSACTION_ABORTABLE)
  })

  it('is aborted and its producer fenced when it takes too long', async () => {
    const [kafka, producer] = await start()
    await producer.init(500)
    await producer.add('orders', [0])
    await producer.produce('late')
    const reader = await connectTo(kafka)
    const read = await readCommitted(reader, { maxWaitMs: 20_000 })
    expect(read.abortedTransactions).toHaveLength(1)
    expect(await producer.end(true)).toBe(PRODUCER_FENCED)
    expect(await producer.end(true, 1)).toBe(INVALID_PRODUCER_EPOCH)
    expect((await producer.produce('later')).errorCode).toBe(INVALID_PRODUCER_EPOCH)
    expect(valuesOf(kafka)).toEqual([])
  })
})

describe('a transactional id', () => {
  it('fences whoever had it before, and aborts what that left open', async () => {
    const [kafka, old] = await start()
    const young = new RawTransaction(await connectTo(kafka))
    await old.add('orders', [0])
    await old.produce('zombie')
    expect((await young.init()).errorCode).toBe(CONCURRENT_TRANSACTIONS)
    expect(await young.init()).toMatchObject({ errorCode: 0, producerId: old.producerId, producerEpoch: 2 })
    expect((await old.produce('zombie again')).errorCode).toBe(INVALID_PRODUCER_EPOCH)
    expect(await old.add('orders', [0])).toEqual([PRODUCER_FENCED])
    expect(await old.add('orders', [0], 1)).toEqual([INVALID_PRODUCER_EPOCH])
    await young.add('orders', [0])
    expect((await young.produce('alive')).errorCode).toBe(0)
    await young.end(true)
    expect(valuesOf(kafka)).toEqual(['alive'])
  })

  it('lets its own producer raise the epoch, and no other', async () => {
    const [, producer] = await start()
    const { producerId } = producer
    expect(await producer.init(60_000, { producerId, producerEpoch: 0 })).toMatchObject({
      errorCode: 0,
      producerEpoch: 1,
    })
    expect(await producer.init(60_000, { producerId, producerEpoch: 0 })).toMatchObject({
      errorCode: 0,
      producerEpoch: 1,
    })
    expect(await producer.init(60_000, { producerId, producerEpoch: 9 })).toMatchObject({ errorCode: PRODUCER_FENCED })
    producer.producerId = 99n
    expect(await producer.add('orders', [0])).toEqual([INVALID_PRODUCER_ID_MAPPING])
  })

  it('has a timeout within what is allowed', async () => {
    const [, producer] = await start()
    expect((await producer.init(900_001)).errorCode).toBe(INVALID_TRANSACTION_TIMEOUT)
  })
})

describe('offsets in a transaction', () => {
  it('hold from its commit on', async () => {
    const [kafka, producer] = await start()
    const reader = new RawMember(await connectTo(kafka))
    expect(await producer.commitOffset(5n)).toBe(INVALID_TXN_STATE)
    expect(await producer.addOffsets()).toBe(0)
    expect(await producer.commitOffset(5n)).toBe(0)
    expect(await reader.fetchOffset('orders', 0)).toMatchObject({ errorCode: 0, offset: -1n })
    expect(await reader.fetchOffset('orders', 0, true)).toMatchObject({ errorCode: UNSTABLE_OFFSET_COMMIT })
    await producer.end(true)
    expect(await reader.fetchOffset('orders', 0, true)).toMatchObject({ errorCode: 0, offset: 5n })
    await producer.addOffsets()
    await producer.commitOffset(9n)
    await producer.end(false)
    expect(await reader.fetchOffset('orders', 0, true)).toMatchObject({ errorCode: 0, offset: 5n })
    await producer.addOffsets()
    expect(await producer.commitOffset(6n, { generationIdOrMemberEpoch: 1, memberId: 'gone' })).toBe(UNKNOWN_MEMBER_ID)
  })
})

describe('transactions of Kafka 4 (KIP-890)', () => {
  it('take partitions as they are written to, and have an epoch each', async () => {
    const [kafka, producer] = await start('4')
    expect((await producer.produce('one', { version: 12 })).errorCode).toBe(0)
    expect(await producer.end(true, 5)).toBe(0)
    expect(producer.producerEpoch).toBe(1)
    producer.producerEpoch = 0
    expect((await producer.produce('old', { version: 12 })).errorCode).toBe(INVALID_PRODUCER_EPOCH)
    // The answer was lost: the same is asked again.
    expect(await producer.end(true, 5)).toBe(0)
    expect(producer.producerEpoch).toBe(1)
    expect((await producer.produce('two', { version: 12 })).errorCode).toBe(0)
    expect(await producer.end(false, 5)).toBe(0)
    expect(producer.producerEpoch).toBe(2)
    expect(valuesOf(kafka)).toEqual(['one'])
  })
})
