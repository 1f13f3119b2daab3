import Denque from 'denque'
import type { MessageCall } from './message-call.js'

/** Somebody who waits until the calls made so far have their fate. */
interface Waiter {
  remaining: number
  readonly resolve: () => void
}

/**
 * The calls that have no fate yet, and their deadlines. All calls have the same `deliveryTimeoutMs`, so they expire in
 * the order they came, and one timer at the oldest is enough. It keeps the process alive only while a call is there.
 */
export class OutstandingCalls {
  private readonly calls = new Set<MessageCall>()
  /** The same and some that are done, in the order they came. */
  private readonly byDeadline = new Denque<MessageCall>()
  private readonly waiters = new Map<MessageCall, Waiter[]>()
  private timer: NodeJS.Timeout | undefined

  /** @param expire ends a call whose deadline has passed */
  constructor(private readonly expire: (call: MessageCall) => void) {}

  add(call: MessageCall): void {
    if (this.calls.size === 0) this.timer?.ref()
    this.calls.add(call)
    this.byDeadline.push(call)
    if (this.timer === undefined) this.arm(call)
  }

  /** Called when a call has its fate. */
  done(call: MessageCall): void {
    if (!this.calls.delete(call)) return
    if (this.calls.size === 0) this.timer?.unref()
    while (this.byDeadline.peekFront()?.isDone) this.byDeadline.shift()
    if (this.waiters.size === 0) return
    for (const waiter of this.waiters.get(call) ?? []) if (--waiter.remaining === 0) waiter.resolve()
    this.waiters.delete(call)
  }

  /** The calls as they are now. */
  all(): MessageCall[] {
    return [...this.calls]
  }

  /** Resolves when every call made so far has its fate. */
  settledSoFar(): Promise<void> {
    if (this.calls.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const waiter = { remaining: this.calls.size, resolve }
      for (const call of this.calls) {
        const others = this.waiters.get(call)
        if (others === undefined) this.waiters.set(call, [waiter])
        else others.push(waiter)
      }
    })
  }

  private arm(oldest: MessageCall): void {
    this.timer = setTimeout(() => this.check(), Math.max(1, Math.ceil(oldest.deadline - performance.now())))
    if (this.calls.size === 0) this.timer.unref()
  }

  private check(): void {
    this.timer = undefined
    const now = performance.now()
    for (let call = this.byDeadline.peekFront(); call !== undefined; call = this.byDeadline.peekFront()) {
      if (!call.isDone && call.deadline > now) return this.arm(call)
      this.byDeadline.shift()
      if (!call.isDone) this.expire(call)
    }
  }

  close(): void {
    clearTimeout(this.timer)
    this.timer = undefined
  }
}
