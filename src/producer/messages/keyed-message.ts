import { types } from 'node:util'
import { InvalidMessageError, SerializationError } from '../../errors.js'
import { isPromise } from '../../is-promise.js'
import { isTopicName, TOPIC_NAMES, type ValidTopicNames } from '../../topic-name.js'
import { kindOf, quoted, reasonOf } from '../../wording/kind-of.js'
import { nearestName } from '../../wording/nearest-name.js'
import { isMessageField, MESSAGE_FIELDS } from './message-fields.js'
import type { MessageHeaders } from './message-headers.js'

/**
 * A message for `send()`. It is never changed; bytes in it are the producer's until it has its fate. Null is
 * the same as not given, but for the value, where it makes a tombstone.
 */
export interface KeyedMessage<K = unknown, V = unknown> {
  readonly topic: string
  /**
   * What the encoder makes bytes of; with the default one bytes, or a string (stored as UTF-8). Null makes a tombstone,
   * whatever the encoder: it is not asked.
   */
  readonly value: V | null
  /** Stored with the message, and chooses the partition unless `partitionKey` or `partition` is given. */
  readonly key?: K | null | undefined
  /** Chooses the partition instead of the key, and is never stored. */
  readonly partitionKey?: K | null | undefined
  /** The partition itself; no partitioner is asked. */
  readonly partition?: number | null | undefined
  /** Needs Kafka 0.11 or later. */
  readonly headers?: MessageHeaders | null | undefined
  /**
   * Milliseconds since 1970, a safe integer from 0, which may also be given as a Date, a bigint or, as consumers of other
   * clients have it, the text of its 13 digits; the time of `send()` by default. Needs Kafka 0.10 or later.
   */
  readonly timestamp?: number | bigint | Date | string | null | undefined
}

/** So many names of other fields are remembered: programs have a few. */
const MAX_LET_BE = 1_000
/** What others call it. */
const OTHER_NAMES_OF_VALUE: ReadonlySet<string> = new Set(
  'val body content data message msg payload record text'.split(' '),
)

/** Shorter texts of digits may be seconds, or anything; these are the milliseconds from 2001 to 2286. */
const MILLISECONDS_AS_TEXT = /^\d{13}$/

/** @throws InvalidMessageError for what no broker could take, whatever its version */
export function checkTopic(topic: unknown, validTopics: ValidTopicNames, message: object): void {
  if (validTopics.has(topic)) return
  if (!isTopicName(topic)) {
    checkIsOneMessage(message)
    if (topic === undefined) checkFieldNames(message)
    throw wrongTopic(topic)
  }
  validTopics.add(topic)
}

/** What is no topic's name, whatever the broker. */
export function wrongTopic(topic: unknown): InvalidMessageError {
  const given = typeof topic === 'string' ? quoted(topic) : kindOf(topic)
  return new InvalidMessageError(`topic: given was ${given}, allowed are ${TOPIC_NAMES}`)
}

/** The partition that a message names; -1 where it names none. */
export function partitionOf(partition: number | null | undefined): number {
  if (partition === undefined || partition === null) return -1
  // 0 is added for -0.
  if (Number.isInteger(partition) && partition >= 0 && partition <= 0x7fffffff) return partition + 0
  throw new InvalidMessageError(`partition: given was ${kindOf(partition)}, allowed are whole numbers from 0`)
}

/** Milliseconds of a timestamp as a caller may give it; null for none. */
export function timestampOf(timestamp: KeyedMessage['timestamp']): number | null {
  if (timestamp === undefined || timestamp === null) return null
  const milliseconds = millisecondsOf(timestamp)
  // Java's producer refuses what is before 1970, too, and Kafka Streams stops at it. There is no -0 in a record.
  if (Number.isSafeInteger(milliseconds) && milliseconds >= 0) return milliseconds + 0
  const given = typeof timestamp === 'string' ? quoted(timestamp) : kindOf(timestamp)
  throw new InvalidMessageError(
    `timestamp: given was ${given}, allowed are a valid Date and whole milliseconds since 1970, from 0`,
  )
}

function millisecondsOf(timestamp: unknown): number {
  if (typeof timestamp === 'number') return timestamp
  if (types.isDate(timestamp)) return Date.prototype.getTime.call(timestamp)
  const isExact =
    typeof timestamp === 'bigint' || (typeof timestamp === 'string' && MILLISECONDS_AS_TEXT.test(timestamp))
  return isExact ? Number(timestamp) : NaN
}

/**
 * Why a message without a value can't be sent; other clients have a list of `messages` in one with the topic.
 *
 * @throws InvalidMessageError where the value has a name so near that it must be a slip
 */
