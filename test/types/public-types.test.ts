/*
 * What the public types promise. `tsc` is the judge of most of it, in `npm run typecheck`: an expected error that is
 * none fails there. vitest only sees that it all can be imported.
 */
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { describe, expect, expectTypeOf, it } from 'vitest'
import type * as publicNames from '../../src/index.js'
import {
  AuthenticationError,
  BrokerResponseError,
  DeliveryError,
  IntegerEncoder,
  JsonEncoder,
  LongEncoder,
  Producer,
  ProducerConfig,
  QueueFullError,
  StringEncoder,
  TlsError,
  TransactionalProducer,
  TransactionalProducerConfig,
  withHeaders,
  type BrokerAddress,
  type CloseOptions,
  type Codec,
  type ConnectOptions,
  type DeliveryReport,
  type Encoder,
  type FailedToSendMessageError,
  type FlushOptions,
  type GroupMetadata,
  type GroupOffset,
  type JsonInput,
  type KafkaProducerError,
  type KafkaProducerErrorCode,
  type KafkaProducerErrorOptions,
  type HeaderPair,
  type KeyedMessage,
  type MessageHeaders,
  type OAuthToken,
  type OidcOptions,
  type Partitioner,
  type ProducerInterceptor,
  type ProducerOptions,
  type ProducerStats,
  type RawData,
  type RecordMetadata,
  type SaslAuthenticator,
  type SaslOptions,
  type SendOptions,
  type SendTrace,
  type TransactionalProducerOptions,
  type WritableOptions,
} from '../../src/index.js'
import type { KafkaProducerInstrumentation, KafkaProducerInstrumentationConfig } from '../../src/opentelemetry/index.js'
import type { ProducerMetricsOptions } from '../../src/prometheus/index.js'
import type { EmbeddedKafkaError } from '../../src/testing/index.js'

const BROKERS = 'localhost:9092'

interface Order {
  readonly total: number
}

class OrderEncoder implements Encoder<Order> {
  encode(order: Order): string {
    return String(order.total)
  }
}

/** One message, or some: who has that may not know which. */
type Given = KeyedMessage | KeyedMessage[]

type Exported = typeof publicNames
/** What must be there, and all that may, written as undefined. */
type MayBeUndefined<O> = {
  [Name in keyof O]: Record<never, never> extends Pick<O, Name> ? O[Name] | undefined : O[Name]
}
/** Whatever error is exported. */
type AnyError = {
  [Name in keyof Exported]: Exported[Name] extends abstract new (...args: never) => infer E
    ? Extract<E, KafkaProducerError>
    : never
}[keyof Exported]

/** Adds to a message of whatever kind. */
class Stamping implements ProducerInterceptor {
  onSend<K, V>(message: KeyedMessage<K, V>): KeyedMessage<K, V> {
    return withHeaders(message, { stamp: '1' })
  }
}

/** Type checks alone: nothing in `check` is run. */
function neverRun(check: () => unknown): void {
  expect(check).toBeTypeOf('function')
}

