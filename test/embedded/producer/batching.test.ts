import { describe, expect, it } from 'vitest'
import { startKafka } from '../support/cluster.js'
import {
  deliveryErrorOf,
  expectNothingHeld,
  failureOf,
  outcomes,
  partitionsOf,
  requestsOf,
  startProducer,
  stored,
  turns,
} from '../support/producers.js'
import { ScriptedBroker } from '../support/scripted-broker.js'

describe('what travels together', () => {
  it('the calls of one turn of the event loop: one request per broker, one batch per partition', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { orders: { partitions: 2 }, payments: { partitions: 2 } } })
    const producer = startProducer(kafka)
    await producer.send([
      { topic: 'orders', partition: 0, value: 'warm' },
      { topic: 'payments', partition: 0, value: 'warm' },
      { topic: 'orders', partition: 1, value: 'warm' },
    ])
    kafka.clearRequests()
    const sending = Array.from({ length: 400 }, (_, i) =>
      producer.send({ topic: i % 4 < 2 ? 'orders' : 'payments', partition: i % 2, value: String(i) }),
    )
    const results = (await Promise.all(sending)).flat()
    const requests = requestsOf(kafka, 'Produce')
    expect(requests.map(({ broker }) => broker).sort()).toEqual([1, 2])
    expect(requests.flatMap(partitionsOf).sort()).toEqual(['orders-0', 'orders-1', 'payments-0', 'payments-1'])
    expect(
      requests.every(({ topics }) =>
        topics.every(({ partitions }) => partitions.every(({ batches }) => batches === 1)),
      ),
    ).toBe(true)
    expect(
      results.filter(({ topic, partition }) => topic === 'orders' && partition === 0).map(({ offset }) => offset),
    ).toEqual(Array.from({ length: 100 }, (_, i) => BigInt(i + 1)))
    expectNothingHeld(producer)
  })

  it('what is given while the broker is busy gathers for the next request', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    const stall = kafka.stall({ api: 'Produce' })
    const sending = [producer.send({ topic: 'orders', value: '0' })]
    await stall.hit()
    for (let i = 1; i < 100; i++) {
      sending.push(producer.send({ topic: 'orders', value: String(i) }))
      if (i % 10 === 0) await turns(2)
    }
    stall.release()
    await Promise.all(sending)
    expect(requestsOf(kafka, 'Produce')).toHaveLength(2)
    expect(stored(kafka, 'orders')).toEqual(Array.from({ length: 100 }, (_, i) => String(i)))
  })

  it('a lone call goes at once: it waits for nobody', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    await producer.send({ topic: 'orders', value: 'warm' })
    // With the clock of the test standing still, nothing that waits for a timer would ever go.
    const setTimeoutBefore = globalThis.setTimeout
    const timers: number[] = []
    globalThis.setTimeout = ((callback: () => void, ms: number) => {
      timers.push(ms)
      return setTimeoutBefore(callback, ms)
    }) as typeof setTimeout
    try {
      await producer.send({ topic: 'orders', value: 'alone' })
    } finally {
      globalThis.setTimeout = setTimeoutBefore
    }
    expect(timers.filter((ms) => ms < 1_000)).toEqual([])
  })
})

describe('batchBytes', () => {
  it('bounds the batch of one partition, its header included', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { batchBytes: 500 })
    await producer.send(Array.from({ length: 50 }, (_, i) => ({ topic: 'orders', value: String(i).padEnd(88) })))
    const sizes = requestsOf(kafka, 'Produce').map(({ topics }) => topics[0]?.partitions[0]?.bytes ?? 0)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(500)
    // Four of 97 bytes fit beside the header of 61.
    expect(sizes).toHaveLength(13)
    expect(stored(kafka, 'orders').map(Number)).toEqual(Array.from({ length: 50 }, (_, i) => i))
  })

  it.each(['0.8.2', '0.10.2'])('is measured as the messages of Kafka %s take it', async (release) => {
    const kafka = await startKafka({ release, topics: { orders: {} } })
    const producer = startProducer(kafka, { batchBytes: 500 })
    const values = Array.from({ length: 200 }, (_, i) => String(i))
    await producer.send(values.map((value) => ({ topic: 'orders', value })))
    const sizes = requestsOf(kafka, 'Produce').map(({ topics }) => topics[0]?.partitions[0]?.bytes ?? 0)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(500)
    expect(stored(kafka, 'orders')).toEqual(values)
    expect(producer.stats()).toMatchObject({ acknowledged: 200, resends: 0, queueMessages: 0, queueBytes: 0 })
  })

  it('fits a broker whose own limit is the same', async () => {
    const kafka = await startKafka({ messageMaxBytes: 500, topics: { orders: {} } })
    const producer = startProducer(kafka, { batchBytes: 500 })
    await producer.send(Array.from({ length: 50 }, (_, i) => ({ topic: 'orders', value: String(i).padEnd(88) })))
    expect(producer.stats().resends).toBe(0)
  })

  it('a larger message travels alone', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { batchBytes: 200 })
    await producer.send(['a', 'x'.repeat(1_000), 'b'].map((value) => ({ topic: 'orders', value })))
    expect(requestsOf(kafka, 'Produce')).toHaveLength(3)
    expect(stored(kafka, 'orders')).toEqual(['a', 'x'.repeat(1_000), 'b'])
  })
})

