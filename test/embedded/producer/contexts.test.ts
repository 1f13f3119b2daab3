import { AsyncLocalStorage } from 'node:async_hooks'
import { expect, it } from 'vitest'
import { Producer } from '../../../src/index.js'
import { startKafka } from '../support/cluster.js'
import { startProducer, until } from '../support/producers.js'

/* What serves all calls is in the context of none: a request's is neither kept for ever, nor taken for that of another. */

const storage = new AsyncLocalStorage<string>()
const tick = () => new Promise((resolve) => setTimeout(resolve, 20))

it('fates, lines of the log and statistics are told in no other call’s context', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const seen: [string, string | undefined][] = []
  const see = (what: string) => () => void seen.push([what, storage.getStore()])
  const logger = { debug: () => undefined, info: see('log'), warn: see('log'), error: see('log') }
  await using producer = await storage.run('first', async () => {
    const made = new Producer({
      brokers: kafka.bootstrap,
      type: 'async',
      retryBackoffMs: 5,
      logger,
      onStats: see('stats'),
      statsIntervalMs: 10,
      onDelivery: see('fate'),
      interceptors: [{ onAcknowledgement: see('fate') }],
    })
    await made.send({ topic: 'orders', value: '1' })
    await made.flush()
    return made
  })
  seen.length = 0
  kafka.fail({ api: 'Produce', times: 3 }, 'NOT_ENOUGH_REPLICAS')
  for (const context of ['second', 'third']) {
    await storage.run(context, () => producer.send({ topic: 'orders', value: context }))
    await tick()
  }
  await until(() => seen.filter(([what]) => what === 'fate').length === 4, 'both are told twice')
  expect(new Set(seen.map(([what]) => what))).toEqual(new Set(['log', 'stats', 'fate']))
  expect(seen.filter(([, context]) => context !== undefined)).toEqual([])
})

it('connections are begun in none, and credentials asked for in none', async () => {
  const kafka = await startKafka({ topics: { orders: {} }, sasl: { users: { alice: 'wonderland' } } })
  const seen: (string | undefined)[] = []
  const password = () => {
    seen.push(storage.getStore())
    return 'wonderland'
  }
  const producer = startProducer(kafka, { sasl: { mechanism: 'plain', username: 'alice', password } })
  await storage.run('first', async () => {
    await producer.send({ topic: 'orders', value: '1' })
    expect(storage.getStore()).toBe('first')
  })
  expect(seen.length).toBeGreaterThan(0)
  expect(seen.filter((context) => context !== undefined)).toEqual([])
})

it('what a stream holds back is sent in the context that the stream was made in, and in no other writer’s', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const seen: [unknown, string | undefined][] = []
  const onSend = ({ value }: { readonly value: unknown }) => void seen.push([value, storage.getStore()])
  const producer = startProducer(kafka, { interceptors: [{ onSend }] })
  const stream = producer.writable({ topic: 'orders', inFlight: 1 })
  for (const value of ['1', '2', '3']) storage.run(`request ${value}`, () => stream.write(value))
  await new Promise<void>((resolve) => storage.run('the end', () => stream.end('4', resolve)))
  expect(seen).toEqual([
    ['1', 'request 1'],
    ['2', undefined],
    ['3', undefined],
    ['4', undefined],
  ])
  seen.length = 0
  await storage.run('all', () => producer.sendAll(['5', '6', '7'], { topic: 'orders', inFlight: 1 }))
  expect(seen).toEqual(['5', '6', '7'].map((value) => [value, 'all']))
  seen.length = 0
  const other = storage.run('its own', () => producer.writable({ topic: 'orders', inFlight: 1 }))
  for (const value of ['8', '9']) storage.run(`request ${value}`, () => other.write(value))
  await new Promise<void>((resolve) => other.end(resolve))
  expect(seen).toEqual([
    ['8', 'request 8'],
    ['9', 'its own'],
  ])
})
