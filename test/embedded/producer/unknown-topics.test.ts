import { describe, expect, it, onTestFinished } from 'vitest'
import { Producer, type KafkaProducerError } from '../../../src/index.js'
import { startKafka } from '../support/cluster.js'
import {
  deliveryErrorOf,
  errorOf,
  expectNothingHeld,
  requestsOf,
  startProducer,
  stored,
  until,
  watched,
} from '../support/producers.js'

/** 100 messages of 1 kB for as many topics that don't exist. */
const UNKNOWN = Array.from({ length: 100 }, (_, i) => ({ topic: `missing-${i}`, value: 'x'.repeat(1_000) }))
/** Room for no more than these, in messages and in bytes. */
const ROOM = { queueMessages: 100, queueBytes: 100_000 } as const

describe('messages for topics that don’t exist can’t take the room of those that do', () => {
  it.each(['queueMessages', 'queueBytes'] as const)('sync: %s', async (option) => {
    const kafka = await startKafka({ autoCreateTopics: false, topics: { orders: {} } })
    const producer = startProducer(kafka, { [option]: ROOM[option], enqueueTimeoutMs: 60_000 })
    await producer.send({ topic: 'orders', value: 'warm' })
    const unknown = [...UNKNOWN, ...UNKNOWN].map((message) => watched(errorOf(producer.send(message))))
    for (let i = 0; i < 20; i++) await producer.send({ topic: 'orders', value: 'x'.repeat(1_000) })
    expect(unknown.filter(({ isSettled }) => isSettled)).toEqual([])
    const { queueMessages } = producer.stats()
    expect(queueMessages).toBeLessThanOrEqual(50)
    await producer.close({ timeoutMs: 0 })
    await Promise.all(unknown.map(({ promise }) => promise))
    expectNothingHeld(producer)
  })

  it('async: messages that linger too', async () => {
    const kafka = await startKafka({ autoCreateTopics: false, topics: { orders: {} } })
    const producer = new Producer({ brokers: kafka.bootstrap, type: 'async', ...ROOM, lingerMs: 20, onDelivery() {} })
    onTestFinished(async () => void (await producer.close({ timeoutMs: 0 })))
    await producer.send({ topic: 'orders', value: 'warm' })
    await until(() => stored(kafka, 'orders').length === 1, 'the topic is known')
    const unknown = UNKNOWN.map((message) => watched(producer.send(message).catch((error: unknown) => error)))
    for (let i = 0; i < 20; i++) await producer.send({ topic: 'orders', value: 'x'.repeat(1_000) })
    await until(() => stored(kafka, 'orders').length === 21, 'all for the known topic')
    expect(unknown.filter(({ isSettled }) => isSettled).length).toBe(50)
  })

  it.each(['sync', 'async'] as const)('%s: be it one alone that is larger than all of the room', async (type) => {
    const kafka = await startKafka({ autoCreateTopics: false, topics: { orders: {} } })
    const options = { ...ROOM, enqueueTimeoutMs: 60_000, unknownTopicTimeoutMs: -1, onDelivery() {} }
    const producer = new Producer({ brokers: kafka.bootstrap, type, ...options })
    onTestFinished(async () => void (await producer.close({ timeoutMs: 0 })))
    await producer.send({ topic: 'orders', value: 'warm' })
    await until(() => stored(kafka, 'orders').length === 1, 'the topic is known')
    const large = watched(producer.send({ topic: 'missing', value: 'x'.repeat(ROOM.queueBytes + 1) }).catch(() => {}))
    for (let i = 0; i < 20; i++) await producer.send({ topic: 'orders', value: 'x'.repeat(1_000) })
    await until(() => producer.stats().acknowledged === 21, 'all for the known topic')
    expect(large.isSettled).toBe(type === 'async')
    const bytes = 4 + 20 * 1_000 + ROOM.queueBytes + 1
    expect(producer.stats()).toMatchObject({ bytes, queueMessages: 1, queueBytes: ROOM.queueBytes / 2 })
    await producer.close({ timeoutMs: 0 })
    expect(producer.stats()).toMatchObject({ queueMessages: 0, queueBytes: 0 })
  })

  it('they fail with QUEUE_FULL, which names their share, after enqueueTimeoutMs', async () => {
    const kafka = await startKafka({ autoCreateTopics: false, topics: { orders: {} } })
    const producer = startProducer(kafka, { ...ROOM, enqueueTimeoutMs: 50 })
    await producer.send({ topic: 'orders', value: 'warm' })
    for (const message of UNKNOWN.slice(0, 50)) void producer.send(message).catch(() => undefined)
    const error: KafkaProducerError = await errorOf(producer.send({ topic: 'one-more', value: 'x'.repeat(1_000) }))
    expect(error.code).toBe('QUEUE_FULL')
    expect(error.message).toContain('topics without metadata')
    await producer.send({ topic: 'orders', value: 'x' })
  })

  it('at once where enqueueTimeoutMs is 0', async () => {
    const kafka = await startKafka({ autoCreateTopics: false, topics: { orders: {} } })
    const producer = startProducer(kafka, { ...ROOM, enqueueTimeoutMs: 0 })
    await producer.send({ topic: 'orders', value: 'warm' })
    for (const message of UNKNOWN.slice(0, 50)) void producer.send(message).catch(() => undefined)
    expect((await errorOf(producer.send({ topic: 'one-more', value: 'x' }))).code).toBe('QUEUE_FULL')
    await producer.send({ topic: 'orders', value: 'x' })
  })
})

