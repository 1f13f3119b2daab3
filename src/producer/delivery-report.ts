import Denque from 'denque'
import { DeliveryError } from '../errors.js'
import type { TurnBudget } from '../turn-budget.js'
import type { KeyedMessage } from './messages/keyed-message.js'
import type { Listeners, Warnings } from './observing/kafka-producer-warning.js'
import { tellUser } from './observing/tell-user.js'
import type { Fate } from './queues/outgoing-message.js'
import type { RecordMetadata } from './record-metadata.js'

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
 * counted in `stats().throwingCallbacks`, told once as a warning, and harms nothing.
 */
export type OnDelivery<K = unknown, V = unknown> = (report: DeliveryReport<K, V>) => void

/** Who is to know that the fate of one of its messages was told. */
export interface Reported {
  told(): void
}

/** A report that is not told yet. */
interface Untold {
  readonly report: DeliveryReport<never, never>
  readonly of: Reported
  readonly first: (() => void) | undefined
}

/** The clock is read once for so many reports. */
const RUN = 16

/**
 * Tells the fates of queued messages to `onDelivery` and to the listeners of the event `'delivery'`. What is told was
 * gathered before: a callback runs when whatever told of the fate is through with it, and may send, flush, abort, close
 * or throw. A failure that nobody listens for is counted, and the first is told as a warning.
 */
export class DeliveryReporter {
  private readonly untold = new Denque<Untold>()
  private isTelling = false

  constructor(
    private readonly onDelivery: OnDelivery<never, never> | undefined,
    private readonly events: Listeners,
    private readonly warnings: Warnings,
    private readonly turn: TurnBudget,
  ) {}

  /** @param first tells it to whoever hears of it ahead of all others */
  report(
    message: KeyedMessage,
    fate: Fate,
    attempts: number,
    latencyMs: number,
    of: Reported,
    first?: () => void,
  ): void {
    if (this.onDelivery === undefined && this.events.listenerCount('delivery') === 0) {
      if (fate instanceof DeliveryError) this.warnings.unheard(fate)
      if (first === undefined) return of.told()
    }
    const report: DeliveryReport =
      fate instanceof DeliveryError
        ? { message, attempts, latencyMs, error: fate }
        : { message, attempts, latencyMs, metadata: fate }
    // The messages are those that this producer's types let in.
    this.untold.push({ report: report as DeliveryReport<never, never>, of, first })
    if (this.isTelling) return
    this.isTelling = true
    queueMicrotask(this.tell)
  }

  /** Tells what there is, as long as others can wait for their turn. */
  private readonly tell = (): void => {
    let count = 0
    for (let next = this.untold.shift(); next !== undefined; next = this.untold.shift()) {
      const { report, of, first } = next
      first?.()
      if (this.onDelivery !== undefined) tellUser(this.onDelivery, report, this.threw)
      // Not by emit(): it stops at the first listener that throws, and looks at no promise of theirs.
      for (const listener of this.events.rawListeners('delivery')) {
        tellUser((told) => listener.call(this.events, told) as unknown, report, this.threw)
      }
      of.told()
      if (++count % RUN === 0 && this.turn.isSpent) return this.turn.inNextTurn(this.tell)
    }
    this.isTelling = false
  }

  private readonly threw = (error: unknown): void => this.warnings.threw('a delivery callback', error)
}
