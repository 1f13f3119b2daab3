import {
  metadata,
  OPERATIONS_NOT_REQUESTED,
  type MetadataPartition,
  type MetadataRequest,
  type MetadataRequestTopic,
  type MetadataResponse,
  type MetadataTopic,
} from '../../protocol/apis/metadata.js'
import { ZERO_UUID } from '../../protocol/byte-writer.js'
import { ErrorCodes } from '../../protocol/error-codes.js'
import { problemOfTopicName } from '../cluster.js'
import { codeOf } from '../error-names.js'
import type { Handler, RequestContext } from '../handler.js'
import type { MetadataView, PartitionView, TopicView } from '../metadata-view.js'

/** Bits of Kafka's AclOperation: what there is to be allowed of a topic, and of the cluster. */
const TOPIC_OPERATIONS = 0xdf8
export const CLUSTER_OPERATIONS = 0x1fa0
const TOPIC_IDS_FROM = 12
const WHOLE_ERROR_FROM = 13

export const metadataHandler: Handler<MetadataRequest, MetadataResponse> = {
  api: metadata,

  topics(request, cluster) {
    return (request.topics ?? []).map(({ name, topicId }) => ({
      topic: name ?? cluster.topicById(topicId)?.name ?? '',
      partitions: [],
    }))
  },

  answer(request, context) {
    const { version, cluster, throttleTimeMs } = context
    const view = context.metadata()
    const unclear = request.topics === null ? undefined : problemOfNaming(request.topics, version)
    if (request.topics !== null && unclear !== undefined) return refused(request.topics, unclear, context)
    const topics =
      request.topics === null
        ? view.topicNames.map((name) => describe(view.topic(name), name, view, request, context))
        : distinct(request.topics).map((asked) => topicOf(asked, view, request, context))
    return {
      throttleTimeMs,
      brokers: view.brokers,
      clusterId: cluster.id,
      controllerId: view.controllerId,
      topics,
      clusterAuthorizedOperations:
        version <= 10 && request.includeClusterAuthorizedOperations ? CLUSTER_OPERATIONS : OPERATIONS_NOT_REQUESTED,
      errorCode: version >= WHOLE_ERROR_FROM ? (context.faults.errorFor()?.code ?? 0) : 0,
    }
  },
}

/** A topic that is told neither by name nor by id, or by id in a version whose brokers do not look at it. */
function problemOfNaming(topics: readonly MetadataRequestTopic[], version: number): number | undefined {
  const byId = topics.some(({ topicId }) => !topicId.equals(ZERO_UUID))
  const nameless = topics.some(({ name, topicId }) => name === null && topicId.equals(ZERO_UUID))
  if (version < TOPIC_IDS_FROM) return byId || nameless ? codeOf('INVALID_REQUEST') : undefined
  return nameless ? codeOf('UNKNOWN_SERVER_ERROR') : undefined
}

/** The answer when nothing of the request is served. */
function refused(
  topics: readonly MetadataRequestTopic[],
  errorCode: number,
  { version, throttleTimeMs }: RequestContext,
): MetadataResponse {
  return {
    throttleTimeMs,
    brokers: [],
    clusterId: null,
    controllerId: -1,
    topics: topics.map(({ name, topicId }) => failed(name ?? '', topicId, errorCode)),
    clusterAuthorizedOperations: OPERATIONS_NOT_REQUESTED,
    errorCode: version >= WHOLE_ERROR_FROM ? errorCode : 0,
  }
}

/** Each topic once; where one is asked for by its id, names do not count. */
function distinct(topics: readonly MetadataRequestTopic[]): MetadataRequestTopic[] {
  const byId = topics.filter(({ topicId }) => !topicId.equals(ZERO_UUID))
  if (byId.length === 0) return [...new Map(topics.map((topic) => [topic.name, topic])).values()]
  return [...new Map(byId.map((topic) => [topic.topicId.toString('hex'), topic])).values()]
}