describe('messages for a topic that is just not known yet', () => {
  it('all arrive, in order, though they are more than their share', async () => {
    const kafka = await startKafka()
    kafka.fail({ api: 'Metadata', topic: 'orders', times: 3 }, 'LEADER_NOT_AVAILABLE')
    const producer = startProducer(kafka, { queueMessages: 10 })
    const values = Array.from({ length: 500 }, (_, i) => String(i))
    const list = producer.send(values.slice(0, 250).map((value) => ({ topic: 'orders', key: 'k', value })))
    const singles = values.slice(250).map((value) => producer.send({ topic: 'orders', key: 'k', value }))
    await Promise.all([list, ...singles])
    expect(stored(kafka, 'orders')).toEqual(values)
    expectNothingHeld(producer)
  })

  it('a single one that is larger than the share may come in', async () => {
    const kafka = await startKafka()
    const producer = startProducer(kafka, { queueMessages: 1, queueBytes: 100 })
    await producer.send({ topic: 'orders', value: 'x'.repeat(1_000) })
    expect(stored(kafka, 'orders')).toHaveLength(1)
  })

  it('that wait apart and are aborted, or closed upon, fail as others do', async () => {
    const kafka = await startKafka({ autoCreateTopics: false })
    const producer = startProducer(kafka, { ...ROOM, enqueueTimeoutMs: -1 })
    const before = UNKNOWN.map((message) => errorOf(producer.send(message)))
    const abort = new AbortController()
    const aborted = errorOf(producer.send({ topic: 'missing-0', value: 'x' }, { signal: abort.signal }))
    abort.abort()
    expect(await aborted).toMatchObject({ code: 'ABORTED' })
    await producer.close({ timeoutMs: 0 })
    await Promise.all(before)
    expectNothingHeld(producer)
  })
})

describe('a topic that does not exist', () => {
  it('fails its messages once brokers have said so long enough, and no others', async () => {
    const kafka = await startKafka({ autoCreateTopics: false, topics: { orders: {} } })
    const producer = startProducer(kafka, { unknownTopicTimeoutMs: 100 })
    const failing = Promise.all([
      deliveryErrorOf(producer.send({ topic: 'ordres', value: 'x' })),
      deliveryErrorOf(producer.send({ topic: 'ordres', value: 'x', partition: 3 })),
    ])
    await producer.send({ topic: 'orders', value: 'x' })
    for (const error of await failing) {
      expect(error).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION', retriable: true, mayHaveBeenWritten: false })
      expect(error.message).toMatch(/topic 'ordres' does not exist: brokers have said so for \d+ ms/)
    }
    expectNothingHeld(producer)
    // Whoever tries again gives it as long again.
    kafka.createTopic('ordres')
    await producer.send({ topic: 'ordres', value: 'x' })
  })

  it('fails them with the first answer where the time is 0', async () => {
    const kafka = await startKafka({ autoCreateTopics: false })
    const producer = startProducer(kafka, { unknownTopicTimeoutMs: 0 })
    await deliveryErrorOf(producer.send({ topic: 'ordres', value: 'x' }))
    expect(requestsOf(kafka, 'Metadata')).toHaveLength(1)
  })

  it('is waited for until the deadline where the time is -1', async () => {
    const kafka = await startKafka({ autoCreateTopics: false })
    const producer = startProducer(kafka, { unknownTopicTimeoutMs: -1, deliveryTimeoutMs: 300 })
    expect((await deliveryErrorOf(producer.send({ topic: 'ordres', value: 'x' }))).code).toBe('DELIVERY_TIMEOUT')
  })

  it('is waited for while it is being created', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    kafka.fail({ api: 'Metadata', topic: 'orders', times: 5 }, 'LEADER_NOT_AVAILABLE')
    const producer = startProducer(kafka, { unknownTopicTimeoutMs: 0 })
    await producer.send({ topic: 'orders', value: 'x' })
  })

  it('is waited for where it was seen before: it may be made anew', async () => {
    const kafka = await startKafka({ autoCreateTopics: false, topics: { orders: {} } })
    const producer = startProducer(kafka, { unknownTopicTimeoutMs: 0, retryBackoffMs: 1, metadataRefreshIntervalMs: 5 })
    await producer.send({ topic: 'orders', value: 'x' })
    kafka.deleteTopic('orders')
    kafka.clearRequests()
    const sending = producer.send({ topic: 'orders', value: 'x' })
    await until(() => requestsOf(kafka, 'Metadata').length > 3, 'brokers have said that it is gone')
    kafka.createTopic('orders')
    await sending
  })

  it('is as one that was never seen where nothing was under way to it when brokers first said that it is gone', async () => {
    const kafka = await startKafka({ autoCreateTopics: false, topics: { orders: {}, others: {} } })
    const producer = startProducer(kafka, { unknownTopicTimeoutMs: 0, metadataRefreshIntervalMs: 5 })
    for (const topic of ['orders', 'others']) await producer.send({ topic, value: 'x' })
    kafka.deleteTopic('orders')
    kafka.clearRequests()
    await until(() => requestsOf(kafka, 'Metadata').length > 1, 'a refresh that began after that is over')
    const { code } = await deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))
    expect(code).toBe('UNKNOWN_TOPIC_OR_PARTITION')
  })

  it('counts no time in which nobody answered', async () => {
    const kafka = await startKafka({ autoCreateTopics: false })
    const producer = startProducer(kafka, { unknownTopicTimeoutMs: 1_000, deliveryTimeoutMs: 60_000 })
    const sending = watched(producer.send({ topic: 'orders', value: 'x' }))
    await until(() => requestsOf(kafka, 'Metadata').length > 0, 'the first answer')
    await kafka.stopBroker(1)
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    kafka.clearRequests()
    await kafka.startBroker(1)
    await until(() => requestsOf(kafka, 'Metadata').length > 1, 'it says so again')
    expect(sending.isSettled).toBe(false)
    kafka.createTopic('orders')
    await sending.promise
  })
})
