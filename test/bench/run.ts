/**
 * How fast, and at what cost:
 *
 *   npm run bench [-- --quick] [--runs 3]
 *
 * The client runs in one process, a sink that speaks the protocol and counts in another; each on a core of its own,
 * where there are two. Beside this producer runs the least that a Node producer can do, as a limit. Figures are
 * medians of the runs; compare them within one table only, for machines differ and are noisy.
 */
import { execFile, fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { parseArgs, promisify } from 'node:util'

import type { Measured, Mode } from './clients/modes.js'

const here = new URL('.', import.meta.url).pathname
const run = promisify(execFile)

interface Row {
  readonly client: string
  readonly mode: Mode
  readonly bytes: number
  /** Messages a second. */
  readonly rate: number
  /** Seconds of the client's processor time per million messages. */
  readonly cpuPerMillion: number
  /** Of a `send()`, milliseconds; null in async mode. */
  readonly p50: number | null
  readonly p99: number | null
  readonly loopP99: number
  readonly rssMb: number
  readonly counted: boolean
}

const CASES: readonly { client: string; mode: Mode }[] = [
  { client: 'minimal', mode: 'batch' },
  { client: 'ours', mode: 'batch' },
  { client: 'minimal', mode: 'single' },
  { client: 'ours', mode: 'single' },
  { client: 'ours', mode: 'async' },
]

/** Pins a process to a core, where the system can. */
function pinned(core: number, command: readonly string[]): [string, string[]] {
  const [file = '', ...args] = process.platform === 'linux' && cpus().length > 1 ? ['taskset', '-c', String(core), ...command] : command
  return [file, args]
}

async function measure(client: string, mode: Mode, bytes: number, count: number): Promise<Row> {
  const sink: ChildProcess = fork(`${here}sink.ts`, [], { execArgv: ['--import', 'tsx'] })
  try {
    const [{ bootstrap }] = (await once(sink, 'message')) as [{ bootstrap: string }]
    const command = pinned(0, [process.execPath, '--import', 'tsx', `${here}client.ts`, `./clients/${client}.ts`, bootstrap, mode, String(bytes), String(count)])
    const { stdout } = await run(...command)
    const measured = JSON.parse(stdout) as Measured & { warmUp: number }
    sink.send('counts')
    const [counts] = (await once(sink, 'message')) as [{ records: number }]
    return {
      client,
      mode,
      bytes,
      rate: Math.round((count / measured.elapsed) * 1000),
      cpuPerMillion: (measured.cpu / count) * 1000,
      p50: measured.p50,
      p99: measured.p99,
      loopP99: measured.loopP99,
      rssMb: Math.round(measured.rss / 1e6),
      counted: counts.records === count + measured.warmUp,
    }
  } finally {
    sink.kill()
  }
}

function median(rows: readonly Row[]): Row {
  return [...rows].sort((a, b) => a.rate - b.rate)[Math.floor(rows.length / 2)] as Row
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false }, runs: { type: 'string' } } })
  const runs = Number(values.runs ?? (values.quick ? 1 : 3))
  const rows: Row[] = []
  for (const bytes of [100, 1_000]) {
    for (const { client, mode } of CASES) {
      const count = (values.quick ? 200_000 : 2_000_000) / (bytes === 100 ? 1 : 2)
      const repeated: Row[] = []
      for (let i = 0; i < runs; i++) repeated.push(await measure(client, mode, bytes, count))
      rows.push({ ...median(repeated), counted: repeated.every(({ counted }) => counted) })
    }
  }
  console.table(
    rows.map((row) => ({
      client: row.client,
      mode: row.mode,
      bytes: row.bytes,
      'messages/s': row.rate,
      'of minimal': `${Math.round((row.rate / (rows.find((other) => other.client === 'minimal' && other.bytes === row.bytes && other.mode === (row.mode === 'async' ? 'single' : row.mode))?.rate ?? Number.NaN)) * 100)} %`,
      'cpu s/million': row.cpuPerMillion.toFixed(2),
      'p99 ms': row.p99?.toFixed(1) ?? '',
      'loop p99 ms': row.loopP99.toFixed(1),
      'RSS MB': row.rssMb,
      'count matches': row.counted,
    })),
  )
  // What users' tests pay for their broker.
  const { stdout } = await run(process.execPath, ['--import', 'tsx', `${here}embedded-start.ts`])
  console.log(stdout)
  await mkdir('.reports', { recursive: true })
  await writeFile('.reports/bench.json', `${JSON.stringify({ node: process.version, date: new Date().toISOString(), rows }, null, 2)}\n`)
  if (!rows.every(({ counted }) => counted)) {
    console.error('The sink counted other messages than were sent.')
    process.exitCode = 1
  }
}

await main()
