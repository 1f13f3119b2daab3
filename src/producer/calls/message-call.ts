import type { KeyedMessage } from '../keyed-message.js'
import type { SendMoment } from '../queues/send-clock.js'
import type { Fate, MessageOwner, SerializedMessage } from '../queues/serialized-message.js'

/** Messages that were given together, until each of them has its fate. */
export abstract class MessageCall implements MessageOwner {
  /** Its neighbours among the outstanding calls, which keep them here. */
  older: MessageCall | undefined
  newer: MessageCall | undefined
  isOutstanding = false
  /** Called when the last message has its fate. */
  onEnd: (() => void) | undefined

  constructor(
    readonly sentAt: SendMoment,
    private readonly onDone: (call: MessageCall) => void,
    /** How many messages have no fate yet. */
    protected remaining: number,
  ) {}

  /** How many messages have no fate yet. */
  get unsettled(): number {
    return this.remaining
  }

  /** Whether every message has its fate. */
  get isDone(): boolean {
    return this.remaining === 0
  }

  /** Its messages, where they are encoded; undefined while an encoder still works. */
  abstract readonly serialized: readonly SerializedMessage[] | undefined

  /** The messages that have no fate yet, as they were given. */
  abstract messagesWithoutFate(): readonly KeyedMessage[]

  /** Messages were taken in: from here on they wait or travel. */
  abstract admitted(count: number): void

  abstract settled(message: SerializedMessage, fate: Fate, now: number): void

  /** One more message has its fate; true where that was the last. */
  protected countSettled(): boolean {
    if (--this.remaining > 0) return false
    this.end()
    return true
  }

  protected end(): void {
    this.remaining = 0
    this.onDone(this)
    this.onEnd?.()
  }
}