describe('the types of keys and values', () => {
  it('are those of the encoders', () => {
    const producer = new Producer({ brokers: BROKERS, keyEncoder: new LongEncoder(), encoder: new OrderEncoder() })
    expectTypeOf(producer).toEqualTypeOf<Producer<bigint | number, Order, 'sync'>>()
    neverRun(() => [
      producer.send({ topic: 'orders', key: 17n, value: { total: 42 } }),
      // @ts-expect-error The value is no order.
      producer.send({ topic: 'orders', key: 17n, value: 'text' }),
      // @ts-expect-error The key is no number.
      producer.send({ topic: 'orders', key: 'o-17', value: { total: 42 } }),
      // @ts-expect-error Nor is the partition key.
      producer.send({ topic: 'orders', partitionKey: 'o-17', value: { total: 42 } }),
      producer.send([
        { topic: 'orders', value: { total: 42 } },
        // @ts-expect-error One of several is wrong.
        { topic: 'orders', value: 1 },
      ]),
    ])
  })

  it('are bytes and strings where no encoder is given, and what JSON has where that is the encoder', () => {
    expectTypeOf(new Producer({ brokers: BROKERS })).toEqualTypeOf<Producer<RawData, RawData, 'sync'>>()
    const json = new Producer({ brokers: BROKERS, encoder: new JsonEncoder() })
    expectTypeOf(json).toEqualTypeOf<Producer<JsonInput, JsonInput, 'sync'>>()
    const plain = new Producer({ brokers: BROKERS })
    neverRun((order = { total: 42 } as Order) => [
      plain.send({ topic: 'orders', key: Buffer.of(1), value: new DataView(new ArrayBuffer(1)) }),
      // @ts-expect-error Nothing makes bytes of it.
      plain.send({ topic: 'orders', value: order }),
      // @ts-expect-error Nor of this key.
      plain.send({ topic: 'orders', key: 7, value: 'text' }),
      json.send({ topic: 'orders', key: 7, value: order }),
      // @ts-expect-error JSON has no text for it.
      json.send({ topic: 'orders', value: 7n }),
    ])
  })

  it('need their encoders', () => {
    neverRun(() => [
      // @ts-expect-error Nothing makes bytes of an order.
      new Producer<string, Order>({ brokers: BROKERS }),
      // @ts-expect-error Keys are encoded like values, and they are no orders.
      new Producer<string, Order>({ brokers: BROKERS, encoder: new OrderEncoder() }),
      // @ts-expect-error Nothing makes bytes of such keys.
      new Producer<number, string>({ brokers: BROKERS }),
      new Producer<string, Order>({ brokers: BROKERS, encoder: new OrderEncoder(), keyEncoder: new StringEncoder() }),
      new Producer<string, Order>({ brokers: BROKERS, encoder: new JsonEncoder(), keyEncoder: new StringEncoder() }),
      new Producer<Buffer, string>({ brokers: BROKERS }),
      // Keys of the same kind need none of their own.
      new Producer<number, number>({ brokers: BROKERS, encoder: new IntegerEncoder() }),
      new Producer({ brokers: BROKERS, encoder: new JsonEncoder<Order>() }),
    ])
    const orders = new Producer({ brokers: BROKERS, encoder: new JsonEncoder<Order>() })
    expectTypeOf(orders).toEqualTypeOf<Producer<Order, Order, 'sync'>>()
  })

  it('need them in transactions, too', () => {
    const options = { brokers: BROKERS, transactionalId: 'tx' }
    neverRun(() => [
      // @ts-expect-error Nothing makes bytes of an order.
      new TransactionalProducer<string, Order>(options),
      // @ts-expect-error Keys are encoded like values, and they are no orders.
      new TransactionalProducer<string, Order>({ ...options, encoder: new OrderEncoder() }),
      new TransactionalProducer<string, Order>({
        ...options,
        encoder: new OrderEncoder(),
        keyEncoder: new StringEncoder(),
      }),
      new TransactionalProducer(options).transaction(async (tx) => {
        await tx.send({ topic: 'orders', key: Buffer.alloc(1), value: 'text' })
        // @ts-expect-error Nothing makes bytes of it.
        await tx.send({ topic: 'orders', value: 5 })
      }),
    ])
    const orders = new TransactionalProducer({ ...options, encoder: new JsonEncoder<Order>() })
    expectTypeOf(orders).toEqualTypeOf<TransactionalProducer<Order, Order>>()
    const config = new TransactionalProducerConfig<string, Order>({ ...options, encoder: new OrderEncoder() })
    expectTypeOf(new TransactionalProducer(config)).toEqualTypeOf<TransactionalProducer<string, Order>>()
  })

  it('can be null: a tombstone, and no key', () => {
    const producer = new Producer({ brokers: BROKERS, encoder: new OrderEncoder(), keyEncoder: new LongEncoder() })
    neverRun(() => producer.send({ topic: 'orders', key: null, value: null }))
  })

  it('are any where a Producer is wanted, and in what it is given to', () => {
    const orders = new Producer<string, Order>({
      brokers: BROKERS,
      encoder: new JsonEncoder(),
      keyEncoder: new StringEncoder(),
    })
    const wanted: Producer = orders
    const plain: Producer = new Producer({ brokers: BROKERS })
    const queued: Producer<unknown, unknown, 'async'> = new Producer({ brokers: BROKERS, type: 'async' })
    // @ts-expect-error Its promise is no acknowledgement.
    const acknowledged: Producer = queued
    expect([wanted, plain, acknowledged]).toHaveLength(3)
  })

  it('have no null of an encoder that takes it: what was made without types goes where they are said', () => {
    const encoders = { encoder: new JsonEncoder<Order>(), keyEncoder: new StringEncoder() }
    const sync: Producer<string, Order> = new Producer({ brokers: BROKERS, ...encoders })
    const async: Producer<string, Order, 'async'> = new Producer({ brokers: BROKERS, type: 'async', ...encoders })
    const configured: Producer<string, Order> = new Producer(new ProducerConfig({ brokers: BROKERS, ...encoders }))
    const transactional: TransactionalProducer<string, Order> = new TransactionalProducer({
      brokers: BROKERS,
      transactionalId: 'tx',
      ...encoders,
    })
    const nullable: Producer<string | null, Order> = new Producer<string | null, Order>({
      brokers: BROKERS,
      ...encoders,
    })
    neverRun(() => sync.send({ topic: 'orders', key: null, value: null }))
    expect([sync, async, configured, transactional, nullable]).toHaveLength(5)
  })

  it('are kept by a class that extends it', () => {
    class Orders extends Producer<string, Order, 'sync'> {
      constructor() {
        super({ brokers: BROKERS, encoder: new JsonEncoder(), keyEncoder: new StringEncoder() })
      }
    }
    neverRun((orders = new Orders()) => [
      orders.send({ topic: 'orders', key: 'o-17', value: { total: 42 } }),
      // @ts-expect-error Not an order.
      orders.send({ topic: 'orders', key: 'o-17', value: 'text' }),
    ])
    neverRun((): Producer => new Orders())
  })

  it('can be said instead of found out', () => {
    const producer = new Producer<string, Order>({
      brokers: BROKERS,
      keyEncoder: new StringEncoder(),
      encoder: new JsonEncoder(),
    })
    neverRun(() => [
      producer.send({ topic: 'orders', key: 'o-17', value: { total: 42 } }),
      // @ts-expect-error Not an order.
      producer.send({ topic: 'orders', key: 'o-17', value: { sum: 42 } }),
    ])
  })

  it('pass through a config', () => {
    const config = new ProducerConfig({ brokers: BROKERS, encoder: new IntegerEncoder() })
    const producer = new Producer(config)
    neverRun(() => [
      producer.send({ topic: 'orders', value: 42 }),
      // @ts-expect-error The value is no number.
      producer.send({ topic: 'orders', value: 'text' }),
    ])
  })
})

