import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

import { TOPIC, type Job, type Measured } from './job.js'
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
export const PEER_NAMES = ['platformatic', 'kafka-ts', 'kafkajs', 'confluent', 'node-rdkafka'] as const satisfies readonly ClientName[]

/** Runs one job in a process of its own. Throws what the process says when it fails. */
export async function runClient(name: ClientName, job: Job, programs: Programs, isPinned: boolean): Promise<Measured> {
  const core = isPinned ? CORES.client : undefined
  if (name === 'perf-test') return runPerfTest(job, programs.perfTest ?? [], core)
  return JSON.parse(await output(pinned(core, command(name, job, programs)), job)) as Measured
}

/** Why it can't run here; undefined where it can. */
export function whyMissing(name: ClientName, { missing }: Programs): string | undefined {
  return missing[CLIENTS[name]] ?? missing[name]
}

function command(name: ClientName, job: Job, { node, librdkafka = '' }: Programs): string[] {
  if (name !== 'librdkafka') return [name in NATIVE_PEERS ? process.execPath : node, CLIENT_PROGRAM, name, JSON.stringify(job)]
  const { bootstrap, seconds, warmUpSeconds, bytes, acks, codec, level, corpus } = job
  // Compiled code needs no warming up, and what it would send before a corpus is no part of that.
  const warmUp = corpus === undefined ? warmUpSeconds : 0
  return [librdkafka, ...[bootstrap, seconds, warmUp, bytes, acks, codec, level ?? '-'].map(String), ...(corpus === undefined ? [] : [corpus])]
}

async function output([file = '', ...args]: readonly string[], { seconds, warmUpSeconds }: Job): Promise<string> {
  try {
    const { stdout } = await run(file, args, { timeout: (seconds + warmUpSeconds) * 1_000 + PATIENCE_MS, killSignal: 'SIGKILL' })
    return stdout
  } catch (error) {
    const { stderr = '', killed } = error as { stderr?: string; killed?: boolean }
    throw new Error(killed === true ? 'did not end in time' : (stderr.trim().split('\n').find((line) => /error|fail/i.test(line)) ?? String(error)), { cause: error })
  }
}

/** It sends a count and not for a time: about as many as fill the time, where a loopback and one core are the limit. */
const PERF_TEST_BYTES_PER_SECOND = 80e6
const RECORD_OVERHEAD = 100
/** The options that correspond to this library's defaults. */
const PERF_TEST_OPTIONS = ['enable.idempotence=false', 'batch.size=1000000', 'linger.ms=5', 'buffer.memory=33554432', 'max.request.size=1048576']

/**
 * Its own rate, after a warm-up; of processor time what the whole process took, less what it takes to send one message.
 */
async function runPerfTest(job: Job, java: readonly string[], core: number | undefined): Promise<Measured> {
  const { bootstrap, bytes, acks, seconds } = job
  const perfTest = async (warmUp: number, records: number) => {
    const options = [`bootstrap.servers=${bootstrap}`, `acks=${acks}`, ...PERF_TEST_OPTIONS]
    const counts = ['--num-records', String(warmUp + records), ...(warmUp === 0 ? [] : ['--warmup-records', String(warmUp)])]
    const args = ['--topic', TOPIC, ...counts, '--record-size', String(bytes), '--throughput', '-1', '--command-property', ...options]
    const timed = ['bash', '-c', 'TIMEFORMAT="%U %S"; time "$@" 2>&1', 'bash', ...java, ...args]
    const [file = '', ...rest] = pinned(core, timed)
    const { stdout, stderr } = await run(file, rest, { timeout: seconds * 1_000 + PATIENCE_MS, killSignal: 'SIGKILL' })
    const [, rate, p50, p99] = /records sent, ([\d.]+) records\/sec .* (\d+) ms 50th, .* (\d+) ms 99th/.exec(stdout.trim().split('\n').at(-1) ?? '') ?? []
    if (rate === undefined) throw new Error(`producer-perf-test says: ${stdout.trim().split('\n').at(-1)}`)
    const [user = 0, system = 0] = (stderr.trim().split('\n').at(-1) ?? '').split(' ').map(Number)
    return { rate: Number(rate), p50: Number(p50), p99: Number(p99), cpu: (user + system) * 1_000 }
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
    p50: all.p50,
    p99: all.p99,
    loopP99: null,
    loopMax: null,
    rssEarly: null,
    rssLate: null,
    rssPeak: null,
  }
}
