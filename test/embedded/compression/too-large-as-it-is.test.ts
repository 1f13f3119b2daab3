import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { startKafka } from '../support/cluster.js'
import { deliveryErrorOf, requestsOf, startProducer } from '../support/producers.js'

const LIMIT = 50_000

it.each(['0.10.2', '2.8', '4'] as const)(
  'Kafka %s: a message that only fits when it is smaller is compressed, though those before it could not be',
  async (release) => {
    const kafka = await startKafka({
      release,
      topics: { files: { partitions: 1, config: { 'max.message.bytes': String(LIMIT) } } },
    })
    const producer = startProducer(kafka, { compression: 'gzip' })
    const send = (value: string | Buffer) => producer.send({ topic: 'files', value })
    // Pictures, say: a codec that gains nothing is tried now and then.
    for (let i = 0; i < 3; i++) await send(randomBytes(LIMIT * 0.9))
    const [metadata] = await send('{"a":1},'.repeat(LIMIT / 5))
    expect(metadata.offset).toBe(3n)
    // What stays too large is refused as ever, and for the next large ones the codec is tried at once.
    expect(await deliveryErrorOf(send(randomBytes(2 * LIMIT)))).toMatchObject({ code: 'MESSAGE_TOO_LARGE' })
    const before = requestsOf(kafka, 'Produce').length
    for (let i = 0; i < 3; i++) await send('{"a":1},'.repeat(LIMIT / 5))
    expect(requestsOf(kafka, 'Produce').length - before).toBe(3)
  },
)

it('with acks 0, where no broker tells that it was too large as it was, it is always compressed', async () => {
  const kafka = await startKafka({
    topics: { files: { partitions: 1, config: { 'max.message.bytes': String(LIMIT) } } },
  })
  const producer = startProducer(kafka, { compression: 'gzip', acks: 0 })
  const send = (value: string | Buffer) => producer.send({ topic: 'files', value })
  for (let i = 0; i < 3; i++) await send(randomBytes(LIMIT * 0.9))
  for (let i = 0; i < 3; i++) await send('{"a":1},'.repeat(LIMIT / 5))
  await producer.close()
  expect(requestsOf(kafka, 'Produce')).toHaveLength(6)
  expect(kafka.records('files')).toHaveLength(6)
})
