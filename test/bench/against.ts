import { execFileSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { DEFAULTS, SINK_DEFAULTS } from './cases.js'
import { runClient } from './clients.js'
import type { Job, Measured, Mode, Shape } from './job.js'
import { ROOT } from './paths.js'
import type { Programs } from './programs.js'
import { median } from './results.js'
import { startSink } from './servers.js'

export interface AgainstSettings {
  readonly pairs: number
  readonly seconds: number
  readonly warmUpSeconds: number
  /** Rows whose name has one of these in it; all of them where it is undefined. */
  readonly only: readonly string[] | undefined
}

interface Comparison {
  readonly name: string
  readonly mode: Mode
  readonly shape: Shape
  readonly bytes: number
  readonly brokers?: '0.8.2' | '0.10'
}

const PROMISES = ['batch', 'single'] as const
const ROWS: readonly Comparison[] = [
  ...[100, 1_000].flatMap((bytes) => [
    ...PROMISES.map((mode): Comparison => ({ name: `bare ${mode} ${bytes} B`, mode, shape: 'value', bytes })),
    ...PROMISES.map((mode): Comparison => ({ name: `real ${mode} ${bytes} B`, mode, shape: 'real', bytes })),
  ]),
  { name: 'bare async 100 B', mode: 'async', shape: 'value', bytes: 100 },
  { name: 'real async 100 B', mode: 'async', shape: 'real', bytes: 100 },
  ...(['0.8.2', '0.10'] as const).flatMap((brokers) =>
    PROMISES.map((mode): Comparison => ({
      name: `${brokers} ${mode} 100 B`,
      mode,
      shape: 'text',
      bytes: 100,
      brokers,
    })),
  ),
]

interface Sample {
  readonly rate: number
  readonly cpu: number
}

interface Pair {
  readonly old: Sample
  readonly now: Sample
}

/**
 * This checkout beside another one, each built by its own build script, in pairs of runs that take turns in who is
 * first. What else the machine does strikes both of a pair, so the median of the pairs' ratios tells more than the
 * ratio of the medians; processor time tells more than rates. False where the sink counted otherwise than was sent.
 */
export async function against(folder: string, programs: Programs, settings: AgainstSettings): Promise<boolean> {
  const entries = [resolve(folder), ROOT].map(buildOf) as [string, string]
  const rows = ROWS.filter(({ name }) => settings.only?.some((part) => name.includes(part)) ?? true)
  const pairs = new Map(rows.map(({ name }) => [name, [] as Pair[]]))
  let matched = true
  for (let i = 0; i < settings.pairs; i++) {
    for (const row of rows) {
      const samples: Sample[] = []
      for (const which of i % 2 === 0 ? [0, 1] : [1, 0]) {
        const { sample, isMatch } = await measureOne(row, entries[which] as string, programs, settings)
        if (!isMatch) console.error(`${row.name}, ${which === 0 ? 'old' : 'new'}: COUNT DOES NOT MATCH`)
        matched &&= isMatch
        samples[which] = sample
      }
      const [old, now] = samples as [Sample, Sample]
      pairs.get(row.name)?.push({ old, now })
      console.error(`${i + 1}/${settings.pairs}  ${row.name}: CPU ${old.cpu.toFixed(3)} -> ${now.cpu.toFixed(3)}`)
    }
  }
  console.log(
    `Medians of ${settings.pairs} pairs. M/s: million messages a second. CPU: user and system seconds per million.`,
  )
  print(['', 'M/s old', 'new', 'new by old', 'CPU old', 'new', 'new by old', 'middle half'])
  for (const [name, all] of pairs) print([name, ...columns(all)])
  return matched
}

/** The entry point of what its own build script makes of a checkout. */
function buildOf(folder: string): string {
  execFileSync('npm', ['run', 'build'], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
  return pathToFileURL(join(folder, 'dist', 'index.js')).href
}

async function measureOne(
  { mode, shape, bytes, brokers }: Comparison,
  library: string,
  programs: Programs,
  { seconds, warmUpSeconds }: AgainstSettings,
): Promise<{ readonly sample: Sample; readonly isMatch: boolean }> {
  const sink = await startSink(programs.node, { ...SINK_DEFAULTS, old: brokers !== undefined })
  try {
    const job: Job = {
      ...DEFAULTS,
      acks: -1,
      bootstrap: sink.bootstrap,
      ...{ mode, shape, bytes, library, seconds, warmUpSeconds },
      // 0.10 is found out by asking.
      ...(brokers === '0.8.2' ? { brokerVersion: brokers } : {}),
    }
    const measured = await runClient('ours', job, programs, { isPinned: true, signal: sink.ended })
    const { records } = await sink.counts()
    return { sample: sampleOf(measured), isMatch: records === measured.messages + measured.warmUpMessages }
  } finally {
    await sink.stop()
  }
}

function sampleOf({ messages, elapsed, cpu }: Measured): Sample {
  return { rate: messages / elapsed / 1_000, cpu: (cpu / messages) * 1_000 }
}

function columns(pairs: readonly Pair[]): string[] {
  const of = (figure: (pair: Pair) => number) => median(pairs.map(figure))
  const ratios = pairs.map(({ old, now }) => now.cpu / old.cpu).sort((a, b) => a - b)
  const quarter = Math.floor(ratios.length / 4)
  return [
    ...[of(({ old }) => old.rate), of(({ now }) => now.rate)].map((rate) => rate.toFixed(3)),
    `${of(({ old, now }) => now.rate / old.rate).toFixed(3)} x`,
    ...[of(({ old }) => old.cpu), of(({ now }) => now.cpu)].map((cpu) => cpu.toFixed(3)),
    `${median(ratios).toFixed(3)} x`,
    `${ratios.at(quarter)?.toFixed(2)} to ${ratios.at(-1 - quarter)?.toFixed(2)}`,
  ]
}

function print([name = '', ...cells]: readonly string[]): void {
  console.log(name.padEnd(20) + cells.map((cell) => cell.padStart(13)).join(''))
}
