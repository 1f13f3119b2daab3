import { ownCopy } from '../topic-name.js'
import type { ObservedEvent, Observer } from './observer.js'
import type { Statistics } from './statistics.js'

/** Topics that are told apart: names may come from anywhere. */
const MAX_NAMED_TOPICS = 1_000
/** No topic has this name. */
const OTHERS = '*'

/** What a producer counts, from its start on. */
export interface ProducerStats extends Statistics {
  /** Messages taken in; in async mode each once it lingers no more. */
  readonly messages: number
  /** Bytes of their keys, values and headers. */
  readonly bytes: number
  /** Messages acknowledged; with acks 0, handed to the system. */
  readonly acknowledged: number
  /**
   * Messages that failed, whatever with; but for those of a `send()` that is refused as a whole: what is invalid, comes after
   * `close()` or an abort, or, in sync mode, an encoder fails on.
   */
  readonly failed: number
  /** Messages refused for want of room, per topic; of so many topics only, those of all others under `'*'`. */
  readonly dropped: Readonly<Record<string, number>>
  /** Messages that an encoder failed on. */
  readonly serializationErrors: number
  /**
   * Whether brokers find what they were sent twice (`enable.idempotence`); undefined before the first of them was asked.
   * False where it is switched off, with other `acks` than -1, and where brokers don't have it or don't allow it.
   */
  readonly idempotent: boolean | undefined
  /**
   * Topics whose brokers can't find what they were sent twice: their `message.format.version` is older than 0.11, or the right
   * to it was taken away.
   */
  readonly notIdempotentTopics: readonly string[]
  /** Async mode: failures that neither `onDelivery` nor a listener heard of, nor who aborted them or closed the producer. */
  readonly unheardFailures: number
  /**
   * Callbacks that threw or rejected: of deliveries in async mode, `onStats`, the logger, interceptors, listeners of
   * `'warning'`, and a partitioner's `onMetadataRefresh`.
   */
  readonly throwingCallbacks: number
  /** What brokers call this producer where its metrics are pushed to them; undefined where none asked for any. */
  readonly clientInstanceId: string | undefined
  /** Batches that went as they are since their codec failed or took too long. */
  readonly codecFailures: number
  /** Messages and bytes waiting or in flight now. */
  readonly queueMessages: number
  readonly queueBytes: number
}

/** The part of {@link ProducerStats} that is counted by the message. */
export type Counts = Omit<ProducerStats, keyof Statistics | 'clientInstanceId'>

/** The counters behind {@link ProducerStats}: what is counted by the message is added to where it is known. */
export class StatsCounters implements Observer {
  messages = 0
  bytes = 0
  acknowledged = 0
  failed = 0
  serializationErrors = 0
  unheardFailures = 0
  idempotent: boolean | undefined
  throwingCallbacks = 0
  codecFailures = 0
  private readonly dropped = new Map<string, number>()
  private readonly notIdempotent = new Set<string>()

  /** Topics beyond so many go uncounted: names may come from anywhere. */
  noteNotIdempotent(topic: string): void {
    if (this.notIdempotent.size < MAX_NAMED_TOPICS) this.notIdempotent.add(topic)
  }

  /** They were those of another cluster. */
  forgetNotIdempotent(): void {
    this.notIdempotent.clear()
  }

  readonly event = (event: ObservedEvent): void => {
    if (event.type === 'dropped') this.drop(event.topic)
  }

  private drop(topic: string): void {
    const count = this.dropped.get(topic)
    const name = count !== undefined ? topic : this.dropped.size < MAX_NAMED_TOPICS ? ownCopy(topic) : OTHERS
    this.dropped.set(name, (count ?? this.dropped.get(name) ?? 0) + 1)
  }

  snapshot(held: { readonly messages: number; readonly bytes: number }): Counts {
    return {
      messages: this.messages,
      bytes: this.bytes,
      acknowledged: this.acknowledged,
      failed: this.failed,
      dropped: Object.fromEntries(this.dropped),
      serializationErrors: this.serializationErrors,
      idempotent: this.idempotent,
      notIdempotentTopics: [...this.notIdempotent],
      unheardFailures: this.unheardFailures,
      throwingCallbacks: this.throwingCallbacks,
      codecFailures: this.codecFailures,
      queueMessages: held.messages,
      queueBytes: held.bytes,
    }
  }
}
