import { tracingChannel } from 'node:diagnostics_channel'
import { runInNewContext } from 'node:vm'
import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Codec, ProducerOptions } from '../../../src/index.js'
import { startKafka } from '../support/cluster.js'
import {
  errorOf,
  expectNothingHeld,
  requestsOf,
  startProducer,
  stored,
  turns,
  until,
  watched,
} from '../support/producers.js'

const own = (compress: (input: Uint8Array) => unknown): Pick<ProducerOptions, 'codecs'> => ({
  codecs: [{ name: 'gzip', id: 1, compress, decompress: (input) => gunzipSync(input) } as Codec],
})
const topics = { t: { partitions: 1 }, u: { partitions: 1 } }

it('a connection that is lost while a codec works costs no attempt: nothing was written, and it could be opened', async () => {
  const kafka = await startKafka({ topics })
  const done: (() => void)[] = []
  const slow = own((input) => new Promise((resolve) => done.push(() => resolve(gzipSync(input)))))
  const producer = startProducer(kafka, { topicCompression: { t: 'gzip' }, retries: 0, ...slow })
  await producer.send({ topic: 'u', value: 'known' })
  const value = 'x'.repeat(1_000)
  const sent = producer.send({ topic: 't', value })
  await until(() => done.length === 1, 'the codec is at it')
  kafka.dropConnections(1)
  await until(() => kafka.connections.length === 0, 'the connections are closed')
  await turns()
  done[0]?.()
  await until(() => done.length === 2, 'the codec is at it again')
  done[1]?.()
  await sent
  expect(stored(kafka, 't')).toEqual([value])
})

it.each([undefined, false])(
  'what close() does not wait for while a codec works on it is not written after it, idempotent: %s',
  async (idempotent) => {
    const kafka = await startKafka({ topics })
    const done: (() => void)[] = []
    const slow = own((input) => new Promise((resolve) => done.push(() => resolve(gzipSync(input)))))
    const producer = startProducer(kafka, { topicCompression: { t: 'gzip' }, idempotent, ...slow })
    await producer.send({ topic: 'u', value: 'known' })
    const first = errorOf(producer.send({ topic: 't', value: 'x'.repeat(1_000) }))
    await until(() => done.length === 1, 'the codec is at it')
    // To end so many takes several turns of the event loop.
    const others = producer
      .send(Array.from({ length: 20_000 }, () => ({ topic: 't', value: 'x' })))
      .catch(() => undefined)
    await until(() => producer.stats().queueMessages === 20_001, 'all have room')
    const closed = producer.close({ timeoutMs: 0 })
    expect(await first).toMatchObject({ code: 'PRODUCER_CLOSED', mayHaveBeenWritten: false })
    done[0]?.()
    expect((await closed).unsent).toHaveLength(20_001)
    await others
    expect(stored(kafka, 't')).toEqual([])
    expectNothingHeld(producer)
  },
)

