import { isPromise } from './is-promise.js'

/**
 * An object whose fields may be read. What a list or a Map holds are no fields of it, and a promise has none of what it
 * is a promise of: taken for options, they would ask for nothing, in silence.
 */
export function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !(Symbol.iterator in value) && !isPromise(value)
}
