import { InvalidMessageError, SerializationError } from '../../errors.js'
import { OutgoingHeaders, sizeOfData, type Data } from '../../protocol/records/record.js'
import type { Encoder } from '../encoder.js'
import { areSameStrings, headerPairs, timestampOf, type KeyedMessage } from '../keyed-message.js'
import type { KeyUse } from '../partitioner.js'
import { SerializedMessage, type Placement } from '../queues/serialized-message.js'

/**
 * Runs the encoders over messages. As long as none of them answers with a promise nothing is awaited; the messages that
 * follow one that does are encoded meanwhile, and put in order at the end.
 */
export class Serializer<K, V> {
  private latestHeaders: OutgoingHeaders | undefined

  constructor(
    private readonly encoder: Encoder<V>,
    private readonly keyEncoder: Encoder<K>,
    private readonly keyUse: KeyUse,
    /** Whether bytes are copied, so that the caller may change its own at once. */
    private readonly copyBytes: boolean,
  ) {}

  /** @throws SerializationError, at once or as a rejection */
  serialize(message: KeyedMessage<K, V>): SerializedMessage | Promise<SerializedMessage> {
    const { topic, key = null, partitionKey = null } = message
    const value = run(this.encoder, message.value, topic, 'value')
    const encodedKey = key === null ? null : run(this.keyEncoder, key, topic, 'key')
    const own =
      partitionKey === null || this.keyUse !== 'encoded'
        ? null
        : run(this.keyEncoder, partitionKey, topic, 'partitionKey')
    if (isData(value) && isData(encodedKey) && isData(own)) return this.build(message, value, encodedKey, own)
    return Promise.all([value, encodedKey, own]).then(
      ([v, k, p]) =>
        this.build(message, checked(v, topic, 'value'), checked(k, topic, 'key'), checked(p, topic, 'partitionKey')),
      (cause: unknown) => {
        throw wrap(cause, topic, 'value or key')
      },
    )
  }

  private build(message: KeyedMessage<K, V>, value: Data, key: Data, encodedPartitionKey: Data): SerializedMessage {
    const { topic, timestamp } = message
    const keySize = sizeOfData(key)
    const valueSize = sizeOfData(value)
    const headers = this.headersOf(message)
    const bytes = (keySize > 0 ? keySize : 0) + (valueSize > 0 ? valueSize : 0) + (headers === null ? 0 : headers.bytes)
    if (bytes > MAX_MESSAGE_BYTES)
      throw new InvalidMessageError(
        `a message of ${bytes} bytes for '${topic}', a record can hold ${MAX_MESSAGE_BYTES}`,
      )
    return new SerializedMessage(
      topic,
      this.own(key),
      keySize,
      this.own(value),
      valueSize,
      headers,
      bytes,
      timestamp === undefined ? null : timestampOf(timestamp),
      placementOf(message, key, encodedPartitionKey),
    )
  }

  /** Many messages have the same few strings as the one before: those are looked through and encoded once. */
  private headersOf({ headers }: KeyedMessage<K, V>): OutgoingHeaders | null {
    if (headers === undefined) return null
    const { latestHeaders } = this
    if (latestHeaders !== undefined && areSameStrings(headers, latestHeaders.pairs)) {
      latestHeaders.isShared = true
      return latestHeaders
    }
    const pairs = headerPairs(headers)
    if (pairs === null) return null
    return (this.latestHeaders = new OutgoingHeaders(
      this.copyBytes ? pairs.map(([name, bytes]) => [name, this.own(bytes)] as const) : pairs,
    ))
  }

  private own(data: Data): Data {
    return this.copyBytes && data instanceof Uint8Array ? Buffer.from(data) : data
  }
}

function run<T>(encoder: Encoder<T>, value: T, topic: string, part: string): Data | Promise<Data> {
  let encoded: Data | Promise<Data>
  try {
    encoded = encoder.encode(value, topic)
  } catch (cause) {
    throw wrap(cause, topic, part)
  }
  if (typeof (encoded as Promise<Data> | null)?.then !== 'function') return checked(encoded as Data, topic, part)
  return handled(Promise.resolve(encoded))
}

/** Its rejection is looked at later, or no more where another encoder of the call failed first. */
export function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  return promise
}

function isData(encoded: Data | Promise<Data>): encoded is Data {
  return encoded === null || typeof encoded === 'string' || encoded instanceof Uint8Array
}

function checked(encoded: Data, topic: string, part: string): Data {
  if (isData(encoded)) return encoded
  throw new SerializationError(
    `the encoder of the ${part} for '${topic}' gave ${typeof encoded}, allowed are bytes, a string and null`,
  )
}

function wrap(cause: unknown, topic: string, part: string): SerializationError {
  if (cause instanceof SerializationError) return cause
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new SerializationError(`the encoder of the ${part} for '${topic}' threw: ${reason}`, { cause })
}

/** Null for a message without a key, and for one whose key is stored as it was given: nothing else is to be kept. */
function placementOf(
  { partition = -1, partitionKey = null, key = null }: KeyedMessage,
  encodedKey: Data,
  encodedPartitionKey: Data,
): Placement | null {
  if (partitionKey !== null) return { partition, key: partitionKey, encodedKey: encodedPartitionKey }
  return partition < 0 && key === encodedKey ? null : { partition, key, encodedKey }
}

/** Sizes are 32-bit integers on the wire; this leaves room for what stands around a message. */
const MAX_MESSAGE_BYTES = 0x7fff0000
