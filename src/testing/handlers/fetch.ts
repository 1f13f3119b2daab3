import {
  fetch,
  TOPIC_IDS_FROM,
  type FetchPartition,
  type FetchPartitionResponse,
  type FetchRequest,
  type FetchResponse,
  type FetchTopic,
} from '../../protocol/apis/fetch.js'
import { UNKNOWN_LEADER } from '../../protocol/apis/leader-hints.js'
import { ErrorCodes } from '../../protocol/error-codes.js'
import type { Cluster } from '../cluster.js'
import { codeOf } from '../error-names.js'
import type { Handler, RequestContext } from '../handler.js'
import type { LogEntry } from '../partition-log.js'
import type { Partition, Topic } from '../topic.js'
import { Changes } from '../waiting.js'
import { leadershipProblem } from './leadership.js'
import { eachOnce } from './once.js'

const SESSIONS_FROM = 7
/** Epochs of a Fetch that goes on with none. */
const NEW_SESSION = 0
const NO_SESSION = -1
const LEADER_HINTS_FROM = 12
const ENDPOINTS_FROM = 16
const READ_COMMITTED = 1
const NO_EPOCH_END = { epoch: -1, endOffset: -1n } as const
const WHOLE_FROM = 3
const ZSTD_FROM = 10
const ZSTD = 4
const NO_RECORDS = Buffer.alloc(0)

/** Sessions are not kept (session id 0), which tells clients to name all partitions in every request. */
export const fetchHandler: Handler<FetchRequest, FetchResponse> = {
  api: fetch,

  topics(request, cluster) {
    return request.topics.map((topic) => ({
      topic: nameOf(topic, cluster),
      partitions: topic.partitions.map(({ partition }) => ({ partition, batches: 0, bytes: 0 })),
    }))
  },

  async answer(request, context) {
    const injected = context.faults.errorFor()
    if (injected !== undefined && context.version >= SESSIONS_FROM) return failed(injected.code, context)
    if (request.sessionEpoch !== NEW_SESSION && request.sessionEpoch !== NO_SESSION)
      return failed(codeOf('FETCH_SESSION_ID_NOT_FOUND'), context)
    const asked = { ...request, topics: distinct(request.topics) }
    const response = read(asked, context)
    if (asked.maxWaitMs <= 0 || isEnough(response, asked)) return response
    const { clock } = context.cluster
    const deadline = clock.now() + asked.maxWaitMs
    for (let left = asked.maxWaitMs; left > 0 && !hasEnough(asked, context); left = deadline - clock.now())
      await appendOrTimeout(asked, context, left)
    return read(asked, context)
  },
}

function failed(errorCode: number, { throttleTimeMs }: RequestContext): FetchResponse {
  return { throttleTimeMs, errorCode, sessionId: 0, responses: [], nodeEndpoints: [] }
}

/** A Fetch is answered when there is enough to answer, an error too, or when it has waited long enough. */
function isEnough({ responses }: FetchResponse, request: FetchRequest): boolean {
  const partitions = responses.flatMap((topic) => topic.partitions)
  const bytes = partitions.reduce((sum, { records }) => sum + (records?.length ?? 0), 0)
  return partitions.length === 0 || partitions.some(({ errorCode }) => errorCode !== 0) || bytes >= wanted(request)
}

/** Whether there is enough by now: looked at after every append, and therefore counted and not read. */
function hasEnough(request: FetchRequest, context: RequestContext): boolean {
  let bytes = 0
  for (const topic of request.topics) {
    for (const asked of topic.partitions) {
      const place = look(topic, asked, request, context)
      if ('errorCode' in place) return true
      bytes += Math.min(place.partition.log.bytesBetween(place.offset, place.before), asked.partitionMaxBytes)
    }
  }
  return bytes >= wanted(request)
}

/** No more than may be in the answer. */
function wanted({ minBytes, maxBytes }: FetchRequest): number {
  return Math.min(minBytes, maxBytes)
}

async function appendOrTimeout(request: FetchRequest, context: RequestContext, ms: number): Promise<void> {
  const partitions = request.topics.flatMap((topic) =>
    topic.partitions.flatMap((asked) => find(topic, asked, context).partition ?? []),
  )
  await Changes.nextOfAny(
    partitions.map(({ changes }) => changes),
    context.signal,
    { clock: context.cluster.clock, ms },
  )
}

function read(request: FetchRequest, context: RequestContext): FetchResponse {
  const { cluster, version, throttleTimeMs } = context
  const budget = { left: request.maxBytes, anything: false }
  const responses = request.topics.map((topic) => ({
    topic: topic.topic,
    topicId: topic.topicId,
    partitions: topic.partitions.map((asked) => readPartition(topic, asked, request, budget, context)),
  }))
  const moved = responses.flatMap(({ partitions }) => partitions.map(({ currentLeader }) => currentLeader.leaderId))
  const nodeEndpoints = version >= ENDPOINTS_FROM ? cluster.endpointsOf(moved) : []
  return { throttleTimeMs, errorCode: 0, sessionId: 0, responses, nodeEndpoints }
}

function distinct(topics: readonly FetchTopic[]): FetchTopic[] {
  const keyOf = ({ topic, topicId }: FetchTopic): string => `${topic}/${topicId.toString('hex')}`
  const found = eachOnce(
    topics,
    keyOf,
    ({ partitions }) => partitions,
    ({ partition }) => partition,
  )
  return found.map(([topic, partitions]) => ({ ...topic, partitions }))
}

interface Budget {
  left: number
  /** Whether the answer holds records yet: the first batch goes out whatever its size. */
  anything: boolean
}

/** Where a partition is read, or why it is not. */
type Place =
  { readonly partition: Partition; readonly offset: number; readonly before: number } | { readonly errorCode: number }

