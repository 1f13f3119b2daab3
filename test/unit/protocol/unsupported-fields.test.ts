import { describe, expect, it } from 'vitest'
import { UnsupportedVersionError } from '../../../src/errors.js'
import type { Api } from '../../../src/protocol/api.js'
import { addPartitionsToTxn } from '../../../src/protocol/apis/add-partitions-to-txn.js'
import { createTopics } from '../../../src/protocol/apis/create-topics.js'
import { deleteTopics } from '../../../src/protocol/apis/delete-topics.js'
import { describeCluster } from '../../../src/protocol/apis/describe-cluster.js'
import { fetch } from '../../../src/protocol/apis/fetch.js'
import { findCoordinator } from '../../../src/protocol/apis/find-coordinator.js'
import { heartbeat } from '../../../src/protocol/apis/heartbeat.js'
import { initProducerId } from '../../../src/protocol/apis/init-producer-id.js'
import { joinGroup } from '../../../src/protocol/apis/join-group.js'
import { leaveGroup } from '../../../src/protocol/apis/leave-group.js'
import { listOffsets } from '../../../src/protocol/apis/list-offsets.js'
import { metadata } from '../../../src/protocol/apis/metadata.js'
import { offsetCommit } from '../../../src/protocol/apis/offset-commit.js'
import { offsetFetch } from '../../../src/protocol/apis/offset-fetch.js'
import { produce } from '../../../src/protocol/apis/produce.js'
import { syncGroup } from '../../../src/protocol/apis/sync-group.js'
import { txnOffsetCommit } from '../../../src/protocol/apis/txn-offset-commit.js'
import { ByteReader } from '../../../src/protocol/byte-reader.js'
import { ByteWriter, ZERO_UUID } from '../../../src/protocol/byte-writer.js'
import { apisWithSchemas } from '../../property/all-apis.js'
import { encodeMessage } from '../../property/schema-codec.js'
import { fullMessage } from '../../property/schema-messages.js'

type Half = 'request' | 'response'
type Fields = Record<string, unknown>

/** A message that this version holds, as it is decoded. */
function message(api: Api<unknown, unknown>, half: Half, version: number): Fields {
  const found = apisWithSchemas().find(({ schema }) => schema.name === api.name)
  if (found === undefined) throw new Error(`no schema of ${api.name}`)
  const schema = found.schema[half]
  const reader = new ByteReader(encodeMessage(schema, version, fullMessage(schema.fields, version)))
  return (half === 'request' ? api.decodeRequest(reader, version) : api.decodeResponse(reader, version)) as Fields
}

function encode(api: Api<unknown, unknown>, half: Half, version: number, value: Fields): Buffer {
  const writer = new ByteWriter()
  if (half === 'request') api.encodeRequest(writer, version, value)
  else api.encodeResponse(writer, version, value)
  return writer.bytes()
}

/** The value with something else at the place that `path` names; `0` is an array's first element. */
function replaced(value: unknown, path: string, replacement: unknown): unknown {
  const [head, ...rest] = path.split('.')
  const inner = (item: unknown): unknown =>
    rest.length === 0 ? replacement : replaced(item, rest.join('.'), replacement)
  if (Array.isArray(value)) return value.map((item, index) => (index === Number(head) ? inner(item) : item))
  const fields = value as Fields
  return { ...fields, [head as string]: inner(fields[head as string]) }
}

const ID = Buffer.alloc(16, 1)
const EPOCH_END = { epoch: 1, endOffset: 1n }

