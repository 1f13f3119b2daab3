/**
 * Brings what the README takes from the sources up to date: `npm run docs`. A test fails where that was forgotten.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { DEFAULT_ENCODER, OPTIONS, type OptionName } from '../../src/producer/config/producer-options.js'

const README = new URL('../../README.md', import.meta.url)
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

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const before = readFileSync(README, 'utf8')
  const after = withGeneratedParts(before)
  if (after !== before) writeFileSync(README, after)
  console.log(after === before ? 'README.md is up to date' : 'README.md is brought up to date')
}
