import { inspect, type InspectOptions } from 'node:util'
import type { BrokerErrorCode, KafkaProducerErrorCode } from './error-code.js'
import { counted } from './wording/counted.js'
import { inspectError, jsonOfError } from './wording/shown-error.js'

/** Options every error of this package is built with. */
export interface KafkaProducerErrorOptions {
  /** What led to it, where another error did. */
  cause?: unknown
  /** Whether the same call may succeed when tried again later. */
  retriable?: boolean | undefined
}

/**
 * The base of every error this package throws or rejects with. `code` is stable across releases: match on it, not on
 * the message. Each class says its name itself: `new.target.name` is one letter once a bundler has minified it.
 */
export class KafkaProducerError extends Error {
  static {
    this.prototype.name = 'KafkaProducerError'
  }

  /** Stable, upper case: `'QUEUE_FULL'`, `'NOT_LEADER_OR_FOLLOWER'`; a name that is none does not compile. */
  readonly code: KafkaProducerErrorCode
  /** Whether the same call may succeed when tried again later. */
  readonly retriable: boolean

  constructor(code: KafkaProducerErrorCode, message: string, options?: KafkaProducerErrorOptions) {
    super(message, options)
    this.code = code
    this.retriable = options?.retriable ?? false
  }

  /** What `JSON.stringify` writes: name, message, fields, and the causes as far as they say more; no message's data. */
  toJSON(): Readonly<Record<string, unknown>> {
    return jsonOfError(this)
  }

  /** What `console.error` prints: the same, and where the call was. */
  [inspect.custom](depth: number, options: InspectOptions): string {
    return inspectError(this, depth, options)
  }
}

/** `INVALID_CONFIG`: an option of the producer, or of one of its calls, is unknown or has a value that is not allowed. */
export class InvalidConfigError extends KafkaProducerError {
  static {
    this.prototype.name = 'InvalidConfigError'
  }

  declare readonly code: 'INVALID_CONFIG'

  constructor(message: string, options?: KafkaProducerErrorOptions) {
    super('INVALID_CONFIG', message, options)
  }
}

/**
 * `INVALID_MESSAGE`: a message handed to `send()` can't be sent by any broker. Nothing of that call was sent. As the cause
 * of a {@link DeliveryError}: bytes of that one message were detached or resized before they were written.
 */
export class InvalidMessageError extends KafkaProducerError {
  static {
    this.prototype.name = 'InvalidMessageError'
  }

  declare readonly code: 'INVALID_MESSAGE'

  constructor(message: string, options?: KafkaProducerErrorOptions) {
    super('INVALID_MESSAGE', message, options)
  }
}

/** `UNSUPPORTED_BY_FORMAT`: the record format of this broker can't hold something this message has. */
export class UnsupportedByFormatError extends KafkaProducerError {
  static {
    this.prototype.name = 'UnsupportedByFormatError'
  }

  declare readonly code: 'UNSUPPORTED_BY_FORMAT'

  constructor(message: string) {
    super('UNSUPPORTED_BY_FORMAT', message)
  }
}

/** `SERIALIZATION_FAILED`: an encoder threw, or gave neither bytes, string nor null. */
export class SerializationError extends KafkaProducerError {
  static {
    this.prototype.name = 'SerializationError'
  }

  declare readonly code: 'SERIALIZATION_FAILED'

  constructor(message: string, options?: KafkaProducerErrorOptions) {
    super('SERIALIZATION_FAILED', message, options)
  }
}

/** `INVALID_PARTITION`: the partitioner threw, or the partition is outside those the topic has. */
export class InvalidPartitionError extends KafkaProducerError {
  static {
    this.prototype.name = 'InvalidPartitionError'
  }

  declare readonly code: 'INVALID_PARTITION'

  constructor(message: string, options?: KafkaProducerErrorOptions) {
    super('INVALID_PARTITION', message, options)
  }
}

/** `PRODUCER_CLOSED`: `send()` after `close()`, or the close did not wait for this message. */
export class ProducerClosedError extends KafkaProducerError {
  static {
    this.prototype.name = 'ProducerClosedError'
  }

