import { describe, expect, it } from 'vitest'
import { createTopics, type CreatableTopic } from '../../../src/protocol/apis/create-topics.js'
import { deleteTopics } from '../../../src/protocol/apis/delete-topics.js'
import { describeCluster } from '../../../src/protocol/apis/describe-cluster.js'
import { findCoordinator } from '../../../src/protocol/apis/find-coordinator.js'
import { ZERO_UUID } from '../../../src/protocol/byte-writer.js'
import { connectTo, startKafka } from '../support/cluster.js'
import type { RawClient } from '../support/raw-client.js'
import { batchOf, metadataOf, produceTo } from '../support/requests.js'

interface NewTopic {
  name: string
  partitions?: number
  factor?: number
  assignments?: number[][]
  configs?: Record<string, string>
}

function creatable({ name, partitions = 1, factor = 1, assignments = [], configs = {} }: NewTopic): CreatableTopic {
  return {
    name,
    numPartitions: assignments.length > 0 ? -1 : partitions,
    replicationFactor: assignments.length > 0 ? -1 : factor,
    assignments: assignments.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds })),
    configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
  }
}

async function create(client: RawClient, topics: NewTopic[], version = 7, validateOnly = false): Promise<number[]> {
  const response = await client.call(createTopics, version, {
    topics: topics.map(creatable),
    timeoutMs: 1_000,
    validateOnly,
  })
  return response.topics.map(({ errorCode }) => errorCode)
}

describe('CreateTopics', () => {
  it('creates topics as asked', async () => {
    const kafka = await startKafka({ brokers: 3, defaultPartitions: 4 })
    const client = await connectTo(kafka, 2)
    expect(
      await create(client, [
        { name: 'plain', partitions: 2, factor: 3 },
        { name: 'default', partitions: -1, factor: -1 },
        {
          name: 'placed',
          assignments: [
            [3, 1],
            [2, 3],
          ],
        },
        { name: 'compacted', configs: { 'cleanup.policy': 'compact' } },
      ]),
    ).toEqual([0, 0, 0, 0])
    const { topics } = await metadataOf(client, ['plain', 'default', 'placed'])
    expect(topics.map(({ partitions }) => partitions.map(({ replicaNodes }) => replicaNodes.length))).toEqual([
      [3, 3],
      [3, 3, 3, 3],
      [2, 2],
    ])
    expect(topics[2]?.partitions.map(({ leaderId }) => leaderId)).toEqual([3, 2])
    const leader = await connectTo(kafka, kafka.leaderOf('compacted', 0))
    expect((await produceTo(leader, batchOf([{ value: 'no key' }]), { topic: 'compacted' })).errorCode).toBe(87)
  })

  it('only checks, if that is asked', async () => {
    const kafka = await startKafka({ autoCreateTopics: false })
    const client = await connectTo(kafka)
    expect(await create(client, [{ name: 'orders' }], 7, true)).toEqual([0])
    expect((await metadataOf(client, null)).topics).toEqual([])
  })

  it.each<[string, NewTopic[], number[]]>([
    ['a topic that is there', [{ name: 'orders' }], [36]],
    ['a bad name', [{ name: 'no good' }], [17]],
    ['no partitions', [{ name: 'new', partitions: 0 }], [37]],
    ['more replicas than brokers', [{ name: 'new', factor: 2 }], [38]],
    ['an assignment to no broker', [{ name: 'new', assignments: [[7]] }], [39]],
    ['a topic twice', [{ name: 'new' }, { name: 'new' }], [42]],
    ['a config that is no number', [{ name: 'new', configs: { 'max.message.bytes': 'x' } }], [40]],
    ['one bad among good ones', [{ name: 'new' }, { name: 'orders' }], [0, 36]],
  ])('refuses %s', async (_, topics, codes) => {
    const kafka = await startKafka({ topics: { orders: {} } })
    expect(await create(await connectTo(kafka), topics)).toEqual(codes)
  })

  it('is for the controller alone, before brokers passed it on', async () => {
    const kafka = await startKafka({ release: '2.8', brokers: 2 })
    expect(await create(await connectTo(kafka, 2), [{ name: 'orders' }])).toEqual([41])
    expect(await create(await connectTo(kafka, 1), [{ name: 'orders' }])).toEqual([0])
  })
})

