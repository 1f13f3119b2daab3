import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { TOPIC, type Job, type Measured } from './job.js'
import { WORK } from './paths.js'
import { payloads } from './payloads.js'
import { CORES, pinned } from './pinned.js'
import { CLIENT_PROGRAM, NATIVE_PEERS, type Programs } from './programs.js'

const run = promisify(execFile)

/** How long a client may take beyond the time it is to send. */
const PATIENCE_MS = 120_000

/** What the tables call them, by the name of their file in `clients/`. */
export const CLIENTS = {
  ours: 'kafka-producer',
  kafkajs: 'kafkajs',
  platformatic: '@platformatic/kafka',
  'kafka-ts': 'kafka-ts',
  confluent: '@confluentinc/kafka-javascript',
  'node-rdkafka': 'node-rdkafka',
  librdkafka: 'librdkafka, C',
  'perf-test': 'Kafka’s Java producer',
  minimal: 'minimal producer',
  raw: 'raw socket',
} as const
export type ClientName = keyof typeof CLIENTS
/** Producers for Node that somebody could use instead. */
export const PEER_NAMES = [
  'platformatic',
  'kafka-ts',
  'kafkajs',
  'confluent',
  'node-rdkafka',
] as const satisfies readonly ClientName[]

export interface RunOptions {
  readonly isPinned: boolean
  /** Ends the process. */
  readonly signal: AbortSignal | undefined
}

/** Runs one job in a process of its own. Throws what the process says when it fails. */
export async function runClient(
  name: ClientName,
  job: Job,
  programs: Programs,
  { isPinned, signal }: RunOptions,
): Promise<Measured> {
  const core = isPinned ? CORES.client : undefined
  const start = (command: readonly string[]) =>
    output(pinned(core, command), (job.seconds + job.warmUpSeconds) * 1_000 + PATIENCE_MS, signal)
  if (name === 'perf-test') return runPerfTest(job, programs.perfTest ?? [], start)
  return JSON.parse((await start(command(name, job, programs))).stdout) as Measured
}

/** Why it can't run here; undefined where it can. */
export function whyMissing(name: ClientName, { missing }: Programs): string | undefined {
  return missing[CLIENTS[name]] ?? missing[name]
}

function command(name: ClientName, job: Job, { node, librdkafka = '' }: Programs): string[] {
  if (name !== 'librdkafka')
    return [name in NATIVE_PEERS ? process.execPath : node, CLIENT_PROGRAM, name, JSON.stringify(job)]
  const { bootstrap, seconds, warmUpSeconds, bytes, acks, codec, level, corpus, shape } = job
  // Compiled code needs no warming up, and what it would send before a corpus is no part of that.
  const warmUp = corpus === undefined ? warmUpSeconds : 0
  return [
    librdkafka,
    ...[bootstrap, seconds, warmUp, bytes, acks, codec, level ?? '-'].map(String),
    ...(corpus !== undefined ? ['corpus', corpus] : shape === 'real' ? ['real', realFile(bytes)] : ['value', '-']),
  ]
}

/** The messages of the real shape, for whom is not written in JavaScript. */
function realFile(bytes: number): string {
  const file = join(WORK, `real-${bytes}.tsv`)
  const lines = payloads('real', bytes).map(({ key, value, headers = {} }) =>
    [key, value, headers['traceparent'], headers['source']].join('\t'),
  )
  writeFileSync(file, `${lines.join('\n')}\n`)
  return file
}

interface Output {
  readonly stdout: string
  readonly stderr: string
}

async function output(
  [file = '', ...args]: readonly string[],
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<Output> {
  try {
    return await run(file, args, { timeout, signal, killSignal: 'SIGKILL' })
  } catch (error) {
    signal?.throwIfAborted()
    const { stderr = '', killed } = error as { stderr?: string; killed?: boolean }
    const lines = stderr.trim().split('\n')
    throw new Error(
      killed === true
        ? 'did not end in time'
        : (lines.find((line) => /^\[?\w*Error\b/.test(line)) ?? lines.at(-1) ?? ''),
      { cause: error },
    )
  }
}

/** It sends a count and not for a time: about as many as fill the time, where a loopback and one core are the limit. */
const PERF_TEST_BYTES_PER_SECOND = 80e6
const RECORD_OVERHEAD = 100
/** The options that correspond to this library's defaults. */
const PERF_TEST_OPTIONS = [
  'enable.idempotence=false',
  'batch.size=1000000',
  'linger.ms=5',
  'buffer.memory=33554432',
  'max.request.size=1048576',
]

/**
 * Its own rate, after a warm-up; of processor time what the whole process took, less what it takes to send one message.
 */
async function runPerfTest(
  job: Job,
  java: readonly string[],
  start: (command: readonly string[]) => Promise<Output>,
): Promise<Measured> {
  const { bootstrap, bytes, acks, seconds } = job
  const perfTest = async (warmUp: number, records: number) => {
    const options = [`bootstrap.servers=${bootstrap}`, `acks=${acks}`, ...PERF_TEST_OPTIONS]
    const counts = [
      '--num-records',
      String(warmUp + records),
      ...(warmUp === 0 ? [] : ['--warmup-records', String(warmUp)]),
    ]
    const args = [
      '--topic',
      TOPIC,
      ...counts,
      '--record-size',
      String(bytes),
      '--throughput',
      '-1',
      '--command-property',
      ...options,
    ]
    const { stdout, stderr } = await start([
      'bash',
      '-c',
      'TIMEFORMAT="%U %S"; time "$@" 2>&1',
      'bash',
      ...java,
      ...args,
    ])
    const last = stdout.trim().split('\n').at(-1) ?? ''
    const rate = /records sent, ([\d.]+) records\/sec/.exec(last)?.[1]
    if (rate === undefined) throw new Error(`producer-perf-test says: ${last}`)
    const [user = 0, system = 0] = (stderr.trim().split('\n').at(-1) ?? '').split(' ').map(Number)
    return { rate: Number(rate), cpu: (user + system) * 1_000 }
  }
  const messages = Math.ceil((seconds * PERF_TEST_BYTES_PER_SECOND) / (bytes + RECORD_OVERHEAD))
  const warmUp = Math.ceil(messages / 3)
  const one = await perfTest(0, 1)
  const all = await perfTest(warmUp, messages)
  return {
    messages,
    warmUpMessages: warmUp + 1,
    elapsed: (messages / all.rate) * 1_000,
    cpu: ((all.cpu - one.cpu) * messages) / (warmUp + messages),
    valueBytes: (warmUp + messages + 1) * bytes,
    p50: null,
    p99: null,
    loopP99: null,
    loopMax: null,
    rssEarly: null,
    rssLate: null,
    rssPeak: null,
  }
}
