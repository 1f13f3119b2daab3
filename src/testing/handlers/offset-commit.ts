import {
  offsetCommit,
  type OffsetCommitPartition,
  type OffsetCommitRequest,
  type OffsetCommitResponse,
  type OffsetCommitTopic,
} from '../../protocol/apis/offset-commit.js'
import { ErrorCodes } from '../../protocol/error-codes.js'
import type { Cluster } from '../cluster.js'
import { codeOf } from '../error-names.js'
import type { Handler, RequestContext } from '../handler.js'
import { groupProblem } from './coordination.js'

const TOPIC_IDS_FROM = 10
const MAX_METADATA_BYTES = 4096

/** A topic in a request that commits offsets, and what of its partitions is the same in OffsetCommit and TxnOffsetCommit. */
export interface CommittedTopic {
  readonly name: string
  readonly topicId: Buffer
  readonly partitions: readonly Omit<OffsetCommitPartition, 'commitTimestamp'>[]
}

export const offsetCommitHandler: Handler<OffsetCommitRequest, OffsetCommitResponse> = {
  api: offsetCommit,

  topics: (request, cluster) => request.topics.map((topic) => requestedTopic(topic, cluster)),

  answer(request, context) {
    const { cluster, throttleTimeMs, version } = context
    const problem = groupProblem(request.groupId, context) ?? memberProblem(request, context)
    const topics = request.topics.map((topic: OffsetCommitTopic) => {
      const name = nameOf(topic, cluster)
      return {
        name: topic.name,
        topicId: topic.topicId,
        partitions: topic.partitions.map((partition) => {
          const errorCode = problem ?? partitionProblem(name, partition, version >= TOPIC_IDS_FROM, context)
          if (errorCode === 0) cluster.groups.getOrCreate(request.groupId).offsets.commit(committed(name, partition))
          return { partitionIndex: partition.partitionIndex, errorCode }
        }),
      }
    })
    return { throttleTimeMs, topics }
  },
}

function memberProblem(request: OffsetCommitRequest, { cluster }: RequestContext): number | undefined {
  const generationId = request.generationIdOrMemberEpoch
  const group = cluster.groups.get(request.groupId)
  if (group === undefined) return generationId < 0 ? undefined : codeOf('ILLEGAL_GENERATION')
  const problem = group.commitProblem({ ...request, generationId })
  return problem === 0 ? undefined : problem
}

/** Why an offset of this partition can't be committed; 0 where it can. */
export function partitionProblem(
  name: string,
  { partitionIndex, committedMetadata }: CommittedTopic['partitions'][number],
  byId: boolean,
  { cluster, broker, faults }: RequestContext,
): number {
  const injected = faults.errorFor(name, partitionIndex)
  if (injected !== undefined) return injected.code
  const topic = cluster.topics.get(name)
  if (topic === undefined && byId) return ErrorCodes.UNKNOWN_TOPIC_ID
  if (topic === undefined) return ErrorCodes.UNKNOWN_TOPIC_OR_PARTITION
  const known = topic.partitions[partitionIndex] !== undefined || broker.release.keepsOffsetsOfUnknownPartitions
  if (!known) return ErrorCodes.UNKNOWN_TOPIC_OR_PARTITION
  if (Buffer.byteLength(committedMetadata ?? '') > MAX_METADATA_BYTES) return codeOf('OFFSET_METADATA_TOO_LARGE')
  return 0
}

export function committed(topic: string, partition: CommittedTopic['partitions'][number]) {
  return {
    topic,
    partition: partition.partitionIndex,
    offset: partition.committedOffset,
    leaderEpoch: partition.committedLeaderEpoch,
    metadata: partition.committedMetadata ?? '',
  }
}

export function nameOf({ name, topicId }: Pick<CommittedTopic, 'name' | 'topicId'>, cluster: Cluster): string {
  return name === '' ? (cluster.topicById(topicId)?.name ?? '') : name
}

export function requestedTopic(topic: CommittedTopic, cluster: Cluster) {
  return {
    topic: nameOf(topic, cluster),
    partitions: topic.partitions.map(({ partitionIndex }) => ({ partition: partitionIndex, batches: 0, bytes: 0 })),
  }
}
