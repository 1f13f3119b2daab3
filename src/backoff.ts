import type { Random } from './random.js'

/** By how much a wait differs at random, so that many clients don't come back at the same moment. */
const JITTER = 0.2
/** Enough for any cap, and what it doubles stays a number. */
const MAX_DOUBLINGS = 30

export interface BackoffSettings {
  readonly retryBackoffMs: number
  readonly retryBackoffMaxMs: number
}

/** How long to wait after so many failures in a row: twice as long with each, up to the cap. */
export function backoffMs({ retryBackoffMs, retryBackoffMaxMs }: BackoffSettings, failures: number): number {
  return Math.min(retryBackoffMs * 2 ** Math.min(failures - 1, MAX_DOUBLINGS), retryBackoffMaxMs)
}

/** What a wait is multiplied by, at the cap too. */
export function jitter(random: Random): number {
  return 1 - JITTER + random.number() * 2 * JITTER
}
