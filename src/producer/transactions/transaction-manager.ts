import type { Clock } from '../../clock.js'
import { createDebug } from '../../debug.js'
import { AbortedError, BrokerResponseError, ProducerClosedError, type KafkaProducerError } from '../../errors.js'
import type { WaitedFor } from '../../network/stage.js'
import type { AddPartitionsToTxnTopic } from '../../protocol/apis/add-partitions-to-txn.js'
import type { EndTxnResponse } from '../../protocol/apis/end-txn.js'
import { produce } from '../../protocol/apis/produce.js'
import { brokerResponseError, ErrorCodes } from '../../protocol/error-codes.js'
import { isByCaller } from '../../stats/failures.js'
import { Observers } from '../../stats/observer.js'
import { detailOfCode, kindOfCode, type ErrorKind } from './error-kinds.js'
import type { GroupOffsets } from './group-offsets.js'
import { LateRequests } from './late-requests.js'
import {
  OutcomeUnknownError,
  ProducerFencedError,
  ProducerUnusableError,
  TransactionAbortedError,
  TransactionEndedError,
  type TransactionError,
} from './transaction-errors.js'
import { TransactionPartitions } from './transaction-partitions.js'
import { PART_TWO, type TransactionRequests, type Tries } from './transaction-requests.js'
import { TransactionStates, type TransactionState } from './transaction-states.js'
import { ElsewhereError, TransactionalIdentity, type GivenIdentity } from './transactional-identity.js'

const debug = createDebug('kafka-producer:transactions')

/** What the send path does for transactions. */
export interface TransactionSends {
  /** Fails what is not written yet with this cause; what is under way goes on to its true fate. */
  takeOut(cause: KafkaProducerError): void
  /** Whether nothing of what was sent is under way. */
  isDrained(): boolean
  /** Resolves when nothing of it is any more. */
  drained(): Promise<void>
}

/** What the send path asks before it writes. */
export interface TransactionGate {
  readonly transactionalId: string
  /** What the batches of the transaction bear. */
  readonly current: GivenIdentity | undefined
  /** The highest version of Produce that may be used. */
  readonly maxProduceVersion: number
  /** A leader is met that speaks this version of Produce. */
  meetsProduce(version: number): void
  /** Why nothing more goes out. */
  readonly failure: TransactionError | undefined
  /** Whether a batch for the partition may be written now. */
  isIn(topic: string, partition: number): boolean
  /** Resolves when it may be; rejects where it never will, which its messages are told otherwise. */
  whenIn(topic: string, partition: number): Promise<void>
  /** Who adds partitions. */
  readonly addsBy: WaitedFor
  /** A gap, or the doubt of one, in the sequences of a partition. */
  failSequence(cause: KafkaProducerError): void
  /** Something failed, so that it can only be aborted, if anything. */
  fail(cause: KafkaProducerError, kind: ErrorKind): void
}

/** How much the coordinator knows of the transaction: nothing, perhaps something, or something for certain. */
type Begun = 'no' | 'perhaps' | 'yes'

/**
 * The transactions of one transactional id, one after the other (Kafka's TransactionManager): its identity, what belongs
 * to the transaction, and how it ends. {@link TransactionStates} says what comes after what.
 *
 * Whatever goes wrong becomes one of four things: it is asked again until its time is over; the transaction can only be
 * aborted; this producer is unusable; or, of a commit alone, nobody knows.
 */
export class TransactionManager implements TransactionGate {
  private readonly states = new TransactionStates()
  private readonly identity: TransactionalIdentity
  /** Part two of KIP-890: looked at anew for each transaction, since a cluster may be upgraded or downgraded. */
  private isPartTwo = false
  private begun: Begun = 'no'
  /** A batch of the transaction had no answer, and may be written yet. */
  private isInDoubt = false
  private abortCause: TransactionError | undefined
  private unusableCause: TransactionError | undefined
  private readonly partitions: TransactionPartitions
  private readonly late: LateRequests
  /** Aborted when the transaction is: what its steps ask is not asked again. */
  private steps = new AbortController()
  /** What is being added, which is asked for one after the other: the first of it may change the identity. */
  private lastAdding: Promise<unknown> = Promise.resolve()
  /** Offsets are committed one after the other: of a partition given twice, the later ones count, whatever is asked again. */
  private lastOffsets: Promise<unknown> = Promise.resolve()

