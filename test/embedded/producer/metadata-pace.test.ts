import { describe, expect, it } from 'vitest'
import type { EmbeddedKafka } from '../../../src/testing/index.js'
import { startKafka } from '../support/cluster.js'
import {
  deadAddress,
  deliveryErrorOf,
  errorOf,
  requestsOf,
  startProducer,
  stored,
  until,
} from '../support/producers.js'

/** How many Metadata requests asked for the topic. */
function asksFor(kafka: EmbeddedKafka, topic: string): number {
  return requestsOf(kafka, 'Metadata').filter(({ topics }) => topics.some((asked) => asked.topic === topic)).length
}

describe('answers about other topics', () => {
  it('do not stand in for those about a topic whose leader has moved', async () => {
    const topics = Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`other-${i}`, {}]))
    const kafka = await startKafka({
      brokers: 2,
      release: '2.8',
      topics: { ...topics, orders: { replicationFactor: 2 } },
    })
    kafka.moveLeader('orders', 0, 1)
    const producer = startProducer(kafka)
    await producer.send({ topic: 'orders', value: 'warm' })
    kafka.moveLeader('orders', 0, 2)
    using stall = kafka.stall({ api: 'Produce', topic: 'orders', times: 1 })
    const sending = producer.send({ topic: 'orders', value: 'x' })
    await stall.hit()
    kafka.clearRequests()
    // The request for orders is on its way while others are looked up: their answers are newer than it.
    for (let i = 0; i < 20; i++) await producer.partitionsFor(`other-${i}`)
    const before = asksFor(kafka, 'orders')
    stall.release()
    await sending
    expect(asksFor(kafka, 'orders')).toBeGreaterThan(before)
    expect(stored(kafka, 'orders')).toEqual(['warm', 'x'])
    // The one that was refused was the one held back.
    expect(requestsOf(kafka, 'Produce')).toHaveLength(1)
  })

  it('do not put off the refresh that is due', async () => {
    const topics = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`other-${i}`, {}]))
    const kafka = await startKafka({ topics: { ...topics, orders: {} } })
    const producer = startProducer(kafka, { metadataRefreshIntervalMs: 300 })
    await producer.send({ topic: 'orders', value: 'x' })
    kafka.clearRequests()
    for (let i = 0; i < 500 && asksFor(kafka, 'orders') === 0; i++) {
      await producer.send({ topic: `other-${i}`, value: 'x' })
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect(asksFor(kafka, 'orders')).toBeGreaterThan(0)
  })
})

