import { describe, expect, it } from 'vitest'
import {
  mayBeInLog,
  mayHaveBeenWritten,
  verdictOn,
  type AnswerFacts,
  type Verdict,
} from '../../../../src/producer/sending/answer-verdict.js'

const plain: Omit<AnswerFacts, 'errorCode'> = {
  messages: 3,
  invalid: 0,
  toldLeader: false,
  wasSentOn: false,
  wentUntried: false,
  sequence: 'none',
  isDeleted: false,
  mayHaveBeenWritten: false,
  inTransaction: false,
  maySendUnnumbered: true,
  mayFallBack: false,
}
const backOff = { action: 'back off', needsMetadata: false } as const
const startOver = { action: 'start over', isProven: false } as const
const follow = { action: 'follow' } as const
const failAndStartOver = { action: 'fail, start over' } as const
const forMetadata = { action: 'back off', needsMetadata: true } as const

describe('what an answer means', () => {
  it.each<[string, Partial<AnswerFacts> & { errorCode: number }, Verdict]>([
    ['no error', { errorCode: 0 }, { action: 'done' }],
    ['no error, whatever else is told', { errorCode: 0, invalid: 1, toldLeader: true }, { action: 'done' }],
    ['MESSAGE_TOO_LARGE', { errorCode: 10 }, { action: 'split' }],
    ['MESSAGE_TOO_LARGE of one', { errorCode: 10, messages: 1 }, { action: 'fail' }],
    ['MESSAGE_TOO_LARGE of what was not compressed', { errorCode: 10, wentUntried: true }, { action: 'compress' }],
    ['the same of one', { errorCode: 10, messages: 1, wentUntried: true }, { action: 'compress' }],
    ['RECORD_LIST_TOO_LARGE', { errorCode: 18 }, { action: 'split' }],
    ['INVALID_TIMESTAMP of nobody knows which', { errorCode: 32 }, { action: 'split' }],
    ['INVALID_TIMESTAMP of one', { errorCode: 32, messages: 1 }, { action: 'fail' }],
    ['INVALID_TIMESTAMP of those named', { errorCode: 32, invalid: 2 }, { action: 'leave out' }],
    ['INVALID_TIMESTAMP of all', { errorCode: 32, invalid: 3 }, { action: 'fail' }],
    ['INVALID_RECORD of those named', { errorCode: 87, invalid: 1 }, { action: 'leave out' }],
    ['INVALID_RECORD of all', { errorCode: 87, invalid: 3 }, { action: 'fail' }],
    ['CORRUPT_MESSAGE', { errorCode: 2 }, backOff],
    ['CORRUPT_MESSAGE of those named', { errorCode: 2, invalid: 2 }, { action: 'leave out' }],
    ['CORRUPT_MESSAGE of all', { errorCode: 2, invalid: 3 }, { action: 'fail' }],
    ['UNSUPPORTED_FOR_MESSAGE_FORMAT', { errorCode: 43 }, { action: 'fail' }],
    ['the same with another codec at hand', { errorCode: 43, mayFallBack: true }, { action: 'fall back' }],
    [
      'the same with a sequence as well: the codec goes first',
      { errorCode: 43, mayFallBack: true, sequence: 'first' },
      { action: 'fall back' },
    ],
    ['UNSUPPORTED_COMPRESSION_TYPE', { errorCode: 76, mayFallBack: true }, { action: 'fall back' }],
    ['another error with another codec at hand', { errorCode: 19, mayFallBack: true }, backOff],
    ['another error of what was not compressed', { errorCode: 32, wentUntried: true }, { action: 'split' }],
    ['TOPIC_AUTHORIZATION_FAILED', { errorCode: 29 }, { action: 'fail' }],
    ['a code that is not known', { errorCode: 9_999 }, { action: 'fail' }],
    ['a new leader with a final error', { errorCode: 29, toldLeader: true }, { action: 'fail' }],
    ['NOT_LEADER_OR_FOLLOWER', { errorCode: 6 }, forMetadata],
    ['NOT_LEADER_OR_FOLLOWER and a new leader', { errorCode: 6, toldLeader: true }, { action: 'again' }],
    ['the same after one was followed', { errorCode: 6, toldLeader: true, wasSentOn: true }, forMetadata],
    ['UNKNOWN_TOPIC_OR_PARTITION', { errorCode: 3 }, forMetadata],
    ['NOT_ENOUGH_REPLICAS', { errorCode: 19 }, backOff],
    ['REQUEST_TIMED_OUT', { errorCode: 7 }, backOff],
    ['DUPLICATE_SEQUENCE_NUMBER', { errorCode: 46, sequence: 'first' }, { action: 'done' }],
    ['DUPLICATE_SEQUENCE_NUMBER behind others', { errorCode: 46, sequence: 'behind' }, { action: 'done' }],
    ['DUPLICATE_SEQUENCE_NUMBER to none', { errorCode: 46 }, { action: 'fail' }],
    ['OUT_OF_ORDER_SEQUENCE_NUMBER', { errorCode: 45, sequence: 'first' }, startOver],
    ['the same, perhaps written', { errorCode: 45, sequence: 'first', mayHaveBeenWritten: true }, failAndStartOver],
    ['the same behind others', { errorCode: 45, sequence: 'behind' }, { action: 'follow' }],
    [
      'the same behind others, perhaps written',
      { errorCode: 45, sequence: 'behind', mayHaveBeenWritten: true },
      follow,
    ],
    ['OUT_OF_ORDER_SEQUENCE_NUMBER to none', { errorCode: 45 }, { action: 'fail' }],
    ['UNKNOWN_PRODUCER_ID', { errorCode: 59, sequence: 'first' }, startOver],
    [
      'UNKNOWN_PRODUCER_ID, perhaps written',
      { errorCode: 59, sequence: 'first', mayHaveBeenWritten: true },
      failAndStartOver,
    ],
    [
      'UNKNOWN_PRODUCER_ID after retention',
      { errorCode: 59, sequence: 'first', isDeleted: true },
      { action: 'start over', isProven: true },
    ],
    [
      'the same, perhaps written',
      { errorCode: 59, sequence: 'first', isDeleted: true, mayHaveBeenWritten: true },
      failAndStartOver,
    ],
    [
      'the same in a transaction',
      { errorCode: 59, sequence: 'first', isDeleted: true, inTransaction: true },
      { action: 'number from 0' },
    ],
    [
      'the same behind others',
      { errorCode: 59, sequence: 'behind', isDeleted: true, inTransaction: true },
      { action: 'follow' },
    ],
    [
      'the same, perhaps written',
      { errorCode: 59, sequence: 'first', isDeleted: true, inTransaction: true, mayHaveBeenWritten: true },
      failAndStartOver,
    ],
    [
      'OUT_OF_ORDER_SEQUENCE_NUMBER after retention',
      { errorCode: 45, sequence: 'first', isDeleted: true, inTransaction: true },
      failAndStartOver,
    ],
    ['UNKNOWN_PRODUCER_ID behind others', { errorCode: 59, sequence: 'behind' }, { action: 'follow' }],
    ['INVALID_PRODUCER_EPOCH', { errorCode: 47, sequence: 'first' }, startOver],
    ['INVALID_PRODUCER_EPOCH behind others', { errorCode: 47, sequence: 'behind' }, { action: 'follow' }],
    ['CONCURRENT_TRANSACTIONS', { errorCode: 51, sequence: 'first', inTransaction: true }, { action: 'await' }],
    ['CONCURRENT_TRANSACTIONS to what is in none', { errorCode: 51 }, backOff],
    ['NOT_ENOUGH_REPLICAS in a transaction', { errorCode: 19, sequence: 'first', inTransaction: true }, backOff],
    ['PRODUCER_FENCED', { errorCode: 90, sequence: 'first' }, { action: 'fail' }],
    ['UNSUPPORTED_FOR_MESSAGE_FORMAT', { errorCode: 43, sequence: 'first' }, { action: 'unnumber' }],
    [
      'UNSUPPORTED_FOR_MESSAGE_FORMAT where sequences were asked for',
      { errorCode: 43, sequence: 'first', maySendUnnumbered: false },
      { action: 'fail' },
    ],
    ['UNSUPPORTED_FOR_MESSAGE_FORMAT to none', { errorCode: 43 }, { action: 'fail' }],
    ['CLUSTER_AUTHORIZATION_FAILED', { errorCode: 31, sequence: 'first' }, { action: 'unnumber' }],
    [
      'CLUSTER_AUTHORIZATION_FAILED where sequences were asked for',
      { errorCode: 31, sequence: 'first', maySendUnnumbered: false },
      { action: 'fail' },
    ],
    ['CLUSTER_AUTHORIZATION_FAILED to none, beside one that has one', { errorCode: 31 }, { action: 'go apart' }],
    ['the same where none has one', { errorCode: 31, maySendUnnumbered: false }, { action: 'fail' }],
    ['MESSAGE_TOO_LARGE with a sequence', { errorCode: 10, sequence: 'first' }, { action: 'split' }],
    ['INVALID_RECORD with a sequence', { errorCode: 87, invalid: 1, sequence: 'first' }, { action: 'leave out' }],
    ['NOT_LEADER_OR_FOLLOWER with a sequence', { errorCode: 6, sequence: 'behind' }, forMetadata],
  ])('%s', (_, facts, verdict) => {
    expect(verdictOn({ ...plain, ...facts })).toEqual(verdict)
  })

  it.each([
    [-1, -1n, true, true],
    [7, -1n, true, true],
    [20, -1n, true, true],
    [6, -1n, false, true],
    [6, 0n, true, true],
    [56, -1n, false, true],
    [56, 7n, true, true],
    [0, -1n, false, false],
    [3, -1n, false, false],
    [10, -1n, false, false],
    [19, -1n, false, false],
    [29, -1n, false, false],
    // Of a newer Kafka.
    [9_999, -1n, true, true],
    [-2, -1n, true, true],
  ])(
    'after error %d with offset %d a batch may have been written: %s, may be in the log: %s',
    (code, at, may, mayBe) => {
      expect(mayHaveBeenWritten(code, at)).toBe(may)
      expect(mayBeInLog(code)).toBe(mayBe)
    },
  )
})
