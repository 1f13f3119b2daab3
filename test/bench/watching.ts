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

/** What a message costs in two processes of each kind that took turns, in microseconds of processor time. */
interface Round {
  readonly plain: number
  readonly watched: number
}

/**
 * What it costs that a producer is watched, in processor time per message: medians over rounds of four processes, and their
 * middle half. False where the sink counted otherwise than was sent.
 */
export async function measureWatching(programs: Programs, settings: AgainstSettings): Promise<boolean> {
  let matched = true
  const rows: string[][] = []
  for (const { watched, plain, percent, times = 1 } of COMPARED)
    for (const mode of MODES)
      for (const bytes of BYTES) {
        const name = `${times === 1 ? '' : `${times} times `}${watched}: ${mode} ${bytes} B`
        if (!(settings.only?.some((part) => name.includes(part)) ?? true)) continue
        const rounds: Round[] = []
        for (let i = 0; i < settings.pairs; i++) {
          const sum = { plain: 0, watched: 0 }
          // Who is first and last has what the machine does meanwhile in common with who is in between.
          const order =
            i % 2 === 0 ? ['plain', 'watched', 'watched', 'plain'] : ['watched', 'plain', 'plain', 'watched']
          for (const who of order as (keyof Round)[]) {
            const watching = who === 'plain' ? plain : watched
            const { seconds, warmUpSeconds } = settings
            const job = { mode, bytes, watching, times: who === 'plain' ? 1 : times, seconds, warmUpSeconds }
            const { perMessage, isMatch } = await measure(job, programs)
            if (!isMatch) console.error(`${name}: COUNT DOES NOT MATCH`)
            matched &&= isMatch
            sum[who] += perMessage / 2
          }
          rounds.push(sum)
        }
        const row = [plain, ...columns(rounds, times), percent === undefined ? '' : `≤ ${percent}%`]
        console.error(`${name}: ${row.join('  ')}`)
        rows.push([name, ...row])
      }
  console.log(`Medians of ${settings.pairs} rounds, of two processes each.`)
  print(['', 'compared with', 'µs a message', 'costs', 'middle half', 'wanted'])
  for (const row of rows) print(row)
  return matched
}

async function measure(
  job: Omit<WatchingJob, 'bootstrap'>,
  { node }: Programs,
): Promise<{ readonly perMessage: number; readonly isMatch: boolean }> {
  const sink = await startSink(node, SINK_DEFAULTS)
  try {
    const text = JSON.stringify({ ...job, bootstrap: sink.bootstrap } satisfies WatchingJob)
    const [file = '', ...args] = pinned(CORES.client, [node, '--no-warnings', WATCHING_PROGRAM, text])
    const { stdout } = await promisify(execFile)(file, args, { timeout: PATIENCE_MS, killSignal: 'SIGKILL' })
    const { perMessage, messages } = JSON.parse(stdout) as MeasuredWatching
    const { records } = await sink.counts()
    return { perMessage, isMatch: records === messages }
  } finally {
    await sink.stop()
  }
}

/** @param times by how much what it costs more is divided */
function columns(rounds: readonly Round[], times: number): string[] {
  const plain = median(rounds.map((round) => round.plain))
  const watched = median(rounds.map((round) => round.watched))
  const ratios = rounds.map((round) => round.watched / round.plain).sort((a, b) => a - b)
  const quarter = Math.floor(ratios.length / 4)
  const percent = (ratio = 1) => `${(((ratio - 1) / times) * 100).toFixed(times === 1 ? 1 : 2)}%`
  return [
    `${plain.toFixed(2)} to ${watched.toFixed(2)}`,
    percent(median(ratios)),
    `${percent(ratios.at(quarter))} to ${percent(ratios.at(-1 - quarter))}`,
  ]
}

function print([name = '', ...cells]: readonly string[]): void {
  console.log(name.padEnd(52) + cells.map((cell) => cell.padStart(22)).join(''))
}