  constructor(
    private readonly requests: TransactionRequests,
    private readonly sends: TransactionSends,
    clock: Clock,
    private readonly observers = new Observers(),
  ) {
    this.partitions = new TransactionPartitions(clock, (topics) => this.addPartitions(topics))
    this.late = new LateRequests(requests)
    this.identity = new TransactionalIdentity(requests)
  }

  get transactionalId(): string {
    return this.requests.transactionalId
  }

  get current(): GivenIdentity | undefined {
    return this.identity.current
  }

  /** Whether what is carried out late is told by its epoch from what comes next: whatever asks for an identity comes first. */
  get tellsLate(): boolean {
    return this.current === undefined || this.identity.canBump
  }

  get addsBy(): WaitedFor {
    return this.requests.coordinator
  }

  get maxProduceVersion(): number {
    return this.isPartTwo ? produce.maxVersion : PART_TWO.produce - 1
  }

  get state(): TransactionState {
    return this.states.current
  }

  /** Why this producer can't go on. */
  get unusable(): TransactionError | undefined {
    return this.unusableCause
  }

  /** Where a leader is older than part two of KIP-890, whatever the coordinator told, partitions are added beforehand. */
  meetsProduce(version: number): void {
    if (!this.isPartTwo || version >= PART_TWO.produce) return
    this.isPartTwo = false
    // Those that were to be added by being written to may not have been.
    this.partitions.clear()
  }

  /** Why nothing more can be sent in the transaction that is open, or by this producer. */
  get failure(): TransactionError | undefined {
    return this.unusableCause ?? this.abortCause
  }

  isIn(topic: string, partition: number): boolean {
    // What was written once goes on to its fate, whatever becomes of the transaction.
    if (this.partitions.has(topic, partition)) return true
    if (!this.isPartTwo || !this.states.is('in transaction')) return false
    this.partitions.note(topic, partition)
    this.mayHaveBegun()
    return true
  }

  whenIn(topic: string, partition: number): Promise<void> {
    return this.failure === undefined ? this.partitions.whenAdded(topic, partition) : Promise.reject(this.failure)
  }

  /**
   * @param signal called off with it
   * @throws ProducerFencedError, ProducerUnusableError, TransactionAbortedError; and where it may be called again,
   *   DeliveryTimeoutError or the signal's reason
   */
  async begin(signal: AbortSignal): Promise<void> {
    if (this.unusableCause !== undefined) throw this.unusableCause
    try {
      if (this.states.is('uninitialized') || this.identity.needsNext) await this.initialize(signal)
      this.isPartTwo = await this.requests.isPartTwo(signal)
      // Connecting tells where the name of a broker leads to by now.
      if (this.identity.isOfAnother) await this.initialize(signal)
    } catch (error) {
      // Whoever lacks the right to the transactional id is not even told who its coordinator is. He may be given it.
      if (!(error instanceof BrokerResponseError)) throw error
      throw this.tellFailed(this.whyUnusable(error, kindOfCode(error.errorCode)))
    }
    signal.throwIfAborted()
    this.steps = new AbortController()
    this.states.go('in transaction')
  }

  /** Something of the transaction failed, so that it can only be aborted, if anything. */
  fail(cause: KafkaProducerError, kind: ErrorKind = 'abort'): void {
    if (!this.states.is('in transaction', 'committing', 'to be aborted', 'aborting')) return
    debug('%s: %s', kind, cause.message)
    if (kind === 'abort, new id') this.identity.forgotten()
    // Another cluster gives an id to whoever asks for one, however old it is.
    const mayHaveNew = this.identity.canBump || cause instanceof ElsewhereError
    const isAbortable = kind === 'abort' || (kind === 'abort, new id' && mayHaveNew)
    if (!isAbortable) return void this.makeUnusable(this.whyUnusable(cause, kind))
    if (this.states.is('in transaction', 'committing')) this.mustAbort(new TransactionAbortedError(cause))
  }

  /** A gap, or the doubt of one, in the sequences of a partition: only another epoch helps. */
  failSequence(cause: KafkaProducerError): void {
    if (this.states.is('ready')) return this.needAnotherEpoch(cause)
    // It is aborted, and the next one has another id.
    if (this.identity.isForgotten) return
    this.isInDoubt = true
    if (this.identity.canBump || this.isPartTwo) return this.fail(cause)
    const isOldEpoch = cause instanceof BrokerResponseError && cause.errorCode === ErrorCodes.INVALID_PRODUCER_EPOCH
    this.fail(cause, isOldEpoch ? 'fenced' : 'unusable')
  }

