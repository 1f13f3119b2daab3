import type { Clock, Timer } from '../../clock.js'

/** Brokers close connections that are idle for ten minutes; closing first spares the next request a broken one. */
export class IdleWatch {
  private lastUsedAt: number
  private timer: Timer

  constructor(
    private readonly clock: Clock,
    private readonly maxIdleMs: number,
    private readonly isAtWork: () => boolean,
    private readonly onIdle: () => void,
  ) {
    this.lastUsedAt = clock.now()
    this.timer = this.next(maxIdleMs)
  }

  used(): void {
    this.lastUsedAt = this.clock.now()
  }

  clear(): void {
    this.clock.clearTimeout(this.timer)
  }

  private next(delayMs: number): Timer {
    return this.clock.setTimeout(() => this.check(), delayMs).unref()
  }

  private check(): void {
    const idle = this.clock.now() - this.lastUsedAt
    if (!this.isAtWork() && idle >= this.maxIdleMs) this.onIdle()
    else this.timer = this.next(Math.max(this.maxIdleMs - idle, 1_000))
  }
}
