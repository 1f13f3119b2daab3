import { expect, it } from 'vitest'
import { encodeMetricsData } from '../../../src/protocol/otlp-metrics.js'
import { readMetricsData } from '../../support/otlp.js'

/* Read by the rules of Protobuf, with nothing of the writer's. */

const NOW = 1_700_000_001_234

it('gauges and counts are read as they were written', () => {
  const name = 'org.apache.kafka.producer.'.repeat(20)
  const bytes = encodeMetricsData(
    [
      { name: 'a', kind: 'gauge', points: [{ value: 0 }, { value: -1.5, attributes: { node_id: 'node-1' } }] },
      { name, kind: 'delta', startedAt: NOW - 1, points: [{ value: 3 }] },
      { name: 'c', kind: 'cumulative', startedAt: 0, points: [{ value: Number.MAX_VALUE }] },
    ],
    NOW,
  )
  const point = { start: 0, time: NOW, attributes: {} }
  expect(readMetricsData(bytes)).toEqual([
    {
      name: 'a',
      kind: 'gauge',
      isMonotonic: false,
      points: [
        { ...point, value: 0 },
        { ...point, value: -1.5, attributes: { node_id: 'node-1' } },
      ],
    },
    { name, kind: 'delta', isMonotonic: true, points: [{ ...point, start: NOW - 1, value: 3 }] },
    { name: 'c', kind: 'cumulative', isMonotonic: true, points: [{ ...point, value: Number.MAX_VALUE }] },
  ])
})

it('no metrics are a message with none', () => {
  expect(readMetricsData(encodeMetricsData([], NOW))).toEqual([])
})
