import { describe, expect, it } from 'vitest'
import { startKafka } from '../support/cluster.js'
import { errorOf, requestsOf, startProducer, until } from '../support/producers.js'

describe('questions that any broker can answer', () => {
  it('take one connection to a broker, however many wait for its first answer', async () => {
    const kafka = await startKafka({ autoCreateTopics: false })
    const stalled = kafka.stall({ api: 'Metadata', times: Infinity })
    const producer = startProducer(kafka, { allowAutoTopicCreation: false })
    const asked: Promise<unknown>[] = []
    for (let i = 0; i < 50; i++) {
      asked.push(errorOf(producer.partitionsFor(`none-${i}`)))
      await until(() => requestsOf(kafka, 'Metadata').length === i + 1, 'it is asked')
    }
    expect(kafka.connections).toHaveLength(1)
    stalled.release()
    for (const error of await Promise.all(asked)) expect(error).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' })
    expect(kafka.connections).toHaveLength(1)
  })

  it('are put anew to the only broker there is, where their connection turns out to be lost', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    await producer.connect()
    const [lost] = kafka.connections
    kafka.cut({ api: 'Metadata' })
    expect(await producer.partitionsFor('orders')).toHaveLength(1)
    expect(kafka.connections.map(({ id }) => id)).not.toContain(lost?.id)
    // One that is new is no better where the broker hangs up on that as well.
    kafka.cut({ api: 'Metadata', times: 2 })
    expect((await errorOf(producer.connect())).message).toMatch(/closed the connection, and had not answered Metadata/)
    await producer.connect()
  })

  it('are put anew to the only broker there is, where their connection is silent', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    await producer.connect()
    const [silent] = kafka.connections
    const stalled = kafka.stall({ api: 'Metadata' })
    expect(await producer.partitionsFor('orders')).toHaveLength(1)
    stalled.release()
    await until(() => kafka.connections.every(({ id }) => id !== silent?.id), 'the silent connection is gone')
    expect(await producer.partitionsFor('orders')).toHaveLength(1)
    expect(kafka.connections).toHaveLength(1)
  })

  it('are told as one wait where they wait for one connection', async () => {
    const kafka = await startKafka()
    kafka.stall({ api: 'ApiVersions', times: Infinity })
    const producer = startProducer(kafka)
    const asked = [producer.partitionsFor('orders'), producer.send({ topic: 'orders', value: 'x' })].map(errorOf)
    const { message } = await errorOf(producer.connect({ timeoutMs: 200 }))
    expect(message.split('to answer ApiVersions')).toHaveLength(2)
    await producer.close({ timeoutMs: 0 })
    await Promise.all(asked)
  })
})

describe('a question for the partitions of a topic', () => {
  it.each([undefined, 5, ['t'], '', 't\ud800', 'x\n2026 INFO ok \u001b[2J', 't'.repeat(40_000)])(
    'is refused at once where no topic can be called that: %j',
    async (topic) => {
      const kafka = await startKafka({})
      const error = await errorOf(startProducer(kafka).partitionsFor(topic as string))
      expect(error).toMatchObject({ code: 'INVALID_MESSAGE', retriable: false })
      expect(String(error)).not.toMatch(/\p{Cc}/u)
      expect(kafka.requests).toEqual([])
    },
  )

  it('fails with that where the producer is closed meanwhile', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    kafka.stall({ api: 'Metadata', times: Infinity })
    const producer = startProducer(kafka)
    const asked = errorOf(producer.partitionsFor('orders'))
    await until(() => requestsOf(kafka, 'Metadata').length > 0, 'it is asked')
    await producer.close()
    expect(await asked).toMatchObject({ code: 'PRODUCER_CLOSED' })
  })
})
