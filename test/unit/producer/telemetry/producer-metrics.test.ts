import { expect, it } from 'vitest'
import { systemClock } from '../../../../src/clock.js'
import { ProducerMetrics } from '../../../../src/producer/telemetry/producer-metrics.js'

/* Counts of a time that began after it ended are thrown away by whoever reads them. */

it.each([true, false])('no count begins after its time where the system’s time is set back; deltas: %s', (isDelta) => {
  let timestamp = 2_000_000
  let opened = 1
  const clock = { ...systemClock, timestamp: () => timestamp }
  const metrics = new ProducerMetrics({ clock, opened: () => opened, nodes: () => new Map() })
  const take = () => {
    const { metrics: all, timestamp: time } = metrics.take(isDelta)
    metrics.arrived()
    const total = all.find(({ name }) => name.endsWith('connection.creation.total'))
    return { start: total?.startedAt, time, value: total?.points[0]?.value }
  }
  take()
  timestamp = 1_000_000
  opened = 3
  expect(take()).toEqual({ start: 1_000_000, time: 1_000_000, value: isDelta ? 2 : 3 })
  timestamp = 1_500_000
  expect(take()).toEqual({ start: 1_000_000, time: 1_500_000, value: isDelta ? 0 : 3 })
})
