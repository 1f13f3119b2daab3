import type { Clock, Timer } from '../../clock.js'
import { createDebug } from '../../debug.js'
import { BrokerResponseError, DeliveryError, FailedToSendMessageError, type KafkaProducerError } from '../../errors.js'
import { readable } from '../../given.js'
import { toldToCaller } from '../../told-to-caller.js'
import { kindOfBatchError, OF_SEQUENCES } from './error-kinds.js'
import { GroupOffsets, type GroupMetadata, type GroupOffset } from './group-offsets.js'
import {
  TransactionAbortedError,
  TransactionEndedError,
  TransactionTimeoutError,
  type TransactionError,
} from './transaction-errors.js'
import type { TransactionManager } from './transaction-manager.js'

const debug = createDebug('kafka-producer:transactions')

export interface OpenTransactionParts {
  readonly manager: Pick<
    TransactionManager,
    'failure' | 'fail' | 'failSequence' | 'giveUp' | 'sendOffsets' | 'commit' | 'abort'
  >
  readonly transactionTimeoutMs: number
  readonly clock: Clock
  /** It has ended, however: the next one may begin. */
  readonly onEnded: () => void
}

/**
 * A transaction from its begin to its end, as those see it who use it.
 *
 *     open ──commit(), abort(), time-out, close──▶ ending ──▶ ended
 *
 * What is sent in it is waited for whether its caller does so or not, and one failure of it is the whole's.
 */
export class OpenTransaction {
  private state: 'open' | 'ending' | 'ended' = 'open'
  /** Of what was sent, how much has no fate yet. */
  private pending = 0
  private onSettled: (() => void) | undefined
  /** Why it is not known to be committed: what ended it without its program, or what its commit failed with. */
  private endedBy: TransactionError | undefined
  /** All that was sent is settled, and the coordinator is being asked: that is not cut short any more. */
  private isCommitting = false
  private wasCommitted = false
  /** Its program has aborted it. */
  private isAborting = false
  private ending: Promise<void> | undefined
  private readonly timer: Timer
  /** Ends with {@link endedBy}, for who waits for its program. */
  private readonly cutShort = new AbortController()

  constructor(private readonly parts: OpenTransactionParts) {
    const { clock, transactionTimeoutMs } = parts
    this.timer = clock
      .setTimeout(() => void this.cut(new TransactionTimeoutError(transactionTimeoutMs)), transactionTimeoutMs)
      .unref()
  }

  /** Aborted with the cause where it ends without its program. */
  get ends(): AbortSignal {
    return this.cutShort.signal
  }

  /** Somebody waits for its end: the process stays alive for that. */
  keepAlive(): void {
    if (this.state !== 'ended') this.timer.ref()
  }

  /** @throws TransactionEndedError; or why nothing more can be sent in it */
  private checkOpen(): void {
    const cause = this.endedBy ?? this.parts.manager.failure
    if (this.state !== 'open') throw new TransactionEndedError(cause === undefined ? {} : { cause })
    if (cause !== undefined) throw cause
  }

  /** @param send hands the messages to the send path; what it throws is a failure of the transaction, too */
  send<T>(send: () => Promise<T>): Promise<T> {
    return this.track(send, (error) => {
      this.sendFailed(error)
      return error
    })
  }

  sendOffsets(group: GroupMetadata, offsets: readonly GroupOffset[]): Promise<void> {
    const { manager } = this.parts
    return this.track(
      async () => {
        const checked = readable(
          () => new GroupOffsets(group, offsets),
          () => 'what sendOffsets() was given',
        )
        if (!checked.isDone) await manager.sendOffsets(checked)
      },
      (error) => {
        manager.fail(error)
        return toldToCaller(error)
      },
    )
  }

  /**
   * Who does not look at what it gives hears of a failure by the commit.
   *
   * @param onFailure gives the error that its caller is told
   */
  private track<T>(work: () => Promise<T>, onFailure: (error: KafkaProducerError) => unknown): Promise<T> {
    const tracked: Promise<T> = this.tracked(work, onFailure, () =>
      // Only once it fails: V8 finds who awaits it, for the stack of the error, where nobody else waits for it.
      queueMicrotask(() => void tracked.catch(() => undefined)),
    )
    return tracked
  }

