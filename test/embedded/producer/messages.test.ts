import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import {
  InvalidMessageError,
  Producer,
  type Encoder,
  type KeyedMessage,
  type MessageHeaders,
} from '../../../src/index.js'
import { startKafka } from '../support/cluster.js'
import { errorOf, expectNothingHeld, startProducer, stored } from '../support/producers.js'

/** Kafka 3.6 and later refuse timestamps that are far ahead of their clock. */
const BEFORE_LIMITS = '2.8'

describe('a misspelt field', () => {
  it.each([
    ['header', 'headers'],
    ['Headers', 'headers'],
    ['keys', 'key'],
    ['kye', 'key'],
    ['partitonKey', 'partitionKey'],
    ['timstamp', 'timestamp'],
  ])('%s is refused with the name that was meant', async (name, meant) => {
    const producer = startProducer(await startKafka({ topics: { orders: {} } }))
    const message = { topic: 'orders', value: 'x', [name]: 'y' }
    const said = `there is no field '${name}' in a message: did you mean '${meant}'?`
    for (let i = 0; i < 2; i++)
      expect(await errorOf(producer.send(message))).toMatchObject({ code: 'INVALID_MESSAGE', message: said })
    const located = `messages[0]: ${said}`
    expect((await errorOf(producer.sendAll([message]))).message).toBe(located)
    expect((await errorOf(producer.sendAll([{ ...message, topic: undefined }], { topic: 'orders' }))).message).toBe(
      located,
    )
    expectNothingHeld(producer)
  })

  it.each(['val', 'payload', 'body'])('%s is told where there is no value', async (name) => {
    const producer = startProducer(await startKafka())
    const error = await errorOf(producer.send({ topic: 'orders', [name]: 'x' } as unknown as KeyedMessage))
    expect(error.message).toBe(
      `value: missing in a message for 'orders'; there is '${name}' in it: did you mean 'value'?`,
    )
  })

  it('is told of later messages for a topic, too', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    await producer.send({ topic: 'orders', value: 'x' })
    const refusal = async (message: object) => (await errorOf(producer.send(message as KeyedMessage))).message
    const header = "there is no field 'header' in a message: did you mean 'headers'?"
    for (const beside of [{}, { key: 'k' }, { offset: '7' }])
      expect(await refusal({ topic: 'orders', value: 'x', ...beside, header: { a: 'b' } })).toBe(header)
    expect(
      await refusal([
        { topic: 'orders', value: 'x' },
        { topic: 'orders', value: 'x', header: {} },
      ]),
    ).toBe(`messages[1]: ${header}`)
    const bare = [{ value: 'x' }, { value: 'x', offset: '7' }, { value: 'x', offset: '8', header: {} }]
    expect((await errorOf(producer.sendAll(bare, { topic: 'orders' }))).message).toBe(`messages[2]: ${header}`)
    await producer.flush()
    expect(stored(kafka, 'orders')).toHaveLength(3)
    expect(await refusal({ topic: 'orders', vale: 'x' })).toBe(
      "there is no field 'vale' in a message: did you mean 'value'?",
    )
    expect(await refusal({ topc: 'orders', value: 'x' })).toBe(
      "there is no field 'topc' in a message: did you mean 'topic'?",
    )
  })

  it('is none that a class keeps behind an accessor', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    class Placed implements KeyedMessage {
      constructor(
        private readonly _topic: string,
        private readonly _value: string,
        private readonly _headers: MessageHeaders,
      ) {}
      get topic() {
        return this._topic
      }
      get value() {
        return this._value
      }
      get headers() {
        return this._headers
      }
    }
    await producer.send(new Placed('orders', 'x', { a: 'b' }))
    expect(kafka.records('orders')).toMatchObject([{ value: Buffer.from('x'), headers: [{ key: 'a' }] }])
  })

  it('is told of, also where messages of another class have a method of that name', async () => {
    const producer = startProducer(await startKafka({ topics: { orders: {} } }))
    // As compilers write classes for old engines: their methods are enumerated.
    const placed = Object.create({ keys: () => [] }) as object
    await producer.send(Object.assign(placed, { topic: 'orders', value: 'x' }))
    expect(await errorOf(producer.send({ topic: 'orders', value: 'x', keys: 'k' } as KeyedMessage))).toMatchObject({
      message: "there is no field 'keys' in a message: did you mean 'key'?",
    })
  })

  it('is looked for once, however many other fields a message has', async () => {
    const producer = startProducer(await startKafka({ topics: { orders: {} } }))
    const others = Object.fromEntries(Array.from({ length: 1_500 }, (_, i) => [`${i}-th`, i]))
    let looked = 0
    const message = new Proxy(
      { topic: 'orders', value: 'x', ...others },
      {
        ownKeys(fields) {
          looked++
          return Reflect.ownKeys(fields)
        },
      },
    )
    await producer.send(message)
    await producer.send(message)
    expect(looked).toBeLessThan(10)
  })

  it('is no field with a name of its own: such are let be', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    const consumed = { topic: 'orders', value: 'x', offset: '7', attributes: 0, size: 1, metadata: {}, opaque: null }
    await producer.send(consumed)
    await producer.send(consumed)
    for (let i = 0; i < 2_000; i++) void producer.send({ topic: 'orders', value: 'x', [`field-${i}`]: i })
    await producer.flush()
    expect(stored(kafka, 'orders')).toHaveLength(2_002)
  })
})

