import type { Clock, Timer } from '../clock.js'
import { timerDelay } from '../timer-delay.js'

/** The promise's outcome, or undefined after `timeoutMs`. */
export async function within<T>(clock: Clock, timeoutMs: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: Timer | undefined
  try {
    return await Promise.race([
      promise,
      new Promise<undefined>(
        (resolve) => (timer = clock.setTimeout(() => resolve(undefined), timerDelay(timeoutMs)).unref()),
      ),
    ])
  } finally {
    clock.clearTimeout(timer)
  }
}
