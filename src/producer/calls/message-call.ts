import type { KeyedMessage } from '../messages/keyed-message.js'
import type { Batch } from '../queues/batch.js'
import type { Fate, MessageOwner, OutgoingMessage } from '../queues/outgoing-message.js'
import type { SendMoment } from '../queues/send-clock.js'

/** Where a message is: before its batch, or in it; undefined while an encoder still works on it. */
export type Whereabouts = OutgoingMessage | Batch | undefined

/** Messages that were given together, until each of them has its fate and its owner was told. */
export abstract class MessageCall implements MessageOwner {
  /** Its neighbours among the outstanding calls, which keep them here. */
  older: MessageCall | undefined = undefined
  newer: MessageCall | undefined = undefined
  /** Its place in the order of the calls, among the outstanding ones; 0 where it is none of them. */
  number = 0
  /** Called when the last message has its fate. */
  onEnd: (() => void) | undefined = undefined

  constructor(
    readonly sentAt: SendMoment,
    readonly signal: AbortSignal | undefined,
    private readonly onDone: (call: MessageCall) => void,
    /** How many messages are not told their fate yet. */
    protected remaining: number,
    /** Whether its messages wait for room as long as they have, whatever `enqueueTimeoutMs` says. */
    readonly isPatient = false,
  ) {}

  get isBeingEnded(): boolean {
    return false
  }

  /** Whether every message was told its fate. */
  get isDone(): boolean {
    return this.remaining === 0
  }

  /** How many messages it has. */
  abstract readonly size: number

  abstract isSettled(index: number): boolean

  /** Where a message without a fate is. */
  abstract whereabouts(index: number): Whereabouts

  /** A message as it was given. */
  abstract messageAt(index: number): KeyedMessage

  /** Messages were taken in: from here on they wait or travel. */
  abstract admitted(count: number): void

  abstract placed(index: number, batch: Batch): void

  abstract settle(index: number, fate: Fate, now: number): void

  /** Whether nobody was told of a message yet, nor is about to be. */
  isUntold(index: number): boolean {
    return !this.isSettled(index)
  }

  /** One more message was told its fate; true where that was the last. */
  protected countTold(): boolean {
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
