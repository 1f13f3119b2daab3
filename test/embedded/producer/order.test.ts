import { describe, expect, it } from 'vitest'
import type { Producer } from '../../../src/index.js'
import type { EmbeddedKafka } from '../../../src/testing/index.js'
import { startKafka } from '../support/cluster.js'
import {
  expectNothingHeld,
  partitionsOf,
  requestsOf,
  startProducer,
  stored,
  turns,
  until,
  watched,
} from '../support/producers.js'
import { ScriptedBroker, topicMetadata, type Script } from '../support/scripted-broker.js'

/* Messages of one partition go out in the order given, and nothing goes to a new leader while the old one owes an answer. */

function sendAll(producer: Producer, from: number, to: number): Promise<unknown>[] {
  return numbers(from, to).map((value) => producer.send({ topic: 'orders', partition: 0, value }))
}

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => String(from + i))
}

function otherThan(kafka: EmbeddedKafka, broker: number): number {
  return kafka.brokers.find(({ id, state }) => id !== broker && state === 'running')?.id as number
}

describe('order within a partition', () => {
  it.each([
    [
      'NOT_LEADER_OR_FOLLOWER',
      (kafka: EmbeddedKafka) => kafka.fail({ api: 'Produce', times: 3 }, 'NOT_LEADER_OR_FOLLOWER'),
    ],
    ['NOT_ENOUGH_REPLICAS', (kafka: EmbeddedKafka) => kafka.fail({ api: 'Produce', times: 3 }, 'NOT_ENOUGH_REPLICAS')],
    ['a cut connection', (kafka: EmbeddedKafka) => kafka.cut({ api: 'Produce', times: 3 })],
    ['garbage', (kafka: EmbeddedKafka) => kafka.spoil({ api: 'Metadata', times: 2 }, 'noise')],
  ])('is kept by concurrent sends across %s', async (_, misbehave) => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { batchBytes: 40 })
    misbehave(kafka)
    const sending = sendAll(producer, 0, 50)
    await kafka.waitForRequest({ api: 'Produce' })
    sending.push(...sendAll(producer, 50, 100))
    await Promise.all(sending)
    expect(stored(kafka, 'orders')).toEqual(numbers(0, 100))
    expectNothingHeld(producer)
  })

  it('is kept while the leader moves to and fro', async () => {
    const kafka = await startKafka({ brokers: 3, topics: { orders: {} } })
    const producer = startProducer(kafka, { batchBytes: 40 })
    const sending: Promise<unknown>[] = []
    for (let i = 0; i < 10; i++) {
      sending.push(...sendAll(producer, i * 20, i * 20 + 20))
      await kafka.waitForRequest({ api: 'Produce' }, { count: i * 3 + 1 })
      kafka.moveLeader('orders', 0, otherThan(kafka, kafka.leaderOf('orders', 0)))
    }
    await Promise.all(sending)
    expect(stored(kafka, 'orders')).toEqual(numbers(0, 200))
    expectNothingHeld(producer)
  })

  it('is kept while a batch that failed waits to go again: later ones stay behind it', async () => {
    const kafka = await startKafka({ topics: { orders: { partitions: 2 } } })
    const producer = startProducer(kafka, { retryBackoffMs: 1_500, retryBackoffMaxMs: 1_500 })
    const failed = kafka.fail({ api: 'Produce', partition: 0 }, 'NOT_ENOUGH_REPLICAS')
    const first = producer.send({ topic: 'orders', partition: 0, value: 'first' })
    await failed.hit()
    await until(() => requestsOf(kafka, 'Metadata').length === 2, 'the failure has arrived, and asks for a refresh')
    const later = producer.send({ topic: 'orders', partition: 0, value: 'later' })
    // Another partition of the same broker is not held up.
    await producer.send({ topic: 'orders', partition: 1, value: 'other' })
    expect(stored(kafka, 'orders')).toEqual(['other'])
    await Promise.all([first, later])
    expect(stored(kafka, 'orders', 0)).toEqual(['first', 'later'])
    expect(requestsOf(kafka, 'Produce').map(partitionsOf)).toEqual([
      ['orders-0'],
      ['orders-1'],
      ['orders-0'],
      ['orders-0'],
    ])
  })

  it('is that of the calls, however long an encoder takes', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const released: (() => void)[] = []
    const producer = startProducer(kafka, {
      encoder: {
        encode: (value: unknown) =>
          String(value).startsWith('slow')
            ? new Promise<string>((resolve) => released.push(() => resolve(String(value))))
            : String(value),
      },
    })
    const sending = [
      producer.send([
        { topic: 'orders', value: 'a' },
        { topic: 'orders', value: 'slow1' },
      ]),
      producer.send({ topic: 'orders', value: 'b' }),
      producer.send({ topic: 'orders', value: 'slow2' }),
      producer.send({ topic: 'orders', value: 'c' }),
    ]
    await turns()
    released[1]?.()
    await turns()
    expect(stored(kafka, 'orders')).toEqual([])
    released[0]?.()
    await Promise.all(sending)
    expect(stored(kafka, 'orders')).toEqual(['a', 'slow1', 'b', 'slow2', 'c'])
  })

  it('is kept for what comes before the metadata, and after', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    const stall = kafka.stall({ api: 'Metadata' })
    const sending = sendAll(producer, 0, 10)
    await stall.hit()
    sending.push(...sendAll(producer, 10, 20))
    stall.release()
    sending.push(...sendAll(producer, 20, 30))
    await Promise.all(sending)
    expect(stored(kafka, 'orders')).toEqual(numbers(0, 30))
  })
})

