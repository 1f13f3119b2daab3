import Denque from 'denque'
import type { OutgoingMessage } from '../queues/outgoing-message.js'

/** A message that waits for room, and since when, on the clock of `performance.now()`. */
export interface Waiting {
  readonly message: OutgoingMessage
  readonly since: number
}

/**
 * Messages for topics without metadata that found no room in the share of those: they wait apart from the line, so that
 * they hold up nobody else. Those of one topic keep their order; what comes for it later stands behind them.
 */
export class SetAside {
  private readonly lines = new Map<string, Denque<Waiting>>()

  get isEmpty(): boolean {
    return this.lines.size === 0
  }

  has(topic: string): boolean {
    return this.lines.has(topic)
  }

  add(message: OutgoingMessage, since: number): void {
    let line = this.lines.get(message.topic)
    if (line === undefined) this.lines.set(message.topic, (line = new Denque()))
    line.push({ message, since })
  }

  /** Takes the messages out from the head of each topic's line, as long as `take` says true of them. */
  drain(take: (waiting: Waiting) => boolean): void {
    for (const [topic, line] of this.lines) {
      for (let head = line.peekFront(); head !== undefined; head = line.peekFront()) {
        if (!head.message.isSettled && !take(head)) break
        line.shift()
      }
      if (line.isEmpty()) this.lines.delete(topic)
    }
  }

  clear(): void {
    this.lines.clear()
  }
}
