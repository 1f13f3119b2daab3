import { UNKNOWN_LEADER, type LeaderIdAndEpoch } from '../../protocol/apis/leader-hints.js'
import {
  produce,
  TOPIC_IDS_FROM,
  type DecodedProduceRequest,
  type ProducePartitionResponse,
  type ProduceResponse,
  type ProduceTopic,
} from '../../protocol/apis/produce.js'
import { errorCode, ErrorCodes } from '../../protocol/error-codes.js'
import { appendRecords, refused, type Appended } from '../append.js'
import type { Cluster } from '../cluster.js'
import { HangUp, NO_ANSWER, type Handler, type RequestContext } from '../handler.js'
import { countEntries, RecordsRefused } from '../incoming-records.js'
import type { Partition, Topic } from '../topic.js'
import { leadershipProblem } from './leadership.js'
import { eachOnce } from './once.js'

const NO_RECORDS = Buffer.alloc(0)
const LEADER_HINTS_FROM = 10
/** The client id of those that may write to Kafka's own topics. */
const ADMIN_CLIENT = '__admin_client'

/** Errors that were found before the log was looked at, or of which Kafka does not tell where it begins. */
const WITHOUT_LOG_START: ReadonlySet<number> = new Set([
  ErrorCodes.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCodes.UNKNOWN_TOPIC_ID,
  ErrorCodes.INVALID_TOPIC_EXCEPTION,
  ErrorCodes.INVALID_REQUIRED_ACKS,
  ErrorCodes.NOT_LEADER_OR_FOLLOWER,
  ErrorCodes.CORRUPT_MESSAGE,
  ErrorCodes.MESSAGE_TOO_LARGE,
  ErrorCodes.RECORD_LIST_TOO_LARGE,
  ErrorCodes.KAFKA_STORAGE_ERROR,
])

export const produceHandler: Handler<DecodedProduceRequest, ProduceResponse> = {
  api: produce,

  topics(request, cluster) {
    return request.topicData.map((topic) => ({
      topic: nameOf(topic, cluster),
      partitions: topic.partitionData.map(({ index, records }) => ({
        partition: index,
        batches: countEntries(records ?? NO_RECORDS) ?? -1,
        bytes: records?.length ?? 0,
      })),
    }))
  },

  acks: (request) => request.acks,

  answer(request, context) {
    const response = answerAll(request, context)
    if (response instanceof HangUp || request.acks !== 0) return response
    // Nobody waits for an answer: all a broker can do to tell of an error is to close the connection.
    const partitions = response.responses.flatMap(({ partitionResponses }) => partitionResponses)
    const failed = partitions.find((partition) => partition.errorCode !== 0)
    return failed === undefined ? NO_ANSWER : new HangUp(`${errorCode(failed.errorCode).name}, and acks 0`)
  },
}

function answerAll(request: DecodedProduceRequest, context: RequestContext): ProduceResponse | HangUp {
  try {
    const responses = distinct(request.topicData).map((topic) => ({
      name: topic.name,
      topicId: topic.topicId,
      partitionResponses: topic.partitionData.map(({ index, records }) =>
        answerPartition(topic, index, records ?? NO_RECORDS, request, context),
      ),
    }))
    const moved = responses.flatMap((topic) =>
      topic.partitionResponses.map(({ currentLeader }) => currentLeader.leaderId),
    )
    return { responses, throttleTimeMs: context.throttleTimeMs, nodeEndpoints: context.cluster.endpointsOf(moved) }
  } catch (error) {
    if (error instanceof RecordsRefused) return new HangUp(error.message)
    throw error
  }
}

type AskedTopic = ProduceTopic<Buffer | null>

function distinct(topics: readonly AskedTopic[]): AskedTopic[] {
  const keyOf = ({ name, topicId }: AskedTopic): string => `${name}/${topicId.toString('hex')}`
  const found = eachOnce(
    topics,
    keyOf,
    ({ partitionData }) => partitionData,
    ({ index }) => index,
  )
  return found.map(([topic, partitionData]) => ({ ...topic, partitionData }))
}

function answerPartition(
  asked: ProduceTopic<Buffer | null>,
  index: number,
  records: Buffer,
  request: DecodedProduceRequest,
  context: RequestContext,
): ProducePartitionResponse {
  const injected = context.faults.errorFor(nameOf(asked, context.cluster), index)
  if (injected?.append === false) return partitionResponse(index, asked, refused(injected.code, null), context)
  const outcome = append(asked, index, records, request, context)
  return partitionResponse(
    index,
    asked,
    injected === undefined ? outcome : afterAppend(injected.code, outcome),
    context,
  )
}

