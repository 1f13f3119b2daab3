import { InvalidConfigError } from './errors.js'
import { isRecord } from './is-record.js'
import { kindOf } from './wording/kind-of.js'
import { shown } from './wording/shown.js'
import { thrownCause } from './wording/thrown-message.js'

/**
 * A copy without the fields that are undefined: such a field is one that was not given, and must hide no default.
 * `{ ...defaults, ...given(options) }`
 *
 * Fields that are inherited count, too, accessors of a class of settings among them: one that was passed over in silence
 * might be what asks for encryption.
 */
export function given<T extends object>(options: T): T {
  return fieldsOf(options, () => undefined)
}

/**
 * The same of options that a program made: a getter among them may throw, or all be a proxy that does.
 *
 * @throws InvalidConfigError
 */
export function givenOptions<T extends object>(options: T): T {
  let reading = 'the options'
  return readable(
    () => {
      if (!isRecord(options))
        throw new InvalidConfigError(`the options must be an object, given was ${kindOf(options)}`)
      return fieldsOf(options, (name) => (reading = shown(name)))
    },
    () => reading,
  )
}

/**
 * Reads what a program gave, of which any part may throw when it is read.
 *
 * @param name what is being read
 * @throws InvalidConfigError
 */
export function readable<T>(read: () => T, name: () => string): T {
  try {
    return read()
  } catch (cause) {
    const error =
      cause instanceof InvalidConfigError
        ? cause
        : new InvalidConfigError(`${name()} can't be read: what reads it threw`, thrownCause(cause))
    // Not the depths in which it was found: logs show a few lines of its stack, of which one is to be who called.
    Error.captureStackTrace(error, readable)
    throw error
  }
}

function fieldsOf<T extends object>(options: T, onRead: (name: string) => void): T {
  const fields: [string, unknown][] = []
  for (const name of namesOf(options)) {
    onRead(name)
    const value = (options as Readonly<Record<string, unknown>>)[name]
    if (value !== undefined) fields.push([name, value])
  }
  return Object.fromEntries(fields) as T
}

function namesOf(options: object): Set<string> {
  const names = new Set(Object.keys(options))
  for (let from = prototypeOf(options); from !== null; from = prototypeOf(from))
    for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(from)))
      if (property.enumerable === true || 'get' in property) names.add(name)
  return names
}

/** Null at the end, where any realm's `Object.prototype` is: what was put there is nobody's option. */
function prototypeOf(value: object): object | null {
  const prototype = Object.getPrototypeOf(value) as object | null
  return prototype === null || Object.hasOwn(prototype, 'hasOwnProperty') ? null : prototype
}
