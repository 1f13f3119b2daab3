import { describe, expect, it } from 'vitest'
import { DeliveryTimeoutError, type DeliveryError, type RecordMetadata } from '../../../src/index.js'
import { SocketWatch } from '../../kafka/support/sockets.js'
import { startKafka } from '../support/cluster.js'
import { deliveryErrorOf, expectNothingHeld, requestsOf, startProducer, stored, turns } from '../support/producers.js'
import { batchesIn, partitionAnswer, ScriptedBroker, withPartitions } from '../support/scripted-broker.js'
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

/* Where sequences have gone wrong in clients: each case by its name. */

const DUPLICATE_SEQUENCE_NUMBER = 46
const OUT_OF_ORDER_SEQUENCE_NUMBER = 45
const LAST_EPOCH = 32_767

/** A cluster of one topic, and a producer that its leader knows, so that several batches may be on their way. */
async function start(
  cluster: Parameters<typeof startKafka>[0] = {},
  options: Parameters<typeof startProducer>[1] = {},
) {
  const kafka = await startKafka({ topics: { orders: {} }, ...cluster })
  const watch = new SocketWatch()
  const producer = startProducer(kafka, { ...BATCH_BYTES, ...options })
  await Promise.all(sendMany(producer, 0, 1))
  watch[Symbol.dispose]()
  return { kafka, producer, watch }
}

/** The messages that have sequences, by the order of their offsets. */
function numbered(kafka: Awaited<ReturnType<typeof startKafka>>) {
  return kafka.records('orders').filter(({ producerId }) => producerId >= 0)
}

describe('a duplicate answered late', () => {
  it('by a broker that remembers no offset of it is written, and what was behind it goes on', async () => {
    const { kafka, producer } = await start()
    const held = kafka.stall({ api: 'Produce' }, 'after')
    const sent = sendMany(producer, 1, 2)
    await held.hit()
    sent.push(...sendMany(producer, 2, 4))
    kafka.dropConnections(1)
    held.release()
    kafka.fail({ api: 'Produce' }, DUPLICATE_SEQUENCE_NUMBER)
    const told = (await Promise.all(sent)).flat()
    expect(told.map(({ offset, acknowledged }) => [offset, acknowledged])).toEqual([
      [-1n, true],
      [2n, true],
      [3n, true],
    ])
    expect(numbersIn(kafka.records('orders'))).toEqual(upTo(4))
    expectWhole(kafka.records('orders'))
    expect(epochsIn(kafka)).toEqual([0])
  })

  it('after its deadline: its message was told before, and the next one has the next sequence', async () => {
    const { kafka, producer } = await start({}, { deliveryTimeoutMs: 3_000 })
    const held = kafka.stall({ api: 'Produce' }, 'after')
    const late = deliveryErrorOf(sendMany(producer, 1, 2)[0] as Promise<RecordMetadata[]>)
    await held.hit()
    expect(await late).toMatchObject({ code: 'DELIVERY_TIMEOUT', mayHaveBeenWritten: true })
    held.release()
    await Promise.all(sendMany(producer, 2, 3))
    expect(numbersIn(kafka.records('orders'))).toEqual(upTo(3))
    expectWhole(kafka.records('orders'))
  })
})

