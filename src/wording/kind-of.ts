import { foreignText } from './foreign-text.js'

/** Enough to know a thing by; what comes from outside may be of any length. */
const MAX_SHOWN = 60

/**
 * Tells what a value is but not what is in it, which may be secret; numbers are shown, their range is the matter. It
 * never throws, whatever the value does when it is looked at.
 */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'number' || typeof value === 'bigint') return `the ${typeof value} ${cut(String(value))}`
  return typeof value === 'object' ? `an object (${classOf(value)})` : `a ${typeof value}`
}

/** The same of what is in a message, of which nothing is told, were it a number: errors are logged, and put into spans. */
export function kindOfContent(value: unknown): string {
  if (typeof value === 'bigint') return 'a bigint'
  if (typeof value !== 'number' || !Number.isFinite(value)) return kindOf(value)
  return Number.isInteger(value) ? 'a whole number' : 'a number with a fraction'
}

/** What was thrown or rejected with, in words: mostly an error, but it may be anything. Never throws. */
export function reasonOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? String(thrown.message) : String(thrown)
  } catch {
    return kindOf(thrown)
  }
}

/** The text in quotes, no more of it than is needed. */
export function quoted(text: string): string {
  return `'${cut(text)}'`
}

function classOf(value: object): string {
  try {
    const name: unknown = value.constructor?.name
    return typeof name === 'string' ? cut(name) : 'no class'
  } catch {
    return 'of an unknown class'
  }
}

function cut(text: string): string {
  return text.length > MAX_SHOWN ? `${foreignText(text.slice(0, MAX_SHOWN))}…` : foreignText(text)
}
