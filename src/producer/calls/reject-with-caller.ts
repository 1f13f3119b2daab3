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
export function rejectWithCaller<T>(settling: Settling<T>, error: Error): void {
  if (Error.stackTraceLimit === 0) return rejectUntraced(settling, error)
  // Failures are heard of in their order.
  untraced = undefined
  const { resolve, reject } = settling
  const raise = (): void => {
    Error.captureStackTrace(error, raise)
    reject(error)
  }
  // It is rejected by then: that it follows is what the engine goes by.
  Promise.resolve()
    .then(raise)
    .then(resolve as () => void, reject)
}

/** Those to be rejected together, a moment later. */
let untraced: { readonly reject: (error: Error) => void; readonly error: Error }[] | undefined

function rejectUntraced({ reject }: Settling<never>, error: Error): void {
  if (untraced !== undefined) return void untraced.push({ reject, error })
  const together = (untraced = [{ reject, error }])
  queueMicrotask(() => {
    if (untraced === together) untraced = undefined
    for (const { reject, error } of together) reject(error)
  })
}
