import { types } from 'node:util'
import { byteLengthOf } from '../../byte-length.js'
import { InvalidMessageError, SerializationError } from '../../errors.js'
import { isPromise } from '../../is-promise.js'
import { hasLoneSurrogate } from '../../lone-surrogate.js'
import type { Data, OutgoingHeaders } from '../../protocol/records/record.js'
import { sizeOfUtf8 } from '../../protocol/utf8.js'
import { ValidTopicNames } from '../../topic-name.js'
import { kindOfContent, reasonOf } from '../../wording/kind-of.js'
import { inOurWords, noteThrown } from '../../wording/whose-words.js'
import { DefaultEncoder, type EncodedPart, type Encoder, type EncoderContext } from '../encoder.js'
import { copyOf, dataOf } from '../messages/data.js'
import {
  checkIsObject,
  checkTopic,
  partitionOf,
  timestampOf,
  unreadable,
  valueMissing,
  type KeyedMessage,
} from '../messages/keyed-message.js'
import { canBeReadOnce, outgoingHeaders, pairsOf, type MessageHeaders } from '../messages/message-headers.js'
import type { KeyUse } from '../partitioner.js'
import { OutgoingMessage, type Placement } from '../queues/outgoing-message.js'

/** Sizes are 32-bit integers on the wire; this leaves room for what stands around a message. */
const MAX_MESSAGE_BYTES = 0x7fff0000

/** Looked up once: for V8 a class's prototype is no constant, and this is asked twice for each message. */
const STORE_AS_GIVEN: unknown = Reflect.get(DefaultEncoder.prototype, 'encode')

/**
 * Checks messages and runs the encoders over them. As long as none of them answers with a promise nothing is awaited;
 * the messages that follow one that does are encoded meanwhile, and put in order at the end.
 */
export class Serializer<K, V> {
  private readonly validTopics = new ValidTopicNames()

  constructor(
    private readonly encoder: Encoder<V>,
    private readonly keyEncoder: Encoder<K>,
    private readonly keyUse: KeyUse,
    /** Whether bytes are copied, so that the caller may change its own at once. */
    readonly copyBytes: boolean,
  ) {}

  /**
   * Every field of the message is read once, and before this returns: whatever becomes of it later, or a getter answers
   * the next time, what was checked is what is sent.
   *
   * @throws InvalidMessageError for what no broker could take, whatever its version
   * @throws SerializationError, at once or as a rejection, which needs nobody who looks at it
   */
  serialize(message: KeyedMessage<K, V>): OutgoingMessage | Promise<OutgoingMessage> {
    checkIsObject(message)
    let topic: string
    let value: V | null
    let key, partitionKey, partition, headers, timestamp
    try {
      ;({ topic, value, key, partitionKey, partition, headers, timestamp } = message)
    } catch (cause) {
      throw unreadable(message, cause)
    }
    checkTopic(topic, this.validTopics, message)
    if (value === undefined) throw valueMissing(message, topic)
    const namedPartition = partitionOf(partition)
    const ownTimestamp = timestampOf(timestamp)
    const ownHeaders = this.headersOf(headers)

    const ownKey = this.own(key ?? null, topic, 'key')
    const chooser = this.own(partitionKey ?? null, topic, 'partitionKey')
    // The encoder is not asked for a tombstone.
    const encodedValue =
      value === null
        ? null
        : this.encode(this.encoder, this.own(value, topic, 'value'), topic, headers, ownHeaders, 'value')
    const encodedKey = ownKey === null ? null : this.encode(this.keyEncoder, ownKey, topic, headers, ownHeaders, 'key')
    const encodedChooser =
      chooser === null || this.keyUse !== 'encoded'
        ? null
        : this.encode(this.keyEncoder, chooser, topic, headers, ownHeaders, 'partitionKey')

    if (isPending(encodedValue) || isPending(encodedKey) || isPending(encodedChooser)) {
      return handled(
        Promise.all([encodedValue, encodedKey, encodedChooser]).then(([v, k, p]) =>
          build(topic, v, k, ownHeaders, ownTimestamp, placementOf(namedPartition, chooser, p, ownKey, k)),
        ),
      )
    }
    const placement = placementOf(namedPartition, chooser, encodedChooser, ownKey, encodedKey)
    return build(topic, encodedValue, encodedKey, ownHeaders, ownTimestamp, placement)
  }

  private headersOf(headers: unknown): OutgoingHeaders | null {
    if (headers === undefined || headers === null) return null
    const parts = outgoingHeaders(headers)
    if (parts !== null && this.copyBytes) copyAll(parts)
    return parts
  }

  /**
   * What was given; with `copyBytes` a copy where it is bytes: an encoder or a partitioner may read it when the caller has
   * changed his.
   */
  private own<T>(given: T, topic: string, part: EncodedPart): T {
    if (!this.copyBytes) return given
    try {
      return copyOf(given)
    } catch (cause) {
      throw wrap(cause, topic, part)
    }
  }

