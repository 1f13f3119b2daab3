import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  Murmur2Partitioner,
  Producer,
  type Partitioner,
  type ProducerOptions,
  type RecordMetadata,
} from '../../../src/index.js'
import { startKafka } from '../support/cluster.js'
import {
  deliveryErrorOf,
  errorOf,
  expectNothingHeld,
  startProducer,
  stored,
  turns,
  until,
} from '../support/producers.js'

const t = { topic: 't', value: 'x' }
const fail = (thrown: unknown = new Error('no')): never => {
  throw thrown as Error
}

/** Everything that a callback of the user's may do instead of returning nothing. */
const MISBEHAVIOUR: [string, () => unknown][] = [
  ['throws', () => fail()],
  ['throws null', () => fail(null)], // prettier-ignore
  ['rejects', () => Promise.reject(new Error('no'))],
  ['is asynchronous and throws', async () => { await Promise.resolve(); fail() }], // prettier-ignore
  ['gives a thenable that rejects', () => ({ then: (_: unknown, reject: (e: Error) => void) => reject(new Error('no')) })], // prettier-ignore
  ['gives a thenable that throws', () => ({ then: () => fail() })],
  ['gives an object that can’t be read', () => ({ get then() { return fail() } })], // prettier-ignore
]

const unhandled: unknown[] = []
const onUnhandled = (reason: unknown) => void unhandled.push(reason)
beforeEach(() => {
  unhandled.length = 0
  process.on('unhandledRejection', onUnhandled)
})
afterEach(async () => {
  await turns(2)
  process.off('unhandledRejection', onUnhandled)
  expect(unhandled).toEqual([])
})

const ends = (producer: Producer, count: number) =>
  until(() => producer.stats().throwingCallbacks === count, `${count} callbacks counted`)

describe.each(MISBEHAVIOUR)('a callback that %s', (_, misbehave) => {
  it('as onDelivery and as listeners: each report is told to all of them, the failures are counted', async () => {
    const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
    const told: unknown[] = []
    await using producer = new Producer({
      brokers: kafka.bootstrap,
      type: 'async',
      onDelivery: () => misbehave() as void,
    })
    producer.on('delivery', () => misbehave() as void)
    producer.once('delivery', () => misbehave() as void)
    producer.on('delivery', ({ metadata }) => void told.push(metadata?.offset))
    await producer.send([t, t])
    await producer.flush()
    await ends(producer as unknown as Producer, 5)
    expect(told).toEqual([0n, 1n])
  })

  it('as a partitioner’s onMetadataRefresh harms no message, and is counted', async () => {
    const kafka = await startKafka({ topics: { t: { partitions: 2 } } })
    const partitioner: Partitioner = { partition: () => 1, onMetadataRefresh: () => misbehave() as void }
    const producer = startProducer(kafka, { partitioner })
    await producer.send({ ...t, key: 'k' })
    await ends(producer, 1)
    expect(stored(kafka, 't', 1)).toEqual(['x'])
    expectNothingHeld(producer)
  })

  it('as an interceptor’s onAcknowledgement harms neither the message nor the next interceptor, and is counted', async () => {
    const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
    const told: unknown[] = []
    const interceptors = [
      { onAcknowledgement: () => misbehave() as void },
      { onAcknowledgement: (metadata: RecordMetadata | undefined) => void told.push(metadata?.offset) },
    ]
    const producer = startProducer(kafka, { interceptors })
    await producer.send([t, t])
    await ends(producer, 2)
    expect(told).toEqual([0n, 1n])
    expectNothingHeld(producer)
  })

  it('as the hook of a keyless placement', async () => {
    const kafka = await startKafka({ topics: { t: { partitions: 2 } } })
    const keyless = { partitionKeyless: () => 1, onMetadataRefresh: () => misbehave() as void }
    const producer = startProducer(kafka, { partitioner: new Murmur2Partitioner({ keyless }) })
    await producer.send(t)
    await ends(producer, 1)
    expect(stored(kafka, 't', 1)).toEqual(['x'])
  })
})

