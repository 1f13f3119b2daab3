import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { MOVES, TransactionStates } from '../../../../src/producer/transactions/transaction-states.js'
import { ROOT } from '../../../examples/support/snippets.js'

const text = readFileSync(join(ROOT, 'docs/transactions.md'), 'utf8')

describe('the states of a transactional producer', () => {
  it('are drawn in docs/transactions.md as the table has them', () => {
    const drawn = [...text.matchAll(/^ {2}(\w+) --> (\w+)$/gm)].map(([, from = '', to = '']) => [name(from), name(to)])
    const table = Object.entries(MOVES).flatMap(([from, all]) => all.map((to) => [from, to]))
    expect(drawn).toEqual(table)
    expect(drawn.length).toBeGreaterThan(10)
  })

  it('do not move where nothing is drawn', () => {
    const states = new TransactionStates()
    expect(() => states.go('committing')).toThrow("a transactional producer that is uninitialized can't be committing")
    states.go('initializing')
    expect(states.current).toBe('initializing')
  })
})

function name(drawn: string): string {
  return drawn.replaceAll('_', ' ')
}