describe('a storm of refusals is no storm of questions', () => {
  /** One at once, and the others the back-off after the one before. */
  const allowed = (startedAt: number, backoffMs: number) => 2 + (performance.now() - startedAt) / backoffMs

  it.each(['INVALID_RECORD', 'MESSAGE_TOO_LARGE', 'TOPIC_AUTHORIZATION_FAILED', 'INVALID_TIMESTAMP'])(
    'messages refused for good: %s',
    async (code) => {
      const kafka = await startKafka({ topics: { orders: {} } })
      const producer = startProducer(kafka, { retryBackoffMs: 100, retryBackoffMaxMs: 100 })
      await producer.send({ topic: 'orders', value: 'warm' })
      kafka.fail({ api: 'Produce', times: Infinity }, code)
      kafka.clearRequests()
      const startedAt = performance.now()
      for (let i = 0; i < 200; i++) await deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))
      expect(requestsOf(kafka, 'Produce')).toHaveLength(200)
      expect(requestsOf(kafka, 'Metadata').length).toBeLessThanOrEqual(allowed(startedAt, 100))
    },
  )

  it('it is asked for once at least, since a topic may have been deleted and made anew', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    await producer.send({ topic: 'orders', value: 'warm' })
    kafka.fail({ api: 'Produce' }, 'INVALID_RECORD')
    kafka.clearRequests()
    await deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))
    await kafka.waitForRequest({ api: 'Metadata' })
  })

  it('messages refused again and again, which are retried', async () => {
    const kafka = await startKafka({ topics: { orders: { partitions: 50 } } })
    const producer = startProducer(kafka, { retryBackoffMs: 50, retryBackoffMaxMs: 50, maxRequestBytes: 1 })
    const messages = Array.from({ length: 50 }, (_, partition) => ({ topic: 'orders', partition, value: 'x' }))
    await producer.send(messages)
    kafka.fail({ api: 'Produce', times: 200 }, 'NOT_LEADER_OR_FOLLOWER')
    kafka.clearRequests()
    const startedAt = performance.now()
    await producer.send(messages)
    expect(requestsOf(kafka, 'Metadata').length).toBeLessThanOrEqual(allowed(startedAt, 50))
  })

  it('a topic that may not be written to', async () => {
    const kafka = await startKafka({ topics: { good: {} } })
    kafka.fail({ api: 'Metadata', topic: 'secret', times: Infinity }, 'TOPIC_AUTHORIZATION_FAILED')
    const producer = startProducer(kafka, { retryBackoffMs: 50, retryBackoffMaxMs: 50 })
    const startedAt = performance.now()
    // Each sends again as soon as it has heard of its failure.
    let failed = 0
    while (failed < 100)
      await Promise.all(
        Array.from({ length: 5 }, async () => {
          expect((await deliveryErrorOf(producer.send({ topic: 'secret', value: 'x' }))).code).toBe(
            'TOPIC_AUTHORIZATION_FAILED',
          )
          failed++
        }),
      )
    expect(requestsOf(kafka, 'Metadata').length).toBeLessThanOrEqual(allowed(startedAt, 50))
    await producer.send({ topic: 'good', value: 'x' })
  })

  it('topics that do not exist, whose messages do not wait for them', async () => {
    const kafka = await startKafka({ autoCreateTopics: false, topics: { good: {} } })
    const waits = { retryBackoffMs: 50, retryBackoffMaxMs: 50, unknownTopicTimeoutMs: 0 }
    const producer = startProducer(kafka, waits)
    const startedAt = performance.now()
    for (let i = 0; i < 10; i++) {
      const error = await deliveryErrorOf(producer.send({ topic: `missing-${i % 2}`, value: 'x' }))
      expect(error.code).toBe('UNKNOWN_TOPIC_OR_PARTITION')
    }
    expect(requestsOf(kafka, 'Metadata').length).toBeLessThanOrEqual(allowed(startedAt, 50))
    await producer.send({ topic: 'good', value: 'x' })
  })

  it('what partitions a topic has, where nobody answers', async () => {
    const producer = startProducer(await deadAddress(), { retryBackoffMs: 50, retryBackoffMaxMs: 50 })
    const startedAt = performance.now()
    for (let i = 0; i < 8; i++)
      expect((await errorOf(producer.partitionsFor('orders'))).code).toBe('METADATA_UNAVAILABLE')
    expect(producer.stats().connections.failed).toBeLessThanOrEqual(allowed(startedAt, 50))
  })

  it('a message that names a partition which is not there', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { retryBackoffMs: 50, retryBackoffMaxMs: 50 })
    await producer.send({ topic: 'orders', value: 'warm' })
    kafka.clearRequests()
    const startedAt = performance.now()
    for (let i = 0; i < 5; i++) await deliveryErrorOf(producer.send({ topic: 'orders', partition: 1, value: 'x' }))
    expect(requestsOf(kafka, 'Metadata').length).toBeLessThanOrEqual(allowed(startedAt, 50))
  })
})

describe('what is kept of topics', () => {
  it('nothing of those that do not exist: later refreshes leave them out', async () => {
    const kafka = await startKafka({ autoCreateTopics: false, topics: { orders: {} } })
    const producer = startProducer(kafka, { metadataRefreshIntervalMs: 20, deliveryTimeoutMs: 300 })
    await Promise.all([
      producer.send({ topic: 'orders', value: 'x' }),
      ...Array.from({ length: 20 }, (_, i) => deliveryErrorOf(producer.send({ topic: `missing-${i}`, value: 'x' }))),
    ])
    kafka.clearRequests()
    // The last question of those that waited may still be on its way.
    const latest = () => requestsOf(kafka, 'Metadata').slice(-3)
    await until(
      () =>
        latest().length === 3 && latest().every(({ topics }) => topics.map(({ topic }) => topic).join() === 'orders'),
      'refreshes name what exists',
    )
  })

  it('topics that nobody sends to for metadataMaxIdleMs are left out of refreshes, and found again', async () => {
    const kafka = await startKafka({ topics: { idle: {}, asked: {}, busy: {} } })
    const producer = startProducer(kafka, { metadataRefreshIntervalMs: 20, metadataMaxIdleMs: 200 })
    await producer.partitionsFor('asked')
    await producer.send({ topic: 'idle', value: '1' })
    const lastAsked = () =>
      requestsOf(kafka, 'Metadata')
        .at(-1)
        ?.topics.map(({ topic }) => topic)
        .sort()
        .join()
    let sent = 0
    while (lastAsked() !== 'busy' && sent < 500) {
      await producer.send({ topic: 'busy', value: String(sent++) })
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    expect(lastAsked()).toBe('busy')
    await producer.send({ topic: 'idle', value: '2' })
    expect(stored(kafka, 'idle')).toEqual(['1', '2'])
  })

  it('a topic with messages under way is not idle', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { metadataRefreshIntervalMs: 20, metadataMaxIdleMs: 40 })
    await producer.send({ topic: 'orders', value: '1' })
    using stall = kafka.stall({ api: 'Produce' })
    const sending = producer.send({ topic: 'orders', value: '2' })
    await stall.hit()
    kafka.clearRequests()
    await kafka.waitForRequest({ api: 'Metadata' }, { count: 12 })
    expect(requestsOf(kafka, 'Metadata').every(({ topics }) => topics.length === 1)).toBe(true)
    stall.release()
    await sending
  })
})
