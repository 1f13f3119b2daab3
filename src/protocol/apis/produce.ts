/*
 * Produce, key 0, versions 0 to 13, flexible from 9. Appends record batches to partitions that the broker leads.
 *
 *   1   response: throttleTimeMs
 *   2   response: logAppendTimeMs; records may be message sets of magic 1
 *   3   request: transactionalId; records are batches of magic 2, exactly one for each partition
 *   4   error 56 (KAFKA_STORAGE_ERROR) may be answered
 *   5   response: logStartOffset
 *   6   the answer comes before the client is throttled, not after
 *   7   zstd allowed (KIP-110)
 *   8   response: recordErrors, errorMessage (KIP-467)
 *   9   flexible
 *   10  response: currentLeader and nodeEndpoints, both tagged (KIP-951)
 *   11  error 120 (TRANSACTION_ABORTABLE) may be answered (KIP-890)
 *   12  in a transaction, adds its partitions to the transaction too (KIP-890)
 *   13  topics by id instead of by name (KIP-516)
 *
 * With acks 0 the broker answers nothing. Kafka 4.0 and later list versions 0 to 2 as supported but reject them.
 */
import { unsupportedField, type Api } from '../api.js'
import type { ByteReader } from '../byte-reader.js'
import { ZERO_UUID, type ByteWriter } from '../byte-writer.js'
import { COPIED_BELOW } from '../gathering-writer.js'
import {
  checkHosts,
  isUnknownLeader,
  readLeader,
  readNodeEndpoints,
  UNKNOWN_LEADER,
  writeLeader,
  writeNodeEndpoints,
  type LeaderIdAndEpoch,
  type NodeEndpoint,
} from './leader-hints.js'

const NAME = 'Produce'
const FLEXIBLE_FROM = 9
/** From this version on topics go by their ids. */
export const TOPIC_IDS_FROM = 13
/** From this version on, Kafka 2.4, answers name the messages that are wrong (KIP-467). */
export const RECORD_ERRORS_FROM = 8
/** From this version on, Kafka 2.1, brokers take zstd (KIP-110). */
export const ZSTD_FROM = 7
/** What an answer has besides what it says of topics, with room for new leaders' addresses (KIP-951). */
const FIXED_RESPONSE_BYTES = 64 * 1024
/** Of a partition and its error message. */
const RESPONSE_BYTES_PER_PARTITION = 1024
/** Of a message that was refused, and why: a sentence, in which what a cluster checks by rules of its own may be described. */
const RESPONSE_BYTES_PER_RECORD = 512
const MAX_RESPONSE_BYTES = 32 * 1024 * 1024
/** Where a batch says how many records it has. */
const MAGIC_AT = 16
const RECORD_COUNT_AT = 57

export interface ProducePartition<Records = Uint8Array | null> {
  readonly index: number
  readonly records: Records
}

export interface ProduceTopic<Records = Uint8Array | null> {
  /** Written up to version 12. */
  readonly name: string
  /** Written from version 13 on. */
  readonly topicId: Buffer
  readonly partitionData: readonly ProducePartition<Records>[]
}

export interface ProduceRequest<Records = Uint8Array | null> {
  readonly transactionalId: string | null
  /** 0, 1, or -1 for all in-sync replicas. */
  readonly acks: number
  readonly timeoutMs: number
  readonly topicData: readonly ProduceTopic<Records>[]
}

/** The records are views of the frame. */
export type DecodedProduceRequest = ProduceRequest<Buffer | null>

export interface ProduceRecordError {
  readonly batchIndex: number
  readonly batchIndexErrorMessage: string | null
}

export interface ProducePartitionResponse {
  readonly index: number
  readonly errorCode: number
  readonly baseOffset: bigint
  /** -1 unless the topic's timestamps are those of the append. */
  readonly logAppendTimeMs: number
  /** -1 where not told. */
  readonly logStartOffset: bigint
  /** The messages that made the broker refuse the batch. */
  readonly recordErrors: readonly ProduceRecordError[]
  readonly errorMessage: string | null
  readonly currentLeader: LeaderIdAndEpoch
}

export interface ProduceTopicResponse {
  readonly name: string
  readonly topicId: Buffer
  readonly partitionResponses: readonly ProducePartitionResponse[]
}

export interface ProduceResponse {
  readonly responses: readonly ProduceTopicResponse[]
  readonly throttleTimeMs: number
  /** The leaders that `currentLeader` names. */
  readonly nodeEndpoints: readonly NodeEndpoint[]
}

export interface ProduceApi extends Api<ProduceRequest, ProduceResponse> {
  decodeRequest(reader: ByteReader, version: number): DecodedProduceRequest
}

