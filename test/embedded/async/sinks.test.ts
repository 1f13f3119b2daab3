import { Readable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import {
  DefaultEncoder,
  FailedToSendMessageError,
  Producer,
  StringEncoder,
  type DeliveryReport,
  type KeyedMessage,
  type RawData,
  type WritableMessage,
} from '../../../src/index.js'
import { EmbeddedKafka } from '../../../src/testing/index.js'

const range = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ topic: 'logs', key: `${i % 5}`, value: `${i}` }))
const stored = (kafka: EmbeddedKafka) =>
  kafka
    .records('logs')
    .map(({ value }) => Number(value))
    .sort((a, b) => a - b)

describe.each(['sync', 'async'] as const)('%s mode', (type) => {
  test('a writable takes a pipeline, and finishes when all have arrived', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 3 } } })
    await using producer = new Producer({ brokers: kafka.bootstrap, type })
    await pipeline(Readable.from(range(5_000)), producer.writable())
    expect(stored(kafka)).toEqual(range(5_000).map((_, i) => i))
  })

  test('sendAll takes no more from the iterable than is on its way', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
    const fault = kafka.stall({ api: 'Produce' })
    await using producer = new Producer({
      brokers: kafka.bootstrap,
      type,
      queueMessages: 40,
      ...(type === 'async' ? { batchMessages: 1, enqueueTimeoutMs: -1 } : {}),
    })
    let taken = 0
    async function* source() {
      for (const message of range(500)) {
        taken++
        yield message
      }
    }
    const sent = producer.sendAll(source(), { inFlight: 20 })
    await kafka.waitForRequest((request) => request.api === 'Produce')
    expect(taken).toBeLessThan(120)
    fault.release()
    await sent
    expect(taken).toBe(500)
    expect(stored(kafka)).toHaveLength(500)
  })

  test('sendAll takes no more from the iterable than the queue has room for', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
    await using producer = new Producer({ brokers: kafka.bootstrap, type, queueBytes: 20_000, batchMessages: 1 })
    await producer.send({ topic: 'logs', value: '-1' })
    await producer.flush()
    const fault = kafka.stall({ api: 'Produce' })
    let taken = 0
    async function* source() {
      for (const { topic, value } of range(5_000)) {
        taken++
        yield { topic, value: value.padStart(1_000, '0') }
      }
    }
    const sent = producer.sendAll(source())
    await fault.hit()
    for (let before = -1; before < taken;) {
      before = taken
      await nextTurn()
    }
    // Those that the queue holds, one that waits for room, and what the stream reads ahead.
    const takenWhileFull = taken
    fault.release()
    await sent
    expect(takenWhileFull).toBeLessThan(50)
    expect(stored(kafka)).toHaveLength(5_001)
  })

  test('sendAll takes no more for a topic that has no metadata than may wait for that, whatever interceptors call it', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } }, autoCreateTopics: false })
    const interceptor = { onSend: (message: KeyedMessage) => ({ ...message, topic: 'missing' }) }
    for (const interceptors of [[], [interceptor]]) {
      await using producer = new Producer({
        brokers: kafka.bootstrap,
        type,
        queueMessages: 40,
        unknownTopicTimeoutMs: 60_000,
        lingerMs: 0,
        interceptors,
      })
      await producer.partitionsFor('logs')
      const given = interceptors.length > 0 ? 'logs' : 'missing'
      let taken = 0
      function* source() {
        for (const { value } of range(5_000)) {
          taken++
          yield { topic: given, value }
        }
      }
      const controller = new AbortController()
      const sent = producer.sendAll(source(), { signal: controller.signal })
      const aborted = expect(sent).rejects.toMatchObject({ code: 'ABORTED' })
      for (let before = -1; before < taken;) {
        before = taken
        for (let turn = 0; turn < 10; turn++) await nextTurn()
      }
      const takenMeanwhile = taken
      controller.abort()
      await aborted
      // Half of what the queue holds, one that waits for room, and what the stream reads ahead.
      expect(takenMeanwhile).toBeGreaterThanOrEqual(20)
      expect(takenMeanwhile).toBeLessThan(60)
    }
  })

  test('sendAll takes no more than that, though all of it could be had in one turn of the event loop', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
    await using producer = new Producer({ brokers: kafka.bootstrap, type, queueMessages: 600 })
    await producer.send({ topic: 'logs', value: '-1' })
    await producer.flush()
    const fault = kafka.stall({ api: 'Produce' })
    let taken = 0
    function* source() {
      for (const message of range(5_000)) {
        taken++
        // Long before there is no room others are to have their turn.
        for (const end = performance.now() + 0.02; performance.now() < end;);
        yield message
      }
    }
    const sent = producer.sendAll(source())
    await fault.hit()
    for (let before = -1; before < taken;) {
      before = taken
      for (let turn = 0; turn < 10; turn++) await nextTurn()
    }
    const takenWhileFull = taken
    fault.release()
    await sent
    expect(takenWhileFull).toBeGreaterThanOrEqual(600)
    expect(takenWhileFull).toBeLessThan(700)
    expect(stored(kafka)).toHaveLength(5_001)
  })

  test.each([0, 1])('sendAll waits for room, however small enqueueTimeoutMs is: %d', async (enqueueTimeoutMs) => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 }, other: {} } })
    await using producer = new Producer({
      brokers: kafka.bootstrap,
      type,
      queueMessages: 4,
      enqueueTimeoutMs,
      lingerMs: 0,
    })
    const fault = kafka.stall({ api: 'Produce' })
    const others = Promise.all(range(4).map(({ value }) => producer.send({ topic: 'other', value })))
    await fault.hit()
    const known = producer.sendAll(range(100))
    await expect(producer.send({ topic: 'other', value: 'who does not wait' })).rejects.toMatchObject({
      code: 'QUEUE_FULL',
    })
    // Longer than whoever waits for the time of the option.
    await new Promise((resolve) => setTimeout(resolve, 5))
    fault.release()
    await Promise.all([others, known])
    // Messages for topics that are not known wait apart.
    await Promise.all(['new', 'newer'].map((topic) => producer.sendAll(range(100).map((one) => ({ ...one, topic })))))
    expect(stored(kafka)).toEqual(range(100).map((_, i) => i))
    expect([kafka.records('new').length, kafka.records('newer').length]).toEqual([100, 100])
    expect(producer.stats().dropped).toEqual({ other: 1 })
  })

  test.each([new Error('no more'), undefined, null, 0, ''])(
    'sendAll fails with what the iterable throws: %s',
    async (thrown) => {
      await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
      await using producer = new Producer({ brokers: kafka.bootstrap, type })
      async function* source() {
        yield { topic: 'logs', value: '1' }
        // eslint-disable-next-line @typescript-eslint/only-throw-error
        throw thrown
      }
      const outcome = await producer.sendAll(source()).then(
        () => 'resolved',
        (error: unknown) => ({ error }),
      )
      expect(outcome).toEqual({ error: thrown })
    },
  )

  test('sendAll ends with its signal, and with the producer, while the iterable waits for its next message', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
    const producer = new Producer({ brokers: kafka.bootstrap, type })
    async function* source() {
      yield { topic: 'logs', value: '1' }
      await new Promise(() => undefined)
    }
    const controller = new AbortController()
    const aborted = producer.sendAll(source(), { signal: controller.signal })
    const closed = producer.sendAll(source())
    await kafka.waitForRequest((request) => request.api === 'Produce')
    controller.abort()
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(producer.sendAll([], { signal: controller.signal })).rejects.toMatchObject({ code: 'ABORTED' })
    await Promise.all([expect(closed).rejects.toMatchObject({ code: 'PRODUCER_CLOSED' }), producer.close()])
    await expect(producer.sendAll([])).rejects.toMatchObject({ code: 'PRODUCER_CLOSED' })
  })

  test.each([undefined, null, 5, 'text', { topic: 'logs', value: '1' }])(
    'sendAll refuses what is no iterable of messages: %s',
    async (given) => {
      await using producer = new Producer({ brokers: 'nowhere:9092', type })
      await expect(producer.sendAll(given as never)).rejects.toMatchObject({ code: 'INVALID_MESSAGE' })
    },
  )

  test('a topic of the stream serves messages without one, and bare values', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 }, other: { partitions: 1 } } })
    await using producer = new Producer({ brokers: kafka.bootstrap, type })
    await producer.sendAll(['1', Buffer.from('2'), { value: '3' }, { topic: 'other', value: '4' }], { topic: 'logs' })
    expect(kafka.records('logs').map(({ value }) => String(value))).toEqual(['1', '2', '3'])
    expect(kafka.records('other').map(({ value }) => String(value))).toEqual(['4'])
  })

  test('bytes of every kind are bare values, and a message keeps all its fields', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 2 } } })
    await using producer = new Producer({ brokers: kafka.bootstrap, type })
    class Line {
      get value() {
        return 'line'
      }
      get key() {
        return 'k'
      }
      get partition() {
        return 1
      }
      get headers() {
        return { a: 'b' }
      }
      get timestamp() {
        return 5
      }
    }
    const bytes = Buffer.from('bytes')
    const chunks = [
      new Uint8Array(bytes).buffer,
      new DataView(new Uint8Array(bytes).buffer),
      runInNewContext('new Uint8Array(bytes)', { bytes }) as Uint8Array,
      new Line(),
      { topic: null, value: 'bytes' },
    ] as WritableMessage<RawData, RawData>[]
    await producer.sendAll(chunks, { topic: 'logs' })
    const values = kafka.records('logs').map(({ value }) => String(value))
    expect(values.sort()).toEqual(['bytes', 'bytes', 'bytes', 'bytes', 'line'])
    const line = kafka.records('logs').find(({ value }) => String(value) === 'line')
    expect(line).toMatchObject({ key: Buffer.from('k'), partition: 1, timestamp: 5, headers: [{ key: 'a' }] })
  })

  test.each([5, true, null, undefined, Symbol('s'), () => 'x'])(
    'what is no message ends the stream with a clear error: %o',
    async (bad) => {
      await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
      await using producer = new Producer({ brokers: kafka.bootstrap, type })
      const sending = producer.sendAll([bad] as unknown as WritableMessage<RawData, RawData>[], { topic: 'logs' })
      await expect(sending).rejects.toMatchObject({ code: 'INVALID_MESSAGE' })
    },
  )

  test.each<[string, unknown, string]>([
    ['a list of messages', [{ value: 'x' }], 'a message must be an object, given was an object (Array)'],
    ['a Set of messages', new Set([{ value: 'x' }]), 'given was an object (Set); several are given in an array'],
    ['the promise of one', Promise.resolve({ value: 'x' }), 'a message must be an object, given was a promise of one'],
    ['a value under another name', { data: 'x' }, "there is 'data' in it: did you mean 'value'?"],
    ['messages in one', { messages: [] }, "there are no 'messages' in a message"],
  ])('what is no message is told as what it is: %s', async (_, bad, text) => {
    await using producer = new Producer({ brokers: 'localhost:1', type })
    const stream = producer.writable({ topic: 'logs' })
    stream.end(bad as WritableMessage)
    await expect(finished(stream)).rejects.toMatchObject({
      code: 'INVALID_MESSAGE',
      message: expect.stringContaining(text) as unknown,
    })
  })

  test.each<[string, unknown]>([
    ['without a topic', { value: 'x' }],
    ['with a partition that is none', { topic: 'logs', value: 'x', partition: -1 }],
    ['that is null', null],
  ])('names a message %s by its place among all', async (_, bad) => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: {} } })
    await using producer = new Producer({ brokers: kafka.bootstrap, type })
    const messages = [...range(40), bad as KeyedMessage]
    await expect(producer.sendAll(messages)).rejects.toThrow(/^messages\[40\]: /)
  })

  test('a message whose topic can’t be read ends the stream with a clear error', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
    await using producer = new Producer({ brokers: kafka.bootstrap, type })
    const bad = {
      value: 'x',
      get topic(): string {
        throw new Error('getter')
      },
    }
    await expect(producer.sendAll([bad])).rejects.toMatchObject({ code: 'INVALID_MESSAGE' })
  })

  test('a message without a topic ends the stream with a clear error', async () => {
    await using kafka = await EmbeddedKafka.start()
    await using producer = new Producer({ brokers: kafka.bootstrap, type })
    for (const message of [{ value: 'x' }, null, undefined])
      await expect(producer.sendAll([message as KeyedMessage])).rejects.toMatchObject({ code: 'INVALID_MESSAGE' })
  })

  test.each([null, { value: 'no topic' }])('is told of %j, though closing the iterable throws, too', async (bad) => {
    await using kafka = await EmbeddedKafka.start()
    await using producer = new Producer({ brokers: kafka.bootstrap, type })
    let isClosed = false
    const source = {
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: false, value: bad as KeyedMessage }),
        return: async () => {
          isClosed = true
          throw new Error('closing failed')
        },
      }),
    }
    await expect(producer.sendAll(source)).rejects.toMatchObject({ code: 'INVALID_MESSAGE' })
    expect(isClosed).toBe(true)
  })

  test('a signal takes out what waits for room, and what is in no closed batch', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
    const fates: unknown[] = []
    await using producer = new Producer({
      brokers: kafka.bootstrap,
      type,
      queueMessages: 10,
      idempotent: false,
      lingerMs: 0,
      onDelivery: ({ error }: DeliveryReport<RawData, RawData>) => void fates.push(error?.code),
    })
    const fault = kafka.stall({ api: 'Produce' })
    const first = producer.send({ topic: 'logs', value: '0' })
    await fault.hit()
    const controller = new AbortController()
    const sent = producer.sendAll(range(100), { signal: controller.signal })
    for (let turn = 0; turn < 20; turn++) await nextTurn()
    controller.abort()
    await expect(sent).rejects.toMatchObject({ code: 'ABORTED' })
    fault.release()
    await first
    await producer.flush()
    expect(stored(kafka)).toEqual([0])
    expect(fates.filter((code) => code !== 'ABORTED')).toEqual(type === 'async' ? [undefined] : [])
  })

  test('a signal ends the stream', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
    await using producer = new Producer({ brokers: kafka.bootstrap, type })
    const controller = new AbortController()
    async function* endless() {
      for (let i = 0; ; i++) {
        if (i === 100) controller.abort()
        yield { topic: 'logs', value: `${i}` }
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    await expect(producer.sendAll(endless(), { signal: controller.signal })).rejects.toMatchObject({
      code: 'ABORTED',
    })
  })
})

