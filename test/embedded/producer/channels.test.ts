import { AsyncLocalStorage } from 'node:async_hooks'
import { tracingChannel } from 'node:diagnostics_channel'
import { readFile } from 'node:fs/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  Producer,
  type BatchTrace,
  type ConnectTrace,
  type KeyedMessage,
  type MessageEnd,
  type MetadataTrace,
  type ProducerInterceptor,
  type RequestTrace,
  type SendTrace,
} from '../../../src/index.js'
import { startKafka } from '../support/cluster.js'
import { deliveryErrorOf, errorOf, failureOf, outcomes, startProducer, stored, turns } from '../support/producers.js'

/* What subscribers of diagnostics_channel are given: one object from start to end, and what each channel promises in it. */

/** Fields of each payload that are there from the start on, and from the end on. Those of sends are not plain data. */
const PAYLOADS: readonly (readonly [channel: string, start: readonly string[], end: readonly string[]])[] = [
  [
    'batch',
    [
      'clientId',
      'topic',
      'partition',
      'brokerId',
      'attempt',
      'isFirst',
      'messages',
      'plainBytes',
      'wireBytes',
      'queuedMs',
    ] satisfies (keyof BatchTrace)[],
    ['error', 'isRetried', 'latencyMs', 'ageMs'] satisfies (keyof BatchTrace)[],
  ],
  [
    'request',
    ['clientId', 'broker', 'api', 'version', 'correlationId', 'bytes'] satisfies (keyof RequestTrace)[],
    ['latencyMs', 'responseBytes', 'error'] satisfies (keyof RequestTrace)[],
  ],
  [
    'connect',
    ['clientId', 'broker'] satisfies (keyof ConnectTrace)[],
    ['latencyMs', 'error'] satisfies (keyof ConnectTrace)[],
  ],
  [
    'metadata',
    ['clientId', 'topics'] satisfies (keyof MetadataTrace)[],
    ['latencyMs', 'error'] satisfies (keyof MetadataTrace)[],
  ],
]

type Moment = 'start' | 'end' | 'asyncStart' | 'asyncEnd' | 'error'

interface Published<Trace> {
  readonly moment: Moment
  readonly trace: Trace
}

/** What is published on a channel until the test ends. */
function listen<Trace extends object>(
  name: string,
  onStart: (trace: Trace) => void = () => undefined,
): Published<Trace>[] {
  const published: Published<Trace>[] = []
  const at = (moment: Moment) => (trace: object) => {
    published.push({ moment, trace: trace as Trace })
    if (moment === 'start') onStart(trace as Trace)
  }
  const subscribers = {
    start: at('start'),
    end: at('end'),
    asyncStart: at('asyncStart'),
    asyncEnd: at('asyncEnd'),
    error: at('error'),
  }
  const channel = tracingChannel<unknown, object>(`kafka-producer:${name}`)
  channel.subscribe(subscribers)
  onTestFinished(() => void channel.unsubscribe(subscribers))
  return published
}

const moments = (published: readonly Published<unknown>[]) => published.map(({ moment }) => moment)
const traces = <T>(published: readonly Published<T>[]) => [...new Set(published.map(({ trace }) => trace))]

