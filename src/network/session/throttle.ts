import type { Clock } from '../../clock.js'

/**
 * For how long a broker wants no more requests on a connection, as its answers say.
 *
 * It is believed for as long as a broker may take to answer and no longer: a quota's window is some seconds, and a
 * broker that is to be left alone for more than that is as good as one that does not answer. It is forgotten with the
 * connection, so that a broker which was mended is not kept waiting for what it said before.
 */
export class Throttle {
  private until = 0
  private asked = 0

  constructor(
    private readonly maxMs: number,
    private readonly clock: Clock,
    /**
     * Told of each time that is longer than those before, and of each that is over already: what was asked for, and how much
     * longer it is quiet for that than it would have been.
     */
    private readonly onHeeded?: (askedMs: number, addedMs: number) => void,
  ) {}

  /**
   * Answers are pipelined: one that asks for no wait does not end the wait that an earlier one asked for.
   *
   * @param isAhead false of a broker that has held its answer back for so long (before KIP-219): there is nothing to wait for
   */
  heed(throttleTimeMs: number, isAhead = true): void {
    if (!isAhead) return throttleTimeMs > 0 ? this.onHeeded?.(throttleTimeMs, throttleTimeMs) : undefined
    const now = this.clock.now()
    const until = now + Math.min(throttleTimeMs, this.maxMs)
    const added = until - Math.max(this.until, now)
    if (added <= 0) return
    this.until = until
    this.asked = throttleTimeMs
    this.onHeeded?.(throttleTimeMs, added)
  }

  /** Milliseconds; 0 where requests are welcome. */
  get leftMs(): number {
    return Math.max(0, this.until - this.clock.now())
  }

  /** `'throttles this client for another 300 ms (it asked for 1000 ms)'`. */
  toString(): string {
    return `throttles this client for another ${Math.ceil(this.leftMs)} ms (it asked for ${this.asked} ms)`
  }
}
