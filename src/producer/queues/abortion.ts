import { AbortedError } from '../../errors.js'

/** Whether a signal is aborted. It may be of the user's own making: one that does not tell is not. */
export function isAborted(signal: AbortSignal): boolean {
  try {
    return signal.aborted
  } catch {
    return false
  }
}

/** Why its messages fail, or what else it ends. */
export function abortedBy(signal: AbortSignal, what?: string): AbortedError {
  let reason: unknown
  try {
    reason = signal.reason
  } catch (error) {
    reason = error
  }
  return new AbortedError(reason, what)
}
