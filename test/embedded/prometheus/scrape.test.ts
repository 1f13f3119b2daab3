import { gunzipSync, gzipSync } from 'node:zlib'
import { register as defaultRegistry, Counter, Registry, type OpenMetricsContentType } from 'prom-client'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { Producer, type ProducerOptions, type ProducerStats } from '../../../src/index.js'
import { collectProducerMetrics } from '../../../src/prometheus/index.js'
import type { BrokerStatus, EmbeddedKafka } from '../../../src/testing/index.js'
import { revoked } from '../../support/revoked.js'
import { startKafka } from '../support/cluster.js'
import { deadAddress, errorOf, startProducer, until } from '../support/producers.js'
import { startTransactional } from '../support/transactional.js'

/* What Prometheus reads is what stats() tells, under names and in units that are Prometheus' own. */

/** The samples of a page: what stands before the value, and the value. */
function samplesOf(page: string): Map<string, number> {
  const lines = page.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => line.split(/ (?=\S+$)/)).map(([name, value]) => [name as string, Number(value)]))
}

async function scrape(registry: { metrics(): Promise<string> }): Promise<Map<string, number>> {
  return samplesOf(await registry.metrics())
}

const nameOf = (sample: string): string => sample.replace(/\{.*/, '')

/** One that has known everything that is counted; it is told to nobody what failed. */
async function livedThrough(kafka: EmbeddedKafka): Promise<Producer<unknown, unknown, 'async'>> {
  let compressed = 0
  const options: ProducerOptions<string, string, 'async'> = {
    brokers: kafka.bootstrap,
    clientId: 'shop',
    type: 'async',
    lingerMs: 0,
    retryBackoffMs: 5,
    queueMessages: 3,
    enqueueTimeoutMs: 0,
    compression: 'gzip',
    codecs: [
      {
        name: 'gzip',
        id: 1,
        compress(bytes) {
          if (compressed++ === 0) throw new Error('the first one never works')
          return gzipSync(bytes)
        },
        decompress: (bytes) => gunzipSync(bytes),
      },
    ],
    encoder: {
      encode(value) {
        if (value === 'bad') throw new Error('nothing can be made of it')
        return value
      },
    },
    interceptors: [
      {
        onAcknowledgement() {
          throw new Error('of no use')
        },
      },
    ],
  }
  const producer = new Producer(options)
  onTestFinished(async () => void (await producer.close({ timeoutMs: 0 })))
  producer.on('warning', () => undefined)
  kafka.fail({ api: 'Produce', times: 2 }, 'NOT_ENOUGH_REPLICAS')
  kafka.throttle({ api: 'Produce', times: 1 }, 20)
  await producer.send({ topic: 'orders', value: 'x'.repeat(10_000) })
  await producer.flush()
  await producer.send({ topic: 'orders', value: 'y'.repeat(10_000) })
  await producer.flush()
  await producer.send({ topic: 'orders', value: 'bad' })
  await producer.flush()
  kafka.fail({ api: 'Produce', times: 1 }, 'TOPIC_AUTHORIZATION_FAILED')
  await producer.send({ topic: 'logs', value: '1' })
  await producer.flush()
  const five = ['1', '2', '3', '4', '5'].map((value) => ({ topic: 'logs', value }))
  await errorOf(producer.send(five))
  await producer.flush()
  return producer
}

describe('a page for Prometheus', () => {
  it('has all that stats() tells, in seconds and bytes', async () => {
    const kafka = await startKafka({ topics: { orders: {}, logs: {} } })
    const registry = new Registry()
    const producer = await livedThrough(kafka)
    collectProducerMetrics(producer, { register: registry })
    const samples = await scrape(registry)
    const stats = producer.stats()
    const broker = stats.brokers[kafka.bootstrap]
    if (broker === undefined) throw new Error('no such broker')
    const expected: Record<string, number> = {
      messages_total: stats.messages,
      message_bytes_total: stats.bytes,
      acknowledged_messages_total: stats.acknowledged,
      failed_messages_total: stats.failed,
      'topic_messages_total,topic="orders"': 2,
      'topic_bytes_total,topic="orders"': stats.topics['orders']?.bytes.count as number,
      dropped_messages_total: 2,
      'topic_dropped_messages_total,topic="logs"': 2,
      'retries_total,code="NOT_ENOUGH_REPLICAS"': 2,
      [`requests_total,broker="${kafka.bootstrap}"`]: broker.requests.count,
      batch_plain_bytes_total: stats.plainBytes,
      batch_wire_bytes_total: stats.wireBytes,
      connections_opened_total: 2,
      serialization_errors_total: 1,
      unheard_failures_total: stats.unheardFailures,
      throwing_callbacks_total: stats.throwingCallbacks,
      codec_failures_total: 1,
      queue_messages: 0,
      queue_limit_messages: 3,
      queue_limit_bytes: producer.config.queueBytes,
      not_idempotent: 0,
      [`request_duration_seconds_count,broker="${kafka.bootstrap}"`]: broker.requestTimeMs.count,
      [`request_duration_seconds,broker="${kafka.bootstrap}",quantile="0.99"`]: broker.requestTimeMs.p99 / 1_000,
      [`request_size_bytes,broker="${kafka.bootstrap}",quantile="0.5"`]: broker.requestBytes.p50,
      'batch_size_messages,quantile="0.999"': stats.batchMessages.p999,
      'batch_size_bytes,quantile="0.95"': stats.batchBytes.p95,
      queue_time_seconds_count: stats.queueTimeMs.count,
      record_age_seconds_sum: Math.round(stats.ageMs.mean * stats.ageMs.count * 1_000) / 1_000_000,
      throttle_time_seconds_count: 1,
      throttle_time_seconds_sum: 0.02,
    }
    const found = Object.keys(expected).map((name) => {
      const [metric, ...labels] = name.split(',')
      return [name, samples.get(`kafka_producer_${metric}{${['client_id="shop"', ...labels].join(',')}}`)] as const
    })
    expect(Object.fromEntries(found)).toEqual(expected)
    expect(stats.wireBytes).toBeLessThan(stats.plainBytes)
    for (const count of [stats.failed, stats.unheardFailures, stats.throwingCallbacks]) expect(count).toBeGreaterThan(0)
  })

  it('has one statistic for each metric: none that never is anything but 0', async () => {
    const kafka = await startKafka({ topics: { orders: {}, logs: {} } })
    const registry = new Registry()
    const unlucky = startProducer(await deadAddress(), { clientId: 'unlucky', acks: 1 })
    await errorOf(unlucky.connect({ timeoutMs: 1_000 }))
    const late = startProducer(kafka, { clientId: 'late', acks: 1 })
    await late.send({ topic: 'orders', value: '1' })
    const [{ id }] = kafka.brokers as [BrokerStatus]
    kafka.dropConnections(id)
    await until(() => late.stats().connections.closed > 0, 'the connection is known to have ended')
    const producer = await livedThrough(kafka)
    kafka.pauseBroker(id)
    const waiting = late.send({ topic: 'orders', value: '2' })
    for (const one of [producer, unlucky, late]) collectProducerMetrics(one, { register: registry })
    const samples = await scrape(registry)
    kafka.resumeBroker(id)
    await waiting
    const told = [...samples].filter(([, value]) => value > 0).map(([sample]) => nameOf(sample))
    expect(new Set([...samples.keys()].map(nameOf))).toEqual(new Set(told))
    expect(new Set(told).size).toBeGreaterThan(35)
  })

  it('tells of brokers that find nothing twice for one topic alone', async () => {
    const config = { 'message.format.version': '0.10.2' }
    const kafka = await startKafka({ release: '2.8', topics: { orders: {}, old: { config } } })
    const registry = new Registry()
    const producer = startProducer(kafka, { clientId: 'shop' })
    producer.on('warning', () => undefined)
    collectProducerMetrics(producer, { register: registry })
    const told = async () => (await scrape(registry)).get('kafka_producer_not_idempotent{client_id="shop"}')
    await producer.send({ topic: 'orders', value: '1' })
    expect(await told()).toBe(0)
    await producer.send({ topic: 'old', value: '2' })
    expect(producer.stats()).toMatchObject({ idempotent: true, notIdempotentTopics: ['old'] })
    expect(await told()).toBe(1)
  })

  it('is made of one reading of the statistics', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const registry = new Registry()
    const producer = startProducer(kafka)
    let readings = 0
    collectProducerMetrics(
      {
        config: producer.config,
        stats: (): ProducerStats => {
          readings++
          return producer.stats()
        },
      },
      { register: registry },
    )
    await registry.metrics()
    expect(readings).toBe(1)
    await producer.send({ topic: 'orders', value: '1' })
    expect((await scrape(registry)).get('kafka_producer_messages_total{client_id="kafka-producer"}')).toBe(1)
    expect(readings).toBe(2)
  })

  it('names no more than 1,000 topics, whatever topics messages are for', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const registry = new Registry()
    const producer = startProducer(kafka, { queueMessages: 1, enqueueTimeoutMs: 0 })
    collectProducerMetrics(producer, { register: registry })
    const first = producer.send({ topic: 'orders', value: '1' })
    for (let i = 0; i < 1_100; i++) void producer.send({ topic: `topic-${i}`, value: '' }).catch(() => undefined)
    await first
    const dropped = [...(await scrape(registry))].filter(
      ([sample]) => nameOf(sample) === 'kafka_producer_topic_dropped_messages_total',
    )
    expect(dropped.length).toBeLessThanOrEqual(1_001)
    expect(dropped.reduce((sum, [, count]) => sum + count, 0)).toBe(1_100)
    expect(dropped.find(([sample]) => sample.includes('topic="*"'))?.[1]).toBeGreaterThanOrEqual(99)
  })
})