  /** Between transactions: none is lost, but the next one can't go on from there. */
  private needAnotherEpoch(cause: KafkaProducerError): void {
    if (this.identity.canBump) this.identity.over()
    else this.makeUnusable(new ProducerUnusableError(cause))
  }

  /** The transaction is not wanted any more: what is not written yet fails with this cause. */
  giveUp(cause: TransactionError): void {
    if (this.states.is('in transaction')) this.mustAbort(cause)
  }

  private mustAbort(cause: TransactionError): void {
    this.abortCause = cause
    this.tellFailed(cause)
    this.states.go('to be aborted')
    this.steps.abort(cause)
    this.sends.takeOut(cause)
  }

  /** Commits offsets of a consumer group as part of the transaction. */
  sendOffsets(offsets: GroupOffsets): Promise<void> {
    const committed = this.lastOffsets.then(() => this.commitOffsets(offsets))
    this.lastOffsets = committed.catch(() => undefined)
    return committed
  }

  private async commitOffsets(offsets: GroupOffsets): Promise<void> {
    const onWritten = () => this.mayHaveBegun()
    const { groupId } = offsets.member
    // A group's coordinator may be older than part two of KIP-890, whatever that of the transactions told.
    let isAdded = false
    if (this.isPartTwo)
      await this.step('FindCoordinator', async (_, signal) => {
        isAdded = await this.requests.addsOffsets(groupId, signal)
        return ErrorCodes.NONE
      })
    if (!isAdded)
      await this.adding('AddOffsetsToTxn', (identity, signal) =>
        this.requests.addOffsets(identity, groupId, signal, onWritten),
      )
    await this.step('TxnOffsetCommit', (identity, signal) =>
      this.requests.commitOffsets(identity, offsets, isAdded, signal, onWritten),
    )
    this.begun = 'yes'
  }

  private addPartitions(topics: readonly AddPartitionsToTxnTopic[]): Promise<void> {
    return this.adding('AddPartitionsToTxn', (identity, signal) =>
      this.requests.addPartitions(identity, topics, signal, () => this.mayHaveBegun()),
    )
  }

  /** What is added first tells whether the coordinator knows the id: it forgets those that were idle for days, or is elsewhere. */
  private adding(name: string, add: (identity: GivenIdentity, signal: AbortSignal) => Promise<number>): Promise<void> {
    const added = this.lastAdding.then(async () => {
      const isFirst = this.begun === 'no'
      await this.step(name, async (identity, signal) => {
        try {
          const code = await add(identity, signal)
          if (kindOfCode(code) !== 'abort, new id' || !isFirst || !this.identity.canBump) return code
        } catch (error) {
          if (!(error instanceof ElsewhereError) || !isFirst) throw error
        }
        await this.acquire(signal)
        return add(this.current as GivenIdentity, signal)
      })
      this.begun = 'yes'
    })
    this.lastAdding = added.catch(() => undefined)
    return added
  }

  /** Asks for something in the transaction; whatever it fails with, the transaction does. */
  private async step(
    name: string,
    ask: (identity: GivenIdentity, signal: AbortSignal) => Promise<number>,
  ): Promise<void> {
    if (!this.states.is('in transaction')) throw this.failure ?? new TransactionEndedError()
    try {
      const code = await ask(this.current as GivenIdentity, this.steps.signal)
      if (code === ErrorCodes.NONE) return
      this.fail(brokerResponseError(code, name, detailOfCode(code)), kindOfCode(code))
    } catch (error) {
      this.fail(error as KafkaProducerError, error instanceof ElsewhereError ? 'abort, new id' : 'abort')
    }
    throw this.failure as TransactionError
  }

  /** The coordinator may know of the transaction. */
  private mayHaveBegun(): void {
    if (this.begun === 'no') this.begun = 'perhaps'
  }

