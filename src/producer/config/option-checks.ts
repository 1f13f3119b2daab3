import { types } from 'node:util'
import type { Codec } from '../../compression/codec.js'
import { InvalidConfigError } from '../../errors.js'
import { given } from '../../given.js'
import { isRecord } from '../../is-record.js'
import { hasLoneSurrogate } from '../../lone-surrogate.js'
import { makeMechanism } from '../../network/sasl/sasl-options.js'
import { Secret } from '../../network/secret.js'
import { checkTlsOptions } from '../../network/streams/tls-options.js'
import type { SslOption } from '../../network/streams/tls.js'
import { isTopicName, TOPIC_NAMES } from '../../topic-name.js'
import { shown } from '../../wording/shown.js'
import type { Encoder } from '../encoder.js'
import type { ProducerInterceptor } from '../interceptors.js'
import type { CompressionOption } from '../queues/topic-compression.js'
import type { ProducerType } from './producer-options.js'

/*
 * What is looked at of each option, and made of it: functions of what was given, the option's name, and what is allowed in
 * words. All throw an InvalidConfigError.
 */

/** What is allowed of `compression`, and of each topic's. */
export const COMPRESSION = "'none', 'gzip', 'snappy', 'lz4', 'zstd', or { type, level?, fallback? }"

const NAME_OF_CODEC = "the name of a codec, such as 'gzip'"
const MAX_INT16 = 0x7fff

export function refused(name: string, value: unknown, allowed: string): InvalidConfigError {
  return new InvalidConfigError(`${name}: given was ${shown(value)}, allowed is ${allowed}`)
}

export function parseClientId(value: unknown, name: string, allowed: string): string {
  // Since KIP-190 any string; the protocol has 16 bits for its size. Line ends would forge lines of a broker's log.
  // A lone surrogate is nothing that UTF-8 has: broker and client would write different names.
  const isWritable = typeof value === 'string' && !/\p{Cc}/u.test(value) && !hasLoneSurrogate(value)
  if (isWritable && Buffer.byteLength(value) <= MAX_INT16) return value
  throw refused(name, value, allowed)
}

export function parseAcks(value: unknown, name: string, allowed: string): number {
  if (value === 'all') return -1
  if (value === 0 || value === 1 || value === -1) return value
  throw refused(name, value, allowed)
}

export function parseRetries(value: unknown, name: string, allowed: string): number {
  if (value === Infinity || (typeof value === 'number' && Number.isInteger(value) && value >= 0)) return value
  throw refused(name, value, allowed)
}

export function parseType(value: unknown, name: string, allowed: string): ProducerType {
  if (value === 'sync' || value === 'async') return value
  throw refused(name, value, allowed)
}

export function parseFunction(value: unknown, name: string, allowed: string): unknown {
  refuseGenerator(value, name)
  if (value === undefined || typeof value === 'function') return value
  throw refused(name, value, allowed)
}

/** One would run nothing when it is called, in silence. */
export function refuseGenerator(value: unknown, name: string): void {
  if (types.isGeneratorFunction(value))
    throw new InvalidConfigError(`${name}: given was a generator function, allowed is one that runs when it is called`)
}

export function parseLogger(value: unknown, name: string, allowed: string): unknown {
  if (value === undefined) return value
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) throw refused(name, value, allowed)
  // Mostly it is some other logger's: NestJS's has no `info`.
  const lacking = ['debug', 'info', 'warn', 'error'].find(
    (method) => typeof (value as Record<string, unknown>)[method] !== 'function',
  )
  if (lacking === undefined) return value
  throw new InvalidConfigError(`${name}: given was ${shown(value)} without a method ${lacking}, allowed is ${allowed}`)
}

export function parseCompression(value: unknown, name: string, allowed: string): CompressionOption {
  if (typeof value === 'string') return value
  if (!isRecord(value)) throw refused(name, value, allowed)
  const { type, level, fallback, ...others } = given(value as Record<string, unknown>)
  const [other] = Object.keys(others)
  if (other !== undefined)
    throw new InvalidConfigError(`${name}: there is no field ${shown(other)}; it has type, level and fallback`)
  if (typeof type !== 'string') throw refused(`${name}.type`, type, NAME_OF_CODEC)
  if (level !== undefined && typeof level !== 'number') throw refused(`${name}.level`, level, 'a number')
  if (fallback !== undefined && typeof fallback !== 'string') throw refused(`${name}.fallback`, fallback, NAME_OF_CODEC)
  // What was checked is what is used, whatever becomes of what was given.
  return { type, level, fallback }
}

