import { CLIENTS } from '../clients.js'
import type { Metric, Row } from '../results.js'

const WIDTH = 760
const LABEL_WIDTH = 250
const FIGURE_WIDTH = 100
const BAR = 20
const GAP = 8
const TOP = 44

/** Horizontal bars in the rows' order; readable on a light and on a dark page. */
export function barChart(
  title: string,
  rows: readonly Row[],
  metric: Metric,
  label: (row: Row) => string = ({ client }) => CLIENTS[client],
): string {
  const bars = rows.flatMap((row) => {
    const value = row.metrics[metric]
    return value === undefined ? [] : [{ row, value }]
  })
  const most = Math.max(...bars.map(({ value }) => value))
  const height = TOP + bars.length * (BAR + GAP) + GAP
  const lines = bars.map(({ row, value }, i) => {
    const y = TOP + i * (BAR + GAP)
    const length = Math.max(1, (value / most) * (WIDTH - LABEL_WIDTH - FIGURE_WIDTH))
    const text = y + BAR * 0.72
    return [
      `<text x="${LABEL_WIDTH - 8}" y="${text}" text-anchor="end">${escape(label(row))}</text>`,
      `<rect class="${kindOf(row)}" x="${LABEL_WIDTH}" y="${y}" width="${length.toFixed(1)}" height="${BAR}" rx="2"/>`,
      `<text x="${(LABEL_WIDTH + length + 6).toFixed(1)}" y="${text}">${short(value)}</text>`,
    ].join('\n')
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    `<title>${escape(title)}</title>`,
    '<style>text{font:13px system-ui,sans-serif;fill:#24292f}.title{font-weight:600}.ours{fill:#1f883d}.other{fill:#8c959f}.limit{fill:#d0d7de}',
    '@media(prefers-color-scheme:dark){text{fill:#e6edf3}.ours{fill:#3fb950}.other{fill:#6e7681}.limit{fill:#30363d}}</style>',
    `<text class="title" x="8" y="24">${escape(title)}</text>`,
    ...lines,
    '</svg>\n',
  ].join('\n')
}

function kindOf({ client }: Row): string {
  if (client === 'ours') return 'ours'
  return client === 'minimal' || client === 'raw' ? 'limit' : 'other'
}

function short(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`
  if (value >= 1e4) return `${Math.round(value / 1e3)} k`
  return value >= 100 ? String(Math.round(value)) : value.toPrecision(3)
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
