import { tracingChannel } from 'node:diagnostics_channel'
import { describe, expect, it, onTestFinished } from 'vitest'
import { TransactionalProducer, type Producer, type RequestTrace } from '../../../src/index.js'
import { canDecompress } from '../../../src/testing/decompress.js'
import type { ClientMetricsSubscription, EmbeddedKafka } from '../../../src/testing/index.js'
import { readMetricsData, type ReadMetric } from '../../support/otlp.js'
import { startKafka } from '../support/cluster.js'
import { requestsOf, startProducer, turns, until } from '../support/producers.js'

/* Metrics go to a cluster that has subscribed to them (KIP-714), and harm nothing whatever it answers. */

const PREFIX = 'org.apache.kafka.producer.'
const NAMES = [
  'connection.creation.rate',
  'connection.creation.total',
  'node.request.latency.avg',
  'node.request.latency.max',
  'produce.throttle.time.avg',
  'produce.throttle.time.max',
  'record.queue.time.avg',
  'record.queue.time.max',
].map((name) => PREFIX + name)
/** Of single brokers. */
const NODE_NAMES = NAMES.filter((name) => name.includes('.node.'))
const t = { topic: 't', value: 'x' }
/** The shortest that there is. */
const OFTEN = { intervalMs: 100 } as const

function startSubscribed(clientMetrics: ClientMetricsSubscription = {}, brokers = 1): Promise<EmbeddedKafka> {
  return startKafka({ topics: { t: {} }, brokers, clientMetrics: { ...OFTEN, ...clientMetrics } })
}

/** The metrics of the push of that number, counted from 1. */
async function pushed(kafka: EmbeddedKafka, count: number): Promise<ReadMetric[]> {
  await until(() => kafka.receivedMetrics.length >= count, `${count} pushes`)
  return readMetricsData(kafka.receivedMetrics[count - 1]?.data as Buffer)
}

/** The metrics of the first push that has these: of what nothing is known yet, as before the first answer, none are. */
async function pushedWith(kafka: EmbeddedKafka, names: readonly string[], subscriptionId = 1): Promise<ReadMetric[]> {
  const find = () =>
    kafka.receivedMetrics
      .filter((push) => push.subscriptionId === subscriptionId)
      .map(({ data }) => readMetricsData(data))
      .find((metrics) => namesIn(metrics).join() === names.join())
  await until(() => find() !== undefined, `a push with ${names.join(', ')}`)
  return find() as ReadMetric[]
}

const namesIn = (metrics: readonly ReadMetric[]) => metrics.map(({ name }) => name).toSorted()
const valueOf = (metrics: readonly ReadMetric[], name: string) =>
  metrics.find((metric) => metric.name === PREFIX + name)?.points[0]?.value ?? NaN

function asked(kafka: EmbeddedKafka): number {
  return requestsOf(kafka, 'GetTelemetrySubscriptions').length
}

