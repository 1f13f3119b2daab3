import { expect, it } from 'vitest'
import { Histogram } from '../../../src/stats/histogram.js'
import { Meter } from '../../../src/stats/meter.js'

/* The figures are those of Kafka's metrics library: averages that are brought up to date every five seconds. */

it('a meter at a steady rate tells that rate', () => {
  const meter = new Meter(1_000)
  let now = 1_000
  for (; now < 61_000; now += 100) meter.mark(10, now)
  const { count, meanRate, ...rates } = meter.snapshot(now)
  expect({ count, meanRate }).toEqual({ count: 6_000, meanRate: 100 })
  for (const rate of Object.values(rates)) expect(rate).toBeCloseTo(100, 0)
})

it('what ended fades: by 1/e a minute from the one-minute rate, slower from the others', () => {
  const meter = new Meter(0)
  for (let now = 0; now < 5_000; now += 100) meter.mark(1, now)
  const before = meter.snapshot(5_000)
  const after = meter.snapshot(65_000)
  expect(after.oneMinuteRate / before.oneMinuteRate).toBeCloseTo(Math.exp(-1), 5)
  expect(after.fiveMinuteRate / before.fiveMinuteRate).toBeCloseTo(Math.exp(-1 / 5), 5)
  expect(after.fifteenMinuteRate / before.fifteenMinuteRate).toBeCloseTo(Math.exp(-1 / 15), 5)
  expect(after.count).toBe(50)
})

it('a meter that was marked just now has a rate already, and one of no age none', () => {
  const meter = new Meter(0)
  meter.mark(5, 1_000)
  expect(meter.snapshot(1_000)).toMatchObject({ meanRate: 5, oneMinuteRate: 5, fifteenMinuteRate: 5 })
  expect(new Meter(7).snapshot(7)).toMatchObject({ count: 0, meanRate: 0, oneMinuteRate: 0 })
})

it('a histogram holds two figures, in the unit it was given, and what is beyond its range at the edge', () => {
  const histogram = new Histogram(1_000)
  expect(histogram.snapshot()).toMatchObject({ count: 0, min: 0, max: 0, mean: 0, p999: 0 })
  for (let ms = 1; ms <= 1_000; ms++) histogram.record(ms)
  const { count, min, max, mean, p50, p99 } = histogram.snapshot()
  expect(count).toBe(1_000)
  for (const [value, expected] of [
    [min, 1],
    [max, 1_000],
    [mean, 500.5],
    [p50, 500],
    [p99, 990],
  ] as const)
    expect(Math.abs(value / expected - 1)).toBeLessThan(0.02)
  histogram.record(0)
  histogram.record(1e12)
  expect(histogram.snapshot().count).toBe(1_002)
})
