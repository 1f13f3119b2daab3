import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { metadata } from '../../../src/protocol/apis/metadata.js'
import { produce } from '../../../src/protocol/apis/produce.js'
import { EmbeddedKafka, type EmbeddedKafkaOptions } from '../../../src/testing/index.js'
import { connectTo, startKafka } from '../support/cluster.js'
import { batchOf, metadataOf, metadataRequest, produceRequest, produceTo } from '../support/requests.js'

const batch = batchOf([{ value: '1' }])

async function refused(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const [event] = await Promise.race([
    once(socket, 'connect').then(() => ['connect']),
    once(socket, 'error').then(() => ['error']),
  ]).catch(() => ['error'])
  socket.destroy()
  return event === 'error'
}

function portsOf(kafka: EmbeddedKafka): number[] {
  return kafka.brokers.map(({ port }) => port)
}

describe('Metadata', () => {
  it('tells of brokers, leaders and replicas; partitions go round the brokers', async () => {
    const kafka = await startKafka({ brokers: 3, topics: { orders: { partitions: 4, replicationFactor: 2 } } })
    const response = await metadataOf(await connectTo(kafka, 2), null, 12)
    expect(response.brokers.map(({ nodeId, port }) => [nodeId, port])).toEqual(
      portsOf(kafka).map((port, i) => [i + 1, port]),
    )
    expect(response.controllerId).toBe(1)
    const [orders] = response.topics
    expect(
      orders?.partitions.map((p) => [p.partitionIndex, p.leaderId, p.leaderEpoch, p.replicaNodes, p.isrNodes]),
    ).toEqual([
      [0, 1, 0, [1, 2], [1, 2]],
      [1, 2, 0, [2, 3], [2, 3]],
      [2, 3, 0, [3, 1], [3, 1]],
      [3, 1, 0, [1, 2], [1, 2]],
    ])
    const byId = await (
      await connectTo(kafka)
    ).call(metadata, 12, {
      ...metadataRequest(null),
      topics: [
        { name: null, topicId: orders?.topicId ?? Buffer.alloc(16) },
        { name: null, topicId: Buffer.alloc(16, 9) },
      ],
    })
    expect(byId.topics.map(({ name, errorCode }) => [name, errorCode])).toEqual([
      ['orders', 0],
      [null, 100],
    ])
  })

  it.each([
    ['2.8', 5],
    ['4', 3],
  ])('Kafka %s creates a topic when asked, and says so with error %i once', async (release, code) => {
    const kafka = await startKafka({ release, defaultPartitions: 3 })
    const client = await connectTo(kafka)
    expect((await metadataOf(client, ['new'])).topics.map(({ errorCode }) => errorCode)).toEqual([code])
    expect((await metadataOf(client, ['new'])).topics.map(({ partitions }) => partitions.length)).toEqual([3])
  })

  it('creates no topic where the request, the cluster or the name forbids it', async () => {
    const kafka = await startKafka()
    const client = await connectTo(kafka)
    expect((await client.call(metadata, 9, metadataRequest(['new'], false))).topics[0]?.errorCode).toBe(3)
    expect((await metadataOf(client, ['no good'])).topics[0]?.errorCode).toBe(17)
    expect((await metadataOf(client, null)).topics).toEqual([])
    const strict = await startKafka({ autoCreateTopics: false })
    expect((await metadataOf(await connectTo(strict), ['new'])).topics[0]?.errorCode).toBe(3)
  })

  it('stays as it was while frozen', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { orders: {} } })
    const client = await connectTo(kafka, 1)
    await kafka.stopBroker(2)
    const lonely = kafka.freezeMetadata(1)
    await kafka.startBroker(2)
    const { topics: before } = await metadataOf(client, ['orders'])
    expect(before[0]?.partitions[0]).toMatchObject({ isrNodes: [1], offlineReplicas: [2] })
    lonely.release()
    const frozen = kafka.freezeMetadata(1)
    kafka.moveLeader('orders', 0, 2)
    await kafka.addBroker()
    const leader = async (id: number) => {
      const { topics, brokers } = await metadataOf(id === 1 ? client : await connectTo(kafka, id), ['orders'])
      return [topics[0]?.partitions[0]?.leaderId, brokers.length]
    }
    expect(await leader(1)).toEqual([1, 2])
    expect(await leader(2)).toEqual([2, 3])
    frozen.release()
    expect(await leader(1)).toEqual([2, 3])
  })
})

