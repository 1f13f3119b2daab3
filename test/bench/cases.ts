/** What is measured: groups of cases, in the order in which they run. */
import { PEER_NAMES, type ClientName } from './clients.js'
import { PARTITIONS, SINGLES_OUTSTANDING, type Job, type Mode } from './job.js'
import type { Metric } from './results.js'
import type { SinkOptions } from './servers.js'

export interface Case {
  readonly client: ClientName
  readonly mode: Mode
  readonly bytes: number
  readonly variant?: string
  readonly job?: Partial<Job>
  readonly sink?: Partial<SinkOptions>
  /** Which corpus the values are of. */
  readonly corpus?: CorpusName
}

export type CorpusName = 'json' | 'random'

export interface Group {
  readonly title: string
  readonly text: string
  /** Of one measurement, after a warm-up; 0 where it takes as long as its work. */
  readonly seconds: number
  readonly server: 'sink' | 'kafka'
  /** Client and sink on a core each; otherwise the system places them. */
  readonly isPinned: boolean
  readonly columns: readonly Metric[]
  /** Only when asked for by its name. */
  readonly isExtra?: boolean
  readonly cases: (quick: boolean) => Case[]
}

const RATES: readonly Metric[] = ['rate', 'rateMin', 'rateMax', 'cpuPerMillion', 'p50', 'p99', 'loopP99', 'rssPeak']
const PROMISES = ['batch', 'single'] as const
const MODES = ['batch', 'single', 'async'] as const

export const DEFAULTS: Omit<Job, 'bootstrap' | 'mode' | 'bytes' | 'seconds' | 'warmUpSeconds'> = {
  shape: 'value',
  acks: 1,
  outstanding: SINGLES_OUTSTANDING,
  codec: 'none',
}
export const SINK_DEFAULTS: SinkOptions = { partitions: PARTITIONS, brokers: 1, delayMs: 0, check: false, pinned: true }