  declare readonly code: 'PRODUCER_CLOSED'

  constructor(message = 'the producer is closed') {
    super('PRODUCER_CLOSED', message)
  }
}

/**
 * Async mode: not all messages of a `send()` were taken in. `code` is that of the cause, such as `QUEUE_FULL`, `ABORTED`
 * or `PRODUCER_CLOSED`. What was refused is not reported elsewhere; what was taken goes on to its fate.
 */
export class NotQueuedError extends KafkaProducerError {
  static {
    this.prototype.name = 'NotQueuedError'
  }

  readonly #refused: readonly number[]
  readonly #taken: readonly number[]

  constructor(
    code: KafkaProducerErrorCode,
    message: string,
    refused: readonly number[],
    taken: readonly number[],
    options?: KafkaProducerErrorOptions,
  ) {
    super(code, message, options)
    this.#refused = refused
    this.#taken = taken
  }

  /** Places, in the list given to `send()`, of the messages that were not taken in. */
  get refused(): readonly number[] {
    return this.#refused
  }

  /** Places of those that were. */
  get taken(): readonly number[] {
    return this.#taken
  }
}

/** `QUEUE_FULL`: no room under `queueMessages` and `queueBytes` within `enqueueTimeoutMs`. */
export class QueueFullError extends NotQueuedError {
  static {
    this.prototype.name = 'QueueFullError'
  }

  declare readonly code: 'QUEUE_FULL'

  constructor(message: string, refused: readonly number[] = [], taken: readonly number[] = []) {
    super('QUEUE_FULL', message, refused, taken, { retriable: true })
  }
}

/** `FLUSH_TIMEOUT`: not every message had its fate within the time given to `flush()`; they go on. */
export class FlushTimeoutError extends KafkaProducerError {
  static {
    this.prototype.name = 'FlushTimeoutError'
  }

  declare readonly code: 'FLUSH_TIMEOUT'

  constructor(timeoutMs: number) {
    super('FLUSH_TIMEOUT', `not every message had its fate within ${timeoutMs} ms`, { retriable: true })
  }
}

/** `DELIVERY_TIMEOUT`: `deliveryTimeoutMs` passed before the message had its acknowledgement; `cause` is the last failure. */
export class DeliveryTimeoutError extends KafkaProducerError {
  static {
    this.prototype.name = 'DeliveryTimeoutError'
  }

  declare readonly code: 'DELIVERY_TIMEOUT'

  constructor(message: string, options?: KafkaProducerErrorOptions) {
    super('DELIVERY_TIMEOUT', message, { ...options, retriable: true })
  }
}

/** `ABORTED`: the caller's signal took the message out before it was in a closed batch, or ended what was waited for. */
export class AbortedError extends KafkaProducerError {
  static {
    this.prototype.name = 'AbortedError'
  }

  declare readonly code: 'ABORTED'

  constructor(cause: unknown, what = 'the send') {
    super('ABORTED', `${what} was aborted by its signal`, { cause })
  }
}

/** `CONNECTION_FAILED`: no address of the broker accepted a connection, or the session could not be set up. */
export class ConnectionFailedError extends KafkaProducerError {
  static {
    this.prototype.name = 'ConnectionFailedError'
  }

  declare readonly code: 'CONNECTION_FAILED'

  constructor(message: string, options?: KafkaProducerErrorOptions) {
    super('CONNECTION_FAILED', message, { retriable: true, ...options })
  }
}

/**
 * `TLS_FAILED`: the broker's certificate is not trusted, has expired or is for another name; the broker refuses this
 * client's certificate; or one side speaks TLS and the other does not. The text says what to do.
 */
export class TlsError extends KafkaProducerError {
  static {
    this.prototype.name = 'TlsError'
  }

  declare readonly code: 'TLS_FAILED'

  constructor(message: string, options?: KafkaProducerErrorOptions) {
    super('TLS_FAILED', message, options)
  }
}

