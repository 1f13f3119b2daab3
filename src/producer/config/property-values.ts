import { InvalidConfigError } from '../../errors.js'
import { MAX_TIMER_MS } from '../../timer-delay.js'
import { shown } from '../../wording/shown.js'

/** Java's types of whole numbers. */
const BITS = { int: 31n, long: 63n } as const

export type WholeType = keyof typeof BITS

/**
 * A whole number as Java reads it. One beyond 2^53 is told as the next that a number can hold: no option goes so far.
 *
 * @throws InvalidConfigError
 */
export function parseWhole(name: string, value: string, type: WholeType, min = 0): number {
  const number = /^[+-]?\d{1,25}$/.test(value) ? BigInt(value.replace('+', '')) : undefined
  const limit = 1n << BITS[type]
  if (number === undefined || number < BigInt(min) || number >= limit || number < -limit)
    throw badValue(name, value, `a whole number from ${min} to ${limit - 1n}`)
  return Number(number)
}

/** @throws InvalidConfigError for what is neither, in any case. */
export function parseBoolean(name: string, value: string): boolean {
  const lower = value.toLowerCase()
  if (lower === 'true' || lower === 'false') return lower === 'true'
  throw badValue(name, value, 'true or false')
}

/** What no timer keeps is without an end, for all that anybody will see of it. */
export function isEndless(ms: number): boolean {
  return ms > MAX_TIMER_MS
}

export function badValue(name: string, value: string, allowed: string): InvalidConfigError {
  return new InvalidConfigError(`${name}: given was ${shown(value)}, allowed is ${allowed}`)
}

/** The items of a list, without those that are empty. */
export function listOf(value: string): string[] {
  return value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

/** A name of a file or of a class, where it looks like one. */
export function shownName(text: string): string {
  return /^[\w$.\\/: -]{1,200}$/.test(text) ? `'${text}'` : shown(text)
}
