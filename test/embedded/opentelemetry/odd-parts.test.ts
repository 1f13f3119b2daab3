import { expect, it } from 'vitest'
import { startKafka } from '../support/cluster.js'
import { errorOf, startProducer } from '../support/producers.js'
import { Telemetry } from './support.js'

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