describe('diagnostics_channel', () => {
  it('has each send, question, connection, request and batch as one object from start to end', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const sends = listen<SendTrace>('send')
    const batches = listen<BatchTrace>('batch')
    const requests = listen<RequestTrace>('request')
    const connects = listen<ConnectTrace>('connect')
    const questions = listen<MetadataTrace>('metadata')
    const producer = startProducer(kafka, { clientId: 'shop' })
    const message = { topic: 'orders', value: 'one' }
    const [metadata] = await producer.send(message)
    await turns()
    for (const published of [sends, batches, questions])
      expect(moments(published)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd'])
    for (const all of [sends, batches, requests, connects, questions])
      for (const trace of traces<object>(all)) {
        expect(moments((all as Published<object>[]).filter((one) => one.trace === trace))).toEqual([
          'start',
          'end',
          'asyncStart',
          'asyncEnd',
        ])
        expect(trace).toMatchObject({ clientId: 'shop' })
      }
    expect(traces(sends)).toMatchObject([{ type: 'sync', messages: [message], result: [metadata] }])
    expect(traces(batches)).toMatchObject([
      { topic: 'orders', partition: 0, brokerId: 1, attempt: 1, messages: 1, isRetried: false },
    ])
    expect(traces(requests).map(({ api }) => api)).toEqual(
      expect.arrayContaining(['ApiVersions', 'Metadata', 'Produce']),
    )
    expect(traces(connects)).toMatchObject([{ broker: kafka.bootstrap }, { broker: kafka.bootstrap }])
    expect(traces(questions)).toMatchObject([{ topics: ['orders'] }])
  })

  it('has in each payload what its type and the documentation say, from the start or from the end on', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const fields: Record<string, { start: string[]; end: string[] }> = {}
    for (const name of ['batch', 'request', 'connect', 'metadata']) {
      const channel = tracingChannel<unknown, object>(`kafka-producer:${name}`)
      const start = (trace: unknown) => void (fields[name] ??= { start: Object.keys(trace as object), end: [] })
      const asyncStart = (trace: unknown) =>
        void (fields[name] = { start: [], ...fields[name], end: Object.keys(trace as object) })
      channel.start.subscribe(start)
      channel.asyncStart.subscribe(asyncStart)
      onTestFinished(() => {
        channel.start.unsubscribe(start)
        channel.asyncStart.unsubscribe(asyncStart)
      })
    }
    await startProducer(kafka).send({ topic: 'orders', value: '1' })
    await turns()
    const documented = PAYLOADS.map(([name, start, end]) => [name, { start, end: [...start, ...end] }])
    expect(fields).toEqual(Object.fromEntries(documented))
    const page = await readFile(new URL('../../../docs/observability.md', import.meta.url), 'utf8')
    for (const [name, start, end] of PAYLOADS) {
      const row = page.split('\n').find((line) => line.startsWith(`| \`kafka-producer:${name}\``))
      for (const field of [...start, ...end]) if (field !== 'clientId') expect(row).toContain(`\`${field}\``)
    }
  })

  it('has connections, questions and requests that failed with their errors', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const requests = listen<RequestTrace>('request')
    const connects = listen<ConnectTrace>('connect')
    const questions = listen<MetadataTrace>('metadata')
    // A port that nobody listens at any more may be somebody else's the next moment.
    const createConnection = () => Promise.reject(new Error('there is no way to it'))
    const producer = startProducer(kafka, { deliveryTimeoutMs: 500, createConnection })
    await errorOf(producer.send({ topic: 'orders', value: '1' }))
    await turns()
    for (const published of [connects, questions]) {
      const [first] = traces<object>(published)
      const all: readonly Published<object>[] = published
      expect(moments(all.filter(({ trace }) => trace === first))).toEqual([
        'start',
        'end',
        'error',
        'asyncStart',
        'asyncEnd',
      ])
      expect(first).toMatchObject({ error: { code: expect.any(String) as string } })
    }
    expect(requests).toEqual([])
    const other = await startKafka({ topics: { orders: {} } })
    other.cut({ api: 'Produce' })
    await startProducer(other, { retries: 0 })
      .send({ topic: 'orders', value: '1' })
      .catch(() => undefined)
    await turns()
    expect(traces(requests).filter(({ error }) => error !== undefined)).toMatchObject([
      { api: 'Produce', broker: other.bootstrap, error: { code: 'CONNECTION_CLOSED' } },
    ])
  })

  it('has what failed with its error, and an attempt that is retried as one of its own', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    const sends = listen<SendTrace>('send')
    const batches = listen<BatchTrace>('batch')
    kafka.fail({ api: 'Produce', times: 1 }, 'NOT_ENOUGH_REPLICAS')
    await producer.send({ topic: 'orders', value: '1' })
    kafka.fail({ api: 'Produce', times: 1 }, 'TOPIC_AUTHORIZATION_FAILED')
    const error = await deliveryErrorOf(producer.send({ topic: 'orders', value: '2' }))
    await turns()
    expect(traces(batches)).toMatchObject([
      { attempt: 1, isRetried: true, error: { code: 'NOT_ENOUGH_REPLICAS' } },
      { attempt: 2, isRetried: false, error: undefined },
      { attempt: 1, isRetried: false, error: { code: 'TOPIC_AUTHORIZATION_FAILED' } },
    ])
    expect(moments(batches.slice(0, 5))).toEqual(['start', 'end', 'error', 'asyncStart', 'asyncEnd'])
    expect(moments(sends.slice(4))).toEqual(['start', 'end', 'error', 'asyncStart', 'asyncEnd'])
    expect(traces(sends)[1]?.error).toBe(error)
  })

  it('has an attempt that fails with what failed the one before as failed', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    const batches = listen<BatchTrace>('batch')
    let fault = kafka.fail({ api: 'Produce' }, 'REQUEST_TIMED_OUT')
    const sending = failureOf(producer.send(['1', '2'].map((value) => ({ topic: 'orders', value }))))
    for (const error of ['MESSAGE_TOO_LARGE', 'OUT_OF_ORDER_SEQUENCE_NUMBER']) {
      await fault.hit()
      fault = kafka.fail({ api: 'Produce' }, error)
    }
    expect(outcomes((await sending).results)).toEqual(['REQUEST_TIMED_OUT', 'REQUEST_TIMED_OUT'])
    await turns()
    const ends = traces(batches).map(({ error, isRetried }) => (isRetried === true ? 'again' : error?.code))
    expect(ends).toEqual(['again', 'again', 'REQUEST_TIMED_OUT'])
    expect(producer.stats().ageMs.count).toBe(0)
  })

  it('lets a subscriber of :send add headers, and changes no message of the caller', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    listen<SendTrace>('send', (trace) => {
      trace.messages.forEach((_, index) => trace.addHeaders(index, { traceparent: `t-${index}` }))
      trace.addHeaders(trace.messages.length, { lost: '1' })
    })
    const messages = [
      { topic: 'orders', value: '1' },
      { topic: 'orders', value: '2', headers: { source: 'shop', list: ['a', 'b'] } },
      { topic: 'orders', value: '3', headers: new Map([['source', 'map']]) },
      { topic: 'orders', value: '4', headers: null },
    ]
    const before = structuredClone(messages)
    await producer.send(messages)
    expect(messages).toEqual(before)
    const headers = kafka
      .records('orders')
      .map((record) => record.headers.map(({ key, value }) => [key, String(value)]))
    expect(headers).toEqual([
      [['traceparent', 't-0']],
      [
        ['source', 'shop'],
        ['list', 'a'],
        ['list', 'b'],
        ['traceparent', 't-1'],
      ],
      [
        ['source', 'map'],
        ['traceparent', 't-2'],
      ],
      [['traceparent', 't-3']],
    ])
  })

  it('loses nothing of a message with accessors where headers are added', async () => {
    class Event {
      readonly topic = 't'
      readonly #payload = 'x'
      get value() {
        return this.#payload
      }
      get key() {
        return 'k'
      }
      get partition() {
        return 2
      }
      get unread(): never {
        throw new Error('no')
      }
    }
    const kafka = await startKafka({ topics: { t: { partitions: 3 } } })
    const producer = startProducer(kafka)
    listen<SendTrace>('send', (trace) => trace.addHeaders(0, { traceparent: 't' }))
    await producer.send(new Event())
    const [record] = kafka.records('t')
    expect([record?.key, record?.value, record?.headers[0]?.value].map(String)).toEqual(['k', 'x', 't'])
    expect(record?.partition).toBe(2)
  })

  it('refuses a message as ever where headers were added, and takes none once it has begun', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    let late: SendTrace | undefined
    listen<SendTrace>('send', (trace) => {
      late = trace
      trace.addHeaders(0, { traceparent: 't' })
    })
    const wrong = { topic: 'orders', value: '1', headers: 7 as unknown as null }
    await expect(producer.send(wrong)).rejects.toMatchObject({ code: 'INVALID_MESSAGE' })
    const throws = {
      topic: 'orders',
      value: '1',
      get headers(): never {
        throw new Error('no')
      },
    }
    await expect(producer.send(throws)).rejects.toMatchObject({ code: 'INVALID_MESSAGE' })
    function* broken(): Generator<[string, string]> {
      yield ['a', '1']
      throw new Error('no')
    }
    const breaks = { topic: 'orders', value: '1', headers: broken() }
    await expect(producer.send(breaks)).rejects.toMatchObject({ code: 'INVALID_MESSAGE' })
    const sending = producer.send({ topic: 'orders', value: '1' })
    late?.addHeaders(0, { late: '1' })
    await sending
    expect(kafka.records('orders').map((record) => record.headers.map(({ key }) => key))).toEqual([['traceparent']])
  })

  it('takes headers from an object of a class, and from pairs', async () => {
    class Carrier {
      traceparent = 't'
    }
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    listen<SendTrace>('send', (trace) => {
      trace.addHeaders(0, new Carrier() as unknown as Record<string, string>)
      trace.addHeaders(0, new Map([['source', 'map']]) as unknown as Record<string, string>)
      trace.addHeaders(0, undefined as unknown as Record<string, string>)
    })
    await producer.send({ topic: 'orders', value: '1' })
    expect(kafka.records('orders')[0]?.headers.map(({ key }) => key)).toEqual(['traceparent', 'source'])
  })

  it.each<[string, KeyedMessage['headers'], string[]]>([
    ['no headers of its own', undefined, []],
    ['some of its own', { own: '1' }, ['own']],
  ])('leaves out added headers that no message may have, where it has %s', async (_, headers, own) => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    const wrong: unknown[] = [{ a: 5 }, { a: '\ud800' }, [['lonely']], { a: undefined, source: 'shop' }, 7]
    listen<SendTrace>('send', (trace) => {
      trace.addHeaders(0, { traceparent: 't' })
      for (const one of wrong) trace.addHeaders(0, one as Record<string, string>)
    })
    await producer.send({ topic: 'orders', value: '1', headers })
    expect(kafka.records('orders')[0]?.headers.map(({ key }) => key)).toEqual([...own, 'traceparent', 'source'])
  })

  it.each<[string, (trace: SendTrace) => void]>([
    ['adds some', (trace) => trace.addHeaders(0, { traceparent: 't' })],
    ['looks at them', (trace) => void trace.hasHeader(0, ['traceparent'])],
  ])('refuses headers that throw when they are gone through, where a subscriber %s', async (_, onStart) => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    listen('send', onStart)
    function* headers(): Generator<[string, string]> {
      yield ['first', '1']
      throw new Error('no more')
    }
    const error = await errorOf(producer.send({ topic: 'orders', value: '1', headers: headers() }))
    expect(error).toMatchObject({ code: 'INVALID_MESSAGE', message: expect.stringContaining('no more') as string })
    expect(kafka.records('orders')).toEqual([])
  })

  it('says of a promise that it is one where headers were added to it', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    listen<SendTrace>('send', (trace) => trace.addHeaders(0, { traceparent: 't' }))
    const promise = Promise.resolve({ topic: 'orders', value: '1' }) as unknown as KeyedMessage
    expect((await errorOf(startProducer(kafka).send(promise))).message).toContain('given was a promise of one')
  })

  it('runs the send in the context that a store gives it', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const storage = new AsyncLocalStorage<string>()
    const { start } = tracingChannel<unknown, object>('kafka-producer:send')
    start.bindStore(storage, () => 'span')
    onTestFinished(() => void start.unbindStore(storage))
    // One that asks for nothing changes nothing of that.
    const look = (): void => undefined
    start.subscribe(look)
    onTestFinished(() => void start.unsubscribe(look))
    let seen: string | undefined
    const encoder = {
      encode: (value: string | null) => {
        seen = storage.getStore()
        return value
      },
    }
    const producer = new Producer<string>({ brokers: kafka.bootstrap, encoder })
    onTestFinished(async () => void (await producer.close({ timeoutMs: 0 })))
    await producer.send({ topic: 'orders', value: '1' })
    expect(seen).toBe('span')
  })

  it('says which headers a message has, also where they can be read but once', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    const seen: unknown[] = []
    listen<SendTrace>('send', (trace) => {
      trace.addHeaders(0, { added: '1' })
      trace.messages.forEach((_, index) => seen.push(trace.headersOf(index)))
      seen.push(trace.headersOf(trace.messages.length))
    })
    await producer.send([
      { topic: 'orders', value: '1', headers: new Map([['once', 'a']]).entries() },
      { topic: 'orders', value: '2', headers: { list: ['a', null] } },
      { topic: 'orders', value: '3' },
    ])
    expect(seen).toEqual([
      [
        ['once', 'a'],
        ['added', '1'],
      ],
      [
        ['list', 'a'],
        ['list', null],
      ],
      [],
      [],
    ])
    const headers = kafka.records('orders').map((record) => record.headers.map(({ key }) => key))
    expect(headers).toEqual([['once', 'added'], ['list', 'list'], []])
  })

  it('says whether a message has one of some headers', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    const seen: boolean[] = []
    listen<SendTrace>('send', (trace) => {
      trace.addHeaders(1, { added: '1' })
      for (let index = 0; index <= trace.messages.length; index++) seen.push(trace.hasHeader(index, ['a', 'added']))
    })
    const unreadable = {
      topic: 'orders',
      value: '1',
      get headers(): never {
        throw new Error('no')
      },
    }
    const headers = [
      { b: '1', a: null },
      { b: '1' },
      { b: '1' },
      new Map([['a', '1']]).entries(),
      [['b', '1']],
      null,
      7,
    ]
    const messages = headers.map((headers) => ({ topic: 'orders', value: '1', headers }))
    await errorOf(producer.send([...messages, unreadable] as KeyedMessage[]))
    expect(seen).toEqual([true, true, false, true, false, false, false, false, false])
  })

  it('lets a subscriber take headers out, also where they can be read but once, and changes no message of the caller', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    let late: SendTrace | undefined
    listen<SendTrace>('send', (trace) => {
      late = trace
      for (let index = 0; index <= trace.messages.length; index++) trace.removeHeaders(index, ['a', 'b'])
      trace.addHeaders(0, { a: 'new' })
    })
    const own = Object.freeze({ a: '1', c: '2' })
    const once = new Map([
      ['c', '1'],
      ['b', '2'],
    ]).entries()
    const sending = producer.send([own, once, undefined].map((headers) => ({ topic: 'orders', value: '1', headers })))
    late?.removeHeaders(0, ['c'])
    await sending
    const stored = kafka
      .records('orders')
      .map(({ headers }) => headers.map(({ key, value }) => `${key} ${String(value)}`))
    expect(stored).toEqual([['c 2', 'a new'], ['c 1'], []])
    const bad = [
      ['a', '1'],
      ['c', 7],
    ]
    const error = await errorOf(producer.send({ topic: 'orders', value: '1', headers: bad } as unknown as KeyedMessage))
    expect(error.message).toContain("the value of 'c'")
  })

  it('goes on as if nobody had looked where all that is seen is how a send begins', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const { start } = tracingChannel<unknown, object>('kafka-producer:send')
    const seen: SendTrace[] = []
    const look = (trace: unknown): void => void seen.push(trace as SendTrace)
    start.subscribe(look)
    onTestFinished(() => void start.unsubscribe(look))
    const producer = startProducer(kafka, { clientId: 'shop' })
    const message = { topic: 'orders', value: '1' }
    const sending = producer.send(message)
    const [trace] = seen
    trace?.addHeaders(0, { late: '1' })
    trace?.onEnds(() => expect.unreachable())
    expect(trace).toMatchObject({ clientId: 'shop', type: 'sync', messages: [message] })
    expect(trace?.messages[0]).toBe(message)
    expect([trace?.headersOf(0), trace?.hasHeader(0, ['late'])]).toEqual([[], false])
    await sending
    expect(kafka.records('orders').map((record) => record.headers)).toEqual([[]])
  })

  it('says where the leader of a partition is, by what the producer knows then, and of no others', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { orders: { partitions: 2, replicationFactor: 2 } } })
    for (const partition of [0, 1]) kafka.moveLeader('orders', partition, partition + 1)
    const producer = startProducer(kafka)
    const asked = [
      ['orders', 0],
      ['orders', 1],
      ['orders', 2],
      ['other', 0],
    ] as const
    const seen: unknown[] = []
    const look = (trace: SendTrace): void =>
      void seen.push(asked.map(([topic, partition]) => trace.leaderOf(topic, partition)))
    listen<SendTrace>('send', (trace) => {
      look(trace)
      trace.onEnds(() => look(trace))
    })
    await producer.send({ topic: 'orders', value: '1', partition: 0 })
    kafka.moveLeader('orders', 0, 2)
    await producer.send({ topic: 'orders', value: '2', partition: 0 })
    const [first, second] = kafka.brokers.map(({ host, port }) => ({ host, port }))
    expect(seen).toEqual([
      [undefined, undefined, undefined, undefined],
      [first, second, undefined, undefined],
      [first, second, undefined, undefined],
      [second, second, undefined, undefined],
    ])
  })

  it('tells the end to whoever asks for that alone', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const channel = tracingChannel<unknown, object>('kafka-producer:send')
    const seen: string[] = []
    const names = ['start', 'end', 'asyncEnd'] as const
    const producer = startProducer(kafka)
    for (const name of names) {
      const look = (): void => void seen.push(name)
      channel[name].subscribe(look)
      await producer.send({ topic: 'orders', value: '1' })
      channel[name].unsubscribe(look)
    }
    expect(seen).toEqual(names)
  })

  it('gives back the messages of the caller where others were sent in their place', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    listen<SendTrace>('send', (trace) => trace.messages.forEach((_, index) => trace.addHeaders(index, { added: '1' })))
    kafka.fail({ api: 'Produce' }, 'TOPIC_AUTHORIZATION_FAILED')
    const messages = [
      { topic: 'orders', value: '1' },
      { topic: 'orders', value: '2' },
    ]
    expect((await failureOf(startProducer(kafka).send(messages))).messages).toEqual(messages)
    const given: KeyedMessage[] = []
    const producer = new Producer({
      brokers: kafka.bootstrap,
      type: 'async',
      onDelivery: ({ message }) => given.push(message),
    })
    await producer.send(messages)
    await producer.send(messages[0] as KeyedMessage)
    await producer.close()
    expect(given.map((message) => messages.indexOf(message as (typeof messages)[0]))).toEqual([0, 1, 0])
  })

  it('in async mode the send ends when it is queued', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const sends = listen<SendTrace>('send')
    const producer = new Producer({ brokers: kafka.bootstrap, type: 'async', lingerMs: 0 })
    onTestFinished(async () => void (await producer.close({ timeoutMs: 0 })))
    await producer.send({ topic: 'orders', value: '1' })
    expect(moments(sends)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd'])
    expect(traces(sends)).toMatchObject([{ type: 'async' }])
  })
})

