import { describe, expect, it } from 'vitest'
import { apiVersions, type ApiVersionsResponse } from '../../../src/protocol/apis/api-versions.js'
import { findCoordinator } from '../../../src/protocol/apis/find-coordinator.js'
import { UNKNOWN_LEADER } from '../../../src/protocol/apis/leader-hints.js'
import {
  metadata,
  OPERATIONS_NOT_REQUESTED,
  type MetadataRequest,
  type MetadataResponse,
  type MetadataTopic,
} from '../../../src/protocol/apis/metadata.js'
import {
  produce,
  type ProducePartitionResponse,
  type ProduceRequest,
  type ProduceResponse,
} from '../../../src/protocol/apis/produce.js'
import { ZERO_UUID } from '../../../src/protocol/byte-writer.js'
import { decodeResponseFrame, encodeResponseFrame } from '../../../src/protocol/frame.js'
import { outgoing, recordBatch } from './records/support.js'

const VERSIONS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]

function topic(name: string, partitions = 1): MetadataTopic {
  return {
    errorCode: 0,
    name,
    topicId: ZERO_UUID,
    isInternal: false,
    partitions: Array.from({ length: partitions }, (_, partitionIndex) => ({
      errorCode: 0,
      partitionIndex,
      leaderId: 1,
      leaderEpoch: -1,
      replicaNodes: [1, 2, 3],
      isrNodes: [1],
      offlineReplicas: [],
    })),
    topicAuthorizedOperations: OPERATIONS_NOT_REQUESTED,
  }
}

function metadataAnswer(topics: readonly MetadataTopic[], hosts: readonly string[] = ['a']): MetadataResponse {
  return {
    throttleTimeMs: 0,
    brokers: hosts.map((host, nodeId) => ({ nodeId, host, port: 9092, rack: null })),
    clusterId: null,
    controllerId: -1,
    topics,
    clusterAuthorizedOperations: OPERATIONS_NOT_REQUESTED,
    errorCode: 0,
  }
}

function asking(names: readonly string[] | null, wanted?: readonly string[]): MetadataRequest {
  return {
    topics: names === null ? null : names.map((name) => ({ name, topicId: ZERO_UUID })),
    allowAutoTopicCreation: true,
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false,
    ...(wanted === undefined ? {} : { wanted }),
  }
}

function read(version: number, response: MetadataResponse, request: MetadataRequest): MetadataResponse {
  return decodeResponseFrame(
    metadata,
    version,
    encodeResponseFrame(metadata, version, 1, response).subarray(4),
    request,
  )
}

describe.each(VERSIONS)('an answer to Metadata v%i', (version) => {
  it('is read as it is where it tells what was asked', () => {
    const response = metadataAnswer([topic('a', 3), topic('b')])
    expect(read(version, response, asking(['b', 'a']))).toEqual(response)
  })

  it('with other topics than were asked for: those are passed over', () => {
    const response = metadataAnswer([topic('x', 5), topic('a', 2)])
    expect(read(version, response, asking(['a', 'b'])).topics).toEqual([topic('a', 2)])
  })

  it('about all topics: those that nobody wants are passed over', () => {
    const response = metadataAnswer([topic('x', 5), topic('a', 2), topic('y'), topic('a', 9), topic('b')])
    expect(read(version, response, asking(null, ['a', 'b', 'c'])).topics).toEqual([topic('a', 2), topic('b')])
  })

  it('with more topics than were asked for is refused', () => {
    expect(() => read(version, metadataAnswer([topic('a'), topic('b'), topic('c')]), asking(['a', 'b']))).toThrow(
      'an array of 3 elements, allowed are 2',
    )
  })

  it('with more brokers than a cluster has is refused', () => {
    const hosts = Array.from({ length: 10_001 }, () => 'a')
    expect(() => read(version, metadataAnswer([], hosts), asking(['a']))).toThrow('elements, allowed are 10000')
  })

  it.each(['', 'a b', 'x\nFAKE: all is well', 'x\x1b[2J', 'a\0', 'a/b', '\u202eexample', 'h'.repeat(256), 'user@host'])(
    'with a host that is no name and no address is refused: %j',
    (host) => {
      const say = () => read(version, metadataAnswer([], ['good', host]), asking(['a']))
      expect(say).toThrow(/a host that is neither a name nor an address: '[^\p{Cc}\p{Cf}]{0,330}' at byte/u)
    },
  )

  it.each(['kafka_1', 'b-1.example.com.', '10.0.0.1', '::1', 'fe80::1%eth0', '2001:db8::192.0.2.1', 'bücher.example'])(
    'with the host %s is taken',
    (host) => {
      expect(read(version, metadataAnswer([], [host]), asking(['a'])).brokers).toHaveLength(1)
    },
  )
})

