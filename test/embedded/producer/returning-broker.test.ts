import { expect, it } from 'vitest'
import { startKafka } from '../support/cluster.js'
import { requestsOf, startProducer } from '../support/producers.js'

const PRODUCERS = 100
const BACKOFF_MS = 100
/** A wait at its shortest, by its jitter. */
const LEAST_WAIT_MS = BACKOFF_MS * 0.8

it('a hundred producers with messages for a broker that is away don’t storm it, and connect once each when it is back', async () => {
  const kafka = await startKafka({ brokers: 2, topics: { orders: { partitions: 2, replicationFactor: 1 } } })
  const producers = Array.from({ length: PRODUCERS }, () =>
    startProducer(`127.0.0.1:${kafka.brokers[0]?.port}`, {
      retryBackoffMs: BACKOFF_MS,
      retryBackoffMaxMs: BACKOFF_MS,
      deliveryTimeoutMs: 600_000,
    }),
  )
  await Promise.all(producers.map((producer) => producer.send({ topic: 'orders', partition: 0, value: 'known' })))
  const away = kafka.fail({ api: 'ApiVersions', broker: 2, times: Infinity }, 'BROKER_NOT_AVAILABLE')
  const before = performance.now()
  const sending = producers.map((producer) => producer.send({ topic: 'orders', partition: 1, value: 'waits' }))
  await away.hit(PRODUCERS * 5, 240_000)
  expect(away.hits).toBeLessThanOrEqual(PRODUCERS * (2 + (performance.now() - before) / LEAST_WAIT_MS))
  away.release()
  await Promise.all(sending)
  const attempts = requestsOf(kafka, 'ApiVersions').filter(({ broker }) => broker === 2)
  expect(attempts).toHaveLength(away.hits + PRODUCERS)
  expect(kafka.connections.filter(({ broker }) => broker === 2)).toHaveLength(PRODUCERS)
}, 300_000)