describe.each(['sync', 'async'] as const)('%s: an encoder that closes the producer', (type) => {
  it.each(MISBEHAVIOUR)('and %s: its call is refused, and nobody else hears of it', async (_, misbehave) => {
    const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
    for (const given of [t, [t, t]]) {
      const closing: Promise<unknown>[] = []
      const encode = () => {
        closing.push(producer.close())
        return misbehave() as string
      }
      const producer = new Producer({ brokers: kafka.bootstrap, type, encoder: { encode } })
      const error = await errorOf(producer.send(given))
      // Of a list in sync mode what a message fails with before the others are looked at.
      expect(['PRODUCER_CLOSED', 'SERIALIZATION_FAILED']).toContain(error.code)
      await Promise.all(closing)
    }
    expect(stored(kafka, 't')).toEqual([])
  })
})

it('onMetadataRefresh that throws while an answer tells the new leader: nothing is told twice, all arrives', async () => {
  const kafka = await startKafka({ brokers: 2, topics: { t: { partitions: 2, replicationFactor: 2 } } })
  for (const partition of [0, 1]) kafka.moveLeader('t', partition, 1)
  let bad = false
  const producer = startProducer(kafka, {
    partitioner: {
      partition: Number,
      onMetadataRefresh() {
        if (bad) fail()
      },
    } as Partitioner,
  })
  const both = ['0', '1'].map((key) => ({ ...t, key }))
  await producer.send(both)
  bad = true
  kafka.moveLeader('t', 1, 2)
  await producer.send(both)
  expect(producer.stats().throwingCallbacks).toBeGreaterThan(0)
  expect([stored(kafka, 't', 0), stored(kafka, 't', 1)]).toEqual([
    ['x', 'x'],
    ['x', 'x'],
  ])
  expectNothingHeld(producer)
})

describe('a partitioner that gives what is no partition fails its message alone', () => {
  const RESULTS: [string, () => unknown, RegExp][] = [
    ['a symbol', () => Symbol('s'), /a symbol/],
    ['an object', () => ({}), /an object/],
    ['an object without prototype', () => Object.create(null) as unknown, /an object/],
    ['an object that can’t be read', () => ({ get then() { return fail() } }), /an object/], // prettier-ignore
    ['undefined', () => undefined, /undefined/],
    ['a bigint', () => 0n, /the bigint 0/],
    ['text', () => '0', /a string/],
    ['NaN', () => NaN, /NaN/],
    ['a promise', () => Promise.resolve(0), /a promise/],
    ['a promise that rejects', () => Promise.reject(new Error('no')), /a promise/],
    ['a thenable that throws', () => ({ then: () => fail() }), /a promise/],
    ['nothing but an error', () => fail(), /threw .*: no/],
    ['nothing but null thrown', () => fail(null), /threw .*: null/], // prettier-ignore
    ['nothing but a symbol thrown', () => fail(Symbol('s')), /threw .*: Symbol/], // prettier-ignore
  ]
  it.each(RESULTS)('%s', async (_, result, words) => {
    const kafka = await startKafka({ topics: { t: { partitions: 2 } } })
    for (const partitioner of [
      { partition: (key: unknown) => (key === 'good' ? 1 : (result() as number)) },
      { partition: () => 1, partitionKeyless: () => result() as number },
    ]) {
      const producer = startProducer(kafka, { partitioner })
      const [bad, good] = 'partitionKeyless' in partitioner ? [t, { ...t, key: 'k' }] : [{ ...t, key: 'bad' }, { ...t, key: 'good' }] // prettier-ignore
      const failing = deliveryErrorOf(producer.send(bad))
      await producer.send(good)
      const error = await failing
      expect(error).toMatchObject({ code: 'INVALID_PARTITION', mayHaveBeenWritten: false })
      expect(error.message).toMatch(words)
      expectNothingHeld(producer)
    }
    expect(stored(kafka, 't')).toEqual(['x', 'x'])
  })

  it.each([
    { keyUse: 'orginal', partition: () => 0 },
    { partition: () => 0, partitionKeyless: 0 },
    { partition: () => 0, onMetadataRefresh: 'often' },
  ])('one with a part that is wrong is refused at once: %o', (partitioner) => {
    const options = { brokers: 'localhost', partitioner } as unknown as ProducerOptions
    expect(() => new Producer(options)).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG' }))
  })
})
