/**
 * Whatever it is an instance of: a program's `Promise` is not Node's where it runs in a context of its own, as under
 * Jest, or puts one of its own in that place.
 */
export function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as Partial<Promise<T>> | null | undefined)?.then === 'function'
}
