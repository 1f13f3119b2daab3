import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ROOT } from './support/snippets.js'

const text = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8')

describe('docs/architecture.md', () => {
  it('names files and folders that exist', () => {
    const named = [...text.matchAll(/`((?:src|test)\/[\w./-]*)`/g)].map((match) => match[1] as string)
    expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
    expect(named.length).toBeGreaterThan(40)
  })

  it('names files by their names alone only beside the folder that they are in', () => {
    const rows = text.split('\n').filter((line) => line.startsWith('| `src/'))
    const named = rows.flatMap((row) => {
      const folders = [...row.matchAll(/`(src\/(?:[\w-]+\/)*)/g)].map((match) => match[1] as string)
      return [...row.matchAll(/`([\w-]+\.ts)`/g)].map(([, name]) => ({ name: name as string, folders }))
    })
    const isThere = ({ name, folders }: (typeof named)[0]) => folders.some((at) => existsSync(join(ROOT, at, name)))
    expect(named.filter((one) => !isThere(one))).toEqual([])
    expect(named.length).toBeGreaterThan(20)
  })

  it('names functions and methods that are in the files it gives', () => {
    const named = [...text.matchAll(/`(?:(\w+)\.)?(\w+)`\s+in\s+`(src\/[\w./-]+\.ts)`/g)]
    const missing = named.filter(([, owner, name, file]) => {
      const source = readFileSync(join(ROOT, file as string), 'utf8')
      if (owner === undefined) return !new RegExp(`function ${name}\\b`).test(source)
      const body = new RegExp(`class ${owner}\\b[^]*?\n}\n`).exec(source)?.[0]
      return body === undefined || !new RegExp(`^ {2}(?:async )?\\*?${name}(?:<[^>]*>)?\\(`, 'm').test(body)
    })
    expect(missing.map(([all]) => all)).toEqual([])
    expect(named.length).toBeGreaterThan(15)
  })

  it('leaves out no folder of the sources', () => {
    const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    const folders = new Set(
      files.filter((file) => /[/\\].*\.ts$/.test(file)).map((file) => file.split(/[/\\]/)[0] as string),
    )
    for (const name of folders) expect(text).toContain(`\`src/${name}/`)
    expect(folders.size).toBeGreaterThan(3)
  })
})
