import Denque from 'denque'
import type { OutgoingMessage } from '../queues/outgoing-message.js'
import { takeImpatient, type WaitingCall } from './waiting-call.js'

/** What a call has waiting for one topic. */
interface AsideCall extends WaitingCall {
  readonly messages: OutgoingMessage[]
}

/**
 * Messages for topics without metadata that found no room in the share of those: they wait apart from the line, so that
 * they hold up nobody else. Those of one topic keep their order; what comes for it later stands behind them.
 */
export class SetAside {
  private readonly lines = new Map<string, Denque<AsideCall>>()

  get isEmpty(): boolean {
    return this.lines.size === 0
  }

  has(topic: string): boolean {
    return this.lines.has(topic)
  }

  add(message: OutgoingMessage, now: number): void {
    let line = this.lines.get(message.topic)
    if (line === undefined) this.lines.set(message.topic, (line = new Denque()))
    const last = line.peekBack()
    if (last?.messages[0]?.owner === message.owner) {
      last.messages.push(message)
      // Its call has come this far in the line only now.
      last.since = now
    } else line.push({ messages: [message], next: 0, since: now })
  }

  /** Takes the messages out from the head of each topic's line, as long as `take` says true of them. */
  drain(now: number, take: (message: OutgoingMessage) => boolean): void {
    for (const [topic, line] of this.lines) {
      for (let call = line.peekFront(); call !== undefined; call = line.peekFront()) {
        if (!takeFrom(call, now, take)) break
        line.shift()
      }
      if (line.isEmpty()) this.lines.delete(topic)
    }
  }

  /** As the function {@link takeImpatient}, of all lines. */
  takeImpatient(now: number, endOf: (call: WaitingCall) => number, impatient: WaitingCall[]): number {
    let next = Infinity
    for (const [topic, line] of this.lines) {
      next = Math.min(next, takeImpatient(line, now, endOf, impatient))
      if (line.isEmpty()) this.lines.delete(topic)
    }
    return next
  }

  clear(): void {
    this.lines.clear()
  }
}

/** Whether nothing of it waits any more. */
function takeFrom(call: AsideCall, now: number, take: (message: OutgoingMessage) => boolean): boolean {
  for (; call.next < call.messages.length; call.next++) {
    const message = call.messages[call.next] as OutgoingMessage
    if (message.isSettled) continue
    if (!take(message)) return false
    call.since = now
  }
  return true
}
