/*
 * What the public types promise. `tsc` is the judge of most of it, in `npm run typecheck`: an expected error that is
 * none fails there. vitest only sees that it all can be imported.
 */
import { describe, expect, expectTypeOf, it } from 'vitest'
import {
  BrokerResponseError,
  DeliveryError,
  IntegerEncoder,
  JsonEncoder,
  LongEncoder,
  Producer,
  ProducerConfig,
  StringEncoder,
  type DeliveryReport,
  type Encoder,
  type FailedToSendMessageError,
  type KafkaProducerError,
  type KafkaProducerErrorCode,
  type KeyedMessage,
  type ProducerOptions,
  type ProducerStats,
  type RecordMetadata,
} from '../../src/index.js'
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

/** Type checks alone: nothing in `check` is run. */
function neverRun(check: () => unknown): void {
  expect(check).toBeTypeOf('function')
}

describe('the types of keys and values', () => {
  it('are those of the encoders', () => {
    const producer = new Producer({ brokers: BROKERS, keyEncoder: new LongEncoder(), encoder: new OrderEncoder() })
    expectTypeOf(producer).toEqualTypeOf<Producer<bigint | number | null, Order, 'sync'>>()
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

  it('can be anything where no encoder is given, or one that takes anything', () => {
    expectTypeOf(new Producer({ brokers: BROKERS })).toEqualTypeOf<Producer<unknown, unknown, 'sync'>>()
    expectTypeOf(new Producer({ brokers: BROKERS, encoder: new JsonEncoder() })).toEqualTypeOf<
      Producer<unknown, unknown, 'sync'>
    >()
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

  it('gives delivery reports that have metadata or an error', () => {
    const options: ProducerOptions<unknown, Order, 'async'> = {
      brokers: BROKERS,
      type: 'async',
      encoder: new OrderEncoder(),
      onDelivery: (report) => {
        expectTypeOf(report).toEqualTypeOf<DeliveryReport<unknown, Order>>()
        expectTypeOf(report.message.value).toEqualTypeOf<Order>()
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

  it('may be frozen, and given in a list that is', () => {
    const producer = new Producer({ brokers: BROKERS })
    neverRun(() => producer.send(Object.freeze([Object.freeze({ topic: 'orders', value: 'text' })] as const)))
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

  it('may be what is not always there: undefined is not given', () => {
    neverRun(() => [
      new Producer({ brokers: BROKERS, clientId: process.env['CLIENT_ID'], ssl: undefined, sasl: undefined }),
      new Producer({ brokers: BROKERS, compression: { type: 'gzip', level: undefined, fallback: undefined } }),
    ])
  })
})
