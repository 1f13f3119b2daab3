import { finished } from 'node:stream/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  Producer,
  type HeaderPair,
  type KeyedMessage,
  type MessageWritable,
  type ProducerOptions,
  type WritableMessage,
} from '../../../src/index.js'
import type { EmbeddedKafka } from '../../../src/testing/index.js'
import { startKafka } from '../support/cluster.js'
import { errorOf, startProducer, stored } from '../support/producers.js'

const KEYS = ['k1', 'k2', 'k3']

/** An async producer: the bytes are read long after `send()` has returned. */
async function sendAll(
  kafka: EmbeddedKafka,
  messageOf: (scratch: Buffer, key: string) => KeyedMessage,
  options: Partial<ProducerOptions> = {},
): Promise<void> {
  const producer = new Producer({ ...options, brokers: kafka.bootstrap, type: 'async', copyBytes: true })
  const scratch = Buffer.allocUnsafeSlow(2)
  for (const key of KEYS) {
    scratch.write(key)
    await producer.send(messageOf(scratch, key))
  }
  scratch.fill(0)
  await producer.close()
}

/** The partition of each value. */
function placesOf(kafka: EmbeddedKafka, topic: string): (number | undefined)[] {
  return KEYS.map((key) => kafka.records(topic).find(({ value }) => value?.toString() === key)?.partition)
}

