import Denque from 'denque'
import type { Clock, Timer } from '../../clock.js'
import { timerDelay } from '../../timer-delay.js'
import type { MessageCall } from './message-call.js'

/** Somebody who waits until the calls made so far have their fate. */
interface Waiter {
  /** The number of the last of them. */
  readonly upTo: number
  readonly resolve: () => void
}

/**
 * The calls that have no fate yet, and their deadlines: a list linked through the calls themselves, the oldest first, so
 * that a call costs no look-up to come and to go. All calls have the same `deliveryTimeoutMs`, so they expire in the
 * order they came, and one timer at the oldest is enough. It keeps the process alive only while a call is there.
 */
export class OutstandingCalls {
  private oldest: MessageCall | undefined
  private newest: MessageCall | undefined
  /** The oldest whose deadline has not passed; those before it are being ended. */
  private nextToExpire: MessageCall | undefined
  private size = 0
  private lastNumber = 0
  /** Where those are who go through the calls. */
  private readonly walks = new Set<{ next: MessageCall | undefined }>()
  /** In the order of the calls that they wait for. */
  private readonly waiters = new Denque<Waiter>()
  private timer: Timer | undefined

  /**
   * @param connections retained while any call is there
   * @param expire ends calls whose deadline has passed; it takes them one after the other, in as many turns as it likes
   */
  constructor(
    private readonly deliveryTimeoutMs: number,
    private readonly connections: { retain(): void; release(): void },
    private readonly expire: (calls: Iterable<MessageCall>) => void,
    private readonly clock: Clock,
  ) {}

  add(call: MessageCall): void {
    if (this.size++ === 0) {
      this.timer?.ref()
      this.connections.retain()
    }
    call.number = ++this.lastNumber
    call.older = this.newest
    if (this.newest === undefined) this.oldest = call
    else this.newest.newer = call
    this.newest = call
    if (this.nextToExpire !== undefined) return
    this.nextToExpire = call
    this.arm(call)
  }

  /** Called when a call has its fate. */
  done(call: MessageCall): void {
    if (call.number === 0) return
    const { older, newer } = call
    if (older === undefined) this.oldest = newer
    else older.newer = newer
    if (newer === undefined) this.newest = older
    else newer.older = older
    if (this.nextToExpire === call) this.nextToExpire = newer
    if (this.walks.size > 0) for (const walk of this.walks) if (walk.next === call) walk.next = newer
    call.number = 0
    call.older = call.newer = undefined
    if (--this.size === 0) {
      this.timer?.unref()
      this.connections.release()
    }
    if (this.waiters.length > 0 && older === undefined) this.wake()
  }

  private wake(): void {
    const first = this.oldest?.number ?? Infinity
    while ((this.waiters.peekFront()?.upTo ?? Infinity) < first) this.waiters.shift()?.resolve()
  }

  /** The first call, and from each the next: {@link MessageCall.newer}. */
  get first(): MessageCall | undefined {
    return this.oldest
  }

  /** The calls made so far, the oldest first, but for those that have their fate when it is their turn. */
  all(): Iterable<MessageCall> {
    return this.walk(this.lastNumber)
  }

  private *walk(upTo: number): Generator<MessageCall, void> {
    const walk = { next: this.oldest }
    this.walks.add(walk)
    for (let call = walk.next; call !== undefined && call.number <= upTo; call = walk.next) {
      walk.next = call.newer
      yield call
    }
    this.walks.delete(walk)
  }

  /** Resolves when every call made so far has its fate. */
  settledSoFar(): Promise<void> {
    if (this.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.waiters.push({ upTo: this.lastNumber, resolve }))
  }

  private deadlineOf({ sentAt }: MessageCall): number {
    return sentAt.at + this.deliveryTimeoutMs
  }

  /** The timer may still be set for a call that has its fate since. */
  private arm(call: MessageCall): void {
    if (this.timer !== undefined) return
    const delay = Math.max(1, timerDelay(this.deadlineOf(call) - this.clock.now()))
    // After a stall of this process an answer may be waiting in the socket: let it be read first.
    this.timer = this.clock.setTimeout(() => this.clock.setImmediate(this.check), delay)
    if (this.size === 0) this.timer.unref()
  }

  private readonly check = (): void => {
    this.timer = undefined
    this.expire(this.expiredBy(this.clock.now()))
  }

  private *expiredBy(now: number): Generator<MessageCall, void> {
    for (let call = this.nextToExpire; call !== undefined; call = this.nextToExpire) {
      if (this.deadlineOf(call) > now) return this.arm(call)
      this.nextToExpire = call.newer
      yield call
    }
  }

  close(): void {
    this.clock.clearTimeout(this.timer)
    this.timer = undefined
  }
}