describe('what a version has no place for', () => {
  it.each<[Api<unknown, unknown>, Half, number, string, unknown]>([
    [produce, 'request', 2, 'transactionalId', 't'],
    [metadata, 'request', 0, 'topics', []],
    [metadata, 'request', 9, 'topics.0.name', null],
    [metadata, 'request', 3, 'allowAutoTopicCreation', false],
    [metadata, 'request', 7, 'includeTopicAuthorizedOperations', true],
    [metadata, 'request', 7, 'includeClusterAuthorizedOperations', true],
    [metadata, 'request', 11, 'includeClusterAuthorizedOperations', true],
    [metadata, 'response', 11, 'topics.0.name', null],
    [fetch, 'request', 14, 'replicaEpoch', 1n],
    [fetch, 'request', 6, 'forgottenTopicsData', [{ topic: 't', topicId: ZERO_UUID, partitions: [0] }]],
    [fetch, 'request', 11, 'topics.0.partitions.0.lastFetchedEpoch', 1],
    [fetch, 'response', 6, 'sessionId', 1],
    [fetch, 'response', 10, 'responses.0.partitions.0.preferredReadReplica', 1],
    [fetch, 'response', 11, 'responses.0.partitions.0.divergingEpoch', EPOCH_END],
    [fetch, 'response', 11, 'responses.0.partitions.0.snapshotId', EPOCH_END],
    [listOffsets, 'request', 1, 'isolationLevel', 1],
    [listOffsets, 'response', 0, 'topics.0.partitions.0.offset', 1n],
    [listOffsets, 'response', 1, 'topics.0.partitions.0.oldStyleOffsets', [1n]],
    [createTopics, 'request', 0, 'validateOnly', true],
    [deleteTopics, 'request', 5, 'topics.0.name', null],
    [deleteTopics, 'request', 5, 'topics.0.topicId', ID],
    [deleteTopics, 'response', 5, 'responses.0.name', null],
    [findCoordinator, 'request', 0, 'keyType', 1],
    [findCoordinator, 'request', 3, 'coordinatorKeys', ['a', 'b']],
    [findCoordinator, 'request', 3, 'coordinatorKeys', []],
    [findCoordinator, 'response', 3, 'coordinators', []],
    [initProducerId, 'request', 2, 'producerId', 1n],
    [initProducerId, 'request', 5, 'enable2Pc', true],
    [initProducerId, 'request', 5, 'keepPreparedTxn', true],
    [initProducerId, 'response', 5, 'ongoingTxnProducerId', 1n],
    [addPartitionsToTxn, 'request', 3, 'transactions', []],
    [addPartitionsToTxn, 'request', 3, 'transactions.0.verifyOnly', true],
    [addPartitionsToTxn, 'response', 3, 'resultsByTransaction', []],
    [txnOffsetCommit, 'request', 2, 'memberId', 'm'],
    [txnOffsetCommit, 'request', 2, 'groupInstanceId', 'i'],
    [txnOffsetCommit, 'request', 2, 'generationIdOrMemberEpoch', 1],
    [joinGroup, 'request', 4, 'groupInstanceId', 'i'],
    [joinGroup, 'response', 8, 'skipAssignment', true],
    [syncGroup, 'request', 2, 'groupInstanceId', 'i'],
    [heartbeat, 'request', 2, 'groupInstanceId', 'i'],
    [leaveGroup, 'request', 2, 'members.0.groupInstanceId', 'i'],
    [leaveGroup, 'request', 2, 'members', []],
    [leaveGroup, 'response', 2, 'members', [{ memberId: 'm', groupInstanceId: null, errorCode: 0 }]],
    [offsetCommit, 'request', 6, 'groupInstanceId', 'i'],
    [offsetCommit, 'request', 2, 'topics.0.partitions.0.commitTimestamp', 1],
    [offsetFetch, 'request', 7, 'groups', []],
    [offsetFetch, 'request', 6, 'requireStable', true],
    [offsetFetch, 'request', 1, 'groups.0.topics', null],
    [offsetFetch, 'response', 7, 'groups', []],
    [describeCluster, 'request', 0, 'endpointType', 2],
    [describeCluster, 'request', 1, 'includeFencedBrokers', true],
    [describeCluster, 'response', 0, 'endpointType', 2],
    [describeCluster, 'response', 1, 'brokers.0.isFenced', true],
  ])('$name: is not lost silently', (api, half, version, path, value) => {
    const valid = message(api, half, version)
    expect(encode(api, half, version, valid).length).toBeGreaterThan(0)
    expect(() => encode(api, half, version, replaced(valid, path, value) as Fields)).toThrow(UnsupportedVersionError)
  })

  it.each<[Api<unknown, unknown>, Half, number, string, unknown]>([
    [produce, 'request', 12, 'topicData.0.topicId', ID],
    [produce, 'request', 13, 'topicData.0.name', 't'],
    [produce, 'response', 9, 'nodeEndpoints', [{ nodeId: 1, host: 'h', port: 1, rack: null }]],
    [produce, 'response', 9, 'responses.0.partitionResponses.0.currentLeader', { leaderId: 1, leaderEpoch: 1 }],
    [produce, 'response', 7, 'responses.0.partitionResponses.0.errorMessage', 'e'],
    [produce, 'response', 0, 'throttleTimeMs', 1],
    [metadata, 'response', 7, 'topics.0.topicAuthorizedOperations', 1],
    [metadata, 'response', 11, 'clusterAuthorizedOperations', 1],
    [metadata, 'response', 12, 'errorCode', 1],
    [fetch, 'request', 17, 'topics.0.partitions.0.highWatermark', 1n],
    [fetch, 'request', 16, 'topics.0.partitions.0.replicaDirectoryId', ID],
    [fetch, 'response', 15, 'nodeEndpoints', [{ nodeId: 1, host: 'h', port: 1, rack: null }]],
    [listOffsets, 'response', 3, 'topics.0.partitions.0.leaderEpoch', 1],
    [createTopics, 'response', 6, 'topics.0.topicId', ID],
  ])('and is a hint is left out', (api, half, version, path, value) => {
    const valid = message(api, half, version)
    const encoded = encode(api, half, version, replaced(valid, path, value) as Fields)
    expect(encoded).toEqual(encode(api, half, version, valid))
  })

  it('goes out as an empty string where JoinGroup could not say null', () => {
    const valid = message(joinGroup, 'response', 6)
    expect(encode(joinGroup, 'response', 6, { ...valid, protocolName: null })).toEqual(
      encode(joinGroup, 'response', 6, { ...valid, protocolName: '' }),
    )
  })
})
