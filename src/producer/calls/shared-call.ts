import type { DeliveryReporter } from '../delivery-report.js'
import type { KeyedMessage } from '../messages/keyed-message.js'
import { Batch } from '../queues/batch.js'
import type { Fate, OutgoingMessage } from '../queues/outgoing-message.js'
import type { SendMoment } from '../queues/send-clock.js'
import { MessageCall, type Whereabouts } from './message-call.js'

/** So that what is done with a whole call is done soon. */
const MAX_MESSAGES = 100

/**
 * Messages of async mode that were given one by one in the same moment, and taken in at once: they share one call, so
 * that a queued message costs little more than itself. What has its fate is let go of, however long others take.
 */
export class SharedCall extends MessageCall {
  private readonly messages: (KeyedMessage | undefined)[] = []
  private readonly places: Whereabouts[] = []

  constructor(
    sentAt: SendMoment,
    onDone: (call: MessageCall) => void,
    private readonly reporter: DeliveryReporter,
  ) {
    super(sentAt, undefined, onDone, 0)
  }

  /** Whether a message of this moment may still join. */
  isOpenAt(moment: SendMoment): boolean {
    return this.sentAt === moment && this.number > 0 && this.messages.length < MAX_MESSAGES
  }

  join(message: KeyedMessage, encoded: OutgoingMessage): void {
    encoded.owner = this
    encoded.index = this.messages.length
    this.messages.push(message)
    this.places.push(encoded)
    this.remaining++
  }

  get size(): number {
    return this.messages.length
  }

  isSettled(index: number): boolean {
    return this.messages[index] === undefined
  }

  whereabouts(index: number): Whereabouts {
    return this.places[index]
  }

  messageAt(index: number): KeyedMessage {
    return this.messages[index] as KeyedMessage
  }

  admitted(): void {
    // It was known before they joined.
  }

  placed(index: number, batch: Batch): void {
    this.places[index] = batch
  }

  settle(index: number, fate: Fate, now: number): void {
    const message = this.messages[index]
    if (message === undefined) return
    const at = this.places[index]
    this.messages[index] = this.places[index] = undefined
    this.reporter.report(message, fate, attemptsOf(at), now - this.sentAt.at, this)
  }

  told(): void {
    this.countTold()
  }
}

/** How often a message was attempted. */
export function attemptsOf(at: Whereabouts): number {
  return at instanceof Batch ? at.history.attempts : 0
}
