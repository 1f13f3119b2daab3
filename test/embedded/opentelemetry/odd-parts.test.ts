import { propagation } from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { SamplingDecision, type ReadableSpan, type Sampler } from '@opentelemetry/sdk-trace-base'
import { expect, it } from 'vitest'
import type { KeyedMessage, RawData } from '../../../src/index.js'
import { KafkaProducerInstrumentation } from '../../../src/opentelemetry/index.js'
import { startKafka } from '../support/cluster.js'
import { errorOf, startProducer, stored } from '../support/producers.js'
import { headersIn, Telemetry, traceparentOf } from './support.js'

/* Spans where what the SDK and the producer are given does what it should not, or seldom does. */

it('what an encoder says of a value is in no span', async () => {
  const telemetry = new Telemetry()
  const kafka = await startKafka({ topics: { orders: {} } })
  const encode = (value: unknown) => JSON.stringify(JSON.parse(String(value)))
  const producer = startProducer(kafka, { encoder: { encode } })
  const error = await errorOf(producer.send({ topic: 'orders', value: 'hunter2' }))
  expect(error.message).toContain('hunter2')
  const [span] = await telemetry.spans()
  expect(span?.status.message).toBe("value: the encoder threw for 'orders': SyntaxError")
})

it('what is recorded and not sampled puts nothing into the messages of a list, as into one by itself', async () => {
  const recordOnly: Sampler = { shouldSample: () => ({ decision: SamplingDecision.RECORD }), toString: () => 'record' }
  const telemetry = new Telemetry({ sampler: recordOnly })
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka)
  await producer.send({ topic: 'orders', value: '1' })
  await producer.send(['2', '3'].map((value) => ({ topic: 'orders', value })))
  expect(headersIn(kafka, 'orders')).toEqual([{}, {}, {}])
  telemetry.instrumentation.setConfig({ propagateUnsampled: true })
  await producer.send(['4', '5'].map((value) => ({ topic: 'orders', value })))
  const told = headersIn(kafka, 'orders').slice(3)
  expect(told).toEqual([1, 2].map(() => ({ traceparent: expect.stringMatching(/-00$/) })))
})

it('a propagator that throws for one message of a list leaves no span open, and no other message without its own', async () => {
  const telemetry = new Telemetry()
  const w3c = new W3CTraceContextPropagator()
  let calls = 0
  propagation.disable()
  propagation.setGlobalPropagator({
    inject(...given) {
      if (++calls === 2) throw new Error('not this one')
      w3c.inject(...given)
    },
    extract: (...given) => w3c.extract(...given),
    fields: () => w3c.fields(),
  })
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka)
  await producer.send(['1', '2', '3'].map((value) => ({ topic: 'orders', value })))
  const spans = await telemetry.spans()
  expect(spans.map(({ name }) => name)).toEqual(['create orders', 'create orders', 'create orders', 'send orders'])
  const [first, , third, send] = spans as [ReadableSpan, ReadableSpan, ReadableSpan, ReadableSpan]
  expect(send.links).toHaveLength(3)
  expect(headersIn(kafka, 'orders')).toEqual([
    { traceparent: traceparentOf(first) },
    {},
    { traceparent: traceparentOf(third) },
  ])
})

it.each([1, 2])(
  'a propagator that can’t read what one of %d messages brings along leaves no span open',
  async (count) => {
    const telemetry = new Telemetry()
    const w3c = new W3CTraceContextPropagator()
    propagation.disable()
    propagation.setGlobalPropagator({
      inject: (...given) => w3c.inject(...given),
      extract() {
        throw new Error('what is this?')
      },
      fields: () => w3c.fields(),
    })
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    const odd = { topic: 'orders', value: '1', headers: { traceparent: 'odd' } }
    await producer.send([odd, { topic: 'orders', value: '2' }].slice(0, count))
    const spans = await telemetry.spans()
    const created = count === 1 ? [] : ['create orders', 'create orders']
    expect(spans.map(({ name }) => name)).toEqual([...created, 'send orders'])
    const sources = count === 1 ? spans : spans.slice(0, 2)
    expect(headersIn(kafka, 'orders')).toEqual(sources.map((span) => ({ traceparent: traceparentOf(span) })))
  },
)

