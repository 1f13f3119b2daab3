import { SamplingDecision, type Sampler } from '@opentelemetry/sdk-trace-base'
import { expect, it } from 'vitest'
import { startKafka } from '../support/cluster.js'
import { errorOf, startProducer } from '../support/producers.js'
import { headersIn, Telemetry } from './support.js'

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
