/** Reads topics with clients that share no code with the producer under test, and compares with what was sent. */
import { expect } from 'vitest'
import type { KeyedMessage, RecordMetadata } from '../../../src/index.js'
import { whyLacking } from './features.js'
import { release, type Bytes } from './fixture.js'
import { readTopicWithJava } from './java-reader.js'
import { readTopic, type ReadRecord } from './kcat.js'
import type { RealKafka } from './real-kafka.js'

export type Message = KeyedMessage<Bytes, Bytes>
export type Reader = 'kcat' | 'java'

export interface ReadBackOptions {
  readonly reader?: Reader
  /** Wait for so many; without it, what is there is read. */
  readonly count?: number
  /** False where followers may still be copying what the leader acknowledged: until then nobody can read it. */
  readonly replicated?: boolean
}

export async function readBack(
  kafka: RealKafka,
  topic: string,
  { reader = 'kcat', count }: ReadBackOptions = {},
): Promise<ReadRecord[]> {
  const read = reader === 'kcat' ? readTopic : readTopicWithJava
  const options = {
    bootstrap: kafka.bootstrap,
    release: release.version,
    topic,
    ...(count === undefined ? {} : { count }),
  }
  let records = await read(options)
  // A broker that has only just got a topic, or come back, may show a reader nothing yet, whatever it acknowledged.
  for (let again = 0; records.length === 0 && again < 3; again++) records = await read(options)
  return records
}

export function bytes(data: Bytes | undefined): Buffer | null {
  if (data === null || data === undefined) return null
  return typeof data === 'string' ? Buffer.from(data) : Buffer.from(data.buffer, data.byteOffset, data.byteLength)
}

/** Exactly these messages stand in their topics, each where its metadata say, byte for byte. */
export async function expectStored(
  kafka: RealKafka,
  messages: readonly Message[],
  metadata: readonly RecordMetadata[],
  options: ReadBackOptions = {},
): Promise<void> {
  expect(metadata).toHaveLength(messages.length)
  for (const topic of new Set(messages.map((message) => message.topic))) {
    const ofTopic = messages.flatMap((message, index) => (message.topic === topic ? [index] : []))
    const records = await readBack(kafka, topic, {
      ...options,
      ...(options.replicated === false ? { count: ofTopic.length } : {}),
    })
    expect(records).toHaveLength(ofTopic.length)
    expectAt(
      records,
      ofTopic.map((index) => messages[index] as Message),
      ofTopic.map((index) => metadata[index] as RecordMetadata),
    )
  }
}

/** These messages, perhaps among others, stand where their metadata say. */
export function expectAt(
  records: readonly ReadRecord[],
  messages: readonly Message[],
  metadata: readonly RecordMetadata[],
): void {
  const found = new Map(records.map((record) => [`${record.partition}:${record.offset}`, record]))
  for (const [index, message] of messages.entries()) {
    const at = metadata[index] as RecordMetadata
    expect(at.topic).toBe(message.topic)
    expect(at.acknowledged).toBe(true)
    const record = found.get(`${at.partition}:${at.offset}`)
    if (record === undefined) throw new Error(`Nothing stands at ${at.topic}-${at.partition} offset ${at.offset}.`)
    expectSame(record, message)
    if (message.partition !== undefined) expect(at.partition).toBe(message.partition)
    expect(at.timestamp).toBe(record.timestamp)
  }
}

export function expectSame(record: ReadRecord, message: Message): void {
  expect(record.key).toEqual(bytes(message.key))
  // Comparing large buffers by matcher is slow, and so is its output.
  const value = bytes(message.value)
  if (record.value === null || value === null || !record.value.equals(value)) expect(record.value).toEqual(value)
  expect(record.headers).toEqual(pairs(message))
  if (
    message.timestamp !== undefined &&
    whyLacking(release.version, 'timestamps') === undefined &&
    record.timestampType !== 'LogAppendTime'
  ) {
    expect(record.timestamp).toBe(Number(message.timestamp))
  }
}

function pairs({ headers = [] }: Message): (readonly [string, Buffer | null])[] {
  if (Array.isArray(headers))
    return (headers as readonly (readonly [string, Bytes])[]).map(([name, value]) => [name, bytes(value)])
  return Object.entries(headers as Record<string, Bytes | readonly Bytes[]>).flatMap(([name, value]) =>
    (Array.isArray(value) ? (value as readonly Bytes[]) : [value as Bytes]).map((one) => [name, bytes(one)] as const),
  )
}
