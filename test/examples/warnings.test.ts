import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ROOT } from './support/snippets.js'

it('every warning that the sources give stands in docs/modes.md, and no other', () => {
  const codesIn = (text: string) => new Set(text.match(/\bKAFKA_PRODUCER_[A-Z_]+/g))
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join(ROOT, 'src', file), 'utf8'))
  const given = codesIn(sources.join('\n'))
  expect(codesIn(readFileSync(join(ROOT, 'docs/modes.md'), 'utf8'))).toEqual(given)
  expect(given.size).toBeGreaterThan(3)
})
