import { ownCopy } from '../topic-name.js'

/** Topics that have a counter of their own: names may come from anywhere. */
const MAX_DROPPED_TOPICS = 1_000
/** No topic has this name. */
const OTHERS = '*'

/** What a producer counts, from its start on. */
export interface ProducerStats {
  /** Messages taken in. */
  readonly messages: number
  /** Bytes of their keys, values and headers. */
  readonly bytes: number
  /** Messages acknowledged; with acks 0, handed to the system. */
  readonly acknowledged: number
  /** Messages that failed, for whatever reason. */
  readonly failed: number
  /** Messages refused for want of room, per topic; of so many topics only, those of all others under `'*'`. */
  readonly dropped: Readonly<Record<string, number>>
  /** Messages that an encoder failed on. */
  readonly serializationErrors: number
  /** Batches that were sent again. */
  readonly resends: number
  /** Async mode: failures that neither `onDelivery` nor a listener heard of. */
  readonly unheardFailures: number
  /** Callbacks that threw or rejected: of deliveries in async mode, and a partitioner's `onMetadataRefresh`. */
  readonly throwingCallbacks: number
  /** Messages and bytes waiting or in flight now. */
  readonly queueMessages: number
  readonly queueBytes: number
}

/** The counters behind {@link ProducerStats}. */
export class StatsCounters {
  messages = 0
  bytes = 0
  acknowledged = 0
  failed = 0
  serializationErrors = 0
  resends = 0
  unheardFailures = 0
  throwingCallbacks = 0
  private readonly dropped = new Map<string, number>()

  drop(topic: string): void {
    const count = this.dropped.get(topic)
    const name = count !== undefined ? topic : this.dropped.size < MAX_DROPPED_TOPICS ? ownCopy(topic) : OTHERS
    this.dropped.set(name, (count ?? this.dropped.get(name) ?? 0) + 1)
  }

  snapshot(held: { readonly messages: number; readonly bytes: number }): ProducerStats {
    return {
      messages: this.messages,
      bytes: this.bytes,
      acknowledged: this.acknowledged,
      failed: this.failed,
      dropped: Object.fromEntries(this.dropped),
      serializationErrors: this.serializationErrors,
      resends: this.resends,
      unheardFailures: this.unheardFailures,
      throwingCallbacks: this.throwingCallbacks,
      queueMessages: held.messages,
      queueBytes: held.bytes,
    }
  }
}
