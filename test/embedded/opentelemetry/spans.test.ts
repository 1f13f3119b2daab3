import { runInNewContext } from 'node:vm'
import {
  context,
  INVALID_SPAN_CONTEXT,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
} from '@opentelemetry/api'
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BasicTracerProvider,
  SamplingDecision,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-base'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { Producer, TransactionalProducer, type KeyedMessage } from '../../../src/index.js'
import { KafkaProducerInstrumentation } from '../../../src/opentelemetry/index.js'
import { startKafka } from '../support/cluster.js'
import { errorOf, startProducer, stored } from '../support/producers.js'
import { headersIn, serverOf, Telemetry, traceparentOf } from './support.js'

/* Spans of sends by the conventions for messaging, and their contexts in the headers of the messages. */

const OWN = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

const summary = ({ name, kind, status, links }: ReadableSpan) => ({
  name,
  kind,
  status: status.code,
  links: links.map((link) => link.context.spanId),
})

describe('a send of one message', () => {
  it('is a span of kind PRODUCER, whose context goes with the message', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const telemetry = new Telemetry()
    const message = Object.freeze({ topic: 'orders', value: '1', headers: Object.freeze({ source: 'shop' }) })
    await startProducer(kafka, { clientId: 'shop' }).send(message)
    const [span, ...others] = await telemetry.spans()
    expect(others).toEqual([])
    expect(summary(span as ReadableSpan)).toEqual({
      name: 'send orders',
      kind: SpanKind.PRODUCER,
      status: SpanStatusCode.UNSET,
      links: [],
    })
    expect(span?.attributes).toEqual({
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.system': 'kafka',
      'messaging.destination.name': 'orders',
      'messaging.destination.partition.id': '0',
      'messaging.client.id': 'shop',
      'messaging.kafka.offset': 0,
      ...serverOf(kafka),
    })
    expect(span?.instrumentationScope).toMatchObject({ name: 'kafka-producer' })
    expect(headersIn(kafka, 'orders')).toEqual([{ source: 'shop', traceparent: traceparentOf(span as ReadableSpan) }])
  })

  it('is part of the trace that the caller is at', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const telemetry = new Telemetry()
    const producer = startProducer(kafka)
    await trace.getTracer('test').startActiveSpan('request', async (request) => {
      await producer.send({ topic: 'orders', value: '1' })
      request.end()
    })
    const [send, request] = await telemetry.spans()
    expect(send?.parentSpanContext?.spanId).toBe(request?.spanContext().spanId)
    expect(send?.spanContext().traceId).toBe(request?.spanContext().traceId)
  })

  it('says of a tombstone that it is one', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const telemetry = new Telemetry()
    await startProducer(kafka).send({ topic: 'orders', key: 'k', value: null })
    const [span] = await telemetry.spans()
    expect(span?.attributes).toMatchObject({ 'messaging.kafka.message.tombstone': true })
  })

  it('leaves the context that a message brings along, and links to it', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const telemetry = new Telemetry()
    const headers = [['traceparent', new TextEncoder().encode(OWN)]] as const
    await startProducer(kafka).send({ topic: 'orders', value: '1', headers })
    const [span] = await telemetry.spans()
    expect(summary(span as ReadableSpan)).toMatchObject({ kind: SpanKind.CLIENT, links: ['b7ad6b7169203331'] })
    expect(kafka.records('orders')[0]?.headers.map(({ value }) => String(value))).toEqual([OWN])
  })

  it('ends with the error that it failed with', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const telemetry = new Telemetry()
    kafka.fail({ api: 'Produce' }, 'TOPIC_AUTHORIZATION_FAILED')
    const producer = startProducer(kafka)
    const error = await errorOf(producer.send({ topic: 'orders', value: '1' }))
    await errorOf(producer.send({ topic: 'x'.repeat(250), value: '2' }))
    const throwing = {
      get topic(): string {
        throw new Error('no')
      },
      value: '3',
    }
    await errorOf(producer.send(throwing))
    const spans = await telemetry.spans()
    expect(spans.map(({ name, attributes }) => [name, attributes['error.type']])).toEqual([
      ['send orders', 'TOPIC_AUTHORIZATION_FAILED'],
      ['send', 'INVALID_MESSAGE'],
      ['send', 'INVALID_MESSAGE'],
    ])
    // It may be anything, of any length: nothing of it is kept or told.
    expect(spans[1]?.attributes).not.toHaveProperty('messaging.destination.name')
    expect(spans[0]?.status).toEqual({ code: SpanStatusCode.ERROR, message: error.message })
    for (const { attributes } of spans) expect(attributes).not.toHaveProperty('messaging.destination.partition.id')
  })
})