describe('split with a sequence', () => {
  const SMALL = { topics: { orders: { config: { 'max.message.bytes': '50000' } } } }

  it('batches that are too large go by halves, with all that is behind them in order', async () => {
    const { kafka, producer } = await start(SMALL, { batchBytes: 100_000 })
    await Promise.all(sendMany(producer, 1, 20))
    expect(numbersIn(kafka.records('orders'))).toEqual(upTo(20))
    expectWhole(kafka.records('orders'))
    expect(epochsIn(kafka)).toEqual([0])
  })

  it('one that may be in the log as a whole is not written again by halves', async () => {
    const { kafka, producer } = await start({}, { batchBytes: 100_000 })
    const timedOut = kafka.fail({ api: 'Produce' }, 'REQUEST_TIMED_OUT')
    const values = ['1', '2', '3'].map((n) => ({ topic: 'orders', value: `${n} ${LARGE}` }))
    const sent = Promise.allSettled(values.map((message) => producer.send(message)))
    await timedOut.hit()
    kafka.fail({ api: 'Produce' }, 'MESSAGE_TOO_LARGE')
    // What left that in doubt: none of them is too large by itself.
    const reason = { code: 'REQUEST_TIMED_OUT', mayHaveBeenWritten: true, retriable: true }
    for (const outcome of await sent) expect(outcome).toMatchObject({ status: 'rejected', reason })
    await Promise.all(sendMany(producer, 4, 5))
    expect(numbersIn(kafka.records('orders'))).toEqual(upTo(5))
  })
})

it('leader epoch going back: while brokers tell of the leader before, nothing is lost, twice or out of order', async () => {
  const { kafka, producer } = await start({ brokers: 2, topics: { orders: { replicationFactor: 2 } } })
  const old = kafka.leaderOf('orders', 0)
  const frozen = kafka.freezeMetadata()
  kafka.moveLeader('orders', 0, 3 - old)
  for (let i = 1; i < 12; i += 3) {
    await Promise.all(sendMany(producer, i, i + 3))
    await producer.partitionsFor('orders')
  }
  frozen.release()
  await Promise.all(sendMany(producer, 13, 15))
  expect(numbersIn(kafka.records('orders'))).toEqual([...upTo(13), 13, 14])
  expectWhole(kafka.records('orders'))
  expect(epochsIn(kafka)).toEqual([0])
})

it('two bumps in flight: partitions that lose count under the same epoch go on under the same next one', async () => {
  const kafka = await startKafka({ brokers: 2, topics: { orders: { partitions: 2 } } })
  expect(kafka.leaderOf('orders', 0)).not.toBe(kafka.leaderOf('orders', 1))
  const producer = startProducer(kafka)
  const send = (partition: number, value: string) => producer.send({ topic: 'orders', partition, value })
  await Promise.all([send(0, '1'), send(1, '1')])
  // Both are on their way under the first epoch; the second hears of it when the first has left that.
  const held = kafka.stall({ api: 'Produce', partition: 1 })
  for (const partition of [0, 1]) kafka.fail({ api: 'Produce', topic: 'orders', partition }, 'UNKNOWN_PRODUCER_ID')
  const last = send(1, '2')
  await held.hit()
  await send(0, '2')
  held.release()
  await last
  await Promise.all([send(0, '3'), send(1, '3')])
  for (const partition of [0, 1]) {
    expect(stored(kafka, 'orders', partition)).toEqual(['1', '2', '3'])
    expectWhole(kafka.records('orders').filter((record) => record.partition === partition))
  }
  expect(epochsIn(kafka)).toEqual([0, 1])
})

it('epoch exhaustion: behind the last epoch comes another producer id', async () => {
  const losesCount = new Set([1, 3])
  const broker = await ScriptedBroker.start({
    identities: [
      { producerId: 7n, producerEpoch: LAST_EPOCH - 1 },
      { producerId: 8n, producerEpoch: 0 },
    ],
    onProduce: ({ index }, good) =>
      losesCount.has(index)
        ? withPartitions(good, () => [partitionAnswer(0, { errorCode: OUT_OF_ORDER_SEQUENCE_NUMBER })])
        : good,
  })
  const producer = startProducer(broker.address)
  for (const value of ['1', '2', '3', '4']) await producer.send({ topic: 'orders', value })
  const batches = broker.produced.flatMap(({ request }) => batchesIn(request))
  expect(
    batches.map(({ producerId, producerEpoch, baseSequence }) => [producerId, producerEpoch, baseSequence]),
  ).toEqual([
    [7n, LAST_EPOCH - 1, 0],
    [7n, LAST_EPOCH - 1, 1],
    [7n, LAST_EPOCH, 0],
    [7n, LAST_EPOCH, 1],
    [8n, 0, 0],
    [8n, 0, 1],
  ])
})

