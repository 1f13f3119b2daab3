import { describe, expect, test } from 'vitest'
import {
  DeliveryError,
  NotQueuedError,
  Producer,
  QueueFullError,
  SerializationError,
  type DeliveryReport,
  type ProducerOptions,
  type RawData,
} from '../../../src/index.js'
import { EmbeddedKafka } from '../../../src/testing/index.js'

type AsyncOptions = Omit<ProducerOptions<RawData, RawData, 'async'>, 'brokers' | 'type'>

/** An async producer that remembers its reports. */
function asyncProducer(kafka: EmbeddedKafka, options: AsyncOptions = {}) {
  const reports: DeliveryReport[] = []
  const producer = new Producer({
    brokers: kafka.bootstrap,
    type: 'async',
    onDelivery: (report) => reports.push(report),
    ...options,
  })
  return { producer, reports }
}

const values = (reports: readonly DeliveryReport[]) => reports.map(({ message }) => message.value)
const requestsWithMessages = (kafka: EmbeddedKafka) => kafka.requests.filter(({ api }) => api === 'Produce')

describe('when the queue is released', () => {
  test('send resolves before anything is sent, and the fate is reported', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
    const { producer, reports } = asyncProducer(kafka, { lingerMs: 60_000 })
    await using _ = producer
    expect(await producer.send({ topic: 'logs', value: 'a' })).toBeUndefined()
    expect(kafka.requests).toEqual([])
    expect(reports).toEqual([])
    await producer.flush()
    expect(reports).toHaveLength(1)
    const [report] = reports
    expect(report?.metadata?.toJSON()).toMatchObject({ topic: 'logs', partition: 0, offset: '0' })
    expect(report?.error).toBeUndefined()
    expect(report?.attempts).toBe(1)
    expect(report?.message).toEqual({ topic: 'logs', value: 'a' })
    expect(report?.latencyMs).toBeGreaterThan(0)
  })

  test('batches by size: batchMessages messages go without waiting for the time', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
    const { producer, reports } = asyncProducer(kafka, { lingerMs: 60_000, batchMessages: 10 })
    await using _ = producer
    for (let i = 0; i < 25; i++) await producer.send({ topic: 'logs', value: `${i}` })
    await kafka.waitForRecords('logs', 20)
    expect(kafka.records('logs')).toHaveLength(20)
    await producer.flush()
    expect(kafka.records('logs').map(({ value }) => value?.toString())).toEqual(
      Array.from({ length: 25 }, (_, i) => `${i}`),
    )
    expect(reports).toHaveLength(25)
  })

  test('batches by time: what lingers goes lingerMs after the first message', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
    const { producer } = asyncProducer(kafka, { lingerMs: 20 })
    await using _ = producer
    for (const value of ['a', 'b', 'c']) await producer.send({ topic: 'logs', value })
    expect(await kafka.waitForRecords('logs', 3)).toHaveLength(3)
    expect(requestsWithMessages(kafka)).toHaveLength(1)
  })

  test('batches by bytes: a full batch does not wait', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
    const { producer } = asyncProducer(kafka, { lingerMs: 60_000, batchBytes: 1_000 })
    await using _ = producer
    for (let i = 0; i < 10; i++) await producer.send({ topic: 'logs', value: 'x'.repeat(100) })
    expect(await kafka.waitForRecords('logs', 9)).not.toHaveLength(0)
  })

  test('a broker that stalls holds up nobody else', async () => {
    await using kafka = await EmbeddedKafka.start({
      brokers: 2,
      topics: { slow: { partitions: 1 }, quick: { partitions: 1 } },
    })
    kafka.moveLeader('slow', 0, kafka.brokers[0]!.id)
    kafka.moveLeader('quick', 0, kafka.brokers[1]!.id)
    const fault = kafka.stall({ api: 'Produce', topic: 'slow' })
    const { producer } = asyncProducer(kafka, { lingerMs: 1 })
    await using _ = producer
    await producer.send({ topic: 'slow', value: 's' })
    await kafka.waitForRequest((request) => request.api === 'Produce')
    for (let i = 0; i < 100; i++) await producer.send({ topic: 'quick', value: `${i}` })
    expect(await kafka.waitForRecords('quick', 100)).toHaveLength(100)
    expect(kafka.records('slow')).toHaveLength(0)
    fault.release()
    await producer.flush()
    expect(kafka.records('slow')).toHaveLength(1)
  })
})

