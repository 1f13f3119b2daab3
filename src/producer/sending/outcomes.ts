import type { Clock } from '../../clock.js'
import { ConnectionClosedError, type KafkaProducerError } from '../../errors.js'
import { LARGE_REQUEST_BYTES } from '../../network/connection/broker-connection.js'
import type { ProducePartitionResponse, ProduceRecordError, ProduceResponse } from '../../protocol/apis/produce.js'
import { brokerResponseError, ErrorCodes } from '../../protocol/error-codes.js'
import { Failures, isByCaller } from '../../stats/failures.js'
import type { Observers } from '../../stats/observer.js'
import type { StatsCounters } from '../../stats/producer-stats.js'
import { counted } from '../../wording/counted.js'
import type { BrokerPartitionInfo } from '../brokers/broker-partition-info.js'
import type { ToldLeader } from '../brokers/known-topics.js'
import type { Freed, Magic, Settled } from '../queues/batch.js'
import type { PartitionBatch, PartitionQueue } from '../queues/partition-queue.js'
import type { RetryPolicy } from '../queues/retry-policy.js'
import type { CompressionChoice } from '../queues/topic-compression.js'
import { detailOfCode } from '../transactions/error-kinds.js'
import { mayBeInLog, mayHaveBeenWritten, TOO_LARGE, verdictOn } from './answer-verdict.js'
import type { Sequencing } from './idempotence.js'
import { leaderAddresses } from './produce-answer.js'

const NO_BATCHES: ReadonlySet<PartitionBatch> = new Set()

export interface OutcomesParts {
  readonly clock: Clock
  readonly topicPartitionInfos: BrokerPartitionInfo
  readonly policy: RetryPolicy
  readonly counters: StatsCounters
  readonly observers: Observers
  readonly compression: CompressionChoice
  readonly idempotence: Sequencing
  readonly release: (freed: Freed) => void
  /** Lets a partition send again, if it has something to. */
  readonly enlist: (queue: PartitionQueue) => void
}

/** How what failed together is sent again. */
interface RetryTerms {
  /** The metadata that they relied on. */
  readonly generation: number
  /** Whether they wait for newer ones. */
  readonly needsMetadata?: boolean
  /** Whether they may pass the next time; by default as the cause says of itself. */
  readonly passes?: boolean
}

/**
 * Carries out what an answer, or none, means for each batch: its messages are acknowledged; or it goes back to the head
 * of its queue, to be sent again; or they fail, with the cause.
 */
export class Outcomes {
  private readonly failures: Failures

  constructor(private readonly parts: OutcomesParts) {
    this.failures = new Failures(parts.counters, parts.observers)
  }

  acknowledged(batch: PartitionBatch, answer: ProducePartitionResponse | undefined, magic: Magic): void {
    const { queue } = batch
    const acknowledgement = {
      baseOffset: answer?.baseOffset ?? -1n,
      logAppendTime: answer?.logAppendTimeMs ?? -1,
      hasTimestamps: magic > 0,
      acknowledged: answer !== undefined,
    }
    const { told, messages, bytes } = queue.acknowledged(batch, acknowledgement, this.parts.clock.now())
    this.parts.counters.acknowledged += told
    this.parts.release({ messages, bytes })
    this.goOn(queue)
  }

  /** A batch stands on its connection: the next one of its partition may come behind it. */
  handedOver(batch: PartitionBatch): void {
    batch.queue.handedOver(batch)
    this.goOn(batch.queue)
  }

  /** Lets a partition send what it has, under other sequences where the ones it has had are broken. */
  goOn(queue: PartitionQueue, cause?: KafkaProducerError): void {
    if (queue.hasGap) this.startOver(queue, cause)
    this.parts.enlist(queue)
  }

  /** What may have been written can't be sent again under other sequences: the broker would not find it twice. */
  private startOver(queue: PartitionQueue, cause?: KafkaProducerError): void {
    for (let batch = queue.sequences.mayBeTwice; batch !== undefined; batch = queue.sequences.mayBeTwice) {
      this.settleFailed(batch, batch.history.causeToTell as KafkaProducerError)
    }
    this.unnumber(queue, cause)
  }

  /**
   * Takes the sequences of a partition away. Where that is since its leader knows none, what may be in the log can get there
   * twice, as anything can that is sent to such a broker.
   */
  unnumber(queue: PartitionQueue, cause?: KafkaProducerError): void {
    const left = queue.sequences.startOver()
    if (left !== undefined) this.parts.idempotence.leave(left, cause)
  }