describe('an encoder', () => {
  it('is told the topic, the headers and what it encodes', () => {
    const encoder: Encoder<Order> = {
      encode(order, { topic, headers, part }) {
        expectTypeOf(topic).toEqualTypeOf<string>()
        expectTypeOf(headers).toEqualTypeOf<MessageHeaders | undefined>()
        expectTypeOf(part).toEqualTypeOf<'key' | 'value' | 'partitionKey'>()
        return `${topic} ${part} ${order.total}`
      },
    }
    expect(encoder.encode({ total: 42 }, { topic: 'orders', headers: undefined, part: 'value' })).toBe(
      'orders value 42',
    )
  })
})

describe('the mode', () => {
  it('says what send() resolves with', () => {
    const sync = new Producer({ brokers: BROKERS })
    const async = new Producer({ brokers: BROKERS, type: 'async' })
    neverRun(async () => {
      expectTypeOf(await sync.send({ topic: 'orders', value: 'text' })).toEqualTypeOf<[RecordMetadata]>()
      expectTypeOf(await async.send({ topic: 'orders', value: 'text' })).toEqualTypeOf<void>()
      expectTypeOf(await async.send([{ topic: 'orders', value: 'text' }])).toEqualTypeOf<void>()
    })
  })

  it('gives one metadata for one message, and as many as a list is known to have', () => {
    const producer = new Producer({ brokers: BROKERS })
    const message: KeyedMessage = { topic: 'orders', value: 'text' }
    neverRun(async (list: KeyedMessage[] = [], frozen: readonly KeyedMessage[] = [], given = message as Given) => {
      const [metadata] = await producer.send(message)
      expectTypeOf(metadata).toEqualTypeOf<RecordMetadata>()
      const [withOptions] = await producer.send(message, { signal: AbortSignal.timeout(1) })
      expectTypeOf(withOptions).toEqualTypeOf<RecordMetadata>()
      const [first, second] = await producer.send([message, { topic: 'orders', value: 'text' }])
      expectTypeOf(first).toEqualTypeOf<RecordMetadata>()
      expectTypeOf(second).toEqualTypeOf<RecordMetadata>()
      expectTypeOf(await producer.send(list)).toEqualTypeOf<RecordMetadata[]>()
      expectTypeOf(await producer.send(frozen)).toEqualTypeOf<RecordMetadata[]>()
      expectTypeOf(await producer.send([message, ...list])).toEqualTypeOf<[RecordMetadata, ...RecordMetadata[]]>()
      expectTypeOf(await producer.send(list.map(({ topic }) => ({ topic, value: 'x' })))).toEqualTypeOf<
        RecordMetadata[]
      >()
      expectTypeOf(await producer.send(given)).toExtend<RecordMetadata[]>()
      // @ts-expect-error A list has no third.
      void (await producer.send([message, message]))[2]
    })
  })

  it('need not be said twice beside types of keys and values', () => {
    const async = new Producer<Buffer, string>({ brokers: BROKERS, type: 'async' })
    expectTypeOf(async).toEqualTypeOf<Producer<Buffer, string, 'async'>>()
    const both = { encoder: new JsonEncoder(), keyEncoder: new StringEncoder() }
    const orders = new Producer<string, Order>({ brokers: BROKERS, type: 'async', ...both })
    expectTypeOf(orders).toEqualTypeOf<Producer<string, Order, 'async'>>()
  })

  it('is sync in options that do not say it', () => {
    const make = (options: ProducerOptions) => new Producer(options)
    neverRun(async () => {
      expectTypeOf(await make({ brokers: BROKERS }).send([])).not.toEqualTypeOf<void>()
      // @ts-expect-error It is said in the types, too.
      make({ brokers: BROKERS, type: 'async' })
      const mode = process.env['MODE'] === 'async' ? 'async' : 'sync'
      expectTypeOf(new Producer({ brokers: BROKERS, type: mode })).toEqualTypeOf<
        Producer<RawData, RawData, 'sync' | 'async'>
      >()
    })
  })

  it('gives delivery reports that have metadata or an error', () => {
    const options: ProducerOptions<unknown, Order, 'async'> = {
      brokers: BROKERS,
      type: 'async',
      encoder: new OrderEncoder(),
      onDelivery: (report) => {
        expectTypeOf(report).toEqualTypeOf<DeliveryReport<unknown, Order>>()
        expectTypeOf(report.message.value).toEqualTypeOf<Order | null>()
        if (report.error === undefined) expectTypeOf(report.metadata).toEqualTypeOf<RecordMetadata>()
        else expectTypeOf(report.error).toEqualTypeOf<DeliveryError>()
      },
    }
    expect(options.type).toBe('async')
  })
})