describe('a full queue', () => {
  async function stalled(options: AsyncOptions) {
    const kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
    const fault = kafka.stall({ api: 'Produce', times: Infinity })
    return { kafka, fault, ...asyncProducer(kafka, { lingerMs: 0, queueMessages: 3, batchMessages: 1, ...options }) }
  }

  test('queue full with time-out 0: QueueFullError at once, and it counts as dropped', async () => {
    const { kafka, fault, producer, reports } = await stalled({ enqueueTimeoutMs: 0 })
    await using _kafka = kafka
    await using _producer = producer
    for (let i = 0; i < 3; i++) await producer.send({ topic: 'logs', value: `${i}` })
    const error = await producer.send({ topic: 'logs', value: 'too much' }).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(QueueFullError)
    expect(error).toMatchObject({ code: 'QUEUE_FULL', retriable: true, refused: [0], taken: [] })
    expect(producer.stats().dropped).toEqual({ logs: 1 })
    fault.release()
    await producer.flush()
    expect(values(reports)).toEqual(['0', '1', '2'])
    expect(kafka.records('logs')).toHaveLength(3)
  })

  test('a list that only partly fits says exactly which messages were taken', async () => {
    const { kafka, fault, producer, reports } = await stalled({ enqueueTimeoutMs: 0 })
    await using _kafka = kafka
    await using _producer = producer
    const list = ['a', 'b', 'c', 'd', 'e'].map((value) => ({ topic: 'logs', value }))
    const error = await producer.send(list).catch((e: unknown) => e)
    expect(error).toMatchObject({ code: 'QUEUE_FULL', refused: [3, 4], taken: [0, 1, 2] })
    fault.release()
    await producer.flush()
    expect(values(reports)).toEqual(['a', 'b', 'c'])
  })

  test('negative: waits for room without limit, first come first served', async () => {
    const { kafka, fault, producer, reports } = await stalled({ enqueueTimeoutMs: -1 })
    await using _kafka = kafka
    await using _producer = producer
    for (let i = 0; i < 3; i++) await producer.send({ topic: 'logs', value: `${i}` })
    const order: number[] = []
    const waiting = [3, 4, 5, 6].map((i) => producer.send({ topic: 'logs', value: `${i}` }).then(() => order.push(i)))
    await kafka.waitForRequest((request) => request.api === 'Produce')
    expect(order).toEqual([])
    expect(producer.stats().queueMessages).toBe(3)
    fault.release()
    await Promise.all(waiting)
    expect(order).toEqual([3, 4, 5, 6])
    await producer.flush()
    expect(values(reports)).toEqual(['0', '1', '2', '3', '4', '5', '6'])
    expect(producer.stats()).toMatchObject({ queueMessages: 0, queueBytes: 0, dropped: {} })
  })

  test('positive: waits that long, then QueueFullError', async () => {
    const { kafka, fault, producer } = await stalled({ enqueueTimeoutMs: 30 })
    await using _kafka = kafka
    await using _producer = producer
    for (let i = 0; i < 3; i++) await producer.send({ topic: 'logs', value: `${i}` })
    await expect(producer.send({ topic: 'logs', value: 'late' })).rejects.toMatchObject({ code: 'QUEUE_FULL' })
    fault.release()
    await producer.flush()
    expect(kafka.records('logs')).toHaveLength(3)
  })

  test('the bound counts bytes of keys, values and headers, queued and in flight together', async () => {
    const { kafka, fault, producer } = await stalled({
      enqueueTimeoutMs: 0,
      queueMessages: 100,
      queueBytes: 100,
      batchBytes: 100,
    })
    await using _kafka = kafka
    await using _producer = producer
    // Of a topic that is not known one message counts as half of the room at the most.
    await producer.partitionsFor('logs')
    await producer.send({ topic: 'logs', key: 'k'.repeat(20), value: 'v'.repeat(20), headers: { h: 'w'.repeat(19) } })
    expect(producer.stats().queueBytes).toBe(60)
    await producer.send({ topic: 'logs', value: 'v'.repeat(40) })
    await expect(producer.send({ topic: 'logs', value: 'v' })).rejects.toMatchObject({ code: 'QUEUE_FULL' })
    fault.release()
    await producer.flush()
    expect(producer.stats().queueBytes).toBe(0)
  })

  test('a signal ends the wait, and only of what is not taken in', async () => {
    const { kafka, fault, producer, reports } = await stalled({ enqueueTimeoutMs: -1 })
    await using _kafka = kafka
    await using _producer = producer
    const controller = new AbortController()
    await producer.send({ topic: 'logs', value: 'a' }, { signal: controller.signal })
    await kafka.waitForRequest((request) => request.api === 'Produce')
    const list = ['b', 'c', 'd'].map((value) => ({ topic: 'logs', value }))
    const sent = producer.send(list, { signal: controller.signal }).catch((e: unknown) => e)
    controller.abort()
    const error = await sent
    expect(error).toBeInstanceOf(NotQueuedError)
    expect(error).toMatchObject({ code: 'ABORTED', refused: [2], taken: [0, 1] })
    fault.release()
    await producer.flush()
    // 'a' is on its way; 'b' and 'c' were taken in, so their fate is reported; 'd' was told by the promise.
    expect(reports.map(({ message, error: cause }) => [message.value, cause?.code])).toEqual(
      expect.arrayContaining([
        ['a', undefined],
        ['b', 'ABORTED'],
        ['c', 'ABORTED'],
      ]),
    )
    expect(reports).toHaveLength(3)
    expect(producer.stats()).toMatchObject({ queueMessages: 0, queueBytes: 0 })
  })
})

