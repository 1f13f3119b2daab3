import { expect, it } from 'vitest'
import { UnsupportedByFormatError } from '../../../../src/errors.js'
import type { OutgoingMessage } from '../../../../src/producer/queues/outgoing-message.js'
import { Refusals } from '../../../../src/producer/queues/refusals.js'
import { ManualTurn } from '../calls/admission-support.js'
import { Owner, outgoingMessage } from '../outgoing.js'

const messages = (count: number): OutgoingMessage[] => {
  const owner = new Owner()
  return Array.from({ length: count }, (_, index) => outgoingMessage(owner, index))
}

it('tells few at once, and very many in several turns: each once, in their order, with their own cause', () => {
  const turn = new ManualTurn()
  const told: string[] = []
  const refusals = new Refusals(turn, ({ index }, { message }) => void told.push(`${message} ${index}`))
  const cause = (text: string) => new UnsupportedByFormatError(text)
  refusals.add(messages(3), 1, cause('few'))
  refusals.add(messages(2), 2, cause('none'))
  refusals.tell()
  expect(told.splice(0)).toEqual(['few 1', 'few 2'])

  turn.spent = true
  refusals.add(messages(1_000), 0, cause('many'))
  refusals.tell()
  refusals.add(messages(1), 0, cause('later'))
  refusals.tell()
  expect(told.length).toBeLessThan(500)
  for (let turns = 0; told.length < 1_001; turns++) {
    expect(turns).toBeLessThan(50)
    turn.next()
    turn.spent = true
  }
  expect(told).toEqual([...Array.from({ length: 1_000 }, (_, index) => `many ${index}`), 'later 0'])
})

it('makes stack traces for the first alone', () => {
  const limit = Error.stackTraceLimit
  const limits: number[] = []
  const refusals = new Refusals(new ManualTurn(), () => void limits.push(Error.stackTraceLimit))
  refusals.add(messages(100), 0, new UnsupportedByFormatError('x'))
  refusals.tell()
  expect([limits.indexOf(0), limits.length]).toEqual([20, 100])
  expect(Error.stackTraceLimit).toBe(limit)
})