describe('a message', () => {
  it('has a topic and a value, and nothing that is not known', () => {
    expectTypeOf<{ topic: string; value: string }>().toExtend<KeyedMessage>()
    expectTypeOf<{
      topic: string
      value: null
      headers: { a: string; b: (Buffer | string)[] }
    }>().toExtend<KeyedMessage>()
    expectTypeOf<{
      topic: string
      value: string
      headers: [string, Uint8Array][]
      timestamp: Date
    }>().toExtend<KeyedMessage>()
    expectTypeOf<{
      topic: string
      value: string
      key: null
      partition: null
      headers: Map<string, string | Buffer[]> | Headers | URLSearchParams | null
      timestamp: bigint | null
    }>().toExtend<KeyedMessage>()
    const producer = new Producer({ brokers: BROKERS })
    neverRun(() => [
      // @ts-expect-error No topic.
      producer.send({ value: 'text' }),
      // @ts-expect-error No value; null is a tombstone.
      producer.send({ topic: 'orders' }),
      // @ts-expect-error No such thing.
      producer.send({ topic: 'orders', value: 'text', valeu: 'text' }),
      // @ts-expect-error Partitions are numbers.
      producer.send({ topic: 'orders', value: 'text', partition: '3' }),
      // @ts-expect-error Headers are bytes, strings or null.
      producer.send({ topic: 'orders', value: 'text', headers: { attempt: 3 } }),
    ])
  })

  it('may be given more headers, whether or not it has any', () => {
    const producer = new Producer({ brokers: BROKERS })
    const plain = { topic: 'orders', value: 'text' }
    neverRun((headers = undefined as MessageHeaders | undefined) => [
      producer.send(withHeaders({ topic: 'orders', value: 'text' }, { a: 'b' })),
      producer.send(withHeaders(plain, { a: 'b' })),
      producer.send(withHeaders({ ...plain, headers }, { a: 'b' })),
      producer.send(withHeaders({ ...plain, headers: { c: 'd' } }, { a: 'b' })),
      // @ts-expect-error No message.
      withHeaders('text', { a: 'b' }),
      // @ts-expect-error Headers are bytes, strings or null.
      withHeaders({ ...plain, headers: { attempt: 3 } }, { a: 'b' }),
    ])
  })

  it('may be frozen, and given in a list that is', () => {
    const producer = new Producer({ brokers: BROKERS })
    neverRun(() => producer.send(Object.freeze([Object.freeze({ topic: 'orders', value: 'text' })] as const)))
  })
})