  /**
   * Learns which leaders an answer tells of where it refuses; gives the batches that may go on to another at once: its leader
   * was news, or is known from the answer to a batch before.
   */
  learnLeaders(
    attempts: readonly { readonly batch: PartitionBatch }[],
    answers: readonly ProducePartitionResponse[],
    response: ProduceResponse,
  ): ReadonlySet<PartitionBatch> {
    let told: (ToldLeader & { readonly batch: PartitionBatch })[] | undefined
    for (let i = 0; i < attempts.length; i++) {
      const { errorCode, currentLeader } = answers[i] as ProducePartitionResponse
      const { leaderId: leader, leaderEpoch } = currentLeader
      if (errorCode === ErrorCodes.NONE || leader < 0) continue
      const { batch } = attempts[i] as { readonly batch: PartitionBatch }
      const { topic, partition } = batch.queue
      told ??= []
      told.push({ batch, topic, partition, leader, leaderEpoch })
    }
    if (told === undefined) return NO_BATCHES
    const news = this.parts.topicPartitionInfos.learnLeaders(told, leaderAddresses(response))
    const goOn = told.filter((it) => {
      const { queue } = it.batch
      return news.has(it) || (queue.leader === it.leader && queue.brokerOf(it.batch) !== it.leader)
    })
    return new Set(goOn.map(({ batch }) => batch))
  }

  /**
   * A broker has answered for a batch, whatever it said.
   *
   * @param toldLeader whether it told of a leader that was news
   */
  answered(
    batch: PartitionBatch,
    answer: ProducePartitionResponse,
    toldLeader: boolean,
    magic: Magic,
    generation: number,
  ): void {
    const { history } = batch
    const isRefused = answer.errorCode !== ErrorCodes.NONE
    const compression = isRefused ? this.parts.compression.of(batch.queue.topic) : null
    // Most batches are taken, and nothing is made for what they were not refused for.
    const invalid = isRefused ? recordErrorsOf(batch, answer) : []
    const verdict = verdictOn({
      errorCode: answer.errorCode,
      messages: batch.count,
      invalid: invalid.length,
      toldLeader,
      wasSentOn: history.wasSentOn,
      wentUntried: history.wentUntried,
      sequence: batch.sequence === undefined ? 'none' : batch.queue.isBehind(batch) ? 'behind' : 'first',
      isDeleted: isRefused && batch.queue.sequences.isDeletedBefore(answer.logStartOffset),
      mayHaveBeenWritten: history.mayHaveBeenWritten,
      inTransaction: this.parts.idempotence.isTransactional,
      maySendUnnumbered: this.parts.idempotence.maySendUnnumbered,
      mayFallBack:
        compression !== null && compression.fallback !== undefined && !history.wentUntried && !history.fellBack,
    })
    if (verdict.action === 'done') return this.acknowledged(batch, answer, magic)
    const { queue } = batch
    const subject = `${counted(batch.count, 'message')} for ${queue.topic}-${queue.partition}`
    const detail = this.detailOf(batch, answer)
    const cause = brokerResponseError(answer.errorCode, subject, detail)
    const isSameAgain = history.lastError?.code === cause.code
    history.noteFailure(cause, mayHaveBeenWritten(answer.errorCode, answer.baseOffset), mayBeInLog(answer.errorCode))
    switch (verdict.action) {
      case 'compress':
        compression?.noteTooLarge(batch.sizeIn(magic))
        this.tell('retry', batch, cause)
        history.noteNotInLog()
        history.forgiveAttempt()
        queue.returned(batch)
        return this.goOn(queue)
      case 'split':
        if (TOO_LARGE.has(answer.errorCode)) compression?.reset()
        this.tell('retry', batch, cause)
        history.noteNotInLog()
        queue.split(batch)
        return this.goOn(queue)
      case 'follow':
        this.tell('retry', batch, cause)
        history.forgiveAttempt()
        queue.returned(batch)
        return this.goOn(queue)
      case 'fall back':
        if (compression !== null) compression.isRefused = true
        this.tell('retry', batch, cause)
        history.noteFallBack(true)
        history.forgiveAttempt()
        queue.returned(batch)
        return this.goOn(queue)
      case 'start over':
        queue.sequences.break()
        if (verdict.isProven) history.forgiveAttempt()
        // It passes, under another epoch.
        return this.retry([batch], cause, { generation, passes: true })
      case 'number from 0':
        queue.sequences.begin()
        history.forgiveAttempt()
        return this.retry([batch], cause, { generation, passes: true })
      case 'fail, start over': {
        // That the broker has the whole already is all that is wrong with the sequences of a half.
        const why = history.splitInDoubt ?? cause
        // In a transaction it fails though no attempt before may have written it.
        history.noteFailure(why, false)
        queue.sequences.break()
        return this.fail(batch, why)
      }
      case 'go apart':
        // Twice in a row it may not have been for one beside it.
        if (!isSameAgain) history.forgiveAttempt()
        return this.retry([batch], cause, { generation, passes: true })
      case 'unnumber':
        this.parts.idempotence.leaveOut(queue.topic, cause)
        this.tell('retry', batch, cause)
        // That the fallback was refused as well tells that it was for the sequences: without them the codec may pass.
        if (compression !== null && history.fellBack) {
          compression.isRefused = false
          history.noteFallBack(false)
        }
        history.forgiveAttempt()
        queue.sequences.break()
        queue.returned(batch)
        return this.goOn(queue)
      case 'leave out': {
        this.tell('retry', batch, cause)
        history.noteNotInLog()
        queue.returned(batch)
        const now = this.parts.clock.now()
        for (const { batchIndex, batchIndexErrorMessage } of invalid) {
          const error = brokerResponseError(answer.errorCode, subject, batchIndexErrorMessage ?? detail)
          const { topic, partition } = queue
          if (batch.endOne(batchIndex, error, now, true))
            this.failures.add({ topic, partition, attempts: history.attempts }, error)
        }
        history.noteLeftOut()
        // What it leaves out would be missing behind it. The others go with it where an attempt may have written them all.
        if (batch.sequence !== undefined) queue.breakSequencesAt(batch)
        if (queue.hasGap) this.startOver(queue)
        this.thin(batch)
        // Nothing is wrong with the others: that costs them no attempt (KIP-467).
        history.forgiveAttempt()
        return this.goOn(queue)
      }
      case 'again':
        history.noteSentOn()
        if (this.mayTryAgain(batch, cause)) {
          queue.returned(batch)
          this.thin(batch)
          this.goOn(queue)
        }
        return
      case 'await':
        history.forgiveAttempt()
        return this.retry([batch], cause, { generation })
      case 'back off':
        return this.retry([batch], cause, { generation, needsMetadata: verdict.needsMetadata })
      case 'fail':
        this.fail(batch, cause)
        this.parts.topicPartitionInfos.refresh({ topics: [queue.topic], newerThan: generation }).catch(() => undefined)
        return
    }
  }

