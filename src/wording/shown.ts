import { isPromise } from '../is-promise.js'

/** What a name or a number may look like. Longer or stranger text may be a secret that was put in the wrong place. */
const PLAIN_TEXT = /^[\p{L}\p{N} _.,+-]{0,32}$/u

/**
 * A value that was given, for an error. Passwords, keys and connection strings are pasted into the wrong option now and
 * then, and errors are logged: only text that looks like a name or a number is quoted, and none of what a secret stands
 * beside (`=`, `@`, `;`, `:`, `/`).
 */
export function shown(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return PLAIN_TEXT.test(value) ? `'${value}'` : 'a text that is not shown, since it may hold a secret'
    case 'object':
      return value === null ? 'null' : nameOf(value)
    case 'function':
      return 'a function'
    case 'symbol':
      return 'a symbol'
    case 'bigint':
      // 5n and 5 are not the same to an option.
      return `${value}n`
    default:
      return String(value)
  }
}

/** A proxy may throw, whatever of it is looked at. */
function nameOf(value: object): string {
  try {
    return Array.isArray(value) ? 'a list' : isPromise(value) ? 'a promise' : 'an object'
  } catch {
    return 'an object'
  }
}
