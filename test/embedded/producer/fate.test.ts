import { describe, expect, it } from 'vitest'
import {
  AbortedError,
  DeliveryError,
  FailedToSendMessageError,
  ProducerClosedError,
  RecordMetadata,
} from '../../../src/index.js'
import { startKafka } from '../support/cluster.js'
import { endTogether } from '../support/mass-endings.js'
import {
  deliveryErrorOf,
  errorOf,
  expectNothingHeld,
  failureOf,
  outcomes,
  requestsOf,
  startAsync,
  startProducer,
  stored,
  until,
} from '../support/producers.js'

/* Every message ends once: acknowledged, or failed with its cause and whether it may have been written. */

describe('mayHaveBeenWritten after an answer with an error code', () => {
  it.each([
    [-1, 'UNKNOWN_SERVER_ERROR', true],
    [7, 'REQUEST_TIMED_OUT', true],
    [20, 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', true],
    [2, 'CORRUPT_MESSAGE', false],
    [3, 'UNKNOWN_TOPIC_OR_PARTITION', false],
    [5, 'LEADER_NOT_AVAILABLE', false],
    [6, 'NOT_LEADER_OR_FOLLOWER', false],
    [10, 'MESSAGE_TOO_LARGE', false],
    [19, 'NOT_ENOUGH_REPLICAS', false],
    [29, 'TOPIC_AUTHORIZATION_FAILED', false],
    [87, 'INVALID_RECORD', false],
  ])('%i (%s): %s', async (errorCode, code, mayHaveBeenWritten) => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { retries: 0 })
    kafka.fail({ api: 'Produce' }, errorCode)
    const error = await deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))
    expect(error).toMatchObject({
      code,
      mayHaveBeenWritten,
      attempts: 1,
      topic: 'orders',
      partition: 0,
      name: 'DeliveryError',
    })
    expect(error.cause).toMatchObject({ errorCode, name: 'BrokerResponseError' })
    expectNothingHeld(producer)
  })

  it.each([6, 56])('%i from a leader that has appended, and says where: true', async (errorCode) => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { retries: 0 })
    kafka.fail({ api: 'Produce' }, errorCode, { append: true })
    const error = await deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))
    expect(error).toMatchObject({ mayHaveBeenWritten: true })
    expect(stored(kafka, 'orders')).toEqual(['x'])
  })

  it('once true it stays, whatever the later attempts say', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { retries: 2 })
    const first = kafka.fail({ api: 'Produce' }, 'REQUEST_TIMED_OUT')
    const sending = producer.send({ topic: 'orders', value: 'x' })
    await first.hit()
    kafka.fail({ api: 'Produce', times: 2 }, 'NOT_LEADER_OR_FOLLOWER')
    const error = await deliveryErrorOf(sending)
    expect(error).toMatchObject({ code: 'NOT_LEADER_OR_FOLLOWER', mayHaveBeenWritten: true, attempts: 3 })
    expect(stored(kafka, 'orders')).toEqual(['x'])
  })

  it('halves of a batch that was split know what the whole has gone through', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    // With sequences the second half fails with the first: the broker would not find it twice.
    const producer = startProducer(kafka, { retries: 1, idempotent: false })
    const lost = kafka.fail({ api: 'Produce' }, 'REQUEST_TIMED_OUT', { append: false })
    const sending = producer.send(['1', '2'].map((value) => ({ topic: 'orders', value })))
    await lost.hit()
    const tooLarge = kafka.fail({ api: 'Produce' }, 'MESSAGE_TOO_LARGE')
    await tooLarge.hit()
    kafka.fail({ api: 'Produce', times: 2 }, 'NOT_ENOUGH_REPLICAS')
    // To split costs no attempt.
    const known = { code: 'NOT_ENOUGH_REPLICAS', mayHaveBeenWritten: true, attempts: 2 }
    expect((await failureOf(sending)).results).toEqual([expect.objectContaining(known), expect.objectContaining(known)])
  })

  it('a message that joins the partition later knows nothing of the attempts before it', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { retries: 0 })
    const stall = kafka.stall({ api: 'Produce' })
    kafka.fail({ api: 'Produce' }, 'REQUEST_TIMED_OUT')
    const first = deliveryErrorOf(producer.send({ topic: 'orders', value: '1' }))
    await stall.hit()
    const second = deliveryErrorOf(producer.send({ topic: 'orders', value: '2' }))
    kafka.fail({ api: 'Produce' }, 'NOT_ENOUGH_REPLICAS')
    stall.release()
    expect([(await first).mayHaveBeenWritten, (await second).mayHaveBeenWritten]).toEqual([true, false])
  })
})