describe('the fate of each message', () => {
  test('a failed message is reported with its error, its attempts and whether it may have been written', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
    kafka.fail({ api: 'Produce', topic: 'logs', times: Infinity }, 'NOT_ENOUGH_REPLICAS')
    const { producer, reports } = asyncProducer(kafka, { retryBackoffMs: 1, retries: 2 })
    await using _ = producer
    await producer.send({ topic: 'logs', value: 'x' })
    await producer.flush()
    expect(reports).toHaveLength(1)
    expect(reports[0]?.error).toBeInstanceOf(DeliveryError)
    expect(reports[0]?.error).toMatchObject({ code: 'NOT_ENOUGH_REPLICAS', attempts: 3, mayHaveBeenWritten: false })
    expect(reports[0]?.attempts).toBe(3)
  })

  test("the event 'delivery' tells the same", async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
    await using producer = new Producer({ brokers: kafka.bootstrap, type: 'async' })
    const heard: DeliveryReport[] = []
    producer.on('delivery', (report) => heard.push(report))
    await producer.send([
      { topic: 'logs', value: 'a' },
      { topic: 'logs', value: 'b' },
    ])
    await producer.flush()
    expect(heard.map(({ message, metadata }) => [message.value, metadata?.offset])).toEqual([
      ['a', 0n],
      ['b', 1n],
    ])
  })

  test('a failure that nobody listens for is counted, and nothing is thrown', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
    kafka.fail({ api: 'Produce', topic: 'logs' }, 'INVALID_TIMESTAMP')
    await using producer = new Producer({ brokers: kafka.bootstrap, type: 'async' })
    await producer.send({ topic: 'logs', value: 'x' })
    expect(await producer.flush()).toEqual({ failed: 1 })
    expect(producer.stats()).toMatchObject({ failed: 1, unheardFailures: 1 })
    await producer.send({ topic: 'logs', value: 'y' })
    expect(await producer.flush()).toEqual({ failed: 1 })
    expect(await producer.close()).toEqual({ failed: 1, unsent: [] })
  })

  test('a callback that throws harms nothing', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
    let calls = 0
    await using producer = new Producer({
      brokers: kafka.bootstrap,
      type: 'async',
      onDelivery() {
        calls++
        throw new Error('callback')
      },
    })
    producer.on('delivery', () => {
      throw new Error('listener')
    })
    for (let i = 0; i < 10; i++) await producer.send({ topic: 'logs', value: `${i}` })
    await producer.flush()
    expect(calls).toBe(10)
    expect(kafka.records('logs')).toHaveLength(10)
    expect(producer.stats()).toMatchObject({ acknowledged: 10, throwingCallbacks: 20, queueMessages: 0 })
  })

  test('a callback may send and abort in the midst of a send', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
    const controller = new AbortController()
    const again: Promise<void>[] = []
    const reports: DeliveryReport[] = []
    await using producer: Producer<unknown, unknown, 'async'> = new Producer({
      brokers: kafka.bootstrap,
      type: 'async',
      lingerMs: 0,
      batchMessages: 1,
      partitioner: () => {
        throw new Error('no partition')
      },
      onDelivery(report) {
        reports.push(report)
        if (report.error === undefined || again.length > 0) return
        again.push(producer.send({ topic: 'logs', value: 'again' }))
        controller.abort()
      },
    })
    await producer.send({ topic: 'logs', value: 'first' })
    await producer.flush()
    const list = ['a', 'bad', 'b', 'c'].map((value) => ({
      topic: 'logs',
      value,
      ...(value === 'bad' ? { key: 'asks the partitioner' } : {}),
    }))
    await producer.send(list, { signal: controller.signal }).catch(() => undefined)
    await Promise.all(again)
    await producer.flush()
    const stored = kafka.records('logs').map(({ value }) => String(value))
    expect(stored.filter((value) => value === 'again')).toHaveLength(1)
    expect(new Set(stored).size).toBe(stored.length)
    expect(producer.stats()).toMatchObject({ queueMessages: 0, queueBytes: 0 })
  })

  test('a message whose encoder fails is reported, and the others go on', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
    const encoder = {
      encode(value: unknown) {
        if (value === 'bad') throw new Error('no')
        if (value === 'worse') return Promise.reject(new Error('never'))
        return String(value)
      },
    }
    const { producer, reports } = asyncProducer(kafka, { encoder })
    await using _ = producer
    await producer.send(['a', 'bad', 'b', 'worse', 'c'].map((value) => ({ topic: 'logs', value })))
    await producer.send({ topic: 'logs', value: 'bad' })
    await producer.flush()
    expect(kafka.records('logs').map(({ value }) => value?.toString())).toEqual(['a', 'b', 'c'])
    const failed = reports.filter(({ error }) => error !== undefined)
    expect(values(failed)).toEqual(['bad', 'worse', 'bad'])
    for (const { error } of failed) expect(error?.cause).toBeInstanceOf(SerializationError)
    expect(producer.stats()).toMatchObject({ serializationErrors: 3, queueMessages: 0 })
  })

  test('an async encoder does not change the order', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
    const gates = new Map<string, () => void>()
    const encoder = {
      encode: (value: unknown) =>
        String(value).startsWith('slow')
          ? new Promise<string>((resolve) => gates.set(String(value), () => resolve(String(value))))
          : String(value),
    }
    const { producer } = asyncProducer(kafka, { encoder })
    await using _ = producer
    const sent = ['a', 'slow 1', 'b', 'slow 2', 'c'].map((value) => producer.send({ topic: 'logs', value }))
    gates.get('slow 2')?.()
    gates.get('slow 1')?.()
    await Promise.all(sent)
    await producer.flush()
    expect(kafka.records('logs').map(({ value }) => value?.toString())).toEqual(['a', 'slow 1', 'b', 'slow 2', 'c'])
  })

  test('bytes changed after "queued" are what is sent; with copyBytes they are not', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { shared: { partitions: 1 }, copied: { partitions: 1 } } })
    for (const copyBytes of [false, true]) {
      const topic = copyBytes ? 'copied' : 'shared'
      const { producer } = asyncProducer(kafka, { lingerMs: 60_000, copyBytes })
      const value = Buffer.from('first')
      const key = Buffer.from('key 1')
      const header = Buffer.from('head1')
      await producer.send({ topic, key, value, headers: { h: header } })
      value.write('other')
      key.write('KEY 2')
      header.write('HEAD2')
      await producer.close()
    }
    const text = (topic: string) => {
      const [record] = kafka.records(topic)
      return [record?.key, record?.value, record?.headers[0]?.value].map(String)
    }
    expect(text('shared')).toEqual(['KEY 2', 'other', 'HEAD2'])
    expect(text('copied')).toEqual(['key 1', 'first', 'head1'])
  })

  test('an invalid message is refused at once, and nothing of its call is queued', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
    const { producer, reports } = asyncProducer(kafka)
    await using _ = producer
    await expect(
      producer.send([
        { topic: 'logs', value: 'a' },
        { topic: 'no spaces', value: 'b' },
      ]),
    ).rejects.toMatchObject({ code: 'INVALID_MESSAGE' })
    await producer.flush()
    expect(reports).toEqual([])
    expect(kafka.records('logs')).toEqual([])
  })

  test('a deadline that passes is reported', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
    kafka.stall({ api: 'Produce', times: Infinity })
    const { producer, reports } = asyncProducer(kafka, { deliveryTimeoutMs: 1_500, requestTimeoutMs: 10_000 })
    await producer.send({ topic: 'logs', value: 'x' })
    await producer.flush()
    expect(reports[0]?.error).toMatchObject({ code: 'DELIVERY_TIMEOUT', mayHaveBeenWritten: true, attempts: 1 })
    await producer.close({ timeoutMs: 0 })
  })
})

