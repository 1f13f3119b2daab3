import { timerDelay } from '../timer-delay.js'

/** The promise's outcome, or undefined after `timeoutMs`. */
export async function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  try {
    return await Promise.race([
      promise,
      new Promise<undefined>(
        (resolve) => (timer = setTimeout(() => resolve(undefined), timerDelay(timeoutMs)).unref()),
      ),
    ])
  } finally {
    clearTimeout(timer)
  }
}