/** Sends until it is told to stop, so that each push has something to tell. */
async function whileSending<T>(producer: Producer, work: () => Promise<T>): Promise<T> {
  let isDone = false
  const sending = (async () => {
    while (!isDone) {
      await producer.send(t)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  })()
  try {
    return await work()
  } finally {
    isDone = true
    await sending
  }
}

describe('what is pushed', () => {
  it('has the metrics that KIP-714 requires, each of its kind, and broker ids as labels', async () => {
    const kafka = await startSubscribed()
    const producer = startProducer(kafka, { clientId: 'shop' })
    const metrics = await whileSending(producer, () => pushedWith(kafka, NAMES))
    const total = metrics.find(({ name }) => name === `${PREFIX}connection.creation.total`)
    expect(total).toMatchObject({ kind: 'delta', isMonotonic: true })
    for (const { name, kind, points } of metrics) {
      expect(kind).toBe(name.endsWith('.total') ? 'delta' : 'gauge')
      expect(points).toHaveLength(1)
      expect(points[0]?.value).toBeGreaterThanOrEqual(0)
      expect(points[0]?.attributes).toEqual(NODE_NAMES.includes(name) ? { node_id: 'node-1' } : {})
    }
    expect(valueOf(metrics, 'node.request.latency.avg')).toBeGreaterThan(0)
    expect(valueOf(metrics, 'node.request.latency.max')).toBeGreaterThanOrEqual(
      valueOf(metrics, 'node.request.latency.avg'),
    )
    const [push] = kafka.receivedMetrics
    expect(push).toMatchObject({ clientId: 'shop', terminating: false })
    expect(push?.clientInstanceId).toBe(producer.stats().clientInstanceId)
  })

  it('counts connections from push to push, or from the start, as the cluster wants it', async () => {
    for (const deltaTemporality of [true, false]) {
      const kafka = await startSubscribed({ deltaTemporality })
      const producer = startProducer(kafka)
      await producer.send(t)
      await pushed(kafka, 2)
      kafka.cut({ api: 'Produce' })
      await producer.send(t)
      await producer.close()
      const totals = kafka.receivedMetrics.map(({ data }) =>
        readMetricsData(data).find(({ name }) => name === `${PREFIX}connection.creation.total`),
      )
      const values = totals.map((metric) => metric?.points[0]?.value ?? NaN)
      const { opened } = producer.stats().connections
      expect(opened).toBeGreaterThan(2)
      expect(deltaTemporality ? values.reduce((sum, value) => sum + value) : values.at(-1)).toBe(opened)
      const starts = totals.map((metric) => metric?.points[0]?.start ?? NaN)
      const times = totals.map((metric) => metric?.points[0]?.time ?? NaN)
      if (deltaTemporality) expect(starts.slice(1)).toEqual(times.slice(0, -1))
      else expect(new Set(starts).size).toBe(1)
    }
  })

  it('has the longest throttling, averaged over all answers', async () => {
    const kafka = await startSubscribed()
    const producer = startProducer(kafka)
    await producer.send(t)
    kafka.throttle({ api: 'Produce' }, 40)
    await producer.send(t)
    await producer.close()
    const all = kafka.receivedMetrics.map(({ data }) => readMetricsData(data))
    expect(
      Math.max(...all.map((metrics) => valueOf(metrics, 'produce.throttle.time.max')).filter(Number.isFinite)),
    ).toBe(40)
    for (const metrics of all) {
      const average = valueOf(metrics, 'produce.throttle.time.avg')
      if (Number.isFinite(average)) expect(average).toBeLessThanOrEqual(40)
    }
  })

  it('is only what is asked for, by the beginning of its name', async () => {
    const kafka = await startSubscribed({ metrics: ['org.apache.kafka.consumer.', `${PREFIX}record.`] })
    const wanted = NAMES.filter((name) => name.includes('.record.'))
    await whileSending(startProducer(kafka), () => pushedWith(kafka, wanted))
    for (const { data } of kafka.receivedMetrics)
      expect(wanted).toEqual(expect.arrayContaining(namesIn(readMetricsData(data))))
  })

  it.each([
    [[1], 1],
    [[2], 2],
    [[3], 3],
    [[99, 1], 1],
    [[0, 1], 0],
    [[], 0],
    [[4, 3].filter(canDecompress), canDecompress(4) ? 4 : 3],
  ])('of the codecs %j it has number %d', async (compression, expected) => {
    const kafka = await startSubscribed({ compression })
    const producer = startProducer(kafka)
    await producer.send(t)
    expect(namesIn(await pushed(kafka, 1))).toContain(`${PREFIX}connection.creation.total`)
    expect(kafka.receivedMetrics[0]?.compression).toBe(expected)
  })

  it('goes out for the last time when the producer closes, and says so; of a transactional one, too', async () => {
    const kafka = await startKafka({ topics: { t: {} }, clientMetrics: { intervalMs: 3_600_000 } })
    const producer = startProducer(kafka)
    await producer.send(t)
    await until(() => producer.stats().clientInstanceId !== undefined, 'it is asked')
    await producer.close()
    expect(kafka.receivedMetrics).toMatchObject([{ terminating: true }])
    const other = new TransactionalProducer({ brokers: kafka.bootstrap, transactionalId: 'tx' })
    await other.transaction((tx) => tx.send(t))
    await until(() => other.stats().clientInstanceId !== undefined, 'it is asked')
    await other.close()
    expect(kafka.receivedMetrics[1]).toMatchObject({
      terminating: true,
      clientInstanceId: other.stats().clientInstanceId,
    })
  })

  it('goes out for the last time on a new connection, where the one that was asked on was idle and is gone', async () => {
    const kafka = await startKafka({ topics: { t: {} }, clientMetrics: { intervalMs: 3_600_000 } })
    const producer = startProducer(kafka, { connectionsMaxIdleMs: 50 })
    await producer.send(t)
    await until(() => producer.stats().clientInstanceId !== undefined, 'it is asked')
    await until(() => kafka.connections.length === 0, 'all are closed for being idle')
    await producer.close()
    const { clientInstanceId } = producer.stats()
    expect(kafka.receivedMetrics).toMatchObject([{ terminating: true, clientInstanceId }])
    expect(kafka.connections).toEqual([])
  })
})

describe('nothing is asked or pushed', () => {
  it('where brokers list no such requests', async () => {
    const kafka = await startKafka({ topics: { t: {} } })
    const producer = startProducer(kafka)
    await producer.send(t)
    await producer.close()
    expect(kafka.requests.filter(({ apiKey }) => apiKey === 71 || apiKey === 72)).toEqual([])
    expect(producer.stats().clientInstanceId).toBeUndefined()
  })

  it('where it is switched off', async () => {
    const kafka = await startSubscribed()
    const producer = startProducer(kafka, { enableMetricsPush: false })
    await producer.send(t)
    await producer.close()
    expect(asked(kafka)).toBe(0)
  })

  it('of a producer that sends nothing', async () => {
    const kafka = await startSubscribed()
    const producer = startProducer(kafka)
    await producer.close()
    expect(kafka.connections).toEqual([])
    expect(kafka.requests).toEqual([])
  })

  it('where no metric of this producer’s is wanted; it is asked again whether that has changed', async () => {
    const kafka = await startSubscribed({ metrics: ['org.apache.kafka.consumer.'] })
    const producer = startProducer(kafka)
    await producer.send(t)
    await until(() => asked(kafka) >= 2, 'it is asked again')
    expect(requestsOf(kafka, 'PushTelemetry')).toEqual([])
    kafka.subscribeMetrics(OFTEN)
    await pushed(kafka, 1)
    expect(new Set(kafka.receivedMetrics.map(({ clientInstanceId }) => clientInstanceId)).size).toBe(1)
  })
})

describe('a push that is refused', () => {
  it('for another subscription by now: it is asked for, and pushed to, under the same id', async () => {
    const kafka = await startSubscribed()
    const producer = startProducer(kafka)
    await producer.send(t)
    await pushed(kafka, 1)
    kafka.subscribeMetrics({ ...OFTEN, metrics: [`${PREFIX}connection.`] })
    await until(() => kafka.receivedMetrics.some(({ subscriptionId }) => subscriptionId === 2), 'the new one')
    const { data, clientInstanceId } = kafka.receivedMetrics.at(-1) ?? {}
    expect(namesIn(readMetricsData(data as Buffer))).toEqual(NAMES.filter((name) => name.includes('.connection.')))
    expect(clientInstanceId).toBe(producer.stats().clientInstanceId)
    expect(asked(kafka)).toBe(2)
  })

  it('for its codec: the next one is taken', async () => {
    const kafka = await startSubscribed({ compression: [3, 1] })
    kafka.fail({ api: 'PushTelemetry' }, 'UNSUPPORTED_COMPRESSION_TYPE')
    await startProducer(kafka).send(t)
    await pushed(kafka, 1)
    expect(kafka.receivedMetrics[0]?.compression).toBe(1)
  })

  it('as too large: it goes without the metrics of single brokers, until the subscription is another', async () => {
    const kafka = await startSubscribed()
    const refused = kafka.fail({ api: 'PushTelemetry' }, 'TELEMETRY_TOO_LARGE')
    const producer = startProducer(kafka)
    await whileSending(producer, async () => {
      await refused.hit()
      const withoutNodes = NAMES.filter((name) => !NODE_NAMES.includes(name))
      await pushedWith(kafka, withoutNodes)
      for (const { data } of kafka.receivedMetrics)
        expect(withoutNodes).toEqual(expect.arrayContaining(namesIn(readMetricsData(data))))
      kafka.subscribeMetrics(OFTEN)
      await pushedWith(kafka, NAMES, 2)
    })
  })

  it('never is one that is larger than the cluster says it takes', async () => {
    const kafka = await startSubscribed({ maxBytes: 10 })
    const producer = startProducer(kafka)
    await producer.send(t)
    await until(() => asked(kafka) > 0, 'it is asked')
    kafka.subscribeMetrics({ ...OFTEN, maxBytes: 1_000_000 })
    await producer.close()
    expect(requestsOf(kafka, 'PushTelemetry').length).toBeLessThanOrEqual(1)
    expect(kafka.receivedMetrics).toEqual([])
  })

  it('never is one that the cluster finds too large once it is decompressed', async () => {
    const kafka = await startSubscribed()
    const producer = startProducer(kafka)
    await whileSending(producer, async () => {
      await pushedWith(kafka, NAMES)
      const whole = kafka.receivedMetrics.find(({ data }) => namesIn(readMetricsData(data)).join() === NAMES.join())
      kafka.subscribeMetrics({ ...OFTEN, maxBytes: (whole?.data.length ?? 0) - 1 })
      const withoutNodes = NAMES.filter((name) => !NODE_NAMES.includes(name))
      await pushedWith(kafka, withoutNodes, 2)
    })
  })

  it.each(['INVALID_REQUEST', 'INVALID_RECORD', 'UNSUPPORTED_VERSION'])('with %s is the last', async (error) => {
    const kafka = await startSubscribed()
    const refused = kafka.fail({ api: 'PushTelemetry' }, error)
    const producer = startProducer(kafka)
    await producer.send(t)
    await refused.hit()
    await producer.send(t)
    await producer.close()
    expect(requestsOf(kafka, 'PushTelemetry').length).toBe(1)
  })

  it.each([
    ['throttled', (kafka: EmbeddedKafka) => kafka.fail({ api: 'PushTelemetry' }, 'THROTTLING_QUOTA_EXCEEDED')],
    ['failed by its broker', (kafka: EmbeddedKafka) => kafka.fail({ api: 'PushTelemetry' }, 'UNKNOWN_SERVER_ERROR')],
    ['cut off', (kafka: EmbeddedKafka) => kafka.cut({ api: 'PushTelemetry' })],
    ['answered with noise', (kafka: EmbeddedKafka) => kafka.spoil({ api: 'PushTelemetry' }, 'noise')],
    ['answered short', (kafka: EmbeddedKafka) => kafka.spoil({ api: 'PushTelemetry' }, 'short-body')],
  ])('or %s: the next one is due an interval later, and messages go on', async (_, harm) => {
    const kafka = await startSubscribed()
    const harmed = harm(kafka)
    const producer = startProducer(kafka)
    await producer.send(t)
    await harmed.hit()
    await producer.send(t)
    await pushed(kafka, 1)
    expect(producer.stats().failed).toBe(0)
    expect(producer.health().healthy).toBe(true)
  })
})

it('a broker that throttles is not pushed to meanwhile', async () => {
  const kafka = await startSubscribed()
  kafka.throttle({ api: 'GetTelemetrySubscriptions' }, 400)
  const { start, asyncEnd } = tracingChannel<unknown, object>('kafka-producer:request')
  const at: Record<string, number> = {}
  const note = (told: unknown) => (at[(told as RequestTrace).api] ??= performance.now())
  asyncEnd.subscribe(note)
  start.subscribe(note)
  onTestFinished(() => {
    asyncEnd.unsubscribe(note)
    start.unsubscribe(note)
  })
  await startProducer(kafka).send(t)
  await pushed(kafka, 1)
  expect((at['PushTelemetry'] ?? NaN) - (at['GetTelemetrySubscriptions'] ?? NaN)).toBeGreaterThan(390)
})

describe('a question for the subscription that fails', () => {
  it.each([
    [
      'an error that passes',
      (kafka: EmbeddedKafka) => kafka.fail({ api: 'GetTelemetrySubscriptions' }, 'NOT_CONTROLLER'),
    ],
    ['a cut', (kafka: EmbeddedKafka) => kafka.cut({ api: 'GetTelemetrySubscriptions' })],
    ['noise', (kafka: EmbeddedKafka) => kafka.spoil({ api: 'GetTelemetrySubscriptions' }, 'noise')],
    [
      'an error that stays',
      (kafka: EmbeddedKafka) => kafka.fail({ api: 'GetTelemetrySubscriptions' }, 'INVALID_REQUEST'),
    ],
  ])('with %s harms no message, and is not put again at once', async (_, harm) => {
    const kafka = await startSubscribed()
    const harmed = harm(kafka)
    const producer = startProducer(kafka)
    await producer.send(t)
    await harmed.hit()
    await producer.send(t)
    await producer.close()
    expect(asked(kafka)).toBe(1)
    expect(producer.stats()).toMatchObject({ failed: 0, acknowledged: 2, clientInstanceId: undefined })
  })
})

it('close() waits for no broker that does not answer the last push, and at 0 sends none', async () => {
  const kafka = await startKafka({ topics: { t: {} }, clientMetrics: { intervalMs: 3_600_000 } })
  const stalled = kafka.stall({ api: 'PushTelemetry', times: Infinity })
  const ends: (string | undefined)[] = []
  const { asyncEnd } = tracingChannel<unknown, object>('kafka-producer:request')
  const onEnd = (told: unknown) => {
    const { api, error } = told as RequestTrace
    if (api === 'PushTelemetry') ends.push(error?.code)
  }
  asyncEnd.subscribe(onEnd)
  onTestFinished(() => void asyncEnd.unsubscribe(onEnd))
  for (const timeoutMs of [30_000, 0]) {
    const producer = startProducer(kafka)
    await producer.send(t)
    await until(() => producer.stats().clientInstanceId !== undefined, 'it is asked')
    await producer.close({ timeoutMs })
    expect(stalled.hits).toBe(1)
  }
  await turns()
  // Given up with its connection, long before its own time is up.
  expect(ends).toEqual(['CONNECTION_CLOSED'])
  expect(kafka.receivedMetrics).toEqual([])
})

it('another broker is pushed to where the one that was asked is gone', async () => {
  const kafka = await startSubscribed({}, 3)
  const producer = startProducer(kafka)
  await producer.send(t)
  await pushed(kafka, 1)
  const first = kafka.receivedMetrics[0]?.broker as number
  await kafka.stopBroker(first)
  await until(() => kafka.receivedMetrics.some(({ broker }) => broker !== first), 'another one')
  expect(new Set(kafka.receivedMetrics.map(({ clientInstanceId }) => clientInstanceId)).size).toBe(1)
})

it('close() during a push counts nothing twice', async () => {
  const kafka = await startSubscribed()
  const stalled = kafka.stall({ api: 'PushTelemetry' }, 'after')
  const producer = startProducer(kafka)
  await producer.send(t)
  await stalled.hit()
  const closed = producer.close()
  await turns()
  stalled.release()
  await closed
  expect(kafka.receivedMetrics.map(({ terminating }) => terminating)).toEqual([false, true])
  const totals = kafka.receivedMetrics.map(({ data }) => valueOf(readMetricsData(data), 'connection.creation.total'))
  expect(totals.reduce((sum, total) => sum + total)).toBe(producer.stats().connections.opened)
})
