import type { Dice } from '../../simulation/dice.js'
import type { JournalWriter } from '../journal.js'
import { keyOf, valueOf } from '../messages.js'
import type { Role } from '../roles.js'

const TICK_MS = 50
/** Where brokers take no more, no more is given: what is under way is to be looked at, not how much fits. */
const MOST_UNDER_WAY = 3_000

export interface TestMessage {
  readonly topic: string
  readonly key: string | null
  readonly value: string
}

/** Messages in order, so many a second. */
export class Load {
  private sequence = 0
  private underWay = 0
  private isOver = false
  private wake: (() => void) | undefined

  constructor(
    private readonly role: Role,
    private readonly dice: Dice,
    private readonly journal: JournalWriter,
  ) {}

  get isStopped(): boolean {
    return this.isOver
  }

  stop(): void {
    this.isOver = true
    this.wake?.()
  }

  /** Waits for the next moment, and gives how many messages are due then; 0 when it is over. */
  async due(): Promise<number> {
    const { messagesPerSecond } = this.role
    for (;;) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, TICK_MS)
        this.wake = () => {
          clearTimeout(timer)
          resolve()
        }
        if (this.isOver) this.wake()
      })
      if (this.isOver) return 0
      // Now and then many at once.
      const many = this.dice.isLucky(0.01) ? 20 : 1
      const count = Math.ceil(((messagesPerSecond * TICK_MS) / 1000) * this.dice.number() * 2 * many)
      if (this.underWay + count <= MOST_UNDER_WAY) return count
    }
  }

  /** The next messages, of one topic, which are written down as given. */
  next(count: number, transaction = 0): { first: number; messages: TestMessage[] } {
    const { name, topics } = this.role
    const first = this.sequence
    const topic = this.dice.pick(topics)
    const messages = Array.from({ length: count }, (_, index) => ({
      topic,
      key: keyOf(first + index),
      value: valueOf(name, first + index),
    }))
    this.sequence += count
    this.underWay += count
    this.journal.given(Date.now(), topic, first, count, transaction)
    return { first, messages }
  }

  /** So many have their fate. */
  settled(count: number): void {
    this.underWay -= count
  }
}
