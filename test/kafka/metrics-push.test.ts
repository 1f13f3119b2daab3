/** Metrics of a producer that a real broker takes (KIP-714): read by a plug-in of the broker's, with OpenTelemetry's classes. */
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Producer } from '../../src/index.js'
import { install } from './support/install.js'
import { compileJava } from './support/jvm.js'
import { RealKafka } from './support/real-kafka.js'
import { findRelease } from './support/releases.js'

interface Point {
  readonly value: number | null
  readonly start: number
  readonly time: number
  readonly attributes: Readonly<Record<string, string>>
}

interface Metric {
  readonly name: string
  readonly kind: string
  readonly temporality?: string
  readonly monotonic?: boolean
  readonly points: readonly Point[]
}

/** A line of the plug-in's file. */
interface Push {
  readonly clientId: string
  readonly clientInstanceId: string
  readonly terminating: boolean
  readonly contentType: string
  readonly metrics: readonly Metric[]
}

const release = process.env['KAFKA_RELEASE'] ?? '4'
const PREFIX = 'org.apache.kafka.producer.'
const INTERVAL_MS = 500

let kafka: RealKafka
let folder: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'metrics-push-'))
  const source = join(dirname(fileURLToPath(import.meta.url)), 'support/MetricsFile.java')
  await compileJava('17', await install(findRelease(release)), source, folder)
  kafka = await RealKafka.start({
    release,
    topics: { t: {} },
    classPath: [folder],
    config: { 'metric.reporters': 'MetricsFile', 'metrics.file': join(folder, 'pushes') },
  })
  await kafka.subscribe('all', { metrics: PREFIX, 'interval.ms': String(INTERVAL_MS) })
}, 180_000)

afterAll(async () => {
  await kafka.stop()
  rmSync(folder, { recursive: true })
})

async function pushesOf(clientId: string): Promise<Push[]> {
  const text = await readFile(join(folder, 'pushes'), 'utf8').catch(() => '')
  // The last line may be half there.
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
  return lines
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Push)
    .filter((push) => push.clientId === clientId)
}

/** Sends a message after the other until so many pushes of this client have arrived. */
async function sendUntilPushed(producer: Producer, clientId: string, count: number): Promise<Push[]> {
  for (;;) {
    await producer.send({ topic: 't', value: 'x' })
    const pushes = await pushesOf(clientId)
    if (pushes.length >= count) return pushes
    await delay(20)
  }
}

it('the metrics that KIP-714 requires arrive again and again, in the form that the broker asks for, and a last time', async () => {
  const producer = new Producer({ brokers: kafka.bootstrap, clientId: 'pushing' })
  await sendUntilPushed(producer, 'pushing', 3)
  await producer.close()
  const pushes = await pushesOf('pushing')
  const { clientInstanceId, connections } = producer.stats()
  expect(pushes.map(({ terminating }) => terminating)).toEqual([...pushes.slice(1).map(() => false), true])
  for (const push of pushes) expect(push).toMatchObject({ clientInstanceId, contentType: 'OTLP' })
  const [first] = pushes
  expect(first?.metrics.map(({ name }) => name.slice(PREFIX.length)).toSorted()).toEqual([
    'connection.creation.rate',
    'connection.creation.total',
    'node.request.latency.avg',
    'node.request.latency.max',
    'produce.throttle.time.avg',
    'produce.throttle.time.max',
    'record.queue.time.avg',
    'record.queue.time.max',
  ])
  const all = pushes.flatMap(({ metrics }) => metrics)
  for (const { name, kind, points } of all) {
    expect(kind).toBe(name.endsWith('.total') ? 'SUM' : 'GAUGE')
    for (const { value, time, attributes } of points) {
      expect(value).toBeGreaterThanOrEqual(0)
      expect(Math.abs(Date.now() - time)).toBeLessThan(3_600_000)
      expect(attributes).toEqual(name.includes('.node.') ? { node_id: 'node-1' } : {})
    }
  }
  const totals = all.filter(({ name }) => name === `${PREFIX}connection.creation.total`)
  for (const total of totals)
    expect(total).toMatchObject({ temporality: 'AGGREGATION_TEMPORALITY_DELTA', monotonic: true })
  const points = totals.map((total) => total.points[0] as Point)
  expect(points.reduce((sum, { value }) => sum + (value ?? NaN), 0)).toBe(connections.opened)
  expect(points.slice(1).map(({ start }) => start)).toEqual(points.slice(0, -1).map(({ time }) => time))
}, 60_000)

it('a producer that is told not to pushes nothing', async () => {
  const producer = new Producer({ brokers: kafka.bootstrap, clientId: 'silent', enableMetricsPush: false })
  await producer.send({ topic: 't', value: 'x' })
  await producer.close()
  expect(await pushesOf('silent')).toEqual([])
  expect(producer.stats().clientInstanceId).toBeUndefined()
})

it('the subscription is changed: what is pushed from then on is what is asked for now, under the same id', async () => {
  const producer = new Producer({ brokers: kafka.bootstrap, clientId: 'changing' })
  const before = await sendUntilPushed(producer, 'changing', 1)
  await kafka.subscribe('all', { metrics: `${PREFIX}record.`, 'interval.ms': String(INTERVAL_MS) })
  let pushes = before
  while (pushes.at(-1)?.metrics.some(({ name }) => name.includes('.connection.')) === true)
    pushes = await sendUntilPushed(producer, 'changing', pushes.length + 1)
  await producer.close()
  expect(
    pushes
      .at(-1)
      ?.metrics.map(({ name }) => name.slice(PREFIX.length))
      .toSorted(),
  ).toEqual(['record.queue.time.avg', 'record.queue.time.max'])
  expect(new Set(pushes.map(({ clientInstanceId }) => clientInstanceId)).size).toBe(1)
}, 60_000)
