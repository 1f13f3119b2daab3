/** The functions that settle a promise. */
export interface Settling<T> {
  readonly resolve: (value: T) => void
  readonly reject: (error: Error) => void
}

/**
 * Rejects a promise, a moment later: then the stack of the error shows who awaits it, and not the depths in which the
 * answer of a broker was read. The engine finds him by going from promise to promise, which costs calls that do not fail
 * nothing. Where very many end together no stack traces are made.
 */
export function rejectWithCaller<T>({ resolve, reject }: Settling<T>, error: Error): void {
  const isTraced = Error.stackTraceLimit !== 0
  const raise = (): void => {
    if (isTraced) Error.captureStackTrace(error, raise)
    reject(error)
  }
  // Without a trace as well, so that failures are heard of in their order.
  const raised = Promise.resolve().then(raise)
  // It is rejected by then: that it follows is what the engine goes by.
  if (isTraced) raised.then(resolve as () => void, reject)
}
