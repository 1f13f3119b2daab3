import { KAFKA_NAMES } from '../../../src/producer/config/kafka-names.js'
import { DEFAULT_ENCODER, OPTIONS } from '../../../src/producer/config/option-table.js'
import type { OptionName } from '../../../src/producer/config/producer-options.js'

const INTERFACE = /(export interface ProducerOptions<[^]*?\{\n)([^]*?)(^\}\n)/m
/** A field of it, with the comment that it may have. */
const FIELD = /^(?: {2}\/\*\*[^]*?\*\/\n)?( {2}(\w+)\??:[^]*?\n)(?= {2}(?:\/\*\*|\w+\??:)|$(?![^]))/gm
const COLUMNS = 120

/** src/producer/config/producer-options.ts as it should be: a comment on each option, made from the table below it. */
export function withOptionComments(source: string): string {
  if (!INTERFACE.test(source)) throw new Error('there is no interface ProducerOptions')
  return source.replace(INTERFACE, (_, head: string, fields: string, end: string) => {
    const commented = fields.replace(FIELD, (__, field: string, name: OptionName) => `${comment(name)}${field}`)
    return `${head}${commented}${end}`
  })
}

function comment(name: OptionName): string {
  const { fallback, allowed, text, range } = OPTIONS[name]
  const names = KAFKA_NAMES[name] ?? []
  const unit = name.endsWith('Ms')
    ? ', in milliseconds'
    : name.endsWith('Bytes') && range !== undefined
      ? ', in bytes'
      : ''
  const lines = [
    ...wrapped(text),
    '',
    ...wrapped(
      `Allowed: ${allowed.replace(/ to (2147483647|9007199254740991)$/, '')}${unit}.` +
        (names.length === 0 ? '' : ` In Kafka: ${names.map((one) => `\`${one}\``).join(', ')}.`),
    ),
    ...(fallback === undefined ? [] : [`@default ${code(fallback)}`]),
  ]
  return `  /**\n${lines.map((line) => `   * ${line}`.trimEnd()).join('\n')}\n   */\n`
}

function code(value: unknown): string {
  if (value === DEFAULT_ENCODER) return 'new DefaultEncoder()'
  if (typeof value === 'number') return value.toLocaleString('en').replaceAll(',', '_').replace('∞', 'Infinity')
  return typeof value === 'string' ? `'${value}'` : JSON.stringify(value)
}

function wrapped(text: string): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && `   * ${line} ${word}`.length > COLUMNS) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}