  /** What is known of a refusal beside its code, and what the broker says of it. */
  private detailOf(batch: PartitionBatch, answer: ProducePartitionResponse): string | null {
    const { errorCode: code } = answer
    // Of a batch that is wrong as a whole some brokers say why with its messages alone.
    const errorMessage = answer.errorMessage ?? answer.recordErrors[0]?.batchIndexErrorMessage ?? null
    const told = errorMessage === null ? '' : `; ${errorMessage}`
    const compression = this.parts.compression.of(batch.queue.topic)
    if (TOO_LARGE.has(code)) {
      const size = `${batch.byteLength} bytes${compression === null ? '' : ' before compression'}`
      return `${size} are more than max.message.bytes of the topic, or message.max.bytes of the broker, allows${told}`
    }
    if (code === ErrorCodes.CORRUPT_MESSAGE && batch.keyless.length > 0)
      return `a message was changed on its way, or has no key and the topic is compacted, which Kafka before 2.4 does not tell apart${told}`
    if (code === ErrorCodes.UNSUPPORTED_FOR_MESSAGE_FORMAT) {
      const why: string[] = []
      if (batch.sequence !== undefined) why.push('have a message.format.version before 0.11, which knows no sequences')
      const codec = compression?.codec.name ?? 'gzip'
      if (codec !== 'gzip') why.push(`not take compression '${codec}' (Azure Event Hubs takes 'gzip' alone)`)
      if (why.length > 0) return `the topic may ${why.join(', or ')}${told}`
    }
    if (code === ErrorCodes.POLICY_VIOLATION)
      return `Azure Event Hubs answers so where it would throttle for longer than \`requestTimeoutMs\`${told}`
    const ofTransaction = this.parts.idempotence.isTransactional ? detailOfCode(code) : undefined
    return ofTransaction === undefined ? errorMessage : `${ofTransaction}${told}`
  }

  /** The connection was lost, or never there: nothing was answered for these. */
  unanswered(
    batches: readonly PartitionBatch[],
    cause: KafkaProducerError,
    written: boolean,
    generation: number,
  ): void {
    if (batches.length === 0) return
    const mayBeForSize = written && cause instanceof ConnectionClosedError && mayBeTooLarge(batches)
    // What refused them for good, such as credentials, refuses what is behind them as well.
    if (!cause.retriable) for (const { queue } of batches) queue.noteFailure(cause)
    for (const batch of batches) {
      if (mayBeForSize) batch.history.travelAlone()
      batch.history.noteFailure(cause, written)
    }
    this.retry(batches, cause, { generation, needsMetadata: true })
  }

  /** A broker ended the connection on which it took messages without acks: what it leads is asked for anew. */
  hungUp(brokerId: number): void {
    const { topicPartitionInfos: info } = this.parts
    info.doubtLeadersAt(brokerId)
    info.refresh().catch(() => undefined)
  }

