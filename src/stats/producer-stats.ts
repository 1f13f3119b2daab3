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
  /** Produce requests sent. */
  readonly requests: number
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
  requests = 0
  private readonly dropped = new Map<string, number>()

  drop(topic: string): void {
    this.dropped.set(topic, (this.dropped.get(topic) ?? 0) + 1)
  }

  snapshot(queueMessages: number, queueBytes: number): ProducerStats {
    const { messages, bytes, acknowledged, failed, serializationErrors, resends, requests } = this
    const dropped = Object.fromEntries(this.dropped)
    return { messages, bytes, acknowledged, failed, dropped, serializationErrors, resends, requests, queueMessages, queueBytes }
  }
}
