import { getEventListeners } from 'node:events'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { AbortedError } from '../../../src/index.js'
import { PartitionQueue } from '../../../src/producer/queues/partition-queue.js'
import { startKafka } from '../support/cluster.js'
import {
  deadAddress,
  deliveryErrorOf,
  errorOf,
  expectNothingHeld,
  failureOf,
  outcomes,
  requestsOf,
  startProducer,
  stored,
  turns,
  until,
} from '../support/producers.js'

const ABORTED = { code: 'ABORTED', mayHaveBeenWritten: false, attempts: 0, retriable: false }

describe('a signal takes messages out', () => {
  it('before send(): nothing is done, and the reason is told', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    const reason = new Error('changed my mind')
    const error = await errorOf(producer.send({ topic: 'orders', value: 'x' }, { signal: AbortSignal.abort(reason) }))
    expect(error).toBeInstanceOf(AbortedError)
    expect(error).toMatchObject({ code: 'ABORTED', cause: reason })
    expect(kafka.requests).toEqual([])
    expectNothingHeld(producer)
  })

  it('of which nobody tells it, before they are sent: so many that it takes several turns', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    const stall = kafka.stall({ api: 'Produce' })
    const sending = producer.send({ topic: 'orders', value: '1' })
    await stall.hit()
    const controller = new AbortController()
    const { signal } = controller
    signal.addEventListener('abort', (event) => event.stopImmediatePropagation())
    const aborted = Array.from({ length: 5_000 }, () =>
      errorOf(producer.send({ topic: 'orders', value: 'x' }, { signal })),
    )
    controller.abort()
    stall.release()
    await sending
    const codes = (await Promise.all(aborted)).map(({ code }) => code)
    expect(new Set(codes)).toEqual(new Set(['ABORTED']))
    expect(stored(kafka, 'orders')).toEqual(['1'])
    // Their batch is thinned when it is looked at next.
    await until(() => producer.stats().queueMessages === 0, 'the room of the aborted ones')
    expectNothingHeld(producer)
  })

  it('that wait for metadata', async () => {
    const producer = startProducer(await deadAddress())
    const controller = new AbortController()
    const sending = producer.send({ topic: 'orders', value: 'x' }, { signal: controller.signal })
    await turns()
    controller.abort(new Error('enough'))
    const error = await deliveryErrorOf(sending)
    expect(error).toMatchObject(ABORTED)
    expect((error.cause as Error).cause).toMatchObject({ message: 'enough' })
    expectNothingHeld(producer)
  })

  it('of several topics together: each error names its own topic and partition', async () => {
    const producer = startProducer(await deadAddress())
    const controller = new AbortController()
    const messages = ['orders', 'orders', 'payments', 'orders'].map((topic, partition) => ({
      topic,
      partition,
      value: 'x',
    }))
    const sending = producer.send(messages, { signal: controller.signal })
    await turns()
    controller.abort()
    const { results } = await failureOf(sending)
    expect(results).toMatchObject(messages.map(({ topic, partition }) => ({ code: 'ABORTED', topic, partition })))
  })

  it('that wait behind a request of their partition; others of the same batch go on', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    const stall = kafka.stall({ api: 'Produce' })
    const controller = new AbortController()
    const sending = [producer.send({ topic: 'orders', value: '1' })]
    await stall.hit()
    sending.push(producer.send({ topic: 'orders', value: '2' }))
    const aborted = producer.send(
      [
        { topic: 'orders', value: 'a' },
        { topic: 'orders', value: 'b' },
      ],
      { signal: controller.signal },
    )
    sending.push(producer.send({ topic: 'orders', value: '3' }))
    await turns()
    expect(producer.stats().queueMessages).toBe(5)
    controller.abort()
    expect(outcomes((await failureOf(aborted)).results)).toEqual(['ABORTED', 'ABORTED'])
    expect(producer.stats().queueMessages).toBe(3)
    stall.release()
    const results = (await Promise.all(sending)).flat()
    expect(results.map(({ offset }) => offset)).toEqual([0n, 1n, 2n])
    expect(stored(kafka, 'orders')).toEqual(['1', '2', '3'])
    expectNothingHeld(producer)
  })

  it('that are all of a batch: no empty batch is sent', async () => {
    const kafka = await startKafka({ topics: { orders: { partitions: 2 } } })
    const producer = startProducer(kafka)
    const stall = kafka.stall({ api: 'Produce' })
    const controller = new AbortController()
    const first = producer.send({ topic: 'orders', partition: 0, value: '1' })
    await stall.hit()
    const aborted = producer.send({ topic: 'orders', partition: 0, value: 'a' }, { signal: controller.signal })
    await turns()
    controller.abort()
    await deliveryErrorOf(aborted)
    stall.release()
    await first
    await producer.send({ topic: 'orders', partition: 0, value: '2' })
    expect(requestsOf(kafka, 'Produce')).toHaveLength(2)
    expect(stored(kafka, 'orders')).toEqual(['1', '2'])
  })

  it('that wait in the second half of a batch that an old format has no room for as a whole', async () => {
    const kafka = await startKafka({ release: '0.10.2', topics: { orders: {} } })
    const producer = startProducer(kafka, { batchBytes: 1_000 })
    const stall = kafka.stall({ api: 'Produce' })
    const controller = new AbortController()
    const values = Array.from({ length: 60 }, (_, i) => String(i))
    const messages = values.map((value) => ({ topic: 'orders', value }))
    const sending = producer.send(messages, { signal: controller.signal })
    await stall.hit()
    controller.abort()
    const failure = failureOf(sending)
    stall.release()
    const ends = outcomes((await failure).results)
    const written = stored(kafka, 'orders')
    // What was on its way is there; nothing else had been sent yet.
    expect(requestsOf(kafka, 'Produce')).toHaveLength(1)
    expect(written.length).toBeLessThan(values.length / 2)
    expect(written).toEqual(values.slice(0, written.length))
    expect(ends.slice(written.length)).toEqual(values.slice(written.length).map(() => 'ABORTED'))
    expectNothingHeld(producer)
  })

  it('but not those in a closed batch: they go on to their true fate', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    const stall = kafka.stall({ api: 'Produce' })
    const controller = new AbortController()
    const sending = producer.send({ topic: 'orders', value: 'x' }, { signal: controller.signal })
    await stall.hit()
    controller.abort()
    stall.release()
    const [metadata] = await sending
    expect(metadata?.offset).toBe(0n)
  })

  it('nor those whose closed batch waits to be tried again', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { retryBackoffMs: 50, retryBackoffMaxMs: 50 })
    const fault = kafka.fail({ api: 'Produce' }, 'NOT_ENOUGH_REPLICAS')
    const controller = new AbortController()
    const sending = producer.send({ topic: 'orders', value: 'x' }, { signal: controller.signal })
    await fault.hit()
    await turns()
    controller.abort()
    await sending
    expect(stored(kafka, 'orders')).toEqual(['x'])
  })

  it('of one call in part: each message has its own fate', async () => {
    const kafka = await startKafka({ topics: { orders: { partitions: 2 } } })
    const producer = startProducer(kafka)
    await producer.send({ topic: 'orders', partition: 0, value: 'warm' })
    const stall = kafka.stall({ api: 'Produce' })
    const blocking = producer.send({ topic: 'orders', partition: 1, value: 'blocks partition 1' })
    await stall.hit()
    const controller = new AbortController()
    const sending = producer.send(
      [
        { topic: 'orders', partition: 0, value: 'goes' },
        { topic: 'orders', partition: 1, value: 'stays' },
      ],
      { signal: controller.signal },
    )
    await kafka.waitForRequest({ api: 'Produce' }, { count: 3 })
    controller.abort()
    stall.release()
    expect(outcomes((await failureOf(sending)).results)).toEqual([1n, 'ABORTED'])
    await blocking
    expect(stored(kafka, 'orders')).toEqual(['warm', 'goes', 'blocks partition 1'])
    expectNothingHeld(producer)
  })

  it('and makes room for others, were it little of a batch', async () => {
    const kafka = await startKafka({ topics: { orders: { partitions: 1 } } })
    const producer = startProducer(kafka, { queueMessages: 10, enqueueTimeoutMs: 0 })
    const stall = kafka.stall({ api: 'Produce' })
    const send = (value: string) => producer.send({ topic: 'orders', value })
    const first = send('first')
    await stall.hit()
    const controller = new AbortController()
    const { signal } = controller
    const gone = [1, 2, 3].map(async () => errorOf(producer.send({ topic: 'orders', value: 'gone' }, { signal })))
    const others = Array.from({ length: 6 }, async (_, i) => send(`other ${i}`))
    controller.abort()
    await Promise.all(gone)
    // There is no room but that of those that are gone.
    const later = [1, 2, 3].map(async (i) => send(`later ${i}`))
    stall.release()
    await Promise.all([first, ...others, ...later])
    expect(stored(kafka, 'orders')).toHaveLength(10)
    expectNothingHeld(producer)
  })

  it('and those that wait for their room cost the others of a batch no rewriting for each', async () => {
    const kafka = await startKafka({ topics: { orders: { partitions: 1 } } })
    const producer = startProducer(kafka, { queueMessages: 1_000, enqueueTimeoutMs: -1 })
    const stall = kafka.stall({ api: 'Produce' })
    const first = producer.send({ topic: 'orders', value: 'first' })
    await stall.hit()
    const controllers = Array.from({ length: 400 }, () => new AbortController())
    const gone = controllers.map(async ({ signal }) =>
      errorOf(producer.send({ topic: 'orders', value: 'x' }, { signal })),
    )
    const others = Array.from({ length: 599 }, async (_, i) => producer.send({ topic: 'orders', value: `other ${i}` }))
    const later = Array.from({ length: 500 }, async (_, i) => producer.send({ topic: 'orders', value: `later ${i}` }))
    await turns()
    const thinned = vi.spyOn(PartitionQueue.prototype, 'thin')
    onTestFinished(() => thinned.mockRestore())
    for (const controller of controllers) controller.abort()
    await Promise.all(gone)
    await turns()
    expect(thinned.mock.calls.length).toBeLessThan(10)
    stall.release()
    await Promise.all([first, ...others, ...later])
    expect(stored(kafka, 'orders')).toHaveLength(1_100)
    expectNothingHeld(producer)
  })

  it('that wait for room, and lets those behind them in', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { queueBytes: 10, batchBytes: 10 })
    const stall = kafka.stall({ api: 'Produce' })
    const held = producer.send({ topic: 'orders', value: '12345' })
    await stall.hit()
    const controller = new AbortController()
    const aborted = producer.send({ topic: 'orders', value: 'too large now' }, { signal: controller.signal })
    const behind = producer.send({ topic: 'orders', value: 'fits' })
    await turns()
    expect(producer.stats().queueMessages).toBe(1)
    controller.abort()
    expect(await deliveryErrorOf(aborted)).toMatchObject(ABORTED)
    expect(producer.stats().queueMessages).toBe(2)
    stall.release()
    await Promise.all([held, behind])
    expect(stored(kafka, 'orders')).toEqual(['12345', 'fits'])
    expectNothingHeld(producer)
  })

  it('that are still being encoded; what comes after does not wait for the encoder', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, {
      encoder: {
        encode: (value: unknown) => (value === 'never' ? new Promise<string>(() => undefined) : String(value)),
      },
    })
    const controller = new AbortController()
    const aborted = producer.send({ topic: 'orders', value: 'never' }, { signal: controller.signal })
    const behind = producer.send({ topic: 'orders', value: 'next' })
    controller.abort()
    expect(await deliveryErrorOf(aborted)).toMatchObject(ABORTED)
    await behind
    expect(stored(kafka, 'orders')).toEqual(['next'])
    expectNothingHeld(producer)
  })

  it('while an encoder works that finishes later: they are not sent after all', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    let finish: () => void = () => undefined
    const producer = startProducer(kafka, {
      encoder: {
        encode: (value: unknown) =>
          value === 'slow' ? new Promise<string>((resolve) => (finish = () => resolve('slow'))) : String(value),
      },
    })
    const controller = new AbortController()
    const aborted = producer.send({ topic: 'orders', value: 'slow' }, { signal: controller.signal })
    controller.abort()
    await deliveryErrorOf(aborted)
    finish()
    await turns()
    await producer.send({ topic: 'orders', value: 'next' })
    expect(stored(kafka, 'orders')).toEqual(['next'])
    expectNothingHeld(producer)
  })
})

