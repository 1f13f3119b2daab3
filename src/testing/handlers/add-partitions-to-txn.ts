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
import type { Transaction } from '../transactions/transaction.js'
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
  const transaction = claimedTransaction(asked, FENCED_FROM, context)
  const codes = typeof transaction === 'number' ? () => transaction : codesOf(asked, transaction, context)
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

/** All partitions are added, or none. */
function codesOf(
  { topics, verifyOnly }: AddPartitionsToTxnTransaction,
  transaction: Transaction,
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
    const partition = find(topic, index)
    if (partition === undefined) return ErrorCodes.UNKNOWN_TOPIC_OR_PARTITION
    if (!verifyOnly || transaction.partitions.has(partition)) return 0
    return codeOf(version >= ABORTABLE_FROM ? 'TRANSACTION_ABORTABLE' : 'INVALID_TXN_STATE')
  }
  if (verifyOnly) return problemOf
  const asked = topics.flatMap(({ name, partitions }) => partitions.map((index) => ({ name, index })))
  const problems = new Map(asked.map(({ name, index }) => [`${index}-${name}`, problemOf(name, index)]))
  if ([...problems.values()].some((code) => code !== 0)) {
    return (topic, index) => problems.get(`${index}-${topic}`) || codeOf('OPERATION_NOT_ATTEMPTED')
  }
  for (const { name, index } of asked) cluster.transactions.addPartition(transaction, find(name, index) as Partition)
  return () => 0
}
