import type { Clock, Timer } from '../clock.js'
import { timerDelay } from '../timer-delay.js'

/** One timer for many who wait: it is due when the first of them is. Whoever is called looks at who is left, and arms it anew. */
export class EarliestTimer {
  private timer: Timer | undefined
  private due = 0

  constructor(
    private readonly clock: Clock,
    private readonly onDue: () => void,
  ) {}

  /** It may still be set for an earlier time, for somebody who waits no more. */
  arm(delayMs: number): void {
    const due = this.clock.now() + delayMs
    if (this.timer !== undefined && this.due <= due) return
    this.clear()
    this.due = due
    const timer = this.clock
      .setTimeout(() => {
        // After a stall of this process what is waited for may be in a socket: let it be read first.
        this.clock.setImmediate(() => {
          if (this.timer !== timer) return
          this.timer = undefined
          this.onDue()
        })
      }, timerDelay(delayMs))
      .unref()
    this.timer = timer
  }

  /** It is due for nobody, also where its time has just come. */
  clear(): void {
    this.clock.clearTimeout(this.timer)
    this.timer = undefined
  }
}
