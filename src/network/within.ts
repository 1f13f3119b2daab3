import { Deadline, type Clock } from '../clock.js'
import { timerDelay } from '../timer-delay.js'

/** The promise's outcome, or undefined after `timeoutMs`. */
export async function within<T>(clock: Clock, timeoutMs: number, promise: Promise<T>): Promise<T | undefined> {
  let deadline: Deadline | undefined
  try {
    return await Promise.race([
      promise,
      new Promise<undefined>(
        (resolve) => (deadline = new Deadline(clock, timerDelay(timeoutMs), () => resolve(undefined)).unref()),
      ),
    ])
  } finally {
    deadline?.cancel()
  }
}
