/**
 * Leaves out of an error's stack the depths in which it was found: logs show a few lines of it, of which one is to be who
 * called.
 *
 * @param called what he has called
 * @param within what that has called, where the error was caught
 */
export function beginStackAtCaller(
  error: Error,
  called: (...args: never[]) => unknown,
  within: (...args: never[]) => unknown,
): void {
  try {
    Error.captureStackTrace(error, called)
    const stack: unknown = error.stack
    // Bun's engine has left that out of the stack, as a call in the place of a tail, and takes nothing of it then.
    if (typeof stack === 'string' && !stack.includes('\n    at ')) Error.captureStackTrace(error, within)
  } catch {
    // What makes the stack may be the user's (`Error.prepareStackTrace`), and the error may be frozen: it is told all the same.
  }
}