describe('a broker that takes no sequences', () => {
  it.each([
    ['UNSUPPORTED_FOR_MESSAGE_FORMAT', 1],
    ['UNSUPPORTED_FOR_MESSAGE_FORMAT', 3],
    ['CLUSTER_AUTHORIZATION_FAILED', 3],
  ])('says %s with others in flight, to %i of them: all go without, in order', async (code, times) => {
    const { kafka, producer, watch } = await start()
    const warnings: string[] = []
    producer.on('warning', ({ code }) => warnings.push(code))
    const held = kafka.stall({ api: 'Produce' })
    kafka.fail({ api: 'Produce', times }, code)
    const sent = await putOnTheWire(watch, producer, 1, 5)
    held.release()
    await Promise.all(sent)
    await Promise.all(sendMany(producer, 5, 7))
    expect(numbersIn(kafka.records('orders'))).toEqual(upTo(7))
    expect(numbersIn(numbered(kafka))).toEqual([0])
    expect(producer.stats()).toMatchObject({ idempotent: true, notIdempotentTopics: ['orders'] })
    expect(warnings).toEqual(['KAFKA_PRODUCER_NOT_IDEMPOTENT'])
  })

  it.each([Infinity, 0])(
    'refuses messages without sequences with those beside them: all arrive, with %d retries',
    async (retries) => {
      const { kafka, producer } = await start({ topics: { orders: {}, old: {} } }, { retries })
      const warnings: string[] = []
      producer.on('warning', ({ code }) => warnings.push(code))
      kafka.fail({ api: 'Produce', topic: 'old' }, 'UNSUPPORTED_FOR_MESSAGE_FORMAT')
      await producer.send({ topic: 'old', value: '1' })
      const refused = kafka.fail({ api: 'Produce' }, 'CLUSTER_AUTHORIZATION_FAILED')
      await producer.send(['orders', 'old'].map((topic) => ({ topic, value: '2' })))
      expect(refused.hits).toBe(1)
      expect(numbersIn(kafka.records('orders'))).toEqual([0, 2])
      expect(stored(kafka, 'old')).toEqual(['1', '2'])
      expect(producer.stats().notIdempotentTopics).toEqual(['old', 'orders'])
      expect(warnings).toHaveLength(2)
    },
  )

  it('refuses messages without sequences for good: they fail when their retries are used up', async () => {
    const { kafka, producer } = await start({ topics: { old: {} } }, { retries: 2, retryBackoffMs: 1 })
    kafka.fail({ api: 'Produce', topic: 'old' }, 'UNSUPPORTED_FOR_MESSAGE_FORMAT')
    await producer.send({ topic: 'old', value: '1' })
    const refused = kafka.fail({ api: 'Produce', times: Infinity }, 'CLUSTER_AUTHORIZATION_FAILED')
    const error = await deliveryErrorOf(producer.send({ topic: 'old', value: '2' }))
    expect(error).toMatchObject({ code: 'CLUSTER_AUTHORIZATION_FAILED' })
    // The first was not charged: it might have been for another one in its request.
    expect(refused.hits).toBe(4)
  })

  it('is not sent again without its sequence what may be in the log', async () => {
    const { kafka, producer } = await start()
    const timedOut = kafka.fail({ api: 'Produce' }, 'REQUEST_TIMED_OUT')
    const doubtful = deliveryErrorOf(sendMany(producer, 1, 2)[0] as Promise<RecordMetadata[]>)
    await timedOut.hit()
    kafka.fail({ api: 'Produce' }, 'UNSUPPORTED_FOR_MESSAGE_FORMAT')
    expect(await doubtful).toMatchObject({ mayHaveBeenWritten: true })
    await Promise.all(sendMany(producer, 2, 3))
    expect(numbersIn(kafka.records('orders'))).toEqual(upTo(3))
  })

  it.each(['0.11', '1.1', '2.8'])('is that of Kafka %s for a topic with an older format', async (release) => {
    const topics = { orders: { config: { 'message.format.version': '0.10.2' } } }
    const { kafka, producer } = await start({ release, topics })
    await Promise.all(sendMany(producer, 1, 6))
    expect(numbersIn(kafka.records('orders'))).toEqual(upTo(6))
    expect(numbered(kafka)).toEqual([])
    expect(producer.stats().notIdempotentTopics).toEqual(['orders'])
  })
})