test('a message that fails destroys the stream with an error that names it, and closes the source', async () => {
  await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
  await using producer = new Producer({ brokers: kafka.bootstrap })
  let closed = false
  async function* source() {
    try {
      for (let i = 0; ; i++)
        yield i === 7 ? { topic: 'logs', value: 'bad', partition: 9 } : { topic: 'logs', value: `${i}` }
    } finally {
      closed = true
    }
  }
  const error = await producer.sendAll(source()).catch((e: unknown) => e)
  expect(error).toBeInstanceOf(FailedToSendMessageError)
  const { messages, results } = error as FailedToSendMessageError<unknown, { value: string }>
  expect(
    results.map((result, i) => [messages[i]?.value, result]).find(([, result]) => result instanceof Error),
  ).toMatchObject(['bad', { code: 'INVALID_PARTITION' }])
  expect(closed).toBe(true)
})

test.each(['sync', 'async'] as const)(
  '%s mode: what an encoder fails on is named by its place among all',
  async (type) => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: {} } })
    const reported: string[] = []
    await using producer = new Producer<string, unknown, 'sync' | 'async'>({
      brokers: kafka.bootstrap,
      type,
      encoder: new DefaultEncoder(),
      keyEncoder: new StringEncoder(),
      onDelivery: ({ error }) => void (error && reported.push(error.message)),
    })
    const sending = producer.sendAll([...range(40), { topic: 'logs', value: 5 }])
    const failure: unknown = await sending.catch((error: unknown) => error)
    await producer.flush()
    expect(failure instanceof Error ? [failure.message] : reported).toEqual([
      expect.stringMatching(/^messages\[40\]: value: /),
    ])
  },
)

test('sync mode: sendAll waits for its own messages, and not for those of others', async () => {
  await using kafka = await EmbeddedKafka.start({ topics: { logs: {} }, autoCreateTopics: false })
  await using producer = new Producer({ brokers: kafka.bootstrap, unknownTopicTimeoutMs: 1_000 })
  let hasFailed = false
  const other = producer.send({ topic: 'missing', value: '1' }).catch(() => (hasFailed = true))
  await producer.sendAll(range(100))
  expect(hasFailed).toBe(false)
  expect(stored(kafka)).toHaveLength(100)
  await other
})
