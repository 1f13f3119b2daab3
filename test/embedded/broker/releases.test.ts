import { describe, expect, it } from 'vitest'
import {
  apiVersions,
  type ApiVersionsResponse,
  decodeApiVersionsResponse,
} from '../../../src/protocol/apis/api-versions.js'
import { produce } from '../../../src/protocol/apis/produce.js'
import { ByteWriter } from '../../../src/protocol/byte-writer.js'
import { RANGES } from '../../../src/testing/release-versions.js'
import { Release } from '../../../src/testing/releases.js'
import { readCaptures } from '../../golden/api-versions/captures.js'
import { connectTo, startKafka } from '../support/cluster.js'
import type { RawClient } from '../support/raw-client.js'
import { batchOf, fetchFrom, metadataOf, messagesOf, produceRequest, produceTo } from '../support/requests.js'

const UNSUPPORTED_VERSION = 35
const captures = readCaptures()

function ask(client: RawClient, version: number): void {
  client.send(apiVersions, version, {
    clientSoftwareName: 'raw',
    clientSoftwareVersion: '1',
    clusterId: null,
    nodeId: -1,
  })
}

async function versionsOf(client: RawClient, version: number): Promise<ApiVersionsResponse> {
  ask(client, version)
  return decodeApiVersionsResponse(version, await client.frame())
}

function rangeOf(response: ApiVersionsResponse, key: number): [number, number] | undefined {
  const range = response.apiKeys.find(({ apiKey }) => apiKey === key)
  return range && [range.minVersion, range.maxVersion]
}

describe('ApiVersions', () => {
  it.each<[string, number, [number, number], [number, number]]>([
    ['0.10.2', 0, [0, 2], [0, 2]],
    ['0.11', 1, [0, 3], [0, 4]],
    ['1.1', 1, [0, 5], [0, 5]],
    ['2.8', 3, [0, 9], [0, 11]],
    ['3.9', 4, [0, 11], [0, 12]],
    ['4', 4, [0, 13], [0, 13]],
  ])('Kafka %s lists its versions of Produce and Metadata', async (release, version, ofProduce, ofMetadata) => {
    const kafka = await startKafka({ release })
    const response = await versionsOf(await connectTo(kafka), version)
    expect(response.errorCode).toBe(0)
    expect(rangeOf(response, 0)).toEqual(ofProduce)
    expect(rangeOf(response, 3)).toEqual(ofMetadata)
  })

  it('lists transaction.version 2 with Kafka 4 alone', async () => {
    const levels = async (release: string) => {
      const kafka = await startKafka({ release })
      const { finalizedFeatures } = await versionsOf(await connectTo(kafka), 3)
      return finalizedFeatures.filter(({ name }) => name === 'transaction.version')
    }
    expect(await levels('3.9')).toEqual([])
    expect(await levels('4')).toEqual([{ name: 'transaction.version', minVersionLevel: 2, maxVersionLevel: 2 }])
  })

  it('answers an unknown version in version 0: before 2.4 with an empty list, later with its own range', async () => {
    for (const [release, list] of [
      ['0.10.2', []],
      ['1.1', []],
      ['2.8', [{ apiKey: 18, minVersion: 0, maxVersion: 3 }]],
      ['3.9', [{ apiKey: 18, minVersion: 0, maxVersion: 4 }]],
    ] as const) {
      const kafka = await startKafka({ release })
      const client = await connectTo(kafka)
      const { errorCode, apiKeys } = await versionsOf(client, 5)
      expect([release, errorCode, apiKeys]).toEqual([release, UNSUPPORTED_VERSION, list])
      expect((await versionsOf(client, 0)).errorCode).toBe(0)
    }
  })

  it('makes Kafka 0.8 hang up', async () => {
    const kafka = await startKafka({ release: '0.8.2' })
    const client = await connectTo(kafka)
    ask(client, 0)
    await client.untilClosed()
    expect(client.hasFrame).toBe(false)
  })

  it('is not answered by Kafka 0.9, which serves what comes after it', async () => {
    const kafka = await startKafka({ release: '0.9', topics: { orders: {} } })
    const client = await connectTo(kafka)
    ask(client, 0)
    const { errorCode } = await produceTo(client, messagesOf([{ value: 'kept' }], 0), { version: 1 })
    expect(errorCode).toBe(0)
    expect(kafka.records('orders').map(({ value }) => value?.toString())).toEqual(['kept'])
  })
})