describe('several producers', () => {
  it('are told apart by their client ids; those of one are added up, and the worse quantile told', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const registry = new Registry()
    const clientIds = ['a', 'b', 'b']
    const producers = clientIds.map((clientId) => startProducer(kafka, { clientId }))
    for (const producer of producers) collectProducerMetrics(producer, { register: registry })
    for (const [i, producer] of producers.entries())
      await producer.send(Array.from({ length: i + 1 }, () => ({ topic: 'orders', value: 'x'.repeat(100 * (i + 1)) })))
    const samples = await scrape(registry)
    const ofEach = (name: string, labels = '') =>
      ['a', 'b'].map((id) => samples.get(`kafka_producer_${name}{client_id="${id}"${labels}}`))
    expect(ofEach('messages_total')).toEqual([1, 5])
    expect(ofEach('topic_messages_total', ',topic="orders"')).toEqual([1, 5])
    expect(ofEach('queue_limit_messages')).toEqual([500_000, 1_000_000])
    expect(ofEach('batch_size_messages_count')).toEqual([1, 2])
    expect(ofEach('batch_size_messages_sum')).toEqual([1, 5])
    expect(ofEach('batch_size_messages', ',quantile="0.5"')).toEqual([1, 3])
  })

  it('are in until whoever put them in has taken them out, and one that was given twice is counted once', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const registry = new Registry()
    const producer = startProducer(kafka)
    const stop = collectProducerMetrics(producer, { register: registry })
    const stopToo = collectProducerMetrics(producer, { register: registry })
    await producer.send({ topic: 'orders', value: '1' })
    await producer.close()
    const name = 'kafka_producer_acknowledged_messages_total{client_id="kafka-producer"}'
    expect((await scrape(registry)).get(name)).toBe(1)
    stop()
    stop()
    expect((await scrape(registry)).get(name)).toBe(1)
    stopToo()
    expect(await scrape(registry)).toEqual(new Map())
  })

  it('keep nothing of one that is taken out, and the last of its client id', async () => {
    const registry = new Registry()
    const stopOf = (clientId: string) =>
      collectProducerMetrics(startProducer('127.0.0.1:9', { clientId }), { register: registry })
    const stop = stopOf('gone')
    stopOf('other')
    stop()
    const names = [...(await scrape(registry)).keys()]
    expect(names.length).toBeGreaterThan(0)
    expect(names.filter((name) => !name.includes('client_id="other"'))).toEqual([])
  })

  it('of one client id have the quantiles of those that have measured something', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const registry = new Registry()
    const producers = [startProducer(kafka), startProducer(kafka), startProducer(kafka)]
    const stops = producers.map((producer) => collectProducerMetrics(producer, { register: registry }))
    const quantiles = async () =>
      [...(await scrape(registry))].filter(([name]) =>
        /^kafka_producer_record_age_seconds\{.*quantile="0.5"/.test(name),
      )
    expect(await quantiles()).toEqual([])
    await producers[1]?.send({ topic: 'orders', value: '1' })
    const p50 = Number(producers[1]?.stats().ageMs.p50) / 1_000
    expect(p50).toBeGreaterThan(0)
    const name = 'kafka_producer_record_age_seconds{client_id="kafka-producer",quantile="0.5"}'
    expect(await quantiles()).toEqual([[name, p50]])
    stops[2]?.()
    expect(await quantiles()).toEqual([[name, p50]])
  })

  it('of one client id never count less when one of them is taken out, nor more when it is put in again', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const registry = new Registry()
    const one = startProducer(kafka)
    const other = startProducer(kafka)
    const stop = collectProducerMetrics(one, { register: registry })
    const stopOther = collectProducerMetrics(other, { register: registry })
    await one.send([1, 2, 3].map((value) => ({ topic: 'orders', value: String(value) })))
    await other.send({ topic: 'orders', value: '4' })
    const both = await scrape(registry)
    const grows = (sample: string) => /_total\{|_count\{|_sum\{/.test(sample)
    const growing = (samples: Map<string, number>) => [...samples].filter(([sample]) => grows(sample))
    await one.close()
    const atTheEnd = growing(await scrape(registry))
    stop()
    const left = await scrape(registry)
    expect(growing(left)).toEqual(atTheEnd)
    const sample = (name: string, label = '') => `kafka_producer_${name}{client_id="kafka-producer"${label}}`
    expect(left.get(sample('topic_messages_total', ',topic="orders"'))).toBe(4)
    expect(left.get(sample('batch_size_messages_sum'))).toBe(4)
    expect([both, left].map((samples) => samples.get(sample('queue_limit_messages')))).toEqual([1_000_000, 500_000])
    expect([both, left].map((samples) => samples.get(sample('batch_size_messages', ',quantile="0.5"')))).toEqual([3, 1])
    const stopAgain = collectProducerMetrics(one, { register: registry })
    expect(growing(await scrape(registry))).toEqual(atTheEnd)
    stopAgain()
    expect(growing(await scrape(registry))).toEqual(atTheEnd)
    stopOther()
    expect(await scrape(registry)).toEqual(new Map())
    collectProducerMetrics(other, { register: registry })
    expect((await scrape(registry)).get(sample('acknowledged_messages_total'))).toBe(1)
  })

  it('have sums that shrink not by their last digit, in whatever order they are taken out and put in', async () => {
    const registry = new Registry()
    const stats = startProducer('127.0.0.1:9').stats()
    const config = { clientId: 'shop', queueMessages: 1, queueBytes: 1 }
    const producers = Array.from({ length: 12 }, (_, index) => {
      const ageMs = { ...stats.ageMs, count: 3, mean: 100.1 * (index + 1) }
      return { config, stats: () => ({ ...stats, ageMs }) }
    })
    const sum = async () => (await scrape(registry)).get('kafka_producer_record_age_seconds_sum{client_id="shop"}') ?? 0
    const stops = producers.map((producer) => collectProducerMetrics(producer, { register: registry }))
    const all = await sum()
    expect(all).toBeCloseTo(0.3003 * 78, 9)
    for (const index of [5, 1, 9, 2, 11, 7, 3]) {
      stops[index]?.()
      expect(await sum()).toBe(all)
    }
    for (const index of [2, 11, 5, 9]) {
      collectProducerMetrics(producers[index] as (typeof producers)[0], { register: registry })
      expect(await sum()).toBe(all)
    }
  })

  it('that are taken out leave no more names than one has', async () => {
    const kafka = await startKafka()
    const registry = new Registry()
    collectProducerMetrics(startProducer(kafka), { register: registry })
    for (let i = 0; i < 2; i++) {
      const { config } = startProducer(kafka)
      const topics = Array.from({ length: 600 }, (_, topic) => [`${i}-${topic}`, { messages: { count: 1 } }] as const)
      const none = startProducer(kafka).stats()
      const stats = () => {
        const ofTopics = topics.map(([name, { messages }]) => [name, { ...none.allTopics, messages }])
        return { ...none, topics: Object.fromEntries(ofTopics) } as ProducerStats
      }
      collectProducerMetrics({ config, stats }, { register: registry })()
    }
    const samples = [...(await scrape(registry))].filter(([name]) =>
      name.startsWith('kafka_producer_topic_messages_total'),
    )
    expect(samples).toHaveLength(1_001)
    expect(samples.reduce((sum, [, count]) => sum + count, 0)).toBe(1_200)
  })

  it('of one client id never count less when one of them keeps no figures of a topic any more', async () => {
    const kafka = await startKafka()
    const registry = new Registry()
    const { config } = startProducer(kafka)
    const none = startProducer(kafka).stats()
    const counts: Record<string, number>[] = [{ orders: 100, logs: 1 }, { orders: 50 }]
    for (const index of counts.keys()) {
      const stats = () => {
        const ofTopics = Object.entries(counts[index] ?? {}).map(([name, count]) => {
          const { messages } = none.allTopics
          return [name, { ...none.allTopics, messages: { ...messages, count } }]
        })
        return { ...none, topics: Object.fromEntries(ofTopics) } as ProducerStats
      }
      collectProducerMetrics({ config, stats }, { register: registry })
    }
    const sample = 'kafka_producer_topic_messages_total{client_id="kafka-producer",topic="orders"}'
    expect((await scrape(registry)).get(sample)).toBe(150)
    counts[0] = { logs: 2 }
    counts[1] = { orders: 51 }
    expect((await scrape(registry)).get(sample)).toBe(151)
    counts[0] = { logs: 2, orders: 3 }
    expect((await scrape(registry)).get(sample)).toBe(154)
    // Made way and came back between two scrapes, as where many topics are sent to once an hour.
    counts[0] = { logs: 2, orders: 1 }
    expect((await scrape(registry)).get(sample)).toBe(155)
  })

  it('may be transactional', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const registry = new Registry()
    const producer = startTransactional(kafka, { clientId: 'tx' })
    collectProducerMetrics(producer, { register: registry })
    await producer.transaction((tx) => tx.send({ topic: 'orders', value: '1' }))
    const samples = await scrape(registry)
    expect(samples.get('kafka_producer_topic_messages_total{client_id="tx",topic="orders"}')).toBe(1)
    expect(samples.get('kafka_producer_queue_limit_messages{client_id="tx"}')).toBe(500_000)
  })
})

