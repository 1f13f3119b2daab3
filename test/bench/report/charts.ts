import type { Results, Row } from '../results.js'
import { barChart } from './svg.js'

export interface Chart {
  readonly file: string
  readonly title: string
  readonly svg: string
}

/** The charts of a group; none where nothing of it is measured. */
export function charts(group: string, results: Results): Chart[] {
  const rows = results[group]?.rows ?? []
  if (group === 'rates') return ratesCharts(rows)
  if (group === 'compression') return compressionCharts(rows)
  return []
}

/** Programs that know async alone are shown beside batch, too: that is how they send many. */
function ratesCharts(rows: readonly Row[]): Chart[] {
  return [100, 1_000].flatMap((bytes) =>
    (['batch', 'single'] as const).flatMap((mode) => {
      const shown = rows.filter(
        (row) =>
          row.bytes === bytes &&
          (row.mode === mode || (mode === 'batch' && (row.client === 'librdkafka' || row.client === 'perf-test'))) &&
          row.client !== 'raw',
      )
      return chart(`rates-${mode}-${bytes}`, `${mode}, ${bytes} B: messages a second`, shown, (title, some) =>
        barChart(
          title,
          [...some].sort((a, b) => (b.metrics.rate ?? 0) - (a.metrics.rate ?? 0)),
          'rate',
        ),
      )
    }),
  )
}

function compressionCharts(rows: readonly Row[]): Chart[] {
  return ['json', 'random'].flatMap((corpus) =>
    chart(
      `compression-${corpus}`,
      `${corpus}: MB a second`,
      rows.filter(({ variant }) => variant.startsWith(corpus)),
      (title, some) =>
        barChart(
          title,
          some,
          'mbPerSecond',
          ({ client, variant }) =>
            `${client === 'ours' ? 'kafka-producer' : client}, ${variant.slice(corpus.length + 2)}`,
        ),
    ),
  )
}

function chart(
  file: string,
  title: string,
  rows: readonly Row[],
  draw: (title: string, rows: readonly Row[]) => string,
): Chart[] {
  return rows.some(({ metrics }) => metrics.rate !== undefined)
    ? [{ file: `${file}.svg`, title, svg: draw(title, rows) }]
    : []
}
