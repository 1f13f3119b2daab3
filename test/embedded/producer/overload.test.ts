import { describe, expect, it } from 'vitest'
import { startKafka } from '../support/cluster.js'
import { expectNothingHeld, requestsOf, startProducer, stored, until } from '../support/producers.js'

/** Nobody gives up here for being slow. */
const PATIENT = { requestTimeoutMs: 60_000, connectTimeoutMs: 60_000, deliveryTimeoutMs: 80_000 }

describe('more than is usual is bounded', () => {
  it('ten times what there is room for, and a broker that is away: no more is held than that, and all arrives', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { queueMessages: 300, enqueueTimeoutMs: -1, ...PATIENT })
    await producer.send({ topic: 'orders', value: 'first' })
    await kafka.stopBroker(1)
    let most = 0
    const sends = Array.from({ length: 3_000 }, (_, i) =>
      producer.send({ topic: 'orders', value: String(i) }).then(() => {
        most = Math.max(most, producer.stats().queueMessages)
      }),
    )
    await until(() => producer.stats().queueMessages === 300, 'what there is room for is taken in')
    await until(() => !producer.health().healthy, 'it hears that the broker is away')
    expect(producer.stats().queueMessages).toBe(300)
    await kafka.startBroker(1)
    await Promise.all(sends)
    expect(most).toBeLessThanOrEqual(300)
    expect(stored(kafka, 'orders')).toEqual(['first', ...Array.from({ length: 3_000 }, (_, i) => String(i))])
    expectNothingHeld(producer)
  })

  it('two thousand topics that nobody knew: asked for together, and their messages go together', async () => {
    const names = Array.from({ length: 2_000 }, (_, i) => `topic-${i}`)
    const kafka = await startKafka({ topics: Object.fromEntries(names.map((name) => [name, {}])) })
    const producer = startProducer(kafka, PATIENT)
    await Promise.all(names.map((topic) => producer.send({ topic, value: topic })))
    // One of each per turn of the event loop in which there are any.
    expect(requestsOf(kafka, 'Metadata').length).toBeLessThanOrEqual(40)
    expect(requestsOf(kafka, 'Produce').length).toBeLessThanOrEqual(40)
    for (const name of [names[0], names[1_999]]) expect(stored(kafka, name ?? '')).toEqual([name])
  })

  it('ten thousand partitions: as few requests as the messages fit in', async () => {
    const kafka = await startKafka({ topics: { wide: { partitions: 10_000 } } })
    const producer = startProducer(kafka, PATIENT)
    await producer.send(Array.from({ length: 10_000 }, (_, partition) => ({ topic: 'wide', partition, value: 'v' })))
    // 5,000 messages to each; and one more where the list was placed in several turns.
    expect(requestsOf(kafka, 'Produce').length).toBeLessThanOrEqual(10)
    expect(requestsOf(kafka, 'Metadata')).toHaveLength(1)
    expect(kafka.records('wide')).toHaveLength(10_000)
  })

  it('a hundred brokers: one connection for messages with each, however many messages', async () => {
    const kafka = await startKafka({ brokers: 100, topics: { orders: { partitions: 100, replicationFactor: 1 } } })
    const producer = startProducer(kafka, PATIENT)
    for (let round = 0; round < 3; round++)
      await Promise.all(
        Array.from({ length: 1_000 }, (_, i) => producer.send({ topic: 'orders', partition: i % 100, value: 'v' })),
      )
    const connections = requestsOf(kafka, 'Produce').map(({ connection }) => connection)
    expect(new Set(connections).size).toBe(100)
    expect(requestsOf(kafka, 'Produce').length).toBeLessThanOrEqual(100 * 3 * 2)
  })

  it('a hundred producers in one process: two connections each, and none is left', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producers = Array.from({ length: 100 }, () => startProducer(kafka, PATIENT))
    await Promise.all(producers.map((producer) => producer.send({ topic: 'orders', value: 'v' })))
    expect(kafka.connections.length).toBeLessThanOrEqual(200)
    expect(kafka.records('orders')).toHaveLength(100)
    await Promise.all(producers.map((producer) => producer.close()))
    await until(() => kafka.connections.length === 0, 'all are closed')
  })

  it.each([1, 100_000_000])('a message of %i bytes, with limits that allow it', async (bytes) => {
    const limit = bytes + 1_000
    const kafka = await startKafka({
      messageMaxBytes: limit,
      retentionBytes: limit * 2,
      topics: { large: { config: { 'max.message.bytes': limit } } },
    })
    const producer = startProducer(kafka, PATIENT)
    const value = Buffer.alloc(bytes, 'x')
    const [metadata] = await producer.send({ topic: 'large', value })
    expect(metadata.offset).toBe(0n)
    expect(kafka.records('large')[0]?.value?.equals(value)).toBe(true)
    expectNothingHeld(producer)
  })
})