describe('what a message may hold', () => {
  it('null, a tombstone, of which no encoder is asked', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const encoder: Encoder<{ total: number }> = { encode: ({ total }) => String(total) }
    const producer = new Producer({ brokers: kafka.bootstrap, encoder })
    await producer.send([
      { topic: 'orders', key: { total: 7 }, value: null },
      { topic: 'orders', key: null, value: { total: 42 } },
    ])
    await producer.close()
    expect(stored(kafka, 'orders')).toEqual([undefined, '42'])
  })

  it('headers of every form', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    await startProducer(kafka).send([
      { topic: 'orders', value: 'x', headers: { a: '1', b: ['2', Buffer.from([3])], c: null } },
      {
        topic: 'orders',
        value: 'x',
        headers: [
          ['z', '1'],
          ['a', null],
          ['z', '2'],
        ],
      },
    ])
    const [named, pairs] = kafka
      .records('orders')
      .map(({ headers }) => headers.map(({ key, value }) => [key, value?.toString() ?? null]))
    expect(named).toEqual([
      ['a', '1'],
      ['b', '2'],
      ['b', '\u0003'],
      ['c', null],
    ])
    expect(pairs).toEqual([
      ['z', '1'],
      ['a', null],
      ['z', '2'],
    ])
  })

  it('a timestamp of its own, or that of send()', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const before = Date.now()
    const results = await startProducer(kafka).send([
      { topic: 'orders', value: 'x', timestamp: 1_234 },
      { topic: 'orders', value: 'x', timestamp: new Date(5_678) },
      { topic: 'orders', value: 'x', timestamp: -0 },
      { topic: 'orders', value: 'x' },
    ])
    const timestamps = kafka.records('orders').map(({ timestamp }) => timestamp)
    expect(timestamps.slice(0, 3)).toEqual([1_234, 5_678, 0])
    expect(timestamps[3]).toBeGreaterThanOrEqual(before)
    expect(results.map(({ timestamp }) => timestamp)).toEqual(timestamps)
  })

  it.each([[[2 ** 53 - 1, 2]], [[2, 2 ** 53 - 1, 1]], [[2 ** 52, 2 ** 53 - 1, 1, 0]], [[2 ** 52, 1, 2 ** 53 - 1]]])(
    'timestamps as far apart as can be, to the millisecond: %j',
    async (timestamps) => {
      const kafka = await startKafka({ release: BEFORE_LIMITS, topics: { orders: { partitions: 1 } } })
      const producer = startProducer(kafka)
      const sent = await producer.send(timestamps.map((timestamp) => ({ topic: 'orders', value: 'x', timestamp })))
      expect(kafka.records('orders').map(({ timestamp }) => timestamp)).toEqual(timestamps)
      expect(sent.map(({ timestamp }) => timestamp)).toEqual(timestamps)
    },
  )

  it('of which some end early: the others keep their distance', async () => {
    const kafka = await startKafka({ release: BEFORE_LIMITS, topics: { orders: { partitions: 1 } } })
    const producer = startProducer(kafka)
    await producer.send({ topic: 'orders', value: 'known' })
    const controller = new AbortController()
    const of = (timestamp: number) => ({ topic: 'orders', value: 'x', timestamp })
    const gone = errorOf(producer.send(of(2 ** 52), { signal: controller.signal }))
    const others = [producer.send(of(1)), producer.send(of(2 ** 53 - 1))]
    controller.abort()
    await gone
    await Promise.all(others)
    expect(kafka.records('orders').map(({ timestamp }) => timestamp)).toEqual([expect.any(Number), 1, 2 ** 53 - 1])
  })

  it("the broker's time where the topic has log-append time", async () => {
    const kafka = await startKafka({ topics: { orders: { config: { 'message.timestamp.type': 'LogAppendTime' } } } })
    const before = Date.now()
    const [metadata] = await startProducer(kafka).send({ topic: 'orders', value: 'x', timestamp: 1_234 })
    expect(metadata?.timestamp).toBeGreaterThanOrEqual(before)
  })

  it('no timestamp comes back from a broker that stores none', async () => {
    const kafka = await startKafka({ release: '0.8.2', topics: { orders: {} } })
    const [metadata] = await startProducer(kafka).send({ topic: 'orders', value: 'x' })
    expect(metadata?.timestamp).toBe(-1)
  })

  it('a partition key chooses the partition and is never stored', async () => {
    const kafka = await startKafka({ topics: { orders: { partitions: 16 } } })
    const producer = startProducer(kafka)
    const [byKey] = await producer.send({ topic: 'orders', key: 'chooser', value: '1' })
    const [byPartitionKey] = await producer.send({
      topic: 'orders',
      key: 'stored',
      partitionKey: 'chooser',
      value: '2',
    })
    const [keyless] = await producer.send({ topic: 'orders', partitionKey: 'chooser', value: '3' })
    expect([byPartitionKey?.partition, keyless?.partition]).toEqual([byKey?.partition, byKey?.partition])
    expect(kafka.records('orders').map(({ key }) => key?.toString() ?? null)).toEqual(['chooser', 'stored', null])
    expectNothingHeld(producer)
  })

  it('the same key goes to the same partition, as with Java', async () => {
    const kafka = await startKafka({ topics: { orders: { partitions: 6 } } })
    const producer = startProducer(kafka)
    const [metadata] = await producer.send({ topic: 'orders', key: '21', value: 'x' })
    // Utils.toPositive(Utils.murmur2("21".getBytes())) % 6, where murmur2("21") is -973932308.
    expect(metadata?.partition).toBe((-973932308 & 0x7fffffff) % 6)
  })

  it('a key that is encoded to null is no key', async () => {
    const kafka = await startKafka({ topics: { orders: { partitions: 3 } } })
    const producer = startProducer(kafka, { keyEncoder: { encode: () => null } })
    for (let i = 0; i < 10; i++) await producer.send({ topic: 'orders', key: 'k', value: 'x'.repeat(16_384) })
    const records = kafka.records('orders')
    expect(records.every(({ key }) => key === null)).toBe(true)
    expect(new Set(records.map(({ partition }) => partition)).size).toBeGreaterThan(1)
  })
})

