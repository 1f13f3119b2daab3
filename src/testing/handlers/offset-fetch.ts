import {
  offsetFetch,
  TOPIC_IDS_FROM,
  type OffsetFetchGroup,
  type OffsetFetchGroupResponse,
  type OffsetFetchPartitionResponse,
  type OffsetFetchRequest,
  type OffsetFetchResponse,
  type OffsetFetchTopic,
} from '../../protocol/apis/offset-fetch.js'
import { ZERO_UUID } from '../../protocol/byte-writer.js'
import { ErrorCodes } from '../../protocol/error-codes.js'
import type { Cluster } from '../cluster.js'
import { codeOf } from '../error-names.js'
import type { Handler, RequestContext } from '../handler.js'
import { coordinationProblem } from './coordination.js'
import { nameOf } from './offset-commit.js'

const GROUPS_FROM = 8
const GROUP_ERROR_FROM = 2

export const offsetFetchHandler: Handler<OffsetFetchRequest, OffsetFetchResponse> = {
  api: offsetFetch,

  topics: ({ groups }, cluster) =>
    groups.flatMap(({ topics }) =>
      (topics ?? []).map((topic) => ({
        topic: nameOf(topic, cluster),
        partitions: topic.partitionIndexes.map((partition) => ({ partition, batches: 0, bytes: 0 })),
      })),
    ),

  answer: ({ groups, requireStable }, context) => ({
    throttleTimeMs: context.throttleTimeMs,
    groups: groups.map((group) => answerGroup(group, requireStable, context)),
  }),
}

function answerGroup(
  asked: OffsetFetchGroup,
  requireStable: boolean,
  context: RequestContext,
): OffsetFetchGroupResponse {
  const { cluster, version } = context
  const problem = coordinationProblem(asked.groupId, context)
  const topics = asked.topics ?? topicsOf(asked.groupId, cluster)
  // Up to version 1 there is no place for an error but with each partition.
  const answered = problem !== undefined && version >= GROUP_ERROR_FROM ? [] : topics
  return {
    groupId: version >= GROUPS_FROM ? asked.groupId : '',
    errorCode: problem ?? 0,
    topics: answered.map((topic) => ({
      name: topic.name,
      topicId: topic.topicId,
      partitions: topic.partitionIndexes.map((partition) =>
        answerPartition(asked.groupId, topic, partition, problem, requireStable, context),
      ),
    })),
  }
}

function answerPartition(
  groupId: string,
  topic: OffsetFetchTopic,
  partition: number,
  problem: number | undefined,
  requireStable: boolean,
  { cluster, faults, version }: RequestContext,
): OffsetFetchPartitionResponse {
  const name = nameOf(topic, cluster)
  const none = (errorCode: number): OffsetFetchPartitionResponse => ({
    partitionIndex: partition,
    committedOffset: -1n,
    committedLeaderEpoch: -1,
    metadata: '',
    errorCode,
  })
  const failure = problem ?? faults.errorFor(name, partition)?.code
  if (failure !== undefined) return none(failure)
  const known = cluster.topics.get(name)?.partitions[partition] !== undefined
  if (!known && version === 0) return none(ErrorCodes.UNKNOWN_TOPIC_OR_PARTITION)
  if (name === '' && version >= TOPIC_IDS_FROM) return none(ErrorCodes.UNKNOWN_TOPIC_ID)
  const offsets = cluster.groups.get(groupId)?.offsets
  if (requireStable && offsets?.isUnstable(name, partition)) return none(codeOf('UNSTABLE_OFFSET_COMMIT'))
  const found = offsets?.of(name, partition)
  if (found === undefined) return none(0)
  return {
    partitionIndex: partition,
    committedOffset: found.offset,
    committedLeaderEpoch: found.leaderEpoch,
    metadata: found.metadata,
    errorCode: 0,
  }
}

/** All that the group has offsets for. */
function topicsOf(groupId: string, cluster: Cluster): OffsetFetchTopic[] {
  const indexes = new Map<string, number[]>()
  for (const { topic, partition } of cluster.groups.get(groupId)?.offsets.all() ?? []) {
    indexes.set(topic, [...(indexes.get(topic) ?? []), partition])
  }
  return [...indexes].map(([name, partitionIndexes]) => ({
    name,
    topicId: cluster.topics.get(name)?.id ?? ZERO_UUID,
    partitionIndexes,
  }))
}
