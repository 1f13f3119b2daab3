import { isPromise } from '../../is-promise.js'

/**
 * Tells a callback of the user's something: the one place from where any of them is called that answers nothing. It may
 * throw, be asynchronous and reject, or give a promise that never settles: nothing waits for it, and nothing is harmed.
 *
 * @param failed hears what it threw or rejected with
 */
export function tellUser<T>(callback: (told: T) => unknown, told: T, failed: (error: unknown) => void): void {
  try {
    const answer = callback(told)
    if (isPromise(answer)) Promise.resolve(answer).then(undefined, failed)
  } catch (error) {
    failed(error)
  }
}