describe('copyBytes covers everything that is read after send() has returned', () => {
  it.each<[string, (scratch: Buffer, key: string) => KeyedMessage]>([
    ['a partition key of bytes', (scratch, value) => ({ topic: 't', value, partitionKey: scratch })],
    ['a key of bytes', (scratch, value) => ({ topic: 't', value, key: scratch })],
    ['a key given as a DataView', (scratch, value) => ({ topic: 't', value, key: new DataView(scratch.buffer) })],
    ['a key given as an ArrayBuffer', (scratch, value) => ({ topic: 't', value, key: scratch.buffer })],
    ['a partition key given as an ArrayBuffer', (scratch, value) => ({ topic: 't', value, partitionKey: scratch.buffer })], // prettier-ignore
  ])('%s chooses its partition', async (_, messageOf) => {
    const kafka = await startKafka({ topics: { t: { partitions: 100 }, expected: { partitions: 100 } } })
    await sendAll(kafka, messageOf)
    await startProducer(kafka).send(KEYS.map((key) => ({ topic: 'expected', key, value: key })))
    expect(placesOf(kafka, 't')).toEqual(placesOf(kafka, 'expected'))
  })

  it('bytes of a class whose slice() gives a view, as npm’s Buffer has it', async () => {
    class View extends Uint8Array {
      override slice(start?: number, end?: number): Uint8Array<ArrayBuffer> {
        return super.subarray(start, end)
      }
    }
    const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
    await sendAll(kafka, (scratch) => {
      const bytes = new View(scratch.buffer as ArrayBuffer)
      return { topic: 't', key: bytes, value: bytes, headers: { h: bytes } }
    })
    const records = kafka.records('t').map(({ key, value, headers }) => [key, value, headers[0]?.value].map(String))
    expect(records).toEqual(KEYS.map((key) => [key, key, key]))
  })

  it.each(['key', 'value', 'partitionKey'])(
    'a %s whose bytes are gone already is refused, as without it',
    async (part) => {
      const bytes = Buffer.from(new Uint8Array([1, 2, 3]).buffer)
      structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
      const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
      const producer = startProducer(kafka, { copyBytes: true })
      const error = await errorOf(producer.send({ topic: 't', value: 'x', [part]: bytes }))
      expect(error).toMatchObject({ code: 'SERIALIZATION_FAILED', message: expect.stringMatching(`^${part}: `) })
      expect(stored(kafka, 't')).toEqual([])
    },
  )

  it('what a partitioner reads as it was given', async () => {
    const kafka = await startKafka({ topics: { t: { partitions: 100 } } })
    const partitioner = (key: unknown) => Number((key as Buffer).toString().slice(1))
    await sendAll(kafka, (scratch, value) => ({ topic: 't', value, key: scratch }), { partitioner })
    expect(placesOf(kafka, 't')).toEqual([1, 2, 3])
  })

  it('what is read when an encoder that takes its time is done', async () => {
    const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
    const producer = startProducer(kafka, {
      copyBytes: true,
      encoder: {
        encode: async (value: unknown) => {
          await new Promise((resolve) => setImmediate(resolve))
          return (value as { bytes?: Buffer }).bytes ?? (value as Buffer)
        },
      },
      keyEncoder: { encode: (key: unknown) => key as Buffer },
    })
    const [key, value, header] = [Buffer.from('key'), Buffer.from('value'), Buffer.from('header')]
    const message = { topic: 't', key, value, headers: { h: header } as Record<string, Buffer>, timestamp: 5 }
    const sending = producer.send(message)
    for (const bytes of [key, value, header]) bytes.fill('X')
    message.timestamp = 6
    message.headers['more'] = header
    await sending
    const [record] = kafka.records('t')
    expect([record?.key, record?.value, ...(record?.headers.map(({ value }) => value) ?? [])].map(String)).toEqual([
      'key',
      'value',
      'header',
    ])
    expect(record?.timestamp).toBe(5)
  })

  it('bytes that an encoder uses again for the next message', async () => {
    const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
    const scratch = Buffer.alloc(1)
    const encode = (value: unknown) => {
      scratch.write(String(value))
      return scratch
    }
    const producer = startProducer(kafka, { copyBytes: true, encoder: { encode }, keyEncoder: { encode } })
    await producer.send(['1', '2', '3'].map((value) => ({ topic: 't', key: value, value })))
    expect(kafka.records('t').map(({ key, value }) => `${String(key)}${String(value)}`)).toEqual(['11', '22', '33'])
  })

  it('headers that interceptors are told of when the message has ended', async () => {
    const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
    const told: string[] = []
    const interceptors = [{ onAcknowledgement: (...[, , headers]: [unknown, unknown, readonly HeaderPair[]]) => void told.push(String(headers[0]?.[1])) }] // prettier-ignore
    const h = Buffer.from('given')
    const sending = startProducer(kafka, { copyBytes: true, interceptors }).send({
      topic: 't',
      value: 'x',
      headers: { h },
    })
    h.fill('X')
    await sending
    expect(told).toEqual(['given'])
  })

  describe('what a stream holds back', () => {
    const COUNT = 30

    /** Makes each message of what the last one was made of. */
    function* again(): Generator<KeyedMessage> {
      const bytes = Buffer.alloc(2)
      const message = { topic: 't', value: bytes, key: bytes.buffer, headers: { h: bytes }, timestamp: 0 }
      for (let number = 10; number < 10 + COUNT; number++) {
        bytes.write(String(number))
        message.timestamp = number
        yield message
      }
    }

    const expected = Array.from({ length: COUNT }, (_, i) => `${10 + i} ${10 + i} ${10 + i} ${10 + i}`)

    const told = (kafka: EmbeddedKafka) =>
      kafka
        .records('t')
        .map(({ value, key, headers, timestamp }) => [value, key, headers[0]?.value, timestamp].join(' '))

    it.each<['sync' | 'async', string, (producer: Producer<unknown, unknown, 'sync' | 'async'>) => Promise<void>]>([
      ['sync', 'sendAll()', (producer) => producer.sendAll(again(), { inFlight: 5 })],
      ['async', 'sendAll()', (producer) => producer.sendAll(again(), { inFlight: 5 })],
      ['sync', 'writable()', (producer) => written(producer.writable({ inFlight: 5 }))],
      ['async', 'writable()', (producer) => written(producer.writable({ inFlight: 5 }))],
    ])('in %s mode, by %s', async (type, _, send) => {
      const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
      const partitioner = () => 0
      const producer = new Producer({ brokers: kafka.bootstrap, type, copyBytes: true, queueMessages: 3, partitioner })
      onTestFinished(async () => void (await producer.close({ timeoutMs: 0 })))
      await send(producer)
      await producer.flush()
      expect(told(kafka)).toEqual(expected)
    })

    /** Writes all at once, the last by `end()`. */
    async function written(stream: MessageWritable): Promise<void> {
      let number = 0
      for (const message of again()) {
        if (++number < COUNT) stream.write(message)
        else stream.end(message)
      }
      await finished(stream)
    }

    it('is refused as ever where it is no message', async () => {
      const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
      const producer = startProducer(kafka, { copyBytes: true })
      const wrong = [[], Promise.resolve({}), { topic: 't', value: 'x', headers: 7 }, { topic: 't', key: 'k' }, 7]
      for (const chunk of wrong) {
        const stream = producer.writable({ inFlight: 1 })
        stream.write({ topic: 't', value: 'right' })
        stream.write(chunk as WritableMessage)
        expect(await errorOf(finished(stream))).toMatchObject({ code: 'INVALID_MESSAGE' })
      }
    })
  })

  it('a list of any length', async () => {
    const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
    const producer = startProducer(kafka, { copyBytes: true })
    await producer.send({ topic: 't', value: 'known' })
    // Encoding so much takes longer than one turn of the event loop is given.
    const count = 60_000
    const list = Array.from({ length: count }, () => ({ topic: 't', value: Buffer.from('right') }))
    const sending = producer.send(list)
    for (const { value } of list) value.write('WRONG')
    await sending
    expect(stored(kafka, 't').filter((value) => value === 'right')).toHaveLength(count)
  })
})
