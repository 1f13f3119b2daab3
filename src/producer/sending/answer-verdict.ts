import { errorCode, ErrorCodes, isKnownErrorCode } from '../../protocol/error-codes.js'

/** What an answer says of one batch, and what matters of the batch. */
export interface AnswerFacts {
  readonly errorCode: number
  /** How many messages the batch has. */
  readonly messages: number
  /** How many of them the broker named as those that it found wrong (KIP-467). */
  readonly invalid: number
  /** Whether the answer told a leader that was news (KIP-951). */
  readonly toldLeader: boolean
  /** Whether the batch was sent on at once to a leader that an earlier answer told. */
  readonly wasSentOn: boolean
  /** Whether its topic's codec was not tried for it, though it could have been. */
  readonly wentUntried: boolean
  /** Whether the batch has a sequence, and then whether one before it is not settled yet, or has failed. */
  readonly sequence: 'none' | 'first' | 'behind'
  /** Whether the log begins behind all of the partition that was acknowledged: before Kafka 2.5 the broker forgets with it. */
  readonly isDeleted: boolean
  /** Whether an earlier attempt may have written the batch. */
  readonly mayHaveBeenWritten: boolean
  /** Whether it is part of a transaction, which has one epoch from its begin to its end. */
  readonly inTransaction: boolean
  /** Whether it may go without a sequence. */
  readonly maySendUnnumbered: boolean
  /** Whether it was not yet tried with another codec, which was named for brokers that don't take the first. */
  readonly mayFallBack: boolean
}

/** What is to become of the batch. */
export type Verdict =
  /** It is in the log. */
  | { readonly action: 'done' }
  /** It is too large as it is: compressed it may pass. It costs no attempt. */
  | { readonly action: 'compress' }
  /** The whole is too large: half of it at a time may pass. It costs no attempt. */
  | { readonly action: 'split' }
  /** It goes again behind the one before it, whose fate it shared. It costs no attempt. */
  | { readonly action: 'follow' }
  /**
   * It goes again under another epoch, numbered anew: the broker has lost count, and has not written it. Where it is proven
   * that nothing is missing this costs no attempt.
   */
  | { readonly action: 'start over'; readonly isProven: boolean }
  /** It goes again under the same epoch, from 0: with all before it the broker has forgotten the producer. No attempt. */
  | { readonly action: 'number from 0' }
  /** It fails, since it may have been written; what follows goes under another epoch. */
  | { readonly action: 'fail, start over' }
  /** It goes again at once with the fallback of its codec, and so does what follows for the topic. It costs no attempt. */
  | { readonly action: 'fall back' }
  /** It goes again at once without a sequence, and so does what follows for the topic. It costs no attempt. */
  | { readonly action: 'unnumber' }
  /** It goes again after a wait: it was refused for one beside it in its request, and passes without that. The first time costs no attempt. */
  | { readonly action: 'go apart' }
  /** The messages that the broker named fail, the others go again at once. They cost no attempt. */
  | { readonly action: 'leave out' }
  /** It goes again at once. */
  | { readonly action: 'again' }
  /** It goes again after a wait: the producer's transaction before has not ended everywhere. It costs no attempt. */
  | { readonly action: 'await' }
  /** It goes again after a wait, and after new metadata where these may be stale. */
  | { readonly action: 'back off'; readonly needsMetadata: boolean }
  /** It fails. */
  | { readonly action: 'fail' }

const DONE: Verdict = { action: 'done' }
const COMPRESS: Verdict = { action: 'compress' }
const SPLIT: Verdict = { action: 'split' }
const FOLLOW: Verdict = { action: 'follow' }
const START_OVER: Verdict = { action: 'start over', isProven: false }
const START_OVER_PROVEN: Verdict = { action: 'start over', isProven: true }
const NUMBER_FROM_0: Verdict = { action: 'number from 0' }
const FAIL_AND_START_OVER: Verdict = { action: 'fail, start over' }
const FALL_BACK: Verdict = { action: 'fall back' }
const UNNUMBER: Verdict = { action: 'unnumber' }
const GO_APART: Verdict = { action: 'go apart' }
const LEAVE_OUT: Verdict = { action: 'leave out' }
const AGAIN: Verdict = { action: 'again' }
const AWAIT: Verdict = { action: 'await' }
const FAIL: Verdict = { action: 'fail' }
const BACK_OFF: Verdict = { action: 'back off', needsMetadata: false }
const BACK_OFF_FOR_METADATA: Verdict = { action: 'back off', needsMetadata: true }

/** Answers to a batch that a smaller one may not get. */
export const TOO_LARGE: ReadonlySet<number> = new Set([ErrorCodes.MESSAGE_TOO_LARGE, ErrorCodes.RECORD_LIST_TOO_LARGE])

/**
 * Answers to a batch for the sake of single messages, which brokers name from Kafka 2.4 on (KIP-467): with older ones
 * halving the batch finds them, so that messages of others don't fail with them.
 */
const OF_SINGLE_MESSAGES = new Set<number>([ErrorCodes.INVALID_TIMESTAMP])

