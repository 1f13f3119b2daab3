import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { LogFields } from '../../../src/index.js'
import { BrokerConnection } from '../../../src/network/connection/broker-connection.js'
import { startKafka } from '../support/cluster.js'
import { deliveryErrorOf, errorOf, requestsOf, startProducer, stored } from '../support/producers.js'
import { startTransactional } from '../support/transactional.js'

/* Brokers that tell this client to keep quiet for a while: for how long that is believed. */

const FOR_EVER = 0x7fffffff
/** A deadline that a busy machine keeps where nothing throttles. */
const DEADLINE_MS = 2_000

it.each(['Produce', 'Metadata'] as const)('answers to %s that ask for quiet leave nothing behind', async (api) => {
  const kafka = await startKafka({ topics: { orders: {} } })
  let listeners = 0
  // eslint-disable-next-line @typescript-eslint/unbound-method
  const { onClose } = BrokerConnection.prototype
  vi.spyOn(BrokerConnection.prototype, 'onClose').mockImplementation(function (this: BrokerConnection, listener) {
    listeners++
    const forget = onClose.call(this, listener)
    return () => {
      listeners--
      forget()
    }
  })
  onTestFinished(() => void vi.restoreAllMocks())
  const producer = startProducer(kafka)
  kafka.throttle({ api, times: Infinity }, 1)
  const ask = () =>
    api === 'Produce' ? producer.send({ topic: 'orders', value: '1' }) : producer.partitionsFor('orders')
  for (let i = 0; i < 30; i++) await ask()
  expect(listeners).toBeLessThan(10)
})

it.each(['0.11', '1.1', '2.8'] as const)('Kafka %s: a throttling is told, whoever waits for it', async (release) => {
  const kafka = await startKafka({ release, topics: { orders: {} } })
  const told: unknown[] = []
  const note = (_text: string, { event, throttleMs }: LogFields) => void told.push([event, throttleMs])
  const logger = { debug: note, info: note, warn: note, error: note }
  const producer = startProducer(kafka, { logger })
  kafka.throttle({ api: 'Produce', times: 1 }, 20)
  kafka.throttle({ api: 'Metadata', times: 1 }, 30)
  for (const value of ['1', '2', '3']) await producer.send({ topic: 'orders', value })
  expect(told).toContainEqual(['throttled', 20])
  expect(told).toContainEqual(['throttled', 30])
  expect(producer.stats().throttleTimeMs.count).toBe(2)
})

describe('a throttle time without measure', () => {
  it('in an answer to Produce is heeded for requestTimeoutMs and no longer', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { requestTimeoutMs: 400 })
    kafka.throttle({ api: 'Produce' }, FOR_EVER)
    await producer.send({ topic: 'orders', value: '1' })
    const before = performance.now()
    await producer.send({ topic: 'orders', value: '2' })
    expect(performance.now() - before).toBeGreaterThan(200)
    expect(stored(kafka, 'orders')).toEqual(['1', '2'])
  })

  it('in an answer to Metadata is heeded for requestTimeoutMs and no longer', async () => {
    const kafka = await startKafka({ topics: { orders: {}, payments: {} } })
    const producer = startProducer(kafka, { requestTimeoutMs: 400 })
    kafka.throttle({ api: 'Metadata' }, FOR_EVER)
    await producer.send({ topic: 'orders', value: '1' })
    await producer.send({ topic: 'payments', value: '2' })
    expect(stored(kafka, 'payments')).toEqual(['2'])
  })

  it.each(['Produce', 'Metadata'] as const)('in an answer to %s is forgotten with the connection', async (api) => {
    const kafka = await startKafka({ topics: { orders: {}, payments: {} } })
    const producer = startProducer(kafka, { requestTimeoutMs: 60_000 })
    kafka.throttle({ api }, FOR_EVER)
    await producer.send({ topic: 'orders', value: '1' })
    const waiting = producer.send({ topic: api === 'Produce' ? 'orders' : 'payments', value: '2' })
    // It waits for the throttle's end, which the end of the connection is.
    await new Promise((resolve) => setTimeout(resolve, 50))
    kafka.dropConnections(1)
    await waiting
  })

  it.each(['Produce', 'Metadata'] as const)('in an answer to %s is named by the error of a deadline', async (api) => {
    const kafka = await startKafka({ topics: { orders: {}, payments: {} } })
    const producer = startProducer(kafka, { requestTimeoutMs: 60_000, deliveryTimeoutMs: DEADLINE_MS })
    kafka.throttle({ api }, FOR_EVER)
    await producer.send({ topic: 'orders', value: '1' })
    const asked = requestsOf(kafka, api).length
    const { message } = await deliveryErrorOf(
      producer.send({ topic: api === 'Produce' ? 'orders' : 'payments', value: '2' }),
    )
    expect(message).toMatch(/127\.0\.0\.1:\d+ throttles this client/)
    expect(message).toContain(`asked for ${FOR_EVER} ms`)
    expect(requestsOf(kafka, api)).toHaveLength(asked)
  })

  it('of a coordinator is heeded, and named by what fails for it', async () => {
    const kafka = await startKafka({ release: '3.9', topics: { orders: {} } })
    const producer = startTransactional(kafka, { requestTimeoutMs: 60_000, deliveryTimeoutMs: DEADLINE_MS })
    kafka.throttle({ api: 'InitProducerId' }, FOR_EVER)
    const tx = await producer.begin()
    const { message } = (await errorOf(
      tx.sendOffsets({ groupId: 'readers' }, [{ topic: 'orders', partition: 0, offset: 1 }]),
    )) as Error
    expect(message).toMatch(/127\.0\.0\.1:\d+ throttles this client/)
    expect(requestsOf(kafka, 'AddOffsetsToTxn')).toEqual([])
  })
})