describe('one batch of a partition is in flight at a time', () => {
  it('while other partitions of the broker are pipelined', async () => {
    const kafka = await startKafka({ topics: { orders: { partitions: 2 } } })
    // With sequences a broker that was slow is sent the next one.
    const producer = startProducer(kafka, { batchBytes: 80, idempotent: false })
    await producer.send({ topic: 'orders', partition: 0, value: 'warm' })
    kafka.clearRequests()
    const stall = kafka.stall({ api: 'Produce' })
    const sending = [producer.send({ topic: 'orders', partition: 0, value: '1' })]
    await stall.hit()
    sending.push(producer.send({ topic: 'orders', partition: 0, value: '2' }))
    await turns()
    sending.push(producer.send({ topic: 'orders', partition: 1, value: '3' }))
    await kafka.waitForRequest({ api: 'Produce' }, { count: 2 })
    await turns()
    expect(requestsOf(kafka, 'Produce').map(partitionsOf)).toEqual([['orders-0'], ['orders-1']])
    stall.release()
    await Promise.all(sending)
    expect(stored(kafka, 'orders', 0)).toEqual(['warm', '1', '2'])
  })
})

describe('nothing goes to the new leader while the old one owes an answer', () => {
  it('of a request that it still works on', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { orders: {} } })
    const producer = startProducer(kafka)
    await producer.send({ topic: 'orders', partition: 0, value: 'warm' })
    const old = kafka.leaderOf('orders', 0)
    const stall = kafka.stall({ api: 'Produce' }, 'after')
    const sending = sendAll(producer, 0, 1)
    await stall.hit()
    kafka.moveLeader('orders', 0, otherThan(kafka, old))
    const later = watched(Promise.all(sendAll(producer, 1, 3)))
    // The producer hears of the new leader while the old one has not answered.
    await producer.partitionsFor('orders')
    await turns()
    expect(requestsOf(kafka, 'Produce').every(({ broker }) => broker === old)).toBe(true)
    expect(later.isSettled).toBe(false)
    stall.release()
    await Promise.all([...sending, later.promise])
    expect(stored(kafka, 'orders')).toEqual(['warm', '0', '1', '2'])
    expect(requestsOf(kafka, 'Produce').at(-1)?.broker).toBe(kafka.leaderOf('orders', 0))
    expectNothingHeld(producer)
  })

  it('of a request to a broker that the metadata no longer names, as while it shuts down under control', async () => {
    let isLeaving = false
    let answer: () => void = () => undefined
    const answered = new Promise<void>((resolve) => (answer = resolve))
    const onMetadata: Script['onMetadata'] = (_question, good) => {
      const brokers = [old, next].map(({ port }, i) => ({ nodeId: i + 1, host: '127.0.0.1', port, rack: null }))
      const leader = isLeaving ? { leaderId: 2, leaderEpoch: 1 } : { leaderId: 1, leaderEpoch: 0 }
      const topics = good.topics.map(({ name }) => topicMetadata(name ?? '', 1, leader))
      return { ...good, brokers: isLeaving ? brokers.slice(1) : brokers, topics }
    }
    const next = await ScriptedBroker.start({ onMetadata })
    const old: ScriptedBroker = await ScriptedBroker.start({
      onMetadata,
      onProduce: async (_question, good) => {
        await answered
        return good
      },
    })
    const producer = startProducer(next.address)
    const inFlight = producer.send({ topic: 'orders', value: 'in flight' })
    await until(() => old.produced.length === 1, 'the request is at the old leader')
    isLeaving = true
    const later = producer.send({ topic: 'orders', value: 'later' })
    await producer.partitionsFor('orders')
    await turns(50)
    expect(next.values).toEqual([])
    answer()
    await Promise.all([inFlight, later])
    expect([old.values, next.values]).toEqual([[['in flight']], [['later']]])
    expectNothingHeld(producer)
  })
})

