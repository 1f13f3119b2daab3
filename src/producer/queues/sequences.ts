import type { Identity } from '../../protocol/records/record-batch.js'

/** What a batch's messages are numbered by: from `base` on, under an identity, by which the broker finds it again. */
export interface BatchSequence {
  readonly identity: Identity
  readonly base: number
}

/** Sequences have 31 bits; behind the last one comes the first. */
const SEQUENCES = 2 ** 31

/** The sequence so many messages behind another. */
export function sequenceAfter(sequence: number, messages: number): number {
  return (sequence + messages) % SEQUENCES
}

/**
 * The sequences of one partition (KIP-98): each batch that goes out for the first time has those behind the last one's.
 *
 *     whole ──lose(), loseFrom()──▶ broken: the broker would find a gap
 *       ▲                             │
 *       ├──startOver()────────────────┤ under another epoch, from 0
 *       └──regain()───────────────────┘ from where the broker has taken none
 */
export class Sequences {
  private identity: Identity | undefined
  private next = 0
  private broken = false
  /** While they are broken: from where on they are free again if the broker has taken none; undefined where nobody knows. */
  private lostFrom: number | undefined

  /** Whether some are missing: nothing new goes out until they start over. */
  get isBroken(): boolean {
    return this.broken
  }

  /** Under which identity they are; undefined before the first. */
  get under(): Identity | undefined {
    return this.identity
  }

  /** The next ones, for so many messages. Under another identity than before they begin at 0. */
  take(identity: Identity, messages: number): BatchSequence {
    if (this.identity !== identity) {
      this.identity = identity
      this.next = 0
    }
    const base = this.next
    this.next = sequenceAfter(base, messages)
    return { identity, base }
  }

  /** These ones are free again: no broker has seen them, and none came behind them. */
  giveBack({ base }: BatchSequence): void {
    this.next = base
  }

  /** Some may have reached the log, or not, or others came behind them: the broker is not to see what follows. */
  lose(): void {
    this.broken = true
    this.lostFrom = undefined
  }

  /** From here on they were refused, and what is on its way behind will be. */
  loseFrom(base: number): void {
    if (!this.broken) this.lostFrom = base
    this.broken = true
  }

  /** All that came behind was refused as well: gives whether they are free again from there on. */
  regain(): boolean {
    if (this.lostFrom === undefined) return false
    this.next = this.lostFrom
    this.lostFrom = undefined
    this.broken = false
    return true
  }

  startOver(): void {
    this.identity = undefined
    this.broken = false
    this.lostFrom = undefined
  }
}
