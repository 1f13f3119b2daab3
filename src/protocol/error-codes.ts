import type { BrokerErrorCode } from '../error-code.js'
import { BrokerResponseError } from '../errors.js'
import { foreignText } from '../wording/foreign-text.js'
import { ERROR_TABLE, REFRESH, RETRY } from './error-table.js'

/** What a broker's error code means to a client. */
export interface ErrorCode {
  readonly code: number
  /** Kafka's name for it. */
  readonly name: BrokerErrorCode
  /** Whether the same request may succeed later. */
  readonly retriable: boolean
  /** Whether it says that the client's metadata may be stale, so that a retry without new metadata is pointless. */
  readonly refreshMetadata: boolean
}

const BY_CODE: ReadonlyMap<number, ErrorCode> = new Map(
  ERROR_TABLE.map(([code, name, flags]) => [
    code,
    { code, name, retriable: (flags & RETRY) !== 0, refreshMetadata: (flags & REFRESH) !== 0 },
  ]),
)

/** The error codes this client acts on by name. */
export const ErrorCodes = {
  UNKNOWN_SERVER_ERROR: -1,
  NONE: 0,
  CORRUPT_MESSAGE: 2,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  LEADER_NOT_AVAILABLE: 5,
  NOT_LEADER_OR_FOLLOWER: 6,
  REQUEST_TIMED_OUT: 7,
  BROKER_NOT_AVAILABLE: 8,
  REPLICA_NOT_AVAILABLE: 9,
  MESSAGE_TOO_LARGE: 10,
  OFFSET_METADATA_TOO_LARGE: 12,
  COORDINATOR_NOT_AVAILABLE: 15,
  NOT_COORDINATOR: 16,
  INVALID_TOPIC_EXCEPTION: 17,
  RECORD_LIST_TOO_LARGE: 18,
  NOT_ENOUGH_REPLICAS: 19,
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: 20,
  INVALID_REQUIRED_ACKS: 21,
  ILLEGAL_GENERATION: 22,
  INVALID_GROUP_ID: 24,
  UNKNOWN_MEMBER_ID: 25,
  REBALANCE_IN_PROGRESS: 27,
  INVALID_COMMIT_OFFSET_SIZE: 28,
  TOPIC_AUTHORIZATION_FAILED: 29,
  GROUP_AUTHORIZATION_FAILED: 30,
  CLUSTER_AUTHORIZATION_FAILED: 31,
  INVALID_TIMESTAMP: 32,
  UNSUPPORTED_SASL_MECHANISM: 33,
  ILLEGAL_SASL_STATE: 34,
  UNSUPPORTED_VERSION: 35,
  INVALID_REQUEST: 42,
  UNSUPPORTED_FOR_MESSAGE_FORMAT: 43,
  POLICY_VIOLATION: 44,
  OUT_OF_ORDER_SEQUENCE_NUMBER: 45,
  DUPLICATE_SEQUENCE_NUMBER: 46,
  INVALID_PRODUCER_EPOCH: 47,
  INVALID_TXN_STATE: 48,
  INVALID_PRODUCER_ID_MAPPING: 49,
  INVALID_TRANSACTION_TIMEOUT: 50,
  CONCURRENT_TRANSACTIONS: 51,
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 53,
  OPERATION_NOT_ATTEMPTED: 55,
  KAFKA_STORAGE_ERROR: 56,
  SASL_AUTHENTICATION_FAILED: 58,
  UNKNOWN_PRODUCER_ID: 59,
  GROUP_ID_NOT_FOUND: 69,
  UNSUPPORTED_COMPRESSION_TYPE: 76,
  FENCED_INSTANCE_ID: 82,
  INVALID_RECORD: 87,
  PRODUCER_FENCED: 90,
  UNKNOWN_TOPIC_ID: 100,
  FENCED_MEMBER_EPOCH: 110,
  STALE_MEMBER_EPOCH: 113,
  UNKNOWN_SUBSCRIPTION_ID: 117,
  TELEMETRY_TOO_LARGE: 118,
  TRANSACTION_ABORTABLE: 120,
  REBOOTSTRAP_REQUIRED: 129,
} as const

/** Never undefined: a code this table does not know yet is final, since nothing says that trying again may help. */
export function errorCode(code: number): ErrorCode {
  return BY_CODE.get(code) ?? { code, name: `UNKNOWN_ERROR_CODE_${code}`, retriable: false, refreshMetadata: false }
}

export function isKnownErrorCode(code: number): boolean {
  return BY_CODE.has(code)
}

/** The error for a code a broker answered; `subject` says what it was asked, `detail` is the broker's own message. */
export function brokerResponseError(code: number, subject: string, detail?: string | null): BrokerResponseError {
  const { name, retriable } = errorCode(code)
  const tail = detail ? `: ${foreignText(detail)}` : ''
  return new BrokerResponseError(code, name, `${subject}: broker answered ${name} (${code})${tail}`, retriable)
}

/** The same error where what was asked shows that it passes, whatever Kafka says of the code in general. */
export function asRetriable({ errorCode, code, message }: BrokerResponseError): BrokerResponseError {
  return new BrokerResponseError(errorCode, code, message, true)
}
