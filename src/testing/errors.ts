import type { EmbeddedKafkaErrorCode } from '../error-code.js'
import { KafkaProducerError } from '../errors.js'

export type { EmbeddedKafkaErrorCode }

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
