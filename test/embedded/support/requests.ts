import { gzipSync } from 'node:zlib'
import { fetch, HIGH_WATERMARK_NOT_TOLD, type FetchRequest } from '../../../src/protocol/apis/fetch.js'
import { metadata, type MetadataRequest, type MetadataResponse } from '../../../src/protocol/apis/metadata.js'
import { produce, type ProducePartitionResponse, type ProduceRequest } from '../../../src/protocol/apis/produce.js'
import { ZERO_UUID } from '../../../src/protocol/byte-writer.js'
import { NO_PRODUCER, type ProducerState } from '../../../src/protocol/records/record-batch.js'
import {
  compressedMessageSet,
  messageSet,
  outgoing as outgoingRecord,
  recordBatch,
  type OutgoingRecord,
} from '../../unit/protocol/records/support.js'
import type { RawClient } from './raw-client.js'

const OFFSET_AND_SIZE = 12

export interface Message {
  key?: string | null
  value?: string | null
  timestamp?: number
  headers?: [string, string][]
}

export function outgoing(messages: readonly Message[]): OutgoingRecord[] {
  return messages.map((message) => outgoingRecord({ timestamp: 1_000, ...message }))
}

/** A batch of magic 2 as bytes, for tests that damage it. */
export function batchOf(messages: readonly Message[], producer: Partial<ProducerState> = {}): Buffer {
  return recordBatch(outgoing(messages), { ...NO_PRODUCER, ...producer })
}

/** A message set as bytes. */
export function messagesOf(messages: readonly Message[], magic: 0 | 1): Buffer {
  return messageSet(outgoing(messages), magic)
}

/** A message set that gzip has made small, with these offsets in it, of which the last is that of all. */
export function compressedMessagesOf(messages: readonly Message[], magic: 0 | 1, offsets: readonly bigint[]): Buffer {
  const inner = messagesOf(messages, magic)
  let at = 0
  for (const offset of offsets) {
    inner.writeBigInt64BE(offset, at)
    at += OFFSET_AND_SIZE + inner.readInt32BE(at + 8)
  }
  const outer = compressedMessageSet(outgoing(messages), magic, { codec: 1, bytes: gzipSync(inner) })
  outer.writeBigInt64BE(offsets.at(-1) ?? 0n, 0)
  return outer
}

export interface ProduceOptions {
  version?: number
  acks?: number
  topic?: string
  topicId?: Buffer
  partition?: number
  transactionalId?: string
}

export function produceRequest(records: Buffer | null, options: ProduceOptions = {}): ProduceRequest {
  const { acks = -1, topic = 'orders', topicId = ZERO_UUID, partition = 0, transactionalId = null } = options
  return {
    transactionalId,
    acks,
    timeoutMs: 1_000,
    topicData: [{ name: topic, topicId, partitionData: [{ index: partition, records }] }],
  }
}

/** Produces to one partition; resolves with its part of the answer. */
export async function produceTo(
  client: RawClient,
  records: Buffer | null,
  options: ProduceOptions = {},
): Promise<ProducePartitionResponse> {
  const response = await client.call(produce, options.version ?? 9, produceRequest(records, options))
  const [partition, ...others] = response.responses.flatMap((topic) => topic.partitionResponses)
  if (partition === undefined || others.length > 0) throw new Error('an answer for one partition was expected')
  return partition
}

export function metadataRequest(topics: readonly string[] | null, allowAutoTopicCreation = true): MetadataRequest {
  return {
    topics: topics && topics.map((name) => ({ name, topicId: ZERO_UUID })),
    allowAutoTopicCreation,
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false,
  }
}

export async function metadataOf(
  client: RawClient,
  topics: readonly string[] | null,
  version = 9,
): Promise<MetadataResponse> {
  return client.call(metadata, version, metadataRequest(topics))
}

export interface FetchOptions {
  version?: number
  topic?: string
  topicId?: Buffer
  partition?: number
  offset?: bigint
  maxWaitMs?: number
  minBytes?: number
  maxBytes?: number
  partitionMaxBytes?: number
  isolationLevel?: number
  leaderEpoch?: number
}

export function fetchRequest(options: FetchOptions = {}): FetchRequest {
  const { maxWaitMs = 0, minBytes = 1, maxBytes = 1 << 20, isolationLevel = 0 } = options
  const { topic = 'orders', topicId = ZERO_UUID, partition = 0, offset = 0n, partitionMaxBytes = 1 << 20 } = options
  return {
    clusterId: null,
    replicaId: -1,
    replicaEpoch: -1n,
    maxWaitMs,
    minBytes,
    maxBytes,
    isolationLevel,
    sessionId: 0,
    sessionEpoch: -1,
    topics: [
      {
        topic,
        topicId,
        partitions: [
          {
            partition,
            currentLeaderEpoch: options.leaderEpoch ?? -1,
            fetchOffset: offset,
            lastFetchedEpoch: -1,
            logStartOffset: -1n,
            partitionMaxBytes,
            replicaDirectoryId: ZERO_UUID,
            highWatermark: HIGH_WATERMARK_NOT_TOLD,
          },
        ],
      },
    ],
    forgottenTopicsData: [],
    rackId: '',
  }
}

/** Fetches from one partition; resolves with its part of the answer. */
export async function fetchFrom(client: RawClient, options: FetchOptions = {}) {
  const response = await client.call(fetch, options.version ?? 11, fetchRequest(options))
  const partition = response.responses[0]?.partitions[0]
  if (partition === undefined) throw new Error(`no partition in the answer, error ${response.errorCode}`)
  return partition
}
