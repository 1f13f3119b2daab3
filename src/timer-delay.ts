/** The longest delay that Node's timers keep, some 24.8 days; with a longer one they fire after 1 ms and warn. */
export const MAX_TIMER_MS = 0x7fffffff

/** A delay that was reckoned, in whole milliseconds and such as a timer keeps. Not a number is none. */
export function timerDelay(ms: number): number {
  return ms > 0 ? Math.min(Math.ceil(ms), MAX_TIMER_MS) : 0
}
