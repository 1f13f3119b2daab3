import { Deadline, type Clock } from '../../clock.js'
import { timerDelay } from '../../timer-delay.js'

/** One timer for many who wait: it is due when the first of them is. Whoever is called looks at who is left, and arms it anew. */
export class EarliestTimer {
  private deadline: Deadline | undefined
  private due = 0

  constructor(
    private readonly clock: Clock,
    private readonly onDue: () => void,
  ) {}

  /** It may still be set for an earlier time, for somebody who waits no more. */
  arm(delayMs: number): void {
    const due = this.clock.now() + delayMs
    if (this.deadline !== undefined && this.due <= due) return
    this.clear()
    this.due = due
    this.deadline = new Deadline(this.clock, timerDelay(delayMs), () => {
      this.deadline = undefined
      this.onDue()
    }).unref()
  }

  /** It is due for nobody, also where its time has just come. */
  clear(): void {
    this.deadline?.cancel()
    this.deadline = undefined
  }
}