describe("the caller's messages", () => {
  it('are never changed: deeply frozen ones work', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    const messages = deepFreeze([
      { topic: 'orders', key: 'k', value: 'v', partitionKey: 'p', headers: { a: ['1', '2'] }, timestamp: 1 },
      { topic: 'orders', value: null, headers: [['a', '1']] as const },
    ])
    kafka.fail({ api: 'Produce' }, 'NOT_LEADER_OR_FOLLOWER')
    await producer.send(messages)
    await producer.send(messages[0] as KeyedMessage)
    expect(kafka.records('orders')).toHaveLength(3)
  })

  it('may be changed and used again once send() has returned, but for the bytes in them', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    const message = { topic: 'orders', key: 'k0', value: 'v0' }
    const list = [message]
    const sending = []
    for (let i = 0; i < 3; i++) {
      message.key = `k${i}`
      message.value = `v${i}`
      sending.push(producer.send(list))
    }
    list.length = 0
    await Promise.all(sending)
    expect(kafka.records('orders').map(({ key, value }) => `${String(key)}=${String(value)}`)).toEqual([
      'k0=v0',
      'k1=v1',
      'k2=v2',
    ])
  })
})

describe('what no broker could take is refused before anything is sent', () => {
  it.each<[string, unknown]>([
    ['a message must be an object', 'text'],
    ['a message must be an object', null],
    ['a message must be an object, given was an object (Set)', new Set([{ topic: 'orders', value: 'x' }])],
    ['several are given in an array, or to sendAll()', [{ topic: 'orders', value: 'x' }].values()],
    ['topic', { value: 'x' }],
    ['topic', { topic: '', value: 'x' }],
    ['topic', { topic: 'a b', value: 'x' }],
    ['topic', { topic: '..', value: 'x' }],
    ['topic', { topic: 'x'.repeat(250), value: 'x' }],
    ['topic', { topic: 17, value: 'x' }],
    ['value', { topic: 'orders' }],
    ['value', { topic: 'orders', value: undefined }],
    ['partition', { topic: 'orders', value: 'x', partition: -1 }],
    ['partition', { topic: 'orders', value: 'x', partition: 0.5 }],
    ['partition', { topic: 'orders', value: 'x', partition: 2 ** 31 }],
    ['partition', { topic: 'orders', value: 'x', partition: '0' }],
    ['timestamp', { topic: 'orders', value: 'x', timestamp: NaN }],
    ['timestamp', { topic: 'orders', value: 'x', timestamp: 0.5 }],
    ['timestamp', { topic: 'orders', value: 'x', timestamp: new Date('never') }],
    ['timestamp', { topic: 'orders', value: 'x', timestamp: 2 ** 60 }],
    ['headers', { topic: 'orders', value: 'x', headers: 'a=1' }],
    ['headers', { topic: 'orders', value: 'x', headers: { a: 1 } }],
    ['headers', { topic: 'orders', value: 'x', headers: [['a']] }],
    ['headers', { topic: 'orders', value: 'x', headers: [[1, 'a']] }],
    ['headers', { topic: 'orders', value: 'x', headers: { a: undefined } }],
  ])('%s: %o', async (what, bad) => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    const error = await errorOf(producer.send([{ topic: 'orders', value: 'good' }, bad as KeyedMessage]))
    expect(error).toBeInstanceOf(InvalidMessageError)
    expect(error).toMatchObject({ code: 'INVALID_MESSAGE', retriable: false })
    expect(error.message).toContain(what)
    expect(kafka.requests).toEqual([])
    expect(producer.stats()).toMatchObject({ messages: 0, failed: 0, serializationErrors: 0, queueMessages: 0 })
  })

  it('headers that are found wrong after an encoder that takes its time', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { encoder: { encode: (value: unknown) => Promise.resolve(String(value)) } })
    const error = await errorOf(
      producer.send({ topic: 'orders', value: 'x', headers: { a: 1 } } as unknown as KeyedMessage),
    )
    expect(error.code).toBe('INVALID_MESSAGE')
    await producer.send({ topic: 'orders', value: 'next' })
    expect(stored(kafka, 'orders')).toEqual(['next'])
  })
})