describe('sendAll()', () => {
  it('takes values alone, and messages without a topic, where one is given', () => {
    const plain = new Producer({ brokers: BROKERS })
    const orders = new Producer({ brokers: BROKERS, encoder: new OrderEncoder() })
    neverRun((order = { total: 42 } as Order) => [
      plain.sendAll(['text', Buffer.of(1), { value: 'text' }, { topic: 'others', value: null }], { topic: 'lines' }),
      plain.sendAll([{ topic: 'lines', value: 'text' }]),
      orders.sendAll([{ value: order }], { topic: 'orders' }),
      // @ts-expect-error No topic.
      plain.sendAll(['text']),
      // @ts-expect-error None either.
      plain.sendAll([{ value: 'text' }]),
      // @ts-expect-error A text is no order.
      orders.sendAll(['text'], { topic: 'orders' }),
      // @ts-expect-error Nor is this.
      orders.sendAll([{ value: 'text' }], { topic: 'orders' }),
    ])
  })
})

describe('writable()', () => {
  it('takes messages, and can be piped into whatever its values are', () => {
    const plain = new Producer({ brokers: BROKERS })
    const orders = new Producer({ brokers: BROKERS, encoder: new OrderEncoder() })
    neverRun((order = { total: 42 } as Order, source = new Readable(), done = () => undefined) => [
      plain.writable({ topic: 'lines' }).write('text'),
      plain.writable({ topic: 'lines' }).write(Buffer.of(1), done),
      plain.writable().end({ topic: 'lines', value: null }, done),
      orders.writable({ topic: 'orders' }).write({ value: order }),
      orders.writable().write({ topic: 'orders', value: order }, 'utf8', done),
      orders.writable().end(done),
      // @ts-expect-error A text is no order.
      orders.writable().write({ topic: 'orders', value: 'text' }),
      // @ts-expect-error Nor is this a message.
      orders.writable().write(order),
      // @ts-expect-error Nor a number.
      plain.writable({ topic: 'lines' }).end(5),
      source.pipe(orders.writable()),
      pipeline(source, orders.writable()),
    ])
    expectTypeOf(orders.writable()).toExtend<Writable>()
    expectTypeOf(orders.writable()).toExtend<NodeJS.WritableStream>()
  })
})

