import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { DeliveryTimeoutError, type RecordMetadata } from '../../../src/index.js'
import { SocketWatch } from '../../kafka/support/sockets.js'
import { startKafka } from '../support/cluster.js'
import { deliveryErrorOf, failureOf, requestsOf, startProducer, stored, turns, until } from '../support/producers.js'
import {
  BATCH_BYTES,
  epochsIn,
  expectWhole,
  LARGE,
  numbersIn,
  putOnTheWire,
  sendMany,
  upTo,
} from '../support/sequences.js'

describe('by default', () => {
  it.each(['0.11', '1.1', '2.8', '4'] as const)('messages to Kafka %s have sequences', async (release) => {
    const kafka = await startKafka({ release, topics: { orders: { partitions: 2 } } })
    const producer = startProducer(kafka)
    expect(producer.stats().idempotent).toBeUndefined()
    for (let i = 0; i < 6; i++) await producer.send({ topic: 'orders', value: String(i), partition: i % 2 })
    expect(producer.stats().idempotent).toBe(true)
    for (const partition of [0, 1])
      expectWhole(kafka.records('orders').filter((record) => record.partition === partition))
    expect(requestsOf(kafka, 'InitProducerId')).toHaveLength(1)
  })

  it.each([
    ['Kafka 0.10', '0.10.2', {}],
    ['acks 1', '4', { acks: 1 }],
    ['acks 0', '4', { acks: 0 }],
    ['idempotent: false', '4', { idempotent: false }],
  ] as const)('with %s they have none', async (_, release, options) => {
    const kafka = await startKafka({ release, topics: { orders: {} } })
    const producer = startProducer(kafka, options)
    await producer.send({ topic: 'orders', value: 'x' })
    await producer.close()
    expect(kafka.records('orders').map(({ sequence }) => sequence)).toEqual([-1])
    expect(producer.stats().idempotent).toBe(false)
    expect(requestsOf(kafka, 'InitProducerId')).toHaveLength(0)
  })

  it('brokers that do not allow it get messages without, and it is told once', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    kafka.fail({ api: 'InitProducerId', times: Infinity }, 'CLUSTER_AUTHORIZATION_FAILED')
    const producer = startProducer(kafka)
    const warnings: string[] = []
    producer.on('warning', ({ code }) => warnings.push(code))
    for (let i = 0; i < 3; i++) await producer.send({ topic: 'orders', value: String(i) })
    expect(stored(kafka, 'orders')).toEqual(['0', '1', '2'])
    expect(producer.stats().idempotent).toBe(false)
    expect(warnings).toEqual(['KAFKA_PRODUCER_NOT_IDEMPOTENT'])
    expect(requestsOf(kafka, 'InitProducerId')).toHaveLength(1)
  })

  it('a topic whose brokers take no sequences for it gets messages without, the others with them', async () => {
    const kafka = await startKafka({ topics: { orders: {}, old: {} } })
    kafka.fail({ api: 'Produce', topic: 'old' }, 'UNSUPPORTED_FOR_MESSAGE_FORMAT')
    const producer = startProducer(kafka)
    const warnings: string[] = []
    producer.on('warning', ({ message }) => warnings.push(message))
    await producer.send(['1', '2'].flatMap((value) => ['orders', 'old'].map((topic) => ({ topic, value }))))
    await producer.send({ topic: 'old', value: '3' })
    expect(kafka.records('old').map(({ sequence }) => sequence)).toEqual([-1, -1, -1])
    expect(stored(kafka, 'old')).toEqual(['1', '2', '3'])
    expectWhole(kafka.records('orders'))
    expect(producer.stats()).toMatchObject({ idempotent: true, notIdempotentTopics: ['old'] })
    expect(warnings).toEqual([expect.stringContaining("'old'")])
  })
})

