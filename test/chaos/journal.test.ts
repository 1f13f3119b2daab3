import { appendFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { readJournal } from './check/check.js'
import { JournalWriter } from './journal.js'
import { identityOf, keyOf, valueOf } from './messages.js'

async function newJournal(): Promise<{ path: string; journal: JournalWriter }> {
  const dir = await mkdtemp(join(tmpdir(), 'chaos-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  const path = join(dir, 'journal')
  return { path, journal: new JournalWriter(path) }
}

it('what a journal was told is what is read of it', async () => {
  const { path, journal } = await newJournal()
  journal.given(1, 'a', 0, 3, 0)
  journal.acknowledged(2, 0, 5, 70)
  journal.failed(3, 1, true, 'REQUEST_TIMEOUT')
  journal.remark(4, 'one\ntwo')
  journal.given(5, 'b', 3, 1, 8)
  journal.ended(6, 8, 'aborted', 'X')
  journal.broke(7, 'it\nbroke')
  journal.finished(8)
  journal.close()
  const told = await readJournal(path)
  expect(told.messages.map(({ topic, givenAt, transaction, fate }) => [topic, givenAt, transaction, fate])).toEqual([
    ['a', 1, 0, { at: 2, partition: 5, offset: 70 }],
    ['a', 1, 0, { at: 3, mayHaveBeenWritten: true, code: 'REQUEST_TIMEOUT' }],
    ['a', 1, 0, undefined],
    ['b', 5, 8, undefined],
  ])
  expect(told.transactions.get(8)).toEqual({ at: 6, outcome: 'aborted', code: 'X' })
  expect(told.broken).toEqual([{ at: 7, what: 'it broke' }])
  expect(told.hasFinished).toBe(true)
})

it('what is given is on disk at once, and half a line at the end is none', async () => {
  const { path, journal } = await newJournal()
  journal.given(1, 'a', 0, 1, 0)
  appendFileSync(path, 'A 2 0 5 7')
  const told = await readJournal(path)
  expect(told.messages).toHaveLength(1)
  expect(told.messages[0]?.fate).toBeUndefined()
  journal.close()
})

it('a message says whose it is and which, on one line, the same each time', () => {
  for (let sequence = 0; sequence < 1_000; sequence++) {
    const value = valueOf('chaos-1-1', sequence)
    expect(identityOf(value)).toEqual({ worker: 'chaos-1-1', sequence })
    expect(value).not.toContain('\n')
    expect(valueOf('chaos-1-1', sequence)).toBe(value)
    expect(keyOf(sequence) ?? 'none').toMatch(/^\S+$/)
  }
  expect(identityOf('anything else')).toBeUndefined()
})