  /** Fails what a partition has waiting, for a cause that trying again can't help. */
  giveUp(queue: PartitionQueue, cause: KafkaProducerError): void {
    for (let batch = queue.peekNext(); batch !== undefined; batch = queue.peekNext()) this.fail(batch, cause)
  }

  private fail(batch: PartitionBatch, cause: KafkaProducerError): void {
    this.settleFailed(batch, cause)
    this.goOn(batch.queue, cause)
  }

  private settleFailed(batch: PartitionBatch, cause: KafkaProducerError): void {
    this.tell('failed', batch, cause)
    const settled: Settled = batch.queue.failed(batch, cause, this.parts.clock.now())
    this.parts.counters.failed += settled.told
    this.parts.release(settled)
  }

  /** What of a batch has its fate holds no room any longer, whenever the rest goes out. */
  thin(batch: PartitionBatch): void {
    // It may have failed since, where its sequences could not start over.
    if (!batch.hasEnded || batch.isSettled) return
    const { queue } = batch
    this.parts.release(queue.thin(batch))
    if (queue.hasGap) this.startOver(queue)
  }

  /** Puts what failed together back at the head of its queues, to go out again after a wait. */
  private retry(
    batches: readonly PartitionBatch[],
    cause: KafkaProducerError,
    { generation, needsMetadata = false, passes = cause.retriable }: RetryTerms,
  ): void {
    const { topicPartitionInfos: info, policy } = this.parts
    const queues: PartitionQueue[] = []
    let failures = 1
    for (const batch of batches) {
      if (needsMetadata) info.doubtLeader(batch.queue.topic, batch.queue.partition)
      if (!this.mayTryAgain(batch, cause, passes)) continue
      const { queue } = batch
      failures = Math.max(failures, batch.history.countedAttempts)
      queue.returned(batch)
      if (queue.hasGap) this.startOver(queue, cause)
      this.thin(batch)
      queue.backOff()
      queues.push(queue)
    }
    const topics = [...new Set(batches.map(({ queue }) => queue.topic))]
    const refresh = () => info.refresh({ topics, newerThan: generation })
    refresh().catch(() => undefined)
    if (queues.length === 0) return
    const attempt = async (): Promise<void> => {
      // Their messages may all have had their fate meanwhile: nobody waits for an answer then.
      if (!needsMetadata || queues.every((queue) => queue.isEmpty)) return
      await refresh().catch((error: KafkaProducerError) => {
        // The brokers known before may still take the batch; if not, what they say is what it fails with.
        if (error.retriable) throw error
      })
    }
    void policy.retryAfter(cause, failures, attempt).then((goesOn) => {
      if (!goesOn) return
      for (const queue of queues) {
        queue.goOn()
        this.goOn(queue)
      }
    })
  }

  /** False where the batch has failed for good, which its messages have then been told. */
  private mayTryAgain(batch: PartitionBatch, cause: KafkaProducerError, passes = cause.retriable): boolean {
    if (passes && this.parts.policy.allowsAttemptAfter(batch.history.countedAttempts) && batch.queue.isNeeded(batch)) {
      this.tell('retry', batch, cause)
      return true
    }
    this.fail(batch, cause)
    return false
  }

  private tell(type: 'retry' | 'failed', batch: PartitionBatch, error: KafkaProducerError): void {
    const { observers } = this.parts
    const { unsettled: messages } = batch
    const { attempts } = batch.history
    if (messages === 0 || !observers.wantsEvents || isByCaller(error)) return
    const { topic, partition } = batch.queue
    const brokerId = batch.queue.brokerOf(batch)
    observers.happened({ type, topic, partition, brokerId, messages, attempts, error })
  }
}

/** What the broker says of the messages that it found wrong, each of them once. */
function recordErrorsOf(batch: PartitionBatch, { recordErrors }: ProducePartitionResponse): ProduceRecordError[] {
  const errors = new Map<number, ProduceRecordError>()
  for (const error of recordErrors) {
    const { batchIndex } = error
    if (batchIndex >= 0 && batchIndex < batch.count && !errors.has(batchIndex)) errors.set(batchIndex, error)
  }
  return [...errors.values()]
}

/**
 * Whether a request that was hung up on may have been larger than the broker takes (`socket.request.max.bytes`), of which
 * it says nothing; then each of its batches may pass by itself. A small one was hung up on for its size only if it was so
 * twice: brokers that are stopped hang up too.
 */
function mayBeTooLarge(batches: readonly PartitionBatch[]): boolean {
  if (batches.length === 1) return false
  const bytes = batches.reduce((sum, { byteLength }) => sum + byteLength, 0)
  return (
    bytes >= LARGE_REQUEST_BYTES || batches.every(({ history }) => history.lastError instanceof ConnectionClosedError)
  )
}
