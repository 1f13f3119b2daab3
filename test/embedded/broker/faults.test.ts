import { describe, expect, it } from 'vitest'
import { initProducerId } from '../../../src/protocol/apis/init-producer-id.js'
import { metadata } from '../../../src/protocol/apis/metadata.js'
import { produce } from '../../../src/protocol/apis/produce.js'
import type { EmbeddedKafka, Spoiling } from '../../../src/testing/index.js'
import { connectTo, startKafka } from '../support/cluster.js'
import type { RawClient } from '../support/raw-client.js'
import { batchOf, metadataOf, metadataRequest, produceRequest, produceTo } from '../support/requests.js'

const batch = batchOf([{ value: '1' }])

async function start(): Promise<{ kafka: EmbeddedKafka; client: RawClient }> {
  const kafka = await startKafka({ release: '2.8', topics: { orders: { partitions: 2 }, other: {} } })
  return { kafka, client: await connectTo(kafka) }
}

describe('fail', () => {
  it('answers the error so often as ordered, and appends nothing', async () => {
    const { kafka, client } = await start()
    const fault = kafka.fail({ api: 'Produce', topic: 'orders', times: 2 }, 'KAFKA_STORAGE_ERROR')
    expect((await produceTo(client, batch)).errorCode).toBe(56)
    expect((await produceTo(client, batch)).errorCode).toBe(56)
    expect((await produceTo(client, batch)).errorCode).toBe(0)
    expect(fault.hits).toBe(2)
    expect(kafka.records('orders')).toHaveLength(1)
  })

  it('meets one request unless told otherwise, and ends when released', async () => {
    const { kafka, client } = await start()
    kafka.fail({ api: 'Produce' }, 6)
    expect((await produceTo(client, batch)).errorCode).toBe(6)
    expect((await produceTo(client, batch)).errorCode).toBe(0)
    const forever = kafka.fail({ api: 'Produce', times: Infinity }, 6)
    for (let i = 0; i < 5; i++) expect((await produceTo(client, batch)).errorCode).toBe(6)
    forever.release()
    expect((await produceTo(client, batch)).errorCode).toBe(0)
  })

  it('is for the partition named alone; the others of the request are appended', async () => {
    const { kafka, client } = await start()
    kafka.fail({ topic: 'orders', partition: 1 }, 'NOT_LEADER_OR_FOLLOWER')
    expect((await produceTo(client, batch, { partition: 0 })).errorCode).toBe(0)
    const request = produceRequest(batch)
    const partitionData = [0, 1].map((index) => ({ index, records: batch }))
    const { responses } = await client.call(produce, 9, {
      ...request,
      topicData: request.topicData.map((topic) => ({ ...topic, partitionData })),
    })
    expect(responses[0]?.partitionResponses.map(({ errorCode }) => errorCode)).toEqual([0, 6])
    expect(kafka.records('orders').map(({ partition }) => partition)).toEqual([0, 0])
  })

  it.each([
    ['REQUEST_TIMED_OUT', 7],
    ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', 20],
  ])('%s comes after the append', async (name, code) => {
    const { kafka, client } = await start()
    kafka.fail({ api: 'Produce' }, name)
    expect((await produceTo(client, batch)).errorCode).toBe(code)
    expect(kafka.records('orders')).toHaveLength(1)
    kafka.fail({ api: 'Produce' }, name, { append: false })
    await produceTo(client, batch)
    expect(kafka.records('orders')).toHaveLength(1)
  })

  it('works for other requests: topics of Metadata, and requests as a whole', async () => {
    const { kafka, client } = await start()
    kafka.fail({ api: 'Metadata', topic: 'orders' }, 'TOPIC_AUTHORIZATION_FAILED')
    const { topics } = await metadataOf(client, ['orders', 'other'])
    expect(topics.map(({ name, errorCode }) => [name, errorCode])).toEqual([
      ['orders', 29],
      ['other', 0],
    ])
    kafka.fail({ api: 'Metadata', topic: 'orders', partition: 1 }, 'LEADER_NOT_AVAILABLE')
    const [orders] = (await metadataOf(client, ['orders'])).topics
    expect([orders?.errorCode, orders?.partitions.map(({ errorCode }) => errorCode)]).toEqual([0, [0, 5]])
    kafka.fail({ api: 'InitProducerId' }, 'CLUSTER_AUTHORIZATION_FAILED')
    const answer = await client.call(initProducerId, 4, {
      transactionalId: null,
      transactionTimeoutMs: 1,
      producerId: -1n,
      producerEpoch: -1,
      enable2Pc: false,
      keepPreparedTxn: false,
    })
    expect(answer.errorCode).toBe(31)
  })

  it('meets the broker and the client named only', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { orders: { partitions: 2 } } })
    const fault = kafka.fail({ broker: 2, clientId: 'raw', times: Infinity }, 'UNKNOWN_SERVER_ERROR')
    expect((await produceTo(await connectTo(kafka, 1), batch, { partition: 0 })).errorCode).toBe(0)
    expect((await produceTo(await connectTo(kafka, 2, 'other'), batch, { partition: 1 })).errorCode).toBe(0)
    expect((await produceTo(await connectTo(kafka, 2), batch, { partition: 1 })).errorCode).toBe(-1)
    expect(fault.hits).toBe(1)
  })

  it('closes the connection of a request with acks 0', async () => {
    const { kafka, client } = await start()
    kafka.fail({ api: 'Produce' }, 'NOT_LEADER_OR_FOLLOWER')
    client.send(produce, 9, produceRequest(batch, { acks: 0 }))
    await client.untilClosed()
  })

  it('refuses names that Kafka does not have, and brokers that are not there', async () => {
    const { kafka } = await start()
    expect(() => kafka.fail({}, 'NOT_A_LEADER')).toThrow(expect.objectContaining({ code: 'UNKNOWN_ERROR_NAME' }))
    expect(() => kafka.fail({ broker: 9 }, 6)).toThrow(expect.objectContaining({ code: 'UNKNOWN_BROKER' }))
    expect(() => kafka.fail({ times: 0 }, 6)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
    expect(() => kafka.fail({}, 'NOT_LEADER_OR_FOLOWER')).toThrow("did you mean 'NOT_LEADER_OR_FOLLOWER'?")
  })
})

