import {
  listOffsets,
  type ListOffsetsPartition,
  type ListOffsetsPartitionResponse,
  type ListOffsetsRequest,
  type ListOffsetsResponse,
} from '../../protocol/apis/list-offsets.js'
import { ErrorCodes } from '../../protocol/error-codes.js'
import { decodeBatches } from '../../protocol/records/decode.js'
import { isClosed } from '../decompress.js'
import { codeOf } from '../error-names.js'
import type { Handler, RequestContext } from '../handler.js'
import type { Partition } from '../topic.js'
import { leadershipProblem } from './leadership.js'

const LATEST = -1
const EARLIEST = -2
const MAX_TIMESTAMP = -3
const EARLIEST_LOCAL = -4
/** In tiered storage, which there is none of. */
const LATEST_TIERED = -5
const EARLIEST_PENDING_UPLOAD = -6
const READ_COMMITTED = 1

/** The versions from which a negative timestamp means something. */
const SPECIAL_FROM: ReadonlyMap<number, number> = new Map([
  [LATEST, 0],
  [EARLIEST, 0],
  [MAX_TIMESTAMP, 7],
  [EARLIEST_LOCAL, 8],
  [LATEST_TIERED, 9],
  [EARLIEST_PENDING_UPLOAD, 11],
])

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

  answer(request, context) {
    const { throttleTimeMs, version, broker } = context
    const times = new Map<string, number>()
    for (const { name, partitions } of request.topics) {
      for (const { partitionIndex } of partitions) {
        const key = keyOf(name, partitionIndex)
        times.set(key, (times.get(key) ?? 0) + 1)
      }
    }
    // What is asked for twice is answered with an error, since 4.0 once.
    const answered = new Set<string>()
    const topics = request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.flatMap((asked) => {
        const key = keyOf(name, asked.partitionIndex)
        if (version === 0 || times.get(key) === 1) return answerPartition(name, asked, request, context)
        if (broker.release.atLeast(4, 0) && answered.has(key)) return []
        answered.add(key)
        return response(asked, codeOf('INVALID_REQUEST'), NOTHING, undefined, version)
      }),
    }))
    return { throttleTimeMs, topics: topics.filter(({ partitions }) => partitions.length > 0) }
  },
}

function keyOf(topic: string, partition: number): string {
  return `${partition}-${topic}`
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
  if (request.isolationLevel > READ_COMMITTED)
    return response(asked, codeOf('UNKNOWN_SERVER_ERROR'), NOTHING, partition, version)
  if (broker.release.isKraft && version < (SPECIAL_FROM.get(asked.timestamp) ?? (asked.timestamp < 0 ? Infinity : 0)))
    return response(asked, codeOf('UNSUPPORTED_VERSION'), NOTHING, partition, version)
  return response(asked, 0, find(asked.timestamp, partition, request.isolationLevel, context), partition, version)
}

function find(timestamp: number, partition: Partition, isolationLevel: number, context: RequestContext): Found {
  const { log } = partition
  const end = isolationLevel === READ_COMMITTED ? partition.lastStableOffset : log.endOffset
  if (timestamp === LATEST) return { timestamp: -1, offset: end }
  if (timestamp === EARLIEST || (timestamp === EARLIEST_LOCAL && context.broker.release.isKraft))
    return { timestamp: -1, offset: log.startOffset }
  const found = findMessage(timestamp, partition, context)
  // As with Kafka, which looks for no other message before the end instead.
  return found.offset < end ? found : NOTHING
}

function findMessage(timestamp: number, partition: Partition, context: RequestContext): Found {
  // Older brokers look for a message of that time.
  if (!context.broker.release.isKraft && timestamp < 0)
    return context.version === 0 ? NOTHING : firstFrom(timestamp, partition, context)
  if (timestamp === MAX_TIMESTAMP) {
    const newest = partition.log.all().reduce((max, entry) => Math.max(max, entry.maxTimestamp), -1)
    return newest < 0 ? NOTHING : firstFrom(newest, partition, context)
  }
  return timestamp < 0 ? NOTHING : firstFrom(timestamp, partition, context)
}

/** The first message at or after `timestamp`. */
function firstFrom(timestamp: number, { log }: Partition, { decompress }: RequestContext): Found {
  for (const entry of log.all()) {
    if (entry.maxTimestamp < timestamp) continue
    // Which of its messages it is can't be seen: none is passed over.
    if (isClosed(entry)) return { timestamp: entry.maxTimestamp, offset: entry.baseOffset }
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
