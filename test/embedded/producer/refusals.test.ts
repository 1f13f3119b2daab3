import { describe, expect, it } from 'vitest'
import { InvalidMessageError, Producer, SerializationError, type KeyedMessage } from '../../../src/index.js'
import { startKafka } from '../support/cluster.js'
import { errorOf, expectNothingHeld, startProducer, stored } from '../support/producers.js'

const good = { topic: 'orders', value: 'good' }

describe('a refusal says', () => {
  it.each<[string, object, RegExp]>([
    ['that it is the key', { ...good, key: 17 }, /^key: topic 'orders': cannot encode the number 17/],
    ['that it is the partition key', { ...good, partitionKey: 17 }, /^partitionKey: .*the number 17/],
    ['that it is the value', { topic: 'orders', value: 17 }, /^value: .*the number 17/],
    ['that there are no messages in a message', { topic: 'orders', messages: [{ value: 'x' }] }, /'messages'.*list/],
    ['that a message can’t be a list', [good], /object/],
    ['what a getter threw', { get topic() { throw new Error('getter') } }, /can't be read: getter/], // prettier-ignore
    ['what a getter of the headers threw', { ...good, headers: { get a() { throw new Error('getter') } } }, /^headers: .*getter/], // prettier-ignore
  ])('%s', async (_, bad, words) => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    const messages = Array.isArray(bad) ? [bad] : bad
    expect((await errorOf(producer.send(messages as KeyedMessage))).message).toMatch(words)
    const { message } = await errorOf(producer.send([good, good, bad] as KeyedMessage[]))
    expect(message).toMatch(/^messages\[2\]: /)
    expect(message.slice('messages[2]: '.length)).toMatch(words)
    expect(stored(kafka, 'orders')).toEqual([])
    expectNothingHeld(producer)
  })

  it('which message of a list it was, however late an encoder tells', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const failing = { encode: (value: unknown) => (value === 'bad' ? Promise.reject(new Error('no')) : String(value)) }
    const error = await errorOf(
      startProducer(kafka, { encoder: failing }).send([good, { topic: 'orders', value: 'bad' }]),
    )
    expect(error).toBeInstanceOf(SerializationError)
    expect(error.message).toBe("messages[1]: value: the encoder threw for 'orders': no")
    expect((error.cause as SerializationError).message).toBe('no')
  })

  it('nothing of what strings, objects and bytes hold, which may be secret', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    const secret = 'hunter2'
    for (const bad of [
      { headers: secret },
      { headers: [secret] },
      { headers: [[secret]] },
      { headers: { a: { secret } } },
      { headers: new Set([secret]) },
      { value: { secret } },
      { key: new String(secret) },
      { partition: secret },
    ]) {
      const { code, message } = await errorOf(producer.send({ ...good, ...bad } as unknown as KeyedMessage))
      expect(['INVALID_MESSAGE', 'SERIALIZATION_FAILED']).toContain(code)
      expect(message).not.toContain(secret)
    }
  })
})

describe('a field is read once, so that what was checked is what is sent', () => {
  it.each(['topic', 'value', 'key', 'partitionKey', 'partition', 'headers', 'timestamp'])('%s', async (field) => {
    const kafka = await startKafka({ topics: { orders: { partitions: 2 } } })
    let reads = 0
    const rest = { topic: 'orders', value: 'x', key: 'k', partitionKey: 'p', partition: 1, headers: { a: 'b' }, timestamp: 5 } // prettier-ignore
    const right = rest[field as keyof typeof rest]
    const message = Object.defineProperty({ ...rest }, field, {
      get: () => (reads++ === 0 ? right : Symbol('another time')),
    })
    await startProducer(kafka).send(message)
    await startProducer(kafka).send(Object.defineProperty({ ...rest }, field, { get: () => right }))
    expect(stored(kafka, 'orders', 1)).toEqual(['x', 'x'])
    expect(reads).toBe(1)
  })
})

it('a list with an invalid message is refused whole in async mode, however long it is', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const reports: unknown[] = []
  const encoder = {
    encode(value: unknown) {
      if (value === 'fails') throw new Error('no')
      return value as string
    },
  }
  await using producer = new Producer({
    brokers: kafka.bootstrap,
    type: 'async',
    encoder,
    onDelivery: (report) => void reports.push(report),
  })
  for (const count of [2, 1_500, 5_000]) {
    const list = Array.from({ length: count }, (_, i) => ({ topic: 'orders', value: i === 0 ? 'fails' : 'good' }))
    list[count - 1] = { topic: 'orders', value: 'x', headers: { a: 5 } } as never
    const error = await errorOf(producer.send(list))
    expect(error).toBeInstanceOf(InvalidMessageError)
    expect(error.message).toContain(`messages[${count - 1}]: headers: `)
  }
  await producer.flush()
  expect(reports).toEqual([])
  expect(stored(kafka, 'orders')).toEqual([])
  expect(producer.stats()).toMatchObject({ queueMessages: 0, messages: 0 })
})
