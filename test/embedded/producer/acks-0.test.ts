import { describe, expect, it } from 'vitest'
import { startKafka } from '../support/cluster.js'
import {
  deliveryErrorOf,
  errorOf,
  expectNothingHeld,
  requestsOf,
  startProducer,
  stored,
  turns,
  until,
  watched,
} from '../support/producers.js'

/* Messages that no broker acknowledges: they count as sent when the system has taken their bytes, and not before. */

/** More than the system keeps for a peer that reads nothing. */
const LARGE = Buffer.alloc(20_000_000)

async function startWithTwoBrokers(release = '4') {
  const kafka = await startKafka({
    release,
    brokers: 2,
    topics: { orders: { replicationFactor: 2 } },
    messageMaxBytes: 50_000_000,
  })
  kafka.moveLeader('orders', 0, 1)
  return kafka
}

describe('acks 0: a broker that reads nothing', () => {
  it('is given up after requestTimeoutMs, and what it did not take goes to the new leader', async () => {
    const kafka = await startWithTwoBrokers()
    const producer = startProducer(kafka, { acks: 0, requestTimeoutMs: 200 })
    await producer.send({ topic: 'orders', value: 'first' })
    await kafka.waitForRecords('orders', 1)
    kafka.pauseBroker(1)
    const sending = producer.send({ topic: 'orders', value: LARGE })
    kafka.moveLeader('orders', 0, 2)
    await sending
    expect((await kafka.waitForRecords('orders', 2)).at(-1)?.value).toHaveLength(LARGE.length)
    expect(producer.stats().resends).toBeGreaterThan(0)
    expectNothingHeld(producer)
  })

  it('fails what it did not take with the cause, and as what may have been written', async () => {
    const kafka = await startWithTwoBrokers()
    const producer = startProducer(kafka, { acks: 0, requestTimeoutMs: 100, retries: 0 })
    await producer.send({ topic: 'orders', value: 'first' })
    kafka.pauseBroker(1)
    const error = await deliveryErrorOf(producer.send({ topic: 'orders', value: LARGE }))
    expect(error).toMatchObject({ code: 'REQUEST_TIMEOUT', mayHaveBeenWritten: true })
    const leader = kafka.brokers.find(({ id }) => id === 1)
    expect(error.message).toContain(`${leader?.host}:${leader?.port} did not take Produce v`)
    expectNothingHeld(producer)
  })

  it('is not left for being idle while bytes wait to be taken', async () => {
    const kafka = await startWithTwoBrokers()
    const producer = startProducer(kafka, { acks: 0, connectionsMaxIdleMs: 50, requestTimeoutMs: 60_000 })
    await producer.send({ topic: 'orders', value: 'first' })
    kafka.pauseBroker(1)
    const sending = watched(producer.send({ topic: 'orders', value: LARGE }))
    // Twice as long as an idle connection is looked at: the time is the subject.
    await new Promise((resolve) => setTimeout(resolve, 2_200))
    expect(sending.isSettled).toBe(false)
    kafka.resumeBroker(1)
    await sending.promise
    expect(producer.stats().resends).toBe(0)
  })
})

describe('acks 0: a leader that has moved', () => {
  it.each(['0.8.2', '1.1', '2.8', '4'])(
    'Kafka %s: hangs up, which is all that it can say, and the new one is asked for',
    async (release) => {
      const kafka = await startWithTwoBrokers(release)
      const producer = startProducer(kafka, { acks: 0 })
      await producer.send({ topic: 'orders', value: 'first' })
      await kafka.waitForRecords('orders', 1)
      kafka.moveLeader('orders', 0, 2)
      kafka.clearRequests()
      await producer.send({ topic: 'orders', value: 'lost' })
      await kafka.waitForRequest({ api: 'Metadata' })
      while (stored(kafka, 'orders').length === 1) {
        await producer.send({ topic: 'orders', value: 'next' })
        await turns()
      }
      expect(new Set(stored(kafka, 'orders'))).toEqual(new Set(['first', 'next']))
    },
  )

  it('is not asked for where this client has closed the connection', async () => {
    const kafka = await startWithTwoBrokers()
    const producer = startProducer(kafka, { acks: 0, connectionsMaxIdleMs: 20 })
    await producer.send({ topic: 'orders', value: 'first' })
    await until(() => kafka.connections.length === 0, 'its connections were idle')
    await turns()
    expect(requestsOf(kafka, 'Metadata')).toHaveLength(1)
  })
})

describe('acks 0: a write that was cut off', () => {
  it('did not happen: the message is sent again', async () => {
    const kafka = await startWithTwoBrokers()
    const producer = startProducer(kafka, { acks: 0 })
    await producer.send({ topic: 'orders', value: 'first' })
    await kafka.waitForRecords('orders', 1)
    kafka.pauseBroker(1)
    const sending = watched(producer.send({ topic: 'orders', value: LARGE }))
    await until(() => producer.stats().queueBytes > 0, 'the message is under way')
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(sending.isSettled).toBe(false)
    kafka.resumeBroker(1)
    kafka.dropConnections(1)
    await sending.promise
    expect((await kafka.waitForRecords('orders', 2)).at(-1)?.value).toHaveLength(LARGE.length)
    expect(producer.stats().resends).toBeGreaterThan(0)
  })

  it('by close() fails, since nobody took it', async () => {
    const kafka = await startWithTwoBrokers()
    const producer = startProducer(kafka, { acks: 0 })
    await producer.send({ topic: 'orders', value: 'first' })
    await kafka.waitForRecords('orders', 1)
    kafka.pauseBroker(1)
    const sending = errorOf(producer.send({ topic: 'orders', value: LARGE }))
    await until(() => producer.stats().queueBytes > 0, 'the message is under way')
    await producer.close({ timeoutMs: 20 })
    expect(await sending).toMatchObject({ code: 'PRODUCER_CLOSED', mayHaveBeenWritten: true })
    expect(stored(kafka, 'orders')).toEqual(['first'])
  })
})
