import { errorCode, ErrorCodes } from '../../protocol/error-codes.js'

/** What an error code in a transaction means for what comes next (KIP-1050). */
export type ErrorKind =
  /** The same is asked again, after a wait. */
  | 'again'
  /** The coordinator has moved: it is looked up, and asked again. */
  | 'moved'
  /** The transaction can only be aborted. */
  | 'abort'
  /** The same, and the coordinator has forgotten the producer's id: the next transaction has another one. */
  | 'abort, new id'
  /** Another producer has taken over, or the transaction took too long. */
  | 'fenced'
  /** A permission or an option is wrong. */
  | 'configuration'
  /** The producer can't go on. */
  | 'unusable'

const KINDS: readonly (readonly [kind: ErrorKind, codes: readonly number[]])[] = [
  ['moved', [ErrorCodes.COORDINATOR_NOT_AVAILABLE, ErrorCodes.NOT_COORDINATOR]],
  [
    'abort',
    [
      ErrorCodes.OFFSET_METADATA_TOO_LARGE,
      ErrorCodes.ILLEGAL_GENERATION,
      ErrorCodes.INVALID_GROUP_ID,
      ErrorCodes.UNKNOWN_MEMBER_ID,
      ErrorCodes.REBALANCE_IN_PROGRESS,
      ErrorCodes.INVALID_COMMIT_OFFSET_SIZE,
      ErrorCodes.TOPIC_AUTHORIZATION_FAILED,
      ErrorCodes.GROUP_AUTHORIZATION_FAILED,
      ErrorCodes.OPERATION_NOT_ATTEMPTED,
      ErrorCodes.GROUP_ID_NOT_FOUND,
      ErrorCodes.FENCED_INSTANCE_ID,
      ErrorCodes.FENCED_MEMBER_EPOCH,
      ErrorCodes.STALE_MEMBER_EPOCH,
      ErrorCodes.TRANSACTION_ABORTABLE,
    ],
  ],
  ['abort, new id', [ErrorCodes.INVALID_PRODUCER_ID_MAPPING, ErrorCodes.UNKNOWN_PRODUCER_ID]],
  // Older coordinators know a fenced producer by its epoch (KIP-588).
  ['fenced', [ErrorCodes.INVALID_PRODUCER_EPOCH, ErrorCodes.PRODUCER_FENCED]],
  [
    'configuration',
    [
      ErrorCodes.CLUSTER_AUTHORIZATION_FAILED,
      ErrorCodes.UNSUPPORTED_VERSION,
      ErrorCodes.INVALID_REQUEST,
      ErrorCodes.UNSUPPORTED_FOR_MESSAGE_FORMAT,
      ErrorCodes.INVALID_TRANSACTION_TIMEOUT,
      ErrorCodes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    ],
  ],
]

const KIND_OF_CODE: ReadonlyMap<number, ErrorKind> = new Map(
  KINDS.flatMap(([kind, codes]) => codes.map((code) => [code, kind] as const)),
)

const DETAILS: ReadonlyMap<number, string> = new Map([
  [
    ErrorCodes.INVALID_PRODUCER_ID_MAPPING,
    'the brokers know the transactionalId no longer, as where nothing was done with it for transactional.id.expiration.ms; the next transaction has another id',
  ],
  // A leader can't tell who has raised the epoch: the coordinator does, when the transaction ends or the next one begins.
  [
    ErrorCodes.INVALID_PRODUCER_EPOCH,
    'another producer may have begun with the same transactionalId, or the brokers have given up the transaction for its transactionTimeoutMs; then the next transaction fails with PRODUCER_FENCED',
  ],
])

/** What is known of an error in a transaction beside its code. */
export function detailOfCode(code: number): string | undefined {
  return DETAILS.get(code)
}

/** What a coordinator's error means. */
export function kindOfCode(code: number): ErrorKind {
  return KIND_OF_CODE.get(code) ?? (errorCode(code).retriable ? 'again' : 'unusable')
}

/** Of the errors of several parts of an answer, the one that decides: one that is final, and not for another's sake. */
export function decidingError(codes: Iterable<number>): number {
  let deciding: number = ErrorCodes.NONE
  for (const code of codes) if (rank(code) > rank(deciding)) deciding = code
  return deciding
}

/** What an answer says of a partition. */
export type PartitionCode = readonly [topic: string, partition: number, code: number]

/** Gives what an answer says of each partition: of one that it names more than once what decides; undefined of others. */
export function codesOf(told: Iterable<PartitionCode>): (topic: string, partition: number) => number | undefined {
  const codes = new Map<string, number>()
  for (const [topic, partition, code] of told) {
    const name = `${partition} ${topic}`
    codes.set(name, decidingError([codes.get(name) ?? ErrorCodes.NONE, code]))
  }
  return (topic, partition) => codes.get(`${partition} ${topic}`)
}

function rank(code: number): number {
  if (code === ErrorCodes.NONE) return 0
  if (code === ErrorCodes.OPERATION_NOT_ATTEMPTED) return 1
  const kind = kindOfCode(code)
  return kind === 'again' || kind === 'moved' ? 2 : 3
}

/** Errors of a batch after which no other one is taken of this producer. All others abort the transaction. */
const FINAL_FOR_BATCHES = new Map<number, ErrorKind>([
  [ErrorCodes.CLUSTER_AUTHORIZATION_FAILED, 'configuration'],
  [ErrorCodes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 'configuration'],
  [ErrorCodes.INVALID_PRODUCER_ID_MAPPING, 'abort, new id'],
  [ErrorCodes.PRODUCER_FENCED, 'fenced'],
])

/** What it means that a batch was refused with this error for good: of an epoch that was raised a leader may know first. */
export function kindOfBatchError(code: number | undefined): ErrorKind {
  return (code !== undefined && FINAL_FOR_BATCHES.get(code)) || 'abort'
}

/** Refusals that leave a gap, or the doubt of one, in the sequences of a partition. */
export const OF_SEQUENCES: ReadonlySet<number> = new Set([
  ErrorCodes.OUT_OF_ORDER_SEQUENCE_NUMBER,
  ErrorCodes.UNKNOWN_PRODUCER_ID,
])
