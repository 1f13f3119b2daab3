import { describe, expect, it } from 'vitest'
import { Producer, ProducerClosedError, SerializationError } from '../../../src/index.js'
import { SessionFactory } from '../../../src/network/session/session.js'
import { Slots } from '../../../src/network/streams/slots.js'
import { SyncProducer } from '../../../src/producer/brokers/sync-producer.js'
import { startKafka } from '../support/cluster.js'
import {
  deadAddress,
  deliveryErrorOf,
  errorOf,
  expectNothingHeld,
  failureOf,
  outcomes,
  partitionsOf,
  portOf,
  requestsOf,
  startProducer,
  stored,
  until,
  valuesOf,
} from '../support/producers.js'

/* The cases that Kafka 0.8's own producer was tested for, as far as they concern sync mode. */

it('send after close', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka)
  await producer.send({ topic: 'orders', value: '1' })
  await producer.close()
  const error = await errorOf(producer.send({ topic: 'orders', value: '2' }))
  expect(error).toBeInstanceOf(ProducerClosedError)
  expect(error.code).toBe('PRODUCER_CLOSED')
  expect(stored(kafka, 'orders')).toEqual(['1'])
})

it('collation across two topics, two brokers and partition-key overrides', async () => {
  const kafka = await startKafka({ brokers: 2, topics: { topic1: { partitions: 2 }, topic2: { partitions: 2 } } })
  const producer = startProducer(kafka, { partitioner: (key: unknown, count: number) => Number(key) % count })
  const results = await producer.send([
    { topic: 'topic1', key: '0', value: 'msg1' },
    { topic: 'topic2', key: '99', value: 'msg2' },
    { topic: 'topic1', key: '2', value: 'msg3' },
    { topic: 'topic2', key: '2', partitionKey: '1', value: 'msg4' },
    { topic: 'topic1', key: '3', partitionKey: '4', value: 'msg5' },
  ])
  expect(results.map(({ topic, partition, offset }) => `${topic}-${partition}@${offset}`)).toEqual([
    'topic1-0@0',
    'topic2-1@0',
    'topic1-0@1',
    'topic2-1@1',
    'topic1-0@2',
  ])
  expect(stored(kafka, 'topic1', 0)).toEqual(['msg1', 'msg3', 'msg5'])
  expect(stored(kafka, 'topic2', 1)).toEqual(['msg2', 'msg4'])
  // What overrides the key is never stored.
  expect(kafka.records('topic1').map(({ key }) => key?.toString())).toEqual(['0', '2', '3'])
  expect(kafka.records('topic2').map(({ key }) => key?.toString())).toEqual(['99', '2'])
  const sent = requestsOf(kafka, 'Produce').map((request) => [request.broker, partitionsOf(request).sort()])
  expect(sent.sort()).toEqual([
    [kafka.leaderOf('topic1', 0), ['topic1-0']],
    [kafka.leaderOf('topic2', 1), ['topic2-1']],
  ])
})

describe('serialization', () => {
  it('strings as UTF-8, bytes as they are', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    const bytes = Buffer.from([0, 255, 128, 1])
    await producer.send([
      { topic: 'orders', key: 'ключ', value: 'żółw 🐢' },
      { topic: 'orders', key: bytes, value: new Uint8Array(bytes) },
    ])
    const [text, binary] = kafka.records('orders')
    expect([text?.key?.toString(), text?.value?.toString()]).toEqual(['ключ', 'żółw 🐢'])
    expect([binary?.key, binary?.value]).toEqual([bytes, bytes])
  })

  it('values and keys each by their own encoder', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, {
      encoder: { encode: (value: unknown, { topic }: { topic: string }) => `${topic}:${JSON.stringify(value)}` },
      keyEncoder: { encode: (key: unknown) => Buffer.from(String(key)) },
    })
    await producer.send({ topic: 'orders', key: 17, value: { total: 42 } })
    const [record] = kafka.records('orders')
    expect([record?.key?.toString(), record?.value?.toString()]).toEqual(['17', 'orders:{"total":42}'])
  })

  it("keys are encoded by the values' encoder unless they have their own", async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { encoder: { encode: (value: unknown) => `<${String(value)}>` } })
    await producer.send({ topic: 'orders', key: 'k', value: 'v' })
    expect(kafka.records('orders')[0]?.key?.toString()).toBe('<k>')
  })
})

