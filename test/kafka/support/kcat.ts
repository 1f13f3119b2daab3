/**
 * Reads a topic with kcat (librdkafka): a reader that shares nothing with the producer under test.
 *
 * Keys, values and header names are exact to the byte. kcat prints headers without lengths, as `name=value,name=value` and NULL
 * for null, so a header value that contains `,x=` or is the text NULL cannot be told apart: java-reader.ts reads any header.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { findRelease } from './releases.js'

export interface ReadRecord {
  readonly partition: number
  readonly offset: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly (readonly [string, Buffer | null])[]
  /** Milliseconds; -1 where the release has none. For a record of an older format on a newer broker kcat says 0. */
  readonly timestamp: number
  /** Not told by kcat. */
  readonly timestampType?: 'CreateTime' | 'LogAppendTime'
}

export interface ReadOptions {
  readonly bootstrap: string
  readonly topic: string
  /** Brokers before 0.10 do not tell their version. */
  readonly release: string
  readonly partition?: number
  /** Wait for so many records; without it, read what is there. */
  readonly count?: number
  /** What aborted transactions wrote is left out unless asked for. */
  readonly isolation?: 'read_committed' | 'read_uncommitted'
  readonly timeoutMs?: number
}

const run = promisify(execFile)

/** Installs kcat where it is missing and Debian's package manager is there. */
export async function ensureKcat(): Promise<void> {
  if (await works('kcat', ['-V'])) return
  const quiet = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } }
  try {
    await run('apt-get', ['update', '-qq'], quiet)
    await run('apt-get', ['install', '-y', '-qq', 'kcat'], quiet)
  } catch (error) {
    throw new Error(`kcat is not on the PATH and apt-get could not install it: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

async function works(file: string, args: string[]): Promise<boolean> {
  return run(file, args).then(
    () => true,
    () => false,
  )
}

/** What kcat must be told of a release that does not say its versions itself. */
export function kcatFlags(release: string): string[] {
  const fallback = findRelease(release).brokerVersionFallback
  return fallback === undefined ? [] : ['-X', 'api.version.request=false', '-X', `broker.version.fallback=${fallback}`]
}

/** From the beginning to the end; ordered by partition and offset. */
export async function readTopic(options: ReadOptions): Promise<ReadRecord[]> {
  await ensureKcat()
  const { bootstrap, topic, release, partition, count, isolation = 'read_committed', timeoutMs = 60_000 } = options
  const flags = kcatFlags(release)
  // Ends the headers, whose length is not told.
  const mark = randomBytes(12).toString('hex')
  const { stdout } = await run(
    'kcat',
    [
      '-C',
      '-q',
      '-b',
      bootstrap,
      '-t',
      topic,
      '-o',
      'beginning',
      // The default wait for more records is half a second at the end of every partition.
      '-X',
      `isolation.level=${isolation}`,
      '-X',
      'check.crcs=true',
      '-X',
      'fetch.wait.max.ms=20',
      '-f',
      `%p %o %T %K %S\\n%k%s%h${mark}`,
      ...(partition === undefined ? [] : ['-p', String(partition)]),
      ...(count === undefined ? ['-e'] : ['-c', String(count)]),
      ...flags,
    ],
    { encoding: 'buffer', maxBuffer: 1 << 30, timeout: timeoutMs, killSignal: 'SIGKILL' },
  ).catch((error: unknown) => {
    const { killed, stderr } = error as { killed?: boolean; stderr?: Buffer }
    const reason = killed === true ? `${timeoutMs} ms were not enough` : (stderr?.toString().trim() ?? String(error))
    throw new Error(`kcat could not read ${topic}: ${reason}`, { cause: error })
  })
  const records = parse(stdout, Buffer.from(mark))
  return (flags.length === 0 ? records : records.map((record) => ({ ...record, timestamp: -1 }))).sort(
    (a, b) => a.partition - b.partition || a.offset - b.offset,
  )
}

function parse(output: Buffer, mark: Buffer): ReadRecord[] {
  const records: ReadRecord[] = []
  let at = 0
  /** -1 is null, and takes nothing. */
  const take = (length: number): Buffer | null => {
    if (length < 0) return null
    at += length
    return output.subarray(at - length, at)
  }
  while (at < output.length) {
    const lineEnd = output.indexOf(10, at)
    const [partition = NaN, offset = NaN, timestamp = NaN, keyLength = NaN, valueLength = NaN] = output
      .toString('latin1', at, lineEnd)
      .split(' ')
      .map(Number)
    at = lineEnd + 1
    const key = take(keyLength)
    const value = take(valueLength)
    const end = output.indexOf(mark, at)
    if (lineEnd < 0 || end < 0)
      throw new Error(`kcat ended in the middle of a record: ${output.toString('latin1', at).slice(0, 200)}`)
    records.push({ partition, offset, key, value, headers: parseHeaders(output.subarray(at, end)), timestamp })
    at = end + mark.length
  }
  return records
}

function parseHeaders(text: Buffer): (readonly [string, Buffer | null])[] {
  // Latin-1 keeps every byte; a piece without a '=' is the rest of a value with a comma in it.
  const pieces: string[] = []
  for (const piece of text.length === 0 ? [] : text.toString('latin1').split(',')) {
    if (piece.includes('=') || pieces.length === 0) pieces.push(piece)
    else pieces.push(`${pieces.pop() ?? ''},${piece}`)
  }
  return pieces.map((piece) => {
    const equals = piece.indexOf('=')
    const value = piece.slice(equals + 1)
    return [
      Buffer.from(piece.slice(0, equals), 'latin1').toString(),
      value === 'NULL' ? null : Buffer.from(value, 'latin1'),
    ] as const
  })
}
