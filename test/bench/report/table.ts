import type { Group } from '../cases.js'
import { CLIENTS } from '../clients.js'
import { METRICS, type Metric, type Row } from '../results.js'

export interface Table {
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** A group's rows as text; columns that nothing stands in are left out. */
export function table(group: Group, rows: readonly Row[]): Table {
  const columns = group.columns.filter((metric) => rows.some(({ metrics }) => metrics[metric] !== undefined))
  const sent = rows.some(({ mode }) => mode !== null)
  const varied = rows.some(({ variant }) => variant !== '')
  return {
    head: [
      'client',
      ...(sent ? ['mode', 'bytes'] : []),
      ...(varied ? [''] : []),
      ...columns.map((metric) => METRICS[metric].heading),
      sent ? 'count matches' : '',
    ],
    rows: rows.map((row) => [
      CLIENTS[row.client],
      ...(sent ? [row.mode ?? '', String(row.bytes ?? '')] : []),
      ...(varied ? [row.variant] : []),
      ...columns.map((metric) => cell(row, metric)),
      verdict(row),
    ]),
  }
}

function verdict({ matched, notRun, failed }: Row): string {
  if (notRun !== undefined) return `NOT RUN: ${notRun}`
  if (failed !== undefined) return `FAILED: ${failed}`
  if (matched === null) return ''
  return matched ? 'yes' : 'NO'
}

function cell({ metrics }: Row, metric: Metric): string {
  const value = metrics[metric]
  if (value === undefined) return ''
  const { digits } = METRICS[metric]
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

export function printTable(group: Group, rows: readonly Row[]): void {
  const { head, rows: lines } = table(group, rows)
  const widths = head.map((title, i) => Math.max(title.length, ...lines.map((line) => (line[i] ?? '').length)))
  for (const line of [head, ...lines])
    console.log(
      line
        .map((text, i) => (isNumber(text) ? text.padStart(widths[i] ?? 0) : text.padEnd(widths[i] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
}

export function isNumber(text: string): boolean {
  return /^[\d.,]+$/.test(text)
}
