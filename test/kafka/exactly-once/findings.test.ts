/** What the proof is made of finds what it is to find. */
import { describe, expect, test } from 'vitest'
import { Ledger } from './ledger.js'
import { sequencesOf } from './sequences.js'
import { Sets } from './sets.js'

describe('the ledger', () => {
  /** Three messages of a key, acknowledged one behind the other; then these are read, in this order. */
  const reading = (...numbers: number[]) => {
    const ledger = new Ledger()
    for (const offset of [0n, 1n, 2n]) ledger.acknowledged(ledger.give('a'), offset)
    for (const number of numbers) ledger.read({ key: 'a', number }, { partition: 0, offset: number })
    return ledger.findings()
  }

  test('finds nothing where each is there once, in order', () => {
    expect(reading(0, 1, 2)).toEqual([])
  })

  test('finds one that is lost', () => {
    expect(reading(0, 2)).toEqual(['lost: a 1, acknowledged at 1'])
  })

  test('finds one that is there twice', () => {
    expect(reading(0, 1, 1, 2)).toEqual(['there 2 times: a 1 at partition 0 offset 1'])
  })

  test('finds one that was overtaken', () => {
    expect(reading(1, 0, 2)).toEqual(['behind 1: a 0 at partition 0 offset 0'])
  })

  test('finds one that nobody sent', () => {
    expect(reading(0, 1, 2, 3)).toEqual(['nobody sent it: a 3 at partition 0 offset 3'])
  })

  test('finds one that stands elsewhere than its caller was told', () => {
    const ledger = new Ledger()
    ledger.acknowledged(ledger.give('a'), 7n)
    ledger.read({ key: 'a', number: 0 }, { partition: 0, offset: 8 })
    expect(ledger.findings()).toEqual(['acknowledged with offset 7: a 0 at partition 0 offset 8'])
  })

  test('finds one that failed, and says so where it is there though it was told not to be', () => {
    const ledger = new Ledger()
    const failure = (mayHaveBeenWritten: boolean) => ({ mayHaveBeenWritten, message: 'no' })
    ledger.failed(ledger.give('a'), failure(false))
    ledger.failed(ledger.give('a'), failure(true))
    for (const number of [0, 1]) ledger.read({ key: 'a', number }, { partition: 0, offset: number })
    expect(ledger.findings()).toEqual([
      'failed: a 0: no',
      'failed: a 1: no',
      'told not to be written, and there: a 0 at partition 0 offset 0',
    ])
  })

  test('finds one whose caller was not told', () => {
    const ledger = new Ledger()
    ledger.give('a')
    expect(ledger.findings()).toEqual(['nobody was told: a 0'])
  })
})

describe('the sets', () => {
  test.each([
    ['committed', 2, []],
    ['committed', 1, ['t/1, committed: 1 of 2 messages are seen']],
    ['committed', 0, ['t/1, committed: 0 of 2 messages are seen']],
    ['aborted', 0, []],
    ['aborted', 2, ['t/1, aborted: 2 of 2 messages are seen']],
    ['unknown', 0, []],
    ['unknown', 2, []],
    ['unknown', 1, ['t/1, unknown: 1 of 2 messages are seen']],
  ] as const)('one that was %s, and of which %i of 2 are seen', (outcome, seen, expected) => {
    const sets = new Sets()
    sets.ended('t/1', { size: 2, outcome })
    for (let i = 0; i < seen; i++) sets.read(`t/1 ${i}`)
    expect(sets.findings()).toEqual(expected)
  })
})

describe('the sequences', () => {
  const batch = (base: number, last: number, producerId = 1, epoch = 0) =>
    `baseOffset: 0 lastOffset: 0 count: 1 baseSequence: ${base} lastSequence: ${last} producerId: ${producerId} producerEpoch: ${epoch} partitionLeaderEpoch: 0`
  const findingsIn = (...lines: string[]) => sequencesOf('broker 1', ['Dumping /data/t-0/0.log', ...lines]).findings

  test('are contiguous for each id and epoch, and markers have none', () => {
    const lines = [batch(0, 4), batch(0, 0, 2), batch(5, 5), batch(0, 3, 1, 1), batch(-1, -1)]
    expect(findingsIn(...lines)).toEqual([])
  })

  test('one that is missing is found, one that is there again, and one that does not begin with 0', () => {
    const run = 'broker 1, t-0, producer id 1, epoch 0'
    expect(findingsIn(batch(0, 4), batch(6, 6))).toEqual([`${run}: 6 where 5 was due`])
    expect(findingsIn(batch(0, 4), batch(0, 4))).toEqual([`${run}: 0 where 5 was due`])
    expect(findingsIn(batch(5, 9))).toEqual([`${run}: 5 where 0 was due`])
  })

  test('a batch without an id is found', () => {
    expect(findingsIn(batch(-1, -1, -1, -1))[0]).toMatch('broker 1, t-0: a batch without a producer id')
  })
})