it('what an interceptor sends to another topic is told with that, as its partition and offset are', async () => {
  const telemetry = new Telemetry()
  const kafka = await startKafka({ topics: { orders: { partitions: 3 }, archive: {} } })
  const onSend = (message: KeyedMessage<RawData, RawData>) => ({ ...message, topic: 'archive' })
  const producer = startProducer(kafka, { interceptors: [{ onSend }] })
  await producer.send({ topic: 'orders', value: '1' })
  await producer.send(['2', '3'].map((value) => ({ topic: 'orders', value })))
  const sends = (await telemetry.spans()).filter(({ attributes }) => attributes['messaging.operation.name'] === 'send')
  expect(sends.map(({ name }) => name)).toEqual(['send archive', 'send archive'])
  const where = { 'messaging.destination.name': 'archive', 'messaging.destination.partition.id': '0' }
  expect(sends[0]?.attributes).toMatchObject({ ...where, 'messaging.kafka.offset': 0 })
  expect(sends[1]?.attributes).toMatchObject(where)
  for (const metric of ['messaging.client.sent.messages', 'messaging.client.operation.duration']) {
    const points = await telemetry.points(metric)
    expect(points.map(({ attributes }) => attributes['messaging.destination.name'])).toEqual(['archive'])
  }
})

it.each([
  ['0.8.2', false],
  ['0.10.2', true],
])(
  'Kafka %s has no headers: messages go without the context; those with headers of their own fail as ever; copied: %s',
  async (release, copyBytes) => {
    const telemetry = new Telemetry()
    const kafka = await startKafka({ release, topics: { orders: {} } })
    const producer = startProducer(kafka, { copyBytes })
    await producer.send({ topic: 'orders', value: '1' })
    // In one batch, of which that one is left out; the others go again.
    kafka.fail({ api: 'Produce' }, 'LEADER_NOT_AVAILABLE')
    const own = errorOf(producer.send({ topic: 'orders', value: 'own', headers: { a: 'b' } }))
    await producer.send(['2', '3'].map((value) => ({ topic: 'orders', value, headers: {} })))
    expect((await own).code).toBe('UNSUPPORTED_BY_FORMAT')
    expect(stored(kafka, 'orders')).toEqual(['1', '2', '3'])
    expect((await telemetry.spans()).filter(({ name }) => name === 'send orders')).toHaveLength(3)
  },
)

it('Kafka 0.10.2: what an interceptor adds to the context is not left out with it, however it does so', async () => {
  new Telemetry()
  const kafka = await startKafka({ release: '0.10.2', topics: { orders: {} } })
  const onSend = (message: KeyedMessage<RawData, RawData>) => {
    const headers = message.headers as [string, string][]
    return { ...message, headers: headers.concat([['tenant', 'acme']]) }
  }
  const producer = startProducer(kafka, { interceptors: [{ onSend }] })
  expect((await errorOf(producer.send({ topic: 'orders', value: '1' }))).code).toBe('UNSUPPORTED_BY_FORMAT')
})

it.each<[string, unknown, RegExp]>([
  ['a misspelt option', { requireParentSpans: true }, /^there is no option 'requireParentSpans' of .* it has enabled,/],
  ['a text', { createSpans: 'false' }, /^createSpans: given was 'false', allowed is true or false$/],
  ['null', null, /^the options must be an object, given was null$/],
])('a configuration that would have no effect, or another one, is refused: %s', (_, config, message) => {
  const refused: unknown = expect.objectContaining({ code: 'INVALID_CONFIG', message: expect.stringMatching(message) })
  expect(() => new KafkaProducerInstrumentation(config as object)).toThrow(refused)
  const instrumentation = new KafkaProducerInstrumentation({ enabled: false })
  expect(() => instrumentation.setConfig(config as object)).toThrow(refused)
  expect(instrumentation.getConfig()).toEqual({ enabled: false })
})

it.each([undefined, null, {}, 7])('a provider that is none is refused: %o', (none) => {
  const refused: unknown = expect.objectContaining({ code: 'INVALID_CONFIG' })
  const instrumentation = new KafkaProducerInstrumentation({ enabled: false })
  expect(() => instrumentation.setTracerProvider(none as never)).toThrow(refused)
  expect(() => instrumentation.setMeterProvider(none as never)).toThrow(refused)
})