  /** The promise is there only where the encoder gave one, and needs nobody who looks at its rejection. */
  private encode<T>(
    encoder: Encoder<T>,
    given: T,
    topic: string,
    headers: KeyedMessage['headers'],
    ownHeaders: OutgoingHeaders | null,
    part: EncodedPart,
  ): Data | Promise<Data> {
    try {
      // Nothing is asked, and no context made, where the answer is known and most often needed.
      if (isStoredAsItIs(given) && encoder.encode === STORE_AS_GIVEN) return given
      const context: EncoderContext = { topic, headers: headersToShow(headers, ownHeaders), part }
      const encoded: unknown = encoder.encode(given, context)
      if (typeof encoded === 'string' || encoded === null) return encoded
      if (ArrayBuffer.isView(encoded) || !isPromise(encoded)) return this.stored(encoded, given, topic)
      const promise = Promise.resolve(encoded).then((result) => this.stored(result, given, topic))
      return handled(
        promise.catch((cause: unknown) => {
          throw wrap(cause, topic, part)
        }),
      )
    } catch (cause) {
      throw wrap(cause, topic, part)
    }
  }

  /** What an encoder gave. It may be bytes of its own, that it will use again. */
  private stored(encoded: unknown, given: unknown, topic: string): Data {
    const data = dataOf(encoded)
    if (data === undefined) {
      const what = `the encoder gave ${kindOfContent(encoded)}, allowed are bytes, a string and null`
      throw inOurWords(new SerializationError(`topic '${topic}': ${what}`))
    }
    return this.copyBytes && data !== given ? copyOf(data) : data
  }
}

/** Replaces bytes by copies within the list, which is nobody else's: so headers that were added stay known as such. */
function copyAll(parts: Data[]): void {
  try {
    for (const [index, data] of parts.entries()) parts[index] = copyOf(data)
  } catch (cause) {
    throw new InvalidMessageError(`headers: bytes among them can't be read: ${reasonOf(cause)}`, { cause })
  }
}

/** The headers as encoders see them: as they were given; pairs in place of what can be read but once, and was. */
function headersToShow(
  headers: KeyedMessage['headers'],
  ownHeaders: OutgoingHeaders | null,
): MessageHeaders | undefined {
  if (headers === undefined || headers === null) return undefined
  return ownHeaders !== null && canBeReadOnce(headers) ? pairsOf(ownHeaders) : headers
}

/** A string, or bytes that are there: those of an empty array may be gone. */
function isStoredAsItIs(given: unknown): given is string | Uint8Array {
  return typeof given === 'string' || (types.isUint8Array(given) && given.length > 0)
}

/** Whether it is the promise of data, and not data. */
function isPending(encoded: Data | Promise<Data>): encoded is Promise<Data> {
  return typeof encoded === 'object' && encoded !== null && !ArrayBuffer.isView(encoded)
}

/**
 * A promise whose rejection does not end the process where nobody looks at it: it is looked at later, or never, where another
 * encoder of the call failed first.
 */
export function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  return promise
}

function build(
  topic: string,
  value: Data,
  key: Data,
  headers: OutgoingHeaders | null,
  ownTimestamp: number | null,
  placement: Placement | null,
): OutgoingMessage {
  checkText(value, topic, 'value')
  checkText(key, topic, 'key')
  if (placement !== null && placement.encodedKey !== key) checkText(placement.encodedKey, topic, 'partitionKey')
  let least: number
  let most: number
  try {
    least = lengthOf(key) + lengthOf(value)
    most = sizeAtMost(key) + sizeAtMost(value)
    if (headers !== null) {
      for (const data of headers) {
        least += lengthOf(data)
        most += sizeAtMost(data)
      }
    }
  } catch (cause) {
    // Bytes of a class whose `length` is its own.
    throw new InvalidMessageError(`bytes of a message for '${topic}' can't be read: ${reasonOf(cause)}`, { cause })
  }
  if (most > MAX_MESSAGE_BYTES)
    throw new InvalidMessageError(`a message of ${most} bytes for '${topic}', a record can hold ${MAX_MESSAGE_BYTES}`)
  return new OutgoingMessage(topic, key, value, headers, least, most, ownTimestamp, placement)
}

/** Strings from this length on are measured: so much room for what they may come to would be too much. */
const MEASURED_FROM = 1_024

/** What the data come to if they are ASCII or bytes. */
function lengthOf(data: Data): number {
  return data === null ? 0 : data.length
}

/** What the data come to at the most, in bytes: UTF-8 has three for a unit of UTF-16, and no string has more. */
function sizeAtMost(data: Data): number {
  if (data === null) return 0
  if (typeof data !== 'string') return data.length
  return data.length < MEASURED_FROM ? 3 * data.length : sizeOfUtf8(data)
}

function checkText(data: Data, topic: string, part: EncodedPart): void {
  if (typeof data !== 'string' || !hasLoneSurrogate(data)) return
  throw new SerializationError(
    `${part}: a string for '${topic}' has a lone surrogate, which UTF-8 can't hold; toWellFormed() replaces it`,
  )
}

function wrap(cause: unknown, topic: string, part: EncodedPart): SerializationError {
  noteThrown(cause)
  const what =
    cause instanceof SerializationError ? cause.message : `the encoder threw for '${topic}': ${reasonOf(cause)}`
  return new SerializationError(`${part}: ${what}`, { cause })
}

/** Null for a message without a key, and for one whose key is stored as it was given: nothing else is to be kept. */
function placementOf(
  partition: number,
  chooser: unknown,
  encodedChooser: Data,
  key: unknown,
  encodedKey: Data,
): Placement | null {
  if (chooser !== null) return placement(partition, chooser, encodedChooser)
  return partition < 0 && key === encodedKey ? null : placement(partition, key, encodedKey)
}

function placement(partition: number, key: unknown, encodedKey: Data): Placement {
  return { partition, key, encodedKey, keyBytes: byteLengthOf(encodedKey ?? key) }
}
