import type { ProducerInterceptor } from '../../src/index.js'
import { Violation } from './ledger.js'

/** Puts another message of the same content in the place of each, and counts what it is told of them. */
export class Counting<K, V> {
  private acknowledged = 0
  private failed = 0

  constructor(private readonly sameAs: <M extends object>(message: M) => M) {}

  readonly interceptor: ProducerInterceptor<K, V> = {
    onSend: (message) => this.sameAs(message),
    onAcknowledgement: (metadata) => {
      if (metadata === undefined) this.failed++
      else this.acknowledged++
    },
  }

  /** Each was told of once, and rightly. */
  check(acknowledged: number, failed: number): void {
    if (this.acknowledged !== acknowledged || this.failed !== failed)
      throw new Violation(
        'interceptors hear of each',
        `${this.acknowledged} acknowledged and ${this.failed} failed, and ${acknowledged} and ${failed} had`,
      )
  }
}