it('a partitioner that answers -1', async () => {
  const kafka = await startKafka({ topics: { orders: { partitions: 2 }, other: {} } })
  const producer = startProducer(kafka, { partitioner: (key: unknown) => Number(key) })
  const { results } = await failureOf(
    producer.send([
      { topic: 'orders', key: '-1', value: 'bad' },
      { topic: 'orders', key: '0', value: 'good' },
    ]),
  )
  expect(outcomes(results)).toEqual(['INVALID_PARTITION', 0n])
  expect(results[0]).toMatchObject({ attempts: 0, mayHaveBeenWritten: false, retriable: false })
  expect(stored(kafka, 'orders')).toEqual(['good'])
  expectNothingHeld(producer)
})

it.each(['2', '0.5', 'NaN', 'Infinity'])('a partitioner that answers %s, which is no partition', async (answer) => {
  const kafka = await startKafka({ topics: { orders: { partitions: 2 } } })
  const producer = startProducer(kafka, { partitioner: () => Number(answer) })
  expect((await deliveryErrorOf(producer.send({ topic: 'orders', key: 'k', value: 'v' }))).code).toBe(
    'INVALID_PARTITION',
  )
})

it('a partitioner that throws', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const cause = new Error('no')
  const producer = startProducer(kafka, {
    partitioner: () => {
      throw cause
    },
  })
  const error = await deliveryErrorOf(producer.send({ topic: 'orders', key: 'k', value: 'v' }))
  expect([error.code, (error.cause as Error).cause]).toEqual(['INVALID_PARTITION', cause])
})

it('a partition that the topic does not have', async () => {
  const kafka = await startKafka({ topics: { orders: { partitions: 2 } } })
  const producer = startProducer(kafka)
  const error = await deliveryErrorOf(producer.send({ topic: 'orders', partition: 2, value: 'v' }))
  expect([error.code, error.message]).toEqual(['INVALID_PARTITION', expect.stringContaining('partitions 0 to 1')])
})

it('no broker for a topic: the message waits for a leader, and fails at its deadline', async () => {
  const kafka = await startKafka({ brokers: 2, topics: { orders: {}, other: {} } })
  kafka.moveLeader('orders', 0, -1)
  const producer = startProducer(kafka, { deliveryTimeoutMs: 800 })
  const orphan = producer.send({ topic: 'orders', value: '1' })
  await producer.send({ topic: 'other', value: '2' })
  const error = await deliveryErrorOf(orphan)
  expect(error).toMatchObject({ code: 'DELIVERY_TIMEOUT', attempts: 0, mayHaveBeenWritten: false, partition: 0 })
  expect(error.message).toContain('LEADER_NOT_AVAILABLE')
  expect(stored(kafka, 'other')).toEqual(['2'])
  expectNothingHeld(producer)
})

it('an encoder that does not fit the value: nothing of the call is sent', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka)
  const error = await errorOf(
    producer.send([
      { topic: 'orders', value: 'fits' },
      { topic: 'orders', value: 17 },
    ]),
  )
  expect(error).toBeInstanceOf(SerializationError)
  expect(error.code).toBe('SERIALIZATION_FAILED')
  await producer.send({ topic: 'orders', value: 'next' })
  expect(stored(kafka, 'orders')).toEqual(['next'])
  expect(producer.stats().serializationErrors).toBe(1)
  expectNothingHeld(producer)
})

