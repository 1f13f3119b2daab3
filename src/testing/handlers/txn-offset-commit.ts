import {
  txnOffsetCommit,
  TOPIC_IDS_FROM,
  type TxnOffsetCommitRequest,
  type TxnOffsetCommitResponse,
} from '../../protocol/apis/txn-offset-commit.js'
import type { Cluster } from '../cluster.js'
import { codeOf } from '../error-names.js'
import type { Handler, RequestContext } from '../handler.js'
import { groupProblem } from './coordination.js'
import { committed, nameOf, partitionProblem, requestedTopic } from './offset-commit.js'

const ABORTABLE_FROM = 4
const ADDS_TO_TRANSACTION_FROM = 5

export const txnOffsetCommitHandler: Handler<TxnOffsetCommitRequest, TxnOffsetCommitResponse> = {
  api: txnOffsetCommit,

  topics: (request, cluster) => request.topics.map((topic) => requestedTopic(topic, cluster)),

  answer(request, context) {
    const { cluster, throttleTimeMs, version } = context
    const { groupId, producerId } = request
    const problem = groupProblem(groupId, context) ?? problemOfCommit(request, context)
    const topics = request.topics.map((topic) => {
      const name = nameOf(topic, cluster)
      return {
        name: topic.name,
        topicId: topic.topicId,
        partitions: topic.partitions.map((partition) => {
          const errorCode = partitionProblem(name, partition, version >= TOPIC_IDS_FROM, problem, context)
          if (errorCode === 0) {
            cluster.groups.getOrCreate(groupId).offsets.commitInTransaction(producerId, committed(name, partition))
          }
          return { partitionIndex: partition.partitionIndex, errorCode }
        }),
      }
    })
    return { throttleTimeMs, topics }
  },
}

/** Where the transaction is verified that comes first, whoever commits: a commit that is refused over its member has begun it. */
function problemOfCommit(request: TxnOffsetCommitRequest, context: RequestContext): number | undefined {
  return context.broker.release.verifiesTransactions
    ? (transactionProblem(request, context) ?? memberProblem(request, context))
    : (memberProblem(request, context) ?? transactionProblem(request, context))
}

/** A consumer that has left its group must not commit for it (KIP-447); a client that does not say is not asked. */
function memberProblem(request: TxnOffsetCommitRequest, { cluster }: RequestContext): number | undefined {
  const { groupId, memberId, groupInstanceId, generationIdOrMemberEpoch: generationId } = request
  if (generationId < 0 && memberId === '' && groupInstanceId === null) return undefined
  const group = cluster.groups.get(groupId)
  if (group === undefined) return codeOf('ILLEGAL_GENERATION')
  return group.commitProblem({ memberId, groupInstanceId, generationId }, true) || undefined
}

function transactionProblem(
  request: TxnOffsetCommitRequest,
  { cluster, version, broker }: RequestContext,
): number | undefined {
  if (!broker.release.verifiesTransactions) return problemOfEpoch(request, cluster)
  const transaction = cluster.transactions.find(request)
  // The group's coordinator finds a fenced producer by its epoch, like any partition's leader.
  if (transaction === 'PRODUCER_FENCED') return codeOf('INVALID_PRODUCER_EPOCH')
  if (typeof transaction === 'string') return codeOf(transaction)
  if (version >= ADDS_TO_TRANSACTION_FROM) cluster.transactions.addGroup(transaction, request.groupId)
  if (transaction.groups.has(request.groupId)) return undefined
  return codeOf(version >= ABORTABLE_FROM ? 'TRANSACTION_ABORTABLE' : 'INVALID_TXN_STATE')
}

/** Before KIP-890 a group knew no more of a producer than the epochs that it had seen: any other was welcome. */
function problemOfEpoch(
  { producerId, producerEpoch }: TxnOffsetCommitRequest,
  { groups }: Cluster,
): number | undefined {
  if (producerEpoch < 0) return codeOf('UNKNOWN_SERVER_ERROR')
  return groups.sees(producerId, producerEpoch) ? undefined : codeOf('INVALID_PRODUCER_EPOCH')
}
