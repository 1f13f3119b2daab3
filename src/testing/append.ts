import type { Decompress } from '../protocol/records/record.js'
import { placeBatches } from './assign-offsets.js'
import type { Cluster } from './cluster.js'
import { codeOf } from './error-names.js'
import { checkRecords, RecordsRefused, type CheckedBatch, type RecordError } from './incoming-records.js'
import type { Release } from './releases.js'
import type { Partition, Topic } from './topic.js'

const ABORTABLE_FROM = 11
const ADDS_TO_TRANSACTION_FROM = 12

/** How an append ended. */
export interface Appended {
  readonly errorCode: number
  readonly errorMessage: string | null
  readonly recordErrors: readonly RecordError[]
  /** -1 after an error. */
  readonly baseOffset: number
  /** -1 unless the topic's timestamps are those of the append. */
  readonly logAppendTime: number
}

export interface AppendTerms {
  readonly cluster: Cluster
  readonly topic: Topic
  readonly partition: Partition
  /** Of the request; null outside of transactions. */
  readonly transactionalId: string | null
  /** Of the broker that appends. */
  readonly release: Release
  readonly produceVersion: number
  readonly decompress: Decompress
}

/** Checks records as Kafka does, finds duplicates, and appends the rest. Throws only where the connection must be closed. */
export function appendRecords(records: Buffer, terms: AppendTerms): Appended {
  const { topic, partition, release, transactionalId } = terms
  let batches: CheckedBatch[]
  try {
    batches = checkRecords(records, rulesOf(terms), terms.decompress)
    checkFormat(batches, topic, release)
  } catch (error) {
    if (!(error instanceof RecordsRefused)) throw error
    if (error.wrongBatches && release.hangsUpOnWrongBatches) throw error
    const errorName = error.errorName === 'INVALID_RECORD' ? release.errorOfInvalidRecord : error.errorName
    return refused(codeOf(errorName), error.message, error.recordErrors)
  }
  const appendTime = topic.config.logAppendTime ? terms.cluster.clock.timestamp() : undefined
  const { startOffset, endOffset: baseOffset } = partition.log
  const first = batches[0]
  if (first === undefined) return accepted(baseOffset, appendTime)
  if (first.transactional && transactionalId === null)
    return refused(codeOf('TRANSACTIONAL_ID_AUTHORIZATION_FAILED'), null)
  if (first.transactional && transactionalId === '' && release.verifiesTransactions)
    return refused(codeOf('INVALID_REQUEST'), null)
  if (first.producerId >= 0n && first.baseSequence < 0)
    return refused(codeOf(release.errorOfInvalidRecord), `a producer's batch with the sequence ${first.baseSequence}`)
  if (first.producerId >= 0n) {
    // Its coordinator is asked first; only where the log has the transaction already that is not needed, and all is well.
    const problem = first.transactional ? transactionProblem(first, terms) : undefined
    if (problem !== undefined) return refused(codeOf(problem), null)
    const verdict = partition.producers.check(first, release, first.transactional && beginsAtZero(terms))
    if (verdict.kind === 'refused') return refused(codeOf(verdict.errorName), verdict.message)
    if (verdict.kind === 'duplicate') return accepted(verdict.baseOffset, verdict.appendTime)
    if (!first.transactional && partition.transactions.isOpen(first.producerId))
      return refused(codeOf('INVALID_TXN_STATE'), 'a batch outside of the transaction that its producer has open here')
    partition.producers.appended(first, baseOffset, appendTime ?? first.maxTimestamp, release)
    if (first.transactional) partition.transactions.wrote(first.producerId, baseOffset)
  }
  const { leaderEpoch } = partition
  partition.log.append(placeBatches(records, batches, { baseOffset, leaderEpoch, appendTime }, terms.decompress))
  if (partition.log.startOffset > startOffset) partition.producers.beginsAt(partition.log.startOffset, release)
  partition.changes.notify()
  terms.cluster.changes.notify()
  return accepted(baseOffset, appendTime)
}

/** Why a batch can't be part of a transaction. From version 12 on writing to a partition adds it (KIP-890). */
function transactionProblem(batch: CheckedBatch, terms: AppendTerms): string | undefined {
  const { cluster, partition, transactionalId, release, produceVersion } = terms
  if (!release.verifiesTransactions) return undefined
  const { producerId, producerEpoch } = batch
  const found = cluster.transactions.find({ transactionalId: transactionalId ?? '', producerId, producerEpoch })
  if (found === 'PRODUCER_FENCED') return 'INVALID_PRODUCER_EPOCH'
  if (typeof found === 'string') return found
  if (produceVersion >= ADDS_TO_TRANSACTION_FROM) cluster.transactions.addPartition(found, partition)
  if (found.partitions.has(partition)) return undefined
  return produceVersion >= ABORTABLE_FROM ? 'TRANSACTION_ABORTABLE' : 'INVALID_TXN_STATE'
}

/** Whether each transaction has an epoch of its own, so that the first batch of one that is unknown can be no later one. */
function beginsAtZero({ release, produceVersion }: AppendTerms): boolean {
  return release.verifiesTransactions && produceVersion >= ADDS_TO_TRANSACTION_FROM
}

function rulesOf({ cluster, topic, release, produceVersion }: AppendTerms) {
  return {
    exactlyOneBatch: produceVersion >= 3,
    oneFormat: release.wantsOneFormat,
    zstdAllowed: produceVersion >= 7,
    maxMagic: release.maxMagic,
    messageMaxBytes: topic.config.maxMessageBytes ?? cluster.options.messageMaxBytes,
    keyRequired: topic.config.compacted && release.wantsKeysInCompactedTopics,
    // Where the time of the append stands in for them it does not matter what they are.
    maxTimestamp: topic.config.logAppendTime ? Infinity : cluster.clock.timestamp() + release.maxTimestampAheadMs,
  }
}

/**
 * A log kept in an older format (message.format.version, without effect since 3.0) has no place for sequences. All else Kafka
 * converts; here it is kept as it came.
 */
function checkFormat(batches: readonly CheckedBatch[], topic: Topic, release: Release): void {
  const maxMagic = release.heedsMessageFormat ? (topic.config.maxMagic ?? 2) : 2
  if (maxMagic === 2 || batches.every(({ producerId }) => producerId < 0n)) return
  throw new RecordsRefused('UNSUPPORTED_FOR_MESSAGE_FORMAT', `a sequence, the topic's log holds magic 0 to ${maxMagic}`)
}

export function refused(
  errorCode: number,
  errorMessage: string | null,
  recordErrors: readonly RecordError[] = [],
): Appended {
  return { errorCode, errorMessage, recordErrors, baseOffset: -1, logAppendTime: -1 }
}

function accepted(baseOffset: number, appendTime: number | undefined): Appended {
  return { errorCode: 0, errorMessage: null, recordErrors: [], baseOffset, logAppendTime: appendTime ?? -1 }
}