describe('a codec that never settles', () => {
  it('stops no later request, of any topic', async () => {
    const kafka = await startKafka({ topics })
    const producer = startProducer(kafka, {
      topicCompression: { t: 'gzip' },
      requestTimeoutMs: 60_000,
      deliveryTimeoutMs: 120_000,
      ...own(() => new Promise(() => undefined)),
    })
    await producer.send({ topic: 'u', value: 'known' })
    const stuck = watched(producer.send({ topic: 't', value: 'x' }).catch(() => undefined))
    for (let i = 0; i < 10; i++) await producer.send({ topic: 'u', value: 'x' })
    expect(stuck.isSettled).toBe(false)
  })

  it('holds up nobody who would go with what it is at, however much that is', async () => {
    const kafka = await startKafka({ topics })
    const producer = startProducer(kafka, {
      topicCompression: { t: 'gzip' },
      requestTimeoutMs: 60_000,
      deliveryTimeoutMs: 120_000,
      ...own(() => new Promise(() => undefined)),
    })
    // The broker is known to be quick.
    for (let i = 0; i < 5; i++) await producer.send({ topic: 'u', value: 'known' })
    await producer.partitionsFor('t')
    const stuck = watched(producer.send({ topic: 't', value: 'ab'.repeat(50_000) }).catch(() => undefined))
    await turns()
    for (let i = 0; i < 5; i++) await producer.send({ topic: 'u', value: 'x' })
    expect(stuck.isSettled).toBe(false)
  })

  it('stops nobody else, however many of its batches there are', async () => {
    const kafka = await startKafka({ topics: { t: { partitions: 20 }, u: { partitions: 1 } } })
    const producer = startProducer(kafka, {
      topicCompression: { t: 'gzip' },
      requestTimeoutMs: 60_000,
      deliveryTimeoutMs: 120_000,
      maxInFlight: 2,
      ...own(() => new Promise(() => undefined)),
    })
    await producer.send({ topic: 'u', value: 'known' })
    await producer.partitionsFor('t')
    let settled = 0
    for (let partition = 0; partition < 20; partition++) {
      const one = { topic: 't', partition, value: 'x' }
      // Alone, and in one call with a message that needs no codec.
      void producer.send(partition % 2 === 0 ? one : [one, { topic: 'u', value: 'y' }]).then(() => settled++, () => settled++) // prettier-ignore
      await turns()
    }
    for (let i = 0; i < 5; i++) await producer.send({ topic: 'u', value: 'x' })
    expect(settled).toBe(0)
    expect(stored(kafka, 'u')).toEqual(['known', ...Array<string>(10).fill('y'), ...Array<string>(5).fill('x')])
  })

  it('has no more requests out than maxInFlight once it has settled', async () => {
    const kafka = await startKafka({ topics: { t: { partitions: 10 } } })
    const done: (() => void)[] = []
    const producer = startProducer(kafka, {
      compression: 'gzip',
      maxInFlight: 2,
      ...own((input) => new Promise((resolve) => done.push(() => resolve(gzipSync(input))))),
    })
    await producer.partitionsFor('t')
    let out = 0
    let most = 0
    const counting = {
      start: () => void (most = Math.max(most, ++out)),
      end: () => undefined,
      asyncStart: () => undefined,
      asyncEnd: () => void out--,
      error: () => undefined,
    }
    const requests = tracingChannel('kafka-producer:request')
    const sends: Promise<unknown>[] = []
    for (let partition = 0; partition < 10; partition++) {
      sends.push(producer.send({ topic: 't', partition, value: 'x'.repeat(100) }))
      await turns()
    }
    await until(() => done.length === 10, 'the codec is at each of them')
    requests.subscribe(counting)
    onTestFinished(() => void requests.unsubscribe(counting))
    for (const one of done) one()
    await Promise.all(sends)
    expect(most).toBe(2)
  })

  it.each([-1, 0])('is not waited for by close(), acks %i: nothing is held after it', async (acks) => {
    const kafka = await startKafka({ topics })
    let calls = 0
    const producer = startProducer(kafka, {
      acks: acks as 0,
      compression: 'gzip',
      requestTimeoutMs: 60_000,
      deliveryTimeoutMs: 120_000,
      ...own(() => new Promise(() => calls++)),
    })
    const stuck = errorOf(producer.send({ topic: 't', value: 'x'.repeat(1_000) }))
    await until(() => calls === 1, 'the codec is at it')
    await producer.close({ timeoutMs: 0 })
    expect(await stuck).toMatchObject({ code: 'PRODUCER_CLOSED' })
    expectNothingHeld(producer)
    expect(calls).toBe(1)
  })

  it('is given up in time: its messages go as they are, and those that travel with them as well', async () => {
    const kafka = await startKafka({ topics })
    const producer = startProducer(kafka, {
      topicCompression: { t: 'gzip' },
      requestTimeoutMs: 100,
      ...own(() => new Promise(() => undefined)),
    })
    await producer.send([
      { topic: 't', value: 'x' },
      { topic: 'u', value: 'x' },
    ])
    expect([stored(kafka, 't'), stored(kafka, 'u')]).toEqual([['x'], ['x']])
    expectNothingHeld(producer)
  })
})