export function valueMissing(message: object, topic: string): InvalidMessageError {
  checkFieldNames(message)
  const other = strangeFields(message).find((name) => OTHER_NAMES_OF_VALUE.has(name))
  const remedy = has(message, 'messages')
    ? "there are no 'messages' in a message: give a list, with the topic in each of them"
    : other !== undefined
      ? `there is ${quoted(other)} in it: did you mean 'value'?`
      : 'a tombstone has null'
  return new InvalidMessageError(`value: missing in a message for '${topic}'; ${remedy}`)
}

/**
 * Fields beside those of a message are let be, but for a name so near that it must be a slip: it would be lost silently. All
 * messages are looked at, since some code may misspell what other code does not: a name is compared once, so that it costs
 * each of them a few nanoseconds.
 */
export class FieldNames {
  private readonly letBe = new Set<string>()

  /** @throws InvalidMessageError */
  check(message: object): void {
    try {
      // Of all ways to go through them that which makes nothing; short, since V8 puts it into what all messages go through.
      for (const name in message) if (!isMessageField(name)) return this.checkOthers(message)
    } catch (error) {
      if (error instanceof InvalidMessageError) throw error
      // A proxy that does not tell: its fields are read all the same.
    }
  }

  private checkOthers(message: object): void {
    for (const name in message) {
      // What is inherited is no slip, and lets nothing be that is one.
      if (isMessageField(name) || this.letBe.has(name) || !Object.hasOwn(message, name)) continue
      // Where names are made up for each message there are always new ones.
      if (this.letBe.size >= MAX_LET_BE) return
      // All of them, and once: it may have thousands.
      checkFieldNames(message)
      for (const other of strangeFields(message).slice(0, MAX_LET_BE)) this.letBe.add(other)
      return
    }
  }
}

/** @throws InvalidMessageError */
function checkFieldNames(message: object): void {
  for (const name of strangeFields(message)) {
    // What a class keeps behind an accessor: its `_value` is no slip for `value`.
    if (name.startsWith('_')) continue
    const near = nearestName(name, MESSAGE_FIELDS satisfies readonly (keyof KeyedMessage)[])
    if (near !== undefined)
      throw new InvalidMessageError(`there is no field ${quoted(name)} in a message: did you mean '${near}'?`)
  }
}

function strangeFields(message: object): string[] {
  try {
    return Object.keys(message).filter((name) => !isMessageField(name))
  } catch {
    return []
  }
}

function has(message: object, name: PropertyKey): boolean {
  try {
    return name in message
  } catch {
    return false
  }
}

/** What was thrown when a message was read: by a getter, or a proxy. */
export function unreadable(message: unknown, cause: unknown): InvalidMessageError {
  return new InvalidMessageError(`a message, given as ${kindOf(message)}, can't be read: ${reasonOf(cause)}`, { cause })
}

/** Says which message of a list it was, as `results` and `refused` count them; or of all that a stream was given. */
export function atPlace(index: number, error: unknown): unknown {
  if (!(error instanceof InvalidMessageError || error instanceof SerializationError)) return error
  const message = `messages[${index}]: ${error.message}`
  const options = 'cause' in error ? { cause: error.cause } : {}
  return error instanceof InvalidMessageError
    ? new InvalidMessageError(message, options)
    : new SerializationError(message, options)
}

/**
 * For what has no topic or no value: where it is something else altogether, that is what to tell.
 *
 * @throws InvalidMessageError
 */
export function checkIsOneMessage(message: object): void {
  if (isThenable(message)) throw new InvalidMessageError('a message must be an object, given was a promise of one')
  if (has(message, Symbol.iterator) || has(message, Symbol.asyncIterator))
    throw new InvalidMessageError(
      `a message must be an object, given was ${kindOf(message)}; several are given in an array, or to sendAll()`,
    )
}

/** What can't be read is no promise, and refused for something else. */
function isThenable(message: object): boolean {
  try {
    return isPromise(message)
  } catch {
    return false
  }
}

/** @throws InvalidMessageError */
export function checkIsObject(message: unknown): asserts message is object {
  if (typeof message === 'object' && message !== null && !isArray(message)) return
  throw new InvalidMessageError(`a message must be an object, given was ${kindOf(message)}`)
}

/** What is given to `send()`: one message, or a list of them, be it a list of one. */
export type Given<K, V> = KeyedMessage<K, V> | readonly KeyedMessage<K, V>[]

/** @throws TypeError for a proxy that was revoked */
export function isList<K, V>(given: Given<K, V>): given is readonly KeyedMessage<K, V>[] {
  return Array.isArray(given)
}

/** A proxy that was revoked does not even tell that; what is wrong with it shows when it is read. */
function isArray(message: object): boolean {
  try {
    return Array.isArray(message)
  } catch {
    return false
  }
}
