/*
 * CreateTopics, key 19, versions 0 to 7, flexible from 5. Creates topics; only the controller does it, though brokers
 * since 2.x pass the request on.
 *
 *   1  request: validateOnly; response: errorMessage
 *   2  response: throttleTimeMs
 *   3  the answer comes before the client is throttled, not after
 *   4  numPartitions and replicationFactor may be -1: the broker's default (KIP-464)
 *   5  flexible; response: partitions, replicas and configs of the new topic (KIP-525)
 *   6  error 89 (THROTTLING_QUOTA_EXCEEDED) may be answered (KIP-599)
 *   7  response: topicId (KIP-516)
 */
import { unsupportedField, type Api } from '../api.js'
import type { ByteReader } from '../byte-reader.js'
import { ZERO_UUID, type ByteWriter } from '../byte-writer.js'

const NAME = 'CreateTopics'
const FLEXIBLE_FROM = 5

export interface CreatableReplicaAssignment {
  readonly partitionIndex: number
  readonly brokerIds: readonly number[]
}

export interface CreatableTopicConfig {
  readonly name: string
  readonly value: string | null
}

export interface CreatableTopic {
  readonly name: string
  /** -1 where assignments are given, or from version 4 on for the broker's default. */
  readonly numPartitions: number
  /** As `numPartitions`. */
  readonly replicationFactor: number
  readonly assignments: readonly CreatableReplicaAssignment[]
  readonly configs: readonly CreatableTopicConfig[]
}

export interface CreateTopicsRequest {
  readonly topics: readonly CreatableTopic[]
  readonly timeoutMs: number
  readonly validateOnly: boolean
}

export interface CreatedTopicConfig {
  readonly name: string
  readonly value: string | null
  readonly readOnly: boolean
  readonly configSource: number
  readonly isSensitive: boolean
}

export interface CreatableTopicResult {
  readonly name: string
  readonly topicId: Buffer
  readonly errorCode: number
  readonly errorMessage: string | null
  /** Why `configs` is null. */
  readonly topicConfigErrorCode: number
  readonly numPartitions: number
  readonly replicationFactor: number
  readonly configs: readonly CreatedTopicConfig[] | null
}

export interface CreateTopicsResponse {
  readonly throttleTimeMs: number
  readonly topics: readonly CreatableTopicResult[]
}

export const createTopics: Api<CreateTopicsRequest, CreateTopicsResponse> = {
  key: 19,
  name: NAME,
  minVersion: 0,
  maxVersion: 7,
  flexibleFrom: FLEXIBLE_FROM,

  encodeRequest(writer, version, request) {
    const flexible = version >= FLEXIBLE_FROM
    writer.writeArray(request.topics, flexible, (topic) => writeTopic(writer, flexible, topic))
    writer.writeInt32(request.timeoutMs)
    if (version >= 1) writer.writeBoolean(request.validateOnly)
    else if (request.validateOnly) throw unsupportedField(NAME, version, 'validateOnly')
    if (flexible) writer.writeNoTaggedFields()
  },

  decodeRequest(reader, version) {
    const flexible = version >= FLEXIBLE_FROM
    const request = {
      topics: reader.readArray(flexible, () => readTopic(reader, flexible)),
      timeoutMs: reader.readInt32(),
      validateOnly: version >= 1 ? reader.readBoolean() : false,
    }
    if (flexible) reader.readTaggedFields()
    return request
  },

  encodeResponse(writer, version, response) {
    const flexible = version >= FLEXIBLE_FROM
    if (version >= 2) writer.writeInt32(response.throttleTimeMs)
    writer.writeArray(response.topics, flexible, (topic) => writeResult(writer, version, topic))
    if (flexible) writer.writeNoTaggedFields()
  },

  decodeResponse(reader, version) {
    const flexible = version >= FLEXIBLE_FROM
    const response = {
      throttleTimeMs: version >= 2 ? reader.readInt32() : 0,
      topics: reader.readArray(flexible, () => readResult(reader, version)),
    }
    if (flexible) reader.readTaggedFields()
    return response
  },
}

