/** Async mode while a broker stops answering and comes back: whatever the policy of the full queue, every message is told of. */
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  Producer,
  ProducerConfig,
  QueueFullError,
  type DeliveryReport,
  type ProducerOptions,
  type RawData,
} from '../../../src/index.js'
import { newTopic, release, type Cluster } from '../support/fixture.js'
import { freeze } from '../support/freeze.js'
import { readBack } from '../support/read-back.js'

type AsyncOptions<V> = Omit<ProducerOptions<RawData, V, 'async'>, 'brokers' | 'type'>

export function asyncCases(one: Cluster): void {
  describe('async mode', () => {
    test('a queue drained by close: everything is there, in order, and reported', async () => {
      const topic = newTopic('async-close')
      await one.kafka.createTopic(topic, { partitions: 1 })
      const { producer, reports } = asyncProducer(one, { lingerMs: 60_000 })
      for (let i = 0; i < 20_000; i++) await producer.send({ topic, value: String(i) })
      expect(await producer.close()).toEqual({ failed: 0, unsent: [] })
      const records = await readBack(one.kafka, topic)
      expect(records.map(({ value }) => Number(value))).toEqual(Array.from({ length: 20_000 }, (_, i) => i))
      expect(reports.map(({ metadata }) => metadata?.offset)).toEqual(records.map(({ offset }) => BigInt(offset)))
    })

    test.each([
      ['fail at once', 0],
      ['wait without limit', -1],
      ['wait up to a time', 300],
    ])('a full queue under a broker that stops answering: %s', async (_, enqueueTimeoutMs) => {
      const topic = newTopic('async-full')
      await one.kafka.createTopic(topic, { partitions: 2 })
      const { producer, reports } = asyncProducer(one, {
        enqueueTimeoutMs,
        queueMessages: 500,
        batchMessages: 100,
        lingerMs: 1,
      })
      await producer.send({ topic, key: 'first', value: 'first' })
      await producer.flush()
      const [broker] = one.kafka.brokers
      if (broker === undefined) throw new Error('There is no broker.')
      await freeze(one.kafka, broker.id)
      const refused = new Set<string>()
      const sends = Array.from({ length: 1_000 }, (_unused, i) =>
        producer.send({ topic, key: `k${i % 5}`, value: String(i) }).catch((error: unknown) => {
          expect(error).toBeInstanceOf(QueueFullError)
          refused.add(String(i))
        }),
      )
      // Those that don't wait without limit are refused while the broker still says nothing.
      if (enqueueTimeoutMs >= 0) await Promise.all(sends)
      expect(producer.stats().queueMessages).toBe(500)
      one.kafka.resumeBroker(broker.id)
      await Promise.all(sends)
      await producer.flush()
      expect(refused.size).toBe(enqueueTimeoutMs >= 0 ? 500 : 0)
      expect(producer.stats().dropped).toEqual(refused.size > 0 ? { [topic]: 500 } : {})
      expect(reports).toHaveLength(1 + 1_000 - refused.size)
      expect(reports.every(({ metadata }) => metadata !== undefined)).toBe(true)
      const stored = (await readBack(one.kafka, topic)).map(({ value }) => String(value))
      expect(new Set(stored)).toEqual(
        new Set([
          'first',
          ...Array.from({ length: 1_000 }, (_unused, i) => String(i)).filter((value) => !refused.has(value)),
        ]),
      )
    })

    test('a broker killed with batches on their way: nothing lost, nothing left unreported', async () => {
      const topic = newTopic('async-kill')
      await one.kafka.createTopic(topic, { partitions: 3 })
      const { producer, reports } = asyncProducer(one, { lingerMs: 1 })
      const [broker] = one.kafka.brokers
      if (broker === undefined) throw new Error('There is no broker.')
      let stopping: Promise<void> | undefined
      for (let i = 0; i < 5_000; i++) {
        await producer.send({ topic, key: `k${i % 5}`, value: String(i) })
        if (i === 2_500) stopping = one.kafka.stopBroker(broker.id)
      }
      await stopping
      await one.kafka.startBroker(broker.id)
      await producer.flush()
      expect(reports).toHaveLength(5_000)
      expect(reports.every(({ metadata }) => metadata !== undefined)).toBe(true)
      const stored = new Set((await readBack(one.kafka, topic)).map(({ value }) => Number(value)))
      expect(stored.size).toBe(5_000)
    })

    test('close during back-pressure: what was taken in and what was refused are all told of, and nothing else is there', async () => {
      const topic = newTopic('async-close-full')
      await one.kafka.createTopic(topic, { partitions: 1 })
      const { producer, reports } = asyncProducer(one, {
        enqueueTimeoutMs: -1,
        queueMessages: 100,
        batchMessages: 10,
        lingerMs: 1,
      })
      await producer.send({ topic, value: 'first' })
      await producer.flush()
      const [broker] = one.kafka.brokers
      if (broker === undefined) throw new Error('There is no broker.')
      await freeze(one.kafka, broker.id)
      const refused = new Set<string>()
      const sends = Array.from({ length: 150 }, (_, i) =>
        producer.send({ topic, value: String(i) }).catch(() => refused.add(String(i))),
      )
      await Promise.all(sends.slice(0, 100))
      const { unsent } = await producer.close({ timeoutMs: 50 })
      await Promise.all(sends)
      one.kafka.resumeBroker(broker.id)
      expect(refused.size).toBe(50)
      expect(unsent).toHaveLength(150)
      expect(reports.map(({ error }) => error?.code)).toEqual([
        undefined,
        ...Array.from({ length: 100 }, () => 'PRODUCER_CLOSED'),
      ])
      const sure = new Set(
        reports.filter(({ error }) => error?.mayHaveBeenWritten === false).map(({ message }) => message.value),
      )
      const stored = (await readBack(one.kafka, topic)).map(({ value }) => String(value))
      for (const value of stored) expect([refused.has(value), sure.has(value)]).toEqual([false, false])
      expect(stored[0]).toBe('first')
    })

    test('an encoder that throws, a callback that throws, an abort: every other message arrives, and each is told of', async () => {
      const topic = newTopic('async-odd')
      await one.kafka.createTopic(topic, { partitions: 2 })
      const told = new Map<unknown, string>()
      const { producer } = asyncProducer(one, {
        encoder: {
          encode: (value: unknown) => {
            if (Number(value) % 10 === 3) throw new Error('no such number')
            return String(value)
          },
        },
        onDelivery({ message, error }) {
          told.set(message.value, error?.code ?? 'stored')
          throw new Error('callback')
        },
      })
      const controller = new AbortController()
      for (let i = 0; i < 1_000; i++) await producer.send({ topic, key: `k${i % 5}`, value: i })
      await producer.send(
        Array.from({ length: 100 }, (_, i) => ({ topic, value: 2_000 + i })),
        { signal: controller.signal },
      )
      controller.abort()
      await producer.flush()
      expect(told.size).toBe(1_100)
      const stored = new Set((await readBack(one.kafka, topic)).map(({ value }) => Number(value)))
      expect(stored).toEqual(new Set([...told].filter(([, code]) => code === 'stored').map(([value]) => value)))
      expect([...told].filter(([, code]) => code === 'SERIALIZATION_FAILED').map(([value]) => value)).toHaveLength(110)
      expect(stored.size).toBeGreaterThanOrEqual(900)
      expect(producer.stats()).toMatchObject({ queueMessages: 0, queueBytes: 0 })
    })
  })
}

function asyncProducer<V = RawData>(one: Cluster, options: AsyncOptions<V>) {
  const reports: DeliveryReport<RawData, V>[] = []
  const told = release.name === '0.9' ? { brokerVersion: '0.9' } : {}
  const config = new ProducerConfig<RawData, V, 'async'>({
    brokers: one.kafka.bootstrap,
    type: 'async',
    onDelivery: (report) => reports.push(report),
    ...told,
    ...options,
  })
  const producer = new Producer(config)
  onTestFinished(async () => {
    await producer.close({ timeoutMs: 0 })
  })
  return { producer, reports }
}
