import { describe, expect, it } from 'vitest'
import { Producer } from '../../../src/index.js'
import { startKafka } from '../support/cluster.js'
import { errorOf, requestsOf, startProducer } from '../support/producers.js'

const t = { topic: 't', value: 'x' }

describe('who waits for room', () => {
  it('has what lingers sent at once, however long it may linger', async () => {
    const kafka = await startKafka({ topics: { t: {} } })
    await using producer = new Producer({
      brokers: kafka.bootstrap,
      type: 'async',
      lingerMs: 60_000,
      enqueueTimeoutMs: 30_000,
      queueMessages: 10,
    })
    for (let i = 0; i < 10; i++) await producer.send(t)
    expect(requestsOf(kafka, 'Produce')).toEqual([])
    await producer.send(t)
    expect(requestsOf(kafka, 'Produce').length).toBeGreaterThan(0)
  })

  it('is refused when its patience is over, also behind a list that makes progress', async () => {
    const kafka = await startKafka({ topics: { t: {} } })
    const producer = startProducer(kafka, { queueMessages: 10, enqueueTimeoutMs: 2_000 })
    await producer.send(t)
    // The list's own patience begins anew with each message that has room; a busy machine has seconds for that.
    kafka.delay({ api: 'Produce', topic: 't', times: Infinity }, 300)
    const order: string[] = []
    const list = producer.send(Array.from({ length: 100 }, () => t)).then(() => order.push('list'))
    const behind = errorOf(producer.send(t)).then(({ code }) => order.push(code))
    await Promise.all([list, behind])
    expect(order).toEqual(['QUEUE_FULL', 'list'])
  })
})
