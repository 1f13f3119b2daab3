import { describe, expect, it } from 'vitest'
import { QueueFullError, type Producer, type ProducerOptions } from '../../../src/index.js'
import type { EmbeddedKafka, Fault } from '../../../src/testing/index.js'
import { startKafka } from '../support/cluster.js'
import {
  deliveryErrorOf,
  errorOf,
  expectNothingHeld,
  failureOf,
  outcomes,
  startProducer,
  stored,
  turns,
  watched,
} from '../support/producers.js'

/** A producer with room for two messages, or ten bytes, whose first two stall at the broker. */
async function full(
  options: Omit<ProducerOptions, 'brokers' | 'type'>,
): Promise<{ kafka: EmbeddedKafka; producer: Producer; stall: Fault; held: Promise<unknown> }> {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka, options)
  const stall = kafka.stall({ api: 'Produce' })
  const held = producer.send(['11111', '22222'].map((value) => ({ topic: 'orders', value })))
  await stall.hit()
  return { kafka, producer, stall, held }
}

describe.each([
  ['queueMessages', { queueMessages: 2 }],
  ['queueBytes', { queueBytes: 10, batchBytes: 10 }],
])('%s reached', (_, bound) => {
  it('enqueueTimeoutMs 0: fails at once', async () => {
    const { kafka, producer, stall, held } = await full({ ...bound, enqueueTimeoutMs: 0 })
    const error = await errorOf(producer.send({ topic: 'orders', value: '3' }))
    expect(error).toBeInstanceOf(QueueFullError)
    expect(error).toMatchObject({ code: 'QUEUE_FULL', retriable: true })
    expect(producer.stats().dropped).toEqual({ orders: 1 })
    stall.release()
    await held
    await producer.send({ topic: 'orders', value: '4' })
    expect(stored(kafka, 'orders')).toEqual(['11111', '22222', '4'])
    expectNothingHeld(producer)
  })

  it('enqueueTimeoutMs > 0: waits so long for room, then fails', async () => {
    const { producer, stall, held } = await full({ ...bound, enqueueTimeoutMs: 120 })
    const before = performance.now()
    const error = await errorOf(producer.send({ topic: 'orders', value: '3' }))
    expect(error.code).toBe('QUEUE_FULL')
    expect(performance.now() - before).toBeGreaterThanOrEqual(119)
    stall.release()
    await held
    expectNothingHeld(producer)
  })

  it('enqueueTimeoutMs > 0: goes as soon as there is room', async () => {
    const { kafka, producer, stall, held } = await full({ ...bound, enqueueTimeoutMs: 60_000 })
    const waiting = watched(producer.send({ topic: 'orders', value: '3' }))
    await turns()
    expect(waiting.isSettled).toBe(false)
    expect(producer.stats().queueMessages).toBe(2)
    stall.release()
    await Promise.all([held, waiting.promise])
    expect(stored(kafka, 'orders')).toEqual(['11111', '22222', '3'])
    expectNothingHeld(producer)
  })

  it('enqueueTimeoutMs -1: waits without limit, first come first served', async () => {
    const { kafka, producer, stall, held } = await full({ ...bound, enqueueTimeoutMs: -1 })
    const settled: number[] = []
    const waiting = Array.from({ length: 20 }, async (_v, i) => {
      // Small ones might slip past a large one in front: they must not.
      await producer.send({ topic: 'orders', value: i % 3 === 0 ? `${i}`.padEnd(10, '.') : `${i}` })
      settled.push(i)
    })
    stall.release()
    await Promise.all([held, ...waiting])
    expect(settled).toEqual(Array.from({ length: 20 }, (_v, i) => i))
    expect(
      stored(kafka, 'orders')
        .slice(2)
        .map((value) => parseInt(value ?? '', 10)),
    ).toEqual(settled)
    expectNothingHeld(producer)
  })
})

it('a call larger than all the room goes through in parts', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka, { queueMessages: 3 })
  const results = await producer.send(Array.from({ length: 20 }, (_, i) => ({ topic: 'orders', value: String(i) })))
  expect(results.map(({ offset }) => Number(offset))).toEqual(Array.from({ length: 20 }, (_, i) => i))
  expectNothingHeld(producer)
})

it('a call larger than all the room with enqueueTimeoutMs 0: what fits goes, the rest fails', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka, { queueMessages: 2, enqueueTimeoutMs: 0 })
  const failure = await failureOf(producer.send(['1', '2', '3'].map((value) => ({ topic: 'orders', value }))))
  expect(outcomes(failure.results)).toEqual([0n, 1n, 'QUEUE_FULL'])
  expectNothingHeld(producer)
})

it('a message larger than queueBytes goes when it is alone', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka, { queueBytes: 10, batchBytes: 10 })
  const values = ['1', 'x'.repeat(100), '2']
  await Promise.all(values.map((value) => producer.send({ topic: 'orders', value })))
  expect(stored(kafka, 'orders')).toEqual(values)
  expectNothingHeld(producer)
})

it('what waits for room counts against its own deadline, and holds nothing up when it has passed', async () => {
  const { kafka, producer, stall, held } = await full({
    queueMessages: 2,
    deliveryTimeoutMs: 500,
    enqueueTimeoutMs: -1,
  })
  const waiting = producer.send({ topic: 'orders', value: '3' })
  await failureOf(held)
  expect(await deliveryErrorOf(waiting)).toMatchObject({ code: 'DELIVERY_TIMEOUT', mayHaveBeenWritten: false })
  // The two in flight were told, but their room is not free before the broker answers.
  expect(producer.stats().queueMessages).toBe(2)
  const later = producer.send({ topic: 'orders', value: '4' })
  stall.release()
  await later
  expect(stored(kafka, 'orders')).toEqual(['11111', '22222', '4'])
  expectNothingHeld(producer)
})

it('keys, values and headers count, and are given back', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka)
  const stall = kafka.stall({ api: 'Produce' })
  const sending = producer.send({
    topic: 'orders',
    key: 'ключ',
    value: Buffer.alloc(100),
    headers: { trace: 'abc', none: null },
  })
  await stall.hit()
  expect(producer.stats()).toMatchObject({ queueMessages: 1, queueBytes: 8 + 100 + 5 + 3 + 4 })
  stall.release()
  await sending
  expectNothingHeld(producer)
})

it('twelve thousand that wait for room and expire together', async () => {
  const { producer, stall, held } = await full({ queueMessages: 2, enqueueTimeoutMs: 50 })
  const waiting = Array.from({ length: 12_000 }, (_, i) => producer.send({ topic: 'orders', value: String(i) }))
  const outcomesOfAll = await Promise.allSettled(waiting)
  expect(outcomesOfAll.every(({ status }) => status === 'rejected')).toBe(true)
  stall.release()
  await held
  expectNothingHeld(producer)
})

it('thirty thousand in one call leave the event loop its turns', async () => {
  const kafka = await startKafka({ topics: { orders: { partitions: 4 } } })
  const producer = startProducer(kafka)
  let turnsSeen = 0
  const ticking = setInterval(() => turnsSeen++, 0)
  await producer.send(Array.from({ length: 30_000 }, (_, i) => ({ topic: 'orders', key: String(i), value: 'x' })))
  clearInterval(ticking)
  expect(turnsSeen).toBeGreaterThan(3)
  expect(kafka.records('orders')).toHaveLength(30_000)
  expectNothingHeld(producer)
})