describe('the registry', () => {
  it("is prom-client's own where none is given, and after its clear() has only what comes then", async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    onTestFinished(() => defaultRegistry.clear())
    collectProducerMetrics(startProducer(kafka, { clientId: 'before' }))
    expect(await defaultRegistry.metrics()).toContain('kafka_producer_messages_total{client_id="before"} 0')
    defaultRegistry.clear()
    collectProducerMetrics(startProducer(kafka, { clientId: 'after' }))
    const page = await defaultRegistry.metrics()
    expect(page).toContain('kafka_producer_messages_total{client_id="after"} 0')
    expect(page).not.toContain('"before"')
  })

  it('is the same where a process has this package twice, as ECMAScript modules and as CommonJS', async () => {
    const kafka = await startKafka()
    const registry = new Registry()
    vi.resetModules()
    const other = await import('../../../src/prometheus/index.js')
    expect(other.collectProducerMetrics).not.toBe(collectProducerMetrics)
    collectProducerMetrics(startProducer(kafka, { clientId: 'one' }), { register: registry })
    other.collectProducerMetrics(startProducer(kafka, { clientId: 'other' }), { register: registry })
    const samples = await scrape(registry)
    expect(['one', 'other'].map((id) => samples.get(`kafka_producer_messages_total{client_id="${id}"}`))).toEqual([
      0, 0,
    ])
  })

  it('may write OpenMetrics', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const registry = new Registry<OpenMetricsContentType>()
    registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
    collectProducerMetrics(startProducer(kafka), { register: registry })
    const page = await registry.metrics()
    expect(page).toContain('# TYPE kafka_producer_messages counter')
    expect(page).toContain('kafka_producer_messages_total{client_id="kafka-producer"} 0')
    expect(page).toMatch(/# EOF\n$/)
  })

  it('is not half filled where it has another metric of these names', async () => {
    const kafka = await startKafka()
    const registry = new Registry()
    new Counter({ name: 'kafka_producer_messages_total', help: "Somebody else's.", registers: [registry] })
    expect(() => collectProducerMetrics(startProducer(kafka), { register: registry })).toThrow(
      'kafka_producer_messages_total has already been registered',
    )
    expect(registry.getMetricsAsArray()).toHaveLength(1)
  })

  it('is not half filled where only a metric that would come late is there, and filled once that is gone', async () => {
    const kafka = await startKafka()
    const registry = new Registry()
    const name = 'kafka_producer_throttle_time_seconds'
    new Counter({ name, help: "Somebody else's.", registers: [registry] })
    const producer = startProducer(kafka)
    expect(() => collectProducerMetrics(producer, { register: registry })).toThrow(
      `${name} has already been registered`,
    )
    expect(registry.getMetricsAsArray()).toHaveLength(1)
    registry.removeSingleMetric(name)
    collectProducerMetrics(producer, { register: registry })
    expect((await scrape(registry)).get('kafka_producer_messages_total{client_id="kafka-producer"}')).toBe(0)
  })
})

