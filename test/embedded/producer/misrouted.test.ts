import { connect, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { CreateConnection, Producer } from '../../../src/index.js'
import type { EmbeddedKafka } from '../../../src/testing/index.js'
import { startKafka } from '../support/cluster.js'
import { MovingName } from '../support/moving-name.js'
import { deliveryErrorOf, portOf, requestsOf, startProducer, stored, until } from '../support/producers.js'

const topics = { orders: { partitions: 1 } }
const SEED = 'seed.internal'

/** Another cluster at the addresses of one that is no more. */
async function madeAnew(kafka: EmbeddedKafka, release?: string): Promise<EmbeddedKafka> {
  const ports = [portOf(kafka.bootstrap)]
  await kafka.stop()
  return startKafka({ release, topics, ports })
}

/** A network in which the ports that clusters name may lead elsewhere. */
class Routes {
  private readonly moved = new Map<number, number>()

  constructor(private readonly kafka: EmbeddedKafka) {}

  /** From now on connections to the port end at the other one. */
  lead(from: number, to: number): void {
    this.moved.set(from, to)
  }

  restore(): void {
    this.moved.clear()
  }

  /** The seed's name always leads to the cluster itself. */
  readonly connect: CreateConnection = ({ host, port }) =>
    connect({ host: '127.0.0.1', port: host === SEED ? portOf(this.kafka.bootstrap) : (this.moved.get(port) ?? port) })

  get seed(): string {
    return `${SEED}:9092`
  }
}

describe('a connection that reaches', () => {
  it('another cluster than the address is of (KIP-1242): nothing is written there, and the bootstrap list is asked', async () => {
    const [kafka, other] = [await startKafka({ topics }), await startKafka({ topics })]
    const routes = new Routes(kafka)
    routes.lead(portOf(kafka.bootstrap), portOf(other.bootstrap))
    const producer = startProducer(routes.seed, { createConnection: routes.connect })
    const sending = producer.send({ topic: 'orders', value: 'v' })
    // The first question is the seed's, and the one after the misrouted connection is so again.
    await kafka.waitForRequest({ api: 'Metadata' }, { count: 2 })
    expect(other.requests.map(({ api }) => api)).toContain('ApiVersions')
    routes.restore()
    await sending
    expect(stored(kafka, 'orders')).toEqual(['v'])
    expect([...new Set(other.requests.map(({ api }) => api))]).toEqual(['ApiVersions'])
  })

  it('another broker of the cluster: its leader is found again, and nobody else is sent anything', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { orders: { partitions: 2, replicationFactor: 1 } } })
    const [first = 0, second = 0] = kafka.brokers.map(({ port }) => port)
    const routes = new Routes(kafka)
    routes.lead(second, first)
    const producer = startProducer(routes.seed, { createConnection: routes.connect })
    const sending = producer.send({ topic: 'orders', partition: 1, value: 'v' })
    await kafka.waitForRequest({ api: 'Metadata' }, { count: 2 })
    expect(requestsOf(kafka, 'Produce')).toEqual([])
    routes.restore()
    await sending
    expect(requestsOf(kafka, 'Produce').map(({ broker }) => broker)).toEqual([2])
  })

  it('another broker: what one tells meanwhile of a leader that moved leaves the others as they are', async () => {
    const kafka = await startKafka({ brokers: 3, topics: { orders: { partitions: 5, replicationFactor: 3 } } })
    const [first = 0, second = 0] = kafka.brokers.map(({ port }) => port)
    const leaders = [1, 2, 2, 3, 3]
    for (const [partition, leader] of leaders.entries()) kafka.moveLeader('orders', partition, leader)
    const routes = new Routes(kafka)
    const producer = startProducer(routes.seed, { createConnection: routes.connect, deliveryTimeoutMs: 10_000 })
    const send = (partition: number) => producer.send({ topic: 'orders', partition, value: `to ${partition}` })
    await Promise.all([1, 2, 3].map(send))
    routes.lead(first, second)
    // Nobody answers where the brokers are, for now.
    const stalled = kafka.stall({ api: 'Metadata' })
    const misrouted = send(0)
    await stalled.hit()
    kafka.moveLeader('orders', 1, 3)
    const moved = send(1)
    await kafka.waitForRequest({ api: 'Produce' }, { count: 4 })
    expect(await send(2)).toMatchObject([{ partition: 2 }])
    routes.restore()
    stalled.release()
    await Promise.all([misrouted, moved])
  })

  it('and goes on reaching it: the error says so, and that nothing was written', async () => {
    const [kafka, other] = [await startKafka({ topics }), await startKafka({ topics })]
    const routes = new Routes(kafka)
    routes.lead(portOf(kafka.bootstrap), portOf(other.bootstrap))
    const producer = startProducer(routes.seed, { createConnection: routes.connect, retries: 1 })
    const error = await deliveryErrorOf(producer.send({ topic: 'orders', value: 'v' }))
    expect(error).toMatchObject({ code: 'CONNECTION_FAILED', attempts: 2, mayHaveBeenWritten: false })
    expect(error.message).toMatch(/it is not broker 1 of the cluster '[\w-]+', .*REBOOTSTRAP_REQUIRED/)
  })

  it('a cluster made anew at the same addresses: messages go on there', async () => {
    const kafka = await startKafka({ topics })
    const producer = startProducer(kafka)
    await producer.send({ topic: 'orders', value: 'old' })
    const anew = await madeAnew(kafka)
    await producer.send({ topic: 'orders', value: 'new' })
    expect(stored(anew, 'orders')).toEqual(['new'])
  })

  it.each<[string, (producer: Producer) => Promise<unknown>]>([
    ['partitionsFor()', (producer) => producer.partitionsFor('orders')],
    ['connect()', (producer) => producer.connect()],
  ])('a cluster made anew at the only address there is: %s has its answer from that', async (_, ask) => {
    const kafka = await startKafka({ topics })
    const streams: Socket[] = []
    const createConnection: CreateConnection = (address) => {
      const stream = connect(address)
      streams.push(stream)
      return stream
    }
    const producer = startProducer(kafka, { createConnection })
    await producer.partitionsFor('orders')
    await madeAnew(kafka)
    await until(() => streams.every(({ closed }) => closed), 'the producer knows that the old one is gone')
    await ask(producer)
  })

  it.each(['2.8', '3.9', '4'] as const)(
    'a cluster made anew, Kafka %s, which gives others the ids of the one before: none is taken for another',
    async (release) => {
      const kafka = await startKafka({ release, topics })
      const producer = startProducer(kafka)
      await producer.send({ topic: 'orders', value: 'old' })
      const ports = [portOf(kafka.bootstrap)]
      await kafka.stop()
      const waiting = producer.send({ topic: 'orders', value: 'a1' })
      const anew = await startKafka({ release, topics, ports })
      await waiting
      const other = startProducer(anew)
      for (const value of ['b1', 'b2']) await other.send({ topic: 'orders', value })
      await producer.send({ topic: 'orders', value: 'a2' })
      await other.send({ topic: 'orders', value: 'b3' })
      expect(stored(anew, 'orders')).toEqual(['a1', 'b1', 'b2', 'a2', 'b3'])
    },
  )

  it.each(['0.11', '2.8', '3.9', '4'] as const)(
    'a cluster made anew, Kafka %s, while nothing was sent: a message is not taken for one that another has sent there',
    async (release) => {
      const kafka = await startKafka({ release, topics })
      const producer = startProducer(kafka)
      await producer.send({ topic: 'orders', value: 'old' })
      const anew = await madeAnew(kafka, release)
      const other = startProducer(anew)
      for (const value of ['b1', 'b2']) await other.send({ topic: 'orders', value })
      await producer.send({ topic: 'orders', value: 'a1' })
      expect(stored(anew, 'orders')).toEqual(['b1', 'b2', 'a1'])
    },
  )

  it('a cluster made anew: what the one before told of other topics that are sent to is asked for there', async () => {
    const both = { orders: { partitions: 1 }, payments: { partitions: 1 } }
    const kafka = await startKafka({ topics: both })
    const producer = startProducer(kafka)
    for (const topic of ['orders', 'payments']) await producer.send({ topic, value: 'old' })
    const ports = [portOf(kafka.bootstrap)]
    await kafka.stop()
    const anew = await startKafka({ topics: both, ports })
    await producer.partitionsFor('orders')
    await anew.waitForRequest({ api: 'Metadata', topic: 'payments' })
  })

  it('a cluster made anew: topics that it was asked for in vain are in the next refresh', async () => {
    const both = { orders: { partitions: 1 }, payments: { partitions: 1 } }
    const kafka = await startKafka({ topics: both })
    const producer = startProducer(kafka, { metadataRefreshIntervalMs: 20 })
    for (const topic of ['orders', 'payments']) await producer.send({ topic, value: 'old' })
    const ports = [portOf(kafka.bootstrap)]
    await kafka.stop()
    const anew = await startKafka({ topics: both, ports })
    const cut = anew.cut({ api: 'Metadata', topic: 'payments', times: Infinity })
    // The refresh that goes out now asks for it as well, and has no answer either; nor has what is on the same connection.
    const told = () => producer.partitionsFor('orders').catch(() => undefined)
    while ((await told()) === undefined);
    await cut.hit(2)
    anew.releaseFaults()
    anew.clearRequests()
    await until(
      () =>
        anew.requests.some(({ api, topics }) => api === 'Metadata' && topics.some(({ topic }) => topic === 'payments')),
      'it is asked for again',
    )
  })

  it.each(['2.8', '3.9', '4'] as const)(
    'a cluster made anew, Kafka %s, while one has no answer: none is taken for another',
    async (release) => {
      const kafka = await startKafka({ release, topics })
      const producer = startProducer(kafka)
      await producer.send({ topic: 'orders', value: 'old 0' })
      const stalled = kafka.stall({ api: 'Produce' })
      const waiting = producer.send({ topic: 'orders', value: 'a1' })
      await stalled.hit()
      const anew = await madeAnew(kafka, release)
      const other = startProducer(anew)
      for (const value of ['b1', 'b2', 'b3']) await other.send({ topic: 'orders', value })
      await waiting
      await producer.send({ topic: 'orders', value: 'a2' })
      await other.send({ topic: 'orders', value: 'b4' })
      expect(stored(anew, 'orders').sort()).toEqual(['a1', 'a2', 'b1', 'b2', 'b3', 'b4'])
    },
  )

  it.each(['2.8', '3.9', '4'] as const)(
    'a cluster made anew, Kafka %s: what the one before may have is not taken there for a message of others',
    async (release) => {
      const kafka = await startKafka({ release, topics })
      const port = portOf(kafka.bootstrap)
      const routes = new Routes(kafka)
      const producer = startProducer(kafka, { createConnection: routes.connect })
      await producer.send({ topic: 'orders', value: 'a1' })
      const unanswered = kafka.stall({ api: 'Produce' }, 'after')
      const doubtful = producer.send({ topic: 'orders', value: 'a2' })
      await unanswered.hit()
      routes.lead(port, 1)
      await kafka.stop()
      const anew = await startKafka({ release, topics, ports: [port] })
      const other = startProducer(anew)
      for (const value of ['b1', 'b2']) await other.send({ topic: 'orders', value })
      routes.restore()
      expect(await doubtful).toMatchObject([{ offset: 2n }])
      await producer.send({ topic: 'orders', value: 'a3' })
      await other.send({ topic: 'orders', value: 'b3' })
      expect(stored(anew, 'orders')).toEqual(['b1', 'b2', 'a2', 'a3', 'b3'])
    },
  )

  it.each(['2.8', '3.9', '4'] as const)(
    'another cluster, Kafka %s, of which is heard while the one before owes an answer: what has none goes there, in order',
    async (release) => {
      const both = { orders: { partitions: 1 }, payments: {} }
      const [kafka, other] = [await startKafka({ release, topics: both }), await startKafka({ release, topics: both })]
      const name = new MovingName(kafka)
      const producer = startProducer(`${SEED}:9092`, { createConnection: name.connect })
      await producer.send({ topic: 'orders', value: 'old' })
      const stalled = kafka.stall({ api: 'Produce' })
      const first = producer.send({ topic: 'orders', value: 'a' })
      await stalled.hit()
      const second = producer.send({ topic: 'orders', value: 'b' })
      // Whatever is connected to from now on is the other one, as where a name has moved.
      name.moveTo(other)
      const [questions, messages] = name.sockets
      questions?.destroy()
      await producer.send({ topic: 'payments', value: 'c' })
      messages?.destroy()
      await Promise.all([first, second])
      expect(stored(other, 'orders')).toEqual(['a', 'b'])
    },
  )

  it('another cluster, of which the connection for questions knows nothing: a new one is asked, and messages go there', async () => {
    const [kafka, other] = [await startKafka({ topics }), await startKafka({ topics })]
    const name = new MovingName(kafka)
    const producer = startProducer(`${SEED}:9092`, { createConnection: name.connect })
    await producer.send({ topic: 'orders', value: 'old' })
    // The one before is well, and its connection for questions stays open.
    name.moveTo(other)
    name.socketOf('Produce')?.destroy()
    await producer.send({ topic: 'orders', value: 'new' })
    expect(stored(other, 'orders')).toEqual(['new'])
  })

  it.each(['2.8', '3.9', '4'] as const)(
    'another cluster, Kafka %s, while the one before goes on answering questions: a message is not taken for one of others',
    async (release) => {
      const [kafka, other] = [await startKafka({ release, topics }), await startKafka({ release, topics })]
      const name = new MovingName(kafka)
      const producer = startProducer(`${SEED}:9092`, { createConnection: name.connect })
      await producer.send({ topic: 'orders', value: 'old' })
      const others = startProducer(other)
      for (const value of ['b1', 'b2']) await others.send({ topic: 'orders', value })
      name.moveTo(other)
      // By chance: asked in an older version, Kafka 4.4 is not told whom it is taken for.
      other.cut({ api: 'ApiVersions', times: 1 })
      const socket = name.socketOf('Produce')
      socket?.destroy()
      await until(() => socket?.closed === true, 'the connection for messages is lost')
      await producer.partitionsFor('orders')
      await producer.send({ topic: 'orders', value: 'a1' })
      expect(stored(other, 'orders')).toEqual(['b1', 'b2', 'a1'])
    },
  )

  it.each(['0.11', '2.8', '3.9', '4'] as const)(
    'another cluster, Kafka %s, by one of its names alone: that the others still lead to the one before says nothing of it',
    async (release) => {
      const two = { orders: { partitions: 2, replicationFactor: 1 } }
      const start = () => startKafka({ release, brokers: 2, topics: two })
      const [kafka, other] = [await start(), await start()]
      const [second = 0, others2 = 0] = [kafka, other].map(({ brokers }) => brokers[1]?.port)
      const routes = new Routes(kafka)
      const producer = startProducer(routes.seed, { createConnection: routes.connect })
      for (const partition of [0, 1]) await producer.send({ topic: 'orders', partition, value: `old ${partition}` })
      const others = startProducer(other)
      for (const value of ['b1', 'b2']) await others.send({ topic: 'orders', partition: 1, value })
      routes.lead(second, others2)
      for (const { id } of kafka.brokers) kafka.dropConnections(id)
      await until(() => {
        const { opened, closed } = producer.stats().connections
        return closed === opened
      }, 'all its connections are lost')
      await producer.send({ topic: 'orders', partition: 0, value: 'a0' })
      other.clearRequests()
      const sending = producer.send({ topic: 'orders', partition: 1, value: 'a1' })
      await other.waitForRequest({ api: 'ApiVersions' })
      routes.restore()
      await sending
      expect(stored(other, 'orders')).toEqual(['b1', 'b2'])
      expect(stored(kafka, 'orders')).toEqual(['old 0', 'a0', 'old 1', 'a1'])
    },
  )

  it('a cluster made anew: that the one before refused an id says nothing of this one', async () => {
    const kafka = await startKafka({ release: '2.8', topics })
    kafka.fail({ api: 'InitProducerId' }, 'CLUSTER_AUTHORIZATION_FAILED')
    const producer = startProducer(kafka)
    await producer.send({ topic: 'orders', value: 'old' })
    expect(producer.stats().idempotent).toBe(false)
    await madeAnew(kafka, '2.8')
    await producer.send({ topic: 'orders', value: 'new' })
    expect(producer.stats().idempotent).toBe(true)
  })

  it('a cluster made anew: that the one before took no sequences for a topic says nothing of this one', async () => {
    const kafka = await startKafka({ release: '2.8', topics })
    kafka.fail({ api: 'Produce', topic: 'orders' }, 'UNSUPPORTED_FOR_MESSAGE_FORMAT')
    const producer = startProducer(kafka)
    await producer.send({ topic: 'orders', value: 'old' })
    expect(producer.stats().notIdempotentTopics).toEqual(['orders'])
    const anew = await madeAnew(kafka, '2.8')
    await producer.send({ topic: 'orders', value: 'new' })
    expect(anew.records('orders').map(({ sequence }) => sequence)).toEqual([0])
    expect(producer.stats().notIdempotentTopics).toEqual([])
  })

  it('a cluster made anew: that the one before refused a codec says nothing of this one', async () => {
    const kafka = await startKafka({ topics })
    kafka.fail({ api: 'Produce', topic: 'orders' }, 'UNSUPPORTED_COMPRESSION_TYPE')
    const producer = startProducer(kafka, { compression: { type: 'gzip', fallback: 'none' } })
    const value = 'x'.repeat(1_000)
    await producer.send({ topic: 'orders', value })
    const anew = await madeAnew(kafka)
    await producer.send({ topic: 'orders', value })
    const codecs = [kafka, anew].map((cluster) => cluster.records('orders').map(({ codec }) => codec))
    expect(codecs).toEqual([[0], [1]])
  })

  it('a cluster made anew: a topic that is not there is created, as at first', async () => {
    const kafka = await startKafka({ autoCreateTopics: true })
    const producer = startProducer(kafka)
    await producer.send({ topic: 'orders', value: 'old' })
    const ports = [portOf(kafka.bootstrap)]
    await kafka.stop()
    const anew = await startKafka({ autoCreateTopics: true, ports })
    await producer.send({ topic: 'orders', value: 'new' })
    expect(stored(anew, 'orders')).toEqual(['new'])
  })
})

