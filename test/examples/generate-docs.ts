/**
 * Brings up to date what is made from something else: `npm run docs`. The README and the comments of the options have
 * the table of options, package.json has addresses. A test fails where that was forgotten.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DEFAULT_ENCODER, OPTIONS } from '../../src/producer/config/option-table.js'
import type { OptionName } from '../../src/producer/config/producer-options.js'
import { withOptionComments } from './support/option-comments.js'
import { ROOT } from './support/snippets.js'

const OPTIONS_SECTION = /(<!-- options: .*? -->\n)[^]*?(<!-- \/options -->)/

/** The README as it should be. */
export function withGeneratedParts(readme: string): string {
  if (!OPTIONS_SECTION.test(readme)) throw new Error('README.md has no place for the table of options')
  return readme.replace(OPTIONS_SECTION, (_, begin: string, end: string) => `${begin}${optionsTable()}${end}`)
}

function optionsTable(): string {
  const rows = (Object.keys(OPTIONS) as OptionName[]).map((name) => {
    const { fallback, allowed, text } = OPTIONS[name]
    return `| \`${name}\` | ${cell(name === 'brokers' ? 'required' : showDefault(fallback))} | ${cell(readable(allowed))} | ${cell(text)} |\n`
  })
  return `| option | default | allowed | meaning |\n| --- | --- | --- | --- |\n${rows.join('')}`
}

function showDefault(value: unknown): string {
  if (value === DEFAULT_ENCODER) return '`DefaultEncoder`'
  if (value === undefined) return '–'
  if (value === Infinity) return '`Infinity`'
  if (typeof value === 'number') return value.toLocaleString('en')
  if (typeof value === 'string') return `\`'${value}'\``
  const text = JSON.stringify(value)
  return text === '[]' || text === '{}' ? '–' : `\`${text}\``
}

/** The largest numbers are a timer's and an int32's; nobody comes near them, and they only make the table wide. */
function readable(allowed: string): string {
  const range = /^a whole number from (-?\d+) to (\d+)$/.exec(allowed)
  if (range === null) return allowed
  const [, from, to] = range
  return Number(to) >= 0x7fffffff ? `from ${from}` : `from ${from} to ${Number(to).toLocaleString('en')}`
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}

/** package.json as it should be: where the project is at home follows from where its repository is. */
export function withAddresses(manifest: string): string {
  const { repository } = JSON.parse(manifest) as { repository: { url: string } }
  const home = repository.url.replace(/^git\+/, '').replace(/\.git$/, '')
  return manifest.replace(/("homepage": )".*"/, `$1"${home}#readme"`).replace(/("bugs": )".*"/, `$1"${home}/issues"`)
}

/** Each file that something is made in, and what makes it. */
export const GENERATED: Readonly<Record<string, (before: string) => string>> = {
  'README.md': withGeneratedParts,
  'src/producer/config/producer-options.ts': withOptionComments,
  'package.json': withAddresses,
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [file, make] of Object.entries(GENERATED)) {
    const before = readFileSync(join(ROOT, file), 'utf8')
    const after = make(before)
    if (after !== before) writeFileSync(join(ROOT, file), after)
    console.log(`${file} is ${after === before ? '' : 'brought '}up to date`)
  }
}
