import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ROOT } from './support/snippets.js'

interface Attack {
  readonly file: string
  readonly title: string
}

const text = readFileSync(join(ROOT, 'docs/guarantees.md'), 'utf8')

/** What is named: a file, and titles of tests in it, or rules of the simulator. */
const attacks: Attack[] = [...text.matchAll(/`(test\/[\w./-]+\.ts)`: (\*[^*]+\*(?:, \*[^*]+\*)*)/g)].flatMap(
  ([, file = '', titles = '']) => [...titles.matchAll(/\*([^*]+)\*/g)].map(([, title = '']) => ({ file, title })),
)

function isThere({ file, title }: Attack): boolean {
  const path = join(ROOT, file)
  if (!existsSync(path)) return false
  const source = readFileSync(path, 'utf8')
  if (file.startsWith('test/simulation/')) return new RegExp(`new Violation\\(\\s*'${title}'`).test(source)
  // What is skipped attacks nothing.
  return new RegExp(`^.*'${escaped(title)}'`, 'm').exec(source)?.[0].includes('skip') === false
}

function escaped(title: string): string {
  return title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

describe('docs/guarantees.md', () => {
  it('names tests and rules of the simulator that exist', () => {
    expect(attacks.filter((attack) => !isThere(attack))).toEqual([])
    expect(attacks.length).toBeGreaterThan(60)
  })

  it('makes no promise that nothing attacks', () => {
    const promises = text.split(/^(?=- )/m).slice(1)
    expect(promises.filter((promise) => !/`test\/[\w./-]+\.ts`: \*/.test(promise))).toEqual([])
    expect(promises.length).toBeGreaterThan(30)
  })
})