describe('encoders', () => {
  it('that fail for one message while another of the call still works: one rejection, and none unhandled', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const unhandled: unknown[] = []
    const onUnhandled = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', onUnhandled)
    const producer = startProducer(kafka, {
      encoder: {
        encode: (value: unknown) => {
          if (value === 'throws') throw new Error('at once')
          return value === 'rejects' ? Promise.reject(new Error('later')) : String(value)
        },
      },
      keyEncoder: {
        encode: (key: unknown) => {
          if (key === 'throws') throw new Error('at once')
          return String(key)
        },
      },
    })
    const [rejects, throws] = ['rejects', 'throws'].map((value) => ({ topic: 'orders', value }))
    const calls = [
      [rejects, throws],
      [throws, rejects],
      [rejects, rejects],
      [{ topic: 'orders', value: 'rejects', key: 'throws' }],
    ]
    for (const messages of calls) {
      expect((await errorOf(producer.send(messages as KeyedMessage[]))).code).toBe('SERIALIZATION_FAILED')
    }
    await new Promise((resolve) => setTimeout(resolve, 5))
    process.off('unhandledRejection', onUnhandled)
    expect(unhandled).toEqual([])
    await producer.send({ topic: 'orders', value: 'good' })
    expect(stored(kafka, 'orders')).toEqual(['good'])
    expectNothingHeld(producer)
  })

  it.each([17, undefined, {}, ['bytes']])('that give %o, which is neither bytes, string nor null', async (encoded) => {
    const kafka = await startKafka({ topics: { orders: {} } })
    for (const given of [encoded, Promise.resolve(encoded)]) {
      const producer = startProducer(kafka, { encoder: { encode: () => given as string } })
      expect((await errorOf(producer.send({ topic: 'orders', value: 'x' }))).code).toBe('SERIALIZATION_FAILED')
    }
  })

  it('of keys run only where there is a key', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    let asked = 0
    const producer = startProducer(kafka, {
      keyEncoder: {
        encode: (key: unknown) => {
          asked++
          return String(key)
        },
      },
    })
    await producer.send([
      { topic: 'orders', value: '1' },
      { topic: 'orders', key: null, value: '2' },
      { topic: 'orders', key: 'k', value: '3' },
    ])
    expect(asked).toBe(1)
  })
})

