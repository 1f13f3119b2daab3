import { createNoopMeter, type Meter } from '@opentelemetry/api'
import { AlwaysOffSampler } from '@opentelemetry/sdk-trace-base'
import { expect, it, vi } from 'vitest'
import { Producer, type SendTrace } from '../../../src/index.js'
import { Conventions } from '../../../src/opentelemetry/conventions.js'
import { SendMetrics } from '../../../src/opentelemetry/send-metrics.js'
import { startKafka } from '../support/cluster.js'
import { errorOf, startProducer } from '../support/producers.js'
import { serverOf, Telemetry } from './support.js'

/* Metrics of sends by the conventions for messaging. */

const DURATION = 'messaging.client.operation.duration'
const SENT = 'messaging.client.sent.messages'
const SEND = {
  'messaging.operation.name': 'send',
  'messaging.operation.type': 'send',
  'messaging.system': 'kafka',
}
const ORDERS = { ...SEND, 'messaging.destination.name': 'orders' }

it('has the duration of each send, in seconds and the buckets of the conventions', async () => {
  const kafka = await startKafka({ topics: { orders: {}, other: {} } })
  const telemetry = new Telemetry({ sampler: new AlwaysOffSampler() })
  const producer = startProducer(kafka)
  await producer.send({ topic: 'orders', value: '1' })
  await producer.send(['2', '3'].map((value) => ({ topic: 'orders', value })))
  await producer.send(['orders', 'other'].map((topic) => ({ topic, value: '4' })))
  kafka.fail({ api: 'Produce' }, 'TOPIC_AUTHORIZATION_FAILED')
  await errorOf(producer.send({ topic: 'orders', value: '5' }))
  await errorOf(producer.send({ topic: 'not a topic', value: '6' }))
  await errorOf(producer.send({ topic: 'orders', value: '7', headers: 7 as never }))
  const points = await telemetry.points(DURATION)
  const server = serverOf(kafka)
  expect(points.map(({ attributes, value }) => [attributes, (value as { count: number }).count])).toEqual([
    [{ ...ORDERS, ...server }, 2],
    [{ ...SEND, ...server }, 1],
    [{ ...ORDERS, ...server, 'error.type': 'TOPIC_AUTHORIZATION_FAILED' }, 1],
    [{ ...SEND, 'error.type': 'INVALID_MESSAGE' }, 1],
    [{ ...ORDERS, 'error.type': 'INVALID_MESSAGE' }, 1],
  ])
  expect(points[0]?.value).toMatchObject({
    buckets: { boundaries: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10] },
  })
})

it('counts the messages that were attempted to be sent, and not those that were only given', async () => {
  const kafka = await startKafka({ topics: { orders: { partitions: 2 } } })
  const telemetry = new Telemetry()
  const producer = startProducer(kafka)
  const each = [0, 1, 1].map((partition) => ({ topic: 'orders', value: '1', partition }))
  await producer.send(each)
  kafka.fail({ api: 'Produce', partition: 1 }, 'TOPIC_AUTHORIZATION_FAILED')
  await errorOf(producer.send(each))
  await errorOf(producer.send({ topic: 'not a topic', value: '2' }))
  await errorOf(producer.send({ topic: 'orders', value: '3', partition: 7 }))
  expect(await telemetry.points(SENT)).toMatchObject([
    { attributes: ORDERS, value: 4 },
    { attributes: { ...ORDERS, 'error.type': 'TOPIC_AUTHORIZATION_FAILED' }, value: 2 },
  ])
})

it('has of a list that failed for several reasons the error that its send() fails with, as its span does', async () => {
  const kafka = await startKafka({ topics: { orders: { partitions: 3 } } })
  const telemetry = new Telemetry()
  const producer = startProducer(kafka)
  kafka.fail({ api: 'Produce', partition: 1 }, 'TOPIC_AUTHORIZATION_FAILED')
  kafka.fail({ api: 'Produce', partition: 2 }, 'INVALID_TIMESTAMP')
  const error = await errorOf(producer.send([0, 1, 2].map((partition) => ({ topic: 'orders', value: '1', partition }))))
  const [duration] = await telemetry.points(DURATION)
  expect(duration?.attributes['error.type']).toBe(error.code)
})

it('counts together what ends together, before those who wait for it go on', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const telemetry = new Telemetry()
  const producer = startProducer(kafka)
  await producer.connect()
  const add = vi.fn()
  const meter = Object.assign(Object.create(createNoopMeter()) as Meter, {
    createHistogram: () => ({ record: () => undefined }),
    createCounter: () => ({ add }),
  })
  telemetry.instrumentation.setMeterProvider({ getMeter: () => meter })
  const held = kafka.stall({ api: 'Produce' })
  const sends = ['1', '2', '3'].map((value) =>
    producer
      .send({ topic: 'orders', value })
      .then(() => expect(add.mock.calls).toEqual([[3, { ...ORDERS, ...serverOf(kafka) }]])),
  )
  held.release()
  await Promise.all(sends)
})

it('counts in async mode what has been sent, and not what is queued', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const telemetry = new Telemetry()
  const held = kafka.stall({ api: 'Produce' })
  await using producer = new Producer({ brokers: kafka.bootstrap, type: 'async' })
  await producer.send({ topic: 'orders', value: '1' })
  expect(await telemetry.points(SENT)).toEqual([])
  held.release()
  await producer.flush()
  expect(await telemetry.points(SENT)).toMatchObject([{ attributes: ORDERS, value: 1 }])
  expect(await telemetry.points(DURATION)).toMatchObject([{ attributes: ORDERS, value: { count: 1 } }])
})

it('a meter that throws leaves no span open, and harms no send', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const telemetry = new Telemetry()
  const record = vi.fn(() => {
    throw new Error('of the test')
  })
  // Another than the one that stands for none.
  const meter: Meter = Object.assign(Object.create(createNoopMeter()) as Meter, { createHistogram: () => ({ record }) })
  telemetry.instrumentation.setMeterProvider({ getMeter: () => meter })
  const producer = startProducer(kafka)
  await producer.send({ topic: 'orders', value: '1' })
  expect(record).toHaveBeenCalledOnce()
  expect(await telemetry.spans()).toHaveLength(1)
})

it('a counter that throws ends neither the process nor the count', async () => {
  const conventions = new Conventions(undefined)
  const add = vi.fn()
  add.mockImplementationOnce(() => {
    throw new Error('of the test')
  })
  const meter = createNoopMeter()
  vi.spyOn(meter, 'createCounter').mockReturnValue({ add })
  const metrics = new SendMetrics(meter, conventions)
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka)
  const [end] = await producer.send({ topic: 'orders', value: '1' })
  const send = { messages: [{ topic: 'orders', value: '1' }] } as unknown as SendTrace
  const shares = [{ server: undefined, messages: 1 }]
  metrics.ended(send, [end], shares, 0)
  await Promise.resolve()
  metrics.ended(send, [end], shares, 0)
  await Promise.resolve()
  expect(add).toHaveBeenCalledTimes(2)
})
