import { errorCode, ErrorCodes } from '../../protocol/error-codes.js'

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
}

/** What is to become of the batch. */
export type Verdict =
  /** It is in the log. */
  | { readonly action: 'done' }
  /** The whole is too large: half of it at a time may pass. It costs no attempt. */
  | { readonly action: 'split' }
  /** The messages that the broker named fail, the others go again at once. They cost no attempt. */
  | { readonly action: 'leave out' }
  /** It goes again at once. */
  | { readonly action: 'again' }
  /** It goes again after a wait, and after new metadata where these may be stale. */
  | { readonly action: 'back off'; readonly needsMetadata: boolean }
  /** It fails. */
  | { readonly action: 'fail' }

const DONE: Verdict = { action: 'done' }
const SPLIT: Verdict = { action: 'split' }
const LEAVE_OUT: Verdict = { action: 'leave out' }
const AGAIN: Verdict = { action: 'again' }
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
  -1,
  ErrorCodes.REQUEST_TIMED_OUT,
  ErrorCodes.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
])

/** What an answer means: a table, the first row that fits. */
export function verdictOn({ errorCode: code, messages, invalid, toldLeader, wasSentOn }: AnswerFacts): Verdict {
  if (code === ErrorCodes.NONE) return DONE
  if (messages > 1 && (TOO_LARGE.has(code) || (OF_SINGLE_MESSAGES.has(code) && invalid === 0))) return SPLIT
  if (invalid > 0 && invalid < messages) return LEAVE_OUT
  const { retriable, refreshMetadata } = errorCode(code)
  if (!retriable) return FAIL
  // Brokers that tell of each other without end are not followed any faster than others that refuse.
  if (toldLeader && !wasSentOn) return AGAIN
  return refreshMetadata ? BACK_OFF_FOR_METADATA : BACK_OFF
}

/** Whether a batch that was refused so may be in the log. */
export function mayHaveBeenWritten(code: number): boolean {
  return MAY_HAVE_BEEN_WRITTEN.has(code)
}