function readTopic(reader: ByteReader, flexible: boolean): CreatableTopic {
  const topic = {
    name: reader.readString(flexible),
    numPartitions: reader.readInt32(),
    replicationFactor: reader.readInt16(),
    assignments: reader.readArray(flexible, () => {
      const assignment = {
        partitionIndex: reader.readInt32(),
        brokerIds: reader.readArray(flexible, () => reader.readInt32()),
      }
      if (flexible) reader.readTaggedFields()
      return assignment
    }),
    configs: reader.readArray(flexible, () => {
      const config = { name: reader.readString(flexible), value: reader.readNullableString(flexible) }
      if (flexible) reader.readTaggedFields()
      return config
    }),
  }
  if (flexible) reader.readTaggedFields()
  return topic
}

function writeTopic(writer: ByteWriter, flexible: boolean, topic: CreatableTopic): void {
  writer.writeString(topic.name, flexible)
  writer.writeInt32(topic.numPartitions)
  writer.writeInt16(topic.replicationFactor)
  writer.writeArray(topic.assignments, flexible, (assignment) => {
    writer.writeInt32(assignment.partitionIndex)
    writer.writeArray(assignment.brokerIds, flexible, (id) => writer.writeInt32(id))
    if (flexible) writer.writeNoTaggedFields()
  })
  writer.writeArray(topic.configs, flexible, (config) => {
    writer.writeString(config.name, flexible)
    writer.writeString(config.value, flexible)
    if (flexible) writer.writeNoTaggedFields()
  })
  if (flexible) writer.writeNoTaggedFields()
}

function readResult(reader: ByteReader, version: number): CreatableTopicResult {
  const flexible = version >= FLEXIBLE_FROM
  const result = {
    name: reader.readString(flexible),
    topicId: version >= 7 ? reader.readUuid() : ZERO_UUID,
    errorCode: reader.readInt16(),
    errorMessage: version >= 1 ? reader.readNullableString(flexible) : '',
    topicConfigErrorCode: 0,
    numPartitions: flexible ? reader.readInt32() : -1,
    replicationFactor: flexible ? reader.readInt16() : -1,
    configs: flexible ? reader.readNullableArray(true, () => readConfig(reader)) : [],
  }
  if (flexible) {
    reader.readTaggedFields((tag, field) => {
      if (tag === 0) result.topicConfigErrorCode = field.readInt16()
    })
  }
  return result
}

function readConfig(reader: ByteReader): CreatedTopicConfig {
  const config = {
    name: reader.readString(true),
    value: reader.readNullableString(true),
    readOnly: reader.readBoolean(),
    configSource: reader.readInt8(),
    isSensitive: reader.readBoolean(),
  }
  reader.readTaggedFields()
  return config
}

function writeResult(writer: ByteWriter, version: number, result: CreatableTopicResult): void {
  const flexible = version >= FLEXIBLE_FROM
  writer.writeString(result.name, flexible)
  if (version >= 7) writer.writeUuid(result.topicId)
  writer.writeInt16(result.errorCode)
  if (version >= 1) writer.writeString(result.errorMessage, flexible)
  if (!flexible) return
  writer.writeInt32(result.numPartitions)
  writer.writeInt16(result.replicationFactor)
  writer.writeArray(result.configs, true, (config) => {
    writer.writeString(config.name, true)
    writer.writeString(config.value, true)
    writer.writeBoolean(config.readOnly)
    writer.writeInt8(config.configSource)
    writer.writeBoolean(config.isSensitive)
    writer.writeNoTaggedFields()
  })
  const { topicConfigErrorCode } = result
  writer.writeTaggedFields(topicConfigErrorCode === 0 ? [] : [[0, (field) => field.writeInt16(topicConfigErrorCode)]])
}
