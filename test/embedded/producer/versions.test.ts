import { describe, expect, it } from 'vitest'
import { startKafka } from '../support/cluster.js'
import {
  deliveryErrorOf,
  failureOf,
  outcomes,
  plainServer,
  requestsOf,
  startProducer,
  stored,
  turns,
  until,
} from '../support/producers.js'
import { ScriptedBroker } from '../support/scripted-broker.js'

describe('the versions that are spoken', () => {
  it.each([
    ['0.8.2', 0, 0, 0],
    ['0.10.2', 2, 2, 1],
    ['0.11', 3, 4, 2],
    ['1.1', 5, 5, 2],
    ['2.8', 9, 11, 2],
    ['3.9', 11, 12, 2],
    ['4', 13, 13, 2],
  ])('Kafka %s: Produce v%i, Metadata v%i, magic %i, without being told', async (release, produce, metadata, magic) => {
    const kafka = await startKafka({ release, topics: { orders: {} } })
    const producer = startProducer(kafka)
    const [first] = await producer.send({ topic: 'orders', key: 'k', value: 'v' })
    expect(first?.offset).toBe(0n)
    expect(new Set(requestsOf(kafka, 'Produce').map(({ apiVersion }) => apiVersion))).toEqual(new Set([produce]))
    expect(requestsOf(kafka, 'Metadata').at(-1)?.apiVersion).toBe(metadata)
    expect(kafka.records('orders')[0]?.magic).toBe(magic)
    expect(kafka.requests.every(({ clientId }) => clientId === 'kafka-producer')).toBe(true)
  })

  it('Kafka 0.9, which is silent when asked: found out, and not asked again', async () => {
    const kafka = await startKafka({ release: '0.9', brokers: 1, topics: { orders: {} } })
    const producer = startProducer(kafka, { requestTimeoutMs: 400 })
    await producer.send({ topic: 'orders', value: '1' })
    const newest = Math.max(...kafka.connections.map(({ id }) => id))
    kafka.dropConnections(1)
    await until(() => kafka.connections.length === 0, 'the connections are gone')
    await turns()
    await producer.send({ topic: 'orders', value: '2' })
    // The very next connection is the one that messages go on.
    expect(requestsOf(kafka, 'Produce').at(-1)?.connection).toBe(newest + 1)
    expect(stored(kafka, 'orders')).toEqual(['1', '2'])
    expect(requestsOf(kafka, 'Produce').map(({ apiVersion }) => apiVersion)).toEqual([0, 0])
  })

  it('Kafka 0.9 is not asked again either where nothing is ever answered, as with acks 0', async () => {
    const kafka = await startKafka({ release: '0.9', topics: { orders: {}, other2: {}, other3: {}, other4: {} } })
    const producer = startProducer(kafka, { acks: 0, requestTimeoutMs: 400 })
    await producer.send({ topic: 'orders', value: '1' })
    await kafka.waitForRecords('orders', 1)
    for (let i = 2; i <= 4; i++) {
      const newest = Math.max(...kafka.connections.map(({ id }) => id))
      const asked = requestsOf(kafka, 'Metadata').length
      kafka.dropConnections(1)
      await until(() => kafka.connections.every(({ id }) => id > newest), 'the connections are gone')
      await turns()
      await producer.send({ topic: 'orders', value: String(i) })
      await kafka.waitForRecords('orders', i)
      // The very next connections are the one that messages go on, and the one that the leader is asked for on.
      expect(requestsOf(kafka, 'Produce').at(-1)?.connection).toBeLessThanOrEqual(newest + 2)
      // Behind a connection that is dropped before anything was answered on it there may be another broker by now.
      await until(() => requestsOf(kafka, 'Metadata').length > asked, 'the leader is asked for')
      await producer.partitionsFor(`other${i}`)
    }
  })

  it.each([
    ['0.8', '0.8.2'],
    ['0.9.0.1', '0.9'],
  ])("brokerVersion '%s': Kafka %s is never asked", async (brokerVersion, release) => {
    const kafka = await startKafka({ release, topics: { orders: {} } })
    const producer = startProducer(kafka, { brokerVersion, requestTimeoutMs: 60_000 })
    await producer.send({ topic: 'orders', value: 'x' })
    // The question would have been hung up on, or never answered: with it there were more connections.
    const seen = new Set(kafka.requests.map(({ connection }) => connection))
    expect([...seen].sort()).toEqual([1, 2])
  })

  it('Kafka 4 lists Produce v0 to v2 and rejects them: they are never used', async () => {
    const kafka = await startKafka({ release: '4', topics: { orders: {} } })
    await startProducer(kafka).send({ topic: 'orders', value: 'x' })
    expect(requestsOf(kafka, 'Produce').map(({ apiVersion }) => apiVersion)).toEqual([13])
  })

  it('ApiVersions is asked in the newest version, and then in what the broker has of it', async () => {
    const telling = await ScriptedBroker.start()
    await startProducer(telling.address).partitionsFor('orders')
    expect(telling.versionsAsked).toEqual([5, 3])
    const silent = await ScriptedBroker.start({ tellsApiVersionsRange: false })
    await startProducer(silent.address).partitionsFor('orders')
    expect(silent.versionsAsked).toEqual([5, 0])
  })

  it('a broker with none in common: an error that says so, and no retry', async () => {
    const broker = await ScriptedBroker.start({ produceVersions: [90, 99] })
    const error = await deliveryErrorOf(startProducer(broker.address).send({ topic: 'orders', value: 'x' }))
    expect(error).toMatchObject({ code: 'UNSUPPORTED_VERSION', retriable: false, mayHaveBeenWritten: false })
    expect(error.message).toContain('90 to 99')
  })

  it('Produce v13 names topics by id, and v12 where the metadata has none', async () => {
    const broker = await ScriptedBroker.start({ produceVersions: [3, 13] })
    await startProducer(broker.address).send({ topic: 'orders', value: 'x' })
    expect(broker.produced.map(({ version }) => version)).toEqual([12])
  })
})

