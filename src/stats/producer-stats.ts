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
  /** Messages refused for want of room, per topic. */
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
    this.dropped.set(topic, (this.dropped.get(topic) ?? 0) + 1)
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
