import { GROUPS, type Group } from '../cases.js'
import type { GroupResult, Results } from '../results.js'
import { charts } from './charts.js'
import { FINDINGS } from './findings.js'
import { goals, isReached, type Goal } from './goals.js'
import { isNumber, table, type Table } from './table.js'

/** The folder of the charts, beside the page. */
export const CHARTS = 'performance'

/** The whole page; groups that were not measured say so. */
export function page(results: Results): string {
  const sections = Object.entries<Group>(GROUPS).flatMap(([name, group]) => section(name, group, results))
  return [
    '# Performance',
    '',
    '`npm run bench` measures, `npm run bench:report` writes this page from what was measured. Compare figures within one',
    'table only: machines differ, and what else runs on them shows: the load stands below each table, and above 2 it takes',
    'from every figure. Then processor time tells more than rates.',
    '',
    ...INTRODUCTION,
    '',
    '## Goals',
    '',
    ...goalLines(goals(results)),
    '',
    '## What holds what is not reached',
    '',
    ...FINDINGS,
    '',
    ...sections.slice(0, -1),
    '',
  ].join('\n')
}

const INTRODUCTION = [
  'The client runs in one process, a sink that speaks the protocol in another, each on a core of its own. The sink counts',
  'the records and throws them away; every row says whether it counted what the client says it sent. Each round runs',
  'every client once, in a new process that warms up first; figures are medians of the rounds, processor time is that of',
  'the client’s whole process.',
  '',
  '- **batch**: a thousand messages per `send()`, five calls under way;',
  '- **single**: one message per `send()`, each with its own promise, a thousand outstanding;',
  '- **async**: one message per `send()`, nobody waits for its fate, a callback counts it;',
  '- **minimal producer**: the least that Node can do, without errors, retries and time-outs; **raw socket**: bytes encoded',
  '  beforehand, written as fast as the sink takes them.',
  '',
  'acks are 1, but kafka-ts always sends idempotently with acks -1. Everything not named is each client’s default; what',
  'stands on librdkafka waits up to 5 ms for more messages. `@confluentinc/kafka-javascript` and `node-rdkafka` run on the',
  'Node that their native code was built for. Kafka’s Java producer is its `producer-perf-test`; its',
  'processor time is that of the whole run, warm-up included, less the JVM’s start.',
  '',
  '`npm run bench -- --against <folder>` puts this checkout beside another one, such as a release’s, in pairs of runs that',
  'take turns, also with the formats of Kafka 0.8 and 0.10, and prints the medians of the pairs’ ratios.',
]

function section(name: string, group: Group, results: Results): string[] {
  const result = results[name]
  const head = [`## ${group.title}`, '', group.text, '']
  if (result === undefined)
    return [
      ...head,
      `Not measured yet: \`npm run bench -- ${group.isExtra === true ? `--${name}` : `--only ${name}`}\`.`,
      '',
    ]
  return [
    ...head,
    ...charts(name, results).flatMap(({ file, title }) => [`![${title}](${CHARTS}/${file})`, '']),
    ...markdownTable(table(group, result.rows)),
    '',
    ...origin(result),
    '',
  ]
}

function origin({ date, command, machine, load, versions, rounds, seconds, rows }: GroupResult): string[] {
  const times = `${rounds} ${rounds === 1 ? 'round' : 'rounds'}`
  const how = rows.every(({ mode }) => mode === null) ? '' : `, ${times}${seconds > 0 ? ` of ${seconds} s` : ''}`
  const what = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return [`${date.slice(0, 10)}, \`${command}\`${how}; ${machine}, load ${load.toFixed(1)}; ${what.join(', ')}.`]
}

function goalLines(all: readonly Goal[]): string[] {
  if (all.every(({ measured }) => measured === undefined)) return ['Not measured yet.']
  return markdownTable({
    head: ['goal', 'wanted', 'measured', 'reached'],
    rows: all.map((goal) => {
      const { text, measured, atLeast, atMost, unit, against } = goal
      const wanted = atLeast === undefined ? `≤ ${atMost}${unit}` : `≥ ${atLeast}${unit}`
      if (measured === undefined) return [text, wanted, 'not measured', '']
      return [
        text,
        wanted,
        `${measured.toPrecision(3)}${unit}${against === undefined ? '' : ` (${against})`}`,
        isReached(goal) ? 'yes' : 'no',
      ]
    }),
  })
}

function markdownTable({ head, rows }: Table): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const isRight = (i: number) =>
    rows.some((cells) => isNumber(cells[i] ?? '')) && rows.every((cells) => cells[i] === '' || isNumber(cells[i] ?? ''))
  return [line(head), line(head.map((_, i) => (isRight(i) ? '---:' : '---'))), ...rows.map(line)]
}