describe('a send of a list', () => {
  const messages = ['1', '2', '3'].map((value) => ({ topic: 'orders', value, partition: 0 }))

  it('links to a span for each message, whose context goes with that message', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const telemetry = new Telemetry()
    await startProducer(kafka).send([
      ...messages.slice(0, 2),
      { ...messages[2], headers: { traceparent: OWN } } as KeyedMessage,
    ])
    const spans = await telemetry.spans()
    const creates = spans.filter(({ name }) => name === 'create orders')
    const [send] = spans.filter(({ name }) => name === 'send orders') as [ReadableSpan]
    expect(creates.map(({ kind }) => kind)).toEqual([SpanKind.PRODUCER, SpanKind.PRODUCER])
    expect(creates[0]?.attributes).toEqual({
      'messaging.operation.name': 'create',
      'messaging.operation.type': 'create',
      'messaging.system': 'kafka',
      'messaging.destination.name': 'orders',
    })
    expect(summary(send)).toEqual({
      name: 'send orders',
      kind: SpanKind.CLIENT,
      status: SpanStatusCode.UNSET,
      links: ['b7ad6b7169203331', ...creates.map((create) => create.spanContext().spanId)],
    })
    expect(send.attributes).toMatchObject({
      'messaging.batch.message_count': 3,
      'messaging.destination.partition.id': '0',
    })
    expect(send.attributes).not.toHaveProperty('messaging.kafka.offset')
    expect(new Set(spans.map((span) => span.spanContext().traceId)).size).toBe(1)
    expect(headersIn(kafka, 'orders')).toEqual(
      [...creates.map(traceparentOf), OWN].map((traceparent) => ({ traceparent })),
    )
  })

  it('without these has its own context in all of them', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const telemetry = new Telemetry({ createSpans: false })
    await startProducer(kafka).send(messages)
    const [send, ...others] = (await telemetry.spans()) as [ReadableSpan]
    expect(others).toEqual([])
    expect(summary(send)).toMatchObject({ name: 'send orders', kind: SpanKind.PRODUCER, links: [] })
    expect(headersIn(kafka, 'orders')).toEqual(messages.map(() => ({ traceparent: traceparentOf(send) })))
  })

  it('names no topic and no partition where there are several', async () => {
    const kafka = await startKafka({ topics: { orders: { partitions: 2 }, other: {} } })
    const telemetry = new Telemetry({ createSpans: false })
    const producer = startProducer(kafka)
    await producer.send([0, 1].map((partition) => ({ topic: 'orders', value: '1', partition })))
    await producer.send(['orders', 'other'].map((topic) => ({ topic, value: '1', partition: 0 })))
    await producer.send([])
    const spans = await telemetry.spans()
    expect(spans.map(({ name }) => name)).toEqual(['send orders', 'send'])
    for (const { attributes } of spans) expect(attributes).not.toHaveProperty('messaging.destination.partition.id')
  })

  it('says how many failed, and with what', async () => {
    const kafka = await startKafka({ topics: { orders: { partitions: 3 } } })
    const telemetry = new Telemetry()
    const producer = startProducer(kafka)
    const each = [0, 1, 2].map((partition) => ({ topic: 'orders', value: '1', partition }))
    kafka.fail({ api: 'Produce', partition: 1 }, 'TOPIC_AUTHORIZATION_FAILED')
    await errorOf(producer.send(each))
    kafka.fail({ api: 'Produce', partition: 1 }, 'TOPIC_AUTHORIZATION_FAILED')
    kafka.fail({ api: 'Produce', partition: 2 }, 'INVALID_TIMESTAMP')
    await errorOf(producer.send(each))
    const sends = (await telemetry.spans()).filter(({ name }) => name === 'send orders')
    expect(sends.map(({ attributes }) => attributes['error.type'])).toEqual([
      'TOPIC_AUTHORIZATION_FAILED',
      'FAILED_TO_SEND',
    ])
    expect(sends[0]?.status.message).toMatch(/^1 of 3 messages failed; the first: /)
  })
})

