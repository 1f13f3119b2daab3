/**
 * Reads a topic with the release's own Java consumer: every byte of every field as Kafka itself understands it, headers
 * included. Slower than kcat.ts by a JVM's start and a compilation of the program, some two seconds.
 */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { install } from './install.js'
import { runJava, type JavaVersion } from './jvm.js'
import type { ReadOptions, ReadRecord } from './kcat.js'
import { loggingFlags } from './logging.js'
import { findRelease } from './releases.js'

interface Line {
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly timestampType: string
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly (readonly [string, string | null])[]
}

/** As readTopic of kcat.ts. */
export async function readTopicWithJava(options: ReadOptions & { readonly java?: JavaVersion }): Promise<ReadRecord[]> {
  const {
    bootstrap,
    topic,
    partition = -1,
    count = -1,
    isolation = 'read_committed',
    timeoutMs = 60_000,
    java = '17',
  } = options
  const release = findRelease(options.release)
  const program = release.name === '0.8.2' ? 'RecordDump08.java' : 'RecordDump.java'
  const stdout = await runJava({
    java,
    libs: await install(release),
    main: join(dirname(fileURLToPath(import.meta.url)), program),
    args: [bootstrap, topic, String(partition), String(count), isolation],
    flags: loggingFlags(release, 'tool'),
    timeoutMs,
  })
  return stdout
    .toString('latin1')
    .split('\n')
    .filter((line) => line !== '')
    .map(toRecord)
    .sort((a, b) => a.partition - b.partition || a.offset - b.offset)
}

function toRecord(text: string): ReadRecord {
  const { timestampType, key, value, headers, ...rest } = JSON.parse(text) as Line
  return {
    ...rest,
    key: decode(key),
    value: decode(value),
    headers: headers.map(([name, content]) => [Buffer.from(name, 'base64').toString(), decode(content)] as const),
    ...(timestampType === 'CreateTime' || timestampType === 'LogAppendTime' ? { timestampType } : {}),
  }
}

function decode(base64: string | null): Buffer | null {
  return base64 === null ? null : Buffer.from(base64, 'base64')
}