describe('mayHaveBeenWritten after a disconnect', () => {
  it.each([
    ['before', []],
    ['after', ['x']],
    ['mid-response', ['x']],
  ] as const)('%s the append: true, since nobody can tell', async (moment, written) => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { retries: 0 })
    kafka.cut({ api: 'Produce' }, moment)
    const error = await deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))
    expect(error).toMatchObject({ code: 'CONNECTION_CLOSED', mayHaveBeenWritten: true, attempts: 1, retriable: true })
    expect(stored(kafka, 'orders')).toEqual(written)
    expectNothingHeld(producer)
  })

  it('before the append: tried again, it is there once', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    kafka.cut({ api: 'Produce' })
    await startProducer(kafka).send({ topic: 'orders', value: 'x' })
    expect(stored(kafka, 'orders')).toEqual(['x'])
  })

  it('no connection at all: false, and the attempt counts', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { orders: {} } })
    const leader = kafka.leaderOf('orders', 0)
    using frozen = kafka.freezeMetadata()
    await kafka.stopBroker(leader)
    const producer = startProducer(kafka, { retries: 1 })
    const error = await deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))
    expect(error).toMatchObject({ code: 'CONNECTION_FAILED', mayHaveBeenWritten: false, attempts: 2, retriable: true })
    frozen.release()
    expectNothingHeld(producer)
  })
})

describe('a call that is refused as a whole', () => {
  it.each(['sync', 'async'] as const)(
    '%s: is none of a delivery that failed, and nothing of it is sent',
    async (type) => {
      const kafka = await startKafka({ topics: { orders: {} } })
      const producer = type === 'sync' ? startProducer(kafka) : startAsync(kafka, {})
      const one = { topic: 'orders', value: 'a' }
      for (const given of [one, [one, one]]) {
        const late = await errorOf(producer.send(given, { signal: AbortSignal.abort() }))
        expect(late).toBeInstanceOf(AbortedError)
        expect(late).not.toHaveProperty('mayHaveBeenWritten')
      }
      await producer.close()
      for (const given of [one, [one, one]]) {
        const closed = await errorOf(producer.send(given))
        expect(closed).toBeInstanceOf(ProducerClosedError)
        expect(closed).not.toHaveProperty('mayHaveBeenWritten')
      }
      expect(producer.stats()).toMatchObject({ acknowledged: 0, unheardFailures: 0 })
      expect(stored(kafka, 'orders')).toEqual([])
    },
  )
})