export const GROUPS = {
  rates: {
    title: 'Rates',
    text: 'acks 1, one topic of 6 partitions, values alone, no key.',
    seconds: 2,
    server: 'sink',
    isPinned: true,
    columns: RATES,
    cases: (quick) =>
      (quick ? [100] : [100, 1_000]).flatMap((bytes) => [
        ...limits(bytes),
        ...everyone(bytes),
        { client: 'perf-test', mode: 'async', bytes },
      ]),
  },
  delay: {
    title: 'A broker that takes its time',
    text: 'The sink answers each Produce request after 1 ms or 5 ms.',
    seconds: 1,
    server: 'sink',
    isPinned: true,
    columns: RATES,
    cases: (quick) =>
      (quick ? [5] : [1, 5]).flatMap((delayMs) =>
        everyone(100, { variant: `${delayMs} ms`, sink: { delayMs } }, quick ? ['batch'] : PROMISES),
      ),
  },
  far: {
    title: 'One partition, and a broker that takes long',
    text: 'acks -1, values of 1,000 bytes in async mode; the sink answers each Produce request after 5 ms, or after 300 ms as one that keeps its log in an object store. Up to five batches in flight, as sequences allow, and one without them.',
    seconds: 6,
    server: 'sink',
    isPinned: true,
    columns: ['rate', 'mbPerSecond', 'cpuPerMillion', 'loopP99', 'rssPeak'],
    cases: () =>
      [5, 300].flatMap((delayMs) =>
        [true, false].map((idempotent): Case => ({
          client: 'ours',
          mode: 'async',
          bytes: 1_000,
          variant: `${delayMs} ms, ${idempotent ? 'five' : 'one'} in flight`,
          sink: { delayMs, partitions: 1 },
          job: { acks: -1, idempotent },
        })),
      ),
  },
  brokers: {
    title: 'Three brokers',
    text: 'Two of the six partitions on each.',
    seconds: 1,
    server: 'sink',
    isPinned: true,
    columns: RATES,
    cases: (quick) => everyone(100, { variant: '3 brokers', sink: { brokers: 3 } }, quick ? ['batch'] : PROMISES),
  },
  shape: {
    title: 'What services send',
    text: 'acks -1; one of 5,000 customers as key, JSON as a string, headers `traceparent`, another in each message, and `source`. The partition is by the key.',
    seconds: 2,
    server: 'sink',
    isPinned: true,
    columns: RATES,
    cases: (quick) =>
      (quick ? [100] : [100, 1_000]).flatMap((bytes) =>
        everyone(bytes, { job: { acks: -1, shape: 'real' } }, PROMISES),
      ),
  },
  lone: {
    title: 'A lone message',
    text: 'One message at a time on an idle connection.',
    seconds: 1,
    server: 'sink',
    isPinned: true,
    columns: ['p50', 'p99'],
    cases: () =>
      (['raw', 'minimal', 'ours', ...PEER_NAMES] as const).map((client) => ({ client, mode: 'lone', bytes: 100 })),
  },
  real: {
    title: 'A real Kafka',
    text: 'The newest release, one broker, the same settings for all.',
    seconds: 3,
    server: 'kafka',
    isPinned: true,
    columns: RATES,
    cases: (quick) =>
      (quick ? [] : [100, 1_000]).flatMap((bytes) => [
        ...MODES.map((mode): Case => ({ client: 'ours', mode, bytes })),
        { client: 'platformatic', mode: 'batch', bytes },
        { client: 'librdkafka', mode: 'async', bytes },
        { client: 'perf-test', mode: 'async', bytes },
      ]),
  },
  scaling: {
    title: 'Scaling',
    text: 'What a message costs as partitions, brokers and outstanding promises grow.',
    seconds: 1,
    server: 'sink',
    isPinned: true,
    columns: ['rate', 'cpuPerMillion', 'p99', 'loopP99', 'rssPeak'],
    cases: (quick) => [
      ...sizes(quick, [1, 100, 10_000]).map((partitions): Case => ({
        client: 'ours',
        mode: 'single',
        bytes: 100,
        variant: `partitions: ${count(partitions)}`,
        sink: { partitions },
      })),
      ...sizes(quick, [1, 100, 10_000]).map((partitions): Case => ({
        client: 'ours',
        mode: 'async',
        bytes: 100,
        variant: `keys, partitions: ${count(partitions)}`,
        sink: { partitions },
        job: { shape: 'keyed' },
      })),
      ...sizes(quick, [1, 10, 100]).map((brokers): Case => ({
        client: 'ours',
        mode: 'single',
        bytes: 100,
        variant: `brokers: ${count(brokers)}`,
        sink: { brokers, partitions: 100 },
      })),
      ...sizes(quick, [1, 1_000, 100_000]).map((outstanding): Case => ({
        client: 'ours',
        mode: 'single',
        bytes: 100,
        variant: `outstanding: ${count(outstanding)}`,
        job: { outstanding },
      })),
    ],
  },
  memory: memory(5, false),
  soak: memory(600, true),
  loop: {
    title: 'Event-loop delay',
    text: 'At full speed; a timer of 1 ms asks how late it is called.',
    seconds: 2,
    server: 'sink',
    isPinned: true,
    columns: ['rate', 'loopP99', 'loopMax'],
    cases: (quick) =>
      (quick ? [100] : [100, 1_000]).flatMap((bytes) => MODES.map((mode) => ({ client: 'ours', mode, bytes }))),
  },
  endings: {
    title: 'Many that end together',
    text: 'Messages of the real shape, sent one by one, that end at once; a broker that does not answer, but for flush().',
    seconds: 0,
    server: 'sink',
    isPinned: true,
    columns: ['toldMs', 'cpuMs', 'loopMax', 'rssPeak'],
    cases: () => [],
  },
  overload: {
    title: 'Too much',
    text: 'Messages of 100 B, 200,000 of them with 1,000 promises outstanding where the row does not say otherwise; 20,000 for many producers; for a slow broker, and one that is away, of 1 kB with 100,000 promises, three times what `queueBytes` has room for. With the largest, `batchBytes`, `maxRequestBytes` and `queueBytes` are raised.',
    seconds: 0,
    server: 'sink',
    isPinned: true,
    columns: ['rate', 'mbPerSecond', 'cpuPerMillion', 'loopMax', 'heldPeak', 'rssPeak'],
    cases: () => [],
  },
  size: {
    title: 'Import and installation',
    text: 'Time of the first import in a new process, median of 15; what `npm install` leaves on the disk, optional packages left out.',
    seconds: 0,
    server: 'sink',
    isPinned: true,
    columns: ['importMs', 'installMb'],
    cases: () => [],
  },
  compression: {
    title: 'Compression',
    text: 'JSON lines of about 1 kB, and random bytes, 100 MB of each where the command does not say otherwise, a thousand per send; client and sink have both cores. MB/s and ratio are of the values.',
    seconds: 0,
    server: 'sink',
    isPinned: false,
    columns: ['mbPerSecond', 'ratio', 'cpuPerMillion', 'loopP99'],
    cases: (quick) => [
      ...CODECS.flatMap((codec) => compressing('json', codec)),
      // What can't be made smaller shows what trying costs; levels make no difference to that.
      ...(quick ? [] : CODECS.filter(isCommon).flatMap((codec) => compressing('random', codec))),
    ],
  },
} as const satisfies Record<string, Group>

