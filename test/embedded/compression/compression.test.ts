import { randomBytes } from 'node:crypto'
import * as zlib from 'node:zlib'
import { gzipSync, gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { Producer, ProducerConfig, type Codec, type ProducerOptions, type RecordMetadata } from '../../../src/index.js'
import { EmbeddedKafka } from '../../../src/testing/index.js'

const CODECS = { gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const
/** The embedded broker reads zstd with Node's own. */
const zstdIsHere = 'zstdDecompressSync' in zlib

const json = (i: number) =>
  JSON.stringify({
    id: i,
    name: `user ${i % 50}`,
    city: 'Heidelberg',
    tags: ['alpha', 'beta', 'gamma'],
    ok: i % 2 === 0,
  })
const messages = (count: number, topic = 'logs') =>
  Array.from({ length: count }, (_, i) => ({ topic, key: `k${i % 3}`, value: json(i), partition: 0 }))

async function sendThrough(
  kafka: EmbeddedKafka,
  options: Partial<ProducerOptions>,
  count = 500,
  topic = 'logs',
): Promise<RecordMetadata[]> {
  await using producer = new Producer({ ...options, type: 'sync', brokers: kafka.bootstrap })
  return await producer.send(messages(count, topic))
}

/** The codec of each stored record. */
const codecsOf = (kafka: EmbeddedKafka, topic = 'logs') =>
  new Set(kafka.records(topic).map(({ codec }) => ['none', ...Object.keys(CODECS)][codec]))

describe.each(Object.keys(CODECS) as (keyof typeof CODECS)[])('%s', (name) => {
  describe.each([
    ['0.8.2', 0],
    ['0.10.2', 1],
    ['4', 2],
  ])('on Kafka %s, format %d', (release, magic) => {
    const runs = name !== 'zstd' || (magic === 2 && zstdIsHere)
    test.runIf(runs)('arrives byte for byte, in order, compressed', async () => {
      await using kafka = await EmbeddedKafka.start({ release, topics: { logs: { partitions: 1 } } })
      const results = await sendThrough(kafka, { compression: name })
      const records = kafka.records('logs')
      expect(records.map(({ value }) => String(value))).toEqual(messages(500).map(({ value }) => value))
      expect(records.map(({ key }) => String(key))).toEqual(messages(500).map(({ key }) => key))
      expect(results.map(({ offset }) => offset)).toEqual(records.map(({ offset }) => offset))
      const [request] = kafka.requests.filter(({ api }) => api === 'Produce')
      expect(request?.sizeBytes).toBeLessThan(records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0) / 2)
      // Kafka 0.8 stores format 0 as the topic is configured, and so does the embedded one.
      if (magic > 0) expect(codecsOf(kafka)).toEqual(new Set([name]))
    })
  })
})

describe('which topics', () => {
  const topics = { logs: { partitions: 1 }, other: { partitions: 1 }, third: { partitions: 1 } }

  test('as it was said when the producer was made, whatever becomes of that', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: {}, other: {} } })
    const [compression, other] = [
      { type: 'gzip', level: 1 },
      { type: 'gzip', level: 1 },
    ]
    const options = { compression, topicCompression: { other } }
    await using producer = new Producer({ brokers: kafka.bootstrap, ...options })
    compression.level = other.level = 99
    for (const topic of ['logs', 'other']) {
      await producer.send({ topic, value: 'x'.repeat(500) })
      expect(kafka.records(topic).map(({ codec }) => codec)).toEqual([1])
    }
  })

  test('only those of compressedTopics, where it is not empty', async () => {
    await using kafka = await EmbeddedKafka.start({ topics })
    await sendThrough(kafka, { compression: 'gzip', compressedTopics: ['other'] })
    await sendThrough(kafka, { compression: 'gzip', compressedTopics: ['other'] }, 500, 'other')
    expect(codecsOf(kafka)).toEqual(new Set(['none']))
    expect(codecsOf(kafka, 'other')).toEqual(new Set(['gzip']))
  })

  test('a topic’s own codec goes before that', async () => {
    await using kafka = await EmbeddedKafka.start({ topics })
    const options = { compression: 'gzip', topicCompression: { logs: 'none', other: { type: 'snappy' } } }
    for (const topic of Object.keys(topics)) await sendThrough(kafka, options, 500, topic)
    expect(['logs', 'other', 'third'].map((topic) => [...codecsOf(kafka, topic)])).toEqual([
      ['none'],
      ['snappy'],
      ['gzip'],
    ])
  })

  test('one request holds compressed and plain batches', async () => {
    await using kafka = await EmbeddedKafka.start({ topics })
    await using producer = new Producer({ brokers: kafka.bootstrap, topicCompression: { other: 'gzip' } })
    await producer.send([...messages(200), ...messages(200, 'other')])
    expect([...codecsOf(kafka), ...codecsOf(kafka, 'other')]).toEqual(['none', 'gzip'])
    expect(kafka.requests.filter(({ api }) => api === 'Produce')).toHaveLength(1)
  })
})

