import { systemClock, type Clock } from './clock.js'

/** How long this producer works at a stretch. */
const SHARE_MS = 3

/**
 * One producer's share of a turn of the event loop. Whatever may have much to do (encoding messages, taking them in,
 * releasing them, making requests, telling fates) does some of it, asks whether the share is used up, and if so goes on
 * in the next turn: however much there is to do, others get their turn every few milliseconds.
 */
export class TurnBudget {
  /** 0: nobody has asked in this turn. */
  private endsAt = 0
  private waiting: (() => void)[] = []
  private readonly startTurn = (): void => {
    const { waiting } = this
    this.endsAt = 0
    this.waiting = []
    for (const goOn of waiting) goOn()
  }

  constructor(private readonly clock: Clock = systemClock) {}

  /** Whether the share is used up. Who asks first in a turn starts the clock. */
  get isSpent(): boolean {
    const now = this.clock.now()
    if (this.endsAt > 0) return now >= this.endsAt
    this.endsAt = now + SHARE_MS
    if (this.waiting.length === 0) this.clock.setImmediate(this.startTurn)
    return false
  }

  /** Calls back in the next turn, after those who asked before. */
  inNextTurn(goOn: () => void): void {
    if (this.endsAt === 0 && this.waiting.length === 0) this.clock.setImmediate(this.startTurn)
    this.waiting.push(goOn)
  }

  /** Resolves in the next turn. */
  nextTurn(): Promise<void> {
    return new Promise((resolve) => this.inNextTurn(resolve))
  }
}
