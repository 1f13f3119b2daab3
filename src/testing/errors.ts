import { KafkaProducerError } from '../errors.js'

/** What a call on the embedded Kafka itself can be refused for. */
export type EmbeddedKafkaErrorCode =
  | 'INVALID_OPTION'
  | 'UNKNOWN_RELEASE'
  | 'UNKNOWN_BROKER'
  | 'UNKNOWN_TOPIC'
  | 'UNKNOWN_PARTITION'
  | 'UNKNOWN_ERROR_NAME'
  | 'TOPIC_EXISTS'
  | 'WRONG_STATE'
  | 'UNREADABLE'
  | 'WAIT_TIMEOUT'
  | 'STOPPED'
  | 'INTERNAL'

/** Thrown at whoever drives the embedded Kafka; what its clients get are Kafka's own error codes on the wire. */
export class EmbeddedKafkaError extends KafkaProducerError {
  static {
    this.prototype.name = 'EmbeddedKafkaError'
  }

  declare readonly code: EmbeddedKafkaErrorCode

  constructor(code: EmbeddedKafkaErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(code, message, options)
  }
}