describe.each([0, 1, 2, 3, 4, 5, 6])('an answer to FindCoordinator %i', (version) => {
  const tell = (host: string, errorCode = 0) => {
    const coordinator = { key: version < 4 ? '' : 'k', nodeId: 1, host, port: 9092, errorCode, errorMessage: null }
    const response = { throttleTimeMs: 0, coordinators: [coordinator] }
    const frame = encodeResponseFrame(findCoordinator, version, 1, response).subarray(4)
    return decodeResponseFrame(findCoordinator, version, frame, { keyType: 0, coordinatorKeys: ['k'] })
  }

  it('with a host that is no name and no address is refused', () => {
    expect(() => tell('x\nFAKE: all is well')).toThrow("neither a name nor an address: 'x\\u000aFAKE: all is well'")
  })

  it('that is an error needs none', () => {
    expect(tell('', 15).coordinators).toMatchObject([{ host: '', errorCode: 15 }])
    expect(tell('kafka-1.example').coordinators).toHaveLength(1)
  })
})

function partition(index: number, more: Partial<ProducePartitionResponse> = {}): ProducePartitionResponse {
  return {
    index,
    errorCode: 0,
    baseOffset: 1n,
    logAppendTimeMs: -1,
    logStartOffset: -1n,
    recordErrors: [],
    errorMessage: null,
    currentLeader: UNKNOWN_LEADER,
    ...more,
  }
}

describe('an answer to Produce', () => {
  const records = recordBatch([1, 2].map((timestamp) => outgoing({ value: 'x', timestamp })))
  const request: ProduceRequest = {
    transactionalId: null,
    acks: -1,
    timeoutMs: 1,
    topicData: ['a', 'b'].map((name) => ({ name, topicId: ZERO_UUID, partitionData: [{ index: 0, records }] })),
  }
  const tell = (responses: ProduceResponse['responses'], hosts: readonly string[] = []) => {
    const nodeEndpoints = hosts.map((host, nodeId) => ({ nodeId, host, port: 1, rack: null }))
    const response = { responses, throttleTimeMs: 0, nodeEndpoints }
    return decodeResponseFrame(produce, 12, encodeResponseFrame(produce, 12, 1, response).subarray(4), request)
  }
  const topicOf = (name: string, ...partitionResponses: ProducePartitionResponse[]) => ({
    name,
    topicId: ZERO_UUID,
    partitionResponses,
  })
  const errors = (count: number) =>
    Array.from({ length: count }, (_, batchIndex) => ({ batchIndex, batchIndexErrorMessage: null }))

  it('is read as it is where it tells what was asked', () => {
    const told = [topicOf('a', partition(0, { recordErrors: errors(2) })), topicOf('b', partition(0))]
    expect(tell(told).responses).toEqual(told)
  })

  it.each([
    ['topics', [...'abcde'].map((name) => topicOf(name))],
    ['partitions', [topicOf('a', partition(0)), topicOf('b', ...[0, 1, 2, 3].map((index) => partition(index)))]],
    ['messages', [topicOf('a', partition(0, { recordErrors: errors(9) }))]],
  ])('with many more %s than were sent is refused', (_, responses) => {
    expect(() => tell(responses)).toThrow(/elements, allowed are \d/)
  })

  it('with a host that is no name and no address is refused', () => {
    expect(() => tell([], ['a\nb'])).toThrow("neither a name nor an address: 'a\\u000ab'")
  })

  it('may have an error for each message, and is of some kilobytes otherwise', () => {
    const many = recordBatch(Array.from({ length: 10_000 }, () => outgoing({})))
    const bound = (sent: typeof records) =>
      produce.maxResponseBytes?.({
        ...request,
        topicData: [{ name: 'orders', topicId: ZERO_UUID, partitionData: [{ index: 0, records: sent }] }],
      }) ?? Infinity
    expect(bound(records)).toBeLessThan(100_000)
    expect(bound(many)).toBeGreaterThan(
      10_000 * 'Compacted topic cannot accept message without key in topic partition orders-0.'.length,
    )
  })

  it('is bounded by the messages that a batch says it has, where it is bytes', () => {
    const bytes = recordBatch([1, 2, 3].map((timestamp) => outgoing({ timestamp })))
    const partitionData = [{ index: 0, records: bytes }]
    const sent = { ...request, topicData: [{ name: 'a', topicId: ZERO_UUID, partitionData }] }
    const frameOf = (count: number) =>
      encodeResponseFrame(produce, 8, 1, {
        responses: [topicOf('a', partition(0, { recordErrors: errors(count) }))],
        throttleTimeMs: 0,
        nodeEndpoints: [],
      }).subarray(4)
    expect(decodeResponseFrame(produce, 8, frameOf(3), sent).responses).toHaveLength(1)
    expect(() => decodeResponseFrame(produce, 8, frameOf(7), sent)).toThrow('an array of 7 elements, allowed are 6')
  })
})

it('an answer to ApiVersions with more APIs than Kafka could have is refused', () => {
  const response: ApiVersionsResponse = {
    errorCode: 0,
    apiKeys: Array.from({ length: 1_001 }, (_, apiKey) => ({ apiKey, minVersion: 0, maxVersion: 0 })),
    throttleTimeMs: 0,
    supportedFeatures: [],
    finalizedFeaturesEpoch: -1n,
    finalizedFeatures: [],
    zkMigrationReady: false,
  }
  const frame = encodeResponseFrame(apiVersions, 3, 1, response).subarray(4)
  expect(() => decodeResponseFrame(apiVersions, 3, frame)).toThrow('an array of 1001 elements, allowed are 1000')
})