describe('in a cluster that is being upgraded', () => {
  const CLUSTER = { brokers: [{ release: '1.1' }, { release: '0.10.2' }], topics: { orders: { partitions: 2 } } }

  it.each(['older', 'newer'])(
    'messages have sequences where a leader has them, whichever is met first: the %s',
    async (which) => {
      const kafka = await startKafka(CLUSTER)
      const producer = startProducer(kafka)
      const warnings: string[] = []
      producer.on('warning', ({ code }) => warnings.push(code))
      const [newer, older] = kafka.leaderOf('orders', 0) === 1 ? [0, 1] : [1, 0]
      for (const partition of which === 'older' ? [older, newer] : [newer, older])
        for (const value of ['1', '2']) await producer.send({ topic: 'orders', partition, value })
      const sequences = (partition: number) =>
        kafka
          .records('orders')
          .filter((record) => record.partition === partition)
          .map(({ sequence }) => sequence)
      expect([sequences(newer), sequences(older)]).toEqual([
        [0, 1],
        [-1, -1],
      ])
      expect(producer.stats().idempotent).toBe(false)
      expect(warnings).toEqual(which === 'newer' ? ['KAFKA_PRODUCER_NOT_IDEMPOTENT'] : [])

      await producer.send({ topic: 'orders', partition: older, value: '3' })
      expect(warnings).toEqual(['KAFKA_PRODUCER_NOT_IDEMPOTENT'])
      await kafka.upgradeBroker(2, '1.1')
      await producer.send({ topic: 'orders', partition: older, value: '4' })
      expect(sequences(older)).toEqual([-1, -1, -1, 0])
      expect(producer.stats().idempotent).toBe(true)
      expect(warnings).toHaveLength(1)
    },
  )
})

describe('where it was asked for', () => {
  it.each([
    ['Kafka 0.10', '0.10.2', undefined, 'UNSUPPORTED_VERSION'],
    ['brokers that do not allow it', '4', 'InitProducerId', 'CLUSTER_AUTHORIZATION_FAILED'],
    ['a topic of an older format', '4', 'Produce', 'UNSUPPORTED_FOR_MESSAGE_FORMAT'],
  ] as const)('messages fail with %s', async (_, release, api, code) => {
    const kafka = await startKafka({ release, topics: { orders: {} } })
    if (api !== undefined) kafka.fail({ api, times: Infinity }, code)
    const producer = startProducer(kafka, { idempotent: true })
    expect(await deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))).toMatchObject({ code })
    expect(stored(kafka, 'orders')).toEqual([])
  })
})

it('twenty concurrent sends have an offset each, and all are there, though answers are lost', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka)
  kafka.cut({ api: 'Produce', times: 2 }, 'after')
  const values = Array.from({ length: 20 }, (_, i) => String(i))
  const sent = await Promise.all(values.map((value) => producer.send({ topic: 'orders', value })))
  expect(sent.map(([{ offset }]) => Number(offset))).toEqual(values.map(Number))
  expect(stored(kafka, 'orders')).toEqual(values)
})

it('what the program gives twice is two messages', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka)
  const message = { topic: 'orders', value: 'x' }
  await Promise.all([producer.send(message), producer.send(message)])
  expect(stored(kafka, 'orders')).toEqual(['x', 'x'])
})

describe('what was written is not written twice', () => {
  it('after an answer that was lost', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    kafka.cut({ api: 'Produce' }, 'after')
    const [metadata] = await producer.send({ topic: 'orders', value: 'x' })
    expect(metadata.offset).toBe(0n)
    expect(stored(kafka, 'orders')).toEqual(['x'])
  })

  it.each(['REQUEST_TIMED_OUT', 'NOT_ENOUGH_REPLICAS_AFTER_APPEND'])('after %s', async (error) => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    kafka.fail({ api: 'Produce', times: 3 }, error, { append: true })
    await producer.send(['1', '2'].map((value) => ({ topic: 'orders', value })))
    await producer.send({ topic: 'orders', value: '3' })
    expect(stored(kafka, 'orders')).toEqual(['1', '2', '3'])
    expectWhole(kafka.records('orders'))
  })

  it.each(['NOT_LEADER_OR_FOLLOWER', 'KAFKA_STORAGE_ERROR'])(
    'by a leader that wrote it and then answers %s, though another partition starts over meanwhile',
    async (error) => {
      const kafka = await startKafka({ topics: { orders: { partitions: 2 } } })
      const producer = startProducer(kafka)
      const messages = [0, 1].map((partition) => ({ topic: 'orders', value: `${partition}`, partition }))
      await producer.send(messages)
      kafka.fail({ api: 'Produce', topic: 'orders', partition: 0 }, error, { append: true })
      kafka.fail({ api: 'Produce', topic: 'orders', partition: 1 }, 'OUT_OF_ORDER_SEQUENCE_NUMBER')
      await producer.send(messages)
      expect(stored(kafka, 'orders').sort()).toEqual(['0', '0', '1', '1'])
      expect(epochsIn(kafka)).toEqual([0, 1])
    },
  )

  it('nor what was behind it when the connection was lost', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, BATCH_BYTES)
    await Promise.all(sendMany(producer, 0, 2))
    const first = kafka.stall({ api: 'Produce' }, 'after')
    const sent = [sendMany(producer, 2, 3)]
    await first.hit()
    for (let i = 3; i < 8; i++) {
      sent.push(sendMany(producer, i, i + 1))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await sleep(20)
    kafka.dropConnections(1)
    first.release()
    await Promise.all(sent.flat())
    expect(numbersIn(kafka.records('orders'))).toEqual(upTo(8))
    expectWhole(kafka.records('orders'))
  })
})

