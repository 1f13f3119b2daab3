import { describe, expect, it } from 'vitest'
import {
  JsonEncoder,
  Producer,
  TransactionalProducer,
  withHeaders,
  type DeliveryReport,
  type HeaderPair,
  type KafkaProducerError,
  type KeyedMessage,
  type ProducerInterceptor,
  type RecordMetadata,
  type ManualTransaction,
} from '../../../src/index.js'
import { startKafka } from '../support/cluster.js'
import {
  errorOf,
  expectNothingHeld,
  failureOf,
  startAsync,
  startProducer,
  stored,
  turns,
  until,
} from '../support/producers.js'

/* Interceptors put other messages in place of the caller's, who sees nothing of them, and hear once of each message's end. */

type Told = readonly [
  metadata: RecordMetadata | undefined,
  error: KafkaProducerError | undefined,
  headers: readonly HeaderPair[],
]

/** Keeps what it is told: `offset`, or the code of the error. */
class Listener implements ProducerInterceptor {
  readonly told: Told[] = []

  onAcknowledgement(...told: Told): void {
    this.told.push(told)
  }

  get ends(): (bigint | string | undefined)[] {
    return this.told.map(([metadata, error]) => metadata?.offset ?? error?.code)
  }
}

const appending = (text: string): ProducerInterceptor<string, string> => ({
  onSend: (message) => ({ ...message, value: `${message.value}${text}` }),
})
const throwing: ProducerInterceptor = {
  onSend() {
    throw new Error('no')
  },
}

const t = { topic: 't', value: 'x' }

