import * as nodeTimers from 'node:timers'
import { withoutContext } from './without-context.js'

/** A timer that was set. It keeps the process alive unless it is `unref`ed. */
export interface Timer {
  ref(): this
  unref(): this
}

/** What tells the time, and calls back later. Whoever knows of time was handed one: tests have clocks of their own. */
export interface Clock {
  /** Milliseconds since some moment, on a clock that never jumps: what deadlines and latencies are counted from. */
  now(): number
  /** Milliseconds since 1970, which jump where the system's time is set: for timestamps alone. */
  timestamp(): number
  setTimeout(callback: () => void, ms: number): Timer
  clearTimeout(timer: Timer | undefined): void
  setInterval(callback: () => void, ms: number): Timer
  clearInterval(timer: Timer | undefined): void
  /** Calls back in the next turn of the event loop. */
  setImmediate(callback: () => void): void
}

/** Where tests have a DOM (jsdom, happy-dom), the timers among the globals are numbers, and some are not there. */
const timers: Pick<
  typeof nodeTimers,
  'setTimeout' | 'clearTimeout' | 'setInterval' | 'clearInterval' | 'setImmediate'
> = 'window' in globalThis ? nodeTimers : globalThis

/** What there was before a test faked it. */
const { setImmediate: setImmediateAtFirst } = nodeTimers

/**
 * A turn of the event loop is no time that passes: it comes where a test has timers faked that stand still, and what was to
 * come under faked ones comes when the test is through with them, who forget it. So it is asked of both; one is the system's.
 */
function setTurn(callback: () => void): void {
  if (timers.setImmediate === setImmediateAtFirst) return void withoutContext(setImmediateAtFirst, callback)
  let hasCome = false
  const once = () => {
    if (hasCome) return
    hasCome = true
    callback()
  }
  withoutContext(setImmediateAtFirst, once)
  withoutContext(timers.setImmediate, once)
}

/** The system's. */
export const systemClock: Clock = {
  now: () => performance.now(),
  timestamp: () => Date.now(),
  setTimeout: (callback, ms) => withoutContext(timers.setTimeout, callback, ms),
  clearTimeout: (timer) => timers.clearTimeout(timer as NodeJS.Timeout | undefined),
  setInterval: (callback, ms) => withoutContext(timers.setInterval, callback, ms),
  clearInterval: (timer) => timers.clearInterval(timer as NodeJS.Timeout | undefined),
  setImmediate: setTurn,
}

/**
 * The time that somebody waits. When it is over what has come by then is read first: after a stall of this process, as of one
 * that was frozen, what is waited for may be in a socket.
 */
export class Deadline {
  private timer: Timer | undefined

  constructor(
    private readonly clock: Clock,
    ms: number,
    onLate: () => void,
  ) {
    this.timer = clock.setTimeout(() => {
      clock.setImmediate(() => {
        if (this.timer !== undefined) onLate()
      })
    }, ms)
  }

  unref(): this {
    this.timer?.unref()
    return this
  }

  /** It is over for nobody, also where its time has just come. */
  cancel(): void {
    this.clock.clearTimeout(this.timer)
    this.timer = undefined
  }
}

/** Resolves in the next turn of the event loop. */
export function nextTurn(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.setImmediate(resolve))
}

/**
 * Resolves after so many milliseconds; the process need not stay alive for it.
 *
 * @throws the signal's reason once that is aborted
 */
export function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const onAbort = () => {
      clock.clearTimeout(timer)
      reject(signal.reason as Error)
    }
    const timer = clock
      .setTimeout(() => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      }, ms)
      .unref()
    signal.addEventListener('abort', onAbort, { once: true })
  })
}
