import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { DecodedBatch } from '../../../src/protocol/records/decode.js'
import type { DecodedRecord } from '../../../src/protocol/records/record.js'

/** What kafka-clients says of a batch: a line of `KafkaClientsRecords.java`. */
export interface BatchByJava {
  magic: number
  codec: number
  baseOffset: number
  lastOffset: number
  logAppendTime: boolean
  transactional: boolean
  control: boolean
  producerId: number
  producerEpoch: number
  baseSequence: number
  leaderEpoch: number
  maxTimestamp: number
  records: unknown
}

export interface GoldenBatches {
  name: string
  bytes: Buffer
  batches: BatchByJava[]
}

export interface GoldenMessages {
  name: string
  codec: number
  bytes: Buffer
  records: unknown
}

/** Made by kafka-clients: all three formats. */
export const goldenBatches: readonly GoldenBatches[] = readLines<GoldenBatches>('kafka-clients-3.9.2.jsonl')
/** Made by the Scala classes of Kafka 0.8: magic 0. */
export const goldenMessages: readonly GoldenMessages[] = readLines<GoldenMessages>('kafka-0.8.2.2.jsonl')

function readLines<T extends { bytes: Buffer }>(file: string): T[] {
  const lines = readFileSync(new URL(file, import.meta.url), 'utf8')
    .trimEnd()
    .split('\n')
  return lines.map((line) => {
    const golden = JSON.parse(line) as T & { bytes: Buffer | string }
    return { ...golden, bytes: Buffer.from(golden.bytes as string, 'base64') }
  })
}

/** The same view of a batch that we decoded. */
export function inJavasWords(batch: DecodedBatch): BatchByJava {
  return {
    magic: batch.magic,
    codec: batch.codec,
    baseOffset: Number(batch.baseOffset),
    lastOffset: Number(batch.lastOffset),
    logAppendTime: batch.logAppendTime,
    transactional: batch.transactional,
    control: batch.control,
    producerId: Number(batch.producerId),
    producerEpoch: batch.producerEpoch,
    baseSequence: batch.baseSequence,
    leaderEpoch: batch.leaderEpoch,
    maxTimestamp: batch.maxTimestamp,
    records: recordsInJavasWords(batch.records),
  }
}

export function recordsInJavasWords(records: readonly DecodedRecord[]): unknown {
  return brief(
    records.map(({ offset, timestamp, key, value, headers }) => [
      Number(offset),
      timestamp,
      data(key),
      data(value),
      headers.map((header) => [header.key, data(header.value)]),
    ]),
  )
}

/** The same view of messages that we decoded, as `KafkaZeroEightMessages.java` prints them. */
export function inScalasWords(records: readonly DecodedRecord[]): unknown {
  return brief(records.map(({ offset, key, value }) => [Number(offset), data(key), data(value)]))
}

function brief(elements: unknown[]): unknown {
  return elements.length <= 20 ? elements : hash(elements.length, JSON.stringify(elements))
}

function data(bytes: Buffer | null): string | null {
  if (bytes === null) return null
  return bytes.length <= 300 ? bytes.toString('base64') : hash(bytes.length, bytes)
}

function hash(count: number, bytes: Buffer | string): string {
  return `sha256:${count}:${createHash('sha256').update(bytes).digest('hex')}`
}
