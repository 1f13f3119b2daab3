/**
 * How fast, and at what cost:
 *
 *   npm run bench                       everything but the ten-minute runs, in about 25 minutes
 *   npm run bench -- --only rates       one group, or several separated by commas
 *   npm run bench -- --soak             ten minutes in each mode, for memory alone
 *   npm run bench -- --against FOLDER   this checkout beside another, in 7 pairs of runs (--pairs, --only 'real,0.10')
 *   npm run bench -- --watching         what logs, statistics, interceptors, traces and metrics cost (--pairs, --only)
 *   npm run bench -- --quick            a look at each group in less than two minutes, with what is installed
 *
 * Further: --rounds 3, --seconds 2 (of each measurement), --corpus-mb 100, --check (the sink decodes everything).
 *
 * The client runs in one process, a sink that speaks the protocol and counts in another, each on a core of its own,
 * where there are two. Results are added to `.reports/bench.json`; `npm run bench:report` makes `docs/performance.md`
 * of them. A quick run's are in `bench-quick.json`, and not for showing.
 */
import { execFileSync } from 'node:child_process'
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { against, type AgainstSettings } from './against.js'
import { GROUPS, type Group, type GroupName } from './cases.js'
import { measureEndings } from './endings.js'
import { measureGroup, type Settings } from './measure.js'
import { measureOverload } from './overload.js'
import { BUILD, QUICK_RESULTS, RESULTS, ROOT } from './paths.js'
import { prepare, versions, type Programs } from './programs.js'
import { printTable } from './report/table.js'
import { machine, saveGroup, type Row } from './results.js'
import { measureSizes } from './size.js'
import { measureWatching } from './watching.js'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    soak: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    against: { type: 'string' },
    watching: { type: 'boolean', default: false },
    pairs: { type: 'string', default: '7' },
    only: { type: 'string' },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    'corpus-mb': { type: 'string' },
  },
})

const WARM_UP_SECONDS = 0.7

function wanted(): GroupName[] {
  const names = Object.keys(GROUPS) as GroupName[]
  const only = values.soak ? ['soak'] : values.only?.split(',')
  const unknown = only?.find((name) => !(name in GROUPS))
  if (unknown !== undefined) throw new Error(`There is no group '${unknown}', known are ${names.join(', ')}`)
  return names.filter((name) => (only === undefined ? !(GROUPS[name] as Group).isExtra : only.includes(name)))
}

function settingsOf(group: Group): Settings {
  const wantedSeconds = values.seconds ?? (values.quick ? '0.25' : undefined)
  const seconds = group.seconds === 0 || wantedSeconds === undefined ? group.seconds : Number(wantedSeconds)
  return {
    rounds: Number(values.rounds ?? (values.quick || group.isExtra ? 1 : 3)),
    seconds,
    warmUpSeconds: Math.min(Number(wantedSeconds ?? WARM_UP_SECONDS), WARM_UP_SECONDS),
    corpusBytes: Number(values['corpus-mb'] ?? (values.quick ? 5 : 100)) * 1e6,
    check: values.check,
    quick: values.quick,
  }
}

function pairSettings(): AgainstSettings {
  return {
    pairs: Number(values.pairs),
    seconds: Number(values.seconds ?? 1.5),
    warmUpSeconds: WARM_UP_SECONDS,
    only: values.only?.split(','),
  }
}

async function compare(folder: string): Promise<void> {
  const isAsSent = await against(folder, await prepare(true), pairSettings())
  if (!isAsSent) process.exitCode = 1
}

function measured(name: GroupName, programs: Programs, settings: Settings): Row[] | Promise<Row[]> {
  if (name === 'size') return measureSizes(programs, values.quick)
  if (name === 'overload') return measureOverload(programs, settings.rounds, settings.quick)
  return name === 'endings' ? measureEndings(programs, settings.rounds) : measureGroup(GROUPS[name], programs, settings)
}

async function main(): Promise<void> {
  const groups = wanted()
  const began = performance.now()
  const programs = await prepare(values.quick)
  const command = ['npm run bench', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(' ')
  let wrong = 0
  for (const name of groups) {
    const group: Group = GROUPS[name]
    const settings = settingsOf(group)
    console.log(`\n${group.title}. ${group.text}`)
    const rows = await measured(name, programs, settings)
    printTable(group, rows)
    wrong += rows.filter(({ matched, failed }) => matched === false || failed !== undefined).length
    const { rounds, seconds } = settings
    await saveGroup(values.quick ? QUICK_RESULTS : RESULTS, name, {
      date: new Date().toISOString(),
      command,
      machine: machine(),
      load: loadavg()[0] ?? Number.NaN,
      versions: versions(programs),
      rounds,
      seconds,
      rows,
    })
  }
  // What users' tests pay for their broker.
  if (groups.length > 1)
    console.log(execFileSync(programs.node, [`${BUILD}/test/bench/embedded-start.js`], { cwd: ROOT, encoding: 'utf8' }))
  console.log(`${Math.round((performance.now() - began) / 1_000)} s in all`)
  if (wrong > 0) {
    console.error(`${wrong} rows failed, or the server counted other messages than were sent.`)
    process.exitCode = 1
  }
}

async function watch(): Promise<void> {
  const isAsSent = await measureWatching(await prepare(true), pairSettings())
  if (!isAsSent) process.exitCode = 1
}

if (values.against !== undefined) await compare(values.against)
else await (values.watching ? watch() : main())