/** What a broker answers that has appended, and then could not wait for the replicas: it tells where it stands. */
function afterAppend(code: number, { baseOffset }: Appended): Appended {
  return { ...refused(code, null), baseOffset }
}

function partitionResponse(
  index: number,
  asked: ProduceTopic<Buffer | null>,
  outcome: Appended,
  context: RequestContext,
): ProducePartitionResponse {
  const { partition } = find(asked, index, context)
  return {
    index,
    errorCode: outcome.errorCode,
    baseOffset: BigInt(outcome.baseOffset),
    logAppendTimeMs: outcome.logAppendTime,
    logStartOffset: WITHOUT_LOG_START.has(outcome.errorCode) ? -1n : BigInt(partition?.log.startOffset ?? -1),
    recordErrors: outcome.recordErrors,
    errorMessage: outcome.errorMessage,
    currentLeader: leaderHint(outcome, partition, context),
  }
}

function append(
  asked: ProduceTopic<Buffer | null>,
  index: number,
  records: Buffer,
  request: DecodedProduceRequest,
  context: RequestContext,
): Appended {
  const { cluster, broker, version, decompress, clientId } = context
  const { acks, transactionalId } = request
  const { topic, partition } = find(asked, index, context)
  if (topic === undefined || partition === undefined) {
    return refused(topic === undefined ? missingTopicError(version) : ErrorCodes.UNKNOWN_TOPIC_OR_PARTITION, null)
  }
  if (topic.isInternal && clientId !== ADMIN_CLIENT) {
    return refused(ErrorCodes.INVALID_TOPIC_EXCEPTION, `Cannot append to internal topic ${topic.name}`)
  }
  if (!(acks >= -1 && acks <= 1) && !broker.release.takesAnyAcks) return refused(ErrorCodes.INVALID_REQUIRED_ACKS, null)
  const elsewhere = leadershipProblem(partition, broker)
  if (elsewhere !== undefined) return refused(elsewhere, null)
  const wanted = topic.config.minInsyncReplicas ?? cluster.options.minInsyncReplicas
  const minInsync = broker.release.boundsMinInsync ? Math.min(wanted, partition.replicas.length) : wanted
  if (acks === -1 && partition.isr.length < minInsync) {
    const message = `${partition.isr.length} in-sync replicas, min.insync.replicas is ${minInsync}`
    return refused(ErrorCodes.NOT_ENOUGH_REPLICAS, message)
  }
  const { release } = broker
  const terms = { cluster, topic, partition, transactionalId, release, produceVersion: version, decompress }
  const outcome = appendRecords(records, terms)
  // It waits for replicas that there are not.
  return acks > partition.isr.length && outcome.errorCode === 0 ? refused(ErrorCodes.REQUEST_TIMED_OUT, null) : outcome
}

function missingTopicError(version: number): number {
  return version >= TOPIC_IDS_FROM ? ErrorCodes.UNKNOWN_TOPIC_ID : ErrorCodes.UNKNOWN_TOPIC_OR_PARTITION
}

function find(
  asked: ProduceTopic<Buffer | null>,
  index: number,
  { cluster, version }: RequestContext,
): { topic: Topic | undefined; partition: Partition | undefined } {
  const topic = version >= TOPIC_IDS_FROM ? cluster.topicById(asked.topicId) : cluster.topics.get(asked.name)
  return { topic, partition: topic?.partitions[index] }
}

function nameOf(topic: ProduceTopic<Buffer | null>, cluster: Cluster): string {
  return topic.name === '' ? (cluster.topicById(topic.topicId)?.name ?? '') : topic.name
}

/** Where to go instead (KIP-951). */
function leaderHint(
  outcome: Appended,
  partition: Partition | undefined,
  { version }: RequestContext,
): LeaderIdAndEpoch {
  if (version < LEADER_HINTS_FROM || outcome.errorCode !== ErrorCodes.NOT_LEADER_OR_FOLLOWER) return UNKNOWN_LEADER
  return partition === undefined ? UNKNOWN_LEADER : { leaderId: partition.leader, leaderEpoch: partition.leaderEpoch }
}