it('metadata is plain to read, in JSON and in the log', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka)
  const [metadata] = await producer.send({ topic: 'orders', value: 'x', timestamp: 5 })
  const plain = { topic: 'orders', partition: 0, offset: '0', timestamp: 5, acknowledged: true }
  expect(JSON.parse(JSON.stringify(metadata))).toEqual(plain)
  expect(inspect(metadata)).toBe(
    "RecordMetadata {\n  topic: 'orders',\n  partition: 0,\n  offset: 0n,\n  timestamp: 5,\n  acknowledged: true\n}",
  )
})

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) deepFreeze(part)
    Object.freeze(value)
  }
  return value
}

it('headers that are like those of the message before are stored as they were at each send', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka)
  const headers: Record<string, string | Buffer | string[]> = { source: 'shop', kind: 'größe' }
  const given: MessageHeaders[] = []
  const sending: Promise<unknown>[] = []
  const send = (now: MessageHeaders) => {
    given.push(structuredClone(now))
    sending.push(producer.send({ topic: 'orders', value: 'x', headers: now }))
  }
  for (let i = 0; i < 3; i++) send(headers)
  headers['kind'] = 'other'
  send(headers)
  send(headers)
  headers['more'] = 'yes'
  send(headers)
  delete headers['source']
  send(headers)
  send(headers)
  headers['kind'] = ['other']
  send(headers)
  send({ more: 'yes', kind: 'other' })
  send({ kind: 'other', more: 'yes' })
  send([
    ['kind', 'other'],
    ['more', 'yes'],
  ])
  send({ kind: Buffer.from('bytes') })
  send({ kind: Buffer.from('other bytes') })
  send({})
  await Promise.all(sending)
  const flat = (one: MessageHeaders) =>
    (Array.isArray(one) ? one : Object.entries(one)).flatMap(([name, value]) =>
      [value].flat().map((each) => [name, Buffer.from(each as string).toString()]),
    )
  expect(
    kafka.records('orders').map((record) => record.headers.map(({ key, value }) => [key, value?.toString()])),
  ).toEqual(given.map(flat))
})

describe.each(['sync', 'async'] as const)('%s: a message that can’t be read', (type) => {
  const t = { topic: 't', value: 'x' }
  const unreadable: [string, unknown][] = [
    ['null', null],
    ['with a topic that throws', { get topic() { throw new Error('no') }, value: 'x' }], // prettier-ignore
    ['without a topic, and with a `then` that throws', { value: 'x', get then() { throw new Error('no') } }], // prettier-ignore
  ]

  it.each(unreadable)(
    '%s, far behind in a long list: the call is refused, and nobody waits for it',
    async (_, wrong) => {
      const kafka = await startKafka({ topics: { t: {} } })
      const producer = new Producer({ brokers: kafka.bootstrap, type })
      const error = await errorOf(producer.send([...Array<KeyedMessage>(1_500).fill(t), wrong as KeyedMessage]))
      expect(error).toMatchObject({ code: 'INVALID_MESSAGE', message: expect.stringMatching(/^messages\[1500\]: /) })
      await producer.flush({ timeoutMs: 5_000 })
      await producer.close()
      expect(stored(kafka, 't')).toEqual([])
    },
  )

  it('for a second time, while its encoder works: it goes as it was read', async () => {
    const kafka = await startKafka({ topics: { t: {} } })
    const encoder: Encoder = { encode: async (value) => Promise.resolve(value as string) }
    const producer = new Producer({ brokers: kafka.bootstrap, type, encoder })
    let reads = 0
    const once = {
      get topic() {
        if (reads++ > 0) throw new Error('no')
        return 't'
      },
      value: 'x',
    }
    await producer.send(once)
    await producer.flush({ timeoutMs: 5_000 })
    await producer.close()
    expect(stored(kafka, 't')).toEqual(['x'])
  })
})
