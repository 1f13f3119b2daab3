import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { Producer } from '../../src/index.js'
import { collectProducerMetrics } from '../../src/prometheus/index.js'
import { COUNTERS, GAUGES, SUMMARIES } from '../../src/prometheus/metrics.js'
import { ROOT } from './support/snippets.js'

/* What the dashboard and the alerts ask Prometheus for is what the package exports: whoever misspells a name sees nothing. */

const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')

interface Exported {
  readonly labels: readonly string[]
  /** Whether it only grows, so that its rate means something. */
  readonly grows: boolean
}

/** Those that Prometheus itself adds to all. */
const TARGET_LABELS = ['job', 'instance']

/** All that is on the page, by the name it has there. */
const exported: ReadonlyMap<string, Exported> = new Map(
  [
    ...COUNTERS.map((row) => ({ row, name: row.name, grows: true, more: [] })),
    ...GAUGES.map((row) => ({ row, name: row.name, grows: false, more: [] })),
    ...SUMMARIES.flatMap((row) => [
      { row, name: row.name, grows: false, more: ['quantile'] },
      { row, name: `${row.name}_sum`, grows: true, more: [] },
      { row, name: `${row.name}_count`, grows: true, more: [] },
    ]),
  ].map(({ row, name, grows, more }) => {
    const own = row.label === undefined ? [] : [row.label]
    return [name, { labels: ['client_id', ...TARGET_LABELS, ...own, ...more], grows }]
  }),
)

const METRIC = /\bkafka_producer_\w+/g
const metricsOf = (expr: string): string[] => [...expr.matchAll(METRIC)].map(([name]) => name)

/** What is wrong with a question to Prometheus. */
function faultsOf(expr: string): string[] {
  const unknown = metricsOf(expr).filter((name) => !exported.has(name))
  const selected = [...expr.matchAll(/\b(kafka_producer_\w+)\{([^}]*)\}/g)].flatMap(([, name = '', matchers = '']) =>
    [...matchers.matchAll(/(\w+)(?==|!)/g)].map(([label]) => ({ name, label })),
  )
  const grouped = metricsOf(expr).flatMap((name) => labelsKept(expr).map((label) => ({ name, label })))
  const noLabels = [...selected, ...grouped].filter(
    ({ name, label }) => exported.get(name)?.labels.includes(label) === false,
  )
  const rates = [...expr.matchAll(/\b(?:rate|increase)\((\w+)/g)].map(([, name = '']) => name)
  const noRates = rates.filter((name) => exported.get(name)?.grows !== true)
  const bare = [...expr.matchAll(/(rate\(|increase\()?(kafka_producer_\w+)/g)].filter(
    ([, rate, name = '']) => rate === undefined && name.endsWith('_total') && !/opened_total.*closed_total/.test(expr),
  )
  return [
    ...unknown.map((name) => `no metric ${name}`),
    ...noLabels.map(({ name, label }) => `${name} has no label ${label}`),
    ...noRates.map((name) => `${name} has no rate`),
    ...bare.map(([name]) => `of ${name} only the rate says something`),
  ]
}

const labelsKept = (expr: string): string[] =>
  [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, labels = '']) => labels.split(', '))

it('all metrics of the page are known by their names here', () => {
  const registry = new Registry()
  collectProducerMetrics(new Producer({ brokers: 'localhost:9092' }), { register: registry })
  const names = registry.getMetricsAsArray().map(({ name }) => name)
  expect(names.sort()).toEqual([...COUNTERS, ...GAUGES, ...SUMMARIES].map(({ name }) => name).sort())
})

it.each([
  ['rate(kafka_producer_mesages_total[1m])', 'no metric kafka_producer_mesages_total'],
  ['rate(kafka_producer_messages_total{topic="a"}[1m])', 'kafka_producer_messages_total has no label topic'],
  ['sum by (broker) (rate(kafka_producer_messages_total[1m]))', 'kafka_producer_messages_total has no label broker'],
  ['rate(kafka_producer_queue_messages[1m])', 'kafka_producer_queue_messages has no rate'],
  ['kafka_producer_messages_total', 'of kafka_producer_messages_total only the rate says something'],
])('a question that would have no answer is found: %s', (expr, fault) => {
  expect(faultsOf(expr)).toContain(fault)
})

