import { context, propagation, ROOT_CONTEXT, type Context } from '@opentelemetry/api'
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base'
import { describe, expect, it } from 'vitest'
import type { MessageHeaders } from '../../../src/index.js'
import type { EmbeddedKafka } from '../../../src/testing/index.js'
import { startKafka } from '../support/cluster.js'
import { errorOf, startProducer } from '../support/producers.js'
import { Telemetry, traceparentOf } from './support.js'

/* Messages that bring along what is a part of a context, or none that can be read: readers find each header once. */

const OWN = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const BROKEN = '00-not-a-trace'

function startTelemetry(config = {}): { telemetry: Telemetry; within: Context } {
  const telemetry = new Telemetry(config)
  propagation.disable()
  const propagators = [new W3CTraceContextPropagator(), new W3CBaggagePropagator()]
  propagation.setGlobalPropagator(new CompositePropagator({ propagators }))
  const baggage = propagation.createBaggage({ user: { value: 'alice' } })
  return { telemetry, within: propagation.setBaggage(ROOT_CONTEXT, baggage) }
}

const pairsIn = (kafka: EmbeddedKafka) =>
  kafka.records('orders').map(({ headers }) => headers.map(({ key, value }) => [key, value && String(value)]))

describe('a message', () => {
  it.each<[string, MessageHeaders, (traceparent: string) => unknown[]]>([
    [
      'with baggage of its own keeps it, and the active one is not put behind it',
      { baggage: 'tenant=acme', source: 'shop' },
      (traceparent) => [
        ['baggage', 'tenant=acme'],
        ['source', 'shop'],
        ['traceparent', traceparent],
      ],
    ],
    [
      'with a header that is called so and is none keeps it, too',
      [['baggage', '2 bags']],
      (traceparent) => [
        ['baggage', '2 bags'],
        ['traceparent', traceparent],
      ],
    ],
    [
      'whose traceparent can’t be read has a new one in its place, without the state of the other trace',
      { traceparent: BROKEN, tracestate: 'vendor=1', source: 'shop' },
      (traceparent) => [
        ['source', 'shop'],
        ['traceparent', traceparent],
        ['baggage', 'user=alice'],
      ],
    ],
    [
      'whose traceparent is null, and whose headers can be read but once, has one, too',
      new Map([
        ['source', 'shop'],
        ['traceparent', null],
      ]).entries(),
      (traceparent) => [
        ['source', 'shop'],
        ['traceparent', traceparent],
        ['baggage', 'user=alice'],
      ],
    ],
    [
      'with a context of its own is left as it is',
      { traceparent: OWN, baggage: 'tenant=acme' },
      () => [
        ['traceparent', OWN],
        ['baggage', 'tenant=acme'],
      ],
    ],
  ])('%s', async (_, headers, expected) => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const { telemetry, within } = startTelemetry()
    const producer = startProducer(kafka)
    await context.with(within, () => producer.send({ topic: 'orders', value: '1', headers }))
    const [span] = await telemetry.spans()
    expect(pairsIn(kafka)).toEqual([expected(traceparentOf(span as ReadableSpan))])
  })

  it('of a list is looked at by itself', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const { telemetry, within } = startTelemetry()
    const producer = startProducer(kafka)
    const each = [{ baggage: 'tenant=acme' }, { traceparent: BROKEN }, { traceparent: OWN }, {}]
    const messages = each.map((headers) => ({ topic: 'orders', value: '1', headers: Object.freeze(headers) }))
    await context.with(within, () => producer.send(messages))
    const spans = await telemetry.spans()
    const [first, second, fourth] = spans.map((span) => ['traceparent', traceparentOf(span)])
    const active = ['baggage', 'user=alice']
    expect(pairsIn(kafka)).toEqual([
      [['baggage', 'tenant=acme'], first],
      [second, active],
      [['traceparent', OWN]],
      [fourth, active],
    ])
  })

  it('that nothing is put into keeps what it has, were it a traceparent that can’t be read', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    startTelemetry({ requireParentSpan: true })
    await startProducer(kafka).send({ topic: 'orders', value: '1', headers: { traceparent: BROKEN } })
    expect(pairsIn(kafka)).toEqual([[['traceparent', BROKEN]]])
  })

  it('whose headers none may have is refused for them', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    startTelemetry()
    const headers = [
      ['traceparent', BROKEN],
      ['count', 7],
    ] as unknown as MessageHeaders
    const error = await errorOf(startProducer(kafka).send({ topic: 'orders', value: '1', headers }))
    expect(error.message).toContain("the value of 'count'")
    const once = new Map(headers as unknown as [string, string][]).entries()
    const other = await errorOf(startProducer(kafka).send({ topic: 'orders', value: '1', headers: once }))
    expect(other.message).toContain("the value of 'count'")
  })
})
