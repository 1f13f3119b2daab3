import { describe, expect, it } from 'vitest'
import { mayHaveBeenWritten, verdictOn, type Verdict } from '../../../../src/producer/sending/answer-verdict.js'

const plain = { messages: 3, invalid: 0, toldLeader: false, wasSentOn: false }
const backOff = { action: 'back off', needsMetadata: false } as const
const forMetadata = { action: 'back off', needsMetadata: true } as const

describe('what an answer means', () => {
  it.each<[string, Partial<typeof plain> & { errorCode: number }, Verdict]>([
    ['no error', { errorCode: 0 }, { action: 'done' }],
    ['no error, whatever else is told', { errorCode: 0, invalid: 1, toldLeader: true }, { action: 'done' }],
    ['MESSAGE_TOO_LARGE', { errorCode: 10 }, { action: 'split' }],
    ['MESSAGE_TOO_LARGE of one', { errorCode: 10, messages: 1 }, { action: 'fail' }],
    ['RECORD_LIST_TOO_LARGE', { errorCode: 18 }, { action: 'split' }],
    ['INVALID_TIMESTAMP of nobody knows which', { errorCode: 32 }, { action: 'split' }],
    ['INVALID_TIMESTAMP of one', { errorCode: 32, messages: 1 }, { action: 'fail' }],
    ['INVALID_TIMESTAMP of those named', { errorCode: 32, invalid: 2 }, { action: 'leave out' }],
    ['INVALID_TIMESTAMP of all', { errorCode: 32, invalid: 3 }, { action: 'fail' }],
    ['INVALID_RECORD of those named', { errorCode: 87, invalid: 1 }, { action: 'leave out' }],
    ['INVALID_RECORD of all', { errorCode: 87, invalid: 3 }, { action: 'fail' }],
    ['TOPIC_AUTHORIZATION_FAILED', { errorCode: 29 }, { action: 'fail' }],
    ['a code that is not known', { errorCode: 9_999 }, { action: 'fail' }],
    ['a new leader with a final error', { errorCode: 29, toldLeader: true }, { action: 'fail' }],
    ['NOT_LEADER_OR_FOLLOWER', { errorCode: 6 }, forMetadata],
    ['NOT_LEADER_OR_FOLLOWER and a new leader', { errorCode: 6, toldLeader: true }, { action: 'again' }],
    ['the same after one was followed', { errorCode: 6, toldLeader: true, wasSentOn: true }, forMetadata],
    ['UNKNOWN_TOPIC_OR_PARTITION', { errorCode: 3 }, forMetadata],
    ['NOT_ENOUGH_REPLICAS', { errorCode: 19 }, backOff],
    ['REQUEST_TIMED_OUT', { errorCode: 7 }, backOff],
  ])('%s', (_, facts, verdict) => {
    expect(verdictOn({ ...plain, ...facts })).toEqual(verdict)
  })

  it.each([
    [-1, true],
    [7, true],
    [20, true],
    [0, false],
    [6, false],
    [10, false],
    [19, false],
    [29, false],
  ])('after error %d a batch may have been written: %s', (code, may) => {
    expect(mayHaveBeenWritten(code)).toBe(may)
  })
})