  private async tracked<T>(
    work: () => Promise<T>,
    onFailure: (error: KafkaProducerError) => unknown,
    onRejection: () => void,
  ): Promise<T> {
    let isUnderWay = false
    try {
      this.checkOpen()
      isUnderWay = true
      this.pending++
      return await work()
    } catch (error) {
      const told = isUnderWay ? onFailure(error as KafkaProducerError) : toldToCaller(error)
      onRejection()
      throw told
    } finally {
      if (isUnderWay && --this.pending === 0) this.onSettled?.()
    }
  }

  private sendFailed(error: KafkaProducerError): void {
    const { manager } = this.parts
    for (const failure of failuresOf(error)) {
      // That of any other is the user's: it may be of another producer's, or nothing that can be asked what it is.
      const cause = failure instanceof DeliveryError ? (failure.cause as KafkaProducerError) : failure
      const code = cause instanceof BrokerResponseError ? cause.errorCode : undefined
      const kind = kindOfBatchError(code)
      const isDoubtful = failure instanceof DeliveryError && failure.mayHaveBeenWritten
      if (kind === 'abort' && (isDoubtful || OF_SEQUENCES.has(code ?? 0))) manager.failSequence(cause)
      else manager.fail(cause, kind)
    }
  }

  /**
   * Waits for all that was sent, and commits it.
   *
   * @throws TransactionEndedError, TransactionTimeoutError; and like {@link TransactionManager.commit}, each time
   */
  async commit(): Promise<void> {
    if (this.endedBy !== undefined) throw toldToCaller(this.endedBy)
    if (this.state !== 'open') throw new TransactionEndedError()
    try {
      await this.end(() => {
        this.isCommitting = true
        return this.parts.manager.commit()
      })
    } catch (error) {
      this.endedBy = error as TransactionError
      throw toldToCaller(error)
    }
    this.wasCommitted = true
  }

  /**
   * Does nothing where it has been aborted already; while it is, waits for that.
   *
   * @throws TransactionEndedError after a commit, or while there is one; and like {@link TransactionManager.abort}
   */
  async abort(): Promise<void> {
    if (this.endedBy !== undefined) return this.ending?.catch(() => undefined)
    if (this.isAborting && this.state === 'ending') return this.ending
    if (this.state === 'ending' || this.wasCommitted) throw new TransactionEndedError()
    if (this.state === 'ended') return
    this.isAborting = true
    this.parts.manager.giveUp(new TransactionAbortedError())
    try {
      await this.end(() => this.parts.manager.abort())
    } catch (error) {
      throw toldToCaller(error)
    }
  }

  /** Aborts it where nothing has ended it yet; else waits for its end, which whoever brought that about hears of. */
  async leave(): Promise<void> {
    if (this.state === 'open') await this.abort()
    else await this.ending?.catch(() => undefined)
  }

  /** Its producer closes: cuts it short where its program has not ended it yet, and waits for its end. */
  async close(cause: TransactionError): Promise<void> {
    if (this.state === 'open') await this.cut(cause)
    else await this.ending?.catch(() => undefined)
  }

  /** Ends it without its program, which hears of that with whatever it does next. Resolves when it has ended. */
  async cut(cause: TransactionError): Promise<void> {
    if (this.state === 'ended') return
    if (this.endedBy === undefined && !this.isCommitting) {
      this.endedBy = cause
      this.parts.manager.giveUp(cause)
      if (this.state === 'open') void this.end(() => this.parts.manager.abort()).catch(() => undefined)
      this.cutShort.abort(cause)
    }
    await this.ending?.catch((error: Error) => debug('ended with: %s', error.message))
  }

  private end(work: () => Promise<void>): Promise<void> {
    this.state = 'ending'
    this.ending = this.settled()
      .then(work)
      .finally(() => {
        this.parts.clock.clearTimeout(this.timer)
        this.state = 'ended'
        this.parts.onEnded()
      })
    return this.ending
  }

  private settled(): Promise<void> {
    return this.pending === 0 ? Promise.resolve() : new Promise((resolve) => (this.onSettled = resolve))
  }
}

/** What a `send()` failed with, message by message where it is about messages. */
function failuresOf(error: KafkaProducerError): readonly KafkaProducerError[] {
  if (!(error instanceof FailedToSendMessageError)) return [error]
  return error.results.filter((result): result is DeliveryError => result instanceof DeliveryError)
}