describe('onEnds of a traced send', () => {
  /** What the ends of each send are told as: offsets, and codes of errors. */
  function listenToEnds(): (bigint | string)[][] {
    const all: (bigint | string)[][] = []
    const endOf = (end: MessageEnd) => ('offset' in end ? end.offset : end.code)
    listen<SendTrace>('send', (trace) => trace.onEnds((ends) => all.push(ends.map(endOf))))
    return all
  }

  it('tells in sync mode how each message ended, before the caller hears of it', async () => {
    const kafka = await startKafka({ topics: { orders: { partitions: 2 } } })
    const producer = startProducer(kafka)
    const ends = listenToEnds()
    await producer.send({ topic: 'orders', value: '1', partition: 0 }).then(() => expect(ends).toEqual([[0n]]))
    kafka.fail({ api: 'Produce', topic: 'orders', partition: 1, times: 2 }, 'TOPIC_AUTHORIZATION_FAILED')
    const both = [0, 1].map((partition) => ({ topic: 'orders', value: '2', partition }))
    await failureOf(producer.send(both))
    await errorOf(producer.send({ topic: 'orders', value: '3', partition: 1 }))
    await errorOf(producer.send([both[0] as KeyedMessage, { topic: 'not a topic', value: '4' }]))
    await producer.send([])
    await producer.close()
    await errorOf(producer.send({ topic: 'orders', value: '5' }))
    expect(ends).toEqual([
      [0n],
      [1n, 'TOPIC_AUTHORIZATION_FAILED'],
      ['TOPIC_AUTHORIZATION_FAILED'],
      ['INVALID_MESSAGE', 'INVALID_MESSAGE'],
      [],
      ['PRODUCER_CLOSED'],
    ])
  })

  it('tells in async mode of what was refused, too, when the last message has ended', async () => {
    const kafka = await startKafka({ topics: { orders: { partitions: 2 } } })
    const ends = listenToEnds()
    const producer = new Producer({
      brokers: kafka.bootstrap,
      type: 'async',
      queueMessages: 2,
      enqueueTimeoutMs: 0,
      onDelivery: () => undefined,
    })
    await producer.send({ topic: 'orders', value: '1', partition: 0 })
    expect(ends).toEqual([])
    await producer.flush()
    expect(ends).toEqual([[0n]])
    kafka.fail({ api: 'Produce', topic: 'orders', partition: 1 }, 'TOPIC_AUTHORIZATION_FAILED')
    await errorOf(producer.send([0, 1, 1].map((partition) => ({ topic: 'orders', value: '2', partition }))))
    await producer.close()
    await errorOf(producer.send({ topic: 'orders', value: '3' }))
    await turns()
    expect(ends).toEqual([[0n], [1n, 'TOPIC_AUTHORIZATION_FAILED', 'QUEUE_FULL'], ['PRODUCER_CLOSED']])
  })

  it('tells beside interceptors', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const ends = listenToEnds()
    const heard: (bigint | undefined)[] = []
    const interceptors = [{ onAcknowledgement: (metadata?: { offset: bigint }) => void heard.push(metadata?.offset) }]
    await using producer = new Producer({ brokers: kafka.bootstrap, type: 'async', interceptors })
    await producer.send([1, 2].map((value) => ({ topic: 'orders', value: String(value) })))
    await producer.flush()
    await startProducer(kafka, { interceptors }).send({ topic: 'orders', value: '3' })
    expect(ends).toEqual([[0n, 1n], [2n]])
    expect(heard).toEqual([0n, 1n, 2n])
  })

  it('tells beside interceptors that listen for nothing, whether they change a message or not', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const ends = listenToEnds()
    const onSend: ProducerInterceptor['onSend'] = (message) =>
      message.value === 'same' ? message : { ...message, value: 'other' }
    const interceptors: ProducerInterceptor[] = [{ onSend }]
    await using producer = new Producer({ brokers: kafka.bootstrap, type: 'async', interceptors })
    await producer.send({ topic: 'orders', value: 'same' })
    await producer.flush()
    await producer.send({ topic: 'orders', value: '1' })
    await producer.flush()
    expect(ends).toEqual([[0n], [1n]])
    expect(stored(kafka, 'orders')).toEqual(['same', 'other'])
  })

  it('is asked for at the start alone', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    let late: SendTrace | undefined
    listen<SendTrace>('send', (trace) => (late = trace))
    const told: unknown[] = []
    const sending = producer.send({ topic: 'orders', value: '1' })
    late?.onEnds((ends) => told.push(ends))
    await sending
    expect(told).toEqual([])
  })
})
