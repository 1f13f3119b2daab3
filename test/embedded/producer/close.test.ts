import { describe, expect, it } from 'vitest'
import { Producer, type DeliveryError } from '../../../src/index.js'
import { SocketWatch } from '../../kafka/support/sockets.js'
import { blackHole } from '../support/black-hole.js'
import { startKafka } from '../support/cluster.js'
import {
  deadAddress,
  deliveryErrorOf,
  errorOf,
  expectNothingHeld,
  failureOf,
  outcomes,
  plainServer,
  portOf,
  requestsOf,
  startProducer,
  stored,
  turns,
  until,
  watched,
} from '../support/producers.js'
import { ScriptedBroker, type Script } from '../support/scripted-broker.js'

describe('close', () => {
  it('gives back all that it fails, though what is called off meanwhile would fail some', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const fault = kafka.fail({ api: 'InitProducerId', times: Infinity }, 'COORDINATOR_LOAD_IN_PROGRESS')
    const producer = startProducer(kafka, { queueMessages: 50_000 })
    // So many that they are told in several turns.
    const messages = Array.from({ length: 50_000 }, (_, i) => ({ topic: 'orders', value: String(i) }))
    const sending = Promise.allSettled(messages.map((message) => producer.send(message)))
    await fault.hit(2)
    const { unsent } = await producer.close({ timeoutMs: 0 })
    const fates = await sending
    const codes = fates.map((fate) => (fate.status === 'rejected' ? (fate.reason as DeliveryError).code : undefined))
    expect(new Set(codes)).toEqual(new Set(['PRODUCER_CLOSED']))
    expect(unsent).toHaveLength(messages.length)
  })

  it('lets what is in flight and what waits finish, and leaves no socket', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { orders: { partitions: 2 } } })
    const producer = startProducer(kafka)
    const stall = kafka.stall({ api: 'Produce' })
    const sending = [producer.send({ topic: 'orders', partition: 0, value: '1' })]
    await stall.hit()
    sending.push(
      producer.send({ topic: 'orders', partition: 0, value: '2' }),
      producer.send({ topic: 'orders', partition: 1, value: '3' }),
    )
    const closing = watched(producer.close())
    await turns()
    expect(closing.isSettled).toBe(false)
    stall.release()
    await Promise.all([...sending, closing.promise])
    expect(stored(kafka, 'orders')).toEqual(['1', '2', '3'])
    await until(() => kafka.connections.length === 0, 'no connection is left')
    expectNothingHeld(producer)
  })

  it('twice is harmless, and the second waits as long as the first', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    const stall = kafka.stall({ api: 'Produce' })
    const sending = producer.send({ topic: 'orders', value: '1' })
    await stall.hit()
    const [first, second] = [watched(producer.close()), watched(producer.close({ timeoutMs: 0 }))]
    await turns()
    expect([first.isSettled, second.isSettled]).toEqual([false, false])
    stall.release()
    await Promise.all([first.promise, second.promise, sending])
    await producer.close()
  })

  it('before anything was sent', async () => {
    await new Producer({ brokers: await deadAddress() }).close()
  })

  it('is what `await using` does', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    let sending: Promise<unknown>
    {
      await using producer = new Producer({ brokers: kafka.bootstrap })
      sending = producer.send({ topic: 'orders', value: 'x' })
    }
    await sending
    await until(() => kafka.connections.length === 0, 'no connection is left')
  })

  it('is bounded by timeoutMs: what has no fate by then fails, and what is on the wire may have been written', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { maxInFlight: 1 })
    await producer.send({ topic: 'orders', value: 'warm' })
    const stall = kafka.stall({ api: 'Produce' })
    const inFlight = deliveryErrorOf(producer.send({ topic: 'orders', value: '1' }))
    await stall.hit()
    const waiting = deliveryErrorOf(producer.send({ topic: 'orders', value: '2' }))
    const before = performance.now()
    await producer.close({ timeoutMs: 60 })
    expect(performance.now() - before).toBeGreaterThanOrEqual(59)
    expect(await inFlight).toMatchObject({ code: 'PRODUCER_CLOSED', mayHaveBeenWritten: true })
    expect(await waiting).toMatchObject({ code: 'PRODUCER_CLOSED', mayHaveBeenWritten: false })
    // The broker still holds the request; it sees the end of the connection with the next thing it does.
    stall.release()
    await until(() => kafka.connections.length === 0, 'no connection is left')
  })

  it('with the longest time-out there is waits for what is under way, and not one millisecond', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    const stall = kafka.stall({ api: 'Produce' })
    const sending = producer.send({ topic: 'orders', value: '1' })
    await stall.hit()
    const closing = producer.close({ timeoutMs: 0x7fffffff })
    await new Promise((resolve) => setTimeout(resolve, 20))
    stall.release()
    await Promise.all([closing, sending])
  })

  it.each([-1, 0.5, NaN, '5', 2 ** 31])('refuses timeoutMs %s', async (timeoutMs) => {
    const producer = startProducer(await deadAddress())
    expect((await errorOf(producer.close({ timeoutMs: timeoutMs as number }))).code).toBe('INVALID_CONFIG')
  })

  it('while connecting', async () => {
    const silent = await plainServer(() => undefined)
    const producer = startProducer(silent.address)
    const sending = deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))
    await until(() => silent.connections() > 0, 'it connects')
    await producer.close({ timeoutMs: 0 })
    expect(await sending).toMatchObject({ code: 'PRODUCER_CLOSED', mayHaveBeenWritten: false, attempts: 0 })
  })

  it('while metadata is unavailable', async () => {
    const producer = startProducer(await deadAddress())
    const sending = failureOf(
      producer.send([
        { topic: 'a', value: 'x' },
        { topic: 'b', value: 'x' },
      ]),
    )
    await turns()
    await producer.close({ timeoutMs: 20 })
    expect(outcomes((await sending).results)).toEqual(['PRODUCER_CLOSED', 'PRODUCER_CLOSED'])
    expectNothingHeld(producer)
  })

  it('during a back-off', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { retryBackoffMs: 60_000, retryBackoffMaxMs: 60_000 })
    const fault = kafka.fail({ api: 'Produce' }, 'NOT_ENOUGH_REPLICAS')
    const sending = deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))
    await fault.hit()
    await turns()
    await producer.close({ timeoutMs: 20 })
    expect(await sending).toMatchObject({ code: 'PRODUCER_CLOSED', mayHaveBeenWritten: false, attempts: 1 })
    expectNothingHeld(producer)
  })

  it('while messages wait for room', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { queueMessages: 1 })
    const stall = kafka.stall({ api: 'Produce' })
    const held = deliveryErrorOf(producer.send({ topic: 'orders', value: '1' }))
    await stall.hit()
    const waiting = deliveryErrorOf(producer.send({ topic: 'orders', value: '2' }))
    await producer.close({ timeoutMs: 0 })
    await held
    expect((await waiting).code).toBe('PRODUCER_CLOSED')
    stall.release()
  })

  it('while an encoder works', async () => {
    const producer = startProducer(await deadAddress(), {
      encoder: { encode: () => new Promise<string>(() => undefined) },
    })
    const sending = deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))
    await producer.close({ timeoutMs: 0 })
    expect(await sending).toMatchObject({ code: 'PRODUCER_CLOSED', mayHaveBeenWritten: false })
  })

  it('with sends in flight opens no new connection', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    const stall = kafka.stall({ api: 'Produce' })
    const sending = deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))
    await stall.hit()
    const opened = Math.max(...kafka.connections.map(({ id }) => id))
    await producer.close({ timeoutMs: 0 })
    await sending
    stall.release()
    await until(() => kafka.connections.length === 0, 'no connection is left')
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(kafka.requests.every(({ connection }) => connection <= opened)).toBe(true)
    expect(kafka.connections).toEqual([])
  })

  it('acks 0: what was written before arrives, a thousand messages and then close at once', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { orders: { partitions: 4 } } })
    const producer = startProducer(kafka, { acks: 0, batchBytes: 2_000 })
    const value = 'x'.repeat(500)
    const sending = Array.from({ length: 1_000 }, (_, i) => producer.send({ topic: 'orders', partition: i % 4, value }))
    const closing = producer.close()
    await Promise.all(sending)
    await closing
    expect(await kafka.waitForRecords('orders', 1_000)).toHaveLength(1_000)
    await until(() => kafka.connections.length === 0, 'no connection is left')
  })

  it('acks 0: written to a broker that takes its time, then close at once', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { acks: 0 })
    const stall = kafka.stall({ api: 'Produce' })
    await Promise.all(Array.from({ length: 50 }, (_, i) => producer.send({ topic: 'orders', value: String(i) })))
    const closing = producer.close()
    await stall.hit()
    stall.release()
    await closing
    expect(await kafka.waitForRecords('orders', 50)).toHaveLength(50)
  })

  it('leaves no socket of this process behind', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { orders: { partitions: 2 } } })
    await turns()
    const resources = () => {
      const counts = new Map<string, number>()
      for (const name of process.getActiveResourcesInfo()) counts.set(name, (counts.get(name) ?? 0) + 1)
      return ['TCPSocketWrap', 'TCPConnectWrap', 'GetAddrInfoReqWrap'].map((name) => `${name} ${counts.get(name) ?? 0}`)
    }
    const before = resources()
    const producer = startProducer(kafka, {
      metadataRefreshIntervalMs: 50,
      retryBackoffMs: 100,
      retryBackoffMaxMs: 100,
    })
    kafka.fail({ api: 'Produce' }, 'NOT_ENOUGH_REPLICAS')
    await producer.send([0, 1].map((partition) => ({ topic: 'orders', partition, value: 'x' })))
    await producer.close()
    await until(() => kafka.connections.length === 0, 'no connection is left')
    await turns()
    expect(resources()).toEqual(before)
  })
})

