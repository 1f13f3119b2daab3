import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { SINK_DEFAULTS } from './cases.js'
import { ENDINGS, type EndingName, type MeasuredEnding } from './ending-names.js'
import { CORES, pinned } from './pinned.js'
import { ENDINGS_PROGRAM, type Programs } from './programs.js'
import { median, type Row } from './results.js'
import { startSink } from './servers.js'

/** A broker that does not answer, for as long as this takes. */
const NEVER_MS = 600_000
const PATIENCE_MS = 120_000

/** How long it takes until messages that end together are all told, and how long others wait meanwhile. */
export async function measureEndings(programs: Programs, rounds: number): Promise<Row[]> {
  const rows: Row[] = []
  for (const name of Object.keys(ENDINGS) as EndingName[]) {
    const row = { client: 'ours', mode: null, bytes: null, variant: ENDINGS[name] } as const
    try {
      const samples: MeasuredEnding[] = []
      for (let round = 0; round < rounds; round++) samples.push(await measureOne(name, programs))
      const of = (figure: (sample: MeasuredEnding) => number) => median(samples.map(figure))
      rows.push({
        ...row,
        metrics: {
          toldMs: of(({ told }) => told),
          cpuMs: of(({ cpu }) => cpu),
          loopMax: of(({ loopMax }) => loopMax),
          rssPeak: of(({ rssPeak }) => rssPeak) / 1e6,
        },
        matched: samples.every(({ count, expected }) => count === expected),
      })
    } catch (error) {
      rows.push({ ...row, metrics: {}, matched: null, failed: (error as Error).message })
    }
  }
  return rows
}

async function measureOne(name: EndingName, { node }: Programs): Promise<MeasuredEnding> {
  const sink = await startSink(node, { ...SINK_DEFAULTS, delayMs: name === 'flush' ? 0 : NEVER_MS })
  try {
    const command = [node, '--no-warnings', ENDINGS_PROGRAM, name, sink.bootstrap]
    const [file = '', ...args] = pinned(CORES.client, command)
    const { stdout } = await promisify(execFile)(file, args, { timeout: PATIENCE_MS, killSignal: 'SIGKILL' })
    return JSON.parse(stdout) as MeasuredEnding
  } finally {
    await sink.stop()
  }
}