describe('the deadline', () => {
  it('of messages in flight: they may have been written; of those waiting behind them: they were not', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    // With sequences the second would go out behind the first, to a broker that was slow to answer.
    // A second after it was written a request that nobody waits for is given up, and with it what it holds.
    const producer = startProducer(kafka, { deliveryTimeoutMs: 500, idempotent: false })
    await producer.connect()
    await producer.send({ topic: 'orders', value: 'warm' })
    const stall = kafka.stall({ api: 'Produce' })
    const inFlight = deliveryErrorOf(producer.send({ topic: 'orders', value: 'in flight' }))
    await stall.hit()
    const waiting = deliveryErrorOf(producer.send({ topic: 'orders', value: 'waiting' }))
    expect(await inFlight).toMatchObject({
      code: 'DELIVERY_TIMEOUT',
      mayHaveBeenWritten: true,
      attempts: 1,
      retriable: true,
    })
    expect(await waiting).toMatchObject({ code: 'DELIVERY_TIMEOUT', mayHaveBeenWritten: false, attempts: 0 })
    // What is on the wire still holds its room; what was not is gone.
    expect(producer.stats()).toMatchObject({ queueMessages: 1, queueBytes: 9, failed: 2 })
    stall.release()
    await until(() => producer.stats().queueMessages === 0, 'the late answer gives the room back')
    expectNothingHeld(producer)
    expect(stored(kafka, 'orders')).toEqual(['warm', 'in flight'])
    expect(producer.stats()).toMatchObject({ acknowledged: 1, failed: 2, messages: 3 })
  })

  it('is told at the deadline, not earlier, with the last failure as the cause', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    kafka.fail({ api: 'Produce', times: Infinity }, 'NOT_ENOUGH_REPLICAS')
    // It waits to go again when its time is up: nothing is on its way then.
    const producer = startProducer(kafka, { deliveryTimeoutMs: 2_000, retryBackoffMs: 900, retryBackoffMaxMs: 60_000 })
    const before = performance.now()
    const error = await deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))
    expect(performance.now() - before).toBeGreaterThanOrEqual(1_999)
    expect(error).toMatchObject({ code: 'DELIVERY_TIMEOUT', mayHaveBeenWritten: false, partition: 0 })
    expect(error.attempts).toBeGreaterThan(1)
    expect(error.message).toContain('NOT_ENOUGH_REPLICAS')
    expect((error.cause as Error).cause).toMatchObject({ code: 'NOT_ENOUGH_REPLICAS' })
    expectNothingHeld(producer)
  })

  it('of a message that was lost on the wire before: it may have been written', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const cut = kafka.cut({ api: 'Produce' }, 'after')
    const producer = startProducer(kafka, { deliveryTimeoutMs: 1_500 })
    const sending = producer.send({ topic: 'orders', value: 'x' })
    await cut.hit()
    kafka.fail({ api: 'Produce', times: Infinity }, 'NOT_ENOUGH_REPLICAS')
    expect(await deliveryErrorOf(sending)).toMatchObject({ code: 'DELIVERY_TIMEOUT', mayHaveBeenWritten: true })
  })

  it('spans metadata, connecting and retrying: one for all, not one for each', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { orders: {} } })
    const producer = startProducer(kafka, { deliveryTimeoutMs: 400, requestTimeoutMs: 100 })
    kafka.stall({ api: 'Metadata', times: 2 })
    kafka.fail({ api: 'Produce', times: Infinity }, 'NOT_LEADER_OR_FOLLOWER')
    const before = performance.now()
    const error = await deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))
    expect(error.code).toBe('DELIVERY_TIMEOUT')
    expect(performance.now() - before).toBeGreaterThanOrEqual(399)
  })

  it('expired messages are not sent any more; what was given with more time is', async () => {
    const kafka = await startKafka({ topics: { orders: {}, other: {} } })
    const producer = startProducer(kafka, { deliveryTimeoutMs: 1_500 })
    for (const topic of ['orders', 'other']) await producer.send({ topic, value: 'warm' })
    const stall = kafka.stall({ api: 'Produce' })
    const blocking = deliveryErrorOf(producer.send({ topic: 'orders', value: 'blocks' }))
    await stall.hit()
    const early = deliveryErrorOf(producer.send({ topic: 'orders', value: 'early' }))
    // Who waits on the same connection for longer: else that is given up, and what is early goes out on another one.
    const other = Promise.allSettled([producer.send({ topic: 'other', value: 'waits' })])
    await blocking
    // Given when the others expire, in the same batch as what waits behind the one that blocks.
    const late = producer.send({ topic: 'orders', value: 'late' })
    await early
    stall.release()
    await late
    expect(stored(kafka, 'orders')).toEqual(['warm', 'blocks', 'late'])
    await other
    expectNothingHeld(producer)
  })

  it('with an encoder that never finishes: the call fails, and holds up no later one', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, {
      deliveryTimeoutMs: 500,
      encoder: {
        encode: (value: unknown) => (value === 'never' ? new Promise<string>(() => undefined) : String(value)),
      },
    })
    const error = await deliveryErrorOf(producer.send({ topic: 'orders', value: 'never' }))
    expect(error).toMatchObject({ code: 'DELIVERY_TIMEOUT', mayHaveBeenWritten: false, attempts: 0 })
    expect(error.message).toContain('encoder')
    await producer.send({ topic: 'orders', value: 'next' })
    expect(stored(kafka, 'orders')).toEqual(['next'])
    expectNothingHeld(producer)
  })
})

