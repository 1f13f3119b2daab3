import { allowAnyNumberOfListeners } from '../../any-number-of-listeners.js'
import type { Clock, Timer } from '../../clock.js'
import { createDebug } from '../../debug.js'
import { ConnectionClosedError, RequestTimeoutError, type KafkaProducerError } from '../../errors.js'
import type { BrokerSession } from '../../network/session/session.js'
import { Stage } from '../../network/stage.js'
import type { BrokerAddress } from '../../network/streams/connect.js'

const debug = createDebug('kafka-producer:any-broker')

/** How long a question that nobody waits for goes on from one broker to the next: connecting keeps the process alive. */
const UNNEEDED_QUESTION_MS = 1_000
/** How long a broker may take before the next one is asked beside it, as with the addresses of one name. */
const HEAD_START_MS = 1_000
/** How many are asked the same at a time. For one more the oldest is given up: it has had as many seconds by then. */
const MAX_ASKED_AT_ONCE = 16

/**
 * What a question throws where the broker is well but does not answer what was asked for: the next one is asked, and
 * the connection stays.
 */
export class Declined extends Error {
  constructor(readonly why: KafkaProducerError) {
    super(why.message)
  }
}

/** How a question is put to a broker. */
export interface Putting {
  readonly signal: AbortSignal
  readonly stage: Stage
  /** On another connection than this one, which may be dead. */
  readonly butNotOn: BrokerSession | undefined
}

export interface AskingRoundParts<T> {
  readonly clock: Clock
  /** Whom to ask, the most promising first. */
  readonly candidates: Iterator<BrokerAddress, undefined>
  /** The session of the last answer. */
  readonly atHand: BrokerSession | undefined
  readonly put: (address: BrokerAddress, putting: Putting) => Promise<T>
  /** Whether it may be asked once more: what one has answered may have had it forgotten. */
  readonly mayBeAsked: (address: BrokerAddress) => boolean
  /** Whether anybody waits for what the question is put for. */
  readonly isNeeded: () => boolean
  /** Whether the producer is closed. */
  readonly isClosed: () => boolean
  /** Whether whoever failed with that is to be asked once more, at once. */
  readonly isToBeAskedAgain: (address: BrokerAddress, error: unknown) => boolean
  /** What nobody's answer comes to. */
  readonly failureOf: (failures: readonly unknown[]) => KafkaProducerError
  /** Told before the promise settles. */
  readonly onEnd: (failure: KafkaProducerError | undefined) => void
}

/**
 * One question, put to one broker after the other until one answers: who fails makes way for the next at once, and who is
 * silent has the next asked beside it. The first answer counts, and the others are called off.
 */
export class AskingRound<T> {
  private readonly running = new Map<AbortController, Stage>()
  /** Those that did not keep silent: they may be back before every silent one has been asked. */
  private readonly failed: BrokerAddress[] = []
  private readonly failures: unknown[] = []
  /**
   * The broker of the connection at hand, until it was asked on another one. That the first is gone, or silent, says nothing of
   * the broker, which may be the only one there is.
   */
  private onlyAtHand: BrokerAddress | undefined
  private askedAtHand: AbortController | undefined
  private readonly startedAt: number
  private timer: Timer | undefined
  private ticks = 0
  private isSettled = false
  private settling!: { readonly resolve: (answer: T) => void; readonly reject: (failure: KafkaProducerError) => void }

  constructor(private readonly parts: AskingRoundParts<T>) {
    this.onlyAtHand = parts.atHand?.connection.address
    this.startedAt = parts.clock.now()
  }

  /** To be called once. */
  begin(): Promise<T> {
    return new Promise((resolve, reject) => {
      this.settling = { resolve, reject }
      this.startNext()
    })
  }

  /** @param isSilent whether it is asked beside others that have had their head start */
  private startNext(again?: BrokerAddress, isSilent = false): void {
    const { clock } = this.parts
    clock.clearTimeout(this.timer)
    const next = this.isOver ? undefined : (again ?? this.another(isSilent))
    if (next === undefined && this.running.size === 0) {
      const failure = this.parts.failureOf(this.failures)
      this.end(failure)
      return this.settling.reject(failure)
    }
    this.waitForTick()
    if (next !== undefined) this.start(next)
  }

  private get isOver(): boolean {
    const { clock, isClosed, isNeeded } = this.parts
    const isTooLong = this.failures.length > 0 && !isNeeded() && clock.now() - this.startedAt >= UNNEEDED_QUESTION_MS
    return isTooLong || isClosed()
  }

  private another(isSilent: boolean): BrokerAddress | undefined {
    const { atHand, candidates, mayBeAsked } = this.parts
    const next = candidates.next().value
    if (next !== undefined) return next
    const mayBeDead = this.running.size === 0 || (isSilent && atHand !== undefined && atHand.throttle.leftMs <= 0)
    if (!mayBeDead) return undefined
    const { onlyAtHand } = this
    this.onlyAtHand = undefined
    return onlyAtHand !== undefined && mayBeAsked(onlyAtHand) ? onlyAtHand : undefined
  }

  /** The first of those that have failed. */
  private back(): BrokerAddress | undefined {
    let failed = this.failed.shift()
    while (failed !== undefined && !this.parts.mayBeAsked(failed)) failed = this.failed.shift()
    return failed
  }

  private waitForTick(): void {
    this.timer = this.parts.clock.setTimeout(() => this.tick(), HEAD_START_MS).unref()
  }

  /** Nobody has answered for a while: another one is asked beside them, and every other time one that has failed. */
  private tick(): void {
    if (this.parts.isNeeded()) this.startNext(this.ticks++ % 2 === 0 ? this.back() : undefined, true)
    else this.waitForTick()
  }

  private start(address: BrokerAddress): void {
    const { atHand, clock, put } = this.parts
    const [oldest] = this.running
    if (oldest !== undefined && this.running.size >= MAX_ASKED_AT_ONCE)
      oldest[0].abort(new RequestTimeoutError(`given up for others: ${String(oldest[1])}`))
    const attempt = new AbortController()
    const stage = new Stage(clock)
    allowAnyNumberOfListeners(attempt.signal)
    this.running.set(attempt, stage)
    const isOfAtHand = address === atHand?.connection.address
    const isAnew = isOfAtHand && this.askedAtHand !== undefined
    if (isOfAtHand) this.askedAtHand ??= attempt
    put(address, { signal: attempt.signal, stage, butNotOn: isAnew ? atHand : undefined }).then(
      (answer) => {
        this.running.delete(attempt)
        if (this.isSettled) return
        this.end(undefined)
        this.settling.resolve(answer)
      },
      (error: unknown) => {
        this.running.delete(attempt)
        if (!this.isSettled) this.failedAt(address, attempt, error)
      },
    )
  }

  private failedAt(address: BrokerAddress, attempt: AbortController, error: unknown): void {
    debug('%s', (error as Error).message)
    this.failures.push(error instanceof Declined ? error.why : error)
    const isOfConnection = error instanceof ConnectionClosedError || error instanceof RequestTimeoutError
    if (attempt === this.askedAtHand && !isOfConnection) this.onlyAtHand = undefined
    this.failed.push(address)
    // One that was given up has made way for another already.
    if (attempt.signal.aborted) return
    this.startNext(this.parts.isToBeAskedAgain(address, error) ? address : undefined)
  }

  private end(failure: KafkaProducerError | undefined): void {
    this.isSettled = true
    this.parts.clock.clearTimeout(this.timer)
    for (const attempt of this.running.keys()) attempt.abort()
    this.parts.onEnd(failure)
  }
}
