/*
 * Metadata, key 3, versions 0 to 13, flexible from 9. Tells the brokers of the cluster, and of topics the partitions
 * with their leaders.
 *
 *   0   request: no topics named = all topics
 *   1   request: null = all topics, empty = none; response: rack, controllerId, isInternal
 *   2   response: clusterId
 *   3   response: throttleTimeMs
 *   4   request: allowAutoTopicCreation
 *   5   response: offlineReplicas
 *   6   the answer comes before the client is throttled, not after
 *   7   response: leaderEpoch (KIP-320)
 *   8   authorized operations of cluster and topics, on request (KIP-430)
 *   9   flexible
 *   10  topicId in both directions, but brokers do not look topics up by id yet (KIP-516)
 *   11  authorized operations of the cluster are gone (KIP-700)
 *   12  topics may be asked for by id, with a null name
 *   13  response: errorCode of the whole request (KIP-1102)
 */
import { unsupportedField, type Api } from '../api.js'
import type { ByteReader } from '../byte-reader.js'
import { ZERO_UUID, type ByteWriter } from '../byte-writer.js'
import { checkHosts } from './leader-hints.js'

const NAME = 'Metadata'
const FLEXIBLE_FROM = 9
/** From this version on, a question can be about no topic at all. */
export const NO_TOPICS_FROM = 1
/** From this version on, an answer says which cluster it is of. */
export const CLUSTER_ID_FROM = 2
/** From this version on, a question can say that it must not create its topics. */
export const NO_AUTO_CREATION_FROM = 4
/** Of an answer about one topic: its many partitions, and the brokers. */
const RESPONSE_BYTES = 4 * 1024 * 1024
/** Of each topic: several hundred partitions. */
const RESPONSE_BYTES_PER_TOPIC = 64 * 1024
/** Of all topics together: several hundred thousand partitions. */
const MAX_RESPONSE_BYTES = 32 * 1024 * 1024
/** Of all topics of a cluster so old that it can't be asked for some: such have no more. */
const RESPONSE_BYTES_OF_ALL = 16 * 1024 * 1024
const MAX_BROKERS = 10_000
/** Stands for "not asked for" where a bit field of authorized operations is expected. */
export const OPERATIONS_NOT_REQUESTED = -0x80000000

export interface MetadataRequestTopic {
  readonly topicId: Buffer
  /** Null, from version 12 on: look it up by id. */
  readonly name: string | null
}

export interface MetadataRequest {
  /** Null: all topics. Empty: none, which version 0 can't ask for. */
  readonly topics: readonly MetadataRequestTopic[] | null
  readonly allowAutoTopicCreation: boolean
  readonly includeClusterAuthorizedOperations: boolean
  readonly includeTopicAuthorizedOperations: boolean
  /** Not written: where all topics are asked for, those that matter; what the answer tells of others is skipped. */
  readonly wanted?: readonly string[]
}