describe('what a codec gives', () => {
  it.each<[string, (input: Uint8Array) => unknown]>([
    ['a thenable', (input) => ({ then: (done: (bytes: Uint8Array) => void) => done(gzipSync(input)) })],
    ['an ArrayBuffer', (input) => new Uint8Array(gzipSync(input)).buffer],
    ['bytes of another realm', (input) => (runInNewContext('(b) => new Uint8Array(b)') as (b: Buffer) => Uint8Array)(gzipSync(input))], // prettier-ignore
  ])('%s is taken, and batches stay within their bounds', async (_, compress) => {
    const kafka = await startKafka({ topics })
    const producer = startProducer(kafka, { batchBytes: 10_000, maxRequestBytes: 20_000, compression: 'gzip', ...own(compress) }) // prettier-ignore
    const message = { topic: 't', value: 'x'.repeat(600) }
    await producer.send(message)
    await producer.send(Array(3_000).fill(message) as (typeof message)[])
    expect(Math.max(...kafka.requests.map(({ sizeBytes }) => sizeBytes))).toBeLessThan(30_000)
    expect(new Set(kafka.records('t').map(({ codec }) => codec))).toEqual(new Set([1]))
  })

  it.each<[string, () => unknown]>([
    ['nothing', () => undefined],
    ['null', () => null],
    ['an empty array', () => new Uint8Array()],
    ['a string', () => 'x'],
    ['an object with a length', () => ({ length: NaN })],
    ['a promise of nothing', () => Promise.resolve()],
    ['a thenable that throws', () => ({ then() { throw new Error('no') } })], // prettier-ignore
    ['a thenable that can’t be read', () => ({ get then() { throw new Error('no') } })], // prettier-ignore
    ['detached bytes', () => { const b = new Uint8Array(9); structuredClone(b.buffer, { transfer: [b.buffer] }); return b }], // prettier-ignore
  ])('%s is no bytes: messages go as they are, in batches within their bounds', async (_, compress) => {
    const kafka = await startKafka({ topics })
    const producer = startProducer(kafka, { batchBytes: 10_000, maxRequestBytes: 20_000, compression: 'gzip', ...own(compress) }) // prettier-ignore
    const message = { topic: 't', value: 'x'.repeat(600) }
    await producer.send(message)
    await producer.send(Array(300).fill(message) as (typeof message)[])
    expect(Math.max(...requestsOf(kafka, 'Produce').map(({ sizeBytes }) => sizeBytes))).toBeLessThan(30_000)
    expect(new Set(kafka.records('t').map(({ codec }) => codec))).toEqual(new Set([0]))
    expectNothingHeld(producer)
  })
})

describe('what a codec is given is its own', () => {
  const transferred = (input: Uint8Array) => structuredClone(input, { transfer: [input.buffer as ArrayBuffer] })
  const MISUSES: [string, (input: Uint8Array) => unknown][] = [
    ['hands it to a worker', (input) => Promise.resolve(gzipSync(transferred(input)))],
    ['hands it to a worker that fails', async (input) => Promise.reject(new Error(String(transferred(input).length)))],
    ['writes to it, and fails', (input) => { input.fill(0); throw new Error('no') }], // prettier-ignore
    ['writes to it later', (input) => { const bytes = gzipSync(input); input.fill(0); return bytes }], // prettier-ignore
  ]

  it.each(MISUSES)('one that %s: messages arrive, those that go once more, too', async (_, compress) => {
    const kafka = await startKafka({ topics })
    const producer = startProducer(kafka, { topicCompression: { t: 'gzip' }, ...own(compress) })
    kafka.fail({ api: 'Produce', topic: 't' }, 'NOT_LEADER_OR_FOLLOWER')
    const values = ['small', 'x'.repeat(600), 'y'.repeat(9_000)]
    for (const value of values) await Promise.all(['t', 'u'].map((topic) => producer.send({ topic, value })))
    expect([stored(kafka, 't'), stored(kafka, 'u')]).toEqual([values, values])
    expectNothingHeld(producer)
  })
})