describe('docs/grafana-dashboard.json', () => {
  interface Panel {
    readonly id: number
    readonly type: string
    readonly title: string
    readonly description?: string
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
    readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[]
  }
  const dashboard = JSON.parse(read('docs/grafana-dashboard.json')) as {
    readonly panels: readonly Panel[]
    readonly templating: { readonly list: readonly { readonly name: string; readonly query: unknown }[] }
  }
  const questions = dashboard.panels.flatMap(({ title, targets = [] }) =>
    targets.map((target) => ({ title, ...target })),
  )

  it.each(questions)('asks for what is there: $title, $expr', ({ expr, legendFormat }) => {
    expect(faultsOf(expr)).toEqual([])
    expect(metricsOf(expr).length).toBeGreaterThan(0)
    const told = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label)
    expect(labelsKept(expr)).toEqual(expect.arrayContaining(told))
    const variables = dashboard.templating.list.map(({ name }) => `$${name}`)
    const used = [...expr.matchAll(/\$(?!__)\w+/g)].map(([name]) => name)
    expect(variables).toEqual(expect.arrayContaining(used))
  })

  it('lets one choose by what is there', () => {
    const queries = dashboard.templating.list.flatMap(({ query }) =>
      [...JSON.stringify(query).matchAll(/label_values\((\w+), (\w+)\)/g)].map(
        ([, metric = '', label = '']) => [metric, label] as const,
      ),
    )
    expect(queries.length).toBeGreaterThan(0)
    for (const [metric, label] of queries) expect(exported.get(metric)?.labels).toContain(label)
  })

  it('shows every metric', () => {
    const shown = questions.flatMap(({ expr }) => metricsOf(expr))
    const bases = shown.map((name) => name.replace(/_(sum|count)$/, ''))
    const names = [...COUNTERS, ...GAUGES, ...SUMMARIES].map(({ name }) => name)
    expect(names.filter((name) => !bases.includes(name))).toEqual([])
  })

  it('has panels that say what they show, and none that covers another', () => {
    const { panels } = dashboard
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
    )
    expect(new Set(cells).size).toBe(cells.length)
    const silent = panels.filter(({ type, description = '' }) => type !== 'row' && description === '')
    expect(silent.map(({ title }) => title)).toEqual([])
  })
})

describe('docs/alert-rules.yml', () => {
  const rules = read('docs/alert-rules.yml')
    .split(/^ +- alert: /m)
    .slice(1)
    .map((text) => ({
      name: /^\w+/.exec(text)?.[0] as string,
      expr: /^ +expr: (.*)$/m.exec(text)?.[1] as string,
      severity: /^ +labels: \{ severity: (\w+) \}$/m.exec(text)?.[1],
      summary: /^ +summary: '(.*)'$/m.exec(text)?.[1] as string,
    }))

  it.each(rules)('$name asks for what is there', ({ expr, summary }) => {
    expect(faultsOf(expr)).toEqual([])
    expect(metricsOf(expr).length).toBeGreaterThan(0)
    const told = [...summary.matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label)
    const kept = labelsKept(expr)
    const has = kept.length > 0 ? kept : exported.get(metricsOf(expr)[0] as string)?.labels
    expect(has).toEqual(expect.arrayContaining(told))
  })

  // What increase() sees of a series begins with its first value: one that appears with what it counts hides the first of it.
  it('misses nothing that happens for the first time: what is counted is there at 0 before', async () => {
    const registry = new Registry()
    collectProducerMetrics(new Producer({ brokers: 'localhost:9092' }), { register: registry })
    const page = await registry.metrics()
    const counted = rules.flatMap(({ expr }) => [...expr.matchAll(/\bincrease\((\w+)/g)].map(([, name = '']) => name))
    expect(counted.length).toBeGreaterThan(5)
    expect(counted.filter((name) => !page.includes(`\n${name}{client_id="kafka-producer"} 0\n`))).toEqual([])
  })

  it('has the alerts that docs/alerts.md explains, and no others', () => {
    const explained = [...read('docs/alerts.md').matchAll(/^\| `(\w+)` \| (\w+) \|/gm)]
    expect(explained.map(([, name, severity]) => [name, severity]).sort()).toEqual(
      rules.map(({ name, severity }) => [name, severity]).sort(),
    )
    expect(rules.length).toBeGreaterThan(10)
  })
})

it('docs/observability.md explains every metric', () => {
  const section = /^## Prometheus\n[^]*?(?=^## )/m.exec(read('docs/observability.md'))?.[0] ?? ''
  const cells = [...section.matchAll(/^\| (`(?:…|kafka_producer)_.*?) \| (.*?) ?\| /gm)]
  const documented = cells.flatMap(([, names = '', labels = '']) =>
    [...names.matchAll(/`(?:…|kafka_producer)(_\w+)`/g)].map(([, name]) => [
      `kafka_producer${name}`,
      labels.replaceAll('`', ''),
    ]),
  )
  const rows = [...COUNTERS, ...GAUGES, ...SUMMARIES].map(({ name, label = '' }) => [name, label])
  expect(documented.sort()).toEqual(rows.sort())
})