describe('versions that a release does not have', () => {
  it.each([
    ['0.10.2', 3],
    ['2.8', 10],
    ['4', 2],
  ])('Kafka %s hangs up on Produce %i', async (release, version) => {
    const kafka = await startKafka({ release, topics: { orders: {} } })
    const client = await connectTo(kafka)
    client.send(produce, version, produceRequest(version < 3 ? messagesOf([{}], 0) : batchOf([{}])))
    await client.untilClosed()
    expect(kafka.requests.map(({ hungUp }) => hungUp)).toEqual([expect.stringContaining(`Produce v${version}`)])
  })

  it('an API that it does not have', async () => {
    const kafka = await startKafka({ release: '0.10.2' })
    const client = await connectTo(kafka)
    const writer = new ByteWriter()
    for (const field of [22, 0]) writer.writeInt16(field)
    writer.writeInt32(1)
    writer.writeString('raw')
    writer.writeString(null)
    writer.writeInt32(1_000)
    client.socket.write(Buffer.concat([Buffer.from([0, 0, 0, writer.position]), writer.bytes()]))
    await client.untilClosed()
  })
})

describe('what real brokers of a release were captured doing', () => {
  it.each(captures)('$release: takes ApiVersions as the broker did', ({ release, apiVersions: { did, answer } }) => {
    const played = Release.named(release)
    expect(played.apiVersions).toBe({ answered: 'answers', 'hung up': 'hangs-up', 'stayed silent': 'silent' }[did])
    if (answer === undefined) return
    const listed = RANGES.flatMap(([key]) => {
      const range = played.listed(key)
      return range === undefined ? [] : [[key, [range.min, range.max]]]
    })
    expect(Object.fromEntries(listed)).toEqual(
      Object.fromEntries(
        RANGES.flatMap(([key]) => (answer.ranges[key] === undefined ? [] : [[key, answer.ranges[key]]])),
      ),
    )
  })

  it.each(captures)(
    '$release: answers ApiVersions of unknown versions as the broker did',
    async ({ release, unknownApiVersions }) => {
      const kafka = await startKafka({ release })
      for (const { request, response = '' } of Object.values(unknownApiVersions)) {
        const client = await connectTo(kafka)
        client.socket.write(Buffer.from(request, 'hex'))
        expect((await client.frame()).toString('hex')).toBe(response.slice(8))
      }
    },
  )

  it.each(captures)(
    '$release: takes Produce of the old formats as the broker did',
    async ({ release, produceOfOldFormats }) => {
      const kafka = await startKafka({ release, topics: { captured: {} } })
      for (const { did, request, response } of Object.values(produceOfOldFormats)) {
        const client = await connectTo(kafka)
        client.socket.write(Buffer.from(request, 'hex'))
        if (did === 'hung up') await client.untilClosed()
        else expect((await client.frame()).length).toBe((response?.length ?? 0) / 2 - 4)
      }
    },
  )
})

describe('a cluster of several releases', () => {
  it('is upgraded one by one while messages flow', async () => {
    const kafka = await startKafka({
      brokers: [{ release: '0.8.2' }, { release: '0.8.2' }],
      topics: { orders: { partitions: 1 } },
    })
    const port = kafka.brokers[0]?.port
    await produceTo(await connectTo(kafka, 1), messagesOf([{ value: 'old' }], 0), { version: 0 })
    await kafka.upgradeBroker(1, '2.8.2')
    expect(kafka.brokers.map((broker) => [broker.release, broker.state])).toEqual([
      ['2.8', 'running'],
      ['0.8.2', 'running'],
    ])
    expect(kafka.brokers[0]?.port).toBe(port)
    expect(kafka.leaderOf('orders', 0)).toBe(2)
    kafka.moveLeader('orders', 0, 1)
    const client = await connectTo(kafka, 1)
    expect(rangeOf(await versionsOf(client, 3), 0)).toEqual([0, 9])
    expect((await produceTo(client, batchOf([{ value: 'new' }]))).baseOffset).toBe(1n)
    expect(kafka.records('orders').map(({ value, magic }) => [value?.toString(), magic])).toEqual([
      ['old', 0],
      ['new', 2],
    ])
  })

  it('does not convert down: a Fetch too old for the log is refused', async () => {
    const kafka = await startKafka({ release: '2.8', topics: { orders: {} } })
    const client = await connectTo(kafka)
    await produceTo(client, batchOf([{ value: '1' }]))
    expect((await fetchFrom(client, { version: 3 })).errorCode).toBe(UNSUPPORTED_VERSION)
    expect((await fetchFrom(client, { version: 4 })).errorCode).toBe(0)
  })

  it('tells of partitions with dead replicas as its release does', async () => {
    const kafka = await startKafka({ release: '0.8.2', brokers: 2, topics: { orders: {} } })
    await kafka.stopBroker(2)
    const old = (await metadataOf(await connectTo(kafka, 1), ['orders'], 0)).topics[0]?.partitions[0]
    expect([old?.errorCode, old?.replicaNodes]).toEqual([9, [1]])
    await kafka.upgradeBroker(1, '2.8')
    const modern = (await metadataOf(await connectTo(kafka, 1), ['orders'], 9)).topics[0]?.partitions[0]
    expect([modern?.errorCode, modern?.replicaNodes, modern?.offlineReplicas]).toEqual([0, [1, 2], [2]])
  })
})