describe('DeleteTopics', () => {
  async function remove(
    client: RawClient,
    topics: (string | Buffer)[],
    version = 6,
  ): Promise<[string | null, number][]> {
    const response = await client.call(deleteTopics, version, {
      topics: topics.map((topic) =>
        typeof topic === 'string' ? { name: topic, topicId: ZERO_UUID } : { name: null, topicId: topic },
      ),
      timeoutMs: 1_000,
    })
    return response.responses.map(({ name, errorCode }) => [name, errorCode])
  }

  it('deletes by name and by id', async () => {
    const kafka = await startKafka({ autoCreateTopics: false, topics: { one: {}, two: {} } })
    const client = await connectTo(kafka)
    const { topics } = await metadataOf(client, ['two'], 12)
    const id = topics[0]?.topicId ?? ZERO_UUID
    expect(await remove(client, ['one', id])).toEqual([
      ['one', 0],
      ['two', 0],
    ])
    expect(await remove(client, ['one', id])).toEqual([
      ['one', 3],
      [null, 100],
    ])
    expect((await metadataOf(client, null)).topics).toEqual([])
    expect((await produceTo(client, batchOf([{}]), { topic: 'one' })).errorCode).toBe(3)
  })

  it('a topic made anew is empty, and has another id', async () => {
    const kafka = await startKafka({ topics: { orders: { partitions: 3, config: { 'max.message.bytes': 500 } } } })
    const client = await connectTo(kafka)
    await produceTo(client, batchOf([{ value: '1' }]), { partition: 2 })
    const idOf = async () => (await metadataOf(client, ['orders'], 12)).topics[0]
    const before = await idOf()
    kafka.recreateTopic('orders')
    const after = await idOf()
    expect(after?.partitions).toHaveLength(3)
    expect(before?.topicId.equals(after?.topicId ?? ZERO_UUID)).toBe(false)
    expect(kafka.records('orders')).toEqual([])
    const options = { version: 13, partition: 2, topicId: before?.topicId ?? ZERO_UUID }
    expect((await produceTo(client, batchOf([{ value: '1' }]), options)).errorCode).toBe(100)
    expect((await produceTo(client, batchOf([{ value: 'x'.repeat(500) }]), { partition: 2 })).errorCode).toBe(10)
  })

  it('a topic can grow', async () => {
    const kafka = await startKafka({ topics: { orders: { partitions: 2 } } })
    kafka.setPartitions('orders', 4)
    const { topics } = await metadataOf(await connectTo(kafka), ['orders'])
    expect(topics[0]?.partitions.map(({ partitionIndex }) => partitionIndex)).toEqual([0, 1, 2, 3])
    expect(() => kafka.setPartitions('orders', 1)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
  })

  it('a topic does not grow while there are fewer brokers than replicas', async () => {
    const kafka = await startKafka({ brokers: 3, topics: { orders: {} } })
    const replicas = async () => {
      const { topics } = await metadataOf(await connectTo(kafka), ['orders'])
      return topics[0]?.partitions.map(({ replicaNodes }) => [...replicaNodes].sort())
    }
    await kafka.removeBroker(3)
    expect(() => kafka.setPartitions('orders', 2)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', message: 'replicationFactor 3 with 2 brokers' }),
    )
    expect(await replicas()).toEqual([[1, 2, 3]])
    await kafka.addBroker({ id: 4 })
    kafka.setPartitions('orders', 2)
    expect(await replicas()).toEqual([
      [1, 2, 3],
      [1, 2, 4],
    ])
  })
})

describe('finding one’s way', () => {
  it('DescribeCluster names the brokers that live', async () => {
    const kafka = await startKafka({ brokers: 3 })
    await kafka.stopBroker(1)
    const response = await (
      await connectTo(kafka, 2)
    ).call(describeCluster, 1, {
      includeClusterAuthorizedOperations: false,
      endpointType: 1,
      includeFencedBrokers: false,
    })
    expect([response.errorCode, response.controllerId, response.brokers.map(({ brokerId }) => brokerId)]).toEqual([
      0,
      2,
      [2, 3],
    ])
  })

  it('FindCoordinator names the same broker wherever it is asked', async () => {
    const kafka = await startKafka({ brokers: 3 })
    const ask = async (id: number, version: number, keys: string[]) =>
      (await (await connectTo(kafka, id)).call(findCoordinator, version, { keyType: 1, coordinatorKeys: keys }))
        .coordinators
    const [one] = await ask(1, 3, ['tx'])
    const two = await ask(2, 4, ['tx', 'other', 'third'])
    expect(one?.errorCode).toBe(0)
    expect(two[0]).toMatchObject({ key: 'tx', nodeId: one?.nodeId, port: one?.port })
    expect(two.map(({ key }) => key)).toEqual(['tx', 'other', 'third'])
  })
})