describe('flush and close', () => {
  test('flush with a time that passes rejects, and the messages go on', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
    const fault = kafka.stall({ api: 'Produce' })
    const { producer, reports } = asyncProducer(kafka)
    await using _ = producer
    await producer.send({ topic: 'logs', value: 'x' })
    await expect(producer.flush({ timeoutMs: 20 })).rejects.toMatchObject({ code: 'FLUSH_TIMEOUT' })
    fault.release()
    await producer.flush({ timeoutMs: 10_000 })
    expect(reports).toHaveLength(1)
  })

  test('flush waits for what was queued before it, not for what comes after', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { first: { partitions: 1 }, later: { partitions: 1 } } })
    const fault = kafka.stall({ api: 'Produce', topic: 'later' })
    const { producer, reports } = asyncProducer(kafka, { lingerMs: 60_000 })
    await using _ = producer
    await producer.send({ topic: 'first', value: 'a' })
    const flushed = producer.flush()
    await flushed
    await producer.send({ topic: 'later', value: 'b' })
    await producer.flush({ timeoutMs: 20 }).catch(() => undefined)
    expect(values(reports)).toEqual(['a'])
    fault.release()
    await producer.flush()
  })

  test('close drains the queue', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 3 } } })
    const { producer, reports } = asyncProducer(kafka, { lingerMs: 60_000 })
    for (let i = 0; i < 5_000; i++) await producer.send({ topic: 'logs', key: `${i % 7}`, value: `${i}` })
    expect(await producer.close()).toEqual({ failed: 0, unsent: [] })
    expect(kafka.records('logs')).toHaveLength(5_000)
    expect(reports.every(({ metadata }) => metadata !== undefined)).toBe(true)
    expect(kafka.connections).toEqual([])
    await expect(producer.send({ topic: 'logs', value: 'late' })).rejects.toMatchObject({ code: 'PRODUCER_CLOSED' })
  })

  test('close with a time bound reports what could not be sent, and resolves with it', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 }, other: { partitions: 1 } } })
    kafka.stall({ api: 'Produce', times: Infinity })
    const { producer, reports } = asyncProducer(kafka, { lingerMs: 0, batchMessages: 1 })
    await producer.send({ topic: 'logs', value: 'in flight' })
    await kafka.waitForRequest((request) => request.api === 'Produce')
    await producer.send({ topic: 'logs', value: 'waiting' })
    const { unsent } = await producer.close({ timeoutMs: 20 })
    expect(unsent.map(({ value }) => value)).toEqual(['in flight', 'waiting'])
    expect(reports.map(({ message, error }) => [message.value, error?.code, error?.mayHaveBeenWritten])).toEqual([
      ['in flight', 'PRODUCER_CLOSED', true],
      ['waiting', 'PRODUCER_CLOSED', false],
    ])
    kafka.releaseFaults()
  })

  test('close during back-pressure refuses those who wait, and reports those who were taken in', async () => {
    await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
    kafka.stall({ api: 'Produce', times: Infinity })
    const { producer, reports } = asyncProducer(kafka, {
      lingerMs: 0,
      queueMessages: 2,
      batchMessages: 1,
      enqueueTimeoutMs: -1,
    })
    await producer.send([
      { topic: 'logs', value: 'a' },
      { topic: 'logs', value: 'b' },
    ])
    const waiting = ['c', 'd'].map((value) => producer.send({ topic: 'logs', value }).catch((e: unknown) => e))
    const { unsent } = await producer.close({ timeoutMs: 20 })
    expect(unsent.map(({ value }) => value)).toEqual(['a', 'b', 'c', 'd'])
    for (const error of await Promise.all(waiting))
      expect(error).toMatchObject({ name: 'DeliveryError', code: 'PRODUCER_CLOSED', mayHaveBeenWritten: false })
    expect(values(reports)).toEqual(['a', 'b'])
    kafka.releaseFaults()
  })

  test('a broker killed with batches on their way: every message is acknowledged once it is back, or reported', async () => {
    await using kafka = await EmbeddedKafka.start({ brokers: 1, topics: { logs: { partitions: 4 } } })
    const [broker] = kafka.brokers
    kafka.cut({ api: 'Produce', times: 2 }, 'before')
    const { producer, reports } = asyncProducer(kafka, { retryBackoffMs: 5, retryBackoffMaxMs: 20 })
    await using _ = producer
    for (let i = 0; i < 500; i++) await producer.send({ topic: 'logs', key: `${i % 10}`, value: `${i}` })
    await kafka.waitForRequest((request) => request.api === 'Produce')
    await kafka.stopBroker(broker!.id)
    for (let i = 500; i < 1_000; i++) await producer.send({ topic: 'logs', key: `${i % 10}`, value: `${i}` })
    await kafka.startBroker(broker!.id)
    await producer.flush()
    expect(reports).toHaveLength(1_000)
    expect(reports.every(({ metadata }) => metadata !== undefined)).toBe(true)
    const byKey = new Map<string, number[]>()
    for (const { key, value } of kafka.records('logs')) {
      const list = byKey.get(String(key)) ?? []
      list.push(Number(value))
      byKey.set(String(key), list)
    }
    for (const list of byKey.values()) expect([...new Set(list)]).toEqual([...new Set(list)].sort((a, b) => a - b))
    expect([...byKey.values()].flatMap((list) => [...new Set(list)])).toHaveLength(1_000)
  })
})

test('what a callback sends comes after what waited for the same metadata', async () => {
  await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
  await using producer = new Producer({
    brokers: kafka.bootstrap,
    type: 'async',
    partitioner: (key) => {
      if (key === 'bad') throw new Error('no place')
      return 0
    },
    onDelivery({ message }) {
      if (message.key === 'bad') void producer.send({ topic: 'logs', key: 'good', value: 'later' })
    },
  })
  await producer.send(['bad', 'good', 'good'].map((key, i) => ({ topic: 'logs', key, value: String(i) })))
  await producer.flush()
  await producer.flush()
  expect(kafka.records('logs').map(({ value }) => value?.toString())).toEqual(['1', '2', 'later'])
})
