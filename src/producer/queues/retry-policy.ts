import pRetry from 'p-retry'
import { allowAnyNumberOfListeners } from '../../any-number-of-listeners.js'
import { backoffMs, jitter, type BackoffSettings } from '../../backoff.js'
import { sleep } from '../../clock.js'
import { createDebug } from '../../debug.js'
import type { Surroundings } from '../../surroundings.js'
import { timerDelay } from '../../timer-delay.js'
import { shownCause } from '../../wording/shown-error.js'

const debug = createDebug('kafka-producer:retry')

export interface RetrySettings extends BackoffSettings {
  /** How many times a batch may be attempted again; Infinity leaves it to the deadline. */
  readonly retries: number
}

/**
 * Paces what is tried again: waits that double from `retryBackoffMs` up to `retryBackoffMaxMs`, each with jitter, at
 * the cap too. How many attempts and how much time a message has is counted with its batch, not here.
 */
export class RetryPolicy {
  private readonly closing = new AbortController()

  constructor(
    private readonly settings: RetrySettings,
    private readonly surroundings: Surroundings,
  ) {
    // Every wait listens to it; there may be thousands at once.
    allowAnyNumberOfListeners(this.closing.signal)
  }

  /** Whether a batch that was attempted this often may be again. */
  allowsAttemptAfter(attempts: number): boolean {
    return attempts <= this.settings.retries
  }

  /**
   * After a failure: waits, then calls `attempt`, and so on until one succeeds.
   *
   * @param failures how many there were in a row, at least 1: later ones wait longer
   * @returns false when {@link close} ended it
   */
  async retryAfter(cause: Error, failures: number, attempt: () => Promise<void>): Promise<boolean> {
    // What failed is the first attempt: p-retry only sees its error, and waits.
    return this.run(failures, (number) => (number === 1 ? Promise.reject(cause) : attempt()))
  }

  /**
   * Calls `attempt` at once, or after a wait where the last one before was `sinceLastMs` ago and thus just now, and again
   * until one succeeds; false when {@link close} ended it.
   */
  async retryUntilDone(attempt: () => Promise<void>, sinceLastMs: number): Promise<boolean> {
    if (sinceLastMs < this.settings.retryBackoffMs)
      return this.retryAfter(new Error('too soon after the last'), 1, attempt)
    return this.run(1, attempt)
  }

  private async run(failures: number, attempt: (number: number) => Promise<void>): Promise<boolean> {
    const { clock, random } = this.surroundings
    const factor = jitter(random)
    const waitMs = (failed: number) => backoffMs(this.settings, failed) * factor
    try {
      await pRetry(attempt, {
        retries: Infinity,
        signal: this.closing.signal,
        // The waits are by our clock: those of its own would be by the system's.
        minTimeout: 0,
        onFailedAttempt: ({ retriesConsumed }) =>
          sleep(clock, timerDelay(waitMs(failures + retriesConsumed)), this.closing.signal),
      })
      return true
    } catch (error) {
      if (this.closing.signal.aborted) return false
      // p-retry gives up on a TypeError, a bug it should not hide; what waits must go on all the same.
      debug('gave up pacing: %s', shownCause(error))
      return true
    }
  }

  /** Ends every wait. */
  close(): void {
    this.closing.abort()
  }
}
