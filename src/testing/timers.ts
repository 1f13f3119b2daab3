import type { Clock, Timer as ClockTimer } from '../clock.js'
import { timerDelay } from '../timer-delay.js'

/** A timer that was set; it may have gone off already. */
export interface Timer {
  clear(): void
}

const NONE: Timer = { clear: () => undefined }

/** All timers of a cluster, so that none is left when it stops. */
export class Timers {
  private readonly pending = new Set<ClockTimer>()
  private stopped = false

  constructor(private readonly clock: Clock) {}

  /** Calls `then` after `ms` milliseconds, unless cleared or stopped before. */
  after(ms: number, then: () => void): Timer {
    if (this.stopped) return NONE
    const timeout = this.clock.setTimeout(() => {
      this.pending.delete(timeout)
      then()
    }, timerDelay(ms))
    this.pending.add(timeout)
    return {
      clear: () => {
        this.clock.clearTimeout(timeout)
        this.pending.delete(timeout)
      },
    }
  }

  /** Nothing goes off from here on. */
  stop(): void {
    this.stopped = true
    for (const timeout of this.pending) this.clock.clearTimeout(timeout)
    this.pending.clear()
  }
}
