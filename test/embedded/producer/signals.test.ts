import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { Producer, type KafkaProducerError, type SendOptions } from '../../../src/index.js'
import { startKafka } from '../support/cluster.js'
import { errorOf, expectNothingHeld, startProducer, stored } from '../support/producers.js'

const t = { topic: 't', value: 'x' }

/** Not Node's, and from a library or another realm, but it works. */
class Polyfill {
  aborted = false
  reason: unknown
  readonly listeners = new Set<() => void>()
  addEventListener(_: string, listener: () => void): void {
    this.listeners.add(listener)
  }
  removeEventListener(_: string, listener: () => void): void {
    this.listeners.delete(listener)
  }
  abort(): void {
    this.aborted = true
    for (const listener of this.listeners) listener()
  }
}

const WRONG: [string, unknown][] = [
  ['the controller', new AbortController()],
  ['an event target that is no signal', new EventTarget()],
  ['an object like one', { aborted: false }],
  ['one without a way to stop listening', { aborted: false, addEventListener: () => undefined }],
  ['one that throws when it is listened to', Object.assign(new Polyfill(), { addEventListener() { throw new Error('no') } })], // prettier-ignore
  ['one that can’t be read', { get aborted() { throw new Error('no') } }], // prettier-ignore
  ['a boolean', true],
  ['a number', 5],
  ['a string', 'signal'],
  ['a function', () => undefined],
]

describe.each(['sync', 'async'] as const)('%s: a signal that is none', (type) => {
  it.each(WRONG)('%s: is refused before anything is taken in', async (_, signal) => {
    const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
    const producer = new Producer({ brokers: kafka.bootstrap, type })
    for (const messages of [t, [t, t]]) {
      const error = await errorOf(producer.send(messages, { signal } as SendOptions))
      expect(error).toMatchObject({ code: 'INVALID_CONFIG' })
      expect(error.message).toMatch(/^signal: /)
    }
    // Neither waits for a call that nobody has.
    await producer.flush()
    expect(producer.stats()).toMatchObject({ queueMessages: 0, messages: 0 })
    await producer.close()
    expect(stored(kafka, 't')).toEqual([])
  })

  it.each([undefined, null])('%s: is the same as none', async (signal) => {
    const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
    await using producer = new Producer({ brokers: kafka.bootstrap, type })
    await producer.send(t, { signal } as unknown as SendOptions)
    await producer.flush()
    expect(stored(kafka, 't')).toEqual(['x'])
  })
})

// Node's pipeline asks less of a signal.
it.each(WRONG.slice(0, 4))('sendAll: %s: is refused', async (_, signal) => {
  const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
  const error = await errorOf(startProducer(kafka).sendAll([t], { signal } as SendOptions))
  expect(error).toMatchObject({ code: 'INVALID_CONFIG' })
  expect(stored(kafka, 't')).toEqual([])
})

it.each<[string, () => { signal: Polyfill; abort: () => void }]>([
  ['a polyfill’s', () => { const signal = new Polyfill(); return { signal, abort: () => signal.abort() } }], // prettier-ignore
  [
    'another realm’s',
    () => {
      const foreign = runInNewContext(`${Polyfill.toString()}; new Polyfill()`) as Polyfill
      return { signal: foreign, abort: () => foreign.abort() }
    },
  ],
])('%s signal takes messages out', async (_, make) => {
  const kafka = await startKafka({ autoCreateTopics: false })
  const producer = startProducer(kafka)
  const { signal, abort } = make()
  const sending = errorOf(producer.send(t, { signal: signal as unknown as AbortSignal }))
  abort()
  expect(await sending).toMatchObject({ cause: { code: 'ABORTED' } })
  expect(signal.listeners.size).toBe(0)
})

it('a signal that throws when it is no longer listened to harms nothing', async () => {
  const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
  const signal = Object.assign(new Polyfill(), {
    removeEventListener() {
      throw new Error('no')
    },
  })
  const producer = startProducer(kafka)
  await producer.send(t, { signal: signal as unknown as AbortSignal })
  expect(stored(kafka, 't')).toEqual(['x'])
  expectNothingHeld(producer)
})

it.each<[string, (signal: Polyfill) => void, string]>([
  ['whether it is aborted', (signal) => Object.defineProperty(signal, 'aborted', { get: () => fail() }), 'x'],
  [
    'why it was',
    (signal) => {
      signal.aborted = true
      Object.defineProperty(signal, 'reason', { get: () => fail() })
    },
    'ABORTED',
  ],
])('a signal that throws when it is asked %s harms nobody else’s message', async (_, spoil, fate) => {
  const kafka = await startKafka({ topics: { t: { partitions: 2 } } })
  const producer = startProducer(kafka)
  await producer.send({ ...t, partition: 0 })
  const signal = new Polyfill()
  const sending = producer.send({ ...t, partition: 0 }, { signal: signal as unknown as AbortSignal })
  // It says so without having told anybody: what is aborted is asked for when the batch goes.
  spoil(signal)
  const others = [0, 1].map((partition) => producer.send({ topic: 't', value: 'other', partition }))
  const ended = await sending.then(() => 'x', (error: KafkaProducerError) => error.code) // prettier-ignore
  await Promise.all(others)
  expect(ended).toBe(fate)
  expect(stored(kafka, 't').filter((value) => value === 'other')).toHaveLength(2)
  expectNothingHeld(producer)
})

function fail(): never {
  throw new Error('no')
}

it('a signal whose event was dispatched by somebody, though it is not aborted, takes out nothing that comes later', async () => {
  const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
  const producer = startProducer(kafka, { queueMessages: 2, enqueueTimeoutMs: -1 })
  const stall = kafka.stall({ api: 'Produce' })
  const { signal } = new AbortController()
  const sent = producer.send(t, { signal })
  await stall.hit()
  const other = producer.send({ topic: 't', value: 'other' })
  signal.dispatchEvent(new Event('abort'))
  // There is no room for it.
  const later = producer.send({ topic: 't', value: 'later' }, { signal })
  stall.release()
  await Promise.all([sent, other, later])
  expect(stored(kafka, 't')).toEqual(['x', 'other', 'later'])
})