/**
 * `AUTHENTICATION_FAILED`: the broker refuses the credentials or the mechanism, or could not prove that it knows the
 * password. Retriable only where credentials could not be had, such as from an endpoint that did not answer.
 */
export class AuthenticationError extends KafkaProducerError {
  static {
    this.prototype.name = 'AuthenticationError'
  }

  declare readonly code: 'AUTHENTICATION_FAILED'

  constructor(message: string, options?: KafkaProducerErrorOptions) {
    super('AUTHENTICATION_FAILED', message, options)
  }
}

/** `CONNECTION_CLOSED`: the connection ended while a request waited for its answer. */
export class ConnectionClosedError extends KafkaProducerError {
  static {
    this.prototype.name = 'ConnectionClosedError'
  }

  declare readonly code: 'CONNECTION_CLOSED'

  constructor(message: string, options?: KafkaProducerErrorOptions) {
    super('CONNECTION_CLOSED', message, { ...options, retriable: true })
  }
}

/** `REQUEST_TIMEOUT`: the broker did not answer in time; the connection was closed. */
export class RequestTimeoutError extends KafkaProducerError {
  static {
    this.prototype.name = 'RequestTimeoutError'
  }

  declare readonly code: 'REQUEST_TIMEOUT'

  constructor(message: string) {
    super('REQUEST_TIMEOUT', message, { retriable: true })
  }
}

/** `MALFORMED_RESPONSE`: bytes from the broker that are not a valid answer; the connection was closed. */
export class MalformedResponseError extends KafkaProducerError {
  static {
    this.prototype.name = 'MalformedResponseError'
  }

  declare readonly code: 'MALFORMED_RESPONSE'

  constructor(message: string, options?: KafkaProducerErrorOptions) {
    super('MALFORMED_RESPONSE', message, { ...options, retriable: true })
  }
}

/** `UNSUPPORTED_VERSION`: this client and the broker have no version of a needed request in common. */
export class UnsupportedVersionError extends KafkaProducerError {
  static {
    this.prototype.name = 'UnsupportedVersionError'
  }

  declare readonly code: 'UNSUPPORTED_VERSION'

  constructor(message: string, options?: KafkaProducerErrorOptions) {
    super('UNSUPPORTED_VERSION', message, options)
  }
}

/** `BROKER_UNAVAILABLE`: the metadata names a broker that no known address leads to, or a partition without a leader. */
export class BrokerUnavailableError extends KafkaProducerError {
  static {
    this.prototype.name = 'BrokerUnavailableError'
  }

  declare readonly code: 'BROKER_UNAVAILABLE'

  constructor(message: string, options?: KafkaProducerErrorOptions) {
    super('BROKER_UNAVAILABLE', message, { ...options, retriable: true })
  }
}

/** `BROKER_NOT_ALLOWED`: the option `allowBroker` does not let this client connect to an address that the cluster named. */
export class BrokerNotAllowedError extends KafkaProducerError {
  static {
    this.prototype.name = 'BrokerNotAllowedError'
  }

  declare readonly code: 'BROKER_NOT_ALLOWED'

  constructor(message: string, options?: KafkaProducerErrorOptions) {
    // The cluster may name another leader, or another address of it.
    super('BROKER_NOT_ALLOWED', message, { ...options, retriable: true })
  }
}

/** `METADATA_UNAVAILABLE`: none of the known brokers and none of the bootstrap list answered; `cause` is the last failure. */
export class MetadataUnavailableError extends KafkaProducerError {
  static {
    this.prototype.name = 'MetadataUnavailableError'
  }

  declare readonly code: 'METADATA_UNAVAILABLE'

  constructor(message: string, options?: KafkaProducerErrorOptions) {
    super('METADATA_UNAVAILABLE', message, { ...options, retriable: true })
  }
}

/** A broker answered with an error code; `code` is Kafka's name for it, such as `'MESSAGE_TOO_LARGE'`. */
export class BrokerResponseError extends KafkaProducerError {
  static {
    this.prototype.name = 'BrokerResponseError'
  }

