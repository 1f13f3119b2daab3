import type { KafkaErrorName } from './protocol/error-table.js'

/** What this package itself calls what went wrong. */
export type ProducerErrorCode =
  | 'INVALID_CONFIG'
  | 'INVALID_MESSAGE'
  | 'UNSUPPORTED_BY_FORMAT'
  | 'SERIALIZATION_FAILED'
  | 'INVALID_PARTITION'
  | 'PRODUCER_CLOSED'
  | 'QUEUE_FULL'
  | 'FLUSH_TIMEOUT'
  | 'DELIVERY_TIMEOUT'
  | 'ABORTED'
  | 'CONNECTION_FAILED'
  | 'TLS_FAILED'
  | 'AUTHENTICATION_FAILED'
  | 'CONNECTION_CLOSED'
  | 'REQUEST_TIMEOUT'
  | 'MALFORMED_RESPONSE'
  | 'UNSUPPORTED_VERSION'
  | 'BROKER_UNAVAILABLE'
  | 'BROKER_NOT_ALLOWED'
  | 'METADATA_UNAVAILABLE'
  | 'CORRUPT_RECORDS'
  | 'FAILED_TO_SEND'
  | 'TRANSACTION_ABORTED'
  | 'TRANSACTION_TIMEOUT'
  | 'TRANSACTION_ENDED'
  | 'OUTCOME_UNKNOWN'
  | 'PRODUCER_UNUSABLE'

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
  | 'CANNOT_LISTEN'
  | 'UNREADABLE'
  | 'WAIT_TIMEOUT'
  | 'STOPPED'
  | 'INTERNAL'

/** What a broker answers; a number that is not known yet is a name, too. */
export type BrokerErrorCode = KafkaErrorName | `UNKNOWN_ERROR_CODE_${number}`

/** The `code` of every error of this package. */
export type KafkaProducerErrorCode = ProducerErrorCode | BrokerErrorCode | EmbeddedKafkaErrorCode
