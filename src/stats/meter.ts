/** How often the rates are brought up to date, as Kafka's metrics library does. */
const TICK_MS = 5_000
const MINUTES = [1, 5, 15] as const
const DECAYS = MINUTES.map((minutes) => 1 - Math.exp(-TICK_MS / 60_000 / minutes))

/** How many of something there were, and how many a second. */
export interface MeterSnapshot {
  readonly count: number
  /** A second, since the producer was made; of a single topic or broker, since it was first told of. */
  readonly meanRate: number
  /** A second; what is longer ago counts less and less. */
  readonly oneMinuteRate: number
  readonly fiveMinuteRate: number
  readonly fifteenMinuteRate: number
}

/** Kafka's meter: a count, and averages of its rate over 1, 5 and 15 minutes in which what is old fades. */
export class Meter {
  private count = 0
  /** Since the last tick. */
  private uncounted = 0
  private tickedAt: number
  private rates: number[] | undefined

  /** @param startedAt by the clock that it is told the time of */
  constructor(private readonly startedAt: number) {
    this.tickedAt = startedAt
  }

  mark(count: number, now: number): void {
    if (now - this.tickedAt >= TICK_MS) this.tick(now)
    this.count += count
    this.uncounted += count
  }

  private tick(now: number): void {
    const ticks = Math.floor((now - this.tickedAt) / TICK_MS)
    this.tickedAt += ticks * TICK_MS
    const rate = this.uncounted / (TICK_MS / 1_000)
    this.uncounted = 0
    const rates = this.rates?.map((old, i) => old + (DECAYS[i] as number) * (rate - old)) ?? MINUTES.map(() => rate)
    // Nothing came in the ticks after the first.
    this.rates = rates.map((old, i) => old * (1 - (DECAYS[i] as number)) ** (ticks - 1))
  }

  snapshot(now: number): MeterSnapshot {
    if (now - this.tickedAt >= TICK_MS) this.tick(now)
    const { count } = this
    const meanRate = now > this.startedAt ? (count / (now - this.startedAt)) * 1_000 : 0
    // Before the first tick there is no other.
    const [oneMinuteRate, fiveMinuteRate, fifteenMinuteRate] = this.rates ?? [meanRate, meanRate, meanRate]
    return {
      count,
      meanRate,
      oneMinuteRate: oneMinuteRate as number,
      fiveMinuteRate: fiveMinuteRate as number,
      fifteenMinuteRate: fifteenMinuteRate as number,
    }
  }
}
