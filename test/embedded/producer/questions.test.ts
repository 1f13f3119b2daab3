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
})
