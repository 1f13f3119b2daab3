import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { listOffsets } from '../../src/protocol/apis/list-offsets.js'
import { ByteReader } from '../../src/protocol/byte-reader.js'
import { ByteWriter } from '../../src/protocol/byte-writer.js'
import { RealKafka } from '../kafka/support/real-kafka.js'
import { call } from '../kafka/support/wire.js'
import { PARTITIONS, TOPIC } from './job.js'
import { CORES, pinned } from './pinned.js'
import { KAFKA, SINK_PROGRAM } from './programs.js'

/** What clients send to. */
export interface Server {
  readonly bootstrap: string
  /** Aborted when it ends before its time. */
  readonly ended?: AbortSignal
  /** Records so far; bytes of requests, where it counts them. */
  counts(): Promise<{ readonly records: number; readonly bytes: number | null }>
  stop(): Promise<unknown>
}

export interface SinkOptions {
  readonly partitions: number
  readonly brokers: number
  readonly delayMs: number
  /** Decodes every record and compares every checksum. */
  readonly check: boolean
  /** Of Kafka 0.10, to which messages go in its format. */
  readonly old?: boolean
  readonly pinned: boolean
}

export interface Sink extends Server {
  /** Breaks all connections and refuses new ones for so long. */
  leave(ms: number): void
}

export async function startSink(node: string, options: SinkOptions): Promise<Sink> {
  const args = [
    '--partitions',
    String(options.partitions),
    '--brokers',
    String(options.brokers),
    '--delay-ms',
    String(options.delayMs),
  ]
  const [file = '', ...rest] = pinned(options.pinned ? CORES.server : undefined, [
    node,
    SINK_PROGRAM,
    ...args,
    ...(options.check ? ['--check'] : []),
    ...(options.old === true ? ['--old'] : []),
  ])
  const sink = spawn(file, rest, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const ended = new AbortController()
  sink.once('exit', () => ended.abort(new Error('the sink has ended')))
  const [{ bootstrap }] = (await once(sink, 'message', { signal: ended.signal })) as [{ bootstrap: string }]
  return {
    bootstrap,
    ended: ended.signal,
    leave: (ms) => void sink.send({ leave: ms }),
    async counts() {
      ended.signal.throwIfAborted()
      sink.send('counts')
      const [counts] = (await once(sink, 'message', { signal: ended.signal })) as [{ records: number; bytes: number }]
      return counts
    },
    async stop() {
      if (ended.signal.aborted) return
      sink.kill()
      await once(sink, 'exit')
    },
  }
}

/** Small segments and a small log, so that a run of minutes does not fill the disk. */
const SHORT_LOGS = {
  'log.retention.bytes': '134217728',
  'log.segment.bytes': '67108864',
  'log.retention.check.interval.ms': '1000',
  'log.segment.delete.delay.ms': '100',
}

export async function startKafka(): Promise<Server> {
  const kafka = await RealKafka.start({
    release: KAFKA.version,
    config: SHORT_LOGS,
    topics: { [TOPIC]: { partitions: PARTITIONS } },
    // A server's flags, where the tests' own are for a quick start.
    jvmFlags: ['-XX:TieredStopAtLevel=4', '-Xmx1g'],
  })
  if (CORES.server !== undefined)
    for (const pid of kafka.pids) execFileSync('taskset', ['-a', '-p', '-c', String(CORES.server), String(pid)])
  const port = Number(kafka.bootstrap.split(':')[1])
  return {
    bootstrap: kafka.bootstrap,
    counts: async () => {
      let records: number | undefined
      while (records === undefined) records = await endOffsets(port)
      return { records, bytes: null }
    },
    stop: () => kafka.stop(),
  }
}

/** Of all partitions, added up; undefined while the broker does not lead all of a new topic yet. */
async function endOffsets(port: number): Promise<number | undefined> {
  const version = 1
  const writer = new ByteWriter()
  const partitions = Array.from({ length: PARTITIONS }, (_, partitionIndex) => ({
    partitionIndex,
    currentLeaderEpoch: -1,
    timestamp: -1,
    maxNumOffsets: 1,
  }))
  listOffsets.encodeRequest(writer, version, {
    replicaId: -1,
    isolationLevel: 0,
    timeoutMs: 0,
    topics: [{ name: TOPIC, partitions }],
  })
  const answer = await call(port, { key: listOffsets.key, version, body: writer.bytes() })
  const { topics } = listOffsets.decodeResponse(new ByteReader(answer), version)
  const answers = topics.flatMap((topic) => topic.partitions)
  return answers.every(({ errorCode }) => errorCode === 0)
    ? answers.reduce((sum, { offset }) => sum + Number(offset), 0)
    : undefined
}
