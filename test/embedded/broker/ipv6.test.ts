import { expect, it } from 'vitest'
import { Producer } from '../../../src/index.js'
import { startKafka } from '../support/cluster.js'

it('on an address of IPv6: a producer takes what `bootstrap` says', async () => {
  const kafka = await startKafka({ host: '::1', brokers: 2, topics: { orders: { partitions: 2 } } })
  const ports = kafka.brokers.map(({ port }) => port)
  expect(kafka.bootstrap).toBe(ports.map((port) => `[::1]:${port}`).join(','))
  await using producer = new Producer({ brokers: kafka.bootstrap })
  for (const partition of [0, 1]) await producer.send({ topic: 'orders', partition, value: 'over IPv6' })
  expect(kafka.records('orders').map(({ value }) => value?.toString())).toEqual(['over IPv6', 'over IPv6'])
})