it('null keys: they spread over the partitions that have a leader, and are stored as null', async () => {
  const kafka = await startKafka({ topics: { orders: { partitions: 3 } } })
  kafka.moveLeader('orders', 1, -1)
  const producer = startProducer(kafka)
  const value = 'x'.repeat(16_384)
  for (let i = 0; i < 40; i++) await producer.send({ topic: 'orders', key: null, value })
  const records = kafka.records('orders')
  expect(new Set(records.map(({ partition }) => partition))).toEqual(new Set([0, 2]))
  expect(records.every(({ key }) => key === null)).toBe(true)
})

it.each(['0.8.2', '0.11', '4'])(
  'Kafka %s: a first request fails whole, the second for one partition of two, the third succeeds with only that one',
  async (release) => {
    const kafka = await startKafka({ release, topics: { orders: { partitions: 2 } } })
    const producer = startProducer(kafka)
    const cut = kafka.cut({ api: 'Produce' })
    const sending = producer.send([
      { topic: 'orders', partition: 0, value: 'a0' },
      { topic: 'orders', partition: 1, value: 'a1' },
      { topic: 'orders', partition: 0, value: 'b0' },
      { topic: 'orders', partition: 1, value: 'b1' },
    ])
    await cut.hit()
    kafka.fail({ api: 'Produce', topic: 'orders', partition: 0 }, 'NOT_LEADER_OR_FOLLOWER')
    const results = await sending
    expect(requestsOf(kafka, 'Produce').map(partitionsOf)).toEqual([
      ['orders-0', 'orders-1'],
      ['orders-0', 'orders-1'],
      ['orders-0'],
    ])
    expect(results.map(({ partition, offset }) => [partition, offset])).toEqual([
      [0, 0n],
      [1, 0n],
      [0, 1n],
      [1, 1n],
    ])
    expect(stored(kafka, 'orders', 0)).toEqual(['a0', 'b0'])
    expect(stored(kafka, 'orders', 1)).toEqual(['a1', 'b1'])
    expect(producer.stats().resends).toBe(3)
    expectNothingHeld(producer)
  },
)

it('a bootstrap list where the first broker is dead', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(`${await deadAddress()},${await deadAddress()},${kafka.bootstrap}`)
  for (let i = 0; i < 5; i++) await producer.send({ topic: 'orders', value: String(i) })
  expect(stored(kafka, 'orders')).toHaveLength(5)
})

it('a bootstrap list where every broker is dead', async () => {
  const producer = startProducer(`${await deadAddress()},${await deadAddress()}`, { deliveryTimeoutMs: 150 })
  const error = await deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))
  expect(error).toMatchObject({
    code: 'DELIVERY_TIMEOUT',
    retriable: true,
    attempts: 0,
    mayHaveBeenWritten: false,
    partition: undefined,
  })
  expect(error.message).toContain('none of the bootstrap list answered')
  expect((error.cause as Error).cause).toMatchObject({ code: 'METADATA_UNAVAILABLE' })
  expectNothingHeld(producer)
})

it.each(['0.8.2', '0.10.2', '2.8', '4'])('Kafka %s: a new topic is created by the first message', async (release) => {
  const kafka = await startKafka({ release, defaultPartitions: 2 })
  const producer = startProducer(kafka)
  const [metadata] = await producer.send({ topic: 'new-topic', partition: 1, value: 'first' })
  expect(metadata?.toJSON()).toMatchObject({ topic: 'new-topic', partition: 1, offset: '0' })
  expect(stored(kafka, 'new-topic')).toEqual(['first'])
})

it('a broker killed and restarted between sends', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka)
  await producer.send({ topic: 'orders', value: '1' })
  await kafka.stopBroker(1)
  const whileDown = producer.send({ topic: 'orders', value: '2' })
  await kafka.startBroker(1)
  await whileDown
  await kafka.stopBroker(1)
  await kafka.startBroker(1)
  await producer.send({ topic: 'orders', value: '3' })
  expect(stored(kafka, 'orders')).toEqual(['1', '2', '3'])
})

it('a broker killed for good: the replica that leads now gets the messages', async () => {
  const kafka = await startKafka({ brokers: 2, topics: { orders: {} } })
  const producer = startProducer(kafka)
  await producer.send({ topic: 'orders', value: '1' })
  await kafka.stopBroker(kafka.leaderOf('orders', 0))
  await producer.send({ topic: 'orders', value: '2' })
  expect(stored(kafka, 'orders')).toEqual(['1', '2'])
})

