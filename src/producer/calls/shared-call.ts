import type { DeliveryReporter } from '../delivery-report.js'
import type { KeyedMessage } from '../keyed-message.js'
import type { SendMoment } from '../queues/send-clock.js'
import type { Fate, SerializedMessage } from '../queues/serialized-message.js'
import { MessageCall } from './message-call.js'

/** Past their deadline they are ended in one go. */
const MAX_MESSAGES = 100

/**
 * Messages of async mode that were given one by one in the same moment, and taken in at once: they share one call, so
 * that a queued message costs little more than itself. What has its fate is let go of, however long others take.
 */
export class SharedCall extends MessageCall {
  private readonly messages: (KeyedMessage | undefined)[] = []
  private readonly encoded: (SerializedMessage | undefined)[] = []

  constructor(
    sentAt: SendMoment,
    onDone: (call: MessageCall) => void,
    private readonly reporter: DeliveryReporter,
  ) {
    super(sentAt, onDone, 0)
  }

  /** Whether a message of this moment may still join. */
  isOpenAt(moment: SendMoment): boolean {
    return this.sentAt === moment && this.isOutstanding && this.messages.length < MAX_MESSAGES
  }

  join(message: KeyedMessage, serialized: SerializedMessage): void {
    serialized.owner = this
    serialized.index = this.messages.length
    this.messages.push(message)
    this.encoded.push(serialized)
    this.remaining++
  }

  get serialized(): readonly SerializedMessage[] {
    return this.encoded.filter((message) => message !== undefined)
  }

  messagesWithoutFate(): readonly KeyedMessage[] {
    return this.messages.filter((message) => message !== undefined)
  }

  admitted(): void {
    // It was known before they joined.
  }

  settled({ index, batch }: SerializedMessage, fate: Fate, now: number): void {
    const message = this.messages[index] as KeyedMessage
    this.messages[index] = this.encoded[index] = undefined
    this.reporter.report(message, fate, batch?.attempts ?? 0, now - this.sentAt.at)
    this.countSettled()
  }
}
