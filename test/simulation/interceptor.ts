import type { ProducerInterceptor } from '../../src/index.js'
import { Violation } from './ledger.js'

/** Puts another message of the same content in the place of each, and counts what it is told of them. */
export class Counting<K, V> {
  private acknowledged = 0
  private failed = 0

  constructor(
    private readonly sameAs: <M extends object>(message: M) => M,
    private readonly heard: () => unknown,
  ) {}

  readonly interceptor: ProducerInterceptor<K, V> = {
    onSend: (message) => this.sameAs(message),
    onAcknowledgement: (metadata) => {
      if (metadata === undefined) this.failed++
      else this.acknowledged++
      return this.heard() as undefined
    },
  }

  /** How many it has heard of. */
  get heardOf(): number {
    return this.acknowledged + this.failed
  }

  /**
   * Each was told of once, and rightly.
   *
   * @param unseen as many of those that failed were refused before anybody saw them
   */
  check(acknowledged: number, failed: number, unseen = 0): void {
    if (this.acknowledged !== acknowledged || this.failed > failed || this.failed < failed - unseen)
      throw new Violation(
        'interceptors hear of each',
        `${this.acknowledged} acknowledged and ${this.failed} failed, and ${acknowledged} and ${failed} had`,
      )
  }
}