it('a broker that accepts and never answers: the time-out is kept, not shorter', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka, { requestTimeoutMs: 300, retries: 0 })
  await producer.send({ topic: 'orders', value: 'warm' })
  kafka.stall({ api: 'Produce' })
  const before = performance.now()
  const error = await deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))
  expect(error).toMatchObject({ code: 'REQUEST_TIMEOUT', mayHaveBeenWritten: true, attempts: 1 })
  // The time-out on the wire, and a second for an answer that was gathered until then.
  expect(performance.now() - before).toBeGreaterThanOrEqual(1_295)
})

it('a broker of 0.8 that accepts and never answers: its time-out is kept, with nothing added', async () => {
  const kafka = await startKafka({ release: '0.8.2', topics: { orders: {} } })
  const producer = startProducer(kafka, { requestTimeoutMs: 300, retries: 0 })
  await producer.send({ topic: 'orders', value: 'warm' })
  kafka.stall({ api: 'Produce' })
  const before = performance.now()
  const error = await deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))
  expect(error).toMatchObject({ code: 'REQUEST_TIMEOUT', mayHaveBeenWritten: true })
  expect(error.message).toContain('within 300 ms')
  expect(performance.now() - before).toBeGreaterThanOrEqual(295)
})

it.each(['0.8.2', '0.10.2', '4'])('Kafka %s: null values are tombstones', async (release) => {
  const kafka = await startKafka({ release, topics: { orders: {} } })
  const producer = startProducer(kafka)
  await producer.send([
    { topic: 'orders', key: 'k', value: null },
    { topic: 'orders', key: '', value: '' },
  ])
  const [tombstone, empty] = kafka.records('orders')
  expect([tombstone?.key?.toString(), tombstone?.value]).toEqual(['k', null])
  expect([empty?.key?.length, empty?.value?.length]).toEqual([0, 0])
})

describe('an empty produce request', () => {
  it('send of no messages resolves at once with no metadata', async () => {
    const producer = startProducer(await deadAddress())
    expect(await producer.send([])).toEqual([])
  })

  it.each([
    ['0.8.2', 0],
    ['1.1', 5],
    ['4', 12],
  ])('Kafka %s answers one without topics', async (release, version) => {
    const kafka = await startKafka({ release })
    const sessions = new SessionFactory({
      clientId: 'empty',
      connectTimeoutMs: 1_000,
      requestTimeoutMs: 1_000,
      maxResponseBytes: 1_000,
      maxIdleMs: 10_000,
      softwareVersion: '0',
      legacyOnly: false,
    })
    try {
      const address = { host: '127.0.0.1', port: portOf(kafka.bootstrap) }
      const times = { requestTimeoutMs: 1_000, deliveryTimeoutMs: 1_000, retryBackoffMs: 1, retryBackoffMaxMs: 1 }
      const sync = new SyncProducer(1, address, sessions, new Slots(1), times)
      const session = await sync.connect()
      const request = { transactionalId: null, acks: 1, timeoutMs: 1_000, topicData: [] }
      expect(
        (
          await sync.send(
            session,
            version,
            request,
            () => undefined,
            () => undefined,
          )
        )?.responses,
      ).toEqual([])
    } finally {
      await sessions.close(100)
    }
  })
})

