import { expect, it } from 'vitest'
import type { ProducerStats } from '../../../src/index.js'
import { startKafka } from '../support/cluster.js'
import { errorOf, requestsOf, startAsync, startProducer, until } from '../support/producers.js'

/* What stats() tells is what was sent, refused and sent again. */

it('messages are counted by topic once, however often they are sent, and requests by broker', async () => {
  const kafka = await startKafka({ topics: { orders: {}, logs: {} } })
  const producer = startProducer(kafka)
  kafka.fail({ api: 'Produce', topic: 'orders', times: 2 }, 'NOT_ENOUGH_REPLICAS')
  kafka.throttle({ api: 'Produce', times: 1 }, 20)
  await producer.send([
    { topic: 'orders', value: 'x'.repeat(1_000) },
    { topic: 'orders', value: 'y' },
  ])
  await producer.send({ topic: 'logs', value: 'z' })
  const stats = producer.stats()
  expect(stats.topics).toMatchObject({ orders: { messages: { count: 2 } }, logs: { messages: { count: 1 } } })
  expect(stats.allTopics.messages.count).toBe(3)
  expect(stats.allTopics.bytes.count).toBeGreaterThan(1_000)
  expect(Object.keys(stats.brokers)).toEqual([kafka.bootstrap])
  expect(stats.allBrokers.requests.count).toBe(4)
  expect(stats.allBrokers.requestTimeMs.count).toBe(4)
  expect(stats.allBrokers.requestBytes.max).toBeGreaterThan(1_000)
  expect(stats.retries.count).toBe(2)
  expect(stats.retriesByCode).toEqual({ NOT_ENOUGH_REPLICAS: 2 })
  expect(stats.batchMessages).toMatchObject({ count: 4, max: 2, min: 1 })
  expect(stats.queueTimeMs.count).toBe(2)
  expect(stats.ageMs.count).toBe(2)
  expect(stats.ageMs.max).toBeGreaterThan(stats.queueTimeMs.min)
  expect(stats.throttleTimeMs.count).toBe(1)
  expect(stats.connections).toEqual({ opened: 2, failed: 0, closed: 0 })
  expect(stats.compressionRatio).toBe(1)
})

it('messages are counted where their first attempts could not connect, and where their batch was split', async () => {
  const kafka = await startKafka({ brokers: 2, topics: { orders: { replicationFactor: 2 } } })
  const producer = startProducer(kafka)
  const leader = (await producer.partitionsFor('orders'))[0]?.leader as number
  await kafka.stopBroker(leader, { electionMs: Infinity })
  const sending = producer.send({ topic: 'orders', value: 'x' })
  await until(() => producer.stats().connections.failed > 0, 'no connection can be had')
  kafka.electLeaders()
  await sending
  kafka.fail({ api: 'Produce', times: 1 }, 'MESSAGE_TOO_LARGE')
  await producer.send([1, 2].map((value) => ({ topic: 'orders', value: String(value) })))
  const { allTopics, queueTimeMs, batchMessages } = producer.stats()
  expect(allTopics.messages.count).toBe(3)
  expect(queueTimeMs.count).toBe(2)
  expect(batchMessages.count).toBe(4)
})

it('a batch counts as sent again when it is, and not where its messages have ended before', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  // It is not sent again within its deadline, whatever the jitter.
  const producer = startProducer(kafka, { deliveryTimeoutMs: 1_000, retryBackoffMs: 2_000, retryBackoffMaxMs: 2_000 })
  // So that the refusal comes within the deadline, also on a busy machine.
  await producer.send({ topic: 'orders', value: 'first' })
  kafka.fail({ api: 'Produce' }, 'NOT_ENOUGH_REPLICAS')
  expect((await errorOf(producer.send({ topic: 'orders', value: 'late' }))).code).toBe('DELIVERY_TIMEOUT')
  // They wait until the pause after the refusal is over, which the first of them need not live to see.
  const next = () => producer.send({ topic: 'orders', value: 'next' })
  while ((await next().catch(() => undefined)) === undefined);
  expect(requestsOf(kafka, 'Produce')).toHaveLength(3)
  const { retries, resends, acknowledged } = producer.stats()
  expect([retries.count, resends, acknowledged]).toEqual([1, 0, 2])
})

