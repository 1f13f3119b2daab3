import { describe, expect, it } from 'vitest'
import { readLine } from '../journal.js'
import type { Role } from '../roles.js'
import { Found } from './found.js'
import { Told } from './told.js'
import { judge, type Finding } from './verdict.js'

const ROLE: Role = {
  name: 'chaos-1-1',
  transactionalId: 'chaos-1-1',
  manner: 'sync',
  acks: -1,
  idempotent: true,
  codec: 'none',
  node: '22',
  topics: ['a'],
  isFleeting: false,
  messagesPerSecond: 1,
  requestTimeoutMs: 1,
  deliveryTimeoutMs: 1,
  connectionsMaxIdleMs: 1,
  metadataRefreshIntervalMs: 1,
}

interface Case {
  readonly role?: Partial<Role>
  readonly isReliable?: boolean
  /** Lines of the journal, its end left out. */
  readonly journal: readonly string[]
  /** Copies in the order read: which message, where. */
  readonly read?: readonly (readonly [sequence: number, partition: number, offset: number])[]
  readonly hasEnd?: boolean
  readonly wasKilled?: boolean
}

function findings({
  role = {},
  isReliable = true,
  journal,
  read = [],
  hasEnd = true,
  wasKilled = false,
}: Case): Finding[] {
  const told = new Told()
  for (const line of [...journal, ...(hasEnd ? ['E 9'] : [])]) readLine(line, told)
  const found = new Found(() => true)
  for (const [sequence, partition, offset] of read) found.add(sequence, { topic: 'a', partition, offset })
  return judge({ role: { ...ROLE, ...role }, wasKilled }, told, found, { isReliable })
}

const violations = (given: Case): string[] =>
  findings(given).flatMap(({ kind, isViolation }) => (isViolation ? [kind] : []))
const allowed = (given: Case): string[] =>
  findings(given).flatMap(({ kind, isViolation }) => (isViolation ? [] : [kind]))

const ONE = 'G 1 a 0 1 0'
const TWO = 'G 1 a 0 2 0'