describe("a message over the broker's limit", () => {
  it.each(['0.8.2', '0.10.2', '2.8', '4'])(
    'Kafka %s, acks 1: error 10, and the next send is none the worse',
    async (release) => {
      const kafka = await startKafka({ release, messageMaxBytes: 1_000, topics: { orders: {} } })
      const producer = startProducer(kafka, { acks: 1 })
      const error = await deliveryErrorOf(producer.send({ topic: 'orders', value: 'x'.repeat(2_000) }))
      expect(error).toMatchObject({
        code: 'MESSAGE_TOO_LARGE',
        retriable: false,
        attempts: 1,
        mayHaveBeenWritten: false,
        partition: 0,
      })
      expect(error.cause).toMatchObject({ errorCode: 10 })
      await producer.send({ topic: 'orders', value: 'small' })
      expect(stored(kafka, 'orders')).toEqual(['small'])
      expectNothingHeld(producer)
    },
  )

  it.each(['0.8.2', '4'])(
    'Kafka %s, acks 0: the broker closes the connection, and the next send notices',
    async (release) => {
      const kafka = await startKafka({ release, messageMaxBytes: 1_000, topics: { orders: {} } })
      const producer = startProducer(kafka, { acks: 0 })
      const [lost] = await producer.send({ topic: 'orders', value: 'x'.repeat(2_000) })
      expect([lost?.acknowledged, lost?.offset]).toEqual([false, -1n])
      const { connection } = await kafka.waitForRequest({ api: 'Produce' })
      await until(() => kafka.connections.every(({ id }) => id !== connection), 'the broker closed the connection')
      await until(() => producer.stats().queueMessages === 0, 'nothing under way')
      // The client's side of the connection ends a moment after the broker's.
      await new Promise((resolve) => setImmediate(resolve))
      await until(() => kafka.connections.length <= 1, 'only the connection for metadata is left')
      await producer.send({ topic: 'orders', value: 'small' })
      expect(valuesOf(await kafka.waitForRecords('orders', 1))).toEqual(['small'])
    },
  )
})

it.each(['0.8.2', '0.11', '4'])('Kafka %s: partitions on the wrong broker', async (release) => {
  const kafka = await startKafka({ release, brokers: 2, topics: { orders: { partitions: 2 } } })
  const producer = startProducer(kafka)
  await producer.send([
    { topic: 'orders', partition: 0, value: '1' },
    { topic: 'orders', partition: 1, value: '2' },
  ])
  const [one, two] = [kafka.leaderOf('orders', 0), kafka.leaderOf('orders', 1)]
  kafka.moveLeader('orders', 0, two)
  kafka.moveLeader('orders', 1, one)
  await producer.send([
    { topic: 'orders', partition: 0, value: '3' },
    { topic: 'orders', partition: 1, value: '4' },
  ])
  expect([stored(kafka, 'orders', 0), stored(kafka, 'orders', 1)]).toEqual([
    ['1', '3'],
    ['2', '4'],
  ])
})

it('min.insync.replicas not met with acks -1: error 19, nothing written, tried again until it is met', async () => {
  const kafka = await startKafka({ brokers: 2, topics: { orders: { config: { 'min.insync.replicas': 2 } } } })
  const idle = [1, 2].find((id) => id !== kafka.leaderOf('orders', 0)) as number
  await kafka.stopBroker(idle)
  const limited = startProducer(kafka, { retries: 2 })
  const error = await deliveryErrorOf(limited.send({ topic: 'orders', value: 'x' }))
  expect(error).toMatchObject({ code: 'NOT_ENOUGH_REPLICAS', retriable: true, attempts: 3, mayHaveBeenWritten: false })
  expect(error.cause).toMatchObject({ errorCode: 19 })
  await startProducer(kafka, { acks: 1 }).send({ topic: 'orders', value: 'leader alone' })

  const patient = startProducer(kafka)
  kafka.clearRequests()
  const sending = patient.send({ topic: 'orders', value: 'both' })
  await kafka.waitForRequest({ api: 'Produce' }, { count: 3 })
  await kafka.startBroker(idle)
  await sending
  expect(stored(kafka, 'orders')).toEqual(['leader alone', 'both'])
})

it('a producer needs nothing but brokers', async () => {
  const kafka = await startKafka()
  await using producer = new Producer({ brokers: kafka.bootstrap })
  const [metadata] = await producer.send({ topic: 'orders', key: 'o-17', value: '{"total":42}' })
  expect(metadata).toMatchObject({ topic: 'orders', partition: 0, offset: 0n, acknowledged: true })
})