describe('a paused modern broker is never taken for an old one', () => {
  it('one that was paused from the start and goes on later', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    kafka.pauseBroker(1)
    const producer = startProducer(kafka, { requestTimeoutMs: 80, deliveryTimeoutMs: 20_000 })
    const sending = producer.send({ topic: 'orders', value: 'x' })
    // Both probes and the question that an old broker would answer have been waited for in vain by then, several times.
    await until(() => kafka.connections.length >= 3, 'a third connection')
    const first = Math.max(...kafka.connections.map(({ id }) => id))
    await until(() => Math.max(...kafka.connections.map(({ id }) => id)) > first + 2, 'all was tried once more')
    kafka.resumeBroker(1)
    await sending
    expect(requestsOf(kafka, 'Produce').map(({ apiVersion }) => apiVersion)).toEqual([13])
  })

  it('one that goes on between the probes and the question that an old broker would answer', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    kafka.pauseBroker(1)
    const producer = startProducer(kafka, { requestTimeoutMs: 80, deliveryTimeoutMs: 20_000 })
    const sending = producer.send({ topic: 'orders', value: 'x' })
    await until(() => kafka.connections.length >= 3, 'the question that an old broker would answer is asked')
    kafka.resumeBroker(1)
    await sending
    expect(requestsOf(kafka, 'Produce').map(({ apiVersion }) => apiVersion)).toEqual([13])
  })

  it('one that spoke before and is paused while it is connected to anew', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { requestTimeoutMs: 80, deliveryTimeoutMs: 20_000 })
    await producer.send({ topic: 'orders', value: '1' })
    kafka.pauseBroker(1)
    kafka.dropConnections(1)
    const sending = producer.send({ topic: 'orders', value: '2' })
    const before = Math.max(0, ...kafka.connections.map(({ id }) => id))
    await until(() => Math.max(0, ...kafka.connections.map(({ id }) => id)) > before + 3, 'more connections')
    kafka.resumeBroker(1)
    await sending
    expect(requestsOf(kafka, 'Produce').map(({ apiVersion }) => apiVersion)).toEqual([13, 13])
  })

  it('one that hangs up twice and then answers only old questions is asked a third time', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    kafka.cut({ api: 'ApiVersions', times: 2 })
    await startProducer(kafka).send({ topic: 'orders', value: 'x' })
    expect(
      requestsOf(kafka, 'Metadata')
        .map(({ apiVersion }) => apiVersion)
        .slice(0, 2),
    ).toEqual([0, 13])
    expect(requestsOf(kafka, 'Produce').map(({ apiVersion }) => apiVersion)).toEqual([13])
  })

  it('one that is silent first and hangs up then: an old one does one or the other', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    using stall = kafka.stall({ api: 'ApiVersions' })
    const producer = startProducer(kafka, { requestTimeoutMs: 150 })
    const sending = producer.send({ topic: 'orders', value: 'x' })
    await stall.hit()
    const cut = kafka.cut({ api: 'ApiVersions' })
    await sending
    expect(cut.hits).toBe(1)
    expect(requestsOf(kafka, 'Produce').map(({ apiVersion }) => apiVersion)).toEqual([13])
  })

  it('a server that hangs up on everything is no Kafka 0.8', async () => {
    const server = await plainServer((socket) => socket.on('data', () => socket.destroy()))
    const error = await deliveryErrorOf(
      startProducer(server.address, { deliveryTimeoutMs: 300 }).send({ topic: 'orders', value: 'x' }),
    )
    expect(error.code).toBe('DELIVERY_TIMEOUT')
  })
})

