import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { AgainstSettings } from './against.js'
import { SINK_DEFAULTS } from './cases.js'
import type { Mode } from './job.js'
import { CORES, pinned } from './pinned.js'
import { WATCHING_PROGRAM, type Programs } from './programs.js'
import { median } from './results.js'
import { startSink } from './servers.js'
import type { MeasuredWatching, Watching, WatchingJob } from './watching-names.js'

const MODES: readonly Mode[] = ['batch', 'single', 'async']
const BYTES = [100, 1_000]
/** Enough that the garbage of a stretch is mostly its own. */
const STRETCH_SECONDS = 0.25
/** Of one process: what another one's memory happens to look like is as much as what is looked for. */
const ROUNDS = 3
const PATIENCE_MS = 120_000

interface Comparison {
  readonly watched: Watching
  readonly plain: Watching
  /** In percent of the plain one's processor time: what it is to cost at the most. */
  readonly percent?: number
  /** How often everything that is told of a batch or a request is told; once by default. What that costs is divided by it. */
  readonly times?: number
}

const MANY_TIMES = 20
const COMPARED: readonly Comparison[] = [
  // What two of the same kind differ by is what the others are to be trusted by.
  { watched: 'nobody', plain: 'nobody' },
  { watched: 'logger and statistics', plain: 'nobody', percent: 2 },
  { watched: 'logger and statistics', plain: 'nobody', percent: 2, times: MANY_TIMES },
  { watched: 'an interceptor', plain: 'logger and statistics' },
  { watched: 'tracing an unsampled caller', plain: 'an unsampled caller', percent: 5 },
  { watched: 'tracing unsampled roots', plain: 'logger and statistics' },
  { watched: 'tracing all', plain: 'logger and statistics' },
  { watched: 'metrics', plain: 'logger and statistics' },
]

/**
 * What it costs that a producer is watched, in processor time per message: medians over processes, and their middle half.
 * False where the sink counted otherwise than was sent.
 */
export async function measureWatching(programs: Programs, settings: AgainstSettings): Promise<boolean> {
  let matched = true
  const rows: string[][] = []
  for (const { watched, plain, percent, times = 1 } of COMPARED)
    for (const mode of MODES)
      for (const bytes of BYTES) {
        const name = `${times === 1 ? '' : `${times} times `}${watched}: ${mode} ${bytes} B`
        if (!(settings.only?.some((part) => name.includes(part)) ?? true)) continue
        const { pairs, warmUpSeconds } = settings
        const all: MeasuredWatching[] = []
        for (let i = 0; i < pairs; i++) {
          const timing = { seconds: STRETCH_SECONDS, warmUpSeconds, rounds: ROUNDS, isWatchedFirst: i % 2 === 1 }
          const { measured, isMatch } = await compare({ mode, bytes, plain, watched, times, ...timing }, programs)
          if (!isMatch) console.error(`${name}: COUNT DOES NOT MATCH`)
          matched &&= isMatch
          all.push(measured)
        }
        const row = [plain, ...columns(all, times), percent === undefined ? '' : `≤ ${percent}%`]
        console.error(`${name}: ${row.join('  ')}`)
        rows.push([name, ...row])
      }
  console.log(
    `Medians of ${settings.pairs} processes, each with ${ROUNDS} rounds of four stretches of ${STRETCH_SECONDS} s.`,
  )
  print(['', 'compared with', 'µs a message', 'costs', 'middle half', 'wanted'])
  for (const row of rows) print(row)
  return matched
}

async function compare(
  job: Omit<WatchingJob, 'bootstrap'>,
  { node }: Programs,
): Promise<{ readonly measured: MeasuredWatching; readonly isMatch: boolean }> {
  const sink = await startSink(node, SINK_DEFAULTS)
  try {
    const text = JSON.stringify({ ...job, bootstrap: sink.bootstrap } satisfies WatchingJob)
    const [file = '', ...args] = pinned(CORES.client, [node, '--no-warnings', WATCHING_PROGRAM, text])
    const { stdout } = await promisify(execFile)(file, args, { timeout: PATIENCE_MS, killSignal: 'SIGKILL' })
    const measured = JSON.parse(stdout) as MeasuredWatching
    const { records } = await sink.counts()
    return { measured, isMatch: records === measured.messages }
  } finally {
    await sink.stop()
  }
}

/** @param times by how much what it costs more is divided */
function columns(all: readonly MeasuredWatching[], times: number): string[] {
  const plain = all.map((process) => median(process.plain))
  const watched = all.map((process) => median(process.watched))
  const ratios = watched.map((cpu, process) => cpu / (plain[process] as number)).sort((a, b) => a - b)
  const quarter = Math.floor(ratios.length / 4)
  const percent = (ratio = 1) => `${(((ratio - 1) / times) * 100).toFixed(times === 1 ? 1 : 2)}%`
  return [
    `${median(plain).toFixed(2)} to ${median(watched).toFixed(2)}`,
    percent(median(ratios)),
    `${percent(ratios.at(quarter))} to ${percent(ratios.at(-1 - quarter))}`,
  ]
}

function print([name = '', ...cells]: readonly string[]): void {
  console.log(name.padEnd(40) + cells.map((cell) => cell.padStart(22)).join(''))
}