describe('with sequences that are broken', () => {
  /** The first of several batches in flight is refused, and the broker misses it before the others. */
  async function broken(options: Parameters<typeof start>[1] = {}) {
    const { kafka, producer, watch } = await start({}, options)
    const held = kafka.stall({ api: 'Produce' })
    const refused = kafka.fail({ api: 'Produce' }, 'OUT_OF_ORDER_SEQUENCE_NUMBER')
    const sent = await putOnTheWire(watch, producer, 1, 4)
    await refused.hit()
    return { kafka, producer, sent, held }
  }

  it('flush() waits until all is there, under the next epoch', async () => {
    const { kafka, producer, sent, held } = await broken()
    const flushed = producer.flush()
    held.release()
    expect(await flushed).toEqual({ failed: 0 })
    await Promise.all(sent)
    expect(numbersIn(kafka.records('orders'))).toEqual(upTo(4))
    expectWhole(kafka.records('orders'))
    expect(epochsIn(kafka)).toEqual([0, 1])
    expectNothingHeld(producer)
  })

  it('close() waits until all is there, under the next epoch', async () => {
    const { kafka, producer, sent, held } = await broken()
    const closed = producer.close()
    held.release()
    expect(await closed).toEqual({ failed: 0, unsent: [] })
    await Promise.all(sent)
    expect(numbersIn(kafka.records('orders'))).toEqual(upTo(4))
    expect(epochsIn(kafka)).toEqual([0, 1])
  })

  it('close() that does not wait tells each message once, and nothing is held', async () => {
    // The last has no turn, however long it waits for the first two.
    const { kafka, producer, sent, held } = await broken({ maxInFlight: 2 })
    const settled = Promise.allSettled(sent)
    await producer.close({ timeoutMs: 0 })
    held.release()
    const told = (await settled).map((outcome) => outcome.status === 'rejected' && (outcome.reason as DeliveryError))
    expect(told).toMatchObject([
      { code: 'PRODUCER_CLOSED', mayHaveBeenWritten: true },
      { code: 'PRODUCER_CLOSED', mayHaveBeenWritten: true },
      { code: 'PRODUCER_CLOSED', mayHaveBeenWritten: false },
    ])
    expectNothingHeld(producer)
    expect(numbersIn(kafka.records('orders'))).toEqual([0])
  })
})