  declare readonly code: BrokerErrorCode
  /** Kafka's number for the error. */
  readonly errorCode: number

  constructor(errorCode: number, name: BrokerErrorCode, message: string, retriable: boolean) {
    super(name, message, { retriable })
    this.errorCode = errorCode
  }
}

/** `CORRUPT_RECORDS`: bytes that are not a valid message set or record batch. */
export class CorruptRecordsError extends KafkaProducerError {
  static {
    this.prototype.name = 'CorruptRecordsError'
  }

  declare readonly code: 'CORRUPT_RECORDS'

  constructor(message: string, options?: KafkaProducerErrorOptions) {
    super('CORRUPT_RECORDS', message, options)
  }
}

/** What a failed delivery tells beside its cause. */
export interface DeliveryFailure {
  readonly topic: string
  /** Undefined where none was chosen yet. */
  readonly partition: number | undefined
  /** How many times it was written, or could not be for want of a connection. */
  readonly attempts: number
  readonly mayHaveBeenWritten: boolean
}

/**
 * Why one message was not acknowledged. `code` and `retriable` are those of the `cause`; sending the message again is
 * free of the risk of a duplicate only where `mayHaveBeenWritten` is false.
 */
export class DeliveryError extends KafkaProducerError implements DeliveryFailure {
  static {
    this.prototype.name = 'DeliveryError'
  }

  readonly topic: string
  readonly partition: number | undefined
  readonly attempts: number
  /** True once an attempt ended with nobody knowing whether the broker had written it. */
  readonly mayHaveBeenWritten: boolean

  constructor(cause: KafkaProducerError, failure: DeliveryFailure) {
    super(cause.code, cause.message, { cause, retriable: cause.retriable })
    this.topic = failure.topic
    this.partition = failure.partition
    this.attempts = failure.attempts
    this.mayHaveBeenWritten = failure.mayHaveBeenWritten
  }
}

/**
 * `FAILED_TO_SEND`: not all messages of a list given to `send()` were acknowledged. `results` has for each message, in the
 * order given, either its metadata or its own {@link DeliveryError}; `cause` is the first of these errors. A log shows
 * none of it but the count and the first.
 */
export class FailedToSendMessageError<Metadata = unknown, Message = unknown> extends KafkaProducerError {
  static {
    this.prototype.name = 'FailedToSendMessageError'
  }

  declare readonly code: 'FAILED_TO_SEND'

  // No properties that are enumerated: millions of messages would get into logs.
  readonly #results: readonly (Metadata | DeliveryError)[]
  readonly #messages: readonly Message[]

  constructor(results: readonly (Metadata | DeliveryError)[], messages: readonly Message[]) {
    let failed = 0
    let first: DeliveryError | undefined
    let retriable = true
    for (const result of results) {
      if (!(result instanceof DeliveryError)) continue
      failed++
      first ??= result
      retriable &&= result.retriable
    }
    const all = counted(results.length, 'message')
    const which = failed === results.length ? all : `${failed} of ${all}`
    const how = failed === 1 ? 'failed with' : 'failed; the first with'
    super('FAILED_TO_SEND', `${which} ${how} ${first?.code}: ${first?.message}`, { cause: first, retriable })
    this.#results = results
    this.#messages = messages
  }

  /** For each message its metadata or its own error, in the order given. */
  get results(): readonly (Metadata | DeliveryError)[] {
    return this.#results
  }

  /** The messages of the call, as they were given. */
  get messages(): readonly Message[] {
    return this.#messages
  }

  /** The largest number of attempts that any of the failed messages had. */
  get attempts(): number {
    let most = 0
    for (const result of this.#results)
      if (result instanceof DeliveryError && result.attempts > most) most = result.attempts
    return most
  }

  /** Whether any of the failed messages may have been written. */
  get mayHaveBeenWritten(): boolean {
    return this.#results.some((result) => result instanceof DeliveryError && result.mayHaveBeenWritten)
  }
}
