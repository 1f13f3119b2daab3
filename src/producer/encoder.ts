import { types } from 'node:util'
import { InvalidConfigError, SerializationError } from '../errors.js'
import type { Data } from '../protocol/records/record.js'
import { kindOfContent, reasonOf } from '../wording/kind-of.js'
import { shown } from '../wording/shown.js'
import { inOurWords, noteThrown } from '../wording/whose-words.js'
import { dataOf } from './messages/data.js'
import type { MessageHeaders } from './messages/message-headers.js'

/** What an encoder is told beside what it is to encode. */
export interface EncoderContext {
  readonly topic: string
  /** The headers of the message as they were given; undefined where it has none. */
  readonly headers: MessageHeaders | undefined
  /** What of the message is encoded. A partition key comes to the key's encoder, where the partitioner reads bytes. */
  readonly part: EncodedPart
}

export type EncodedPart = 'key' | 'value' | 'partitionKey'

/** What can be stored as it is: bytes, and text as UTF-8. */
export type RawData = string | Uint8Array | ArrayBuffer | SharedArrayBuffer | DataView

/**
 * Turns a key or value into what is stored (Kafka 0.8: `kafka.serializer.Encoder`). It must not change its argument;
 * whatever it throws fails the message with a {@link SerializationError}. It is not asked for null, which is a tombstone as a
 * value, and as a key none. A promise is waited for without letting
 * messages given later overtake this one.
 */
export interface Encoder<T = unknown> {
  /**
   * @returns bytes; a string, which is stored as UTF-8; or null, for a value a tombstone and for a key no key.
   */
  encode(value: T, context: EncoderContext): Data | Promise<Data>
}

/**
 * Bytes as they are, without a copy (any `Uint8Array`, `ArrayBuffer`, `SharedArrayBuffer` or `DataView`), strings as
 * UTF-8, null as null.
 * A string is handed on as it is: it turns into bytes only once, in the request's own buffer.
 */
export class DefaultEncoder implements Encoder<RawData | null> {
  /** @throws SerializationError for anything else, `undefined` included. */
  encode(value: RawData | null, { topic }: EncoderContext): Data {
    let data: Data | undefined
    try {
      data = dataOf(value)
    } catch (cause) {
      throw failed(topic, `the bytes of ${kindOfContent(value)} are gone: ${reasonOf(cause)}`, cause)
    }
    if (data !== undefined) return data
    throw unfit(value, topic, 'bytes, a string or null', 'give one of these or set an encoder such as JsonEncoder')
  }
}

/** Strings in the encoding given; null stays null (Kafka 0.8: `StringEncoder` with `serializer.encoding`). */
export class StringEncoder implements Encoder<string | null> {
  private readonly charset: Charset

  /**
   * @param encoding UTF-8, UTF-16, UTF-16LE, UTF-16BE, ISO-8859-1 or ASCII by the names that are usual in Java and Node.
   *   As in Java, UTF-16 is big-endian with a byte order mark.
   * @throws InvalidConfigError for another name.
   */
  constructor(encoding = 'utf8') {
    const name: unknown = encoding
    const charset = typeof name === 'string' ? CHARSETS.get(name.toLowerCase().replace(/[-_]/g, '')) : undefined
    if (charset === undefined) {
      throw new InvalidConfigError(
        `unknown string encoding ${shown(encoding)}; known are utf8, utf-16, utf-16le, utf-16be, latin1 (ISO-8859-1), ascii`,
      )
    }
    this.charset = charset
  }

  /**
   * @throws SerializationError for anything but a string or null, and for a character that the encoding does not have:
   *   Java would store a question mark and Node a wrong letter.
   */
  encode(value: string | null, { topic }: EncoderContext): Data {
    if (value === null) return null
    if (typeof value !== 'string') throw unfit(value, topic, 'a string or null', 'convert it with String(value)')
    switch (this.charset) {
      case 'utf8':
        return value
      case 'utf16le':
        return Buffer.from(value, 'utf16le')
      case 'utf16be':
        return Buffer.from(value, 'utf16le').swap16()
      case 'utf16':
        return Buffer.from(value === '' ? '' : `\ufeff${value}`, 'utf16le').swap16()
      case 'latin1':
        return narrow(value, 0xff, this.charset, topic)
      case 'ascii':
        return narrow(value, 0x7f, this.charset, topic)
    }
  }
}

type Charset = 'utf8' | 'utf16' | 'utf16le' | 'utf16be' | 'latin1' | 'ascii'