test('what does not become smaller is sent as it is', async () => {
  await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
  await using producer = new Producer({ brokers: kafka.bootstrap, compression: 'gzip' })
  await producer.send({ topic: 'logs', value: 'x' })
  expect(codecsOf(kafka)).toEqual(new Set(['none']))
})

test('a codec that gains nothing on a topic is tried now and then, until it gains; other topics have their own', async () => {
  await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 }, images: { partitions: 1 } } })
  let calls = 0
  const counting: Codec = {
    name: 'gzip',
    id: 1,
    compress: (input) => (calls++, gzipSync(input)),
    decompress: (input) => gunzipSync(input),
  }
  await using producer = new Producer({ brokers: kafka.bootstrap, compression: 'gzip', codecs: [counting] })
  const callsIn = async (rounds: number, topic: string, value: () => Buffer) => {
    calls = 0
    for (let i = 0; i < rounds; i++) await producer.send({ topic, value: value() })
    return calls
  }
  const random = () => randomBytes(1_000)
  const even = () => Buffer.alloc(1_000, 'x')
  // The first, and those behind pauses of 1, 3, 7, 15 and 31 batches.
  expect(await callsIn(64, 'images', random)).toBe(6)
  expect(codecsOf(kafka, 'images')).toEqual(new Set(['none']))
  expect(await callsIn(10, 'logs', even)).toBe(10)
  // One of the next 31 finds that there is something to gain, and all that follow are compressed.
  expect(await callsIn(31, 'images', even)).toBeGreaterThan(0)
  expect(await callsIn(10, 'images', even)).toBe(10)
  const sizes = kafka.records('images').map(({ value }) => value?.length)
  expect(sizes).toEqual(Array(64 + 31 + 10).fill(1_000))
})

test('two producers of one configuration learn for themselves what a codec gains', async () => {
  await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
  const config = new ProducerConfig({ brokers: kafka.bootstrap, compression: 'gzip' })
  await using images = new Producer(config)
  for (let i = 0; i < 4; i++) await images.send({ topic: 'logs', value: randomBytes(4_000) })
  expect(codecsOf(kafka)).toEqual(new Set(['none']))
  await using texts = new Producer(config)
  await texts.send({ topic: 'logs', value: 'what is alike '.repeat(100) })
  expect(codecsOf(kafka)).toEqual(new Set(['none', 'gzip']))
})

test.runIf(zstdIsHere)(
  'zstd on a broker that does not take it fails clearly, or goes with the fallback that was named',
  async () => {
    await using kafka = await EmbeddedKafka.start({ release: '1.1', topics: { logs: { partitions: 1 } } })
    await expect(sendThrough(kafka, { compression: 'zstd' })).rejects.toMatchObject({
      results: expect.arrayContaining([
        expect.objectContaining({ code: 'UNSUPPORTED_VERSION', mayHaveBeenWritten: false, attempts: 0 }),
      ]),
    })
    await sendThrough(kafka, { compression: { type: 'zstd', fallback: 'gzip' } })
    expect(codecsOf(kafka)).toEqual(new Set(['gzip']))
    await sendThrough(kafka, { compression: { type: 'zstd', fallback: 'none' } })
    expect(codecsOf(kafka)).toEqual(new Set(['gzip', 'none']))
  },
)

test.each([
  [{ compression: 'brotli' }, /brotli.*gzip/],
  [{ compression: { type: 'gzip', level: 99 } }, /level/],
  [{ compression: { type: 'gzip', levle: 1 } }, /^compression: there is no field 'levle'; it has type, level and/],
  [{ compression: { type: 'gzip', level: '1' } }, /^compression.level: given was '1', allowed is a number$/],
  [
    { compression: { type: 'gzip', fallback: null } },
    /^compression.fallback: given was null, allowed is the name of a/,
  ],
  [{ compression: { level: 1 } }, /^compression.type: given was undefined, allowed is the name of a codec/],
  [
    { topicCompression: { logs: { type: 4 } } },
    /^topicCompression of 'logs'.type: given was 4, allowed is the name of/,
  ],
  [{ compression: { type: 'gzip', fallback: 'nothing' } }, /nothing/],
  [{ compressedTopics: 'logs' }, /compressedTopics/],
  [{ topicCompression: { logs: 'brotli' } }, /brotli/],
  [{ codecs: [{}] }, /codecs/],
])('%j is refused', (options, message) => {
  const make = () => new Producer({ brokers: 'x', ...options } as unknown as ProducerOptions)
  expect(make).toThrow(message)
  expect(make).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG' }))
})