export function parseTopics(value: unknown, name: string, allowed: string): readonly string[] {
  return parseList(value, name, allowed, isTopicName, `a topic: ${TOPIC_NAMES}`)
}

export function parseTopicCompression(
  value: unknown,
  name: string,
  allowed: string,
): Readonly<Record<string, CompressionOption>> {
  // Nothing would be compressed.
  if (!isRecord(value)) throw refused(name, value, allowed)
  const read: [string, CompressionOption][] = []
  for (const [topic, option] of Object.entries(given(value as Record<string, unknown>))) {
    // No message is ever sent to another, and those that were meant would go uncompressed.
    if (!isTopicName(topic))
      throw new InvalidConfigError(`${name}: given was one of ${shown(topic)}, allowed are topics: ${TOPIC_NAMES}`)
    read.push([topic, parseCompression(option, `${name} of ${shown(topic)}`, COMPRESSION)])
  }
  return Object.fromEntries(read)
}

export function parseCodecs(value: unknown, name: string, allowed: string): readonly Codec[] {
  return parseList(value, name, allowed, isCodec, 'a codec: an object with a name and the method compress')
}

export function parseInterceptors(value: unknown, name: string, allowed: string): readonly ProducerInterceptor[] {
  const allowedOne = 'an object with the methods onSend, onAcknowledgement or both'
  const interceptors = parseList(value, name, allowed, isInterceptor, allowedOne)
  for (const [i, { onSend, onAcknowledgement }] of interceptors.entries()) {
    refuseGenerator(onSend, `${name}[${i}].onSend`)
    refuseGenerator(onAcknowledgement, `${name}[${i}].onAcknowledgement`)
  }
  return interceptors
}

function parseList<One>(
  value: unknown,
  name: string,
  allowed: string,
  isOne: (one: unknown) => one is One,
  allowedOne: string,
): readonly One[] {
  if (!Array.isArray(value)) throw refused(name, value, allowed)
  const list: readonly unknown[] = value
  // By index: `every` passes over holes, which are undefined to all who read them.
  for (let i = 0; i < list.length; i++) if (!isOne(list[i])) throw refused(`${name}[${i}]`, list[i], allowedOne)
  return list.slice() as One[]
}

export function parseBoolean(value: unknown, name: string, allowed: string): boolean {
  if (typeof value === 'boolean') return value
  throw refused(name, value, allowed)
}

export function parseBrokerVersion(value: unknown, name: string, allowed: string): string | undefined {
  if (value === undefined || (typeof value === 'string' && /^0\.[89](\.\d+)*$/.test(value))) return value
  throw refused(name, value, allowed)
}

/** What it says is never told in an error, and is held where nothing prints it. */
export function parseSsl(value: unknown, name: string, allowed: string): Secret<SslOption> | undefined {
  if (value === undefined || value === false) return undefined
  const isObject = isRecord(value)
  if (value !== true && typeof value !== 'function' && !isObject) {
    const shape = typeof value === 'string' ? 'a text' : shown(value)
    throw new InvalidConfigError(`${name}: given was ${shape}, allowed is ${allowed}`)
  }
  return new Secret(isObject ? checkTlsOptions(value, name) : value)
}

export function parseSasl(value: unknown, name: string): unknown {
  return value === undefined ? undefined : makeMechanism(value, name)
}

export function parseEncoder(value: unknown, name: string, allowed: string): Encoder {
  if (typeof (value as Partial<Encoder> | null)?.encode === 'function') return value as Encoder
  throw refused(name, value, allowed)
}

function isInterceptor(value: unknown): value is ProducerInterceptor {
  if (typeof value !== 'object' || value === null) return false
  const { onSend, onAcknowledgement } = value as Partial<Record<keyof ProducerInterceptor, unknown>>
  const methods = [onSend, onAcknowledgement].filter((method) => method !== undefined)
  return methods.length > 0 && methods.every((method) => typeof method === 'function')
}

function isCodec(value: unknown): value is Codec {
  const codec = value as Partial<Codec> | null
  return typeof codec === 'object' && typeof codec?.name === 'string' && typeof codec.compress === 'function'
}
