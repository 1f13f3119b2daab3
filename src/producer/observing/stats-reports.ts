import type { Clock, Timer } from '../../clock.js'
import type { ProducerStats } from '../../stats/producer-stats.js'
import { tellUser } from './tell-user.js'

/**
 * What is called with the statistics now and again. What it throws, or rejects with, is counted in
 * `stats().throwingCallbacks`, told once as a warning, and harms nothing.
 */
export type OnStats = (stats: ProducerStats) => void

/** Tells `onStats` what `stats()` gives, every so often, and what it comes to in the end. It keeps no process alive. */
export class StatsReports {
  private readonly timer: Timer

  constructor(
    private readonly onStats: OnStats,
    intervalMs: number,
    private readonly stats: () => ProducerStats,
    private readonly clock: Clock,
    private readonly threw: (error: unknown) => void,
  ) {
    this.timer = clock.setInterval(this.tell, intervalMs).unref()
  }

  private readonly tell = (): void => tellUser(this.onStats, this.stats(), this.threw)

  /** The producer is closed: whoever keeps what he was told last has the figures of all that it did, and no queue. */
  close(): void {
    this.clock.clearInterval(this.timer)
    this.tell()
  }
}
