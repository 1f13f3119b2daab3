import type { Attributes } from '@opentelemetry/api'
import { expect, it } from 'vitest'
import { Producer, TransactionalProducer, type ProducerInterceptor } from '../../../src/index.js'
import type { EmbeddedKafka } from '../../../src/testing/index.js'
import { startKafka } from '../support/cluster.js'
import { errorOf, startProducer } from '../support/producers.js'
import { serverOf, Telemetry } from './support.js'

/* The brokers that messages went to: `server.address` and `server.port` of spans and metrics. */

const DURATION = 'messaging.client.operation.duration'
const SENT = 'messaging.client.sent.messages'

/** As an address; of what names none undefined. */
const serverIn = ({ 'server.address': host, 'server.port': port }: Attributes): string | undefined =>
  host === undefined && port === undefined ? undefined : `${String(host)}:${String(port)}`

/** Of each send, in the order in which they ended. */
async function serversOfSends(telemetry: Telemetry): Promise<(string | undefined)[]> {
  const spans = await telemetry.spans()
  return spans.filter(({ name }) => name.startsWith('send')).map(({ attributes }) => serverIn(attributes))
}

/** How many a metric has of each broker. */
async function countsOf(telemetry: Telemetry, name: string): Promise<[string | undefined, unknown][]> {
  const points = await telemetry.points(name)
  return points.map(({ attributes, value }) => [
    serverIn(attributes),
    name === DURATION ? (value as { readonly count: number }).count : value,
  ])
}

const addressOf = (kafka: EmbeddedKafka, id: number) => serverIn(serverOf(kafka, id))

/** Broker 1 leads partition 0, and so on. */
async function startThree(): Promise<EmbeddedKafka> {
  const kafka = await startKafka({ brokers: 3, topics: { orders: { partitions: 3, replicationFactor: 3 } } })
  for (const partition of [0, 1, 2]) kafka.moveLeader('orders', partition, partition + 1)
  return kafka
}

const toPartitions = (...partitions: number[]) =>
  partitions.map((partition) => ({ topic: 'orders', value: '1', partition }))

it('are named where there is but one, as the cluster tells it, with a port that is a number', async () => {
  const kafka = await startKafka({ topics: { orders: { partitions: 2 } } })
  const telemetry = new Telemetry()
  const producer = startProducer(kafka)
  await producer.send({ topic: 'orders', value: '1' })
  await producer.send(toPartitions(0, 1, 0))
  for (const { name, attributes } of await telemetry.spans())
    // Of a message that is only created nobody knows yet where it goes.
    if (name === 'create orders') expect(serverIn(attributes)).toBeUndefined()
    else expect(attributes).toMatchObject(serverOf(kafka))
  expect(await countsOf(telemetry, DURATION)).toEqual([[addressOf(kafka, 1), 2]])
  expect(await countsOf(telemetry, SENT)).toEqual([[addressOf(kafka, 1), 4]])
})

it('are named in a send where all its messages went to one; messages are counted for each', async () => {
  const kafka = await startThree()
  const [first, second, third] = [1, 2, 3].map((id) => addressOf(kafka, id))
  const telemetry = new Telemetry()
  const producer = startProducer(kafka)
  await producer.send(toPartitions(1, 1))
  await producer.send(toPartitions(0, 1, 2, 2))
  await producer.send(toPartitions(2))
  expect(await serversOfSends(telemetry)).toEqual([second, undefined, third])
  expect(await countsOf(telemetry, DURATION)).toEqual([
    [second, 1],
    [undefined, 1],
    [third, 1],
  ])
  const counts = new Map(await countsOf(telemetry, SENT))
  expect(counts).toEqual(new Map([first, second, third].map((server, index) => [server, [1, 3, 3][index]])))
})

