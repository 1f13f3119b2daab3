import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

/** An hour of microseconds, and more bytes than a request has: what is beyond counts as this. */
const HIGHEST = 3_600_000_000
/** Figures that hold: one in a hundred is exact enough, and takes an eighth of the memory of one in a thousand. */
const FIGURES = 2

/** How something is distributed; all 0 where there was none. */
export interface HistogramSnapshot {
  readonly count: number
  readonly min: number
  readonly max: number
  readonly mean: number
  readonly p50: number
  readonly p75: number
  readonly p95: number
  readonly p98: number
  readonly p99: number
  readonly p999: number
}

const NONE: HistogramSnapshot = { count: 0, min: 0, max: 0, mean: 0, p50: 0, p75: 0, p95: 0, p98: 0, p99: 0, p999: 0 }

/** Values from the start on, to two figures. It takes memory with the first one. */
export class Histogram {
  private histogram: RecordableHistogram | undefined

  /** @param scale what one is recorded as: 1,000 keeps milliseconds to the microsecond */
  constructor(private readonly scale = 1) {}

  record(value: number): void {
    this.histogram ??= createHistogram({ lowest: 1, highest: HIGHEST, figures: FIGURES })
    this.histogram.record(Math.min(Math.max(Math.round(value * this.scale), 1), HIGHEST))
  }

  snapshot(): HistogramSnapshot {
    const { histogram, scale } = this
    if (histogram === undefined) return NONE
    const at = (percentile: number) => histogram.percentile(percentile) / scale
    return {
      count: histogram.count,
      min: histogram.min / scale,
      max: histogram.max / scale,
      mean: histogram.mean / scale,
      p50: at(50),
      p75: at(75),
      p95: at(95),
      p98: at(98),
      p99: at(99),
      p999: at(99.9),
    }
  }
}