describe('what brokers are told of whom the client takes them for', () => {
  /** Whom ApiVersions was meant for, by the connection's first frame: the cluster's id and the broker's. */
  function spiedOn(kafka: EmbeddedKafka, asked: Buffer[]): CreateConnection {
    return () => {
      const socket = connect({ host: '127.0.0.1', port: portOf(kafka.bootstrap) })
      const write = socket.write.bind(socket)
      socket.write = ((...args: Parameters<typeof write>) => {
        asked.push(Buffer.from(args[0] as Uint8Array))
        return write(...args)
      }) as typeof socket.write
      return socket
    }
  }

  /** The id of the broker, int32, stands at the end, before the tagged fields, of which there are none. */
  const nodeIdIn = (frame: Buffer) => frame.readInt32BE(frame.length - 5)

  it('is nothing, where only the user named the address, and then the id that the metadata has', async () => {
    const kafka = await startKafka({ topics })
    const asked: Buffer[] = []
    const producer = startProducer(`${SEED}:9092`, { createConnection: spiedOn(kafka, asked) })
    await producer.send({ topic: 'orders', value: 'v' })
    const questions = asked.filter((frame) => frame.length > 8 && frame.readInt16BE(4) === 18)
    expect(questions.map((frame) => [frame.readInt16BE(6), nodeIdIn(frame)])).toEqual([
      [5, -1],
      [5, 1],
    ])
  })
})
