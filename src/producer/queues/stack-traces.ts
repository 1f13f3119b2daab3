/**
 * Of messages that end together so many have a stack trace. Those of hundreds of thousands would take a second or more,
 * and mostly show the same.
 */
export const TRACED = 20

/** Does what makes very many errors. */
export function withoutStackTraces<T>(make: () => T): T {
  const { stackTraceLimit } = Error
  // It can't be set where a program has frozen what the language brings.
  const isOurs = Reflect.set(Error, 'stackTraceLimit', 0)
  try {
    return make()
  } finally {
    if (isOurs) Error.stackTraceLimit = stackTraceLimit
  }
}