it('a keyed message keeps its partition when it is tried again, even if the topic has grown', async () => {
  const kafka = await startKafka({ topics: { orders: { partitions: 2 } } })
  const asked: unknown[] = []
  const producer = startProducer(kafka, {
    partitioner: (key: unknown, count: number) => {
      asked.push([key, count])
      return count - 1
    },
  })
  const fault = kafka.fail({ api: 'Produce', times: 3 }, 'NOT_LEADER_OR_FOLLOWER')
  const sending = producer.send({ topic: 'orders', key: 'k', value: 'v' })
  await fault.hit()
  kafka.setPartitions('orders', 4)
  const [metadata] = await sending
  expect(metadata?.partition).toBe(1)
  expect(asked).toEqual([['k', 2]])
  await until(() => requestsOf(kafka, 'Metadata').length >= 2, 'a refresh')
  const [next] = await producer.send({ topic: 'orders', key: 'k', value: 'v' })
  expect(next?.partition).toBe(3)
})

it('a keyless message that was written keeps its partition when it is tried again', async () => {
  const kafka = await startKafka({ topics: { orders: { partitions: 8 } } })
  const producer = startProducer(kafka)
  kafka.cut({ api: 'Produce', times: 5 }, 'before')
  await producer.send({ topic: 'orders', value: 'v' })
  expect(new Set(requestsOf(kafka, 'Produce').flatMap(partitionsOf)).size).toBe(1)
})

it('the retry of one partition resends nothing of the others', async () => {
  const kafka = await startKafka({ topics: { orders: { partitions: 3 } } })
  const producer = startProducer(kafka)
  kafka.fail({ api: 'Produce', partition: 1, times: 2 }, 'NOT_LEADER_OR_FOLLOWER')
  const results = await producer.send(
    [0, 1, 2].map((partition) => ({ topic: 'orders', partition, value: `p${partition}` })),
  )
  expect(results.map(({ offset }) => offset)).toEqual([0n, 0n, 0n])
  expect(requestsOf(kafka, 'Produce').map(partitionsOf)).toEqual([
    ['orders-0', 'orders-1', 'orders-2'],
    ['orders-1'],
    ['orders-1'],
  ])
  expect(stored(kafka, 'orders')).toEqual(['p0', 'p1', 'p2'])
})

it('a refused partition goes alone to its own new leader', async () => {
  const kafka = await startKafka({ brokers: 3, topics: { orders: { partitions: 3 } } })
  const producer = startProducer(kafka)
  await producer.send([0, 1, 2].map((partition) => ({ topic: 'orders', partition, value: 'warm' })))
  for (const partition of [0, 1, 2]) kafka.moveLeader('orders', partition, 1)
  await producer.partitionsFor('orders')
  kafka.clearRequests()
  kafka.moveLeader('orders', 1, 2)
  kafka.moveLeader('orders', 2, 3)
  const results = await producer.send(
    [0, 1, 2].map((partition) => ({ topic: 'orders', partition, value: `p${partition}` })),
  )
  expect(results.map(({ offset }) => offset)).toEqual([1n, 1n, 1n])
  const sent = requestsOf(kafka, 'Produce').map((request) => `${request.broker}: ${partitionsOf(request).join()}`)
  expect(sent[0]).toBe('1: orders-0,orders-1,orders-2')
  expect(sent.slice(1).sort()).toEqual(['2: orders-1', '3: orders-2'])
})