describe('several batches of a partition are on their way', () => {
  /** How many of the large batches are on the wire while the broker answers none. */
  async function mostAtOnce(release: '0.11' | '4', options = {}): Promise<number> {
    using watch = new SocketWatch()
    const kafka = await startKafka({ release, topics: { orders: {} } })
    const producer = startProducer(kafka, { ...BATCH_BYTES, ...options })
    await Promise.all(sendMany(producer, 0, 1))
    const written = () => watch.sockets.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0)
    const before = written()
    const stalled = kafka.stall({ api: 'Produce', times: Infinity })
    const sent: Promise<RecordMetadata[]>[] = []
    for (let i = 1; i < 10; i++) {
      sent.push(...sendMany(producer, i, i + 1))
      await turns(5)
    }
    await stalled.hit()
    const count = Math.floor((written() - before) / LARGE.length)
    stalled.release()
    await Promise.all(sent)
    expect(numbersIn(kafka.records('orders'))).toEqual(upTo(10))
    return count
  }

  it('five with sequences', async () => {
    expect(await mostAtOnce('4')).toBe(5)
    expect(await mostAtOnce('4', { maxInFlight: 3 })).toBe(3)
  })

  it('to Kafka 0.11 and without sequences one', async () => {
    expect(await mostAtOnce('0.11')).toBe(1)
    expect(await mostAtOnce('4', { idempotent: false })).toBe(1)
  })

  it('to a leader that has acknowledged one', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { orders: { replicationFactor: 2 } } })
    const producer = startProducer(kafka, BATCH_BYTES)
    await Promise.all(sendMany(producer, 0, 1))
    const old = kafka.leaderOf('orders', 0)
    kafka.moveLeader('orders', 0, 3 - old)
    await producer.partitionsFor('orders')
    using watch = new SocketWatch()
    const stalled = kafka.stall({ api: 'Produce' })
    const sent: Promise<RecordMetadata[]>[] = []
    for (let i = 1; i < 10; i++) {
      sent.push(...sendMany(producer, i, i + 1))
      await turns(5)
    }
    await stalled.hit()
    const bytes = watch.sockets.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0)
    expect(Math.floor(bytes / LARGE.length)).toBe(1)
    stalled.release()
    await Promise.all(sent)
    expect(numbersIn(kafka.records('orders'))).toEqual(upTo(10))
  })

  it('with a codec off the event loop they go out in order', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    let calls = 0
    const producer = startProducer(kafka, {
      ...BATCH_BYTES,
      compression: 'slow',
      codecs: [
        {
          name: 'slow',
          id: 1,
          // The first ones take longest.
          compress: async () => {
            await sleep(calls++ < 3 ? 20 : 0)
            throw new Error('as it is')
          },
          decompress: (bytes) => Buffer.from(bytes),
        },
      ],
    })
    const sent: Promise<RecordMetadata[]>[] = []
    for (let i = 0; i < 10; i++) {
      sent.push(...sendMany(producer, i, i + 1))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await Promise.all(sent)
    expect(numbersIn(kafka.records('orders'))).toEqual(upTo(10))
    expectWhole(kafka.records('orders'))
    expect(epochsIn(kafka)).toEqual([0])
  })
})