it('the halves of a batch that was too large count as sent again, each', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka)
  kafka.fail({ api: 'Produce' }, 'MESSAGE_TOO_LARGE')
  await producer.send([1, 2].map((value) => ({ topic: 'orders', value: String(value) })))
  expect(producer.stats()).toMatchObject({ resends: 2, retries: { count: 1 } })
})

it('compression is told as what is left, and failures and refusals by the message', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka, { compression: 'gzip', queueMessages: 1, enqueueTimeoutMs: 0 })
  await producer.send({ topic: 'orders', value: 'x'.repeat(10_000) })
  expect(producer.stats().compressionRatio).toBeLessThan(0.1)
  kafka.fail({ api: 'Produce' }, 'TOPIC_AUTHORIZATION_FAILED')
  const both = [producer.send({ topic: 'orders', value: '1' }), producer.send({ topic: 'orders', value: '2' })]
  await Promise.all(both.map(errorOf))
  const stats = producer.stats()
  expect(stats.failedSends.count).toBe(1)
  expect(stats.topics['orders']?.dropped.count).toBe(1)
  expect(stats.allTopics.dropped.count).toBe(1)
})

it('onStats is called with them at the interval, until the producer closes, and may throw', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const told: ProducerStats[] = []
  const onStats = (stats: ProducerStats) => {
    told.push(stats)
    throw new Error('no')
  }
  const producer = startProducer(kafka, { onStats, statsIntervalMs: 5 })
  producer.on('warning', () => undefined)
  await producer.send({ topic: 'orders', value: '1' })
  const before = told.length
  await until(() => told.length > before, 'onStats is called')
  await producer.close()
  const count = told.length
  expect(told.at(-1)).toMatchObject({ messages: 1, allTopics: { messages: { count: 1 } } })
  expect(producer.stats().throwingCallbacks).toBe(count)
})

it('onStats is called while the producer closes, and a last time when it has: nothing is queued then, and no figure lacks', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const told: ProducerStats[] = []
  const onStats = (stats: ProducerStats) => told.push(stats)
  const producer = startAsync(kafka, { onStats, statsIntervalMs: 5, lingerMs: 60_000 })
  const stall = kafka.stall({ api: 'Produce' })
  await producer.send({ topic: 'orders', value: '1' })
  const closing = producer.close()
  await stall.hit()
  const before = told.length
  await until(() => told.length > before, 'onStats is called')
  expect(told.at(-1)).toMatchObject({ queueMessages: 1, acknowledged: 0 })
  stall.release()
  await closing
  const { connections } = producer.stats()
  expect(told.at(-1)).toMatchObject({ queueMessages: 0, queueBytes: 0, acknowledged: 1, connections })
  expect(connections.closed).toBe(connections.opened)
})

it('what is opened less what is closed are the connections that there are, whatever was tried besides', async () => {
  const kafka = await startKafka({ topics: { orders: {} }, sasl: { users: { alice: 'wonderland' } } })
  let password = 'wrong'
  const sasl = { mechanism: 'plain' as const, username: 'alice', password: () => password }
  const producer = startProducer(kafka, { sasl })
  await errorOf(producer.send({ topic: 'orders', value: '1' }))
  expect(producer.stats().connections).toEqual({ opened: 0, failed: 1, closed: 0 })
  password = 'wonderland'
  await producer.send({ topic: 'orders', value: '2' })
  expect(producer.stats().connections).toEqual({ opened: 2, failed: 1, closed: 0 })
  await producer.close()
  expect(producer.stats().connections).toEqual({ opened: 2, failed: 1, closed: 2 })
})

it('a broker that hangs up on what it does not know is no connection lost', async () => {
  const kafka = await startKafka({ release: '0.8.2', topics: { orders: {} } })
  const producer = startProducer(kafka)
  await producer.send({ topic: 'orders', value: '1' })
  await producer.close()
  expect(producer.stats().connections).toEqual({ opened: 2, failed: 0, closed: 2 })
})
