import { DeliveryError, type KafkaProducerError } from '../../errors.js'
import type { Replacement } from '../interceptors.js'
import type { KeyedMessage } from '../messages/keyed-message.js'
import type { Batch } from '../queues/batch.js'
import type { Fate, OutgoingMessage } from '../queues/outgoing-message.js'
import type { SendMoment } from '../queues/send-clock.js'
import { MessageCall, type Whereabouts } from './message-call.js'

/** In place of a message's whereabouts once it has its fate. */
const SETTLED = null

/** A stream that gives its messages some at a time, and waits for room as long as it takes. */
export interface GivingStream {
  /** How many it gave before. */
  readonly before: number
}

/** One `send()` and its messages, whose promise is about them all; of a list, or of one message. */
export abstract class ListCall extends MessageCall {
  /** The place of its first message among all that its caller gives: a stream gives some at a time. */
  readonly firstPlace: number
  private readonly places: (Whereabouts | typeof SETTLED)[]
  /** What encoders failed on, and why. It is told with the others: until then nothing of the call has gone on. */
  private failures: Map<number, KafkaProducerError> | undefined
  private beingEnded = false

  constructor(
    readonly messages: readonly KeyedMessage[],
    /** Whether they were given as a list: else the one message fails with its own error. */
    readonly inList: boolean,
    sentAt: SendMoment,
    signal: AbortSignal | undefined,
    onDone: (call: MessageCall) => void,
    /** What is sent in place of the messages. */
    protected readonly instead: Replacement | undefined,
    /** Of the stream that sends them. */
    stream: GivingStream | undefined,
  ) {
    super(sentAt, signal, onDone, messages.length, stream !== undefined)
    this.firstPlace = stream?.before ?? 0
    this.places = new Array<Whereabouts>(messages.length)
  }

  get size(): number {
    return this.messages.length
  }

  /** The messages as they are to be sent. */
  get sent(): readonly KeyedMessage[] {
    return this.instead?.messages ?? this.messages
  }

  messageAt(index: number): KeyedMessage {
    return this.messages[index] as KeyedMessage
  }

  override get isBeingEnded(): boolean {
    return this.beingEnded
  }

  /** Its signal is aborted: its messages are told so, in as many turns as that takes. */
  beginToEnd(): void {
    this.beingEnded = true
  }

  /** Takes over what a message of it was encoded to. */
  own(encoded: OutgoingMessage, index: number): OutgoingMessage {
    encoded.owner = this
    encoded.index = index
    if (!this.isSettled(index)) this.places[index] = encoded
    return encoded
  }

  isSettled(index: number): boolean {
    return this.isDone || this.places[index] === SETTLED
  }

  /**
   * Whether some of its messages have their fate: before any of them has gone on, it is its deadline, its signal or a close
   * that ends them, in as many turns as that takes, and each of the others will have the same.
   */
  get hasBegunToEnd(): boolean {
    return this.isDone || this.places.includes(SETTLED)
  }

  /** It is refused before any of its messages has gone on or has a fate: none will have one. */
  withdraw(): void {
    this.remaining = 0
    this.onEnd?.()
  }

  whereabouts(index: number): Whereabouts {
    return this.places[index] ?? undefined
  }

  placed(index: number, batch: Batch): void {
    this.places[index] = batch
  }

  /** What could not be encoded is as good as told. */
  override isUntold(index: number): boolean {
    return super.isUntold(index) && this.failures?.has(index) !== true
  }

  /** Whether the messages that can be encoded go on without those that can't. */
  abstract readonly skipsUnserializable: boolean

  /** Ends the call before any of its messages went on, or has a fate. */
  abstract failWhole(error: KafkaProducerError): void

  /** A message has its fate, for the first time. */
  protected abstract put(index: number, fate: Fate, at: Whereabouts, now: number): void

  settle(index: number, fate: Fate, now: number): void {
    const at = this.places[index]
    if (at === SETTLED) return
    this.places[index] = SETTLED
    this.put(index, fate, at, now)
  }

  /** Keeps in mind that a message can't be encoded, while the others of the call still are. */
  noteFailure(index: number, cause: KafkaProducerError): void {
    this.failures ??= new Map()
    this.failures.set(index, cause)
  }

  /**
   * Fails messages that could not be encoded, at least one and then as many as `goesOn` says; `told` hears of each.
   *
   * @returns whether none of them is left
   */
  tellFailures(
    now: number,
    told: (error: DeliveryError, cause: KafkaProducerError) => void,
    goesOn: () => boolean,
  ): boolean {
    const { failures } = this
    if (failures === undefined || this.isDone) return true
    for (const [index, cause] of failures) {
      if (!this.isSettled(index)) told(this.failUnserialized(index, cause, now), cause)
      failures.delete(index)
      if (!goesOn()) break
    }
    return failures.size === 0
  }

  /** Fails a message that is not encoded; with what its encoder failed on, where it has. */
  failUnserialized(index: number, cause: KafkaProducerError, now: number): DeliveryError {
    const where = { ...placeOf(this.sent[index] as KeyedMessage), attempts: 0, mayHaveBeenWritten: false }
    const error = new DeliveryError(this.failures?.get(index) ?? cause, where)
    this.settle(index, error, now)
    return error
  }
}

/** Its fields are the caller's: what they answered when they were checked they may not answer again. */
function placeOf(message: KeyedMessage): { topic: string; partition: number | undefined } {
  try {
    const { topic, partition } = message
    return { topic, partition: partition ?? undefined }
  } catch {
    return { topic: '', partition: undefined }
  }
}
