import { InvalidMessageError } from '../errors.js'
import type { Data, OutgoingHeader } from '../protocol/records/record.js'

/** A header's value: bytes, a string stored as UTF-8, or null. */
export type HeaderValue = Data

/** Headers by name, several values under one name in an array; or a list of pairs, whose order is kept. */
export type MessageHeaders =
  | Readonly<Record<string, HeaderValue | readonly HeaderValue[]>>
  | readonly (readonly [name: string, value: HeaderValue])[]

/** A message for {@link Producer.send}. It is never changed; bytes in it are the producer's until it has its fate. */
export interface KeyedMessage<K = unknown, V = unknown> {
  readonly topic: string
  /** What the encoder makes bytes of; with the default one bytes, a string (stored as UTF-8) or null, a tombstone. */
  readonly value: V
  /** Stored with the message, and chooses the partition unless `partitionKey` or `partition` is given. */
  readonly key?: K | null
  /** Chooses the partition instead of the key, and is never stored. */
  readonly partitionKey?: K | null
  /** The partition itself; no partitioner is asked. */
  readonly partition?: number
  /** Needs Kafka 0.11 or later. */
  readonly headers?: MessageHeaders
  /** Milliseconds since 1970, a safe integer; the time of `send()` by default. Needs Kafka 0.10 or later. */
  readonly timestamp?: number | Date
}

/** Letters, digits, '.', '_' and '-', at most 249 of them, and neither '.' nor '..': what every broker accepts. */
const TOPIC_NAME = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/

/** Names known to be valid, so that the pattern runs once per topic and not per message. */
export type ValidTopics = Set<string>

/** @throws InvalidMessageError for what no broker could take, whatever its version; the encoders are not asked here. */
export function checkMessage(message: KeyedMessage, validTopics: ValidTopics): void {
  if (typeof message !== 'object' || message === null)
    throw new InvalidMessageError(`a message must be an object, given was ${show(message)}`)
  const { topic, partition, timestamp } = message
  if (!validTopics.has(topic)) {
    if (typeof topic !== 'string' || !TOPIC_NAME.test(topic)) {
      throw new InvalidMessageError(
        `topic: given was ${show(topic)}, allowed are 1 to 249 letters, digits, '.', '_' and '-', and neither '.' nor '..'`,
      )
    }
    validTopics.add(topic)
  }
  if (message.value === undefined)
    throw new InvalidMessageError(`value: missing in a message for '${topic}'; a tombstone has null`)
  if (partition !== undefined && !(Number.isInteger(partition) && partition >= 0 && partition <= 0x7fffffff)) {
    throw new InvalidMessageError(`partition: given was ${show(partition)}, allowed are whole numbers from 0`)
  }
  if (timestamp !== undefined && !Number.isSafeInteger(timestampOf(timestamp))) {
    throw new InvalidMessageError(`timestamp: given was ${show(timestamp)}, allowed are a Date and whole milliseconds`)
  }
}

/** Milliseconds of a timestamp as a caller may give it. */
export function timestampOf(timestamp: number | Date): number {
  return typeof timestamp === 'number' ? timestamp : Number(timestamp)
}

/** The headers as pairs; null where there is none. */
export function headerPairs(headers: MessageHeaders | undefined): readonly OutgoingHeader[] | null {
  if (headers === undefined || headers === null) return null
  if (typeof headers !== 'object')
    throw new InvalidMessageError(`headers: given was ${show(headers)}, allowed are an object and pairs`)
  const pairs: OutgoingHeader[] = []
  if (Array.isArray(headers)) {
    for (const pair of headers as readonly unknown[]) {
      if (!Array.isArray(pair) || pair.length !== 2)
        throw new InvalidMessageError(`headers: given was ${show(pair)}, allowed are pairs of name and value`)
      addPair(pairs, pair[0], pair[1])
    }
  } else {
    for (const name of Object.keys(headers)) {
      const value = (headers as Readonly<Record<string, HeaderValue | readonly HeaderValue[]>>)[name]
      if (Array.isArray(value)) for (const one of value as readonly unknown[]) addPair(pairs, name, one)
      else addPair(pairs, name, value)
    }
  }
  return pairs.length === 0 ? null : pairs
}

/** Whether headers by name are these pairs and hold nothing but strings, which nobody can change. */
export function areSameStrings(headers: MessageHeaders, pairs: readonly OutgoingHeader[]): boolean {
  if (headers === null || Array.isArray(headers)) return false
  const named = headers as Readonly<Record<string, HeaderValue | readonly HeaderValue[]>>
  const names = Object.keys(named)
  if (names.length !== pairs.length) return false
  for (let i = 0; i < names.length; i++) {
    const name = names[i] as string
    const [pairName, pairValue] = pairs[i] as OutgoingHeader
    if (pairName !== name || typeof pairValue !== 'string' || named[name] !== pairValue) return false
  }
  return true
}

function addPair(pairs: OutgoingHeader[], name: unknown, value: unknown): void {
  if (typeof name !== 'string')
    throw new InvalidMessageError(`headers: a name must be a string, given was ${show(name)}`)
  if (value !== null && typeof value !== 'string' && !(value instanceof Uint8Array)) {
    throw new InvalidMessageError(
      `headers: the value of '${name}' is ${show(value)}, allowed are bytes, a string and null`,
    )
  }
  pairs.push([name, value])
}

function show(value: unknown): string {
  if (typeof value === 'string') return `'${value.length > 60 ? `${value.slice(0, 60)}…` : value}'`
  if (typeof value === 'object' && value !== null)
    return Array.isArray(value) ? 'an array' : `a ${value.constructor?.name ?? 'bare'} object`
  return String(value)
}
