import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { SINK_DEFAULTS } from './cases.js'
import { OVERLOADS, type MeasuredOverload, type OverloadJob, type OverloadKind } from './overload-job.js'
import { CORES, pinned } from './pinned.js'
import { OVERLOAD_PROGRAM, type Programs } from './programs.js'
import { median, type Row } from './results.js'
import { startSink } from './servers.js'

const PATIENCE_MS = 120_000
/** How long a broker is well before it is away. */
const WELL_MS = 1_000

/** What a message costs and what is held, from the usual to the extreme of each kind. */
export async function measureOverload(programs: Programs, rounds: number, quick: boolean): Promise<Row[]> {
  const rows: Row[] = []
  for (const kind of Object.keys(OVERLOADS) as OverloadKind[]) {
    const { sizes, title } = OVERLOADS[kind]
    for (const size of quick ? sizes.slice(0, 1) : sizes) {
      const row = { client: 'ours', mode: null, bytes: null, variant: title(size.toLocaleString('en')) } as const
      try {
        const samples: [MeasuredOverload, boolean][] = []
        for (let round = 0; round < rounds; round++) samples.push(await measureOne(kind, size, programs))
        const of = (figure: (sample: MeasuredOverload) => number) => median(samples.map(([sample]) => figure(sample)))
        rows.push({
          ...row,
          metrics: {
            rate: of(({ messages, elapsed }) => (messages / elapsed) * 1_000),
            mbPerSecond: of(({ valueBytes, elapsed }) => valueBytes / elapsed / 1_000),
            cpuPerMillion: of(({ messages, cpu }) => (cpu / messages) * 1_000),
            loopMax: of(({ loopMax }) => loopMax),
            heldPeak: of(({ heldPeak }) => heldPeak / 1e6),
            rssPeak: of(({ rssPeak }) => rssPeak / 1e6),
          },
          matched: samples.every(([, matched]) => matched),
        })
      } catch (error) {
        rows.push({ ...row, metrics: {}, matched: null, failed: (error as Error).message })
      }
    }
  }
  return rows
}

async function measureOne(kind: OverloadKind, size: number, { node }: Programs): Promise<[MeasuredOverload, boolean]> {
  const sink = await startSink(node, { ...SINK_DEFAULTS, ...OVERLOADS[kind].sink })
  const leaving = kind === 'away' ? setTimeout(() => sink.leave(size * 1_000), WELL_MS) : undefined
  try {
    const job: OverloadJob = { kind, size, bootstrap: sink.bootstrap }
    const command = pinned(CORES.client, [node, '--no-warnings', OVERLOAD_PROGRAM, JSON.stringify(job)])
    const [file = '', ...args] = command
    const { stdout } = await promisify(execFile)(file, args, { timeout: PATIENCE_MS, killSignal: 'SIGKILL' })
    const measured = JSON.parse(stdout) as MeasuredOverload
    // The first ones are not measured, and a broker that goes away may have taken what it did not acknowledge.
    return [measured, (await sink.counts()).records >= measured.messages]
  } finally {
    clearTimeout(leaving)
    await sink.stop()
  }
}