describe('the retries', () => {
  it.each([
    ['answers', 0],
    ['answers', 3],
    ['disconnects', 2],
  ])('%s: %i retries are as many attempts and one', async (how, retries) => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { retries })
    if (how === 'answers') kafka.fail({ api: 'Produce', times: Infinity }, 'NOT_LEADER_OR_FOLLOWER')
    else kafka.cut({ api: 'Produce', times: Infinity })
    const error = await deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))
    expect(error.attempts).toBe(retries + 1)
    expect(requestsOf(kafka, 'Produce')).toHaveLength(retries + 1)
    expect(producer.stats()).toMatchObject({ resends: retries, failed: 1, acknowledged: 0 })
    expectNothingHeld(producer)
  })

  it('the last one allowed may succeed', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { retries: 2 })
    kafka.fail({ api: 'Produce', times: 2 }, 'NOT_LEADER_OR_FOLLOWER')
    const [metadata] = await producer.send({ topic: 'orders', value: 'x' })
    expect(metadata?.offset).toBe(0n)
  })

  it('waiting for metadata costs none', async () => {
    const kafka = await startKafka({ autoCreateTopics: false })
    const producer = startProducer(kafka, { retries: 0 })
    const sending = producer.send({ topic: 'orders', value: 'x' })
    await kafka.waitForRequest({ api: 'Metadata' }, { count: 5 })
    kafka.createTopic('orders')
    await sending
    expect(stored(kafka, 'orders')).toEqual(['x'])
  })

  it('waiting for a leader costs none', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    kafka.moveLeader('orders', 0, -1)
    const producer = startProducer(kafka, { retries: 0 })
    const sending = producer.send({ topic: 'orders', value: 'x' })
    await kafka.waitForRequest({ api: 'Metadata' }, { count: 5 })
    kafka.electLeaders()
    await sending
    expect(stored(kafka, 'orders')).toEqual(['x'])
  })

  it('an error that no retry can mend is not tried again', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    kafka.fail({ api: 'Produce', times: Infinity }, 'TOPIC_AUTHORIZATION_FAILED')
    const error = await deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))
    expect(error).toMatchObject({ code: 'TOPIC_AUTHORIZATION_FAILED', attempts: 1, retriable: false })
    expect(requestsOf(kafka, 'Produce')).toHaveLength(1)
  })

  it('an error of a code that nobody knows is not tried again', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    kafka.fail({ api: 'Produce', times: Infinity }, 200)
    const error = await deliveryErrorOf(startProducer(kafka).send({ topic: 'orders', value: 'x' }))
    expect(error).toMatchObject({ code: 'UNKNOWN_ERROR_CODE_200', attempts: 1 })
  })

  it('later waits are longer, up to the cap', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { retries: 4, retryBackoffMs: 40, retryBackoffMaxMs: 80 })
    kafka.fail({ api: 'Produce', times: Infinity }, 'NOT_ENOUGH_REPLICAS')
    const before = performance.now()
    await deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))
    // 40 + 80 + 80 + 80, each with a fifth of jitter either way.
    expect(performance.now() - before).toBeGreaterThanOrEqual(280 * 0.8 - 5)
  })
})