export const produce: ProduceApi = {
  key: 0,
  name: NAME,
  minVersion: 0,
  maxVersion: 13,
  flexibleFrom: FLEXIBLE_FROM,
  clientThrottlesFrom: 6,

  encodeRequest(writer, version, request) {
    const flexible = version >= FLEXIBLE_FROM
    if (version >= 3) writer.writeString(request.transactionalId, flexible)
    else if (request.transactionalId !== null) throw unsupportedField(NAME, version, 'transactionalId')
    writer.writeInt16(request.acks)
    writer.writeInt32(request.timeoutMs)
    writer.writeArrayLength(request.topicData.length, flexible)
    for (const topic of request.topicData) {
      if (version >= TOPIC_IDS_FROM) writer.writeUuid(topic.topicId)
      else writer.writeString(topic.name, flexible)
      writer.writeArrayLength(topic.partitionData.length, flexible)
      for (const { index, records } of topic.partitionData) {
        writer.writeInt32(index)
        writer.writeBytesLength(records === null ? -1 : records.length, flexible)
        if (records !== null) writer.writeBlock(records)
        if (flexible) writer.writeNoTaggedFields()
      }
      if (flexible) writer.writeNoTaggedFields()
    }
    if (flexible) writer.writeNoTaggedFields()
  },

  decodeRequest(reader, version) {
    const flexible = version >= FLEXIBLE_FROM
    const request = {
      transactionalId: version >= 3 ? reader.readNullableString(flexible) : null,
      acks: reader.readInt16(),
      timeoutMs: reader.readInt32(),
      topicData: reader.readArray(flexible, () => readTopic(reader, version)),
    }
    if (flexible) reader.readTaggedFields()
    return request
  },

  encodeResponse(writer, version, response) {
    const flexible = version >= FLEXIBLE_FROM
    writer.writeArray(response.responses, flexible, (topic) => {
      if (version >= TOPIC_IDS_FROM) writer.writeUuid(topic.topicId)
      else writer.writeString(topic.name, flexible)
      writer.writeArray(topic.partitionResponses, flexible, (partition) => {
        writePartitionResponse(writer, version, partition)
      })
      if (flexible) writer.writeNoTaggedFields()
    })
    if (version >= 1) writer.writeInt32(response.throttleTimeMs)
    if (flexible) {
      const { nodeEndpoints } = response
      const told = version >= 10 && nodeEndpoints.length > 0
      writer.writeTaggedFields(told ? [[0, (field) => writeNodeEndpoints(field, nodeEndpoints)]] : [])
    }
  },

  decodeResponse(reader, version, request) {
    const flexible = version >= FLEXIBLE_FROM
    const room = request === undefined ? UNBOUNDED : roomFor(request)
    const responses = reader.readArray(flexible, () => readTopicResponse(reader, version, room), room.topics)
    const throttleTimeMs = version >= 1 ? reader.readInt32() : 0
    let nodeEndpoints: readonly NodeEndpoint[] = []
    if (flexible) {
      reader.readTaggedFields((tag, field) => {
        if (tag === 0 && version >= 10) nodeEndpoints = readNodeEndpoints(field)
      })
    }
    if (request !== undefined) checkHosts(reader, nodeEndpoints)
    return { responses, throttleTimeMs, nodeEndpoints }
  },

  maxResponseBytes(request) {
    let bytes = FIXED_RESPONSE_BYTES
    for (const { name, partitionData } of request.topicData) {
      // A character has three bytes in UTF-8 at the most.
      const nameBytes = name.length * 3
      bytes += nameBytes + partitionData.length * RESPONSE_BYTES_PER_PARTITION
      for (const { records } of partitionData) bytes += recordCount(records) * (RESPONSE_BYTES_PER_RECORD + nameBytes)
    }
    return Math.min(bytes, MAX_RESPONSE_BYTES)
  },
}

/** How much of each an answer may still tell. */
interface Room {
  readonly topics: number
  partitions: number
  records: number
}

const UNBOUNDED: Room = { topics: Infinity, partitions: Infinity, records: Infinity }
/** As much again as was sent: whoever compares both can then name what is too much. A topic may come in parts. */
const SLACK = 2

function roomFor({ topicData }: ProduceRequest): Room {
  let partitions = 0
  let records = 0
  for (const { partitionData } of topicData) {
    partitions += partitionData.length * SLACK
    for (const partition of partitionData) records += recordCount(partition.records) * SLACK
  }
  return { topics: partitions, partitions, records }
}