describe('leaders', () => {
  it('another replica leads, in a new epoch, when the broker stops; the stopped one follows when it is back', async () => {
    const kafka = await startKafka({ brokers: 3, topics: { orders: {} } })
    const [port] = portsOf(kafka)
    const client = await connectTo(kafka, 1)
    await kafka.stopBroker(1)
    await client.untilClosed()
    expect(await refused(port ?? 0)).toBe(true)
    const other = await connectTo(kafka, 2)
    const before = await metadataOf(other, ['orders'])
    expect(before.brokers.map(({ nodeId }) => nodeId)).toEqual([2, 3])
    expect(before.controllerId).toBe(2)
    expect(before.topics[0]?.partitions[0]).toMatchObject({
      leaderId: 2,
      leaderEpoch: 1,
      isrNodes: [2, 3],
      offlineReplicas: [1],
    })
    expect((await produceTo(other, batch)).errorCode).toBe(0)
    await kafka.startBroker(1)
    expect(portsOf(kafka)[0]).toBe(port)
    const after = await metadataOf(await connectTo(kafka, 1), ['orders'])
    expect(after.topics[0]?.partitions[0]).toMatchObject({ leaderId: 2, leaderEpoch: 1, isrNodes: [2, 3, 1] })
  })

  it('comes back under another port if told so', async () => {
    const kafka = await startKafka({ brokers: 2 })
    const [old] = portsOf(kafka)
    await kafka.stopBroker(1)
    await kafka.startBroker(1, { port: 'new' })
    const { brokers } = await metadataOf(await connectTo(kafka, 2), [])
    expect(brokers.find(({ nodeId }) => nodeId === 1)?.port).toBe(portsOf(kafka)[0])
    expect(portsOf(kafka)[0]).not.toBe(old)
  })

  it('an election can take until it is called', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { orders: {} } })
    await kafka.stopBroker(1, { electionMs: Infinity })
    const client = await connectTo(kafka, 2)
    const [partition] = (await metadataOf(client, ['orders'])).topics[0]?.partitions ?? []
    expect(partition).toMatchObject({ errorCode: 5, leaderId: -1 })
    expect((await produceTo(client, batch)).errorCode).toBe(6)
    kafka.electLeaders()
    expect((await produceTo(client, batch)).errorCode).toBe(0)
  })

  it('an election can take a time', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { orders: {} } })
    await kafka.stopBroker(1, { electionMs: 30 })
    expect(kafka.leaderOf('orders', 0)).toBe(-1)
    await expect.poll(() => kafka.leaderOf('orders', 0)).toBe(2)
  })

  it('the last replica in sync is waited for', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { orders: {} } })
    await kafka.stopBroker(2)
    await kafka.stopBroker(1)
    await kafka.startBroker(2)
    expect(kafka.leaderOf('orders', 0)).toBe(-1)
    await kafka.startBroker(1)
    expect(kafka.leaderOf('orders', 0)).toBe(1)
  })

  it('moves where a replica is, and says where it cannot', async () => {
    const kafka = await startKafka({ brokers: 3, topics: { orders: { replicationFactor: 2 } } })
    kafka.moveLeader('orders', 0, 2)
    expect(kafka.leaderOf('orders', 0)).toBe(2)
    const refusals: [() => void, string][] = [
      [() => kafka.moveLeader('orders', 0, 3), 'WRONG_STATE'],
      [() => kafka.moveLeader('orders', 0, 9), 'UNKNOWN_BROKER'],
      [() => kafka.moveLeader('orders', 5, 2), 'UNKNOWN_PARTITION'],
      [() => kafka.moveLeader('other', 0, 2), 'UNKNOWN_TOPIC'],
    ]
    for (const [move, code] of refusals) expect(move).toThrow(expect.objectContaining({ code }))
  })
})