describe('a call of several messages', () => {
  it('rejects with the fate of each, in the order given', async () => {
    const kafka = await startKafka({ topics: { good: {}, bad: {} } })
    const producer = startProducer(kafka, { retries: 0 })
    kafka.fail({ api: 'Produce', topic: 'bad', times: Infinity }, 'REQUEST_TIMED_OUT', { append: false })
    const failure = await failureOf(
      producer.send([
        { topic: 'bad', value: '0' },
        { topic: 'good', value: '1' },
        { topic: 'good', partition: 7, value: '2' },
        { topic: 'good', value: '3' },
      ]),
    )
    expect(outcomes(failure.results)).toEqual(['REQUEST_TIMED_OUT', 0n, 'INVALID_PARTITION', 1n])
    expect(failure.results[0]).toBeInstanceOf(DeliveryError)
    expect(failure.results[1]).toBeInstanceOf(RecordMetadata)
    expect(failure).toBeInstanceOf(FailedToSendMessageError)
    expect(failure).toMatchObject({ code: 'FAILED_TO_SEND', mayHaveBeenWritten: true, attempts: 1, retriable: false })
    expect(failure.cause).toBe(failure.results[0])
    expect(failure.message).toContain('2 of 4 messages failed')
    expect(producer.stats()).toMatchObject({ acknowledged: 2, failed: 2 })
    expectNothingHeld(producer)
  })

  it('of which all failed in ways that pass is retriable', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    kafka.fail({ api: 'Produce', times: Infinity }, 'NOT_ENOUGH_REPLICAS')
    const failure = await failureOf(
      startProducer(kafka, { retries: 0 }).send([
        { topic: 'orders', value: '0' },
        { topic: 'orders', value: '1' },
      ]),
    )
    expect(failure).toMatchObject({ retriable: true, mayHaveBeenWritten: false })
    expect(failure.message).toMatch(/^2 messages failed/)
  })
})

describe('acks 0', () => {
  it('resolves without an offset, and says that nobody acknowledged', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { acks: 0 })
    const results = await producer.send([
      { topic: 'orders', value: '1' },
      { topic: 'orders', value: '2' },
    ])
    expect(results.map(({ offset, acknowledged }) => [offset, acknowledged])).toEqual([
      [-1n, false],
      [-1n, false],
    ])
    await kafka.waitForRecords('orders', 2)
    expect(requestsOf(kafka, 'Produce').map(({ acks }) => acks)).toEqual([0])
    expectNothingHeld(producer)
  })

  it('waits for no answer: a broker that stalls does not hold it up', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { acks: 0 })
    using stall = kafka.stall({ api: 'Produce' })
    for (let i = 0; i < 20; i++) await producer.send({ topic: 'orders', value: String(i) })
    expectNothingHeld(producer)
    stall.release()
    await kafka.waitForRecords('orders', 20)
    expect(stored(kafka, 'orders')).toEqual(Array.from({ length: 20 }, (_, i) => String(i)))
  })
})

it.each([
  [1, 1],
  [-1, -1],
  ['all', -1],
] as const)('acks %s is asked for, and the time-out with it', async (acks, onTheWire) => {
  const kafka = await startKafka({ topics: { orders: {} } })
  await startProducer(kafka, { acks }).send({ topic: 'orders', value: 'x' })
  expect(requestsOf(kafka, 'Produce').map((request) => request.acks)).toEqual([onTheWire])
})

it('messages and their bytes are counted', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka)
  await producer.send({ topic: 'orders', value: '1' })
  await producer.send({ topic: 'orders', value: '2' })
  expect(producer.stats()).toMatchObject({ messages: 2, acknowledged: 2, bytes: 2 })
})

describe('ten thousand messages past their deadline', () => {
  it.each([
    ['for a topic that is never there', 'missing'],
    ['in batches that are never answered', 'orders'],
  ])('%s: each is told, and the loop turns meanwhile', async (_, topic) => {
    expect(await endTogether(topic, 10_000)).toBeGreaterThan(1)
  })

  it('refused, since their topic does not exist: the same', async () => {
    expect(await endTogether('missing', 10_000, { unknownTopicTimeoutMs: 500 })).toBeGreaterThan(1)
  })
})
