import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { errorCode } from '../../src/protocol/error-codes.js'
import { releases } from '../kafka/support/releases.js'
import { GENERATED } from './generate-docs.js'
import { ROOT } from './support/snippets.js'

const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')

/** The rows of the tables under a heading whose first cell is code, cell by cell. */
function rows(heading: string): string[][] {
  const section = readme.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? ''
  return [...section.matchAll(/^\| (`.*) \|$/gm)].map((match) => (match[1] as string).split(' | '))
}

interface ErrorClass {
  readonly code: string
  readonly class: string
  readonly retriable: boolean
}

/** The error classes with a code of their own, as the source has them. */
function errorClasses(): ErrorClass[] {
  const sources = ['src/errors.ts', 'src/producer/transactions/transaction-errors.ts']
  return sources
    .map((path) => readFileSync(join(ROOT, path), 'utf8'))
    .join('\n')
    .split(/^export class /m)
    .slice(1)
    .flatMap((text) => {
      const code = /super\(\s*'([A-Z_]+)'/.exec(text)?.[1]
      const name = /^\w+/.exec(text)?.[0]
      return code === undefined || name === undefined
        ? []
        : [{ code, class: name, retriable: /retriable: true/.test(text) }]
    })
}

it.each(Object.entries(GENERATED))(
  '%s has what is made from the sources; `npm run docs` brings it up to date',
  (file, make) => {
    const text = readFileSync(join(ROOT, file), 'utf8')
    expect(make(text)).toBe(text)
  },
)

it('docs/embedded-broker.md explains every code of an EmbeddedKafkaError', () => {
  const source = readFileSync(join(ROOT, 'src/error-code.ts'), 'utf8')
  const union = /type EmbeddedKafkaErrorCode =([^/]*)/.exec(source)?.[1] ?? ''
  const codes = [...union.matchAll(/'(\w+)'/g)].map(([, code]) => code)
  const text = readFileSync(join(ROOT, 'docs/embedded-broker.md'), 'utf8')
  const table = /^\| code \| means \|\n([^]*?)\n\n/m.exec(text)?.[1] ?? ''
  const explained = [...table.matchAll(/^\| (`[^|]*) \|/gm)].flatMap(([, cell = '']) =>
    cell.replaceAll('`', '').split(', '),
  )
  expect(explained.sort()).toEqual(codes.sort())
  expect(codes.length).toBeGreaterThan(10)
})

describe('README.md', () => {
  it('explains every error code, with its class and whether trying again may help', () => {
    const explained = rows('Errors').filter((cells) => cells[1]?.startsWith('`'))
    const found = explained.map(([code = '', name = '', again]) => ({
      code: code.replaceAll('`', ''),
      class: name.replaceAll('`', ''),
      retriable: again === 'yes',
    }))
    const byCode = (a: ErrorClass, b: ErrorClass): number => (a.code < b.code ? -1 : 1)
    expect(found.sort(byCode)).toEqual(errorClasses().sort(byCode))
    expect(found.length).toBeGreaterThan(15)
  })

  it('has the names, numbers and nature of what brokers answer right', () => {
    const answers = rows('Errors').filter((cells) => /^\d+$/.test(cells[1] ?? ''))
    for (const [name = '', number, again] of answers) {
      const { retriable, ...known } = errorCode(Number(number))
      expect(name).toBe(`\`${known.name}\``)
      expect(again, name).toBe(retriable ? 'yes' : 'no')
    }
    expect(answers.length).toBeGreaterThan(10)
  })

  it('gives the commands exactly as a newcomer needs them', () => {
    const lines = readme.split('\n')
    expect(lines).toContain('npm ci && npm run demo')
    expect(lines).toContain('npm ci && npm test')
  })

  it('names the Kafka releases that are tested', () => {
    const row = /^\| Kafka \| (.*) \|$/m.exec(readme)?.[1]
    expect(row).toContain(`${releases.map(({ name }) => name).join(', ')} `)
  })

  it('goes from installing to sending, and on in the usual order', () => {
    const headings = [...readme.matchAll(/^## (.*)$/gm)].map((match) => match[1])
    expect(headings).toEqual([
      'Install',
      'Send a message',
      'When something is wrong',
      'Supported versions',
      'Delivery guarantees',
      'Options',
      'Errors',
      'Testing with the embedded broker',
      'Performance',
      'More',
    ])
  })

  it('leads to every page of docs, by its own links or by those of the pages it leads to', () => {
    const found = new Set<string>()
    const follow = (page: string, text: string): void => {
      for (const [, link = ''] of text.matchAll(/\]\(([^):#]+\.md)/g)) {
        const path = join(page, '..', link)
        if (found.has(path)) continue
        found.add(path)
        follow(path, readFileSync(join(ROOT, path), 'utf8'))
      }
    }
    follow('README.md', readme)
    const pages = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md'))
    expect(pages.filter((name) => !found.has(join('docs', name)))).toEqual([])
  })

  it('links to files that exist', () => {
    const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)/g)].map((match) => match[1] as string)
    for (const link of links) expect(existsSync(join(ROOT, link)), link).toBe(true)
    expect(links.length).toBeGreaterThan(0)
  })
})
