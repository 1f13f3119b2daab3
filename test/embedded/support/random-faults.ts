import { expect } from 'vitest'
import { FailedToSendMessageError, RecordMetadata, type DeliveryError, type Producer } from '../../../src/index.js'
import type { EmbeddedKafka } from '../../../src/testing/index.js'
import { startKafka } from './cluster.js'
import { expectNothingHeld, startProducer, until } from './producers.js'

/*
 * Brokers that misbehave at random while several callers send at the same time. Whatever happens, every promise settles;
 * what was acknowledged stands where its metadata says; what was acknowledged of one key stands in the order given;
 * what was "not written" is nowhere; and with sequences nothing is there twice.
 */

const TOPICS = { orders: { partitions: 4 }, payments: { partitions: 3 } }
const CALLERS = 6
const CALLS = 12

interface Sent {
  readonly value: string
  readonly key: string
  readonly sequence: number
  fate?: RecordMetadata | DeliveryError
}

type Random = (below: number) => number

/** Mulberry32. */
function randomOf(seed: number): Random {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

function pick<T>(random: Random, items: readonly T[]): T {
  return items[random(items.length)] as T
}

const ERRORS = [-1, 2, 3, 5, 6, 7, 19, 20, 56, 10, 29, 87]
/** Of sequences; a broker that has none never answers these. */
const SEQUENCE_ERRORS = [45, 47, 59]

/** One thing that goes wrong; all of it passes by itself or is put right by `heal()`. */
async function misbehave(kafka: EmbeddedKafka, random: Random, errors: readonly number[]): Promise<void> {
  const topic = pick(random, Object.keys(TOPICS) as (keyof typeof TOPICS)[])
  const partition = random(TOPICS[topic].partitions)
  const times = 1 + random(3)
  const running = kafka.brokers.filter(({ state }) => state === 'running').map(({ id }) => id)
  switch (random(11)) {
    case 0:
    case 1:
      kafka.fail({ api: 'Produce', topic, partition, times }, pick(random, errors))
      break
    case 2:
      kafka.cut({ api: 'Produce', topic, times }, pick(random, ['before', 'after', 'mid-response'] as const))
      break
    case 3:
      kafka.spoil(
        { api: 'Produce', topic },
        pick(random, ['noise', 'wrong-correlation-id', 'huge-length', 'negative-length', 'short-body'] as const),
      )
      break
    case 4:
      kafka.moveLeader(topic, partition, pick(random, running))
      break
    case 5:
      kafka.dropConnections(pick(random, running))
      break
    case 6:
      kafka.delay({ api: pick(random, ['Produce', 'Metadata'] as const), times }, 1 + random(15))
      break
    case 7:
      kafka.fail({ api: 'Metadata', topic, times }, pick(random, [3, 5, -1]))
      break
    case 8:
      kafka.cut({ api: 'Metadata', times }, pick(random, ['before', 'after', 'mid-response'] as const))
      break
    case 9:
      kafka.throttle({ api: 'Produce', times }, 1 + random(20))
      break
    default:
      if (running.length > 2) {
        const id = pick(random, running)
        await kafka.stopBroker(id)
        await kafka.startBroker(id)
      }
  }
}

async function call(producer: Producer, batch: readonly (Sent & { topic: string })[]): Promise<void> {
  let results: readonly (RecordMetadata | DeliveryError)[]
  try {
    results = await producer.send(batch.map(({ topic, key, value }) => ({ topic, key, value })))
  } catch (error) {
    if (!(error instanceof FailedToSendMessageError)) throw error
    results = error.results as (RecordMetadata | DeliveryError)[]
  }
  expect(results).toHaveLength(batch.length)
  batch.forEach((sent, i) => (sent.fate = results[i] as RecordMetadata))
}

export async function randomFaults(release: string, acks: 1 | -1, seed: number): Promise<void> {
  const random = randomOf(seed)
  const kafka = await startKafka({ brokers: 3, release, topics: TOPICS, requestHistory: 100 })
  const producer = startProducer(kafka, {
    acks,
    // Small bounds, so that batches, requests and the queue are full all the time.
    batchBytes: 300,
    maxRequestBytes: 700,
    queueMessages: 200,
    maxInFlight: 1 + random(5),
    retries: pick(random, [1, 5, Infinity]),
    deliveryTimeoutMs: pick(random, [200, 2_000]),
    requestTimeoutMs: 1_000,
    connectTimeoutMs: 1_000,
  })
  const isIdempotent = acks === -1 && (!release.startsWith('0.') || release === '0.11')
  const errors = isIdempotent ? [...ERRORS, ...SEQUENCE_ERRORS] : ERRORS
  const sent: (Sent & { topic: string })[] = []
  let isSending = true
  const troubles = (async () => {
    while (isSending) {
      await misbehave(kafka, random, errors)
      await new Promise((resolve) => setTimeout(resolve, random(8)))
    }
  })()
  const caller = async (name: number): Promise<void> => {
    let sequence = 0
    for (let i = 0; i < CALLS; i++) {
      const calls: Promise<void>[] = []
      for (let j = random(4); j >= 0; j--) {
        const batch = Array.from({ length: 1 + random(6) }, () => {
          const topic = pick(random, Object.keys(TOPICS))
          sequence++
          const key = `${topic}-${name}-${random(3)}`
          return { topic, key, sequence, value: `${key}#${sequence}${'.'.repeat(random(60))}` }
        })
        sent.push(...batch)
        calls.push(call(producer, batch))
      }
      await Promise.all(calls)
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, (_, name) => caller(name)))
  isSending = false
  await troubles
  kafka.releaseFaults()

  const at = new Map<string, string>()
  const copies = new Map<string, { partition: number; offset: bigint }[]>()
  for (const topic of Object.keys(TOPICS)) {
    for (const record of kafka.records(topic)) {
      const value = record.value?.toString() ?? ''
      at.set(`${topic}-${record.partition}@${record.offset}`, value)
      copies.set(value, [...(copies.get(value) ?? []), record])
    }
  }
  let acknowledged = 0
  const last = new Map<string, { sequence: number; offset: bigint; partition: number }>()
  for (const { fate, topic, key, value, sequence } of sent) {
    expect(fate).toBeDefined()
    if (fate instanceof RecordMetadata) {
      acknowledged++
      expect(at.get(`${topic}-${fate.partition}@${fate.offset}`)).toBe(value)
      const previous = last.get(key)
      if (previous !== undefined) {
        expect(fate.partition).toBe(previous.partition)
        if (fate.offset <= previous.offset) throw new Error(`${key}: ${sequence} stands before ${previous.sequence}`)
      }
      last.set(key, { sequence, offset: fate.offset, partition: fate.partition })
    } else if (fate?.mayHaveBeenWritten === false) {
      expect(copies.has(value), `${value} failed with ${fate.code}, was not to be written`).toBe(false)
    }
    // The partition is chosen once: copies of a message, where a retry made some, stand in the same one.
    expect(new Set((copies.get(value) ?? []).map(({ partition }) => partition)).size).toBeLessThanOrEqual(1)
    if (isIdempotent) expect(copies.get(value)?.length ?? 0, `copies of ${value}`).toBeLessThanOrEqual(1)
  }
  expect(acknowledged).toBeGreaterThan(0)
  await until(() => producer.stats().queueMessages === 0, 'late answers give room back')
  expectNothingHeld(producer)
  const stats = producer.stats()
  expect(stats.acknowledged + stats.failed).toBe(sent.length)
  expect(stats.idempotent).toBe(isIdempotent)
  await producer.close()
  await until(() => kafka.connections.length === 0, 'no connection is left')
}