describe('clusters of several releases', () => {
  it.each([[['0.10.2', '0.11', '4']], [['0.11', '1.1', '2.8']]])(
    '%s: each broker is spoken to in its own versions, each batch in its own format',
    async (releases) => {
      const kafka = await startKafka({
        brokers: releases.map((release) => ({ release })),
        topics: { orders: { partitions: 3 } },
      })
      const producer = startProducer(kafka)
      const results = await producer.send(
        [0, 1, 2].map((partition) => ({ topic: 'orders', partition, value: `p${partition}` })),
      )
      expect(results.map(({ offset }) => offset)).toEqual([0n, 0n, 0n])
      const versions = new Map(requestsOf(kafka, 'Produce').map(({ broker, apiVersion }) => [broker, apiVersion]))
      expect(new Set(versions.values()).size).toBe(3)
    },
  )

  it.each(['0.8.2', '0.9'])(
    '%s, 0.11 and 4: the old one is known for what it is when it is asked before the others',
    async (old) => {
      const releases = [old, '0.11', '4']
      const kafka = await startKafka({
        brokers: releases.map((release) => ({ release })),
        topics: { orders: { partitions: 3 } },
      })
      const [oldest = ''] = kafka.bootstrap.split(',')
      const producer = startProducer(oldest, { requestTimeoutMs: 400 })
      const messages = [0, 1, 2].map((partition) => ({ topic: 'orders', partition, value: `p${partition}` }))
      await producer.send(messages)
      kafka.dropConnections(1)
      await producer.send(messages)
      const versions = new Map(requestsOf(kafka, 'Produce').map(({ broker, apiVersion }) => [broker, apiVersion]))
      // Kafka 4 gets v12: no topic has an id in the metadata of an old broker.
      expect(versions).toEqual(
        new Map([
          [1, 0],
          [2, 3],
          [3, 12],
        ]),
      )
    },
  )

  it.each(['0.8.2', '0.9'])(
    '%s beside a newer one that was asked first: no broker is taken for an old one any more, and the error says why',
    async (old) => {
      const kafka = await startKafka({
        brokers: [{ release: old }, { release: '0.11' }],
        topics: { orders: { partitions: 2 } },
      })
      const [, newer = ''] = kafka.bootstrap.split(',')
      const producer = startProducer(newer, { deliveryTimeoutMs: 700, requestTimeoutMs: 200 })
      const failure = await failureOf(
        producer.send([0, 1].map((partition) => ({ topic: 'orders', partition, value: 'x' }))),
      )
      expect(outcomes(failure.results)).toEqual(['DELIVERY_TIMEOUT', 0n])
      expect((failure.results[0] as Error).message).toContain('set up no session')
    },
  )

  it("0.8.2 and 0.11 with brokerVersion '0.8': both take the oldest versions", async () => {
    const kafka = await startKafka({
      brokers: [{ release: '0.8.2' }, { release: '0.11' }],
      topics: { orders: { partitions: 2 } },
    })
    const producer = startProducer(kafka, { brokerVersion: '0.8' })
    await producer.send([0, 1].map((partition) => ({ topic: 'orders', partition, value: `p${partition}` })))
    expect(new Set(requestsOf(kafka, 'Produce').map(({ apiVersion }) => apiVersion))).toEqual(new Set([0]))
  })

  it('a batch is encoded anew where the new leader needs an older format', async () => {
    const kafka = await startKafka({ brokers: [{ release: '4' }, { release: '0.10.2' }], topics: { orders: {} } })
    const producer = startProducer(kafka)
    await producer.send({ topic: 'orders', value: '1' })
    const fault = kafka.fail({ api: 'Produce' }, 'LEADER_NOT_AVAILABLE')
    const sending = producer.send([
      { topic: 'orders', value: '2' },
      { topic: 'orders', value: 'with headers', headers: { a: '1' } },
    ])
    await fault.hit()
    kafka.moveLeader('orders', 0, kafka.leaderOf('orders', 0) === 1 ? 2 : 1)
    // What the format of the new leader has no place for fails alone.
    expect(outcomes((await failureOf(sending)).results)).toEqual([1n, 'UNSUPPORTED_BY_FORMAT'])
    expect(kafka.records('orders').map(({ magic }) => magic)).toEqual([2, 1])
  })
})

