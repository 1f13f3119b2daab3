import { expect, it, onTestFinished } from 'vitest'
import { Producer } from '../../../src/index.js'
import { startKafka } from '../support/cluster.js'
import { deliveryErrorOf, expectNothingHeld, failureOf, startProducer, until, watched } from '../support/producers.js'

const refusing = () => {
  throw new Error('no partition')
}

it('sync: room that refused messages give back while they are placed is given to those that wait', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka, { queueMessages: 10, enqueueTimeoutMs: -1, partitioner: refusing })
  const { results } = await failureOf(producer.send(Array(300).fill({ topic: 'orders', key: 'k', value: 'x' })))
  expect(new Set(results.map((result) => ('code' in result ? result.code : 'ok')))).toEqual(
    new Set(['INVALID_PARTITION']),
  )
  // The topic is known by now: all are refused as they come.
  await failureOf(producer.send(Array(300).fill({ topic: 'orders', key: 'k', value: 'x' })))
  expectNothingHeld(producer)
})

it('sync: so is room given back in a later turn, by messages that waited for metadata', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const stall = kafka.stall({ api: 'Metadata' })
  const refusingSlowly = () => {
    // All of them take longer than the producer works at a stretch.
    const end = performance.now() + 0.2
    while (performance.now() < end);
    throw new Error('no partition')
  }
  const producer = startProducer(kafka, {
    queueBytes: 1_000_000,
    deliveryTimeoutMs: 60_000,
    enqueueTimeoutMs: -1,
    partitioner: refusingSlowly,
  })
  const message = (bytes: number) => ({ topic: 'orders', key: 'k', value: 'x'.repeat(bytes) })
  const first = failureOf(producer.send(Array(400).fill(message(2_000))))
  await stall.hit()
  const waiting = watched(deliveryErrorOf(producer.send(message(900_000))))
  stall.release()
  await first
  // Not as late as the deadlines, at which room is looked for in any case.
  await until(() => waiting.isSettled, 'there is room')
  expect((await waiting.promise).code).toBe('INVALID_PARTITION')
  expectNothingHeld(producer)
})

it('async: room that messages give back which ended while they lingered is given to those that wait', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = new Producer({
    brokers: kafka.bootstrap,
    type: 'async',
    lingerMs: 50,
    queueMessages: 10,
    enqueueTimeoutMs: -1,
    onDelivery: () => undefined,
  })
  onTestFinished(async () => void (await producer.close({ timeoutMs: 0 })))
  await producer.send({ topic: 'orders', value: 'warm' })
  await producer.flush()
  const abort = new AbortController()
  await producer.send(Array(10).fill({ topic: 'orders', value: 'x' }), { signal: abort.signal })
  const waiting = producer.send({ topic: 'orders', value: 'waits for room' })
  abort.abort()
  await waiting
  await producer.flush()
  await until(() => producer.stats().queueMessages === 0, 'nothing is held')
})
