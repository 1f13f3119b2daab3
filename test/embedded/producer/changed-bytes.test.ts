import { gzipSync, gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { Codec, KeyedMessage } from '../../../src/index.js'
import { startKafka } from '../support/cluster.js'
import { deliveryErrorOf, expectNothingHeld, startProducer, stored } from '../support/producers.js'

/** Node has them, the types of its oldest release not yet. */
const ResizableArrayBuffer = ArrayBuffer as unknown as new (
  length: number,
  options: { maxByteLength: number },
) => ArrayBuffer & { resize(length: number): void }

const SIZE = 30_000
const CHANGES: [string, () => { bytes: Uint8Array; change: () => void }][] = [
  [
    'detached',
    () => {
      const bytes = new Uint8Array(SIZE)
      return { bytes, change: () => void structuredClone(bytes.buffer, { transfer: [bytes.buffer] }) }
    },
  ],
  ['shrunk', () => resized(10)],
  ['shrunk to nothing', () => resized(0)],
  ['grown', () => resized(2 * SIZE)],
]

function resized(size: number): { bytes: Uint8Array; change: () => void } {
  const buffer = new ResizableArrayBuffer(SIZE, { maxByteLength: 2 * SIZE })
  return { bytes: new Uint8Array(buffer), change: () => buffer.resize(size) }
}

const PLACES: [string, (bytes: Uint8Array) => object][] = [
  ['value', (value) => ({ value })],
  ['key', (key) => ({ key })],
  ['header', (h) => ({ headers: { h } })],
]

describe.each(['4', '0.10.2'])('bytes that changed while their message waited, Kafka %s', (release) => {
  const places = release === '4' ? PLACES : PLACES.slice(0, 2)
  const cases = CHANGES.flatMap(([how, make]) => places.map(([part, put]) => [how, part, make, put] as const))

  it.each(cases)('%s, in the %s: their message fails alone', async (_, __, make, put) => {
    const kafka = await startKafka({ release, topics: { t: { partitions: 1 }, u: { partitions: 1 } } })
    const producer = startProducer(kafka)
    const { bytes, change } = make()
    // Their topic is not known yet: they wait for its metadata.
    const failing = deliveryErrorOf(producer.send({ topic: 't', value: 'x', ...put(bytes) }))
    const others = ['t', 'u'].map((topic) => producer.send({ topic, value: 'other' }))
    change()
    expect(await failing).toMatchObject({ code: 'INVALID_MESSAGE', mayHaveBeenWritten: false })
    await Promise.all(others)
    expect([stored(kafka, 't'), stored(kafka, 'u')]).toEqual([['other'], ['other']])
    expectNothingHeld(producer)
  })

  it.each(cases)(
    '%s, in the %s, after they were written to their batch: they are stored as given',
    async (_, part, make, put) => {
      const kafka = await startKafka({ release, topics: { t: { partitions: 1 } } })
      const producer = startProducer(kafka)
      await producer.send({ topic: 't', value: 'known' })
      const { bytes, change } = make()
      bytes.fill(7)
      const sending = producer.send({ topic: 't', value: 'x', ...put(bytes) })
      change()
      await sending
      const record = kafka.records('t')[1]
      const is = part === 'header' ? record?.headers[0]?.value : record?.[part as 'key' | 'value']
      expect(is?.equals(Buffer.alloc(SIZE, 7))).toBe(true)
    },
  )

  it.each(cases)(
    '%s, in the %s, while a codec works: nothing of others is in their place',
    async (_, __, make, put) => {
      const kafka = await startKafka({ release, topics: { t: { partitions: 1 }, u: { partitions: 1 } } })
      const gates: (() => void)[] = []
      let started!: () => void
      const compressing = new Promise<void>((resolve) => (started = resolve))
      const slow: Codec = {
        name: 'gzip',
        id: 1,
        compress: (input) => {
          started()
          return new Promise((resolve) => gates.push(() => resolve(gzipSync(input))))
        },
        decompress: (input) => gunzipSync(input),
      }
      const producer = startProducer(kafka, { topicCompression: { u: 'gzip' }, codecs: [slow] })
      await producer.send({ topic: 't', value: 'SECRET '.repeat(10_000) })
      const { bytes, change } = make()
      const message = { topic: 't', value: 'x', ...put(bytes) } as KeyedMessage
      const sending = producer.send([message, { topic: 't', value: 'other' }, { topic: 'u', value: 'other' }])
      await compressing
      change()
      for (const open of gates) open()
      await sending
      const records = [...kafka.records('t').slice(1), ...kafka.records('u')]
      expect(records).toHaveLength(3)
      for (const { key, value, headers } of records)
        for (const part of [key, value, headers[0]?.value]) expect(String(part)).not.toContain('SECRET')
      expect(stored(kafka, 't').slice(2)).toEqual(['other'])
      expectNothingHeld(producer)
    },
  )
})

describe.each(['encoded', 'original'] as const)('the bytes of a partition key, which is read as %s', (keyUse) => {
  it.each(CHANGES)('%s while the message waited: it fails, and goes to no other partition', async (_, make) => {
    const kafka = await startKafka({ topics: { t: { partitions: 64 } } })
    const partition = (key: unknown, count: number) => (key as Uint8Array).length % count
    const producer = startProducer(kafka, { partitioner: { keyUse, partition } })
    const { bytes, change } = make()
    const sending = ['x', 'y'].map((value) =>
      producer.send({ topic: 't', value, partitionKey: bytes }).catch((e: unknown) => e),
    )
    const buffer = { topic: 't', value: 'z', partitionKey: bytes.buffer }
    sending.push(producer.send(buffer).catch((e: unknown) => e))
    change()
    const refused = { code: 'INVALID_MESSAGE', mayHaveBeenWritten: false }
    expect(await Promise.all(sending)).toMatchObject([refused, refused, refused])
    expect(stored(kafka, 't')).toEqual([])
    expectNothingHeld(producer)
  })

  it('that stay are as good as any', async () => {
    const kafka = await startKafka({ topics: { t: { partitions: 64 } } })
    const partition = (key: unknown) => (key as { byteLength: number }).byteLength
    const producer = startProducer(kafka, { partitioner: { keyUse, partition } })
    const [a] = await producer.send({ topic: 't', value: 'x', partitionKey: new Uint8Array(5) })
    const [b] = await producer.send({ topic: 't', value: 'x', partitionKey: new ArrayBuffer(6) })
    expect([a.partition, b.partition]).toEqual([5, 6])
  })
})

describe('bytes of a class whose length is its own', () => {
  function throwingAfter(times: number, bytes = new Uint8Array(10)): Uint8Array {
    let reads = 0
    const { get } = Reflect.getOwnPropertyDescriptor(
      Object.getPrototypeOf(Uint8Array.prototype) as object,
      'length',
    ) as {
      get: () => number
    }
    return Object.defineProperty(bytes, 'length', {
      get(this: Uint8Array) {
        if (reads++ >= times) throw new Error('not now')
        return get.call(this)
      },
    })
  }

  it.each([0, 1, 2, 3])(
    'that throws when it is read, after %i times: their message fails alone, by an error with a code',
    async (times) => {
      const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
      const producer = startProducer(kafka)
      await producer.partitionsFor('t')
      const failed = producer.send({ topic: 't', value: throwingAfter(times) }).catch((error: unknown) => error)
      await producer.send({ topic: 't', value: 'other' })
      expect(await failed).toMatchObject({ code: times === 0 ? 'SERIALIZATION_FAILED' : 'INVALID_MESSAGE' })
      expect(stored(kafka, 't')).toEqual(['other'])
      expectNothingHeld(producer)
    },
  )

  it.each([0, 1, 2, 3, 4])(
    'that throws when it is read, after %i times, while the message waits for metadata: none but their message fails',
    async (times) => {
      const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
      const producer = startProducer(kafka)
      // Of what is measured, the text, it is known only then how many bytes it comes to.
      const sent = producer.send({ topic: 't', key: 'é', value: throwingAfter(times) }).then(
        () => 'sent',
        (error: unknown) => error,
      )
      await producer.send({ topic: 't', value: 'other' })
      const code = times === 0 ? 'SERIALIZATION_FAILED' : 'INVALID_MESSAGE'
      expect(await sent).toEqual(times === 4 ? 'sent' : expect.objectContaining({ code }))
      expect(stored(kafka, 't').at(-1)).toBe('other')
      expectNothingHeld(producer)
    },
  )

  it.each([[[]], [[{ onAcknowledgement: () => undefined }]]])(
    'that throws when they are copied as those of a header: their message fails alone, with interceptors: %j',
    async (interceptors) => {
      const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
      const producer = startProducer(kafka, { copyBytes: true, interceptors })
      const headers = { h: throwingAfter(0, Buffer.alloc(10)) }
      await expect(producer.send({ topic: 't', value: 'x', headers })).rejects.toMatchObject({
        code: 'INVALID_MESSAGE',
      })
      await producer.send({ topic: 't', value: 'other' })
      expectNothingHeld(producer)
    },
  )
})
