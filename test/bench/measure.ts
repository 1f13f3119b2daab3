import { DEFAULTS, SINK_DEFAULTS, type Case, type Group } from './cases.js'
import { CLIENTS, runClient, whyMissing } from './clients.js'
import { corpusFile } from './corpus.js'
import type { Job, Measured } from './job.js'
import type { Programs } from './programs.js'
import { median, METRICS, type Metric, type Row } from './results.js'
import { startKafka, startSink, type Server } from './servers.js'

export interface Settings {
  readonly rounds: number
  readonly seconds: number
  readonly warmUpSeconds: number
  readonly corpusBytes: number
  readonly check: boolean
  readonly quick: boolean
}

interface Sample {
  readonly metrics: Partial<Record<Metric, number>>
  readonly matched: boolean
}

/** All cases of a group once per round, so that what disturbs the machine for a while disturbs every client. */
export async function measureGroup(group: Group, programs: Programs, settings: Settings): Promise<Row[]> {
  const cases = group.cases(settings.quick)
  const samples = cases.map((): Sample[] => [])
  const failures = cases.map((): string | undefined => undefined)
  let missing = cases.map((one) => whyNotRun(one, programs))
  let kafka: Server | undefined
  if (group.server === 'kafka' && cases.length > 0) {
    try {
      kafka = await startKafka()
    } catch (error) {
      missing = missing.map(() => (error as Error).message)
    }
  }
  try {
    for (let round = 1; round <= settings.rounds; round++) {
      for (const [i, one] of cases.entries()) {
        if (missing[i] !== undefined || failures[i] !== undefined) continue
        try {
          const sample = await measureCase(one, group, programs, settings, kafka)
          samples[i]?.push(sample)
          console.log(`${round}/${settings.rounds}  ${describe(one)}: ${brief(sample)}`)
        } catch (error) {
          failures[i] = (error as Error).message
          console.error(`${describe(one)} FAILED: ${failures[i]}`)
        }
      }
    }
  } finally {
    await kafka?.stop()
  }
  return cases.map(({ client, mode, bytes, variant = '' }, i) => {
    const row = { client, mode, bytes, variant }
    const [notRun, failed, taken = []] = [missing[i], failures[i], samples[i]]
    if (notRun !== undefined) return { ...row, metrics: {}, matched: null, notRun }
    if (failed !== undefined) return { ...row, metrics: {}, matched: null, failed }
    return { ...row, metrics: medians(taken), matched: taken.every(({ matched }) => matched) }
  })
}

function whyNotRun({ client, job }: Case, programs: Programs): string | undefined {
  return job?.codec === 'zstd' && !programs.hasZstd ? 'zstd needs a newer Node' : whyMissing(client, programs)
}

async function measureCase(
  one: Case,
  group: Group,
  programs: Programs,
  settings: Settings,
  kafka: Server | undefined,
): Promise<Sample> {
  const server =
    kafka ??
    (await startSink(programs.node, { ...SINK_DEFAULTS, pinned: group.isPinned, check: settings.check, ...one.sink }))
  try {
    const corpus = one.corpus === undefined ? {} : { corpus: await corpusFile(one.corpus, settings.corpusBytes) }
    const { seconds, warmUpSeconds } = settings
    const job: Job = {
      ...DEFAULTS,
      bootstrap: server.bootstrap,
      mode: one.mode,
      bytes: one.bytes,
      seconds,
      warmUpSeconds,
      ...corpus,
      ...one.job,
    }
    const before = await server.counts()
    const measured = await runClient(one.client, job, programs, { isPinned: group.isPinned, signal: server.ended })
    const after = await server.counts()
    const bytes = after.bytes === null || before.bytes === null ? null : after.bytes - before.bytes
    return {
      metrics: metricsOf(measured, bytes),
      matched: after.records - before.records === measured.messages + measured.warmUpMessages,
    }
  } finally {
    if (kafka === undefined) await server.stop()
  }
}

const MB = 1e6

function metricsOf(measured: Measured, bytesOnWire: number | null): Sample['metrics'] {
  const { messages, warmUpMessages, elapsed, cpu, valueBytes, p50, p99, loopP99, loopMax } = measured
  const rate = (messages / elapsed) * 1_000
  const share = messages / (messages + warmUpMessages)
  const megabytes = (bytes: number | null) => (bytes === null ? null : bytes / MB)
  const all: Partial<Record<Metric, number | null>> = {
    rate,
    mbPerSecond: ((valueBytes * share) / MB / elapsed) * 1_000,
    ratio: bytesOnWire === null ? null : valueBytes / bytesOnWire,
    cpuPerMillion: (cpu / messages) * 1_000,
    p50,
    p99,
    loopP99,
    loopMax,
    rssEarly: megabytes(measured.rssEarly),
    rssLate: megabytes(measured.rssLate),
    rssPeak: megabytes(measured.rssPeak),
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null))
}

/** Each metric's own median, and how far apart the rates were. */
function medians(samples: readonly Sample[]): Row['metrics'] {
  const metrics: Partial<Record<Metric, number>> = {}
  for (const metric of Object.keys(METRICS) as Metric[]) {
    const values = samples.flatMap((sample) => sample.metrics[metric] ?? [])
    if (values.length > 0) metrics[metric] = median(values)
  }
  const rates = samples.flatMap(({ metrics: { rate } }) => rate ?? [])
  return { ...metrics, rateMin: Math.min(...rates), rateMax: Math.max(...rates) }
}

function describe({ client, mode, bytes, variant }: Case): string {
  return [CLIENTS[client], mode, `${bytes} B`, variant].filter((part) => part !== undefined).join(', ')
}

function brief({ metrics: { rate = 0, cpuPerMillion = 0 }, matched }: Sample): string {
  return `${Math.round(rate).toLocaleString('en')} messages/s, ${cpuPerMillion.toFixed(2)} CPU s per million${matched ? '' : ', COUNT DOES NOT MATCH'}`
}