describe('where sequences are missing the next epoch goes on', () => {
  it.each(['OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID', 'INVALID_PRODUCER_EPOCH'])(
    'after %s',
    async (error) => {
      const kafka = await startKafka({ topics: { orders: {}, others: {} } })
      const producer = startProducer(kafka)
      for (const topic of ['orders', 'others']) await producer.send({ topic, value: '1' })
      kafka.fail({ api: 'Produce', topic: 'orders' }, error)
      await producer.send({ topic: 'orders', value: '2' })
      await producer.send({ topic: 'orders', value: '3' })
      await producer.send({ topic: 'others', value: '2' })
      expect(stored(kafka, 'orders')).toEqual(['1', '2', '3'])
      expectWhole(kafka.records('orders'))
      expectWhole(kafka.records('others'))
      expect(epochsIn(kafka)).toEqual([0, 1])
    },
  )

  it.each(['1.1', '2.8', '4'])(
    'Kafka %s: without retries, too, where retention has deleted all before it',
    async (release) => {
      const kafka = await startKafka({ release, topics: { orders: { config: { 'retention.bytes': 1 } } } })
      const producer = startProducer(kafka, { retries: 0 })
      const stranger = startProducer(kafka, { idempotent: false })
      for (let round = 0; round < 2; round++) {
        await producer.send({ topic: 'orders', value: 'before' })
        await stranger.send({ topic: 'orders', value: 'in its place' })
        expect(stored(kafka, 'orders')).toEqual(['in its place'])
      }
      expect(producer.stats()).toMatchObject({ acknowledged: 2, failed: 0 })
    },
  )

  it('but what may be in the log fails with that', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    await producer.send({ topic: 'orders', value: '1' })
    const timedOut = kafka.fail({ api: 'Produce' }, 'REQUEST_TIMED_OUT', { append: false })
    const lost = producer.send({ topic: 'orders', value: '2' })
    await timedOut.hit()
    kafka.fail({ api: 'Produce' }, 'UNKNOWN_PRODUCER_ID')
    const error = await deliveryErrorOf(lost)
    expect(error).toMatchObject({ code: 'UNKNOWN_PRODUCER_ID', mayHaveBeenWritten: true })
    await producer.send({ topic: 'orders', value: '3' })
    expect(stored(kafka, 'orders')).toEqual(['1', '3'])
    expect(epochsIn(kafka)).toEqual([0, 1])
  })

  it('after a deadline that passed with the fate unknown', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { deliveryTimeoutMs: 1_000, requestTimeoutMs: 300 })
    await producer.send({ topic: 'orders', value: '1' })
    const timedOut = kafka.fail({ api: 'Produce', times: Infinity }, 'REQUEST_TIMED_OUT', { append: false })
    const error = await deliveryErrorOf(producer.send({ topic: 'orders', value: '2' }))
    expect(error.cause).toBeInstanceOf(DeliveryTimeoutError)
    expect(error.mayHaveBeenWritten).toBe(true)
    timedOut.release()
    await producer.send({ topic: 'orders', value: '3' })
    expect(stored(kafka, 'orders')).toEqual(['1', '3'])
    expect(epochsIn(kafka)).toEqual([0, 1])
  })

  it('but not before what was behind has been found: it does not fail with it', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, {
      ...BATCH_BYTES,
      deliveryTimeoutMs: 3_000,
      requestTimeoutMs: 60_000,
    })
    await Promise.all(sendMany(producer, 0, 1))
    kafka.pauseBroker(1)
    const lost = deliveryErrorOf(sendMany(producer, 1, 2)[0] as Promise<unknown>)
    // So much longer than the first of them do the others have: time enough to be sent again on a busy machine.
    await sleep(2_000)
    const behind = sendMany(producer, 2, 4)
    expect((await lost).cause).toBeInstanceOf(DeliveryTimeoutError)
    kafka.dropConnections(1)
    kafka.resumeBroker(1)
    await Promise.all(behind)
    expect(numbersIn(kafka.records('orders'))).toEqual([0, 1, 2, 3])
    expect(epochsIn(kafka)).toEqual([0])
  })

  it('for a topic that was forgotten meanwhile, or its first messages would be taken for those before', async () => {
    const kafka = await startKafka({ topics: { orders: {}, others: {} } })
    const producer = startProducer(kafka, { metadataMaxIdleMs: 20 })
    await producer.send({ topic: 'orders', value: '1' })
    await sleep(100)
    await producer.send({ topic: 'orders', value: '2' })
    expect(stored(kafka, 'orders')).toEqual(['1', '2'])
    expect(epochsIn(kafka)).toEqual([0, 1])
  })

  it('in a topic that was made anew', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    await producer.send({ topic: 'orders', value: '1' })
    kafka.recreateTopic('orders', {})
    await producer.send({ topic: 'orders', value: '2' })
    await producer.send({ topic: 'orders', value: '3' })
    expect(stored(kafka, 'orders')).toEqual(['2', '3'])
  })

  it.each(['0.11', '1.1'])(
    'Kafka %s: in one that was made anew elsewhere: nobody has written it there',
    async (release) => {
      const kafka = await startKafka({ release, brokers: 2, topics: { orders: { replicationFactor: 2 } } })
      const producer = startProducer(kafka, BATCH_BYTES)
      await Promise.all(sendMany(producer, 0, 1))
      const old = kafka.leaderOf('orders', 0)
      kafka.recreateTopic('orders', { replicationFactor: 2 })
      kafka.moveLeader('orders', 0, 3 - old)
      // The old leader refuses them first, several at once where that is known of the producer.
      await Promise.all(sendMany(producer, 1, 5))
      expect(numbersIn(kafka.records('orders'))).toEqual([1, 2, 3, 4])
      expectWhole(kafka.records('orders'))
    },
  )
})