/** Message sets are older than answers about single records: there none are counted. */
function recordCount(records: Uint8Array | null): number {
  if (records === null || records.length < RECORD_COUNT_AT + 4 || records[MAGIC_AT] !== 2) return 0
  let count = 0
  for (let at = RECORD_COUNT_AT; at < RECORD_COUNT_AT + 4; at++) count = (count << 8) | (records[at] as number)
  return Math.min(Math.max(count, 0), MAX_RESPONSE_BYTES)
}

/** What a request has of a partition beside its records, at the most. */
export const BYTES_AROUND_RECORDS = 10

/** What a request has of a topic beside its partitions, at the most. */
export function bytesAroundTopic(name: string): number {
  return 24 + name.length
}

/** A guess at the bytes that `encodeRequest` writes, without the records that go by reference. */
export function sizeOfProduceRequest(request: ProduceRequest): number {
  let size = 32 + (request.transactionalId?.length ?? 0) * 3
  for (const { name, partitionData } of request.topicData) {
    size += bytesAroundTopic(name)
    for (const { records } of partitionData) size += BYTES_AROUND_RECORDS + Math.min(records?.length ?? 0, COPIED_BELOW)
  }
  return size
}

function readTopic(reader: ByteReader, version: number): ProduceTopic<Buffer | null> {
  const flexible = version >= FLEXIBLE_FROM
  const topic = {
    name: version < TOPIC_IDS_FROM ? reader.readString(flexible) : '',
    topicId: version >= TOPIC_IDS_FROM ? reader.readUuid() : ZERO_UUID,
    partitionData: reader.readArray(flexible, () => {
      const partition = { index: reader.readInt32(), records: reader.readNullableBytes(flexible) }
      if (flexible) reader.readTaggedFields()
      return partition
    }),
  }
  if (flexible) reader.readTaggedFields()
  return topic
}

function readTopicResponse(reader: ByteReader, version: number, room: Room): ProduceTopicResponse {
  const flexible = version >= FLEXIBLE_FROM
  const topic = {
    name: version < TOPIC_IDS_FROM ? reader.readString(flexible) : '',
    topicId: version >= TOPIC_IDS_FROM ? reader.readUuid() : ZERO_UUID,
    partitionResponses: reader.readArray(flexible, () => readPartitionResponse(reader, version, room), room.partitions),
  }
  room.partitions -= topic.partitionResponses.length
  if (flexible) reader.readTaggedFields()
  return topic
}

function readPartitionResponse(reader: ByteReader, version: number, room: Room): ProducePartitionResponse {
  const flexible = version >= FLEXIBLE_FROM
  const partition = {
    index: reader.readInt32(),
    errorCode: reader.readInt16(),
    baseOffset: reader.readBigInt64(),
    logAppendTimeMs: version >= 2 ? reader.readInt64() : -1,
    logStartOffset: version >= 5 ? reader.readBigInt64() : -1n,
    recordErrors:
      version >= RECORD_ERRORS_FROM
        ? reader.readArray(flexible, () => readRecordError(reader, flexible), room.records)
        : [],
    errorMessage: version >= RECORD_ERRORS_FROM ? reader.readNullableString(flexible) : null,
    currentLeader: UNKNOWN_LEADER,
  }
  room.records -= partition.recordErrors.length
  if (flexible) {
    reader.readTaggedFields((tag, field) => {
      if (tag === 0 && version >= 10) partition.currentLeader = readLeader(field)
    })
  }
  return partition
}

function readRecordError(reader: ByteReader, flexible: boolean): ProduceRecordError {
  const error = {
    batchIndex: reader.readInt32(),
    batchIndexErrorMessage: reader.readNullableString(flexible),
  }
  if (flexible) reader.readTaggedFields()
  return error
}

function writePartitionResponse(writer: ByteWriter, version: number, partition: ProducePartitionResponse): void {
  const flexible = version >= FLEXIBLE_FROM
  writer.writeInt32(partition.index)
  writer.writeInt16(partition.errorCode)
  writer.writeBigInt64(partition.baseOffset)
  if (version >= 2) writer.writeInt64(partition.logAppendTimeMs)
  if (version >= 5) writer.writeBigInt64(partition.logStartOffset)
  if (version >= RECORD_ERRORS_FROM) {
    writer.writeArray(partition.recordErrors, flexible, (error) => {
      writer.writeInt32(error.batchIndex)
      writer.writeString(error.batchIndexErrorMessage, flexible)
      if (flexible) writer.writeNoTaggedFields()
    })
    writer.writeString(partition.errorMessage, flexible)
  }
  if (flexible) {
    const { currentLeader } = partition
    const told = version >= 10 && !isUnknownLeader(currentLeader)
    writer.writeTaggedFields(told ? [[0, (field) => writeLeader(field, currentLeader)]] : [])
  }
}