  /**
   * Commits what was sent, all of it acknowledged.
   *
   * @throws TransactionAbortedError where it was aborted instead; OutcomeUnknownError, ProducerFencedError,
   *   ProducerUnusableError
   */
  async commit(): Promise<void> {
    if (this.states.is('in transaction')) {
      this.states.go('committing')
      if (this.begun === 'no') return this.ended()
      const tries: Tries = { written: 0, answered: 0 }
      const isUnknown = () => tries.written > tries.answered
      const { current, isPartTwo } = this
      const answer = await this.requests
        .end(current as GivenIdentity, true, isPartTwo, tries)
        .catch((error: unknown) => {
          const cause = error as KafkaProducerError
          if (cause instanceof ElsewhereError && !isUnknown()) return this.fail(cause, 'abort, new id')
          throw this.makeUnusable(isUnknown() ? new OutcomeUnknownError(cause) : new ProducerUnusableError(cause))
        })
      if (answer?.errorCode === ErrorCodes.NONE) {
        this.noteLate()
        this.goOnWith(answer)
        return this.ended()
      }
      if (answer !== undefined) this.notCommitted(answer.errorCode, isUnknown())
    }
    const { failure } = this
    await this.abort()
    throw failure as TransactionError
  }

  /** @throws OutcomeUnknownError */
  private notCommitted(errorCode: number, isUnknown: boolean): void {
    const cause = brokerResponseError(errorCode, 'EndTxn')
    // This answer may not say, or an attempt before it that had none have done it, and be why this one was refused.
    if (isUnknown) throw this.makeUnusable(new OutcomeUnknownError(cause))
    this.fail(cause, kindOfCode(errorCode))
  }

  /**
   * Takes out what is not written yet, waits for what is, and ends the transaction: nobody who reads committed messages
   * sees any of it. Where the coordinator can't be told, the next {@link begin} does it.
   *
   * @throws ProducerFencedError, ProducerUnusableError
   */
  async abort(): Promise<void> {
    this.giveUp(new TransactionAbortedError())
    if (this.unusableCause !== undefined) throw this.unusableCause
    this.states.go('aborting')
    try {
      await this.requests.within('what was sent', () => this.settled())
      await this.rollBack()
    } catch (error) {
      if (this.states.is('unusable')) throw this.failure as TransactionError
      debug('not aborted: %s', (error as Error).message)
      if (!this.identity.canBump) throw this.makeUnusable(new ProducerUnusableError(error as KafkaProducerError))
      if (this.states.is('aborting')) this.states.go('uninitialized')
      this.isInDoubt = true
      this.noteLate()
      this.forget()
    }
  }

  private async settled(): Promise<void> {
    await Promise.all([this.sends.drained(), this.lastAdding])
    // Else it comes late, which the next epoch is for.
    if (!this.identity.canBump) await this.requests.settled()
  }

  /** Since part two of KIP-890 each transaction has an epoch, which all see at the end of the one before. */
  private noteLate(): void {
    const { current, identity, isPartTwo, isInDoubt, partitions } = this
    if (isPartTwo || current === undefined || !identity.canBump) return
    if (this.late.note(current, isInDoubt ? partitions.topics : [])) identity.over()
  }

  private async rollBack(): Promise<void> {
    await this.endAborted()
    this.noteLate()
    if (this.identity.needsNext) await this.initialize()
    else this.ended()
  }

  /** Tells the coordinator that what it may know of is aborted. */
  private async endAborted(signal?: AbortSignal): Promise<void> {
    const { begun, current, identity, isPartTwo } = this
    if (begun === 'no' || identity.isForgotten) return
    const tries: Tries = { written: 0, answered: 0 }
    const answer = await this.requests
      .end(current as GivenIdentity, false, isPartTwo, tries, signal)
      .catch((error: unknown) => {
        if (!(error instanceof ElsewhereError)) throw error
      })
    // Where the brokers are those of another cluster, there is nothing to end.
    if (answer === undefined) return identity.forgotten()
    const { errorCode } = answer
    const kind = kindOfCode(errorCode)
    if (errorCode === ErrorCodes.NONE) this.goOnWith(answer)
    else if (kind === 'abort, new id' && identity.canBump) identity.forgotten()
    else if (errorCode !== ErrorCodes.INVALID_TXN_STATE || begun !== 'perhaps')
      throw this.makeUnusable(this.whyUnusable(brokerResponseError(errorCode, 'EndTxn'), kind))
    // What was to begin it did not come to the coordinator, as it seems. Under the same epoch the next commit would be that
    // of all that there is after all.
    else if (identity.canBump) identity.over()
    this.begun = 'no'
  }