describe('what the broker refuses', () => {
  it('leaves no gap: neither a message that is too large nor one that is wrong costs those behind it', async () => {
    const kafka = await startKafka({ topics: { orders: { config: { 'max.message.bytes': '50000' } } } })
    const producer = startProducer(kafka, BATCH_BYTES)
    await Promise.all(sendMany(producer, 0, 1))
    const sent = sendMany(producer, 1, 4)
    const tooLarge = producer.send({ topic: 'orders', value: LARGE.repeat(4) })
    sent.push(...sendMany(producer, 4, 7))
    expect(await deliveryErrorOf(tooLarge)).toMatchObject({ code: 'MESSAGE_TOO_LARGE', mayHaveBeenWritten: false })
    await Promise.all(sent)
    expect(numbersIn(kafka.records('orders'))).toEqual(upTo(7))
    expectWhole(kafka.records('orders'))
  })

  it('for a while is sent again as it was, in its order', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, BATCH_BYTES)
    await Promise.all(sendMany(producer, 0, 1))
    kafka.fail({ api: 'Produce', times: 7 }, 'NOT_ENOUGH_REPLICAS')
    const sent: Promise<RecordMetadata[]>[] = []
    for (let i = 1; i < 12; i++) {
      sent.push(...sendMany(producer, i, i + 1))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await Promise.all(sent)
    expect(numbersIn(kafka.records('orders'))).toEqual(upTo(12))
    expectWhole(kafka.records('orders'))
    expect(epochsIn(kafka)).toEqual([0])
  })
})

it('all that is on its way to a leader of before goes on at once to the new one that it tells of', async () => {
  const kafka = await startKafka({ brokers: 2, topics: { orders: { replicationFactor: 2 } } })
  using watch = new SocketWatch()
  const hour = 3_600_000
  const producer = startProducer(kafka, { ...BATCH_BYTES, retryBackoffMs: hour, retryBackoffMaxMs: hour })
  await Promise.all(sendMany(producer, 0, 1))
  const stalled = kafka.stall({ api: 'Produce' })
  const sent = await putOnTheWire(watch, producer, 1, 5)
  kafka.moveLeader('orders', 0, 3 - kafka.leaderOf('orders', 0))
  stalled.release()
  await Promise.all(sent)
  expect(numbersIn(kafka.records('orders'))).toEqual(upTo(5))
  expectWhole(kafka.records('orders'))
})

it('nothing goes to a new leader while the old one owes an answer, and nothing is there twice', async () => {
  const kafka = await startKafka({ brokers: 2, topics: { orders: { replicationFactor: 2 } } })
  const producer = startProducer(kafka, BATCH_BYTES)
  await Promise.all(sendMany(producer, 0, 1))
  const old = kafka.leaderOf('orders', 0)
  const stalled = kafka.stall({ api: 'Produce', broker: old }, 'after')
  const sent = sendMany(producer, 1, 2)
  await stalled.hit()
  kafka.moveLeader('orders', 0, 3 - old)
  await producer.partitionsFor('orders')
  sent.push(...sendMany(producer, 2, 5))
  await until(() => requestsOf(kafka, 'Metadata').length > 1, 'the metadata is known')
  await sleep(20)
  expect(requestsOf(kafka, 'Produce').filter(({ broker }) => broker !== old)).toEqual([])
  stalled.release()
  await Promise.all(sent)
  expect(numbersIn(kafka.records('orders'))).toEqual(upTo(5))
  expectWhole(kafka.records('orders'))
})

it('a list that fails in part tells of each message what became of it', async () => {
  const kafka = await startKafka({ topics: { orders: {}, gone: {} } })
  const producer = startProducer(kafka)
  kafka.fail({ api: 'Produce', topic: 'gone', times: Infinity }, 'TOPIC_AUTHORIZATION_FAILED')
  const { results } = await failureOf(producer.send(['orders', 'gone'].map((topic) => ({ topic, value: 'x' }))))
  expect(results).toEqual([
    expect.objectContaining({ offset: 0n }),
    expect.objectContaining({ mayHaveBeenWritten: false }),
  ])
  kafka.releaseFaults()
  await producer.send({ topic: 'gone', value: 'y' })
  expectWhole(kafka.records('gone'))
})

it('asked for with other acks than -1 it is refused', async () => {
  const kafka = await startKafka()
  expect(() => startProducer(kafka, { acks: 1, idempotent: true })).toThrow(/idempotent: given was true.*acks/)
  expect(() => startProducer(kafka, { brokerVersion: '0.9', idempotent: true })).toThrow(
    /idempotent: given was true.*0\.11/,
  )
})
