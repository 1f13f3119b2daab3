import type { EventEmitter } from 'node:events'
import { inspect, type InspectOptions } from 'node:util'
import { createDebug } from '../../debug.js'
import { AbortedError, ProducerClosedError, type DeliveryError } from '../../errors.js'
import type { StatsCounters } from '../../stats/producer-stats.js'
import { reasonOf } from '../../wording/kind-of.js'
import { inspectError, jsonOfError, shownCause, toldReason } from '../../wording/shown-error.js'
import { shown } from '../../wording/shown.js'
import { tellUser } from './tell-user.js'

const debug = createDebug('kafka-producer:warning')

/**
 * - `KAFKA_PRODUCER_MESSAGES_WAIT`: messages have waited for seconds since nobody answers, their topic is unknown, a
 *   partition has no leader, or what was tried failed; or a transaction has, for its coordinator. They go on waiting; told
 *   again every half minute.
 * - `KAFKA_PRODUCER_UNHEARD_FAILURE`: async mode: a message failed, and there is neither `onDelivery` nor a listener of
 *   `'delivery'`. Told once; `stats().unheardFailures` counts them.
 * - `KAFKA_PRODUCER_THROWING_CALLBACK`: a callback threw, or rejected. Told once of each kind of callback;
 *   `stats().throwingCallbacks` counts them all.
 * - `KAFKA_PRODUCER_CODEC_FAILED`: a codec threw, rejected, gave no bytes or took too long, and messages went as they
 *   are. Told once; `stats().codecFailures` counts such batches.
 * - `KAFKA_PRODUCER_NOT_IDEMPOTENT`: messages may be written twice, since brokers don't let this producer be idempotent.
 *   Told once, and once for each topic that alone is concerned; `stats().idempotent` and `.notIdempotentTopics` have it.
 */
export type KafkaProducerWarningCode =
  | 'KAFKA_PRODUCER_MESSAGES_WAIT'
  | 'KAFKA_PRODUCER_UNHEARD_FAILURE'
  | 'KAFKA_PRODUCER_THROWING_CALLBACK'
  | 'KAFKA_PRODUCER_CODEC_FAILED'
  | 'KAFKA_PRODUCER_NOT_IDEMPOTENT'

/** Something that is wrong though no call fails by it. `cause` is the error behind it, where there is one. */
export class KafkaProducerWarning extends Error {
  static {
    this.prototype.name = 'KafkaProducerWarning'
  }

  constructor(
    readonly code: KafkaProducerWarningCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options)
  }

  /** What a logger shows of it: of its cause, which may be the user's own, what it says and nothing of what it carries. */
  toJSON(): Readonly<Record<string, unknown>> {
    return jsonOfError(this)
  }

  [inspect.custom](depth: number, options: InspectOptions): string {
    return inspectError(this, depth, options)
  }
}

/** Who listens to a producer. */
export type Listeners = Pick<EventEmitter, 'listenerCount' | 'rawListeners'>

const DETAIL = "Listen to the producer's event 'warning' to hear of it there; nothing is printed then."

/** As it is named among the callbacks. */
const LOGGER = 'the logger'

/**
 * Tells warnings to the logger and to the listeners of the event `'warning'`; where there is neither, to the process, which
 * prints them, and so for the warning that the logger throws, which may tell none. A listener runs when whatever warned is
 * through with it.
 */
export class Warnings {
  private readonly toldOnce = new Set<string>()

  constructor(
    private readonly events: Listeners,
    private readonly counters: StatsCounters,
    /** Tells the user's logger; false where there is none. */
    private readonly log: (warning: KafkaProducerWarning) => boolean = () => false,
  ) {}

  /** @param isLogged whether it is enough that the logger is told, where nobody listens */
  warn(code: KafkaProducerWarningCode, message: string, cause?: unknown, isLogged = true): void {
    const warning = new KafkaProducerWarning(code, message, cause === undefined ? {} : { cause })
    queueMicrotask(() => this.tell(warning, isLogged))
  }

  /** A message failed and nobody listens. */
  unheard(error: DeliveryError): void {
    const { topic } = error
    debug('a message for %s failed and nobody listens: %s', topic, toldReason(error))
    // Who aborted or closed knows of it.
    if (error.cause instanceof AbortedError || error.cause instanceof ProducerClosedError) return
    this.counters.unheardFailures++
    if (this.isFirst('KAFKA_PRODUCER_UNHEARD_FAILURE'))
      this.warn(
        'KAFKA_PRODUCER_UNHEARD_FAILURE',
        `a message for '${topic}' is lost and nobody listens: ${toldReason(error)}. Give \`onDelivery\`, or listen to 'delivery', to hear of each; this is told once, and stats().unheardFailures counts them`,
        error,
      )
  }

  /** A callback of the user's threw, or rejected. */
  threw(callback: string, error: unknown): void {
    this.counters.throwingCallbacks++
    debug('%s threw: %s', callback, shownCause(error))
    if (this.isFirst(`KAFKA_PRODUCER_THROWING_CALLBACK ${callback}`))
      this.warn(
        'KAFKA_PRODUCER_THROWING_CALLBACK',
        `${callback} threw or rejected: ${reasonOf(error)}. It harms nothing here; this is told once, and stats().throwingCallbacks counts them all`,
        error,
        callback !== LOGGER,
      )
  }

  /** The logger threw, or rejected. */
  loggerThrew(error: unknown): void {
    this.threw(LOGGER, error)
  }

  /** What a codec could not do goes as it is. */
  codecFailed(codec: string, error: unknown): void {
    this.counters.codecFailures++
    debug('%s failed, so a batch goes as it is: %s', codec, shownCause(error))
    if (this.isFirst('KAFKA_PRODUCER_CODEC_FAILED'))
      this.warn(
        'KAFKA_PRODUCER_CODEC_FAILED',
        `the codec ${shown(codec)} failed: ${reasonOf(error)}. Messages go as they are; this is told once, and stats().codecFailures counts such batches`,
        error,
      )
  }

  private isFirst(told: string): boolean {
    if (this.toldOnce.has(told)) return false
    this.toldOnce.add(told)
    return true
  }

  private tell(warning: KafkaProducerWarning, isLogged: boolean): void {
    const listeners = this.events.rawListeners('warning')
    if (this.log(warning) && isLogged && listeners.length === 0) return
    if (listeners.length === 0) {
      const { message, name: type, code } = warning
      process.emitWarning(message, { type, code, detail: DETAIL })
      return
    }
    const failed = (error: unknown) => this.threw("a listener of 'warning'", error)
    for (const listener of listeners) tellUser((told) => listener.call(this.events, told) as unknown, warning, failed)
  }
}