function topicOf(
  asked: MetadataRequestTopic,
  view: MetadataView,
  request: MetadataRequest,
  context: RequestContext,
): MetadataTopic {
  if (asked.name === null || !asked.topicId.equals(ZERO_UUID)) {
    const topic = view.topicById(asked.topicId)
    if (topic === undefined) return failed(null, asked.topicId, ErrorCodes.UNKNOWN_TOPIC_ID)
    return describe(topic, topic.name, view, request, context)
  }
  const topic = view.topic(asked.name)
  if (topic !== undefined) return describe(topic, asked.name, view, request, context)
  return { ...missing(asked.name, request, context), topicAuthorizedOperations: topicOperations(request) }
}

/** The topic is there at the next look, as with a controller that takes a moment. */
function missing(name: string, request: MetadataRequest, context: RequestContext): MetadataTopic {
  const { cluster, faults, broker } = context
  const injected = faults.errorFor(name)
  if (injected !== undefined) return failed(name, ZERO_UUID, injected.code)
  if (problemOfTopicName(name) !== undefined) return failed(name, ZERO_UUID, ErrorCodes.INVALID_TOPIC_EXCEPTION)
  if (!request.allowAutoTopicCreation || !cluster.options.autoCreateTopics) {
    return failed(name, ZERO_UUID, ErrorCodes.UNKNOWN_TOPIC_OR_PARTITION)
  }
  if (cluster.colliding(name, cluster.topics.keys()) !== undefined) {
    // A KRaft controller refuses, and the broker does not wait to hear it.
    return failed(
      name,
      ZERO_UUID,
      broker.release.isKraft ? ErrorCodes.UNKNOWN_TOPIC_OR_PARTITION : ErrorCodes.INVALID_TOPIC_EXCEPTION,
    )
  }
  cluster.createOnDemand(name)
  return failed(name, ZERO_UUID, codeOf(broker.release.errorOfNewTopic))
}

function failed(name: string | null, topicId: Buffer, errorCode: number): MetadataTopic {
  return {
    errorCode,
    name,
    topicId,
    isInternal: false,
    partitions: [],
    topicAuthorizedOperations: OPERATIONS_NOT_REQUESTED,
  }
}

function describe(
  topic: TopicView | undefined,
  name: string,
  view: MetadataView,
  request: MetadataRequest,
  context: RequestContext,
): MetadataTopic {
  const injected = context.faults.errorFor(name)
  if (topic === undefined || injected !== undefined) {
    return failed(name, ZERO_UUID, injected?.code ?? ErrorCodes.UNKNOWN_TOPIC_OR_PARTITION)
  }
  const living = new Set(view.brokers.map(({ nodeId }) => nodeId))
  return {
    errorCode: 0,
    name,
    topicId: topic.id,
    isInternal: topic.isInternal,
    partitions: topic.partitions.map((partition) => describePartition(name, partition, living, context)),
    topicAuthorizedOperations: topicOperations(request),
  }
}

function topicOperations({ includeTopicAuthorizedOperations }: MetadataRequest): number {
  return includeTopicAuthorizedOperations ? TOPIC_OPERATIONS : OPERATIONS_NOT_REQUESTED
}

function describePartition(
  topic: string,
  partition: PartitionView,
  living: ReadonlySet<number>,
  { faults, version }: RequestContext,
): MetadataPartition {
  const offline = partition.replicas.filter((id) => !living.has(id))
  const hasLeader = living.has(partition.leader)
  let errorCode: number = hasLeader ? 0 : ErrorCodes.LEADER_NOT_AVAILABLE
  // Version 0 leaves dead replicas out and says so; later ones name them all.
  if (version === 0 && hasLeader && offline.length > 0) errorCode = ErrorCodes.REPLICA_NOT_AVAILABLE
  return {
    errorCode: faults.errorFor(topic, partition.index)?.code ?? errorCode,
    partitionIndex: partition.index,
    leaderId: hasLeader ? partition.leader : -1,
    leaderEpoch: partition.leaderEpoch,
    replicaNodes: version === 0 ? partition.replicas.filter((id) => living.has(id)) : partition.replicas,
    isrNodes: version === 0 ? partition.isr.filter((id) => living.has(id)) : partition.isr,
    offlineReplicas: offline,
  }
}