describe('maxRequestBytes', () => {
  it('bounds the batches of one request', async () => {
    const kafka = await startKafka({ topics: { orders: { partitions: 10 } } })
    const producer = startProducer(kafka, { batchBytes: 400, maxRequestBytes: 1_050 })
    await producer.send(
      Array.from({ length: 10 }, (_, partition) => ({ topic: 'orders', partition, value: 'x'.repeat(250) })),
    )
    const requests = requestsOf(kafka, 'Produce')
    // 321 bytes each, three to a request.
    expect(requests.map((request) => partitionsOf(request).length)).toEqual([3, 3, 3, 1])
    expect(new Set(requests.flatMap(partitionsOf)).size).toBe(10)
  })

  it('bounds them with what is around them: the names of many topics', async () => {
    const names = Array.from({ length: 100 }, (_, i) => `${i}`.padEnd(200, 'x'))
    const kafka = await startKafka({ topics: Object.fromEntries(names.map((name) => [name, {}])), release: '3.9' })
    const producer = startProducer(kafka, { batchBytes: 10_000, maxRequestBytes: 10_000 })
    await Promise.all(names.map((topic) => producer.send({ topic, value: 'v' })))
    expect(Math.max(...requestsOf(kafka, 'Produce').map(({ sizeBytes }) => sizeBytes))).toBeLessThan(10_100)
  })

  it('grows for one batch that is larger', async () => {
    const kafka = await startKafka({ topics: { orders: { partitions: 2 } } })
    const producer = startProducer(kafka, { batchBytes: 400, maxRequestBytes: 400 })
    await producer.send([
      { topic: 'orders', partition: 0, value: 'x'.repeat(2_000) },
      { topic: 'orders', partition: 1, value: 'small' },
    ])
    expect(requestsOf(kafka, 'Produce').map(partitionsOf)).toEqual([['orders-0'], ['orders-1']])
  })
})

it.each([1, 2, 5])('maxInFlight %i: so many requests are on their way to one broker', async (maxInFlight) => {
  const kafka = await startKafka({ topics: { orders: { partitions: 10 } } })
  const producer = startProducer(kafka, { maxInFlight })
  await producer.send({ topic: 'orders', partition: 0, value: 'warm' })
  kafka.clearRequests()
  const stall = kafka.stall({ api: 'Produce' })
  const sending: Promise<unknown>[] = []
  for (let partition = 0; partition < 10; partition++) {
    sending.push(producer.send({ topic: 'orders', partition, value: 'x' }))
    await turns(3)
  }
  await kafka.waitForRequest({ api: 'Produce' }, { count: maxInFlight })
  await turns()
  expect(requestsOf(kafka, 'Produce')).toHaveLength(maxInFlight)
  stall.release()
  await Promise.all(sending)
  // What was held back meanwhile went together.
  expect(requestsOf(kafka, 'Produce')).toHaveLength(maxInFlight + 1)
})

it('brokers are served at the same time: one that stalls holds up no other', async () => {
  const kafka = await startKafka({ brokers: 2, topics: { orders: { partitions: 2 } } })
  const producer = startProducer(kafka)
  const slow = kafka.leaderOf('orders', 0)
  using stall = kafka.stall({ api: 'Produce', broker: slow })
  const stalled = producer.send({ topic: 'orders', partition: 0, value: 'slow' })
  await stall.hit()
  for (let i = 0; i < 5; i++) await producer.send({ topic: 'orders', partition: 1, value: String(i) })
  expect(stored(kafka, 'orders')).toEqual(['0', '1', '2', '3', '4'])
  stall.release()
  await stalled
})

