import { expect, it } from 'vitest'
import { Producer } from '../../../src/index.js'
import { startKafka } from '../support/cluster.js'
import { errorOf, startProducer, turns } from '../support/producers.js'

/* What encoders and partitioners throw mostly quotes the message in its turn; their callers are told so, and no log is. */

const SECRET = 'hunter2'

/** A logger, and all that it was given. */
function recording() {
  const lines: unknown[] = []
  const at = (...line: unknown[]) => void lines.push(line)
  return { lines, logger: { debug: at, info: at, warn: at, error: at } }
}

it('a partitioner that names the key in what it throws brings it into no line', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const { logger, lines } = recording()
  const partition = (key: unknown): number => {
    throw new RangeError(`no partition for ${String(key)}`)
  }
  const producer = startProducer(kafka, { logger, partitioner: { partition } })
  const error = await errorOf(producer.send({ topic: 'orders', key: SECRET, value: 'x' }))
  expect(error.message).toContain(SECRET)
  await turns()
  const told = JSON.stringify(lines)
  expect(told).toContain("the partitioner threw for a message for 'orders': RangeError")
  expect(told).not.toContain(SECRET)
})

it('an encoder that quotes the value brings it into no line, where nobody listens either', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const { logger, lines } = recording()
  const encode = (value: unknown) => JSON.stringify(JSON.parse(String(value)))
  await using producer = new Producer({ brokers: kafka.bootstrap, type: 'async', logger, encoder: { encode } })
  await producer.send({ topic: 'orders', value: SECRET })
  await producer.close()
  const told = JSON.stringify(lines)
  expect(told).toContain('KAFKA_PRODUCER_UNHEARD_FAILURE')
  expect(told).toContain("the encoder threw for 'orders': SyntaxError")
  expect(told).not.toContain(SECRET)
})