describe('brokers', () => {
  it('a paused one accepts and is silent; what was sent is served when it goes on', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { orders: { partitions: 2 } } })
    const open = await connectTo(kafka, 1)
    kafka.pauseBroker(1)
    const late = await connectTo(kafka, 1)
    open.send(produce, 9, produceRequest(batch))
    late.send(produce, 9, produceRequest(batch))
    expect((await produceTo(await connectTo(kafka, 2), batch, { partition: 1 })).errorCode).toBe(0)
    expect(kafka.brokers.map(({ state }) => state)).toEqual(['paused', 'running'])
    expect(kafka.records('orders')).toHaveLength(1)
    kafka.resumeBroker(1)
    await open.answer(produce, 9)
    await late.answer(produce, 9)
    expect(kafka.records('orders')).toHaveLength(3)
  })

  it('one that is paused while it serves carries out nothing, and answers nothing', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const client = await connectTo(kafka)
    const stall = kafka.stall({ api: 'Produce' })
    client.send(produce, 9, produceRequest(batch))
    client.send(produce, 9, produceRequest(batch))
    await kafka.waitForRequest({ api: 'Produce' }, { count: 2 })
    kafka.pauseBroker(1)
    stall.release()
    await expect(kafka.waitForRecords('orders', 1, { timeoutMs: 30 })).rejects.toMatchObject({ code: 'WAIT_TIMEOUT' })
    expect(client.hasFrame).toBe(false)
    kafka.resumeBroker(1)
    await client.answer(produce, 9)
    await client.answer(produce, 9)
    expect(kafka.records('orders')).toHaveLength(2)
  })

  it('one that is busy stops reading, and reads on later', async () => {
    const kafka = await startKafka()
    const client = await connectTo(kafka)
    const stall = kafka.stall({ api: 'Metadata' })
    const count = 5_000
    for (let i = 0; i < count; i++) client.send(metadata, 9, metadataRequest([]))
    await kafka.waitForRequest({ api: 'Metadata' }, { count: 100 })
    await metadataOf(await connectTo(kafka), [])
    expect(kafka.requests.length).toBeLessThan(4_000)
    stall.release()
    for (let i = 0; i < count; i++) await client.frame()
  })

  it('refuses connections for a while, and keeps those that are open', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const client = await connectTo(kafka)
    const refusal = kafka.refuseConnections(1)
    const [port = 0] = portsOf(kafka)
    expect(await refused(port)).toBe(true)
    expect((await produceTo(client, batch)).errorCode).toBe(0)
    refusal.release()
    await expect.poll(() => refused(port)).toBe(false)
  })

  it('refuses connections as long as anybody wants that', async () => {
    const kafka = await startKafka()
    const [port = 0] = portsOf(kafka)
    const [first, second] = [kafka.refuseConnections(1), kafka.refuseConnections(1)]
    first.release()
    expect(await refused(port)).toBe(true)
    expect(await refused(port)).toBe(true)
    second.release()
    const third = kafka.refuseConnections(1)
    expect(await refused(port)).toBe(true)
    expect(await refused(port)).toBe(true)
    third.release()
    await expect.poll(() => refused(port)).toBe(false)
  })

  it('listens again once, however often it is told to', async () => {
    const kafka = await startKafka()
    const [port = 0] = portsOf(kafka)
    const refusal = kafka.refuseConnections(1)
    refusal.release()
    refusal.release()
    await expect.poll(() => refused(port)).toBe(false)
    // It would tell of a port that is taken.
    await kafka.stop()
  })

  it.each([
    ['its cluster', (kafka: EmbeddedKafka) => kafka.stop()],
    ['it', (kafka: EmbeddedKafka) => kafka.stopBroker(1)],
  ])('listens no more where %s is stopped while it begins to again', async (_, stop) => {
    const kafka = await startKafka()
    const [port = 0] = portsOf(kafka)
    kafka.refuseConnections(1).release()
    await stop(kafka)
    expect(await refused(port)).toBe(true)
    expect(await refused(port)).toBe(true)
  })

  it('drops its connections and takes new ones', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const client = await connectTo(kafka)
    await metadataOf(client, [])
    kafka.dropConnections(1)
    await client.untilClosed()
    expect((await produceTo(await connectTo(kafka), batch)).errorCode).toBe(0)
  })

  it('can be added and removed', async () => {
    const kafka = await startKafka({ brokers: 2 })
    const id = await kafka.addBroker({ release: '2.8' })
    expect(id).toBe(3)
    kafka.createTopic('wide', { partitions: 3, replicationFactor: 1 })
    expect([0, 1, 2].map((partition) => kafka.leaderOf('wide', partition))).toEqual([1, 2, 3])
    await kafka.removeBroker(3)
    expect(kafka.brokers.map((broker) => broker.id)).toEqual([1, 2])
    const wide = (await metadataOf(await connectTo(kafka), ['wide'])).topics[0]
    expect(wide?.partitions[2]).toMatchObject({ errorCode: 5, leaderId: -1, replicaNodes: [3], offlineReplicas: [3] })
  })

  it('cannot be stopped or started twice', async () => {
    const kafka = await startKafka()
    await expect(kafka.startBroker(1)).rejects.toMatchObject({ code: 'WRONG_STATE' })
    await kafka.stopBroker(1)
    await expect(kafka.stopBroker(1)).rejects.toMatchObject({ code: 'WRONG_STATE' })
    await expect(kafka.stopBroker(2)).rejects.toMatchObject({ code: 'UNKNOWN_BROKER' })
  })
})

