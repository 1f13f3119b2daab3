import type { Clock, Timer } from '../../clock.js'
import { withReasons } from '../../network/stage.js'
import type { MessageCall, Whereabouts } from '../calls/message-call.js'
import type { WaitReason } from '../sending/wait-reasons.js'

/** How long a message may wait before it is told that something is wrong: longer than a leader's election mostly takes. */
const PATIENCE_MS = 2_000
/** The timer may be set a little before the clock of a call was read. */
const SLACK_MS = 50
/** Between one time that it is told and the next. */
const PAUSE_MS = 30_000
/** So many calls are looked at: where they all wait in turn, the next may as well. */
const MAX_CALLS = 100

export interface LongWaitsParts {
  readonly clock: Clock
  /** The oldest call without a fate. */
  readonly oldest: () => MessageCall | undefined
  /** Why a message waits that is there. */
  readonly reasonOf: (at: Exclude<Whereabouts, undefined>) => WaitReason
  readonly warn: (message: string, cause: unknown) => void
}

/**
 * Tells, early and then now and again, that messages wait since something is wrong: with a deadline of two minutes, who
 * mistyped an address would hear of nothing for so long. It costs no message anything: it looks every other second while
 * any is outstanding, and keeps no process alive.
 */
export class LongWaits {
  private timer: Timer | undefined
  private toldAt = -Infinity

  constructor(private readonly parts: LongWaitsParts) {}

  /** A call is outstanding. */
  watch(): void {
    this.timer ??= this.parts.clock.setTimeout(this.look, PATIENCE_MS).unref()
  }

  close(): void {
    this.parts.clock.clearTimeout(this.timer)
  }

  private readonly look = (): void => {
    this.timer = undefined
    const oldest = this.parts.oldest()
    if (oldest === undefined) return
    this.watch()
    const now = this.parts.clock.now()
    if (now - this.toldAt < PAUSE_MS) return
    let call: MessageCall | undefined = oldest
    for (let count = 0; call !== undefined && count < MAX_CALLS; count++, call = call.newer) {
      const waitedMs = now - call.sentAt.at
      if (waitedMs < PATIENCE_MS - SLACK_MS) return
      const reason = this.troubleOf(call)
      if (reason === undefined) continue
      this.toldAt = now
      const what = `a message for '${reason.topic}' is not acknowledged after ${Math.round(waitedMs)} ms, and goes on waiting`
      return this.parts.warn(withReasons(what, reason), reason.lastFailure)
    }
  }

  /** Of its first message that has no fate. */
  private troubleOf(call: MessageCall): WaitReason | undefined {
    for (let index = 0; index < call.size; index++) {
      if (call.isSettled(index)) continue
      const at = call.whereabouts(index)
      const reason = at === undefined ? undefined : this.parts.reasonOf(at)
      return reason?.isTrouble === true ? reason : undefined
    }
    return undefined
  }
}