describe('an order that says what there is not', () => {
  // As plain JavaScript gives them.
  type Order = (kafka: EmbeddedKafka, give: (value: unknown) => never) => unknown

  it.each<[string, RegExp, Order]>([
    [
      'a name of no request',
      /^target\.api: given was 'produce'.*'Fetch'.*did you mean 'Produce'\?$/,
      (kafka, give) => kafka.fail({ api: give('produce') }, 6),
    ],
    [
      'a field that there is not',
      /^there is no 'topics' in target: did you mean 'topic'\?$/,
      (kafka, give) => kafka.cut(give({ topics: ['orders'] })),
    ],
    [
      'a field that is like none',
      /^there is no 'leader' in target: allowed are api, topic, partition, broker, clientId, times$/,
      (kafka, give) => kafka.cut(give({ leader: 1 })),
    ],
    [
      'a text for a partition',
      /^target\.partition: given was '0', allowed is a whole number of at least 0$/,
      (kafka, give) => kafka.fail({ partition: give('0') }, 6),
    ],
    ['a text for a broker', /^target\.broker: given was '1'/, (kafka, give) => kafka.stall({ broker: give('1') })],
    [
      'a list of topics',
      /^target\.topic: given was a list, allowed is a text$/,
      (kafka, give) => kafka.stall({ topic: give(['orders']) }),
    ],
    ['no client id', /^target\.clientId: given was null/, (kafka, give) => kafka.stall({ clientId: give(null) })],
    [
      'half a time',
      /^target\.times: given was 1.5, allowed is a whole number of at least 1, or Infinity$/,
      (kafka) => kafka.stall({ times: 1.5 }),
    ],
    [
      'no target',
      /^target: given was undefined, allowed is an object of api, topic/,
      (kafka, give) => kafka.fail(give(undefined), 6),
    ],
    ['a Map for a target', /^target: given was an object \(Map\)/, (kafka, give) => kafka.fail(give(new Map()), 6)],
    [
      'half an error',
      /^error: given was 1.5, allowed is a whole number from -32768 to 32767$/,
      (kafka) => kafka.fail({}, 1.5),
    ],
    ['no error', /^error: given was undefined/, (kafka, give) => kafka.fail({}, give(undefined))],
    [
      'a text for true',
      /^options\.append: given was 'yes', allowed is true or false$/,
      (kafka, give) => kafka.fail({}, 7, { append: give('yes') }),
    ],
    ['no time', /^ms: given was undefined/, (kafka, give) => kafka.delay({}, give(undefined))],
    ['a negative time', /^ms: given was -1/, (kafka) => kafka.delay({}, -1)],
    [
      'a time that the wire cannot tell',
      /^ms: given was Infinity, allowed is a whole number from 0 to/,
      (kafka) => kafka.throttle({}, Infinity),
    ],
    [
      'a moment that there is not',
      /^moment: given was 'middle', allowed is one of 'before', 'after', 'mid-response'$/,
      (kafka, give) => kafka.cut({}, give('middle')),
    ],
    [
      'a misspelt moment',
      /^moment: given was 'befor', .*: did you mean 'before'\?$/,
      (kafka, give) => kafka.stall({}, give('befor')),
    ],
    [
      'a moment of another fault',
      /^moment: given was 'mid-response', allowed is one of 'before', 'after'$/,
      (kafka, give) => kafka.stall({}, give('mid-response')),
    ],
    [
      'a way that there is not',
      /^how: given was 'foo', allowed is one of 'noise'/,
      (kafka, give) => kafka.spoil({}, give('foo')),
    ],
  ])('is refused: %s', async (_, message, order) => {
    const { kafka, client } = await start()
    const give = (value: unknown): never => value as never
    const refusal = expect.objectContaining({ name: 'EmbeddedKafkaError', code: 'INVALID_OPTION' }) as unknown
    expect(() => order(kafka, give)).toThrow(refusal)
    expect(() => order(kafka, give)).toThrow(message)
    expect((await produceTo(client, batch)).errorCode).toBe(0)
  })
})

