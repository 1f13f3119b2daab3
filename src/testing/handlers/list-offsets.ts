import {
  listOffsets,
  type ListOffsetsPartition,
  type ListOffsetsPartitionResponse,
  type ListOffsetsRequest,
  type ListOffsetsResponse,
} from '../../protocol/apis/list-offsets.js'
import { ErrorCodes } from '../../protocol/error-codes.js'
import { decodeBatches } from '../../protocol/records/decode.js'
import { codeOf } from '../error-names.js'
import type { Handler, RequestContext } from '../handler.js'
import type { Partition } from '../topic.js'
import { leadershipProblem } from './leadership.js'

const LATEST = -1
const EARLIEST = -2
const MAX_TIMESTAMP = -3
const EARLIEST_LOCAL = -4
const READ_COMMITTED = 1

interface Found {
  readonly timestamp: number
  readonly offset: number
}

const NOTHING: Found = { timestamp: -1, offset: -1 }

export const listOffsetsHandler: Handler<ListOffsetsRequest, ListOffsetsResponse> = {
  api: listOffsets,

  topics: (request) =>
    request.topics.map(({ name, partitions }) => ({
      topic: name,
      partitions: partitions.map(({ partitionIndex }) => ({ partition: partitionIndex, batches: 0, bytes: 0 })),
    })),

  answer: (request, context) => ({
    throttleTimeMs: context.throttleTimeMs,
    topics: request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map((asked) => answerPartition(name, asked, request, context)),
    })),
  }),
}

function answerPartition(
  topic: string,
  asked: ListOffsetsPartition,
  request: ListOffsetsRequest,
  context: RequestContext,
): ListOffsetsPartitionResponse {
  const { cluster, broker, faults, version } = context
  const injected = faults.errorFor(topic, asked.partitionIndex)
  const partition = cluster.topics.get(topic)?.partitions[asked.partitionIndex]
  if (injected !== undefined) return response(asked, injected.code, NOTHING, partition, version)
  if (partition === undefined)
    return response(asked, ErrorCodes.UNKNOWN_TOPIC_OR_PARTITION, NOTHING, partition, version)
  const epochError = partition.epochError(asked.currentLeaderEpoch)
  if (epochError !== undefined) return response(asked, codeOf(epochError), NOTHING, partition, version)
  const elsewhere = leadershipProblem(partition, broker)
  if (elsewhere !== undefined) return response(asked, elsewhere, NOTHING, partition, version)
  return response(asked, 0, find(asked.timestamp, partition, request.isolationLevel, context), partition, version)
}

function find(timestamp: number, partition: Partition, isolationLevel: number, context: RequestContext): Found {
  const { log } = partition
  switch (timestamp) {
    case LATEST:
      return { timestamp: -1, offset: isolationLevel === READ_COMMITTED ? partition.lastStableOffset : log.endOffset }
    case EARLIEST:
    case EARLIEST_LOCAL:
      return { timestamp: -1, offset: log.startOffset }
    case MAX_TIMESTAMP: {
      const newest = log.all().reduce((max, entry) => Math.max(max, entry.maxTimestamp), -1)
      return newest < 0 ? NOTHING : firstFrom(newest, partition, context)
    }
    default:
      return timestamp < 0 ? NOTHING : firstFrom(timestamp, partition, context)
  }
}

/** The first message at or after `timestamp`. */
function firstFrom(timestamp: number, { log }: Partition, { decompress }: RequestContext): Found {
  for (const entry of log.all()) {
    if (entry.maxTimestamp < timestamp) continue
    for (const batch of decodeBatches(entry.bytes, { decompress })) {
      const record = batch.records.find((one) => one.timestamp >= timestamp)
      if (record !== undefined) return { timestamp: record.timestamp, offset: Number(record.offset) }
    }
  }
  return NOTHING
}

function response(
  asked: ListOffsetsPartition,
  errorCode: number,
  found: Found,
  partition: Partition | undefined,
  version: number,
): ListOffsetsPartitionResponse {
  const offset = BigInt(found.offset)
  return {
    partitionIndex: asked.partitionIndex,
    errorCode,
    oldStyleOffsets: version === 0 && errorCode === 0 && found.offset >= 0 ? [offset] : [],
    timestamp: found.timestamp,
    offset: version === 0 ? -1n : offset,
    leaderEpoch: found.offset < 0 ? -1 : (partition?.leaderEpoch ?? -1),
  }
}