describe('abort of numbered batches', () => {
  it('takes nothing out of what has a sequence, and leaves no gap', async () => {
    const { kafka, producer } = await start({}, { batchBytes: 100_000 })
    const controller = new AbortController()
    const refused = kafka.fail({ api: 'Produce', times: 3 }, 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', { append: false })
    const sent = [
      producer.send({ topic: 'orders', value: '1' }),
      producer.send({ topic: 'orders', value: '2' }, { signal: controller.signal }),
      producer.send({ topic: 'orders', value: '3' }),
    ]
    await refused.hit()
    controller.abort()
    await Promise.all(sent)
    expect(numbersIn(kafka.records('orders'))).toEqual(upTo(4))
    expectWhole(kafka.records('orders'))
    expect(epochsIn(kafka)).toEqual([0])
  })

  it('takes out what waits behind them, and leaves no gap', async () => {
    const { kafka, producer, watch } = await start()
    const controller = new AbortController()
    const held = kafka.stall({ api: 'Produce' })
    const sent = await putOnTheWire(watch, producer, 1, 6)
    const aborted = deliveryErrorOf(
      producer.send({ topic: 'orders', value: `6 ${LARGE}` }, { signal: controller.signal }),
    )
    sent.push(...sendMany(producer, 7, 9))
    await turns()
    controller.abort()
    expect(await aborted).toMatchObject({ code: 'ABORTED', mayHaveBeenWritten: false })
    held.release()
    await Promise.all(sent)
    expect(numbersIn(kafka.records('orders'))).toEqual([0, 1, 2, 3, 4, 5, 7, 8])
    expectWhole(kafka.records('orders'))
    expect(epochsIn(kafka)).toEqual([0])
  })
})

it('throttling with sequences: what waits for its end goes in order, behind what was in flight', async () => {
  const { kafka, producer, watch } = await start()
  const held = kafka.stall({ api: 'Produce' })
  const throttled = kafka.throttle({ api: 'Produce', times: 3 }, 30)
  const sent = await putOnTheWire(watch, producer, 1, 4)
  held.release()
  sent.push(...sendMany(producer, 4, 12))
  await Promise.all(sent)
  expect(throttled.hits).toBe(3)
  expect(numbersIn(kafka.records('orders'))).toEqual(upTo(12))
  expectWhole(kafka.records('orders'))
  expect(epochsIn(kafka)).toEqual([0])
})

it('maxInFlight 1: a lost answer costs neither a message nor the order of those behind it', async () => {
  const { kafka, producer } = await start({ topics: { orders: {}, others: {} } }, { maxInFlight: 1 })
  const lost = kafka.cut({ api: 'Produce' }, 'after')
  const sent = sendMany(producer, 1, 8)
  const other = producer.send({ topic: 'others', value: 'x' })
  await Promise.all([...sent, other])
  expect(lost.hits).toBe(1)
  expect(numbersIn(kafka.records('orders'))).toEqual(upTo(8))
  expectWhole(kafka.records('orders'))
  expect(epochsIn(kafka)).toEqual([0])
})

it('unknown producer id after retention: what was forgotten begins anew, in its order', async () => {
  const { kafka, producer, watch } = await start({ release: '1.1' })
  const held = kafka.stall({ api: 'Produce' })
  // A broker of that age knows the producer as long as the log has something of it.
  kafka.fail({ api: 'Produce', times: 2 }, 'UNKNOWN_PRODUCER_ID')
  const sent = await putOnTheWire(watch, producer, 1, 4)
  held.release()
  await Promise.all(sent)
  expect(numbersIn(kafka.records('orders'))).toEqual(upTo(4))
  expectWhole(kafka.records('orders'))
  expect(epochsIn(kafka)).toEqual([0, 1])
  expect(requestsOf(kafka, 'InitProducerId')).toHaveLength(1)
})

it('an expired batch with others in flight: they are not taken for the first, and not written twice', async () => {
  const { kafka, producer, watch } = await start({}, { deliveryTimeoutMs: 3_000, requestTimeoutMs: 60_000 })
  kafka.pauseBroker(1)
  const sent = await putOnTheWire(watch, producer, 1, 4)
  for (const outcome of await Promise.allSettled(sent))
    expect(outcome).toMatchObject({
      status: 'rejected',
      reason: { cause: expect.any(DeliveryTimeoutError) as unknown },
    })
  kafka.dropConnections(1)
  kafka.resumeBroker(1)
  await Promise.all(sendMany(producer, 4, 6))
  const numbers = numbersIn(kafka.records('orders'))
  expect(numbers).toEqual([...new Set(numbers)])
  expect(numbers.slice(-2)).toEqual([4, 5])
  expectWhole(kafka.records('orders'))
})
