import type { Observer, Watch } from '../../src/stats/observer.js'
import { Violation } from './ledger.js'

/** Of one kind: how many have begun, and are not over. */
interface Seen {
  begun: number
  ended: number
}

/** Watches a producer as tracing does: whatever has begun ends, once, and took its time and no less than none. */
export class Witness {
  private readonly seen = new Map<string, Seen>()
  private messagesOfSends = 0
  private messagesOfFirstBatches = 0
  private messagesThatArrived = 0

  constructor(private readonly broke: (violation: Violation) => void) {}

  /** @param watchesCalls whether calls and questions are watched, too, which else nobody does */
  observer(watchesCalls: boolean): Observer {
    const sends = this.watched('send')
    const batches = this.watched('batch')
    return {
      ...(watchesCalls && {
        send: (begin) => {
          this.messagesOfSends += begin.messages
          return sends(begin)
        },
        metadata: this.watched('question'),
      }),
      batch: (begin) => {
        const { messages, isFirst, attempt, queuedMs, plainBytes, wireBytes } = begin
        if (Math.min(messages, attempt, plainBytes, wireBytes) < 1 || queuedMs < 0)
          this.wrong(`a batch of ${JSON.stringify(begin)}`)
        if (isFirst) this.messagesOfFirstBatches += messages
        const onEnd = batches(begin)
        return (end) => {
          if (end.error === undefined) this.messagesThatArrived += messages
          if (end.ageMs < end.latencyMs) this.wrong(`a batch of ${end.ageMs} ms that took ${end.latencyMs}`)
          onEnd?.(end)
        }
      },
      request: this.watched('request'),
      connect: this.watched('connection'),
    }
  }

  private watched<End extends object>(kind: string): Watch<object, End> {
    const seen: Seen = { begun: 0, ended: 0 }
    this.seen.set(kind, seen)
    return () => {
      seen.begun++
      let isOver = false
      return (end) => {
        if (isOver) this.wrong(`a ${kind} ends twice`)
        if ('latencyMs' in end && !((end.latencyMs as number) >= 0))
          this.wrong(`a ${kind} took ${String(end.latencyMs)} ms`)
        isOver = true
        seen.ended++
      }
    }
  }

  private wrong(what: string): void {
    this.broke(new Violation('what begins ends once', what))
  }

  /** With the producer closed. */
  checkEnd(): void {
    for (const [kind, { begun, ended }] of this.seen)
      if (ended !== begun) this.wrong(`${ended} of ${begun}, each a ${kind}`)
  }

  /** Against what is counted by the message. */
  checkMessages(given: number, sent: number, acknowledged: number): void {
    const seen = this.seen.get('send') as Seen
    if (seen.begun > 0 && this.messagesOfSends !== given)
      this.wrong(`${this.messagesOfSends} messages of ${given} given`)
    if (this.messagesOfFirstBatches !== sent) this.wrong(`${this.messagesOfFirstBatches} messages of ${sent} sent`)
    if (this.messagesThatArrived < acknowledged)
      this.wrong(`${this.messagesThatArrived} messages of ${acknowledged} acknowledged`)
  }
}
