import { DeliveryError, type KafkaProducerError } from '../errors.js'
import type { KeyedMessage } from './keyed-message.js'
import type { Fate, MessageOwner, SerializedMessage } from './serialized-message.js'

/** One `send()` and its messages, until each of them has its fate. */
export abstract class MessageCall implements MessageOwner {
  /** Undefined while an encoder still works. */
  serialized: readonly SerializedMessage[] | undefined
  /** Its neighbours among the outstanding calls, which keep them here. */
  older: MessageCall | undefined
  newer: MessageCall | undefined
  isOutstanding = false
  /** Called when the last message has its fate. */
  onEnd: (() => void) | undefined
  private remaining: number

  constructor(
    readonly messages: readonly KeyedMessage[],
    /** When `deliveryTimeoutMs` is over, on the clock of `performance.now()`. */
    readonly deadline: number,
    private readonly onDone: (call: MessageCall) => void,
  ) {
    this.remaining = messages.length
  }

  /** Whether every message has its fate. */
  get isDone(): boolean {
    return this.remaining === 0
  }

  /** Whether the messages that can be encoded go on without those that can't. */
  abstract readonly skipsUnserializable: boolean

  /** Ends the call before any of its messages went on. */
  abstract failWhole(error: KafkaProducerError): void

  /** A message was taken in: from here on it waits or travels. */
  abstract admitted(): void

  protected abstract put(index: number, fate: Fate, message: SerializedMessage | undefined): void
  protected abstract finish(): void

  settled(message: SerializedMessage, fate: Fate): void {
    this.settle(message.index, fate, message)
  }

  /** Fails one message that has not been serialized. */
  failUnserialized(index: number, cause: KafkaProducerError): void {
    const { topic, partition } = this.messages[index] as KeyedMessage
    this.settle(index, new DeliveryError(cause, { topic, partition, attempts: 0, mayHaveBeenWritten: false }), undefined)
  }

  /** Fails all of them, while an encoder still works. */
  failAllUnserialized(cause: KafkaProducerError): void {
    for (let index = 0; index < this.messages.length && !this.isDone; index++) this.failUnserialized(index, cause)
  }

  private settle(index: number, fate: Fate, message: SerializedMessage | undefined): void {
    this.put(index, fate, message)
    if (--this.remaining > 0) return
    this.end()
    this.finish()
  }

  /** The messages of {@link messages} that have no fate yet. */
  messagesWithoutFate(): readonly KeyedMessage[] {
    const { messages, serialized } = this
    if (serialized === undefined) return messages
    return serialized.filter(({ settled }) => !settled).map(({ index }) => messages[index] as KeyedMessage)
  }

  protected end(): void {
    this.remaining = 0
    this.onDone(this)
    this.onEnd?.()
  }
}
