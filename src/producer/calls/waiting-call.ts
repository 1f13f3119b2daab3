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
 * Takes out of a line whoever has waited as long as he would, which `endOf` tells, and gives the time when that is so of
 * the next one: Infinity where there is none.
 */
export function takeImpatient<C extends WaitingCall>(
  line: Denque<C>,
  now: number,
  endOf: (call: C) => number,
  impatient: WaitingCall[],
): number {
  let next = Infinity
  for (let i = 0; i < line.length;) {
    const call = line.peekAt(i) as C
    const end = endOf(call)
    if (end <= now) {
      impatient.push(call)
      line.removeOne(i)
      continue
    }
    next = Math.min(next, end)
    // The first may have been at it for long; the others came one after the other, and who is patient has no end.
    if (i > 0 && end < Infinity) break
    i++
  }
  return next
}
