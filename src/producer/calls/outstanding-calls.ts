import { timerDelay } from '../../timer-delay.js'
import type { MessageCall } from './message-call.js'

/** Somebody who waits until the calls made so far have their fate. */
interface Waiter {
  remaining: number
  readonly resolve: () => void
}

/** Messages that are ended in one go, and the calls they are of, before the event loop gets its turn: errors are dear. */
const MAX_EXPIRED = 100

/**
 * The calls that have no fate yet, and their deadlines: a list linked through the calls themselves, the oldest first, so
 * that a call costs no look-up to come and to go. All calls have the same `deliveryTimeoutMs`, so they expire in the
 * order they came, and one timer at the oldest is enough. It keeps the process alive only while a call is there.
 */
export class OutstandingCalls {
  private oldest: MessageCall | undefined
  private newest: MessageCall | undefined
  private size = 0
  private readonly waiters = new Map<MessageCall, Waiter[]>()
  private timer: NodeJS.Timeout | undefined

  /**
   * @param connections retained while any call is there
   * @param expire ends calls whose deadline has passed
   */
  constructor(
    private readonly deliveryTimeoutMs: number,
    private readonly connections: { retain(): void; release(): void },
    private readonly expire: (calls: readonly MessageCall[]) => void,
  ) {}

  add(call: MessageCall): void {
    if (this.size++ === 0) {
      this.timer?.ref()
      this.connections.retain()
    }
    call.isOutstanding = true
    call.older = this.newest
    if (this.newest === undefined) this.oldest = call
    else this.newest.newer = call
    this.newest = call
    if (this.timer === undefined) this.arm(call)
  }

  /** Called when a call has its fate. */
  done(call: MessageCall): void {
    if (!call.isOutstanding) return
    const { older, newer } = call
    if (older === undefined) this.oldest = newer
    else older.newer = newer
    if (newer === undefined) this.newest = older
    else newer.older = older
    call.isOutstanding = false
    call.older = call.newer = undefined
    if (--this.size === 0) {
      this.timer?.unref()
      this.connections.release()
    }
    if (this.waiters.size === 0) return
    for (const waiter of this.waiters.get(call) ?? []) if (--waiter.remaining === 0) waiter.resolve()
    this.waiters.delete(call)
  }

  /** The calls as they are now, the oldest first. */
  all(): MessageCall[] {
    const calls: MessageCall[] = []
    for (let call = this.oldest; call !== undefined; call = call.newer) calls.push(call)
    return calls
  }

  /** Resolves when every call made so far has its fate. */
  settledSoFar(): Promise<void> {
    if (this.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const waiter = { remaining: this.size, resolve }
      for (const call of this.all()) {
        const others = this.waiters.get(call)
        if (others === undefined) this.waiters.set(call, [waiter])
        else others.push(waiter)
      }
    })
  }

  private deadlineOf({ sentAt }: MessageCall): number {
    return sentAt.at + this.deliveryTimeoutMs
  }

  private arm(oldest: MessageCall): void {
    // After a stall of this process an answer may be waiting in the socket: let it be read first.
    const look = () => setImmediate(() => this.check())
    this.timer = setTimeout(look, Math.max(1, timerDelay(this.deadlineOf(oldest) - performance.now())))
    if (this.size === 0) this.timer.unref()
  }

  private check(): void {
    this.timer = undefined
    const now = performance.now()
    const expired: MessageCall[] = []
    let messages = 0
    for (
      let call = this.oldest;
      call !== undefined && messages < MAX_EXPIRED && this.deadlineOf(call) <= now;
      call = call.newer
    ) {
      expired.push(call)
      messages += call.unsettled
    }
    this.expire(expired)
    // Everything of them has its fate now; whatever it was, they are watched no longer.
    for (const call of expired) this.done(call)
    // Who heard of it may have sent something, which armed the timer for itself.
    clearTimeout(this.timer)
    this.timer = undefined
    if (this.oldest !== undefined) this.arm(this.oldest)
  }

  close(): void {
    clearTimeout(this.timer)
    this.timer = undefined
  }
}