describe('what comes out', () => {
  it('can only be read', () => {
    neverRun((metadata = {} as RecordMetadata, stats = {} as ProducerStats, error = {} as DeliveryError) => {
      // @ts-expect-error Read only.
      metadata.offset = 0n
      // @ts-expect-error Read only.
      metadata.partition = 0
      // @ts-expect-error Read only.
      stats.acknowledged = 0
      // @ts-expect-error Read only.
      error.mayHaveBeenWritten = false
    })
  })

  it('has an offset of 64 bits, and no other bigint', () => {
    expectTypeOf<RecordMetadata['offset']>().toEqualTypeOf<bigint>()
    expectTypeOf<RecordMetadata['timestamp']>().toEqualTypeOf<number>()
    expectTypeOf<ReturnType<RecordMetadata['toJSON']>['offset']>().toEqualTypeOf<string>()
    expectTypeOf<bigint>().not.toExtend<ProducerStats[keyof ProducerStats]>()
  })

  it('has codes that are known, so that a mistyped one is found', () => {
    neverRun((error = {} as KafkaProducerError, code = error.code) => [
      code === 'QUEUE_FULL',
      code === 'NOT_LEADER_OR_FOLLOWER',
      code === 'UNKNOWN_ERROR_CODE_999',
      // @ts-expect-error There is no such code.
      code === 'QUEUE_FUL',
      // @ts-expect-error A broker's errors have Kafka's names.
      new BrokerResponseError(6, 'NOT_LEADER', 'moved', true),
    ])
    expectTypeOf<DeliveryError['code']>().toEqualTypeOf<KafkaProducerErrorCode>()
    expectTypeOf<EmbeddedKafkaError['code']>().toExtend<KafkaProducerErrorCode>()
  })

  it('has a code in each class of errors, its own where it has but one', () => {
    expectTypeOf<AnyError['code']>().toExtend<KafkaProducerErrorCode>()
    expectTypeOf<string>().not.toExtend<AnyError['code']>()
    expectTypeOf<QueueFullError['code']>().toEqualTypeOf<'QUEUE_FULL'>()
    expectTypeOf<FailedToSendMessageError['code']>().toEqualTypeOf<'FAILED_TO_SEND'>()
    neverRun((error = {} as KafkaProducerError) => {
      // @ts-expect-error No room has one code.
      if (error instanceof QueueFullError) return error.code === 'ABORTED'
      // What is alike but for its code is not taken for the same class.
      if (error instanceof TlsError) expectTypeOf(error).toEqualTypeOf<TlsError>()
      else if (error instanceof AuthenticationError) expectTypeOf(error).toEqualTypeOf<AuthenticationError>()
      else expectTypeOf(error).toEqualTypeOf<KafkaProducerError>()
      return error
    })
  })

  it('tells of each message that failed', () => {
    neverRun((error = {} as FailedToSendMessageError<RecordMetadata>) => {
      for (const result of error.results) {
        if (result instanceof DeliveryError) expectTypeOf(result.mayHaveBeenWritten).toEqualTypeOf<boolean>()
        else expectTypeOf(result).toEqualTypeOf<RecordMetadata>()
      }
      // @ts-expect-error Read only.
      error.results = []
    })
  })
})

