import { expect, it } from 'vitest'
import { withHeaders } from '../../../../src/index.js'

const message = { topic: 't', value: 'x' }

it.each([
  ['an object', { a: 'b' }],
  ['pairs', [['a', 'b']] as const],
  ['a Map', new Map([['a', 'b']])],
  ['Headers', new Headers({ a: 'b' })],
])('headers are added of %s', (_, added) => {
  expect(withHeaders(message, added)).toEqual({ ...message, headers: [['a', 'b']] })
  expect(withHeaders({ ...message, headers: new Map([['c', 'd']]) }, added)).toEqual({
    ...message,
    headers: [
      ['c', 'd'],
      ['a', 'b'],
    ],
  })
})

it.each([undefined, null, 'text'])('what is no message is given as it is, to be refused: %s', (given) => {
  expect(withHeaders(given as never, { a: 'b' })).toBe(given)
})

it('a list is refused as that: a copy of it is none, and no message', () => {
  expect(() => withHeaders([message, message], { a: 'b' })).toThrow(
    expect.objectContaining({
      code: 'INVALID_MESSAGE',
      message: 'withHeaders() takes one message, given was a list: give it each of them',
    }),
  )
})

it.each([
  [undefined, 'undefined'],
  [null, 'null'],
  ['traceparent', 'a string'],
  [5, 'a whole number'],
  [Promise.resolve({ a: 'b' }), 'an object (Promise)'],
  [new Date(0), 'an object (Date)'],
])('what is added and holds no headers is refused, and not lost: %s', (added, kind) => {
  expect(() => withHeaders(message, added as never)).toThrow(
    expect.objectContaining({
      code: 'INVALID_MESSAGE',
      message: `headers: given was ${kind}, allowed are a plain object and pairs of name and value`,
    }),
  )
})