  private async initialize(signal?: AbortSignal): Promise<void> {
    this.states.go('initializing')
    try {
      // Who claims the epoch of a transaction that is open fences himself (before part two of KIP-890).
      await this.endAborted(signal)
      await this.acquire(signal)
      if (this.late.isAny) {
        await this.shutOut(signal)
        this.late.done()
        // Its own end may be carried out late, too: that the coordinator alone has to refuse.
        if (this.requests.unanswered.isAny && this.identity.canBump) await this.acquire(signal)
      }
    } catch (error) {
      if (!this.states.is('unusable')) this.states.go('uninitialized')
      throw error
    }
    this.ended()
  }

  private async shutOut(signal: AbortSignal | undefined): Promise<void> {
    const code = await this.late.shutOut(this.current as GivenIdentity, signal, () => this.mayHaveBegun())
    const kind = kindOfCode(code)
    if (kind === 'fenced') throw this.makeUnusable(this.whyUnusable(brokerResponseError(code, 'InitProducerId'), kind))
    await this.endAborted(signal)
  }

  /**
   * Whoever closes waits no longer for what is under way, and nothing is to come into the transaction when it was aborted.
   * So the coordinator is asked for the next epoch, for which it aborts what is open: leaders know by that what comes late.
   * Before Kafka 2.5 there is no such question, and it is left open until its time is over. Nobody waits for the answer.
   */
  abandon(): void {
    if (!this.states.is('to be aborted', 'aborting') || this.begun === 'no' || this.sends.isDrained()) return
    if (this.identity.canBump) this.requests.init(() => this.identity.claim, undefined).catch(() => undefined)
  }

  /** Whoever closes leaves nothing open: what an abort could not end, or a begin that was called off. */
  async leave(): Promise<void> {
    if (!this.states.is('uninitialized') || this.begun === 'no') return
    this.states.go('initializing')
    try {
      await this.endAborted()
    } finally {
      if (this.states.is('initializing')) this.states.go('uninitialized')
    }
  }

  /** Asks for the id and the epoch; where it has them, for what comes after. */
  private async acquire(signal: AbortSignal | undefined): Promise<void> {
    const code = await this.identity.acquire(signal)
    if (code !== ErrorCodes.NONE) throw this.whyNotInitialized(code)
    // Nothing is open under them, whatever was before.
    this.begun = 'no'
  }

  private whyNotInitialized(code: number): TransactionError {
    const cause = brokerResponseError(code, `InitProducerId for '${this.transactionalId}'`)
    const kind = kindOfCode(code)
    // It may be allowed, or over, by the next time; what was not begun can't have gone wrong.
    if (kind === 'configuration') return this.tellFailed(new ProducerUnusableError(cause, 'invalid-configuration'))
    if (kind === 'unusable' && this.current === undefined) return this.tellFailed(new ProducerUnusableError(cause))
    if (kind === 'abort' || kind === 'abort, new id') return this.tellFailed(new TransactionAbortedError(cause))
    return this.makeUnusable(this.whyUnusable(cause, kind))
  }

  private goOnWith(answer: EndTxnResponse): void {
    if (this.isPartTwo) this.identity.goOnWith(answer)
  }

  private ended(): void {
    this.states.go('ready')
    this.begun = 'no'
    this.forget()
  }

  /** What belongs to the transaction that is over; the coordinator may not have heard of that yet. */
  private forget(): void {
    this.isInDoubt = false
    this.abortCause = undefined
    this.partitions.clear()
  }

  private whyUnusable(cause: KafkaProducerError, kind: ErrorKind): TransactionError {
    if (kind === 'fenced') return new ProducerFencedError(this.transactionalId, { cause })
    return new ProducerUnusableError(cause, kind === 'configuration' ? 'invalid-configuration' : undefined)
  }

  private makeUnusable(cause: TransactionError): TransactionError {
    debug('unusable: %s', cause.message)
    this.tellFailed(cause)
    this.unusableCause = cause
    this.states.go('unusable')
    this.steps.abort(cause)
    this.sends.takeOut(cause)
    return cause
  }

  /** Its program is not told of what it did itself. */
  private tellFailed<Failure extends TransactionError>(error: Failure): Failure {
    const { cause } = error
    const isByProgram = isByCaller(error) || cause instanceof AbortedError || cause instanceof ProducerClosedError
    if (!isByProgram && this.observers.wantsEvents) this.observers.happened({ type: 'transaction-failed', error })
    return error
  }
}