it('are told of several topics, too, and by the topic that an interceptor chose', async () => {
  const kafka = await startKafka({ brokers: 3, topics: { orders: {}, other: {}, third: {} } })
  for (const [topic, leader] of [
    ['orders', 1],
    ['other', 2],
    ['third', 2],
  ] as const)
    kafka.moveLeader(topic, 0, leader)
  const telemetry = new Telemetry()
  const producer = startProducer(kafka)
  const to = (...topics: string[]) => topics.map((topic) => ({ topic, value: '1' }))
  await producer.send(to('other', 'third', 'other'))
  await producer.send(to('orders', 'other'))
  const onSend: ProducerInterceptor['onSend'] = (message) => ({ ...message, topic: 'other' })
  await startProducer(kafka, { interceptors: [{ onSend }] }).send(to('orders'))
  const [first, second] = [1, 2].map((id) => addressOf(kafka, id))
  expect(await serversOfSends(telemetry)).toEqual([second, undefined, second])
  const points = await telemetry.points(SENT)
  expect(
    new Map(
      points.map(({ attributes, value }) => [attributes['messaging.destination.name'], [serverIn(attributes), value]]),
    ),
  ).toEqual(
    new Map([
      ['other', [second, 4]],
      ['third', [second, 1]],
      ['orders', [first, 1]],
    ]),
  )
})

it('are those that lead when the send ends', async () => {
  const kafka = await startThree()
  const telemetry = new Telemetry()
  const producer = startProducer(kafka)
  await producer.send(toPartitions(0))
  kafka.moveLeader('orders', 0, 3)
  await producer.send(toPartitions(0))
  await producer.send(toPartitions(0, 2))
  expect(await serversOfSends(telemetry)).toEqual([addressOf(kafka, 1), addressOf(kafka, 3), addressOf(kafka, 3)])
  expect(await countsOf(telemetry, SENT)).toEqual([
    [addressOf(kafka, 1), 1],
    [addressOf(kafka, 3), 3],
  ])
})

it('are named of what they refused, and not of what never went out or found no leader', async () => {
  const kafka = await startThree()
  const telemetry = new Telemetry()
  const producer = startProducer(kafka, { retries: 0 })
  await producer.send(toPartitions(0))
  kafka.fail({ api: 'Produce', partition: 1, times: 2 }, 'TOPIC_AUTHORIZATION_FAILED')
  await errorOf(producer.send(toPartitions(1)))
  await errorOf(producer.send(toPartitions(0, 1)))
  kafka.cut({ api: 'Produce', partition: 2 })
  await errorOf(producer.send(toPartitions(2)))
  await errorOf(producer.send(toPartitions(7)))
  await errorOf(producer.send({ topic: 'not a topic', value: '1' }))
  kafka.moveLeader('orders', 0, 2)
  // It is told who leads by now, which is not who refused it.
  const error = await errorOf(producer.send({ topic: 'orders', value: '1', partition: 0 }))
  expect(error.code).toBe('NOT_LEADER_OR_FOLLOWER')
  const [first, second, third] = [1, 2, 3].map((id) => addressOf(kafka, id))
  expect(await serversOfSends(telemetry)).toEqual([first, second, undefined, third, undefined, undefined, undefined])
  const points = await telemetry.points(SENT)
  expect(points.map(({ attributes, value }) => [attributes['error.type'], serverIn(attributes), value])).toEqual([
    [undefined, first, 2],
    ['TOPIC_AUTHORIZATION_FAILED', second, 2],
    ['CONNECTION_CLOSED', third, 1],
    ['NOT_LEADER_OR_FOLLOWER', undefined, 1],
  ])
})

it('are named in async mode and in transactions', async () => {
  const kafka = await startThree()
  const telemetry = new Telemetry()
  await using queueing = new Producer({ brokers: kafka.bootstrap, type: 'async', acks: 0 })
  await queueing.send(toPartitions(1))
  await queueing.flush()
  await using producer = new TransactionalProducer({ brokers: kafka.bootstrap, transactionalId: 'tx' })
  await producer.transaction(async (tx) => {
    await tx.send({ topic: 'orders', value: '1', partition: 2 })
    await tx.send(toPartitions(0, 2))
  })
  const [first, second, third] = [1, 2, 3].map((id) => addressOf(kafka, id))
  expect(await serversOfSends(telemetry)).toEqual([second, third, undefined])
  expect(new Map(await countsOf(telemetry, SENT))).toEqual(
    new Map([
      [second, 1],
      [third, 2],
      [first, 1],
    ]),
  )
})