describe('what was told and what is there', () => {
  it('nothing is found where all is well', () => {
    const journal = [
      'G 1 a 0 4 0',
      'A 2 0 0 10',
      'A 2 1 1 5',
      'F 3 2 0 QUEUE_FULL',
      'F 3 3 1 REQUEST_TIMEOUT',
      '# 1 text',
    ]
    expect(
      findings({
        journal,
        read: [
          [0, 0, 10],
          [1, 1, 5],
        ],
      }),
    ).toEqual([])
    expect(
      findings({
        journal,
        read: [
          [0, 0, 10],
          [3, 0, 11],
          [1, 1, 5],
        ],
      }),
    ).toEqual([])
  })

  it('a message that was acknowledged and is not there is lost', () => {
    const journal = [ONE, 'A 2 0 0 10']
    expect(violations({ journal })).toEqual(['lost'])
    expect(violations({ journal, role: { idempotent: false } })).toEqual(['lost'])
  })

  it('what Kafka itself may lose is counted apart: acks 1, before 0.11, a topic that is made anew', () => {
    const journal = [ONE, 'A 2 0 0 10']
    for (const given of [{ role: { acks: 1 } }, { role: { isFleeting: true } }, { isReliable: false }] as const) {
      expect(violations({ journal, ...given })).toEqual([])
      expect(allowed({ journal, ...given })).toEqual(['lost'])
    }
  })

  it('a second copy is a violation with sequences, and counted apart without', () => {
    const given: Case = {
      journal: [ONE, 'A 2 0 0 10'],
      read: [
        [0, 0, 10],
        [0, 0, 11],
      ],
    }
    expect(violations(given)).toEqual(['duplicated'])
    expect(violations({ ...given, role: { idempotent: true, isFleeting: true } })).toEqual(['duplicated'])
    expect(violations({ ...given, role: { idempotent: false } })).toEqual([])
    expect(allowed({ ...given, role: { idempotent: false } })).toEqual(['duplicated'])
  })

  it('one that stands elsewhere than its caller was told is misplaced; an offset that was not told is no place', () => {
    expect(violations({ journal: [ONE, 'A 2 0 0 10'], read: [[0, 0, 11]] })).toEqual(['misplaced'])
    expect(violations({ journal: [ONE, 'A 2 0 1 10'], read: [[0, 0, 10]] })).toEqual(['misplaced'])
    expect(violations({ journal: [ONE, 'A 2 0 0 -1'], read: [[0, 0, 10]] })).toEqual([])
  })

  it('one that was told not to be written must not be there, with whatever acks', () => {
    const given: Case = { journal: [ONE, 'F 2 0 0 NOT_ENOUGH_REPLICAS'], read: [[0, 0, 10]] }
    expect(violations(given)).toEqual(['refused but there'])
    expect(violations({ ...given, role: { acks: 1, idempotent: false }, isReliable: false })).toEqual([
      'refused but there',
    ])
  })

  it('each has one fate', () => {
    expect(violations({ journal: [ONE] })).toEqual(['without a fate'])
    expect(violations({ journal: [ONE, 'A 2 0 0 10', 'F 3 0 1 X'], read: [[0, 0, 10]] })).toEqual(['told twice'])
    expect(violations({ journal: [ONE, 'A 2 0 0 10', 'A 2 7 0 11'], read: [[0, 0, 10]] })).toEqual(['broken'])
  })

  it('order is that in which they were given, in each partition, of a topic that is made anew, too', () => {
    const read: Case['read'] = [
      [1, 0, 10],
      [0, 0, 11],
    ]
    const journal = [TWO, 'A 2 0 0 11', 'A 2 1 0 10']
    expect(violations({ journal, read })).toEqual(['out of order'])
    expect(violations({ journal, read, role: { isFleeting: true } })).toEqual(['out of order'])
    expect(allowed({ journal, read, role: { acks: 1, idempotent: false } })).toEqual(['out of order'])
    const apart: Case['read'] = [
      [1, 0, 10],
      [0, 1, 3],
    ]
    expect(violations({ journal: [TWO, 'A 2 0 1 3', 'A 2 1 0 10'], read: apart })).toEqual([])
  })

  it('what may have been written may come late where it has no sequence', () => {
    const given: Case = {
      journal: [TWO, 'F 2 0 1 X', 'A 2 1 0 10'],
      read: [
        [1, 0, 10],
        [0, 0, 11],
      ],
    }
    expect(violations(given)).toEqual(['out of order'])
    expect(violations({ ...given, role: { idempotent: false } })).toEqual([])
  })

  it('a process that says what must not be, or ends before its time, is broken', () => {
    expect(violations({ journal: ['X 1 the process ends: oh'] })).toEqual(['broken'])
    expect(violations({ journal: [], hasEnd: false })).toEqual(['broken'])
  })

  it('what a process that was killed left without an end is no violation; what it was told before holds', () => {
    const given = { hasEnd: false, wasKilled: true }
    expect(findings({ ...given, journal: [ONE, 'G 1 a 1 2 7'] })).toEqual([])
    expect(violations({ ...given, journal: [ONE, 'A 2 0 0 10'] })).toEqual(['lost'])
    expect(violations({ ...given, journal: ['G 1 a 0 2 7'], read: [[0, 0, 10]] })).toEqual(['torn'])
  })
})

describe('a transaction', () => {
  const journal = (end: string): string[] => ['G 1 a 0 2 7', end]
  const both: Case['read'] = [
    [0, 0, 10],
    [1, 1, 10],
  ]
  const one: Case['read'] = [[0, 0, 10]]

  it('that was committed is there as a whole, and each message once', () => {
    expect(violations({ journal: journal('T 2 7 committed -'), read: both })).toEqual([])
    expect(violations({ journal: journal('T 2 7 committed -'), read: one })).toEqual(['committed and lost'])
    expect(violations({ journal: journal('T 2 7 committed -') })).toEqual(['committed and lost'])
    expect(violations({ journal: journal('T 2 7 committed -'), read: [...both, [1, 1, 11]] })).toEqual(['duplicated'])
  })

  it('that was aborted is not there', () => {
    expect(violations({ journal: journal('T 2 7 aborted X') })).toEqual([])
    expect(violations({ journal: journal('T 2 7 aborted X'), read: one })).toEqual(['aborted and there'])
  })

  it('of which nobody knows is there as a whole, or not at all', () => {
    expect(violations({ journal: journal('T 2 7 unknown X'), read: both })).toEqual([])
    expect(violations({ journal: journal('T 2 7 unknown X') })).toEqual([])
    expect(violations({ journal: journal('T 2 7 unknown X'), read: one })).toEqual(['torn'])
  })

  it('has an end that is told', () => {
    expect(violations({ journal: ['G 1 a 0 2 7'] })).toEqual(['without a fate'])
  })
})