describe('delay and stall', () => {
  it('delays a request, and what is behind it on the connection', async () => {
    const { kafka, client } = await start()
    kafka.delay({ api: 'Produce' }, 60)
    const before = performance.now()
    client.send(produce, 9, produceRequest(batch))
    client.send(metadata, 9, metadataRequest(['orders']))
    await client.answer(produce, 9)
    expect(performance.now() - before).toBeGreaterThanOrEqual(55)
    expect((await client.answer(metadata, 9)).topics).toHaveLength(1)
  })

  it('a delay that is released ends at once', async () => {
    const { kafka, client } = await start()
    const fault = kafka.delay({ api: 'Produce' }, 60_000)
    client.send(produce, 9, produceRequest(batch))
    await fault.hit()
    fault.release()
    expect((await client.answer(produce, 9)).responses).toHaveLength(1)
  })

  it('many delays, one after another or side by side, leave nothing behind that Node warns of', async () => {
    const { kafka, client } = await start()
    const warnings: Error[] = []
    const onWarning = (warning: Error) => warnings.push(warning)
    process.on('warning', onWarning)
    kafka.delay({ api: 'Produce', times: 20 }, 1)
    for (let i = 0; i < 20; i++) await produceTo(client, batch)
    const stall = kafka.stall({ api: 'Produce', times: 20 })
    const producing = Array.from({ length: 20 }, async () => produceTo(await connectTo(kafka), batch))
    await stall.hit(20)
    stall.release()
    await Promise.all(producing)
    await new Promise((resolve) => setImmediate(resolve))
    process.off('warning', onWarning)
    expect(warnings).toEqual([])
  })

  it('holds a request before it is acted on, while other connections are served', async () => {
    const { kafka, client } = await start()
    const stall = kafka.stall({ api: 'Produce' })
    client.send(produce, 9, produceRequest(batchOf([{ value: 'held' }])))
    await stall.hit()
    await produceTo(await connectTo(kafka), batchOf([{ value: 'other' }]))
    expect(client.hasFrame).toBe(false)
    stall.release()
    await client.answer(produce, 9)
    expect(kafka.records('orders').map(({ value }) => value?.toString())).toEqual(['other', 'held'])
  })

  it('holds an answer after the append', async () => {
    const { kafka, client } = await start()
    const stall = kafka.stall({ api: 'Produce' }, 'after')
    client.send(produce, 9, produceRequest(batch))
    await kafka.waitForRecords('orders', 1)
    await produceTo(await connectTo(kafka), batch, { topic: 'other' })
    expect(client.hasFrame).toBe(false)
    stall.release()
    expect((await client.answer(produce, 9)).responses[0]?.partitionResponses[0]?.baseOffset).toBe(0n)
  })

  it('answers pipelined requests in their order, one at a time', async () => {
    const { kafka, client } = await start()
    const stall = kafka.stall({ api: 'Produce' })
    const ids = [1, 2, 3].map((i) => client.send(produce, 9, produceRequest(batchOf([{ value: String(i) }]))))
    await kafka.waitForRequest({ api: 'Produce' }, { count: 3 })
    expect([stall.hits, kafka.records('orders')]).toEqual([1, []])
    stall.release()
    const answered: number[] = []
    for (let i = 0; i < 3; i++) answered.push((await client.frame()).readInt32BE(0))
    expect(answered).toEqual(ids)
    expect(kafka.records('orders').map(({ value }) => value?.toString())).toEqual(['1', '2', '3'])
  })

  it.each(['destroy', 'resetAndDestroy'] as const)(
    'carries out what it held, though the client has gone (%s)',
    async (leave) => {
      const { kafka, client } = await start()
      const stall = kafka.stall({ api: 'Produce' })
      client.send(produce, 9, produceRequest(batch))
      await stall.hit()
      client.socket[leave]()
      await expect.poll(() => kafka.connections).toEqual([])
      stall.release()
      await kafka.waitForRecords('orders', 1)
    },
  )

  it('leaves nothing to be carried out when the broker stops', async () => {
    const { kafka, client } = await start()
    const stall = kafka.stall({ api: 'Produce' })
    client.send(produce, 9, produceRequest(batch))
    await stall.hit()
    await kafka.stopBroker(1)
    await kafka.startBroker(1)
    stall.release()
    kafka.delay({ api: 'Produce' }, 1)
    expect((await produceTo(await connectTo(kafka), batchOf([{ value: 'later' }]))).baseOffset).toBe(0n)
  })
})

