import type { Clock } from '../../clock.js'

/** When a call was made, by both of the system's clocks. */
export interface SendMoment {
  /** Milliseconds since 1970: the timestamp of messages that have none of their own. */
  readonly timestamp: number
  /** On the clock that never jumps: what deadlines and latencies are counted from. */
  readonly at: number
}

/** Tells calls their moment. Those of one turn of the event loop and of one millisecond share it, and its cost. */
export class SendClock {
  private moment: SendMoment | undefined
  private readonly forget = () => {
    this.moment = undefined
  }

  constructor(private readonly clock: Clock) {}

  now(): SendMoment {
    const timestamp = this.clock.timestamp()
    const { moment } = this
    return moment?.timestamp === timestamp ? moment : this.next(timestamp)
  }

  /** Apart, since V8 takes into `send()` itself what is short. */
  private next(timestamp: number): SendMoment {
    if (this.moment === undefined) this.clock.setImmediate(this.forget)
    return (this.moment = { timestamp, at: this.clock.now() })
  }
}
