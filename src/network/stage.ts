import type { Clock } from '../clock.js'
import type { KafkaProducerError } from '../errors.js'

/** What somebody is at, and since when: for whoever has to say later why it took so long. */
export class Stage {
  private what = 'not begun'
  private since: number
  private followed: Stage | undefined

  constructor(private readonly clock: Clock) {
    this.since = clock.now()
  }

  /** Something new begins: `'connecting to kafka-1:9092'`. */
  enter(what: string): void {
    this.what = what
    this.since = this.clock.now()
    this.followed = undefined
  }

  /** It is what somebody else is at that this one waits for. */
  follow(other: Stage): void {
    this.followed = other
  }

  /** The one that says what it is at: whom it follows, or itself. */
  get told(): Stage {
    return this.followed?.told ?? this
  }

  /** `'connecting to kafka-1:9092 for 3000 ms'`. */
  toString(): string {
    if (this.followed !== undefined) return this.followed.toString()
    return `${this.what} for ${Math.round(this.clock.now() - this.since)} ms`
  }
}

/** Why something takes long, as far as is known. */
export interface WaitedFor {
  /** What is waited for, of whom and since when; undefined between two attempts. */
  readonly stage: string | undefined
  readonly lastFailure: KafkaProducerError | undefined
}

/** A text that says what has not come yet, with the reasons. */
export function withReasons(what: string, { stage, lastFailure }: WaitedFor): string {
  const reasons = [stage, lastFailure && `the last failure: ${lastFailure.message}`]
  return [what, ...reasons.filter((reason) => reason !== undefined)].join('; ')
}
