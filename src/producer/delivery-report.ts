import type { EventEmitter } from 'node:events'
import { createDebug } from '../debug.js'
import { DeliveryError } from '../errors.js'
import type { StatsCounters } from '../stats/producer-stats.js'
import type { KeyedMessage } from './keyed-message.js'
import type { Fate } from './queues/serialized-message.js'
import type { RecordMetadata } from './record-metadata.js'
import { tellUser } from './tell-user.js'

const debug = createDebug('kafka-producer:delivery')

interface ReportBase<K, V> {
  /** The message as it was given. */
  readonly message: KeyedMessage<K, V>
  /** How many times it was written, or could not be for want of a connection. */
  readonly attempts: number
  /** Milliseconds from `send()` to the fate; up to one too many, since messages of the same millisecond share its beginning. */
  readonly latencyMs: number
}

/** The fate of one message in async mode: it has `metadata`, or it has an `error`. */
export type DeliveryReport<K = unknown, V = unknown> =
  | (ReportBase<K, V> & { readonly metadata: RecordMetadata; readonly error?: undefined })
  | (ReportBase<K, V> & { readonly error: DeliveryError; readonly metadata?: undefined })

/**
 * What is called with each report. It may be asynchronous, but nothing waits for it. What it throws, or rejects with, is
 * logged through `debug`, counted in `stats().throwingCallbacks`, and harms nothing.
 */
export type OnDelivery<K = unknown, V = unknown> = (report: DeliveryReport<K, V>) => void

/**
 * Tells the fates of queued messages to `onDelivery` and to the listeners of the event `'delivery'`. A failure that
 * nobody listens for is logged through `debug` and counted.
 */
export class DeliveryReporter {
  constructor(
    private readonly onDelivery: OnDelivery<never, never> | undefined,
    private readonly events: EventEmitter<{ delivery: [DeliveryReport<never, never>] }>,
    private readonly counters: StatsCounters,
  ) {}

  report(message: KeyedMessage, fate: Fate, attempts: number, latencyMs: number): void {
    const { onDelivery, events, threw } = this
    const hasListeners = events.listenerCount('delivery') > 0
    if (onDelivery === undefined && !hasListeners) {
      if (fate instanceof DeliveryError) this.unheard(fate)
      return
    }
    const untyped: DeliveryReport =
      fate instanceof DeliveryError
        ? { message, attempts, latencyMs, error: fate }
        : { message, attempts, latencyMs, metadata: fate }
    // The messages are those that this producer's types let in.
    const report = untyped as DeliveryReport<never, never>
    if (onDelivery !== undefined) tellUser(onDelivery, report, threw)
    if (!hasListeners) return
    // Not by emit(): it stops at the first listener that throws, and looks at no promise of theirs.
    for (const listener of events.rawListeners('delivery')) tellUser(listener.bind(events), report, threw)
  }

  private unheard(error: DeliveryError): void {
    this.counters.unheardFailures++
    debug('a message for %s failed and nobody listens: %s', error.topic, error.message)
  }

  private readonly threw = (error: unknown): void => {
    this.counters.throwingCallbacks++
    debug('a delivery callback threw: %O', error)
  }
}