describe('a sampler', () => {
  it('is told of each send what it is and where to, and of a list once', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const asked: unknown[] = []
    new Telemetry({
      sampler: {
        shouldSample: (_context, _traceId, name, kind, attributes) => {
          asked.push([name, kind, attributes])
          return { decision: SamplingDecision.NOT_RECORD }
        },
        toString: () => 'test',
      },
    })
    const producer = startProducer(kafka)
    const message = { topic: 'orders', value: '1' }
    await producer.send(message)
    await producer.send({ ...message, headers: { traceparent: OWN } })
    await producer.send([message, message])
    await producer.send([])
    const attributes = {
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.system': 'kafka',
      'messaging.destination.name': 'orders',
    }
    expect(asked).toEqual([
      ['send orders', SpanKind.PRODUCER, attributes],
      ['send orders', SpanKind.CLIENT, attributes],
      ['send orders', SpanKind.CLIENT, attributes],
    ])
  })
})

describe('a send in async mode', () => {
  it('ends when its last message has ended', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const telemetry = new Telemetry()
    const held = kafka.stall({ api: 'Produce' })
    await using producer = new Producer({ brokers: kafka.bootstrap, type: 'async', onDelivery: () => undefined })
    await producer.send({ topic: 'orders', value: '1' })
    expect(await telemetry.spans()).toEqual([])
    held.release()
    await producer.flush()
    kafka.fail({ api: 'Produce' }, 'TOPIC_AUTHORIZATION_FAILED')
    await producer.send(['2', '3'].map((value) => ({ topic: 'orders', value })))
    await producer.flush()
    const sends = (await telemetry.spans()).filter(({ name }) => name === 'send orders')
    expect(sends.map(({ attributes }) => [attributes['messaging.kafka.offset'], attributes['error.type']])).toEqual([
      [0, undefined],
      [undefined, 'TOPIC_AUTHORIZATION_FAILED'],
    ])
  })
})

describe('a send in a transaction', () => {
  it('is a span like any other, with the error that an abort has', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const telemetry = new Telemetry()
    await using producer = new TransactionalProducer({ brokers: kafka.bootstrap, transactionalId: 'tx' })
    await producer.transaction(async (tx) => void (await tx.send({ topic: 'orders', value: '1' })))
    const transaction = await producer.begin()
    const held = kafka.stall({ api: 'Produce' })
    const sending = errorOf(transaction.send({ topic: 'orders', value: '2' }))
    const waiting = errorOf(transaction.send({ topic: 'orders', value: '3' }))
    const aborted = transaction.abort()
    held.release()
    await Promise.all([sending, waiting, aborted])
    const spans = await telemetry.spans()
    expect(spans.map(({ name, attributes }) => [name, attributes['error.type']])).toEqual([
      ['send orders', undefined],
      ['send orders', 'TRANSACTION_ABORTED'],
      ['send orders', 'TRANSACTION_ABORTED'],
    ])
    expect(headersIn(kafka, 'orders')[0]).toEqual({ traceparent: traceparentOf(spans[0] as ReadableSpan) })
  })
})

