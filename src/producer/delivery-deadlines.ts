import Denque from 'denque'
import type { SendCall } from './send-call.js'

/**
 * Watches `deliveryTimeoutMs`. All calls have the same, so they expire in the order they came, and one timer at the
 * oldest is enough. It keeps the process alive only while a call has no fate.
 */
export class DeliveryDeadlines {
  private readonly calls = new Denque<SendCall>()
  private timer: NodeJS.Timeout | undefined
  private pending = 0

  constructor(private readonly expire: (call: SendCall) => void) {}

  watch(call: SendCall): void {
    this.calls.push(call)
    if (this.pending++ === 0) this.timer?.ref()
    if (this.timer === undefined) this.arm(call)
  }

  /** Called once for each watched call that has its fate. */
  done(): void {
    if (--this.pending === 0) this.timer?.unref()
    while (this.calls.peekFront()?.isDone) this.calls.shift()
  }

  private arm(oldest: SendCall): void {
    this.timer = setTimeout(() => this.check(), Math.max(1, Math.ceil(oldest.deadline - performance.now())))
    if (this.pending === 0) this.timer.unref()
  }

  private check(): void {
    this.timer = undefined
    const now = performance.now()
    for (let call = this.calls.peekFront(); call !== undefined; call = this.calls.peekFront()) {
      if (!call.isDone && call.deadline > now) return this.arm(call)
      this.calls.shift()
      if (!call.isDone) this.expire(call)
    }
  }

  close(): void {
    clearTimeout(this.timer)
    this.timer = undefined
  }
}
