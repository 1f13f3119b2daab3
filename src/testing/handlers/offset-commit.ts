import {
  offsetCommit,
  TOPIC_IDS_FROM,
  type OffsetCommitPartition,
  type OffsetCommitRequest,
  type OffsetCommitResponse,
  type OffsetCommitTopic,
} from '../../protocol/apis/offset-commit.js'
import { ErrorCodes } from '../../protocol/error-codes.js'
import type { Cluster } from '../cluster.js'
import { codeOf } from '../error-names.js'
import type { Handler, RequestContext } from '../handler.js'
import { coordinationProblem } from './coordination.js'

const GROUP_NOT_FOUND_FROM = 9
const MAX_METADATA_LENGTH = 4096

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
    const problem = coordinationProblem(request.groupId, context) ?? memberProblem(request, context)
    const topics = request.topics.map((topic: OffsetCommitTopic) => {
      const name = nameOf(topic, cluster)
      return {
        name: topic.name,
        topicId: topic.topicId,
        partitions: topic.partitions.map((partition) => {
          const errorCode = partitionProblem(name, partition, version >= TOPIC_IDS_FROM, problem, context)
          if (errorCode === 0) cluster.groups.getOrCreate(request.groupId).offsets.commit(committed(name, partition))
          return { partitionIndex: partition.partitionIndex, errorCode }
        }),
      }
    })
    return { throttleTimeMs, topics }
  },
}

function memberProblem(request: OffsetCommitRequest, { cluster, broker, version }: RequestContext): number | undefined {
  const generationId = request.generationIdOrMemberEpoch
  const group = cluster.groups.get(request.groupId)
  if (group === undefined && generationId < 0) return undefined
  if (group === undefined) {
    const tellsIt = version >= GROUP_NOT_FOUND_FROM && broker.release.atLeast(4, 0)
    return codeOf(tellsIt ? 'GROUP_ID_NOT_FOUND' : 'ILLEGAL_GENERATION')
  }
  const problem = group.commitProblem({ ...request, generationId }, false)
  return problem === 0 ? undefined : problem
}

/**
 * Why an offset of this partition can't be committed; 0 where it can. What there is not is told first, and by any broker:
 * only the rest of a request gets to the group.
 *
 * @param groupProblem why nothing can be committed for the group at all
 */
export function partitionProblem(
  name: string,
  { partitionIndex, committedMetadata }: CommittedTopic['partitions'][number],
  byId: boolean,
  groupProblem: number | undefined,
  { cluster, broker, faults }: RequestContext,
): number {
  const injected = faults.errorFor(name, partitionIndex)
  if (injected !== undefined) return injected.code
  const topic = cluster.topics.get(name)
  if (topic === undefined && byId) return ErrorCodes.UNKNOWN_TOPIC_ID
  if (topic === undefined) return ErrorCodes.UNKNOWN_TOPIC_OR_PARTITION
  const known = topic.partitions[partitionIndex] !== undefined || broker.release.keepsOffsetsOfUnknownPartitions
  if (!known) return ErrorCodes.UNKNOWN_TOPIC_OR_PARTITION
  if (groupProblem !== undefined) return groupProblem
  // Java's characters, not bytes.
  return (committedMetadata ?? '').length > MAX_METADATA_LENGTH ? codeOf('OFFSET_METADATA_TOO_LARGE') : 0
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