describe('what is not sampled', () => {
  it('has no span, and nothing goes with the messages', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const telemetry = new Telemetry({ sampler: new AlwaysOffSampler() })
    const producer = startProducer(kafka)
    await producer.send({ topic: 'orders', value: '1' })
    const unsampled = { traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: TraceFlags.NONE }
    await context.with(trace.setSpanContext(ROOT_CONTEXT, unsampled), () =>
      producer.send({ topic: 'orders', value: '2', headers: { traceparent: OWN } }),
    )
    expect(await telemetry.spans()).toEqual([])
    expect(headersIn(kafka, 'orders')).toEqual([{}, { traceparent: OWN }])
  })

  it('is told from what is sampled each time, however they take turns', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const telemetry = new Telemetry({})
    const producer = startProducer(kafka)
    const within = (traceFlags: TraceFlags, digit: string) =>
      trace.setSpanContext(ROOT_CONTEXT, { traceId: digit.repeat(32), spanId: digit.repeat(16), traceFlags })
    const unsampled = within(TraceFlags.NONE, '1')
    const contexts = [unsampled, unsampled, within(TraceFlags.SAMPLED, '2'), unsampled, ROOT_CONTEXT]
    for (const one of contexts) await context.with(one, () => producer.send({ topic: 'orders', value: '1' }))
    const sampled = headersIn(kafka, 'orders').map(({ traceparent }) => traceparent !== undefined)
    expect(sampled).toEqual([false, false, true, false, true])
    expect(await telemetry.spans()).toHaveLength(2)
  })

  it('has its decision in the messages where that is wanted', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const telemetry = new Telemetry({ sampler: new AlwaysOffSampler(), propagateUnsampled: true })
    const producer = startProducer(kafka)
    await producer.send({ topic: 'orders', value: '1' })
    await producer.send(['2', '3'].map((value) => ({ topic: 'orders', value })))
    expect(await telemetry.spans()).toEqual([])
    expect(headersIn(kafka, 'orders').map(({ traceparent }) => traceparent?.slice(-3))).toEqual(['-00', '-00', '-00'])
  })

  it('in a trace that this process does not record asks no sampler', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const telemetry = new Telemetry({ propagateUnsampled: true })
    const startSpan = vi.fn()
    telemetry.instrumentation.setTracerProvider({ getTracer: () => ({ startSpan, startActiveSpan: startSpan }) })
    const unsampled = { traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: TraceFlags.NONE }
    const producer = startProducer(kafka)
    const messages = [
      { topic: 'orders', value: '1' },
      { topic: 'orders', value: '2', headers: { traceparent: OWN } },
    ]
    await context.with(trace.setSpanContext(ROOT_CONTEXT, unsampled), () => producer.send(messages))
    expect(startSpan).not.toHaveBeenCalled()
    expect(headersIn(kafka, 'orders')).toEqual([
      { traceparent: `00-${unsampled.traceId}-${unsampled.spanId}-00` },
      { traceparent: OWN },
    ])
  })

  it('is read by nobody but the producer', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    new Telemetry()
    let reads = 0
    const message = {
      topic: 'orders',
      value: '1',
      get headers() {
        reads++
        return { source: 'shop' }
      },
    }
    const unsampled = { traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: TraceFlags.NONE }
    const producer = startProducer(kafka)
    await context.with(trace.setSpanContext(ROOT_CONTEXT, unsampled), () => producer.send(message))
    expect(reads).toBe(1)
  })

  it('by the caller is none where the caller has no span, or a remote one: then the sampler decides', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const telemetry = new Telemetry({ sampler: new AlwaysOnSampler() })
    const producer = startProducer(kafka)
    const remote = { traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: TraceFlags.NONE, isRemote: true }
    for (const spanContext of [INVALID_SPAN_CONTEXT, remote])
      await context.with(trace.setSpanContext(ROOT_CONTEXT, spanContext), () =>
        producer.send({ topic: 'orders', value: '1' }),
      )
    expect((await telemetry.spans()).map(({ name }) => name)).toEqual(['send orders', 'send orders'])
  })

  it('begins no trace of its own where that is not wanted', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const telemetry = new Telemetry({ requireParentSpan: true })
    const producer = startProducer(kafka)
    await producer.send({ topic: 'orders', value: '1' })
    expect(await telemetry.spans()).toEqual([])
    await trace.getTracer('test').startActiveSpan('request', async (request) => {
      await producer.send({ topic: 'orders', value: '2' })
      request.end()
    })
    expect((await telemetry.spans()).map(({ name }) => name)).toEqual(['send orders', 'request'])
    expect(headersIn(kafka, 'orders').map((headers) => Object.keys(headers))).toEqual([[], ['traceparent']])
  })

  it('where no SDK is there gets no headers', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const instrumentation = new KafkaProducerInstrumentation()
    await startProducer(kafka).send({ topic: 'orders', value: '1' })
    instrumentation.disable()
    expect(headersIn(kafka, 'orders')).toEqual([{}])
  })
})