describe('the options', () => {
  it('are checked where they are written', () => {
    neverRun(() => [
      // @ts-expect-error Brokers are required.
      new Producer({}),
      // @ts-expect-error There is no such option.
      new Producer({ brokers: BROKERS, borkers: BROKERS }),
      // @ts-expect-error acks 2 does not exist.
      new Producer({ brokers: BROKERS, acks: 2 }),
      // @ts-expect-error Nor does this partitioner.
      new Producer({ brokers: BROKERS, partitioner: 'murmur3' }),
      // @ts-expect-error An encoder has a method.
      new Producer({ brokers: BROKERS, encoder: (value: string) => value }),
    ])
  })

  it('have what a mechanism of SASL needs, and no more', () => {
    const alice = { username: 'alice', password: async () => 's3cret' }
    const authenticator: SaslAuthenticator = { begin: () => ({ next: () => undefined }) }
    const token = 'eyJ'
    const sasl = (options: SaslOptions) => new Producer({ brokers: BROKERS, sasl: options })
    neverRun(() => [
      sasl({ mechanism: 'plain', ...alice }),
      sasl({ mechanism: 'PLAIN', ...alice }),
      sasl({ mechanism: 'SCRAM-SHA-512', ...alice }),
      sasl({ mechanism: 'OAUTHBEARER', token }),
      sasl({ mechanism: 'GSSAPI', authenticator }),
      // @ts-expect-error No password.
      sasl({ mechanism: 'plain', username: 'alice' }),
      // @ts-expect-error No token.
      sasl({ mechanism: 'oauthbearer', ...alice }),
      // @ts-expect-error A token is of no use to it.
      sasl({ mechanism: 'PLAIN', ...alice, token }),
      // @ts-expect-error Nor is an authenticator.
      sasl({ mechanism: 'plain', ...alice, authenticator }),
      // @ts-expect-error It has no password.
      sasl({ mechanism: 'GSSAPI', authenticator, password: 's3cret' }),
      // @ts-expect-error No such mechanism without an authenticator.
      sasl({ mechanism: 'digest-md5', ...alice }),
    ])
  })

  it('may be what is not always there: undefined is not given', () => {
    neverRun(() => [
      new Producer({ brokers: BROKERS, clientId: process.env['CLIENT_ID'], ssl: undefined, sasl: undefined }),
      new Producer({ brokers: BROKERS, compression: { type: 'gzip', level: undefined, fallback: undefined } }),
      new Producer({ brokers: BROKERS, type: undefined, partitioner: { keyUse: undefined, partition: () => 0 } }),
      ProducerConfig.fromProperties('', { brokers: process.env['BROKERS'], lingerMs: undefined }),
    ])
    // `tsc` runs with exactOptionalPropertyTypes here, as some programs do: each property must say it.
    expectTypeOf<MayBeUndefined<KeyedMessage>>().toExtend<KeyedMessage>()
    expectTypeOf<MayBeUndefined<ProducerOptions>>().toExtend<ProducerOptions>()
    expectTypeOf<MayBeUndefined<TransactionalProducerOptions>>().toExtend<TransactionalProducerOptions>()
    expectTypeOf<MayBeUndefined<OidcOptions>>().toExtend<OidcOptions>()
    expectTypeOf<MayBeUndefined<OAuthToken>>().toExtend<OAuthToken>()
    expectTypeOf<MayBeUndefined<SendOptions>>().toExtend<SendOptions>()
    expectTypeOf<MayBeUndefined<FlushOptions>>().toExtend<FlushOptions>()
    expectTypeOf<MayBeUndefined<CloseOptions>>().toExtend<CloseOptions>()
    expectTypeOf<MayBeUndefined<ConnectOptions>>().toExtend<ConnectOptions>()
    expectTypeOf<MayBeUndefined<WritableOptions>>().toExtend<WritableOptions>()
    expectTypeOf<MayBeUndefined<GroupMetadata>>().toExtend<GroupMetadata>()
    expectTypeOf<MayBeUndefined<GroupOffset>>().toExtend<GroupOffset>()
    expectTypeOf<MayBeUndefined<KafkaProducerErrorOptions>>().toExtend<KafkaProducerErrorOptions>()
    expectTypeOf<MayBeUndefined<KafkaProducerInstrumentationConfig>>().toExtend<KafkaProducerInstrumentationConfig>()
    expectTypeOf<MayBeUndefined<ProducerMetricsOptions>>().toExtend<ProducerMetricsOptions>()
    expectTypeOf<MayBeUndefined<ProducerInterceptor>>().toExtend<ProducerInterceptor>()
    expectTypeOf<MayBeUndefined<Partitioner>>().toExtend<Partitioner>()
    expectTypeOf<MayBeUndefined<Codec>>().toExtend<Codec>()
  })

  it('in an instrumentation’s configuration is none: OpenTelemetry’s are enabled or not', () => {
    expectTypeOf<KafkaProducerInstrumentation['getConfig']>().toExtend<() => { readonly enabled?: boolean }>()
  })
})