it('flush waits for what was given so far, whatever its fate', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka, { retries: 0 })
  await producer.flush()
  const stall = kafka.stall({ api: 'Produce' })
  kafka.fail({ api: 'Produce' }, 'NOT_ENOUGH_REPLICAS')
  const failing = deliveryErrorOf(producer.send({ topic: 'orders', value: '1' }))
  await stall.hit()
  const flushed = watched(producer.flush())
  await turns()
  expect(flushed.isSettled).toBe(false)
  stall.release()
  await flushed.promise
  await failing
})

describe('connections', () => {
  it('an idle one that the broker closes does not fail the next send', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { retries: 0 })
    for (let i = 0; i < 5; i++) {
      await producer.send({ topic: 'orders', value: String(i) })
      kafka.dropConnections(1)
      await until(() => kafka.connections.length === 0, 'the broker has closed them')
      await turns()
    }
    expect(stored(kafka, 'orders')).toEqual(['0', '1', '2', '3', '4'])
  })

  it('connectionsMaxIdleMs: idle ones are closed by the producer, and opened again for the next send', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { connectionsMaxIdleMs: 40 })
    await producer.send({ topic: 'orders', value: '1' })
    await until(() => kafka.connections.length === 0, 'idle connections are closed')
    await producer.send({ topic: 'orders', value: '2' })
    expect(stored(kafka, 'orders')).toEqual(['1', '2'])
  })

  it('one that waits for an answer is not idle', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { connectionsMaxIdleMs: 40, retries: 0 })
    const stall = kafka.stall({ api: 'Produce' })
    const sending = producer.send({ topic: 'orders', value: '1' })
    await stall.hit()
    await new Promise((resolve) => setTimeout(resolve, 100))
    stall.release()
    await sending
  })

  it('a broker that refuses connections for a while is connected to again', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    await producer.send({ topic: 'orders', value: '1' })
    using refusal = kafka.refuseConnections(1)
    kafka.dropConnections(1)
    const sending = producer.send({ topic: 'orders', value: '2' })
    await turns()
    refusal.release()
    await sending
  })

  it('an address that never accepts costs its share of connectTimeoutMs, then the next is tried', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    // TEST-NET-1: nobody answers, or the network says at once that it is unreachable.
    const producer = startProducer(`192.0.2.1:9092,${kafka.bootstrap}`, { connectTimeoutMs: 100 })
    await producer.send({ topic: 'orders', value: 'x' })
  })

  it('one broker has one connection for messages, however many sends', async () => {
    const kafka = await startKafka({ topics: { orders: { partitions: 4 } } })
    const producer = startProducer(kafka)
    await Promise.all(
      Array.from({ length: 100 }, (_, i) => producer.send({ topic: 'orders', partition: i % 4, value: 'x' })),
    )
    expect(new Set(requestsOf(kafka, 'Produce').map(({ connection }) => connection)).size).toBe(1)
    expect(kafka.connections).toHaveLength(2)
  })

  it('a refresh of the metadata leaves connections alone', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { orders: { partitions: 2 } } })
    const producer = startProducer(kafka, { metadataRefreshIntervalMs: 0 })
    for (let i = 0; i < 10; i++)
      await producer.send([0, 1].map((partition) => ({ topic: 'orders', partition, value: 'x' })))
    expect(new Set(requestsOf(kafka, 'Produce').map(({ connection }) => connection)).size).toBe(2)
  })

  it('a broker that has moved to another address gets a connection there, and the old one ends', async () => {
    let port = 0
    const onMetadata: Script['onMetadata'] = (_question, good) => ({
      ...good,
      brokers: good.brokers.map((broker) => ({ ...broker, port })),
    })
    const [seed, before, after] = await Promise.all([
      ScriptedBroker.start({ onMetadata }),
      ScriptedBroker.start(),
      ScriptedBroker.start(),
    ])
    port = before.port
    const producer = startProducer(seed.address)
    await producer.send({ topic: 'orders', value: '1' })
    port = after.port
    await producer.partitionsFor('orders')
    await producer.send({ topic: 'orders', value: '2' })
    expect([before.values, after.values]).toEqual([[['1']], [['2']]])
    await until(() => before.openConnections === 0, 'the connection to the old address ends')
  })

  it('one to an old address whose peer ignores its end does not outlive close()', async () => {
    let port = 0
    const onMetadata: Script['onMetadata'] = (_question, good) => ({
      ...good,
      brokers: good.brokers.map((broker) => ({ ...broker, port })),
    })
    const [seed, before, after] = await Promise.all([
      ScriptedBroker.start({ onMetadata }),
      ScriptedBroker.start({ ignoresEnd: true }),
      ScriptedBroker.start(),
    ])
    using watch = new SocketWatch()
    port = before.port
    const producer = startProducer(seed.address)
    await producer.send({ topic: 'orders', value: '1' })
    port = after.port
    await producer.partitionsFor('orders')
    await producer.send({ topic: 'orders', value: '2' })
    await producer.close()
    expect(watch.sockets.map(({ destroyed }) => destroyed)).toEqual([true, true, true])
  })

  it.each([
    ['is silent', async () => (await blackHole()).port],
    ['accepts and is silent', async () => portOf((await plainServer(() => undefined)).address)],
  ])(
    'one being opened to an old address that %s is given up for the new one, which costs no attempt',
    async (_, start) => {
      let port = await start()
      const onMetadata: Script['onMetadata'] = (_question, good) => ({
        ...good,
        brokers: good.brokers.map((broker) => ({ ...broker, port })),
      })
      const [seed, after] = await Promise.all([ScriptedBroker.start({ onMetadata }), ScriptedBroker.start()])
      using watch = new SocketWatch()
      const producer = startProducer(seed.address, { retries: 0, connectTimeoutMs: 600_000, requestTimeoutMs: 600_000 })
      const sending = producer.send({ topic: 'orders', value: 'x' })
      await until(() => watch.sockets.length > 1, 'the old address is connected to')
      port = after.port
      await producer.partitionsFor('orders')
      await sending
      expect(after.values).toEqual([['x']])
      expect(watch.sockets[1]?.destroyed).toBe(true)
    },
  )

  it('a refresh that nobody waits for does not go from one silent address to the next', async () => {
    const { port } = await blackHole({ host: '0.0.0.0' })
    using watch = new SocketWatch()
    const producer = startProducer([1, 2, 3, 4].map((n) => `127.0.0.${n}:${port}`).join(','), {
      deliveryTimeoutMs: 100,
    })
    await deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))
    await watch.until(() => watch.closed > 0)
    await turns()
    expect(watch.sockets).toHaveLength(1)
  })

  it('a broker that hangs up is not connected to anew by every message', async () => {
    const server = await plainServer((socket) => socket.destroy())
    const broker = await ScriptedBroker.start({
      partitions: 40,
      onMetadata: (_question, good) => ({
        ...good,
        brokers: good.brokers.map((one) => ({ ...one, port: portOf(server.address) })),
      }),
    })
    const producer = startProducer(broker.address, { retryBackoffMs: 200, retryBackoffMaxMs: 200 })
    const started = performance.now()
    const failing: Promise<unknown>[] = []
    for (let partition = 0; partition < 40; partition++) {
      failing.push(deliveryErrorOf(producer.send({ topic: 'orders', partition, value: 'x' })))
      await until(() => server.connections() > 0, 'it is connected to')
      await turns(10)
    }
    // At the most four connections, two questions, a doubt and a look for TLS, for each time it is tried: now, and after 160 ms or more.
    expect(server.connections()).toBeLessThanOrEqual(4 * (1 + (performance.now() - started) / 160))
    await producer.close({ timeoutMs: 0 })
    await Promise.all(failing)
  })
})
