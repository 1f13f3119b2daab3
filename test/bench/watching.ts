import type { AgainstSettings } from './against.js'
import { DEFAULTS, SINK_DEFAULTS } from './cases.js'
import { runClient } from './clients.js'
import type { Job, Mode, Watching } from './job.js'
import type { Programs } from './programs.js'
import { median } from './results.js'
import { startSink } from './servers.js'

const MODES: readonly Mode[] = ['batch', 'single', 'async']
const BYTES = [100, 1_000]

/** What each is compared with, in percent of that one's processor time: what it is to cost at the most. */
const COMPARED: readonly (readonly [what: Watching, with_: Watching, percent: number | undefined])[] = [
  ['logger and statistics', 'nobody', 2],
  ['an interceptor', 'logger and statistics', undefined],
  ['an unsampled caller', 'logger and statistics', undefined],
  ['tracing an unsampled caller', 'an unsampled caller', 5],
  ['tracing unsampled roots', 'logger and statistics', 5],
  ['tracing all', 'logger and statistics', undefined],
  ['metrics', 'logger and statistics', undefined],
]

/**
 * What it costs that a producer is watched: processor time per message, in pairs of runs that take turns in who is first.
 * What else the machine does strikes both of a pair, so the median of the pairs' ratios is told, and their middle half.
 * False where the sink counted otherwise than was sent.
 */
export async function measureWatching(programs: Programs, settings: AgainstSettings): Promise<boolean> {
  let matched = true
  const rows: string[][] = []
  for (const [what, plain, percent] of COMPARED) {
    for (const mode of MODES)
      for (const bytes of BYTES) {
        const name = `${what} (${plain}): ${mode} ${bytes} B`
        if (!(settings.only?.some((part) => name.includes(part)) ?? true)) continue
        const ratios: number[] = []
        const costs: number[] = []
        for (let pair = 0; pair < settings.pairs; pair++) {
          const cpu: Partial<Record<Watching, number>> = {}
          for (const watching of pair % 2 === 0 ? [plain, what] : [what, plain]) {
            const run = await cpuPerMillion(watching, mode, bytes, programs, settings)
            if (!run.isMatch) console.error(`${watching}, ${mode}: COUNT DOES NOT MATCH`)
            matched &&= run.isMatch
            cpu[watching] = run.cpu
          }
          ratios.push((cpu[what] as number) / (cpu[plain] as number))
          costs.push((cpu[what] as number) - (cpu[plain] as number))
        }
        const row = [...columns(ratios, costs), percent === undefined ? '' : `≤ ${percent}%`]
        console.error(`${name}: ${row.join('  ')}`)
        rows.push([name, ...row])
      }
  }
  console.log(`Medians of ${settings.pairs} pairs; each is compared with the one in brackets.`)
  print(['', 'costs', 'middle half', 'µs a message', 'wanted'])
  for (const row of rows) print(row)
  return matched
}

async function cpuPerMillion(
  watching: Watching,
  mode: Mode,
  bytes: number,
  programs: Programs,
  { seconds, warmUpSeconds }: AgainstSettings,
): Promise<{ readonly cpu: number; readonly isMatch: boolean }> {
  const sink = await startSink(programs.node, SINK_DEFAULTS)
  try {
    const { bootstrap } = sink
    const job: Job = {
      ...DEFAULTS,
      acks: -1,
      shape: 'untraced',
      bootstrap,
      mode,
      bytes,
      seconds,
      warmUpSeconds,
      watching,
    }
    const measured = await runClient('ours', job, programs, { isPinned: true, signal: sink.ended })
    const { records } = await sink.counts()
    const { messages, cpu, warmUpMessages } = measured
    return { cpu: (cpu / messages) * 1_000, isMatch: records === messages + warmUpMessages }
  } finally {
    await sink.stop()
  }
}

function columns(ratios: readonly number[], costs: readonly number[]): string[] {
  const sorted = ratios.toSorted((a, b) => a - b)
  const quarter = Math.floor(sorted.length / 4)
  const percent = (ratio = 1) => `${((ratio - 1) * 100).toFixed(1)}%`
  return [
    percent(median(ratios)),
    `${percent(sorted.at(quarter))} to ${percent(sorted.at(-1 - quarter))}`,
    median(costs).toFixed(3),
  ]
}

function print([name = '', ...cells]: readonly string[]): void {
  console.log(name.padEnd(88) + cells.map((cell) => cell.padStart(18)).join(''))
}
