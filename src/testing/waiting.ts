import { allowAnyNumberOfListeners } from '../any-number-of-listeners.js'
import type { Clock, Timer } from '../clock.js'
import { timerDelay } from '../timer-delay.js'
import { EmbeddedKafkaError } from './errors.js'

/** Whether this is how a wait ends whose signal was aborted. */
export function isAbort(error: unknown): boolean {
  // By its name: where this runs in a context of its own, as under Jest, Node's errors are no instances of its `Error`.
  return (error as { name?: unknown } | null | undefined)?.name === 'AbortError'
}

/** What any number may wait with at once: Node takes more than ten listeners for a leak unless told. */
export function newLifetime(): AbortController {
  const controller = new AbortController()
  allowAnyNumberOfListeners(controller.signal)
  return controller
}

/** @throws EmbeddedKafkaError `STOPPED` */
export function mustNotBeStopped(lifetime: AbortSignal): void {
  if (lifetime.aborted) throw new EmbeddedKafkaError('STOPPED', 'the cluster was stopped')
}

/** Resolves after `ms` milliseconds, rejects once the signal is aborted. */
export async function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  let timer: Timer | undefined
  try {
    await orAborted(new Promise<void>((resolve) => (timer = clock.setTimeout(resolve, timerDelay(ms)))), signal)
  } finally {
    clock.clearTimeout(timer)
  }
}

/** Settles as `promise` does, but rejects at once when the signal is aborted. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  let abort: (() => void) | undefined
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error)
    signal.addEventListener('abort', abort, { once: true })
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    if (abort !== undefined) signal.removeEventListener('abort', abort)
  }
}

/** Something to wait at. Open at first; whoever waits while it is closed goes on together when it opens. */
export class Gate {
  private closed: { opened: Promise<void>; open: () => void } | undefined

  get isOpen(): boolean {
    return this.closed === undefined
  }

  close(): void {
    if (this.closed !== undefined) return
    let open: () => void = () => undefined
    const opened = new Promise<void>((resolve) => {
      open = resolve
    })
    this.closed = { opened, open }
  }

  open(): void {
    this.closed?.open()
    this.closed = undefined
  }

  /** Resolves once it is open, or after `ms` milliseconds; rejects once the signal is aborted. */
  async passWithin(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
    if (this.closed === undefined) return
    let timeout: Timer | undefined
    const late = new Promise<void>((resolve) => {
      timeout = clock.setTimeout(resolve, timerDelay(ms))
    })
    try {
      await orAborted(Promise.race([this.closed.opened, late]), signal)
    } finally {
      clock.clearTimeout(timeout)
    }
  }

  /** Resolves once it is open; rejects once the signal is aborted. */
  async pass(signal: AbortSignal): Promise<void> {
    while (this.closed !== undefined) await orAborted(this.closed.opened, signal)
  }
}

/** Tells everybody who waits that something has changed, so that they look again. */
export class Changes {
  private readonly waiting = new Set<() => void>()

  notify(): void {
    const waiting = [...this.waiting]
    this.waiting.clear()
    for (const wake of waiting) wake()
  }

  /** Resolves at the next change; forgotten once the signal is aborted, which rejects. */
  async next(signal: AbortSignal): Promise<void> {
    await Changes.nextOfAny([this], signal)
  }

  /** Resolves at the next change of any of these, or when the time is over; rejects once the signal is aborted. */
  static async nextOfAny(
    all: readonly Changes[],
    signal: AbortSignal,
    time?: { readonly clock: Clock; readonly ms: number },
  ): Promise<void> {
    let wake: () => void = () => undefined
    const woken = new Promise<void>((resolve) => (wake = resolve))
    const timeout = time?.clock.setTimeout(wake, time.ms)
    for (const changes of all) changes.waiting.add(wake)
    try {
      await orAborted(woken, signal)
    } finally {
      time?.clock.clearTimeout(timeout)
      for (const changes of all) changes.waiting.delete(wake)
    }
  }
}

export interface WaitTerms {
  readonly clock: Clock
  /** Says when to look again. */
  readonly changes: Changes
  readonly timeoutMs: number
  /** Aborted when the cluster stops. */
  readonly lifetime: AbortSignal
  /** What has not come yet, for the error's message. */
  readonly missing: () => string
}

/** Resolves with what `look` finds, now or after a change; rejects with `WAIT_TIMEOUT` or `STOPPED`. */
export async function waitFor<T>(look: () => T | undefined, terms: WaitTerms): Promise<T> {
  const { clock, changes, timeoutMs, lifetime, missing } = terms
  const ended = new AbortController()
  const stopped = (): void => ended.abort(new EmbeddedKafkaError('STOPPED', `the cluster was stopped: ${missing()}`))
  const timeout = clock.setTimeout(() => {
    ended.abort(new EmbeddedKafkaError('WAIT_TIMEOUT', `${missing()} within ${timeoutMs} ms`))
  }, timerDelay(timeoutMs))
  lifetime.addEventListener('abort', stopped, { once: true })
  if (lifetime.aborted) stopped()
  try {
    for (;;) {
      const found = look()
      if (found !== undefined) return found
      await changes.next(ended.signal)
    }
  } finally {
    clock.clearTimeout(timeout)
    lifetime.removeEventListener('abort', stopped)
  }
}
