import {
  addPartitionsToTxn,
  type AddPartitionsToTxnRequest,
  type AddPartitionsToTxnResponse,
  type AddPartitionsToTxnResult,
  type AddPartitionsToTxnTransaction,
} from '../../protocol/apis/add-partitions-to-txn.js'
import { ErrorCodes } from '../../protocol/error-codes.js'
import { codeOf } from '../error-names.js'
import type { Handler, RequestContext } from '../handler.js'
import type { Partition } from '../topic.js'
import { claimedTransaction } from './claimed-transaction.js'
import { eachOnce } from './once.js'

const FENCED_FROM = 2
const TRANSACTIONS_FROM = 4
const ABORTABLE_FROM = 5

export const addPartitionsToTxnHandler: Handler<AddPartitionsToTxnRequest, AddPartitionsToTxnResponse> = {
  api: addPartitionsToTxn,

  topics: ({ transactions }) =>
    transactions.flatMap(({ topics }) =>
      topics.map(({ name, partitions }) => ({
        topic: name,
        partitions: partitions.map((partition) => ({ partition, batches: 0, bytes: 0 })),
      })),
    ),

  answer: ({ transactions }, context) => ({
    throttleTimeMs: context.throttleTimeMs,
    errorCode: 0,
    resultsByTransaction: transactions.map((asked) => answerTransaction(asked, context)),
  }),
}

function answerTransaction(asked: AddPartitionsToTxnTransaction, context: RequestContext): AddPartitionsToTxnResult {
  const distinct = eachOnce(
    asked.topics,
    ({ name }) => name,
    ({ partitions }) => partitions,
    (partition) => partition,
  )
  const codes = codesOf(asked, context)
  return {
    transactionalId: context.version >= TRANSACTIONS_FROM ? asked.transactionalId : '',
    topicResults: distinct.map(([{ name }, partitions]) => ({
      name,
      resultsByPartition: partitions.map((partitionIndex) => ({
        partitionIndex,
        partitionErrorCode: codes(name, partitionIndex),
      })),
    })),
  }
}

/** All partitions are added, or none. What there is not is told before it is looked who asks. */
function codesOf(
  asked: AddPartitionsToTxnTransaction,
  context: RequestContext,
): (topic: string, partition: number) => number {
  const { cluster, faults, version } = context
  const find = (topic: string, index: number): Partition | undefined => cluster.topics.get(topic)?.partitions[index]
  const problemOf = (topic: string, index: number): number => {
    const injected = faults.errorFor(topic, index)
    if (injected !== undefined) return injected.code
    // Kafka's own topics are for brokers alone.
    if (version < TRANSACTIONS_FROM && cluster.topics.get(topic)?.isInternal)
      return codeOf('TOPIC_AUTHORIZATION_FAILED')
    return find(topic, index) === undefined ? ErrorCodes.UNKNOWN_TOPIC_OR_PARTITION : 0
  }
  const all = asked.topics.flatMap(({ name, partitions }) => partitions.map((index) => ({ name, index })))
  const problems = new Map(all.map(({ name, index }) => [`${index}-${name}`, problemOf(name, index)]))
  if ([...problems.values()].some((code) => code !== 0)) {
    return (topic, index) => problems.get(`${index}-${topic}`) || codeOf('OPERATION_NOT_ATTEMPTED')
  }
  const transaction = claimedTransaction(asked, FENCED_FROM, context)
  if (typeof transaction === 'number') return () => transaction
  const partitionOf = (topic: string, index: number): Partition => find(topic, index) as Partition
  if (asked.verifyOnly) {
    const missing = codeOf(version >= ABORTABLE_FROM ? 'TRANSACTION_ABORTABLE' : 'INVALID_TXN_STATE')
    return (topic, index) => (transaction.partitions.has(partitionOf(topic, index)) ? 0 : missing)
  }
  for (const { name, index } of all) cluster.transactions.addPartition(transaction, partitionOf(name, index))
  return () => 0
}