export type GroupName = keyof typeof GROUPS

/** The default level is what @platformatic/kafka has: it lets nobody choose. */
const CODECS: readonly { readonly codec: string; readonly level?: number; readonly isDefaultLevel?: boolean }[] = [
  { codec: 'none' },
  { codec: 'gzip', level: 1 },
  { codec: 'gzip', level: 6, isDefaultLevel: true },
  { codec: 'snappy' },
  { codec: 'lz4' },
  { codec: 'zstd', level: 1 },
  { codec: 'zstd', level: 3, isDefaultLevel: true },
]

/** Whether every client can do that. */
function isCommon({ level, isDefaultLevel }: (typeof CODECS)[number]): boolean {
  return level === undefined || isDefaultLevel === true
}

function compressing(corpus: CorpusName, choice: (typeof CODECS)[number]): Case[] {
  const { codec, level } = choice
  const one = (client: ClientName): Case => ({
    client,
    mode: 'corpus',
    bytes: 1_000,
    corpus,
    variant: `${corpus}, ${codec}${level === undefined ? '' : ` ${level}`}`,
    job: { codec, ...(level === undefined ? {} : { level }) },
  })
  return [one('ours'), ...(isCommon(choice) ? [one('platformatic')] : []), one('librdkafka')]
}

/** What nobody can outdo, or only by being as careless. */
function limits(bytes: number): Case[] {
  return [
    { client: 'raw', mode: 'batch', bytes },
    ...PROMISES.map((mode): Case => ({ client: 'minimal', mode, bytes })),
  ]
}

/** This producer in the given modes, its peers in those that all have, and the ones that only have async. */
function everyone(
  bytes: number,
  rest: Pick<Case, 'variant' | 'sink' | 'job'> = {},
  modes: readonly ('batch' | 'single')[] = PROMISES,
): Case[] {
  return [
    ...modes.flatMap((mode) => (['ours', ...PEER_NAMES] as const).map((client) => ({ client, mode, bytes, ...rest }))),
    ...(['ours', 'node-rdkafka', 'librdkafka'] as const).map((client) => ({
      client,
      mode: 'async' as const,
      bytes,
      ...rest,
    })),
  ]
}

function memory(seconds: number, isExtra: boolean): Group {
  return {
    title: isExtra ? 'Memory over ten minutes' : 'Memory',
    text: 'Of the whole process; queueBytes is 32 MiB, its default.',
    seconds,
    server: 'sink',
    isPinned: true,
    isExtra,
    columns: ['rate', 'rssEarly', 'rssLate', 'rssPeak'],
    cases: () =>
      MODES.flatMap((mode): Case[] => [
        { client: 'ours', mode, bytes: 100 },
        { client: 'ours', mode, bytes: 100, variant: 'real shape', job: { acks: -1, shape: 'real' } },
      ]),
  }
}

/** The smallest and the largest are enough for a quick look. */
function sizes(quick: boolean, all: readonly number[]): number[] {
  return all.filter((_, i) => !quick || i === 0 || i === all.length - 1)
}

function count(n: number): string {
  return n.toLocaleString('en')
}