describe('cut', () => {
  it.each([
    ['before', 0],
    ['after', 1],
    ['mid-response', 1],
  ] as const)('%s the append', async (moment, appended) => {
    const { kafka, client } = await start()
    let received = 0
    client.socket.on('data', (chunk: Buffer) => (received += chunk.length))
    kafka.cut({ api: 'Produce', topic: 'orders' }, moment)
    client.send(produce, 9, produceRequest(batch))
    await client.untilClosed()
    expect(kafka.records('orders')).toHaveLength(appended)
    expect(client.hasFrame).toBe(false)
    expect(received > 0).toBe(moment === 'mid-response')
    expect((await produceTo(await connectTo(kafka), batch)).errorCode).toBe(0)
  })

  it('spares requests for other topics', async () => {
    const { kafka, client } = await start()
    kafka.cut({ topic: 'other' })
    expect((await produceTo(client, batch)).errorCode).toBe(0)
  })
})

describe('spoil', () => {
  it.each<[Spoiling, string]>([
    ['noise', 'the body'],
    ['short-body', 'the body'],
    ['wrong-correlation-id', 'the correlation id'],
  ])('%s spoils %s of the answer alone', async (how, what) => {
    const { kafka, client } = await start()
    kafka.spoil({ api: 'Metadata' }, how)
    const id = client.send(metadata, 9, metadataRequest(['orders']))
    const frame = await client.frame()
    expect(frame.readInt32BE(0) === id).toBe(what === 'the body')
    const good = await metadataOf(client, ['orders'])
    expect(good.topics).toHaveLength(1)
  })

  it.each([
    ['huge-length', 0x7fffffff],
    ['negative-length', -1],
  ] as const)('%s', async (how, size) => {
    const { kafka, client } = await start()
    kafka.spoil({ api: 'Metadata' }, how)
    client.socket.removeAllListeners('data')
    const first = new Promise<Buffer>((resolve) => client.socket.once('data', resolve))
    client.send(metadata, 9, metadataRequest(['orders']))
    expect((await first).readInt32BE(0)).toBe(size)
  })
})

describe('throttle', () => {
  it('since 2.0: answers at once, then reads nothing for so long', async () => {
    const { kafka, client } = await start()
    kafka.throttle({ api: 'Produce' }, 80)
    const before = performance.now()
    const response = await client.call(produce, 9, produceRequest(batch))
    const answered = performance.now() - before
    expect(response.throttleTimeMs).toBe(80)
    await produceTo(client, batch)
    expect(performance.now() - before).toBeGreaterThanOrEqual(75)
    expect(answered).toBeLessThan(75)
  })

  it('before 2.0: answers late', async () => {
    const kafka = await startKafka({ release: '1.1', topics: { orders: {} } })
    const client = await connectTo(kafka)
    kafka.throttle({ api: 'Produce' }, 60)
    const before = performance.now()
    const response = await client.call(produce, 5, produceRequest(batch))
    expect(performance.now() - before).toBeGreaterThanOrEqual(55)
    expect(response.throttleTimeMs).toBe(60)
  })
})

describe('babble', () => {
  it('sends on all open connections of a broker what nobody asked for', async () => {
    const { kafka, client } = await start()
    await produceTo(client, batch)
    kafka.babble(1, Buffer.from([0, 0, 0, 4, 0, 0, 0, 99]))
    expect(await client.frame()).toEqual(Buffer.from([0, 0, 0, 99]))
    expect((await produceTo(client, batch)).errorCode).toBe(0)
  })
})