describe('the instrumentation', () => {
  it('works while it is enabled, and once', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const telemetry = new Telemetry({ enabled: false })
    const { instrumentation } = telemetry
    const producer = startProducer(kafka)
    await producer.send({ topic: 'orders', value: 'before' })
    instrumentation.enable()
    instrumentation.enable()
    await producer.send({ topic: 'orders', value: 'enabled' })
    instrumentation.disable()
    await producer.send({ topic: 'orders', value: 'after' })
    expect(stored(kafka, 'orders')).toEqual(['before', 'enabled', 'after'])
    expect((await telemetry.spans()).map(({ attributes }) => attributes['messaging.kafka.offset'])).toEqual([1])
    expect(headersIn(kafka, 'orders').map((headers) => Object.keys(headers))).toEqual([[], ['traceparent'], []])
  })

  it('takes another configuration and other providers', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const telemetry = new Telemetry()
    const { instrumentation } = telemetry
    instrumentation.setConfig({ createSpans: false })
    expect(instrumentation.getConfig()).toEqual({ enabled: true, createSpans: false })
    await startProducer(kafka).send(['1', '2'].map((value) => ({ topic: 'orders', value })))
    expect((await telemetry.spans()).map(({ name }) => name)).toEqual(['send orders'])
  })

  it('names things as the environment says', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    vi.stubEnv('OTEL_SEMCONV_STABILITY_OPT_IN', 'messaging')
    onTestFinished(() => void vi.unstubAllEnvs())
    const telemetry = new Telemetry()
    await startProducer(kafka).send({ topic: 'orders', key: 'k', value: null })
    const [span] = await telemetry.spans()
    const names = ['messaging.system.name', 'kafka.message.tombstone', 'kafka.offset']
    expect(Object.keys(span?.attributes ?? {})).toEqual(expect.arrayContaining(names))
    expect(span?.attributes).not.toHaveProperty('messaging.system')
    const [point] = await telemetry.points('messaging.client.sent.messages')
    expect(point?.attributes).toMatchObject({ 'messaging.system.name': 'kafka' })
  })
})

describe('what telemetry of the user’s throws at the begin of a span', () => {
  const boom = () => {
    throw new Error('boom')
  }

  it.each(['the sampler', 'a processor, at the start', 'a processor, at the end', 'the propagator'])(
    'harms no send and no process: %s',
    async (what) => {
      const kafka = await startKafka({ topics: { orders: {} } })
      const sampler = { shouldSample: boom }
      const telemetry = new Telemetry(what === 'the sampler' ? { sampler } : {})
      if (what.startsWith('a processor')) {
        const processor = {
          onStart: what.endsWith('start') ? boom : () => undefined,
          onEnd: what.endsWith('end') ? boom : () => undefined,
          forceFlush: () => Promise.resolve(),
          shutdown: () => Promise.resolve(),
        }
        telemetry.instrumentation.setTracerProvider(new BasicTracerProvider({ spanProcessors: [processor] }))
      }
      if (what === 'the propagator') vi.spyOn(propagation, 'inject').mockImplementation(boom)
      onTestFinished(() => void vi.restoreAllMocks())
      const thrown = vi.fn()
      process.on('uncaughtException', thrown)
      onTestFinished(() => void process.off('uncaughtException', thrown))
      await startProducer(kafka).send([
        { topic: 'orders', value: '1' },
        { topic: 'orders', value: '2' },
      ])
      expect(stored(kafka, 'orders', 0)).toEqual(['1', '2'])
      expect(thrown).not.toHaveBeenCalled()
      if (what === 'the propagator') expect((await telemetry.spans()).map(({ name }) => name)).toContain('send orders')
    },
  )
})

it('a context in bytes of another realm is found', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const telemetry = new Telemetry()
  const traceparent = runInNewContext('Uint8Array.from(text, (letter) => letter.charCodeAt(0))', {
    text: OWN,
  }) as Uint8Array
  await startProducer(kafka).send({ topic: 'orders', value: '1', headers: { traceparent } })
  expect(headersIn(kafka, 'orders')).toEqual([{ traceparent: OWN }])
  expect((await telemetry.spans()).flatMap(({ links }) => links)).toHaveLength(1)
})