it('an abort after everything is acknowledged changes nothing', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka)
  const controller = new AbortController()
  await producer.send({ topic: 'orders', value: 'x' }, { signal: controller.signal })
  controller.abort()
  expect(producer.stats()).toMatchObject({ acknowledged: 1, failed: 0 })
})

it('listeners are gone from the signal when the call has its fate, and a signal shared by many gives no warning', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka)
  const { signal } = new AbortController()
  const warnings: Error[] = []
  const onWarning = (warning: Error) => warnings.push(warning)
  process.on('warning', onWarning)
  const stall = kafka.stall({ api: 'Produce' })
  const sending = Array.from({ length: 50 }, () => producer.send({ topic: 'orders', value: 'x' }, { signal }))
  const bad = deliveryErrorOf(producer.send({ topic: 'orders', partition: 99, value: 'x' }, { signal }))
  await stall.hit()
  expect(getEventListeners(signal, 'abort').length).toBeGreaterThan(0)
  stall.release()
  await Promise.all([...sending, bad])
  await until(() => getEventListeners(signal, 'abort').length === 0, 'no listener is left')
  process.off('warning', onWarning)
  expect(warnings.filter(({ name }) => name === 'MaxListenersExceededWarning')).toEqual([])
})

it('a call that is refused for its messages leaves no listener', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const { signal } = new AbortController()
  await errorOf(startProducer(kafka).send({ topic: 'orders', value: 17 }, { signal }))
  expect(getEventListeners(signal, 'abort')).toEqual([])
})