describe('what is given in a way that would put the metrics where nobody looks', () => {
  it.each<[string, unknown, unknown, string]>([
    [
      'a promise of options',
      producer(),
      Promise.resolve({ register: new Registry() }),
      'the options must be an object',
    ],
    ['a Map of options', producer(), new Map([['register', new Registry()]]), 'the options must be an object'],
    ['a producer that can’t be read', revoked({}), undefined, "producer can't be read"],
    ['options that can’t be read', producer(), revoked({}), "the options can't be read"],
    ['a registry that can’t be read', producer(), { register: revoked({}) }, "register can't be read"],
    ['a registry alone', producer(), new Registry(), "options: there is no option '"],
    ['another name', producer(), { registry: new Registry() }, "options: there is no option 'registry' of this call"],
    ['no registry', producer(), { register: 'default' }, 'register: given was a string'],
    ['null', producer(), null, 'options: given was null'],
    ['no producer', undefined, {}, 'producer: given was undefined'],
    ['a list of producers', [producer()], {}, 'producer: given was an object (Array)'],
    ['what only has figures', { stats: () => producer().stats() }, {}, 'producer: given was an object (Object)'],
  ])('is refused: %s', (_, given, options, text) => {
    expect(() => collectProducerMetrics(given as never, options as never)).toThrow(
      expect.objectContaining({ code: 'INVALID_CONFIG', message: expect.stringContaining(text) }),
    )
  })

  function producer(): Producer {
    return new Producer({ brokers: 'localhost:1' })
  }
})