describe('a transactional producer', () => {
  it('sends in transactions alone, and gives what their function gives', () => {
    const producer = new TransactionalProducer({
      brokers: BROKERS,
      transactionalId: 'tx',
      encoder: new OrderEncoder(),
    })
    neverRun(async () => {
      // @ts-expect-error It has no send() of its own.
      await producer.send({ topic: 'orders', value: { total: 42 } })
      const total = await producer.transaction(async (tx) => {
        const [metadata] = await tx.send({ topic: 'orders', value: { total: 42 } })
        expectTypeOf(metadata).toEqualTypeOf<RecordMetadata>()
        // @ts-expect-error The value is no order.
        await tx.send({ topic: 'orders', value: 'text' })
        // @ts-expect-error Its end is not the function's business.
        await tx.commit()
        return 42
      })
      expectTypeOf(total).toEqualTypeOf<number>()
      await using tx = await producer.begin()
      await tx.sendOffsets({ groupId: 'g' }, [{ topic: 'in', partition: 0, offset: 1n }])
      await tx.commit()
    })
  })

  it('takes no options that transactions settle', () => {
    neverRun(() => [
      // @ts-expect-error It needs a transactionalId.
      new TransactionalProducer({ brokers: BROKERS }),
      // @ts-expect-error A commit is what waits.
      new TransactionalProducer({ brokers: BROKERS, transactionalId: 'tx', type: 'async' }),
      // @ts-expect-error All in-sync replicas must have it.
      new TransactionalProducer({ brokers: BROKERS, transactionalId: 'tx', acks: 1 }),
      // @ts-expect-error Its own class has transactions.
      new Producer({ brokers: BROKERS, transactionalId: 'tx' }),
    ])
  })
})

describe('the payload of the channel of sends', () => {
  it('tells where leaders are, as far as they are known', () => {
    expectTypeOf<SendTrace['leaderOf']>().parameters.toEqualTypeOf<[topic: string, partition: number]>()
    expectTypeOf<SendTrace['leaderOf']>().returns.toEqualTypeOf<BrokerAddress | undefined>()
    expectTypeOf<BrokerAddress>().toEqualTypeOf<{ readonly host: string; readonly port: number }>()
  })
})

describe('interceptors', () => {
  it('see and give messages of the producer’s keys and values', () => {
    neverRun(() => [
      new Producer({
        brokers: BROKERS,
        interceptors: [
          {
            onSend: (message) => ({ ...message, topic: `${message.topic}-copy` }),
            onAcknowledgement(metadata, error, headers) {
              expectTypeOf(metadata).toEqualTypeOf<RecordMetadata | undefined>()
              expectTypeOf(error).toEqualTypeOf<KafkaProducerError | undefined>()
              expectTypeOf(headers).toEqualTypeOf<readonly HeaderPair[]>()
            },
          },
          { onSend() {} }, // eslint-disable-line @typescript-eslint/no-empty-function
          new Stamping(),
        ],
      }),
      new Producer<string, Order>({
        brokers: BROKERS,
        encoder: new OrderEncoder(),
        keyEncoder: new StringEncoder(),
        interceptors: [new Stamping(), { onSend: (message) => ({ ...message, value: { total: 1 } }) }],
      }),
      new Producer<string, Order>({
        brokers: BROKERS,
        encoder: new OrderEncoder(),
        keyEncoder: new StringEncoder(),
        // @ts-expect-error The value is no order.
        interceptors: [{ onSend: (message) => ({ ...message, value: 'text' }) }],
      }),
      // @ts-expect-error Nothing waits for it.
      new Producer({ brokers: BROKERS, interceptors: [{ onSend: async (message) => Promise.resolve(message) }] }),
      new TransactionalProducer({ brokers: BROKERS, transactionalId: 'tx', interceptors: [new Stamping()] }),
    ])
  })
})
