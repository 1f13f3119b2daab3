import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ROOT } from './support/snippets.js'

/* What the documentation lists of what is told is what there is: nobody waits for a line that never comes. */

const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')
const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => read(join('src', file)))
  .join('\n')
const found = (text: string, pattern: RegExp) =>
  [...new Set(Array.from(text.matchAll(pattern), ([, one]) => one))].sort()

it('every warning that the sources give stands in docs/modes.md, and no other', () => {
  const code = /\b(KAFKA_PRODUCER_[A-Z_]+)/g
  const given = found(sources, code)
  expect(found(read('docs/modes.md'), code)).toEqual(given)
  expect(given.length).toBeGreaterThan(3)
})

it('every namespace of DEBUG stands in docs/observability.md, and no other', () => {
  const [table = ''] = /^\| namespace \|[^]*?\n\n/m.exec(read('docs/observability.md')) ?? []
  expect(found(table, /`(kafka-producer:[a-z-]+)`/g)).toEqual(found(sources, /createDebug\('([^']+)'\)/g))
})
