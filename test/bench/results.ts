import { execFileSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { cpus, release, totalmem, type } from 'node:os'
import type { ClientName } from './clients.js'
import type { Mode } from './job.js'

/** What is told of a row, each with its heading and how it is written. */
export const METRICS = {
  rate: { heading: 'messages/s', digits: 0 },
  rateMin: { heading: 'least', digits: 0 },
  rateMax: { heading: 'most', digits: 0 },
  mbPerSecond: { heading: 'MB/s', digits: 1 },
  ratio: { heading: 'ratio', digits: 2 },
  cpuPerMillion: { heading: 'CPU s per million', digits: 2 },
  p50: { heading: 'send() median, ms', digits: 3 },
  p99: { heading: 'send() p99, ms', digits: 2 },
  loopP99: { heading: 'loop delay p99, ms', digits: 1 },
  loopMax: { heading: 'loop delay max, ms', digits: 1 },
  rssEarly: { heading: 'RSS first fifth, MB', digits: 0 },
  rssLate: { heading: 'RSS after it, MB', digits: 0 },
  rssPeak: { heading: 'RSS peak, MB', digits: 0 },
  heldPeak: { heading: 'held at the most, MB', digits: 1 },
  toldMs: { heading: 'all told, ms', digits: 0 },
  cpuMs: { heading: 'CPU ms', digits: 0 },
  importMs: { heading: 'import, ms', digits: 1 },
  installMb: { heading: 'installed, MB', digits: 2 },
} as const
export type Metric = keyof typeof METRICS

export interface Row {
  readonly client: ClientName
  readonly mode: Mode | null
  readonly bytes: number | null
  /** What else sets it apart within its group: '5 ms', 'keys, partitions: 10,000', 'json, zstd 3'. */
  readonly variant: string
  /** Medians of the rounds. */
  readonly metrics: Partial<Record<Metric, number>>
  /** Whether the server counted, in every round, what the client says it sent; null where nothing was sent. */
  readonly matched: boolean | null
  /** What it would need to run, where that is not here. */
  readonly notRun?: string
  /** Why it has no metrics though it should. */
  readonly failed?: string
}

export interface GroupResult {
  readonly date: string
  readonly command: string
  readonly machine: string
  readonly versions: Readonly<Record<string, string>>
  /** How many wanted a core at the end of it, on average of a minute; the client and its server are two of them. */
  readonly load: number
  readonly rounds: number
  /** Of one measurement; 0 where it takes as long as its work. */
  readonly seconds: number
  readonly rows: readonly Row[]
}

/** By group; each has its own date, since one can be measured alone. */
export type Results = Readonly<Record<string, GroupResult>>

export async function readResults(file: string): Promise<Results> {
  const text = await readFile(file, 'utf8').catch(() => '{}')
  return JSON.parse(text) as Results
}

/** Other groups in the file stay as they are. */
export async function saveGroup(file: string, name: string, result: GroupResult): Promise<void> {
  await writeFile(file, `${JSON.stringify({ ...(await readResults(file)), [name]: result }, null, 2)}\n`)
}

export function machine(): string {
  const cores = cpus()
  return `${cores[0]?.model.trim() ?? 'unknown processor'}, ${cores.length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release()}${virtual()}`
}

/** A virtual machine shares its cores with others, and its figures vary more. */
function virtual(): string {
  try {
    const kind = execFileSync('systemd-detect-virt', ['--vm'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
    return `, virtual (${kind})`
  } catch {
    return ''
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
}
