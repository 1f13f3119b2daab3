import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import type { LogFields, Logger } from '../../src/index.js'
import { headersIn, serverOf, Telemetry, traceparentOf } from '../embedded/opentelemetry/support.js'
import { startKafka } from '../embedded/support/cluster.js'
import { startShop } from './observed-service.js'
import { ROOT } from './support/snippets.js'

/* The service of docs/observability.md: its spans, its metrics, its page for Prometheus, and what its log tells apart. */

type Line = LogFields & { readonly level: string }

function keepLines(): { logger: Logger; lines: Line[] } {
  const lines: Line[] = []
  const at = (level: string) => (_: string, fields: LogFields) => void lines.push({ level, ...fields })
  return { logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }, lines }
}

it('shows spans and metrics, and tells retries, a throttling, a moved leader and a lost broker apart', async () => {
  const kafka = await startKafka({ brokers: 2, topics: { orders: { replicationFactor: 2 } } })
  const [one, two] = kafka.bootstrap.split(',')
  const telemetry = new Telemetry({ enabled: false })
  const { logger, lines } = keepLines()
  const server = startShop(kafka.bootstrap, logger, 0)
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const get = async (path: string) => (await fetch(`http://localhost:${port}${path}`)).text()
  /** What is logged while an order is taken, of what nobody needs to look at left out. */
  const linesOf = async (order: number) => {
    lines.length = 0
    expect(await get(`/buy/${order}`)).toBe(`order ${order}`)
    return lines.filter(({ level }) => level !== 'debug')
  }
  const leader = 1

  expect(await linesOf(0)).toEqual([])
  kafka.moveLeader('orders', 0, leader)
  await linesOf(1)

  kafka.fail({ api: 'Produce', times: 3 }, 'NOT_ENOUGH_REPLICAS')
  const retry = { level: 'warn', event: 'retry', clientId: 'shop', topic: 'orders', partition: 0, messages: 1 }
  expect(await linesOf(2)).toMatchObject(
    [1, 2, 3].map((attempts) => ({ ...retry, brokerId: leader, attempts, code: 'NOT_ENOUGH_REPLICAS' })),
  )

  kafka.throttle({ api: 'Produce', times: 1 }, 30)
  expect(await linesOf(3)).toMatchObject([
    { level: 'warn', event: 'throttled', clientId: 'shop', broker: one, throttleMs: 30 },
  ])

  kafka.moveLeader('orders', 0, 2)
  expect(await linesOf(4)).toMatchObject([
    { level: 'info', event: 'leader-changed', clientId: 'shop', topic: 'orders', partition: 0, from: leader, to: 2 },
    { ...retry, attempts: 1, code: 'NOT_LEADER_OR_FOLLOWER' },
  ])

  const stopped = kafka.stopBroker(2)
  const lost = await linesOf(5)
  await stopped
  const events = lost.map(({ event }) => event)
  expect(events).toEqual(expect.arrayContaining(['disconnected', 'connect-failed', 'leader-changed']))
  for (const line of lost)
    if (line.event === 'disconnected' || line.event === 'connect-failed') expect(line.broker).toBe(two)
    else expect(['retry', 'leader-changed']).toContain(line.event)
  expect(lost.find(({ event }) => event === 'leader-changed')).toMatchObject({ from: 2, to: leader })

  const spans = await telemetry.spans()
  expect(spans.map(({ name, attributes }) => [name, attributes['messaging.kafka.offset']])).toEqual(
    [0, 1, 2, 3, 4, 5].map((order) => ['send orders', order]),
  )
  expect(headersIn(kafka, 'orders')).toEqual(spans.map((span) => ({ traceparent: traceparentOf(span) })))
  // All but the fifth, for which it had moved.
  const servers = [leader, 2].map((id) => serverOf(kafka, id))
  expect(await telemetry.points('messaging.client.operation.duration')).toMatchObject([
    { attributes: servers[0], value: { count: 5 } },
    { attributes: servers[1], value: { count: 1 } },
  ])
  expect(await telemetry.points('messaging.client.sent.messages')).toMatchObject([
    { attributes: servers[0], value: 5 },
    { attributes: servers[1], value: 1 },
  ])

  const page = (await get('/metrics')).split('\n')
  expect(page).toContain('kafka_producer_acknowledged_messages_total{client_id="shop"} 6')
  expect(page).toContain('kafka_producer_topic_messages_total{client_id="shop",topic="orders"} 6')
  expect(page).toContain('kafka_producer_retries_total{client_id="shop",code="NOT_ENOUGH_REPLICAS"} 3')
  expect(page).toContain('kafka_producer_throttle_time_seconds_count{client_id="shop"} 1')
})

it('stands in the documentation as it is', async () => {
  const source = await readFile(join(ROOT, 'test/examples/observed-service.ts'), 'utf8')
  const shown = source.replace(/'\.\.\/\.\.\/src\/(?:(\w+)\/)?index\.js'/g, (_, subpath?: string) =>
    subpath === undefined ? `'kafka-producer'` : `'kafka-producer/${subpath}'`,
  )
  expect(await readFile(join(ROOT, 'docs/observability.md'), 'utf8')).toContain(`\`\`\`ts\n${shown}\`\`\`\n`)
})