/** By name in lower case without hyphens and underscores. */
const CHARSETS: ReadonlyMap<string, Charset> = new Map<string, Charset>([
  ['utf8', 'utf8'],
  ['utf16', 'utf16'],
  ['utf16le', 'utf16le'],
  ['ucs2', 'utf16le'],
  ['utf16be', 'utf16be'],
  ['latin1', 'latin1'],
  ['iso88591', 'latin1'],
  ['ascii', 'ascii'],
  ['usascii', 'ascii'],
])

function narrow(text: string, highest: number, charset: 'latin1' | 'ascii', topic: string): Buffer {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > highest) {
      throw failed(topic, `the character at index ${i} of the string is not in ${charset}; use utf8`)
    }
  }
  return Buffer.from(text, 'latin1')
}

/** Always null: for keys that only choose the partition and are not stored (Kafka 0.8: `NullEncoder`). */
export class NullEncoder implements Encoder {
  encode(): null {
    return null
  }
}

/** 32-bit signed integers, big-endian; null stays null (Java: `IntegerSerializer`). */
export class IntegerEncoder implements Encoder<number | null> {
  /** @throws SerializationError for anything but null or an integer from -2^31 to 2^31 - 1. */
  encode(value: number | null, { topic }: EncoderContext): Data {
    if (value === null) return null
    if (typeof value !== 'number' || (value | 0) !== value) {
      throw unfit(value, topic, 'an integer from -2147483648 to 2147483647', 'LongEncoder has 64 bits')
    }
    const bytes = Buffer.allocUnsafe(4)
    bytes.writeInt32BE(value)
    return bytes
  }
}

/** 64-bit signed integers, big-endian; null stays null (Java: `LongSerializer`). */
export class LongEncoder implements Encoder<bigint | number | null> {
  /** @throws SerializationError for anything but null, a bigint from -2^63 to 2^63 - 1, or a safe integer. */
  encode(value: bigint | number | null, { topic }: EncoderContext): Data {
    if (value === null) return null
    const long = Number.isSafeInteger(value) ? BigInt(value) : value
    if (typeof long !== 'bigint' || BigInt.asIntN(64, long) !== long) {
      throw unfit(value, topic, 'a bigint of 64 bits or a safe integer', 'numbers beyond 2^53 must be given as bigint')
    }
    const bytes = Buffer.allocUnsafe(8)
    bytes.writeBigInt64BE(long)
    return bytes
  }
}

/** What JSON has a text for, as far as types tell. */
export type JsonInput = object | string | number | boolean

/**
 * `JSON.stringify` as UTF-8. Null stays null, a tombstone, and does not become the text `null`.
 *
 * @typeParam T what is encoded: `new JsonEncoder<Order>()`
 */
export class JsonEncoder<T = JsonInput> implements Encoder<T> {
  /**
   * @throws SerializationError for what JSON has no text for: undefined, functions, cycles, bigints; and for what it
   *   would take for nothing: NaN, an invalid Date, a promise, a Map, a Set, an iterator, an Error, bytes, what `fetch()` gives.
   *   What has a method `toJSON` is what that says, a Buffer too. Within an object or a list they go by the rules of JSON.
   */
  encode(value: T, { topic }: EncoderContext): Data {
    if (value === null) return null
    let text: string | undefined
    try {
      text = JSON.stringify(value)
    } catch (cause) {
      throw failed(topic, `JSON.stringify failed: ${reasonOf(cause)}`, cause)
    }
    // Undefined, functions and symbols have no text, though the declared type hides it.
    if (text === undefined || text === 'null' || isLostInJson(value, text))
      throw unfit(value, topic, 'a value that JSON can hold', 'null makes a tombstone')
    return text
  }
}

/** What JSON makes an empty object of, whatever it holds; and bytes, which become an object of their indices. */
function isLostInJson(value: unknown, text: string): boolean {
  if (typeof value !== 'object' || value === null || 'toJSON' in value) return false
  // Node's own errors have fields, and are of another realm under Jest.
  if (ArrayBuffer.isView(value) || value instanceof Error || types.isNativeError(value)) return true
  // What is built in has a tag: Maps and promises, and a Response, Headers or Blob of the web, too.
  const isBuiltIn = Symbol.toStringTag in value || types.isRegExp(value)
  return text === '{}' && (isBuiltIn || Symbol.iterator in value)
}

function unfit(value: unknown, topic: string, wanted: string, remedy: string): SerializationError {
  return failed(topic, `cannot encode ${kindOfContent(value)}: expected ${wanted}; ${remedy}`)
}

function failed(topic: string, what: string, cause?: unknown): SerializationError {
  const options = cause === undefined ? {} : { cause }
  noteThrown(cause)
  return inOurWords(new SerializationError(`topic '${topic}': ${what}`, options))
}
