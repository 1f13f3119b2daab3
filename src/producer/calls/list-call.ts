import { DeliveryError, type KafkaProducerError } from '../../errors.js'
import type { KeyedMessage } from '../keyed-message.js'
import type { SendMoment } from '../queues/send-clock.js'
import type { Fate, SerializedMessage } from '../queues/serialized-message.js'
import { MessageCall } from './message-call.js'

/** One `send()` and its messages, whose promise is about them all. */
export abstract class ListCall extends MessageCall {
  serialized: readonly SerializedMessage[] | undefined
  /** What encoders failed on, and why. It is told with the others: until then nothing of the call has gone on. */
  private failures: Map<number, KafkaProducerError> | undefined

  constructor(
    readonly messages: readonly KeyedMessage[],
    sentAt: SendMoment,
    onDone: (call: MessageCall) => void,
  ) {
    super(sentAt, onDone, messages.length)
  }

  /** Takes over what a message of it was encoded to. */
  own(serialized: SerializedMessage, index: number): SerializedMessage {
    serialized.owner = this
    serialized.index = index
    return serialized
  }

  /** Whether the messages that can be encoded go on without those that can't. */
  abstract readonly skipsUnserializable: boolean

  /** Ends the call before any of its messages went on. */
  abstract failWhole(error: KafkaProducerError): void

  protected abstract put(index: number, fate: Fate, message: SerializedMessage | undefined, now: number): void

  /** Every message has its fate. */
  protected abstract finish(): void

  settled(message: SerializedMessage, fate: Fate, now: number): void {
    this.settle(message.index, fate, message, now)
  }

  /** Keeps in mind that a message can't be encoded, while the others of the call still are. */
  noteFailure(index: number, cause: KafkaProducerError): void {
    this.failures ??= new Map()
    this.failures.set(index, cause)
  }

  /** Fails the messages that could not be encoded; returns how many. */
  tellFailures(): number {
    const { failures } = this
    if (failures === undefined || this.isDone) return 0
    this.failures = undefined
    for (const [index, cause] of failures) this.failUnserialized(index, cause)
    return failures.size
  }

  /** Fails all of them, while an encoder still works; those that could not be encoded with that cause. */
  failAllUnserialized(cause: KafkaProducerError): void {
    // Who hears of the first may end the call once more.
    this.serialized = []
    const { failures } = this
    for (let index = 0; index < this.messages.length; index++)
      if (failures?.has(index) !== true) this.failUnserialized(index, cause)
    this.tellFailures()
  }

  private failUnserialized(index: number, cause: KafkaProducerError): void {
    const { topic, partition } = this.messages[index] as KeyedMessage
    const failure = { topic, partition: partition ?? undefined, attempts: 0, mayHaveBeenWritten: false }
    this.settle(index, new DeliveryError(cause, failure), undefined, performance.now())
  }

  private settle(index: number, fate: Fate, message: SerializedMessage | undefined, now: number): void {
    this.put(index, fate, message, now)
    if (this.countSettled()) this.finish()
  }

  messagesWithoutFate(): readonly KeyedMessage[] {
    const { messages, serialized, failures } = this
    if (serialized === undefined) return messages.filter((_, index) => failures?.has(index) !== true)
    return serialized.filter(({ settled }) => !settled).map(({ index }) => messages[index] as KeyedMessage)
  }
}