describe('brokers are upgraded while messages flow', () => {
  it('from Kafka 0.8, which hangs up when asked for its versions, to 0.9, which is silent: it is found out anew', async () => {
    const kafka = await startKafka({ release: '0.8.2', brokers: 1, topics: { orders: {} } })
    const producer = startProducer(kafka, { requestTimeoutMs: 400 })
    await producer.send({ topic: 'orders', value: '1' })
    await kafka.upgradeBroker(1, '0.9')
    await producer.send({ topic: 'orders', value: '2' })
    expect(stored(kafka, 'orders')).toEqual(['1', '2'])
  })

  it('what may be in the log goes to a leader that knows no sequences, too, and what follows to a newer one has others', async () => {
    const kafka = await startKafka({ brokers: [{ release: '4' }, { release: '0.10.2' }], topics: { orders: {} } })
    const producer = startProducer(kafka)
    const warnings: string[] = []
    producer.on('warning', ({ code }) => warnings.push(code))
    kafka.moveLeader('orders', 0, 1)
    await producer.send({ topic: 'orders', value: '1' })
    // Such a leader has perhaps written what it refuses: it lost its partition while it waited for its followers.
    const fault = kafka.fail({ api: 'Produce' }, 'NOT_LEADER_OR_FOLLOWER')
    const sending = producer.send({ topic: 'orders', value: '2' })
    await fault.hit()
    kafka.moveLeader('orders', 0, 2)
    await sending
    kafka.moveLeader('orders', 0, 1)
    await producer.send({ topic: 'orders', value: '3' })
    expect(stored(kafka, 'orders')).toEqual(['1', '2', '3'])
    expect(kafka.records('orders').map(({ magic }) => magic)).toEqual([2, 1, 2])
    expect(warnings).toEqual(['KAFKA_PRODUCER_NOT_IDEMPOTENT'])
  })

  it.each([
    ['0.8.2', '0.11'],
    ['0.10.2', '4'],
    ['4', '2.8'],
  ])('from %s to %s, one after the other', async (from, to) => {
    const kafka = await startKafka({ release: from, brokers: 2, topics: { orders: { partitions: 2 } } })
    const producer = startProducer(kafka)
    let sent = 0
    const send = async () =>
      producer.send([0, 1].map((partition) => ({ topic: 'orders', partition, value: String(sent++) })))
    for (let i = 0; i < 5; i++) await send()
    for (const id of [1, 2]) {
      const flowing = Promise.all(Array.from({ length: 5 }, send))
      await kafka.upgradeBroker(id, to)
      await flowing
      for (let i = 0; i < 5; i++) await send()
    }
    for (const partition of [0, 1]) kafka.moveLeader('orders', partition, partition + 1)
    await send()
    // A request that was cut off may stand there twice; nothing is missing.
    expect(new Set(kafka.records('orders').map(({ value }) => value?.toString())).size).toBe(sent)
    const last = requestsOf(kafka, 'Produce')
      .slice(-2)
      .map(({ apiVersion }) => apiVersion)
    expect(new Set(last)).toEqual(new Set([{ '0.11': 3, '4': 13, '2.8': 9 }[to]]))
  })
})

describe('what a format cannot hold fails that message alone, before a byte of it is written', () => {
  it.each([
    ['0.8.2', ['UNSUPPORTED_BY_FORMAT', 'UNSUPPORTED_BY_FORMAT', 0n]],
    ['0.10.2', ['UNSUPPORTED_BY_FORMAT', 0n, 1n]],
    ['0.11', [0n, 1n, 2n]],
  ])('Kafka %s: headers, a timestamp of its own, neither', async (release, expected) => {
    const kafka = await startKafka({ release, topics: { orders: {} } })
    const producer = startProducer(kafka)
    const sending = producer.send([
      { topic: 'orders', value: 'headers', headers: { a: '1' } },
      { topic: 'orders', value: 'timestamp', timestamp: 1_000 },
      { topic: 'orders', value: 'neither' },
    ])
    const results = expected.every((outcome) => typeof outcome === 'bigint')
      ? await sending
      : (await failureOf(sending)).results
    expect(outcomes(results)).toEqual(expected)
    for (const result of results)
      if (result instanceof Error) expect(result).toMatchObject({ mayHaveBeenWritten: false, attempts: 0 })
    expect(stored(kafka, 'orders')).toHaveLength(expected.filter((outcome) => typeof outcome === 'bigint').length)
    expect(producer.stats()).toMatchObject({ queueMessages: 0, queueBytes: 0 })
  })

  it('no headers at all are no headers', async () => {
    const kafka = await startKafka({ release: '0.8.2', topics: { orders: {} } })
    await startProducer(kafka).send([
      { topic: 'orders', value: 'x', headers: {} },
      { topic: 'orders', value: 'y', headers: [] },
    ])
    expect(stored(kafka, 'orders')).toEqual(['x', 'y'])
  })

  it('a batch of nothing else sends no request', async () => {
    const kafka = await startKafka({ release: '0.8.2', topics: { orders: {} } })
    await deliveryErrorOf(startProducer(kafka).send({ topic: 'orders', value: 'x', timestamp: 1 }))
    expect(requestsOf(kafka, 'Produce')).toEqual([])
  })
})
