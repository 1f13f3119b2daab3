import { isUint8Array } from 'node:util/types'
import { given } from '../given.js'
import { isRecord } from '../is-record.js'
import { kindOf } from '../wording/kind-of.js'
import { nearestName } from '../wording/nearest-name.js'
import { shown } from '../wording/shown.js'
import { EmbeddedKafkaError } from './errors.js'

/*
 * Checks of what whoever drives the embedded Kafka gives it. An order that nobody understands is refused where it is
 * given: a misspelt fault that never meets a request lets a test pass for nothing.
 */

/** Throws `INVALID_OPTION` where the value is none of those that the name may have. */
export type Check = (name: string, value: unknown) => void

/** A check for each field of these options. */
export type FieldChecks<T> = { readonly [Name in keyof T]-?: Check }

export function invalid(message: string): EmbeddedKafkaError {
  return new EmbeddedKafkaError('INVALID_OPTION', message)
}

export function refused(name: string, value: unknown, allowed: string): EmbeddedKafkaError {
  return invalid(`${name}: given was ${told(value)}, allowed is ${allowed}`)
}

export function positive(name: string, value: number): number {
  wholeNumber(1)(name, value)
  return value
}

export const text: Check = (name, value) => {
  if (typeof value !== 'string') throw refused(name, value, 'a text')
}

export const flag: Check = (name, value) => {
  if (typeof value !== 'boolean') throw refused(name, value, 'true or false')
}

export const checkBytes: Check = (name, value) => {
  if (!isUint8Array(value)) throw refused(name, value, 'bytes: a Uint8Array or a Buffer')
}

export const callback: Check = (name, value) => {
  if (typeof value !== 'function') throw refused(name, value, 'a function')
}

/** `Infinity` is for ever. */
export const milliseconds: Check = (name, value) => {
  if (typeof value !== 'number' || !(value >= 0)) throw refused(name, value, 'a number of milliseconds of at least 0')
}

export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER): Check {
  const bounds = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`
  return (name, value) => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return
    throw refused(name, value, `a whole number ${bounds}`)
  }
}

/** Each takes memory: of very many the test's process would die. */
const MAX_PARTITIONS = 100_000

export const partitionCount: Check = wholeNumber(1, MAX_PARTITIONS)

/** With "did you mean", where one of them is near. */
export function oneOf(names: readonly string[]): Check {
  return (name, value) => {
    if (names.some((one) => one === value)) return
    const near = typeof value === 'string' ? nearestName(value, names) : undefined
    const all = names.map((one) => `'${one}'`).join(', ')
    throw refused(name, value, near === undefined ? `one of ${all}` : `one of ${all}: did you mean '${near}'?`)
  }
}

export function listOf(check: Check): Check {
  return (name, value) => {
    if (!Array.isArray(value)) throw refused(name, value, 'a list')
    const list: readonly unknown[] = value
    // By index: `forEach` passes over holes, which are undefined to all who read them.
    for (let index = 0; index < list.length; index++) check(`${name}[${index}]`, list[index])
  }
}

/** An object whose fields have names of the user's own. */
export function recordOf(check: Check): Check {
  return (name, value) => {
    if (!isRecord(value)) throw refused(name, value, 'a plain object')
    for (const [key, one] of Object.entries(given(value))) check(`${name}[${shown(key)}]`, one)
  }
}

/** An object that has these fields and no others; one that is undefined is not given. */
export function fields<T extends object>(checks: FieldChecks<T>): Check {
  const names = Object.keys(checks)
  const checkFields: Check = (what, value) => {
    if (!isRecord(value)) throw refused(what, value, `an object of ${names.join(', ')}`)
    for (const [name, one] of Object.entries(given(value))) {
      if (!names.includes(name)) {
        const near = nearestName(name, names)
        const hint = near === undefined ? `allowed are ${names.join(', ')}` : `did you mean '${near}'?`
        throw invalid(`there is no ${shown(name)} in ${what}: ${hint}`)
      }
      checks[name as keyof T](`${what}.${name}`, one)
    }
  }
  return (what, value) => {
    try {
      checkFields(what, value)
    } catch (cause) {
      if (cause instanceof EmbeddedKafkaError) throw cause
      // A getter threw, or a proxy.
      throw new EmbeddedKafkaError('INVALID_OPTION', `${what} can't be read: what reads it threw`, { cause })
    }
  }
}

function told(value: unknown): string {
  // `shown` knows lists, and is not thrown at by a proxy that was revoked.
  const isObject = typeof value === 'object' && value !== null && shown(value) !== 'a list'
  return isObject ? kindOf(value) : shown(value)
}