/**
 * Answers after which the broker may have written the batch all the same: it gave up waiting for replicas, or failed
 * at nobody knows what.
 */
const MAY_HAVE_BEEN_WRITTEN = new Set<number>([
  ErrorCodes.UNKNOWN_SERVER_ERROR,
  ErrorCodes.REQUEST_TIMED_OUT,
  ErrorCodes.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
])

/**
 * Answers that a broker gives before it writes, and after: while it waits for replicas (Kafka's DelayedProduce) it may
 * lose the partition to another leader, which may have the batch by then, or its disk. It tells the batch's offset then.
 */
const BEFORE_OR_AFTER = new Set<number>([ErrorCodes.NOT_LEADER_OR_FOLLOWER, ErrorCodes.KAFKA_STORAGE_ERROR])

/**
 * The broker finds sequences missing, or does not know the producer or its epoch (KIP-360, KIP-588): it has forgotten,
 * for age or since the topic was made anew, or a batch before this one is missing.
 */
const OF_SEQUENCES = new Set<number>([
  ErrorCodes.OUT_OF_ORDER_SEQUENCE_NUMBER,
  ErrorCodes.UNKNOWN_PRODUCER_ID,
  ErrorCodes.INVALID_PRODUCER_EPOCH,
])

/**
 * The broker takes no sequences: Kafka 0.11 to 2.x, where the topic's message.format.version is older; before 2.8, where the
 * right to IdempotentWrite was taken away since InitProducerId was answered (KIP-679).
 */
const TAKES_NO_SEQUENCES = new Set<number>([
  ErrorCodes.UNSUPPORTED_FOR_MESSAGE_FORMAT,
  ErrorCodes.CLUSTER_AUTHORIZATION_FAILED,
])

/** The broker may not take the codec: Azure's Event Hubs takes gzip alone, and answers the first of these. */
const MAY_BE_OF_CODEC = new Set<number>([
  ErrorCodes.UNSUPPORTED_FOR_MESSAGE_FORMAT,
  ErrorCodes.UNSUPPORTED_COMPRESSION_TYPE,
])

/** What an answer means: a table, the first row that fits. */
export function verdictOn(facts: AnswerFacts): Verdict {
  const { errorCode: code, messages, invalid, toldLeader, wasSentOn } = facts
  if (code === ErrorCodes.NONE) return DONE
  if (MAY_BE_OF_CODEC.has(code) && facts.mayFallBack) return FALL_BACK
  if (facts.sequence !== 'none') {
    // It was written by an attempt whose answer was lost.
    if (code === ErrorCodes.DUPLICATE_SEQUENCE_NUMBER) return DONE
    if (OF_SEQUENCES.has(code)) {
      if (facts.sequence === 'behind') return FOLLOW
      const isDeleted = code === ErrorCodes.UNKNOWN_PRODUCER_ID && facts.isDeleted
      if (facts.mayHaveBeenWritten) return FAIL_AND_START_OVER
      // A transaction has no other epoch.
      if (facts.inTransaction) return isDeleted ? NUMBER_FROM_0 : FAIL_AND_START_OVER
      return isDeleted ? START_OVER_PROVEN : START_OVER
    }
    if (TAKES_NO_SEQUENCES.has(code) && facts.maySendUnnumbered) return UNNUMBER
  }
  // Brokers refuse the whole request, where one batch of it has a sequence.
  if (code === ErrorCodes.CLUSTER_AUTHORIZATION_FAILED && facts.maySendUnnumbered) return GO_APART
  if (TOO_LARGE.has(code) && facts.wentUntried) return COMPRESS
  if (messages > 1 && (TOO_LARGE.has(code) || (OF_SINGLE_MESSAGES.has(code) && invalid === 0))) return SPLIT
  if (invalid > 0) return invalid < messages ? LEAVE_OUT : FAIL
  if (code === ErrorCodes.CONCURRENT_TRANSACTIONS && facts.inTransaction) return AWAIT
  const { retriable, refreshMetadata } = errorCode(code)
  if (!retriable) return FAIL
  // Brokers that tell of each other without end are not followed any faster than others that refuse.
  if (toldLeader && !wasSentOn) return AGAIN
  return refreshMetadata ? BACK_OFF_FOR_METADATA : BACK_OFF
}

/** Whether a batch that was refused so may be in the log, as Kafka's brokers answer. */
export function mayHaveBeenWritten(code: number, baseOffset: bigint): boolean {
  return isInDoubt(code) || (BEFORE_OR_AFTER.has(code) && baseOffset >= 0n)
}

/** The same, whatever the broker tells beside the code: such a batch keeps its sequence, by which it is found. */
export function mayBeInLog(code: number): boolean {
  return isInDoubt(code) || BEFORE_OR_AFTER.has(code)
}

/** What a code means that is newer than this client, nobody knows. */
function isInDoubt(code: number): boolean {
  return MAY_HAVE_BEEN_WRITTEN.has(code) || !isKnownErrorCode(code)
}
