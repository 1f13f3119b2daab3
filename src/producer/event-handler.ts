import type { Replacement } from './interceptors.js'
import type { Given, KeyedMessage } from './messages/keyed-message.js'
import type { RecordMetadata } from './record-metadata.js'

export interface SendOptions {
  /** Takes out the messages that are not in a closed batch yet; the others go on to their true fate. */
  readonly signal?: AbortSignal | undefined
}

/** The options of whoever can wait, a stream: for room as long as it takes, whatever `enqueueTimeoutMs` says. */
export class PatientOptions implements SendOptions {
  /** What was sent with them last, as interceptors left it; no option. */
  #sent: readonly KeyedMessage[] = []
  /** How many messages the stream was given before those that are being sent; no option either. */
  #before = 0

  constructor(readonly signal: AbortSignal | undefined) {}

  get sent(): readonly KeyedMessage[] {
    return this.#sent
  }

  get before(): number {
    return this.#before
  }

  /** The same, for messages that are to be sent. */
  behind(before: number): this {
    this.#before = before
    return this
  }

  noteSent(messages: readonly KeyedMessage[]): void {
    this.#sent = messages
  }
}

/** What a Producer hands its messages to (Kafka 0.8's EventHandler). */
export interface EventHandler<K, V> {
  /**
   * Settles when all the messages have their fate: with their metadata, in the order given, or with the errors; where one
   * message was given and no list, with its own error.
   *
   * @param instead what is sent in place of what was given
   * @throws what the whole call is refused with, such as InvalidMessageError
   */
  handle(given: Given<K, V>, options?: SendOptions, instead?: Replacement): Promise<RecordMetadata[]>
  /**
   * Waits, at most `timeoutMs`, for what is under way; fails the rest, and resolves with it; leaves no socket and no
   * timer behind.
   *
   * @param last called when all have their fate, while there are connections still
   */
  close(timeoutMs: number, last?: (timeLeftMs: number) => Promise<void>): Promise<readonly KeyedMessage<K, V>[]>
}