describe("a batch over the broker's limit", () => {
  it.each(['0.11', '4'])('Kafka %s: is split until it fits, and loses nothing', async (release) => {
    const kafka = await startKafka({ release, messageMaxBytes: 500, topics: { orders: {} } })
    const producer = startProducer(kafka, { retries: 0 })
    const values = Array.from({ length: 40 }, (_, i) => String(i).padEnd(50, '.'))
    const results = await producer.send(values.map((value) => ({ topic: 'orders', value })))
    expect(stored(kafka, 'orders')).toEqual(values)
    expect(results.map(({ offset }) => Number(offset))).toEqual(values.map((_, i) => i))
    expectNothingHeld(producer)
  })

  it('only the one message that is too large fails', async () => {
    const kafka = await startKafka({ messageMaxBytes: 500, topics: { orders: {} } })
    const producer = startProducer(kafka)
    const values = Array.from({ length: 16 }, (_, i) => (i === 5 ? 'x'.repeat(600) : String(i)))
    const failure = await failureOf(producer.send(values.map((value) => ({ topic: 'orders', value }))))
    expect(outcomes(failure.results).filter((outcome) => typeof outcome === 'string')).toEqual(['MESSAGE_TOO_LARGE'])
    expect(outcomes(failure.results)[5]).toBe('MESSAGE_TOO_LARGE')
    expect(stored(kafka, 'orders')).toEqual(values.filter((_, i) => i !== 5))
    expectNothingHeld(producer)
  })

  it('is split as the answer 18 (RECORD_LIST_TOO_LARGE) asks, too', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { retries: 0 })
    kafka.fail({ api: 'Produce' }, 'RECORD_LIST_TOO_LARGE')
    await producer.send(['1', '2', '3'].map((value) => ({ topic: 'orders', value })))
    expect(stored(kafka, 'orders')).toEqual(['1', '2', '3'])
  })

  it('messages that come meanwhile stay behind both halves', async () => {
    const kafka = await startKafka({ messageMaxBytes: 300, topics: { orders: {} } })
    const producer = startProducer(kafka)
    const stall = kafka.stall({ api: 'Produce' })
    const sending = Array.from({ length: 8 }, (_, i) => producer.send({ topic: 'orders', value: String(i).padEnd(50) }))
    await stall.hit()
    for (let i = 8; i < 12; i++) sending.push(producer.send({ topic: 'orders', value: String(i).padEnd(50) }))
    stall.release()
    await Promise.all(sending)
    expect(stored(kafka, 'orders').map(Number)).toEqual(Array.from({ length: 12 }, (_, i) => i))
  })

  it('of one message fails without another attempt', async () => {
    const kafka = await startKafka({ messageMaxBytes: 300, topics: { orders: {} } })
    const error = await deliveryErrorOf(startProducer(kafka).send({ topic: 'orders', value: 'x'.repeat(400) }))
    expect(error).toMatchObject({ code: 'MESSAGE_TOO_LARGE', attempts: 1 })
    expect(requestsOf(kafka, 'Produce')).toHaveLength(1)
  })
})

describe('throttling', () => {
  it('is honoured from Produce v6 on: the next request waits so long', async () => {
    const sentAt: number[] = []
    const broker = await ScriptedBroker.start({
      partitions: 2,
      produceVersions: [3, 9],
      onProduce: ({ index }, good) => {
        sentAt.push(performance.now())
        return index === 0 ? { ...good, throttleTimeMs: 150 } : good
      },
    })
    const producer = startProducer(broker.address)
    await producer.send({ topic: 'orders', value: '1' })
    await producer.send({ topic: 'orders', value: '2' })
    expect((sentAt[1] as number) - (sentAt[0] as number)).toBeGreaterThanOrEqual(145)
  })

  it('is not honoured before: those brokers have waited themselves', async () => {
    const broker = await ScriptedBroker.start({
      produceVersions: [3, 5],
      onProduce: (_question, good) => ({ ...good, throttleTimeMs: 60_000 }),
    })
    const producer = startProducer(broker.address, { deliveryTimeoutMs: 5_000 })
    for (let i = 0; i < 3; i++) await producer.send({ topic: 'orders', value: '1' })
    expect(broker.produced.map(({ version }) => version)).toEqual([5, 5, 5])
  })

  it('is not cut short by a later answer that asks for none', async () => {
    const sentAt: number[] = []
    const broker = await ScriptedBroker.start({
      partitions: 3,
      onProduce: ({ index }, good) => {
        sentAt.push(performance.now())
        return index === 1 ? { ...good, throttleTimeMs: 200 } : good
      },
    })
    const producer = startProducer(broker.address)
    await producer.send({ topic: 'orders', partition: 0, value: 'warm' })
    const first = producer.send({ topic: 'orders', partition: 0, value: '1' })
    await turns(1)
    const second = producer.send({ topic: 'orders', partition: 1, value: '2' })
    await Promise.all([first, second])
    await producer.send({ topic: 'orders', partition: 2, value: '3' })
    expect(broker.produced).toHaveLength(4)
    expect((sentAt[3] as number) - (sentAt[1] as number)).toBeGreaterThanOrEqual(195)
  })

  it('does not spin a timer', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { deliveryTimeoutMs: 700 })
    kafka.throttle({ api: 'Produce' }, 0x7fffffff)
    await producer.send({ topic: 'orders', value: '1' })
    const before = globalThis.setTimeout
    let timers = 0
    globalThis.setTimeout = ((callback: () => void, ms: number) => {
      timers++
      return before(callback, ms)
    }) as typeof setTimeout
    try {
      expect((await deliveryErrorOf(producer.send({ topic: 'orders', value: '2' }))).code).toBe('DELIVERY_TIMEOUT')
    } finally {
      globalThis.setTimeout = before
    }
    expect(timers).toBeLessThan(10)
  })
})