describe('a cluster', () => {
  it.each<[EmbeddedKafkaOptions, string]>([
    [{ release: '5.0' }, 'UNKNOWN_RELEASE'],
    [{ brokers: 0 }, 'INVALID_OPTION'],
    [{ brokers: [{ id: 1 }, { id: 1 }] }, 'INVALID_OPTION'],
    [{ topics: { orders: { replicationFactor: 2 } } }, 'INVALID_OPTION'],
    [{ topics: { 'no good': {} } }, 'INVALID_OPTION'],
    [{ topics: { orders: { config: { 'retention.bytes': 'much' } } } }, 'INVALID_OPTION'],
    [{ borkers: 3 } as EmbeddedKafkaOptions, 'INVALID_OPTION'],
  ])('does not start with %j', async (options, code) => {
    await expect(EmbeddedKafka.start(options)).rejects.toMatchObject({ code })
  })

  it('listens on the ports it is given', async () => {
    const [port = 0] = portsOf(
      await (async () => {
        const probe = await EmbeddedKafka.start()
        await probe.stop()
        return probe
      })(),
    )
    const kafka = await startKafka({ ports: [port] })
    expect(kafka.bootstrap).toBe(`127.0.0.1:${port}`)
    await expect(EmbeddedKafka.start({ ports: [port] })).rejects.toMatchObject({
      name: 'EmbeddedKafkaError',
      code: 'CANNOT_LISTEN',
      message: expect.stringContaining(`can't listen on port ${port} of 127.0.0.1: the port is taken (`) as unknown,
      cause: { code: 'EADDRINUSE' },
    })
  })

  it('leaves no socket and no port when it is stopped, whatever is going on', async () => {
    const kafka = await EmbeddedKafka.start({ brokers: 2, topics: { orders: {} } })
    const client = await connectTo(kafka, 1)
    const idle = await connectTo(kafka, 2)
    const stall = kafka.stall({ api: 'Produce' })
    kafka.delay({ api: 'Metadata' }, 60_000)
    client.send(produce, 9, produceRequest(batch))
    await stall.hit()
    idle.send(metadata, 9, metadataRequest([]))
    kafka.pauseBroker(2)
    const waiting = kafka.waitForRecords('orders', 1)
    const ports = portsOf(kafka)
    const stopped = kafka.stop()
    await expect(waiting).rejects.toMatchObject({ code: 'STOPPED' })
    await stopped
    await kafka.stop()
    await Promise.all([client.untilClosed(), idle.untilClosed()])
    for (const port of ports) expect(await refused(port)).toBe(true)
    expect(kafka.connections).toEqual([])
  })

  it('does not listen where this machine is not, and says so', async () => {
    await expect(EmbeddedKafka.start({ host: '192.0.2.1' })).rejects.toMatchObject({
      code: 'CANNOT_LISTEN',
      message: expect.stringContaining(
        "can't listen on port 0 of 192.0.2.1: this machine has no such address (",
      ) as unknown,
    })
  })

  it('has no broker that could not be added', async () => {
    const kafka = await startKafka()
    const { bootstrap } = kafka
    const [port = 0] = portsOf(kafka)
    const adding = kafka.addBroker({ port })
    expect(kafka.bootstrap).toBe(bootstrap)
    await expect(adding).rejects.toMatchObject({ code: 'CANNOT_LISTEN' })
    expect(kafka.bootstrap).toBe(bootstrap)
    expect(kafka.brokers.map(({ id }) => id)).toEqual([1])
    expect(await kafka.addBroker()).toBe(2)
  })

  it('is stopped for good', async () => {
    const kafka = await EmbeddedKafka.start({ topics: { orders: {} } })
    await kafka.stop()
    expect(kafka.brokers.map(({ state }) => state)).toEqual(['stopped'])
    expect(kafka.leaderOf('orders', 0)).toBe(1)
    const ports = portsOf(kafka)
    for (const late of [kafka.addBroker(), kafka.startBroker(1), kafka.upgradeBroker(1, '2.8')]) {
      await expect(late).rejects.toMatchObject({ code: 'STOPPED' })
    }
    expect(portsOf(kafka)).toEqual(ports)
    expect(kafka.brokers.map(({ state, release }) => [state, release])).toEqual([['stopped', '4']])
  })

  it.each<[string, (kafka: EmbeddedKafka) => unknown]>([
    ['createTopic', (kafka) => kafka.createTopic('b')],
    ['recreateTopic', (kafka) => kafka.recreateTopic('a')],
    ['setPartitions', (kafka) => kafka.setPartitions('a', 2)],
    ['deleteTopic', (kafka) => kafka.deleteTopic('a')],
    ['fail', (kafka) => kafka.fail({ api: 'Produce' }, 'NOT_LEADER_OR_FOLLOWER')],
    ['delay', (kafka) => kafka.delay({ api: 'Produce' }, 1)],
    ['moveLeader', (kafka) => kafka.moveLeader('a', 0, -1)],
    ['pauseBroker', (kafka) => kafka.pauseBroker(1)],
    ['babble', (kafka) => kafka.babble(1)],
    ['refuseConnections', (kafka) => kafka.refuseConnections(1)],
    ['freezeMetadata', (kafka) => kafka.freezeMetadata()],
    ['subscribeMetrics', (kafka) => kafka.subscribeMetrics({})],
    ['setPassword', (kafka) => kafka.setPassword('bob', 'builder')],
  ])('that is stopped refuses %s, and still shows what it had', async (_, act) => {
    const kafka = await EmbeddedKafka.start({ topics: { a: {} }, sasl: {}, clientMetrics: {} })
    await kafka.stop()
    expect(() => act(kafka)).toThrow(expect.objectContaining({ code: 'STOPPED', message: 'the cluster was stopped' }))
    expect([kafka.records('a'), kafka.leaderOf('a', 0)]).toEqual([[], 1])
  })

  it('that is stopped while a broker is being added is left with no port', async () => {
    const kafka = await EmbeddedKafka.start()
    const adding = kafka.addBroker()
    const stopped = kafka.stop()
    await expect(adding).rejects.toMatchObject({ code: 'STOPPED' })
    await stopped
    expect(kafka.brokers.map(({ id, state }) => [id, state])).toEqual([[1, 'stopped']])
  })

  it('shares nothing with others', async () => {
    const clusters = await Promise.all(Array.from({ length: 5 }, () => startKafka({ topics: { orders: {} } })))
    const [first] = clusters
    await produceTo(await connectTo(first as EmbeddedKafka), batch)
    expect(clusters.map((kafka) => kafka.records('orders').length)).toEqual([1, 0, 0, 0, 0])
    expect(new Set(clusters.map(({ bootstrap }) => bootstrap)).size).toBe(5)
  })
})