describe('onSend', () => {
  it('puts another message in place of the caller’s, which stays as it is', async () => {
    const kafka = await startKafka({ topics: { t: {}, other: { partitions: 4 } } })
    const given = Object.freeze({ topic: 't', value: 'x', key: 'k', headers: Object.freeze({ a: '1' }) })
    const seen: KeyedMessage[] = []
    const producer = startProducer(kafka, {
      partitioner: (key) => (key === 'k2' ? 2 : 0),
      interceptors: [
        {
          onSend(message) {
            seen.push(message)
            return { ...withHeaders(message, { b: '2' }), topic: 'other', key: 'k2', value: 'y', timestamp: 17 }
          },
        },
      ],
    })
    const [metadata] = await producer.send(given)
    expect(seen).toEqual([given])
    expect(seen[0]).toBe(given)
    expect(metadata).toMatchObject({ topic: 'other', partition: 2, offset: 0n, timestamp: 17 })
    const [record] = kafka.records('other')
    expect(record).toMatchObject({ partition: 2, key: Buffer.from('k2'), value: Buffer.from('y') })
    expect(record?.headers.map(({ key, value }) => [key, String(value)])).toEqual([
      ['a', '1'],
      ['b', '2'],
    ])
    expect(kafka.records('t')).toEqual([])
  })

  it('is shown headers that can be read but once, of a message that has accessors, too', async () => {
    const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
    const told: unknown[] = []
    const interceptors = [{ onAcknowledgement: (...[, , headers]: unknown[]) => void told.push(headers) }]
    const message = Object.create({
      get topic() {
        return 't'
      },
      get key() {
        return 'k'
      },
    }) as KeyedMessage
    Object.assign(message, { value: 'x', headers: new Map([['a', '1']]).entries() })
    await startProducer(kafka, { interceptors }).send(message)
    expect(kafka.records('t')[0]).toMatchObject({
      key: Buffer.from('k'),
      headers: [{ key: 'a', value: Buffer.from('1') }],
    })
    expect(told).toEqual([[['a', '1']]])
  })

  it.each<[string, ProducerInterceptor]>([
    ['looks at messages', { onSend: () => undefined }],
    ['wants to hear of headers', { onAcknowledgement: () => undefined }],
  ])('where one %s, headers that end with an error refuse their message all the same', async (_, interceptor) => {
    function* headers(): Generator<HeaderPair> {
      yield ['a', '1']
      throw new Error('the source of headers broke')
    }
    const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
    const producer = startProducer(kafka, { interceptors: [interceptor] })
    const error = await errorOf(producer.send({ topic: 't', value: 'x', headers: headers() }))
    expect(error).toMatchObject({ code: 'INVALID_MESSAGE', message: expect.stringContaining('headers broke') })
    expect(stored(kafka, 't')).toEqual([])
  })

  it('is called before the encoder, in the order of the interceptors, of each message of a list', async () => {
    const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
    const interceptors = [appending('-a'), { onSend: () => undefined }, appending('-b')]
    const producer = new Producer<string, string>({ brokers: kafka.bootstrap, interceptors })
    await producer.send([t, { ...t, value: 'y' }])
    await producer.close()
    expect(stored(kafka, 't')).toEqual(['x-a-b', 'y-a-b'])
  })

  it('that throws is left out: the message goes on as the one before it left it', async () => {
    const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
    const interceptors = [appending('-a'), throwing, appending('-b')] as ProducerInterceptor[]
    const producer = startProducer(kafka, { interceptors })
    const warnings: string[] = []
    producer.on('warning', ({ code, message }) => void warnings.push(`${code} ${message}`))
    await producer.send([t, t])
    expect(stored(kafka, 't')).toEqual(['x-a-b', 'x-a-b'])
    expect(producer.stats().throwingCallbacks).toBe(2)
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(/^KAFKA_PRODUCER_THROWING_CALLBACK an interceptor's onSend threw or rejected: no/)
  })

  it.each<[string, () => unknown, RegExp]>([
    ['no topic', () => ({ value: 'x' }), /^after the interceptors: topic: given was undefined/],
    ['a misspelt field', () => ({ topic: 'new', value: 'x', partion: 1 }), /^after the interceptors: .*'partition'/],
    ['a promise', async () => Promise.resolve(t), /^after the interceptors: .* given was a promise/],
    [
      'one that rejects',
      async () => Promise.reject(new Error('no')),
      /^after the interceptors: .* given was a promise/,
    ],
    ['a string', () => 'x', /^after the interceptors: a message must be an object/],
  ])('that gives what is no message (%s) fails the call, and every interceptor is told', async (_, onSend, text) => {
    const kafka = await startKafka({ topics: { t: {} } })
    const listener = new Listener()
    const interceptors = [{ onSend } as ProducerInterceptor, listener]
    for (const type of ['sync', 'async'] as const) {
      const producer = new Producer<unknown, unknown, 'sync' | 'async'>({
        brokers: kafka.bootstrap,
        type,
        interceptors,
        encoder: new JsonEncoder(),
      })
      const error = await errorOf(producer.send([t, t]))
      expect(error).toMatchObject({
        code: 'INVALID_MESSAGE',
        message: expect.stringMatching(/messages\[0\]/) as string,
      })
      expect(error.message.replace('messages[0]: ', '')).toMatch(text)
      await producer.close()
    }
    expect(listener.ends).toEqual(Array(4).fill('INVALID_MESSAGE'))
  })

  it('that changes the topic: messages of the new one keep their order, however long an encoder takes', async () => {
    const kafka = await startKafka({ topics: { a: {}, b: { partitions: 1 } } })
    let finish: (() => void) | undefined
    const encoder = {
      encode: (value: unknown) =>
        value === 'slow' ? new Promise<string>((resolve) => (finish = () => resolve('slow'))) : String(value),
    }
    const interceptors = [{ onSend: (message: KeyedMessage) => ({ ...message, topic: 'b' }) }]
    const producer = startProducer(kafka, { encoder, interceptors })
    const sent = [producer.send({ topic: 'a', value: 'slow' }), producer.send({ topic: 'b', value: 'quick' })]
    await turns()
    finish?.()
    await Promise.all(sent)
    expect(stored(kafka, 'b')).toEqual(['slow', 'quick'])
  })
})

describe('onAcknowledgement, in sync mode', () => {
  it('has the metadata just before the promise settles, and the headers as the interceptors left them', async () => {
    const kafka = await startKafka({ topics: { t: {} } })
    const listener = new Listener()
    const order: string[] = []
    const adding = { onSend: (message: KeyedMessage) => withHeaders(message, { sentAt: '17' }) }
    const telling = { onAcknowledgement: () => void order.push('interceptor') }
    const producer = startProducer(kafka, { interceptors: [listener, adding, telling] })
    const headers: Record<string, string> = { a: '1' }
    const sending = producer.send({ ...t, headers }).then(([metadata]) => {
      order.push('caller')
      return metadata
    })
    headers['a'] = 'changed'
    expect(listener.told).toEqual([])
    const metadata = await sending
    expect(order).toEqual(['interceptor', 'caller'])
    expect(listener.told).toEqual([
      [
        metadata,
        undefined,
        [
          ['a', '1'],
          ['sentAt', '17'],
        ],
      ],
    ])
  })

  it('has headers that can be read but once, and so has the record', async () => {
    const kafka = await startKafka({ topics: { t: {} } })
    const listener = new Listener()
    const again = { onSend: (message: KeyedMessage) => ({ ...message, headers: new Map([['b', '2']]).entries() }) }
    const producer = startProducer(kafka, { interceptors: [listener] })
    await producer.send({ ...t, headers: new Map([['a', '1']]).entries() })
    const other = startProducer(kafka, { interceptors: [listener, again] })
    await other.send(t)
    const once = new Map([['c', '3']]).entries()
    await producer.send({ ...t, headers: { [Symbol.iterator]: () => once } })
    expect(listener.told.map(([, , headers]) => headers)).toEqual([[['a', '1']], [['b', '2']], [['c', '3']]])
    expect(kafka.records('t').flatMap(({ headers }) => headers.map(({ key }) => key))).toEqual(['a', 'b', 'c'])
  })

  it.each<['flush' | 'close', string]>([
    ['flush', 'are acknowledged'],
    ['close', 'are acknowledged'],
    ['flush', 'failed'],
    ['close', 'failed'],
  ])('has all messages before %s() resolves, where they %s', async (method, how) => {
    const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
    const listener = new Listener()
    const busy = {
      onAcknowledgement: () => {
        for (const until = performance.now() + 0.05; performance.now() < until;);
      },
    }
    const producer = startProducer(kafka, { interceptors: [busy, listener] })
    await producer.send(t)
    if (how === 'failed') kafka.fail({ api: 'Produce', times: 1 }, 'INVALID_REQUIRED_ACKS')
    // To tell so many takes several turns of the event loop.
    const count = 5_000
    const sending = producer.send(Array<KeyedMessage<string, string>>(count).fill(t)).catch(() => undefined)
    await producer[method]()
    expect(listener.told).toHaveLength(1 + count)
    await sending
  })

  it('has each message of a list that fails in part, and the caller has his own messages', async () => {
    const kafka = await startKafka({ topics: { t: { partitions: 2 } } })
    const listener = new Listener()
    const other = { onSend: (message: KeyedMessage) => ({ ...message, value: 'other' }) }
    const producer = startProducer(kafka, { interceptors: [other, listener] })
    kafka.fail({ api: 'Produce', partition: 1, times: 1 }, 'TOPIC_AUTHORIZATION_FAILED')
    const messages = [0, 1, 0].map((partition) => ({ ...t, partition }))
    const failure = await failureOf(producer.send(messages))
    expect(listener.ends).toEqual([0n, 'TOPIC_AUTHORIZATION_FAILED', 1n])
    expect(listener.told[1]?.[1]).toBe(failure.results[1])
    expect(failure.messages[1]).toBe(messages[1])
    expect(stored(kafka, 't')).toEqual(['other', 'other'])
  })

  it.each<[string, string, (producer: Producer, signal: AbortSignal) => unknown]>([
    ['is invalid', 'INVALID_MESSAGE', (producer) => producer.send([t, { ...t, partition: -1 }])],
    ['can’t be encoded', 'SERIALIZATION_FAILED', (producer) => producer.send([t, { ...t, value: 17 }])],
    ['was aborted before', 'ABORTED', (producer, signal) => producer.send([t, t], { signal })],
    ['has a signal that is none', 'INVALID_CONFIG', (producer) => producer.send([t, t], { signal: {} as AbortSignal })],
    ['comes after close()', 'PRODUCER_CLOSED', (producer) => { void producer.close(); return producer.send([t, t]) }], // prettier-ignore
    ['is not waited for by close()', 'PRODUCER_CLOSED', (producer) => { const sent = producer.send([t, t]); void producer.close({ timeoutMs: 0 }); return sent }], // prettier-ignore
    ['can’t be had', 'INVALID_MESSAGE', (producer) => producer.send(undefined as never)],
  ])('has the error of a message that %s', async (_, code, send) => {
    const kafka = await startKafka({ topics: { t: {} } })
    const listener = new Listener()
    const producer = startProducer(kafka, { interceptors: [listener] })
    const error = await errorOf(Promise.resolve(send(producer, AbortSignal.abort())))
    expect([error.code, (error.cause as KafkaProducerError | undefined)?.code]).toContain(code)
    expect(new Set(listener.ends)).toEqual(new Set([code]))
    expect(listener.told.length).toBeGreaterThan(0)
    expect(kafka.records('t')).toEqual([])
    expectNothingHeld(producer)
  })

  it('has what found no room', async () => {
    const kafka = await startKafka({ topics: { t: {} } })
    const listener = new Listener()
    const producer = startProducer(kafka, { interceptors: [listener], queueMessages: 1, enqueueTimeoutMs: 0 })
    const [, error] = await Promise.allSettled([producer.send(t), producer.send(t)])
    expect(error).toMatchObject({ status: 'rejected', reason: { code: 'QUEUE_FULL' } })
    expect(listener.ends).toEqual(['QUEUE_FULL', 0n])
  })

  it('has messages of a transaction, and those that its abort took out', async () => {
    const kafka = await startKafka({ topics: { t: {} } })
    const listener = new Listener()
    await using producer = new TransactionalProducer({
      brokers: kafka.bootstrap,
      transactionalId: 'tx',
      interceptors: [appending('-a'), listener],
    })
    await producer.transaction((tx) => tx.send(t))
    const open = await producer.begin()
    const sending = open.send(t)
    await Promise.allSettled([open.abort(), sending])
    expect(listener.ends).toEqual([0n, 'TRANSACTION_ABORTED'])
    expect(kafka.records('t').map(({ value }) => String(value))).toContain('x-a')
  })
})

describe('onAcknowledgement, in async mode', () => {
  it('is called before onDelivery, which has the message as it was given', async () => {
    const kafka = await startKafka({ topics: { t: {} } })
    const order: unknown[] = []
    const listener = new Listener()
    const producer = startAsync(kafka, {
      interceptors: [
        { onSend: (message) => withHeaders({ ...message, value: 'other' }, { a: '1' }) },
        listener,
        { onAcknowledgement: (metadata) => void order.push(metadata?.offset) },
      ],
      onDelivery: ({ message }: DeliveryReport) => void order.push(message),
    })
    const [one, two] = [{ ...t }, { ...t }]
    await producer.send(one)
    await producer.send([two])
    await producer.close()
    expect(order).toEqual([0n, one, 1n, two])
    expect([order[1] === one, order[3] === two]).toEqual([true, true])
    expect(listener.told.map(([, , headers]) => headers)).toEqual([[['a', '1']], [['a', '1']]])
    expect(stored(kafka, 't')).toEqual(['other', 'other'])
  })

  it('hears where nobody else listens; that a message failed unheard is told all the same', async () => {
    const kafka = await startKafka({ topics: { t: {} } })
    kafka.fail({ api: 'Produce', times: 1 }, 'TOPIC_AUTHORIZATION_FAILED')
    const listener = new Listener()
    const producer = startAsync(kafka, { interceptors: [listener] })
    producer.on('warning', () => undefined)
    await producer.send(t)
    await producer.flush()
    expect(producer.stats().unheardFailures).toBe(1)
    expect(listener.ends).toEqual(['TOPIC_AUTHORIZATION_FAILED'])
    await producer.close()
  })

  it('has each message once: what was taken in by its report, what was refused by the error', async () => {
    const kafka = await startKafka({ topics: { t: {} } })
    const listener = new Listener()
    const reports: (string | undefined)[] = []
    const producer = startAsync(kafka, {
      interceptors: [listener],
      encoder: new JsonEncoder(),
      queueMessages: 2,
      batchMessages: 2,
      enqueueTimeoutMs: 0,
      onDelivery: ({ error }: DeliveryReport) => void reports.push(error?.code),
    })
    const unfit = { topic: 't', value: NaN }
    const error = await errorOf(producer.send([t, unfit, t, t, t]))
    expect(error).toMatchObject({ code: 'QUEUE_FULL', refused: [3, 4] })
    await producer.close()
    expect(reports.toSorted()).toEqual(['SERIALIZATION_FAILED', undefined, undefined])
    expect(listener.ends.map(String).toSorted()).toEqual(['0', '1', 'QUEUE_FULL', 'QUEUE_FULL', 'SERIALIZATION_FAILED'])
  })

  it('has what close() did not wait for, and the caller has his own messages back', async () => {
    const kafka = await startKafka({ topics: { t: {} } })
    const listener = new Listener()
    const interceptors = [appending('-a') as ProducerInterceptor, listener]
    const producer = startAsync(kafka, { interceptors, lingerMs: 10_000, onDelivery: () => undefined })
    const message = { ...t }
    await producer.send(message)
    const { unsent } = await producer.close({ timeoutMs: 0 })
    await until(() => listener.told.length > 0, 'it is told')
    expect(listener.ends).toEqual(['PRODUCER_CLOSED'])
    expect(unsent).toHaveLength(1)
    expect(unsent[0]).toBe(message)
  })
})

it('an interceptor that sends, flushes and closes meets a whole producer', async () => {
  const kafka = await startKafka({ topics: { t: {} } })
  let sent: Promise<unknown> | undefined
  let closed: Promise<unknown> | undefined
  const producer: Producer = startProducer(kafka, {
    interceptors: [
      {
        onSend({ value }) {
          if (value === 'x') sent = producer.send({ ...t, value: 'from within' })
        },
        onAcknowledgement() {
          void producer.flush()
          closed = producer.close()
        },
      },
    ],
  })
  await producer.send(t)
  await sent
  await closed
  expect(stored(kafka, 't')).toEqual(['from within', 'x'])
  expectNothingHeld(producer)
})

it.each<[string, (tx: ManualTransaction) => Promise<unknown>, string]>([
  ['has ended', (tx) => tx.commit(), 'TRANSACTION_ENDED'],
  [
    'can only be aborted',
    (tx) => tx.send({ topic: '', value: 'refused' }).catch(() => undefined),
    'TRANSACTION_ABORTED',
  ],
])('of what is sent in a transaction that %s interceptors hear nothing', async (_, end, code) => {
  const kafka = await startKafka({ topics: { t: {} } })
  const seen: unknown[] = []
  const listener = new Listener()
  const onSend = ({ value }: KeyedMessage) => void seen.push(value)
  await using producer = new TransactionalProducer({
    brokers: kafka.bootstrap,
    transactionalId: 'x',
    interceptors: [{ onSend }, listener],
  })
  const tx = await producer.begin()
  await tx.send({ topic: 't', value: 'taken' })
  await end(tx)
  const [sent, told] = [seen.length, listener.told.length]
  expect(await errorOf(tx.send({ topic: 't', value: 'too late' }))).toMatchObject({ code })
  expect([seen.length, listener.told.length, producer.stats().failed]).toEqual([sent, told, 0])
  await tx.abort().catch(() => undefined)
})