describe('a codec of the user’s own', () => {
  const reversed: Codec = {
    name: 'gzip',
    id: 1,
    compress: async (input) => gzipSync(input),
    decompress: (input) => gunzipSync(input),
  }

  test('takes the place of a built-in one', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
    let calls = 0
    const counting: Codec = { ...reversed, compress: (input, options) => (calls++, reversed.compress(input, options)) }
    await sendThrough(kafka, { compression: 'gzip', codecs: [counting] })
    expect(calls).toBe(1)
    expect(kafka.records('logs')).toHaveLength(500)
  })

  test.each([
    [
      'throws',
      () => {
        throw new Error('codec')
      },
    ],
    ['rejects', () => Promise.reject(new Error('codec'))],
  ])('that %s costs no message', async (_, compress) => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
    await sendThrough(kafka, { compression: 'gzip', codecs: [{ ...reversed, compress }] })
    expect(kafka.records('logs')).toHaveLength(500)
    expect(codecsOf(kafka)).toEqual(new Set(['none']))
  })

  test('that is slow holds up later batches of the same partition, and order stays', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 4 } } })
    const gates: (() => void)[] = []
    const slow: Codec = {
      ...reversed,
      compress: (input) => new Promise((resolve) => gates.push(() => resolve(gzipSync(input)))),
    }
    await using producer = new Producer({ brokers: kafka.bootstrap, compression: 'gzip', codecs: [slow] })
    const sent: Promise<unknown>[] = []
    for (let round = 0; round < 3; round++) {
      for (let partition = 0; partition < 4; partition++)
        sent.push(producer.send({ topic: 'logs', partition, value: `${round}` }))
      await new Promise((resolve) => setImmediate(resolve))
    }
    const done = Promise.all(sent)
    let open = true
    void done.then(() => (open = false))
    while (open) {
      // The newest first, so that a later one is ready before an earlier one.
      gates.pop()?.()
      await new Promise((resolve) => setImmediate(resolve))
    }
    for (let partition = 0; partition < 4; partition++) {
      expect(
        kafka
          .records('logs')
          .filter((record) => record.partition === partition)
          .map(({ value }) => String(value)),
      ).toEqual(['0', '1', '2'])
    }
  })
})

test('batches grow as a topic is seen to compress well', async () => {
  await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
  await using producer = new Producer({ brokers: kafka.bootstrap, compression: 'gzip', batchBytes: 20_000 })
  const sizes: number[] = []
  for (let round = 0; round < 150; round++) {
    kafka.clearRequests()
    await producer.send(messages(400))
    sizes.push(kafka.requests.filter(({ api }) => api === 'Produce').length)
  }
  expect(sizes[0]).toBeGreaterThan(2)
  expect(sizes.at(-1)).toBeLessThan(sizes[0] as number)
})

test('a batch that the broker finds too large is split, and only what alone is too large fails', async () => {
  await using kafka = await EmbeddedKafka.start({ messageMaxBytes: 2_000, topics: { logs: { partitions: 1 } } })
  await using producer = new Producer({ brokers: kafka.bootstrap, compression: 'gzip' })
  const random = Buffer.from(Array.from({ length: 5_000 }, (_, i) => (i * 7919 + (i >> 3) * 104729) & 0xff))
  const list = messages(300).map((message, i) =>
    i === 150 ? { ...message, value: random.toString('base64') + Math.random() } : message,
  )
  const error: unknown = await producer.send(list).catch((e: unknown) => e)
  const { results } = error as { results: (RecordMetadata | Error)[] }
  expect(results.map((result, i) => (result instanceof Error ? i : -1)).filter((i) => i >= 0)).toEqual([150])
  expect(results[150]).toMatchObject({ code: 'MESSAGE_TOO_LARGE', mayHaveBeenWritten: false })
  const expected = list.filter((_, i) => i !== 150).map(({ value }) => value)
  expect(kafka.records('logs').map(({ value }) => String(value))).toEqual(expected)
  expect(producer.stats()).toMatchObject({ queueMessages: 0, queueBytes: 0 })
})