function look(topic: FetchTopic, asked: FetchPartition, request: FetchRequest, context: RequestContext): Place {
  const { cluster, broker, version, faults } = context
  const { topic: known, partition } = find(topic, asked, context)
  const injected = faults.errorFor(nameOf(topic, cluster), asked.partition)
  if (injected !== undefined) return { errorCode: injected.code }
  if (known === undefined) {
    const code = version >= TOPIC_IDS_FROM ? ErrorCodes.UNKNOWN_TOPIC_ID : ErrorCodes.UNKNOWN_TOPIC_OR_PARTITION
    return { errorCode: code }
  }
  if (partition === undefined) return { errorCode: ErrorCodes.UNKNOWN_TOPIC_OR_PARTITION }
  if (request.maxBytes < 0 || asked.partitionMaxBytes < 0 || request.isolationLevel > READ_COMMITTED)
    return { errorCode: codeOf('UNKNOWN_SERVER_ERROR') }
  // Any negative epoch is a client that does not say.
  const epochError = partition.epochError(Math.max(-1, asked.currentLeaderEpoch))
  if (epochError !== undefined) return { errorCode: codeOf(epochError) }
  const elsewhere = leadershipProblem(partition, broker)
  if (elsewhere !== undefined) return { errorCode: elsewhere }
  const offset = Number(asked.fetchOffset)
  const { log, lastStableOffset } = partition
  if (offset < log.startOffset || offset > log.endOffset) return { errorCode: codeOf('OFFSET_OUT_OF_RANGE') }
  return { partition, offset, before: request.isolationLevel === READ_COMMITTED ? lastStableOffset : log.endOffset }
}

function readPartition(
  topic: FetchTopic,
  asked: FetchPartition,
  request: FetchRequest,
  budget: Budget,
  context: RequestContext,
): FetchPartitionResponse {
  const place = look(topic, asked, request, context)
  if ('errorCode' in place) return answer(asked, find(topic, asked, context).partition, place.errorCode, null, context)
  const { partition, offset, before } = place
  const { version } = context
  const limit = Math.min(asked.partitionMaxBytes, budget.left)
  if (limit <= 0 && budget.anything) return answer(asked, partition, 0, NO_RECORDS, context)
  const entries = partition.log.read(offset, limit, before)
  // No down-conversion: a client that knows older formats only can't read this log.
  const newest = version >= 4 ? 2 : version >= 2 ? 1 : 0
  if (entries.some(({ magic }) => magic > newest))
    return answer(asked, partition, ErrorCodes.UNSUPPORTED_VERSION, null, context)
  if (version < ZSTD_FROM && entries.some(({ bytes, magic }) => magic === 2 && ((bytes[22] as number) & 7) === ZSTD)) {
    return answer(asked, partition, codeOf('UNSUPPORTED_COMPRESSION_TYPE'), null, context)
  }
  const found = cut(entries, limit, version, budget.anything)
  budget.left -= found.length
  budget.anything ||= found.length > 0
  const response = answer(asked, partition, 0, found, context)
  if (request.isolationLevel !== READ_COMMITTED) return { ...response, abortedTransactions: null }
  const end = (entries[entries.length - 1]?.lastOffset ?? offset - 1) + 1
  const aborted = partition.transactions.abortedBetween(offset, end)
  return {
    ...response,
    abortedTransactions: aborted.map(({ producerId, firstOffset }) => ({
      producerId,
      firstOffset: BigInt(firstOffset),
    })),
  }
}

/**
 * Kafka cuts what it sends off at the last byte that was asked for, also within a batch. Only the first batch of an answer
 * comes whole, however large, from version 3 on; that of another partition comes whole or not at all.
 */
function cut(entries: readonly LogEntry[], limit: number, version: number, isAnything: boolean): Buffer {
  const found = entries.map(({ bytes }) => bytes)
  const first = found[0] ?? NO_RECORDS
  if (version >= WHOLE_FROM && first.length > limit) return isAnything ? NO_RECORDS : first
  return (found.length > 1 ? Buffer.concat(found) : first).subarray(0, limit)
}

function answer(
  asked: FetchPartition,
  partition: Partition | undefined,
  errorCode: number,
  records: Buffer | null,
  { version }: RequestContext,
): FetchPartitionResponse {
  const moved =
    errorCode === ErrorCodes.NOT_LEADER_OR_FOLLOWER && partition !== undefined && version >= LEADER_HINTS_FROM
  return {
    partitionIndex: asked.partition,
    errorCode,
    highWatermark: errorCode === 0 ? BigInt(partition?.log.endOffset ?? -1) : -1n,
    lastStableOffset: errorCode === 0 ? BigInt(partition?.lastStableOffset ?? -1) : -1n,
    logStartOffset: errorCode === 0 ? BigInt(partition?.log.startOffset ?? -1) : -1n,
    divergingEpoch: NO_EPOCH_END,
    currentLeader: moved ? { leaderId: partition.leader, leaderEpoch: partition.leaderEpoch } : UNKNOWN_LEADER,
    snapshotId: NO_EPOCH_END,
    abortedTransactions: [],
    preferredReadReplica: -1,
    records: records ?? NO_RECORDS,
  }
}

function find(
  topic: FetchTopic,
  asked: FetchPartition,
  { cluster, version }: RequestContext,
): { topic: Topic | undefined; partition: Partition | undefined } {
  const known = version >= TOPIC_IDS_FROM ? cluster.topicById(topic.topicId) : cluster.topics.get(topic.topic)
  return { topic: known, partition: known?.partitions[asked.partition] }
}

function nameOf(topic: FetchTopic, cluster: Cluster): string {
  return topic.topic === '' ? (cluster.topicById(topic.topicId)?.name ?? '') : topic.topic
}
