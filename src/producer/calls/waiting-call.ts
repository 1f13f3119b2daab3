import type Denque from 'denque'
import type { OutgoingMessage } from '../queues/outgoing-message.js'

/** A call's messages that wait for room. */
export interface WaitingCall {
  readonly messages: readonly OutgoingMessage[]
  /** The next message to be admitted. */
  next: number
  /** When it was given, or last got a message in, on the clock of `performance.now()`: its patience counts from then. */
  since: number
}

/**
 * Takes out of a line whoever has got nothing in since a time, and tells since when the others have got nothing:
 * Infinity where there are none.
 */
export function takeImpatient<C extends WaitingCall>(line: Denque<C>, limit: number, impatient: C[]): number {
  let oldest = Infinity
  for (let i = 0; i < line.length;) {
    const call = line.peekAt(i) as C
    if (call.since <= limit) {
      impatient.push(call)
      line.removeOne(i)
      continue
    }
    oldest = Math.min(oldest, call.since)
    // The first may have been at it for long; the others came one after the other.
    if (i > 0) break
    i++
  }
  return oldest
}