export interface MetadataBroker {
  readonly nodeId: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

export interface MetadataPartition {
  readonly errorCode: number
  readonly partitionIndex: number
  /** -1: none at present. */
  readonly leaderId: number
  /** -1 where not told. */
  readonly leaderEpoch: number
  readonly replicaNodes: readonly number[]
  readonly isrNodes: readonly number[]
  readonly offlineReplicas: readonly number[]
}

export interface MetadataTopic {
  readonly errorCode: number
  /** Null where it was asked for by id and does not exist. */
  readonly name: string | null
  /** Zero where not told. */
  readonly topicId: Buffer
  readonly isInternal: boolean
  readonly partitions: readonly MetadataPartition[]
  readonly topicAuthorizedOperations: number
}

export interface MetadataResponse {
  readonly throttleTimeMs: number
  readonly brokers: readonly MetadataBroker[]
  readonly clusterId: string | null
  /** -1 where not told. */
  readonly controllerId: number
  readonly topics: readonly MetadataTopic[]
  readonly clusterAuthorizedOperations: number
  readonly errorCode: number
}

export const metadata: Api<MetadataRequest, MetadataResponse> = {
  key: 3,
  name: NAME,
  minVersion: 0,
  maxVersion: 13,
  flexibleFrom: FLEXIBLE_FROM,
  clientThrottlesFrom: 6,

  encodeRequest(writer, version, request) {
    const flexible = version >= FLEXIBLE_FROM
    if (version === 0 && request.topics?.length === 0) throw unsupportedField(NAME, version, 'an empty list of topics')
    writer.writeArray(version === 0 ? (request.topics ?? []) : request.topics, flexible, (topic) => {
      if (version >= 10) writer.writeUuid(topic.topicId)
      else if (topic.name === null) throw unsupportedField(NAME, version, 'topicId')
      writer.writeString(topic.name, flexible)
      if (flexible) writer.writeNoTaggedFields()
    })
    if (version >= NO_AUTO_CREATION_FROM) writer.writeBoolean(request.allowAutoTopicCreation)
    else if (!request.allowAutoTopicCreation) throw unsupportedField(NAME, version, 'allowAutoTopicCreation: false')
    if (version >= 8 && version <= 10) writer.writeBoolean(request.includeClusterAuthorizedOperations)
    else if (request.includeClusterAuthorizedOperations) {
      throw unsupportedField(NAME, version, 'includeClusterAuthorizedOperations')
    }
    if (version >= 8) writer.writeBoolean(request.includeTopicAuthorizedOperations)
    else if (request.includeTopicAuthorizedOperations) {
      throw unsupportedField(NAME, version, 'includeTopicAuthorizedOperations')
    }
    if (flexible) writer.writeNoTaggedFields()
  },

  decodeRequest(reader, version) {
    const flexible = version >= FLEXIBLE_FROM
    const topics = reader.readNullableArray(flexible, () => {
      const topic = {
        topicId: version >= 10 ? reader.readUuid() : ZERO_UUID,
        name: version >= 10 ? reader.readNullableString(true) : reader.readString(flexible),
      }
      if (flexible) reader.readTaggedFields()
      return topic
    })
    if (version === 0 && topics === null) reader.fail('null where an array is required')
    const request = {
      topics: version === 0 && topics?.length === 0 ? null : topics,
      allowAutoTopicCreation: version >= NO_AUTO_CREATION_FROM ? reader.readBoolean() : true,
      includeClusterAuthorizedOperations: version >= 8 && version <= 10 ? reader.readBoolean() : false,
      includeTopicAuthorizedOperations: version >= 8 ? reader.readBoolean() : false,
    }
    if (flexible) reader.readTaggedFields()
    return request
  },

  encodeResponse(writer, version, response) {
    const flexible = version >= FLEXIBLE_FROM
    if (version >= 3) writer.writeInt32(response.throttleTimeMs)
    writer.writeArray(response.brokers, flexible, (broker) => {
      writer.writeInt32(broker.nodeId)
      writer.writeString(broker.host, flexible)
      writer.writeInt32(broker.port)
      if (version >= 1) writer.writeString(broker.rack, flexible)
      if (flexible) writer.writeNoTaggedFields()
    })
    if (version >= CLUSTER_ID_FROM) writer.writeString(response.clusterId, flexible)
    if (version >= 1) writer.writeInt32(response.controllerId)
    writer.writeArray(response.topics, flexible, (topic) => writeTopic(writer, version, topic))
    if (version >= 8 && version <= 10) writer.writeInt32(response.clusterAuthorizedOperations)
    if (version >= 13) writer.writeInt16(response.errorCode)
    if (flexible) writer.writeNoTaggedFields()
  },

  decodeResponse(reader, version, request) {
    const flexible = version >= FLEXIBLE_FROM
    const response = {
      throttleTimeMs: version >= 3 ? reader.readInt32() : 0,
      brokers: reader.readArray(flexible, () => readBroker(reader, version), MAX_BROKERS),
      clusterId: version >= CLUSTER_ID_FROM ? reader.readNullableString(flexible) : null,
      controllerId: version >= 1 ? reader.readInt32() : -1,
      topics: readTopics(reader, version, request),
      clusterAuthorizedOperations: version >= 8 && version <= 10 ? reader.readInt32() : OPERATIONS_NOT_REQUESTED,
      errorCode: version >= 13 ? reader.readInt16() : 0,
    }
    if (flexible) reader.readTaggedFields()
    if (request !== undefined) checkHosts(reader, response.brokers)
    return response
  },

  maxResponseBytes({ topics }) {
    if (topics === null) return RESPONSE_BYTES_OF_ALL
    return Math.min(RESPONSE_BYTES + topics.length * RESPONSE_BYTES_PER_TOPIC, MAX_RESPONSE_BYTES)
  },
}

function readBroker(reader: ByteReader, version: number): MetadataBroker {
  const flexible = version >= FLEXIBLE_FROM
  const broker = {
    nodeId: reader.readInt32(),
    host: reader.readString(flexible),
    port: reader.readInt32(),
    rack: version >= 1 ? reader.readNullableString(flexible) : null,
  }
  if (flexible) reader.readTaggedFields()
  return broker
}

/** Of topics that were not asked for nothing is built. */
function readTopics(reader: ByteReader, version: number, request: MetadataRequest | undefined): MetadataTopic[] {
  const flexible = version >= FLEXIBLE_FROM
  const asked = request?.topics ?? undefined
  const wanted = request?.wanted ?? asked?.map(({ name }) => name)
  if (wanted === undefined) return reader.readArray(flexible, () => readTopic(reader, version))
  const names = new Set(wanted)
  const found: MetadataTopic[] = []
  const read = () => {
    const errorCode = reader.readInt16()
    const name = readTopicName(reader, version)
    if (names.delete(name)) found.push(readTopicOf(reader, version, errorCode, name))
    else skipTopic(reader, version)
  }
  reader.skipArray(flexible, read, asked?.length)
  return found
}

function readTopic(reader: ByteReader, version: number): MetadataTopic {
  const errorCode = reader.readInt16()
  return readTopicOf(reader, version, errorCode, readTopicName(reader, version))
}

function readTopicName(reader: ByteReader, version: number): string | null {
  return version >= 12 ? reader.readNullableString(true) : reader.readString(version >= FLEXIBLE_FROM)
}

function readTopicOf(reader: ByteReader, version: number, errorCode: number, name: string | null): MetadataTopic {
  const flexible = version >= FLEXIBLE_FROM
  const topic = {
    errorCode,
    name,
    topicId: version >= 10 ? reader.readUuid() : ZERO_UUID,
    isInternal: version >= 1 ? reader.readBoolean() : false,
    partitions: reader.readArray(flexible, () => readPartition(reader, version)),
    topicAuthorizedOperations: version >= 8 ? reader.readInt32() : OPERATIONS_NOT_REQUESTED,
  }
  if (flexible) reader.readTaggedFields()
  return topic
}

/** Passes over what follows a topic's name. */
function skipTopic(reader: ByteReader, version: number): void {
  const flexible = version >= FLEXIBLE_FROM
  reader.skip((version >= 10 ? 16 : 0) + (version >= 1 ? 1 : 0))
  reader.skipArray(flexible, () => {
    reader.skip(version >= 7 ? 14 : 10)
    for (let lists = version >= 5 ? 3 : 2; lists > 0; lists--) reader.skipArray(flexible, 4)
    if (flexible) reader.readTaggedFields()
  })
  if (version >= 8) reader.skip(4)
  if (flexible) reader.readTaggedFields()
}

function readPartition(reader: ByteReader, version: number): MetadataPartition {
  const flexible = version >= FLEXIBLE_FROM
  const readNode = (): number => reader.readInt32()
  const partition = {
    errorCode: reader.readInt16(),
    partitionIndex: reader.readInt32(),
    leaderId: reader.readInt32(),
    leaderEpoch: version >= 7 ? reader.readInt32() : -1,
    replicaNodes: reader.readArray(flexible, readNode),
    isrNodes: reader.readArray(flexible, readNode),
    offlineReplicas: version >= 5 ? reader.readArray(flexible, readNode) : [],
  }
  if (flexible) reader.readTaggedFields()
  return partition
}

function writeTopic(writer: ByteWriter, version: number, topic: MetadataTopic): void {
  const flexible = version >= FLEXIBLE_FROM
  writer.writeInt16(topic.errorCode)
  if (topic.name === null && version < 12) throw unsupportedField(NAME, version, 'a topic without a name')
  writer.writeString(topic.name, flexible)
  if (version >= 10) writer.writeUuid(topic.topicId)
  if (version >= 1) writer.writeBoolean(topic.isInternal)
  writer.writeArray(topic.partitions, flexible, (partition) => writePartition(writer, version, partition))
  if (version >= 8) writer.writeInt32(topic.topicAuthorizedOperations)
  if (flexible) writer.writeNoTaggedFields()
}

function writePartition(writer: ByteWriter, version: number, partition: MetadataPartition): void {
  const flexible = version >= FLEXIBLE_FROM
  const writeNode = (node: number): void => writer.writeInt32(node)
  writer.writeInt16(partition.errorCode)
  writer.writeInt32(partition.partitionIndex)
  writer.writeInt32(partition.leaderId)
  if (version >= 7) writer.writeInt32(partition.leaderEpoch)
  writer.writeArray(partition.replicaNodes, flexible, writeNode)
  writer.writeArray(partition.isrNodes, flexible, writeNode)
  if (version >= 5) writer.writeArray(partition.offlineReplicas, flexible, writeNode)
  if (flexible) writer.writeNoTaggedFields()
}
