import { expect, it, onTestFinished } from 'vitest'
import type { ProducerOptions } from '../../../src/index.js'
import { Producer as ProducerClass } from '../../../src/producer/producer.js'
import type { ObservedEvent, Observer, Watch } from '../../../src/stats/observer.js'
import { SYSTEM } from '../../../src/surroundings.js'
import type { EmbeddedKafka } from '../../../src/testing/index.js'
import { startKafka } from '../support/cluster.js'
import { errorOf, until } from '../support/producers.js'

/* What a producer does, as those are told who watch it: everything that begins ends, once. */

interface Seen {
  readonly what: string
  readonly begin: unknown
  readonly ends: unknown[]
}

function watchAll(): { observer: Observer; seen: Seen[]; events: ObservedEvent[] } {
  const seen: Seen[] = []
  const events: ObservedEvent[] = []
  const watch =
    (what: string): Watch<unknown, unknown> =>
    (begin) => {
      const one: Seen = { what, begin, ends: [] }
      seen.push(one)
      return (end) => void one.ends.push(end)
    }
  const observer = {
    send: watch('send'),
    batch: watch('batch'),
    request: watch('request'),
    connect: watch('connect'),
    metadata: watch('metadata'),
    event: (event: ObservedEvent) => void events.push(event),
  }
  return { observer, seen, events }
}

function start(kafka: EmbeddedKafka, observer: Observer, options: Partial<ProducerOptions> = {}): ProducerClass {
  const all = { brokers: kafka.bootstrap, retryBackoffMs: 5, retryBackoffMaxMs: 20, ...options }
  const producer = new ProducerClass<unknown, unknown>(all as ProducerOptions<unknown, unknown>, SYSTEM, observer)
  onTestFinished(async () => void (await producer.close({ timeoutMs: 0 })))
  return producer
}

it('a send is seen with its question, connections, request and batch, each with one end', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const { observer, seen, events } = watchAll()
  const producer = start(kafka, observer)
  await producer.send([
    { topic: 'orders', value: 'one' },
    { topic: 'orders', value: 'two' },
  ])
  await producer.close()
  const of = (what: string) => seen.filter((one) => one.what === what)
  expect(seen.filter(({ ends }) => ends.length !== 1)).toEqual([])
  expect(of('send')).toMatchObject([{ begin: { messages: 2 }, ends: [{ error: undefined }] }])
  expect(of('metadata')).toMatchObject([{ begin: { topics: ['orders'] }, ends: [{ error: undefined }] }])
  expect(of('batch')).toMatchObject([
    {
      begin: { topic: 'orders', partition: 0, brokerId: 1, attempt: 1, messages: 2 },
      ends: [{ error: undefined, isRetried: false }],
    },
  ])
  expect(of('connect').map(({ begin }) => begin)).toEqual([{ broker: kafka.bootstrap }, { broker: kafka.bootstrap }])
  const produce = of('request').filter(({ begin }) => (begin as { api: string }).api === 'Produce')
  expect(produce).toMatchObject([{ begin: { broker: kafka.bootstrap }, ends: [{ error: undefined }] }])
  expect(events.filter(({ type }) => type !== 'disconnected')).toEqual([])
})

it('retries, a throttling, a moved leader and a lost broker are events of their own', async () => {
  const kafka = await startKafka({ brokers: 2, topics: { orders: { replicationFactor: 2 } } })
  const { observer, seen, events } = watchAll()
  const producer = start(kafka, observer)
  const leaderOf = async () => (await producer.partitionsFor('orders'))[0]?.leader as number
  const first = await leaderOf()
  const other = first === 1 ? 2 : 1
  kafka.fail({ api: 'Produce', times: 3 }, 'NOT_ENOUGH_REPLICAS')
  kafka.throttle({ api: 'Produce', times: 1 }, 30)
  await producer.send({ topic: 'orders', value: '1' })
  kafka.moveLeader('orders', 0, other)
  await producer.send({ topic: 'orders', value: '2' })
  kafka.dropConnections(other)
  await until(() => events.some(({ type }) => type === 'disconnected'), 'the lost connection is told')
  expect(events.filter(({ type }) => type === 'retry').slice(0, 3)).toMatchObject(
    [1, 2, 3].map((attempts) => ({
      topic: 'orders',
      partition: 0,
      brokerId: first,
      messages: 1,
      attempts,
      error: { code: 'NOT_ENOUGH_REPLICAS' },
    })),
  )
  expect(events).toContainEqual({ type: 'leader-changed', topic: 'orders', partition: 0, from: first, to: other })
  expect(events).toContainEqual({
    type: 'throttled',
    broker: expect.stringContaining(':') as string,
    throttleMs: 30,
    addedMs: expect.closeTo(30, 0) as number,
  })
  const batches = seen.filter(({ what }) => what === 'batch').flatMap(({ ends }) => ends)
  expect(batches.slice(0, 3)).toMatchObject([{ isRetried: true }, { isRetried: true }, { isRetried: true }])
  expect(batches[3]).toMatchObject({ error: undefined, isRetried: false })
})

it('what fails, and what finds no room, is told with its cause', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const { observer, seen, events } = watchAll()
  const producer = start(kafka, observer, { queueMessages: 1, enqueueTimeoutMs: 0 })
  kafka.fail({ api: 'Produce' }, 'TOPIC_AUTHORIZATION_FAILED')
  const both = [producer.send({ topic: 'orders', value: '1' }), producer.send({ topic: 'orders', value: '2' })]
  await Promise.all(both.map(errorOf))
  expect(events).toContainEqual(expect.objectContaining({ type: 'dropped', topic: 'orders' }))
  expect(events).toContainEqual(
    expect.objectContaining({
      type: 'failed',
      messages: 1,
      error: expect.objectContaining({ code: 'TOPIC_AUTHORIZATION_FAILED' }) as unknown,
    }),
  )
  const sends = seen.filter(({ what }) => what === 'send').flatMap(({ ends }) => ends)
  expect(sends).toHaveLength(2)
  expect(producer.stats().dropped).toEqual({ orders: 1 })
})
