import type { Clock, Timer } from '../clock.js'
import type { ProducerStats } from '../stats/producer-stats.js'
import { tellUser } from './tell-user.js'

/**
 * What is called with the statistics now and again. What it throws, or rejects with, is counted in
 * `stats().throwingCallbacks`, told once as a warning, and harms nothing.
 */
export type OnStats = (stats: ProducerStats) => void

/** Tells `onStats` what `stats()` gives, every so often. It keeps no process alive. */
export class StatsReports {
  private readonly timer: Timer

  constructor(
    onStats: OnStats,
    intervalMs: number,
    stats: () => ProducerStats,
    private readonly clock: Clock,
    threw: (error: unknown) => void,
  ) {
    this.timer = clock.setInterval(() => tellUser(onStats, stats(), threw), intervalMs).unref()
  }

  close(): void {
    this.clock.clearInterval(this.timer)
  }
}
