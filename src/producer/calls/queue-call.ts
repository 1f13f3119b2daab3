import {
  DeliveryError,
  NotQueuedError,
  QueueFullError,
  SerializationError,
  type KafkaProducerError,
} from '../../errors.js'
import type { DeliveryReporter } from '../delivery-report.js'
import type { Replacement } from '../interceptors.js'
import type { KeyedMessage } from '../messages/keyed-message.js'
import type { Fate } from '../queues/outgoing-message.js'
import type { SendMoment } from '../queues/send-clock.js'
import { ownErrorOf } from './failure-of.js'
import { ListCall, type GivingStream } from './list-call.js'
import type { MessageCall, Whereabouts } from './message-call.js'
import { rejectWithCaller, type Settling } from './reject-with-caller.js'
import { attemptsOf } from './shared-call.js'

const QUEUED = Promise.resolve()

/**
 * A `send()` in async mode. Its promise says "queued": it settles when every message was taken in or refused. What
 * becomes of those taken in is reported; those refused are named by the error, and not reported; a message that was given
 * alone rejects with its own error.
 */
export class QueueCall extends ListCall {
  readonly skipsUnserializable = true
  /** Messages that are neither taken in nor refused yet. */
  private outside: number
  /** Undefined as long as nobody has to wait for it. */
  private waiter: Settling<void> | undefined
  private refused: Map<number, DeliveryError> | undefined
  /** Why nothing of it was taken in. */
  private invalid: KafkaProducerError | undefined

  constructor(
    messages: readonly KeyedMessage[],
    inList: boolean,
    sentAt: SendMoment,
    signal: AbortSignal | undefined,
    onDone: (call: MessageCall) => void,
    private readonly reporter: DeliveryReporter,
    instead?: Replacement,
    stream?: GivingStream,
  ) {
    super(messages, inList, sentAt, signal, onDone, instead, stream)
    this.outside = messages.length
  }

  /** Settles when all the messages are taken in or refused. */
  queued(): Promise<void> {
    if (this.outside > 0) return new Promise((resolve, reject) => (this.waiter = { resolve, reject }))
    const error = this.error()
    return error === undefined ? QUEUED : new Promise((resolve, reject) => rejectWithCaller({ resolve, reject }, error))
  }

  admitted(count: number): void {
    this.enter(count)
  }

  failWhole(error: KafkaProducerError): void {
    if (this.hasBegunToEnd) return
    this.invalid = error
    this.end()
    this.enter(this.outside)
  }

  protected put(index: number, fate: Fate, at: Whereabouts, now: number): void {
    const isTakenIn = at !== undefined && (!('isAdmitted' in at) || at.isAdmitted)
    if (isTakenIn || !(fate instanceof DeliveryError)) {
      this.report(index, fate, attemptsOf(at), now)
      return
    }
    if (fate.cause instanceof SerializationError) {
      this.report(index, fate, 0, now)
    } else {
      this.refused ??= new Map()
      this.refused.set(index, fate)
      this.countTold()
    }
    this.enter(1)
  }

  private report(index: number, fate: Fate, attempts: number, now: number): void {
    const acknowledged = this.instead?.acknowledged
    const first = acknowledged && (() => acknowledged(index, fate))
    this.reporter.report(this.messageAt(index), fate, attempts, now - this.sentAt.at, this, first)
  }

  told(): void {
    this.countTold()
  }

  private enter(count: number): void {
    this.outside -= count
    if (this.outside > 0 || this.waiter === undefined) return
    const error = this.error()
    if (error === undefined) this.waiter.resolve()
    else rejectWithCaller(this.waiter, error)
  }

  private error(): KafkaProducerError | undefined {
    const { refused, invalid } = this
    if (refused === undefined || invalid !== undefined) return invalid
    const taken = [...this.messages.keys()].filter((index) => !refused.has(index))
    const [first] = refused.values() as Iterable<DeliveryError>
    const cause = first?.cause as KafkaProducerError
    if (cause instanceof QueueFullError) return new QueueFullError(cause.message, [...refused.keys()], taken)
    if (!this.inList && first !== undefined) return ownErrorOf(first)
    return new NotQueuedError(cause.code, cause.message, [...refused.keys()], taken, {
      cause,
      retriable: cause.retriable,
    })
  }
}
