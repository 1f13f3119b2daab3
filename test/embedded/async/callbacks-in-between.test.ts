import { describe, expect, it } from 'vitest'
import type { DeliveryReport, Producer } from '../../../src/index.js'
import { startKafka } from '../support/cluster.js'
import { errorOf, startAsync, startProducer, stored } from '../support/producers.js'

/** Callbacks are told while a step is under way: whatever they do meanwhile, each message ends once, and in order. */

const t = { topic: 't', value: 'x' }

describe('room that is given back when messages are released is told to who waits for it', () => {
  it('those that were aborted while they lingered', async () => {
    const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
    // Without limit: whoever is not told waits for its delivery time-out.
    await using producer = startAsync(kafka, { lingerMs: 20, queueMessages: 10, enqueueTimeoutMs: -1 })
    await producer.send(t)
    await producer.flush()
    const controller = new AbortController()
    await producer.send(Array(10).fill(t) as (typeof t)[], { signal: controller.signal })
    const waiting = producer.send({ ...t, value: 'waited' })
    controller.abort()
    await waiting
    await producer.flush()
    expect(stored(kafka, 't')).toEqual(['x', 'waited'])
  })

  it('those that the partitioner refused, in either mode, where nothing may wait', async () => {
    const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
    const partitioner = (key: unknown) => (key === 'bad' ? -1 : 0)
    const producer = startProducer(kafka, { partitioner, queueMessages: 2, enqueueTimeoutMs: 0 })
    await producer.send({ ...t, value: 'known' })
    const bad = { ...t, key: 'bad' }
    const error = await errorOf(producer.send([bad, bad, bad, bad, { ...t, value: 'good' }]))
    const codes = (error as unknown as { results: { code?: string }[] }).results.map(({ code }) => code)
    expect(codes).toEqual([...Array<string>(4).fill('INVALID_PARTITION'), undefined])
    expect(stored(kafka, 't')).toEqual(['known', 'good'])
  })
})

it('a callback that aborts while a topic’s messages are refused: each has one fate', async () => {
  const kafka = await startKafka({ topics: { t: {} } })
  kafka.fail({ api: 'Metadata', topic: 't', times: Infinity }, 'TOPIC_AUTHORIZATION_FAILED')
  const controller = new AbortController()
  const reports: string[] = []
  await using producer = startAsync(kafka, {
    onDelivery({ message, error }: DeliveryReport) {
      reports.push(`${String(message.value)} ${error?.code}`)
      controller.abort()
    },
  })
  void producer.send({ ...t, value: 'first' })
  void producer.send([{ ...t, value: 'a' }], { signal: controller.signal })
  await producer.flush()
  expect(reports).toEqual(['first TOPIC_AUTHORIZATION_FAILED', 'a TOPIC_AUTHORIZATION_FAILED'])
  expect(producer.stats()).toMatchObject({ failed: 2, queueMessages: 0, queueBytes: 0 })
})

it.each<[string, (producer: Producer<unknown, unknown, 'async'>) => unknown]>([
  ['flushes', (producer) => producer.flush()],
  ['closes', (producer) => producer.close()],
  ['sends', (producer) => producer.send({ topic: 't', key: 'k', value: 'more' })],
])('a callback that %s while the queue is released: order stays', async (_, act) => {
  const kafka = await startKafka({ topics: { t: { partitions: 1 } } })
  const partitioner = (key: unknown) => {
    if (key === 'x') throw new Error('no')
    return 0
  }
  const producer = startAsync(kafka, {
    lingerMs: 50,
    partitioner,
    onDelivery({ error }: DeliveryReport) {
      if (error !== undefined) void act(producer)
    },
  })
  await producer.send({ ...t, key: 'k' })
  await producer.flush()
  const numbers = Array.from({ length: 600 }, (_, i) => String(i))
  for (const value of numbers) void producer.send({ topic: 't', key: value === '5' ? 'x' : 'k', value })
  await producer.flush()
  await producer.close()
  const expected = numbers.filter((value) => value !== '5')
  expect(stored(kafka, 't').filter((value) => value !== 'x' && value !== 'more')).toEqual(expected)
})

it('a callback that aborts while a batch is prepared for an old broker: no other batch is dropped', async () => {
  const kafka = await startKafka({ release: '0.10.2', topics: { t: { partitions: 1 } } })
  const controller = new AbortController()
  const reports: string[] = []
  const of = (value: string, size: number) => ({ topic: 't', value: value.padEnd(size, '.') })
  await using producer = startAsync(kafka, {
    batchBytes: 200,
    onDelivery({ message, error }: DeliveryReport) {
      reports.push(`${(message.value as string).slice(0, 2)} ${error?.code}`)
      if (error !== undefined) controller.abort()
    },
  })
  await producer.send(of('w', 2))
  await producer.flush()
  await producer.send([{ ...of('a1', 50), headers: { a: 'b' } }, of('a2', 50)], { signal: controller.signal })
  await producer.send([of('b1', 150), of('b2', 150)])
  await producer.flush()
  // It is told when all that was left out of the batch is, and the batch is closed.
  expect(reports).toEqual(['w. undefined', 'a1 UNSUPPORTED_BY_FORMAT', 'a2 undefined', 'b1 undefined', 'b2 undefined'])
  expect(stored(kafka, 't').map((value) => value?.slice(0, 2))).toEqual(['w.', 'a2', 'b1', 'b2'])
})
