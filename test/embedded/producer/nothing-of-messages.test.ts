import { inspect } from 'node:util'
import { expect, it } from 'vitest'
import {
  IntegerEncoder,
  InvalidMessageError,
  InvalidPartitionError,
  JavaHashPartitioner,
  JsonEncoder,
  Producer,
  SerializationError,
  type DeliveryReport,
  type Encoder,
} from '../../../src/index.js'
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

function refuse(error: Error): never {
  throw error
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

it.each<[string, object, string]>([
  [
    'an encoder, SerializationError',
    { encoder: { encode: (value: unknown) => refuse(new SerializationError(`no schema for ${String(value)}`)) } },
    'value: SerializationError',
  ],
  [
    'an encoder, InvalidMessageError',
    { encoder: { encode: (value: unknown) => Promise.reject(new InvalidMessageError(`not ${String(value)}`)) } },
    "value: the encoder threw for 'orders': InvalidMessageError",
  ],
  [
    'a partitioner, InvalidPartitionError',
    { partitioner: { partition: (key: unknown) => refuse(new InvalidPartitionError(`none for ${String(key)}`)) } },
    "the partitioner threw for a message for 'orders': InvalidPartitionError",
  ],
])(
  'an error of this package quotes nothing there where code of the user’s throws it: %s',
  async (_, options, reason) => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const { logger, lines } = recording()
    const errors: string[] = []
    const onDelivery = ({ error }: DeliveryReport<never, never>) => void errors.push(String(error?.message))
    const all = { brokers: kafka.bootstrap, type: 'async', logger, onDelivery, ...options } as const
    const producer = new Producer(all)
    await producer.send({ topic: 'orders', key: SECRET, value: SECRET } as never)
    await producer.close()
    expect(errors).toEqual([expect.stringContaining(SECRET)])
    expect(lines).toContainEqual(expect.arrayContaining([expect.objectContaining({ event: 'failed', reason })]))
    expect(JSON.stringify(lines)).not.toContain(SECRET)
  },
)

it('what an encoder and a partitioner of this package have against a message is in the line', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const { logger, lines } = recording()
  const producer = new Producer<unknown, unknown, 'async'>({
    brokers: kafka.bootstrap,
    type: 'async',
    logger,
    encoder: new JsonEncoder(),
    partitioner: new JavaHashPartitioner(),
    onDelivery: () => undefined,
  })
  for (const key of [NaN, { id: SECRET }]) await producer.send({ topic: 'orders', key, value: 'x' })
  await producer.close()
  const told = JSON.stringify(lines)
  expect(told).toContain("key: topic 'orders': cannot encode the number NaN: expected a value that JSON can hold")
  expect(told).toContain('a key of type object must be a string')
  expect(told).not.toContain(SECRET)
})

it.each([
  ['a value', { value: 4111111111111111 }],
  ['a value that is a bigint', { value: 4111111111111111n }],
  ['a key', { key: 4111111111111111 }],
  ['a value that its encoder does not fit', { value: 4111111111111111 }, new IntegerEncoder()],
  ['what an encoder gave', {}, { encode: () => 4111111111111111 as never }],
  ['a header', { headers: { account: 4111111111111111 } }],
])('a number is in no line and no error: %s', async (_, part, encoder?: Encoder<never>) => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const { logger, lines } = recording()
  const errors: unknown[] = []
  const onDelivery = ({ error }: DeliveryReport<never, never>) => void errors.push(error)
  const options = { brokers: kafka.bootstrap, type: 'async', logger, onDelivery } as const
  const producer = encoder === undefined ? new Producer(options) : new Producer({ ...options, encoder })
  const message = { topic: 'orders', value: 'x', ...part } as never
  await producer.send(message).catch((error: unknown) => errors.push(error))
  await producer.close()
  expect(errors).toHaveLength(1)
  expect(inspect([errors, lines], { depth: 5 })).not.toContain('4111')
})
