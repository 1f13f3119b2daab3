import {
  DeliveryError,
  NotQueuedError,
  QueueFullError,
  SerializationError,
  type KafkaProducerError,
} from '../../errors.js'
import type { DeliveryReporter } from '../delivery-report.js'
import type { KeyedMessage } from '../keyed-message.js'
import type { SendMoment } from '../queues/send-clock.js'
import type { Fate, SerializedMessage } from '../queues/serialized-message.js'
import { ListCall } from './list-call.js'
import type { MessageCall } from './message-call.js'

const QUEUED = Promise.resolve()

/**
 * A `send()` in async mode. Its promise says "queued": it settles when every message was taken in or refused. What
 * becomes of those taken in is reported; those refused are named by the error, and not reported.
 */
export class QueueCall extends ListCall {
  readonly skipsUnserializable = true
  /** Messages that are neither taken in nor refused yet. */
  private outside: number
  /** Undefined as long as nobody has to wait for it. */
  private waiter: { resolve: () => void; reject: (error: KafkaProducerError) => void } | undefined
  private refused: Map<number, DeliveryError> | undefined
  /** Why nothing of it was taken in. */
  private invalid: KafkaProducerError | undefined

  constructor(
    messages: readonly KeyedMessage[],
    sentAt: SendMoment,
    onDone: (call: MessageCall) => void,
    private readonly reporter: DeliveryReporter,
  ) {
    super(messages, sentAt, onDone)
    this.outside = messages.length
  }

  /** Settles when all the messages are taken in or refused. */
  queued(): Promise<void> {
    if (this.outside > 0) return new Promise((resolve, reject) => (this.waiter = { resolve, reject }))
    const error = this.error()
    return error === undefined ? QUEUED : Promise.reject(error)
  }

  admitted(count: number): void {
    this.enter(count)
  }

  failWhole(error: KafkaProducerError): void {
    if (this.isDone) return
    this.invalid = error
    this.end()
    this.enter(this.outside)
  }

  protected put(index: number, fate: Fate, message: SerializedMessage | undefined, now: number): void {
    if (fate instanceof DeliveryError && message?.isAdmitted !== true) {
      if (fate.cause instanceof SerializationError) {
        this.reporter.report(this.messages[index] as KeyedMessage, fate, 0, now - this.sentAt.at)
      } else {
        this.refused ??= new Map()
        this.refused.set(index, fate)
      }
      this.enter(1)
      return
    }
    this.reporter.report(
      this.messages[index] as KeyedMessage,
      fate,
      message?.batch?.attempts ?? 0,
      now - this.sentAt.at,
    )
  }

  protected finish(): void {
    // Every message has been reported or refused.
  }

  private enter(count: number): void {
    this.outside -= count
    if (this.outside > 0 || this.waiter === undefined) return
    const error = this.error()
    if (error === undefined) this.waiter.resolve()
    else this.waiter.reject(error)
  }

  private error(): KafkaProducerError | undefined {
    const { refused, invalid } = this
    if (refused === undefined || invalid !== undefined) return invalid
    const taken = [...this.messages.keys()].filter((index) => !refused.has(index))
    const cause = [...refused.values()][0]?.cause as KafkaProducerError
    if (cause instanceof QueueFullError) return new QueueFullError(cause.message, [...refused.keys()], taken)
    return new NotQueuedError(cause.code, cause.message, [...refused.keys()], taken, {
      cause,
      retriable: cause.retriable,
    })
  }
}
