/**
 * What an error says, whatever it is an instance of: Node's own are of another realm where a program runs in a context
 * of its own, as under Jest. Undefined for what is no error, which may be a secret, and where a getter of it throws.
 */
export function thrownMessage(thrown: unknown): string | undefined {
  try {
    const { message } = (typeof thrown === 'object' && thrown !== null ? thrown : {}) as { message?: unknown }
    return typeof message === 'string' ? message : undefined
  } catch {
    return undefined
  }
}

/** What was thrown as the cause of an error; none where it is no error: loggers print causes, and it may be a secret. */
export function thrownCause(thrown: unknown): { cause?: unknown } {
  return thrownMessage(thrown) === undefined ? {} : { cause: thrown }
}

/** What a stream ended with, as an error: one of the user's may give anything, and what is no error may be a secret. */
export function streamError(given: unknown): Error {
  return thrownMessage(given) === undefined ? new Error('the stream gave no Error') : (given as Error)
}
