import { DeliveryError, type KafkaProducerError } from '../../errors.js'
import type { KeyedMessage } from '../keyed-message.js'
import type { SendMoment } from '../queues/send-clock.js'
import type { Fate, SerializedMessage } from '../queues/serialized-message.js'
import { MessageCall } from './message-call.js'

/** One `send()` and its messages, whose promise is about them all. */
export abstract class ListCall extends MessageCall {
  serialized: readonly SerializedMessage[] | undefined

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

  /** Fails one message that has not been serialized. */
  failUnserialized(index: number, cause: KafkaProducerError): void {
    const { topic, partition } = this.messages[index] as KeyedMessage
    this.settle(
      index,
      new DeliveryError(cause, { topic, partition, attempts: 0, mayHaveBeenWritten: false }),
      undefined,
      performance.now(),
    )
  }

  /** Fails all of them, while an encoder still works. */
  failAllUnserialized(cause: KafkaProducerError): void {
    for (let index = 0; index < this.messages.length && !this.isDone; index++) this.failUnserialized(index, cause)
  }

  private settle(index: number, fate: Fate, message: SerializedMessage | undefined, now: number): void {
    this.put(index, fate, message, now)
    if (this.countSettled()) this.finish()
  }

  messagesWithoutFate(): readonly KeyedMessage[] {
    const { messages, serialized } = this
    if (serialized === undefined) return messages
    return serialized.filter(({ settled }) => !settled).map(({ index }) => messages[index] as KeyedMessage)
  }
}
