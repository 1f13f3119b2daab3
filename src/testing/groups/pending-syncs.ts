import type { Timer, Timers } from '../timers.js'

/**
 * The members that have joined a generation and not asked for their assignment yet. Who has not when the rebalance
 * time-out is over leaves the group (KAFKA-12890), so that nobody waits for a client that hangs.
 */
export class PendingSyncs {
  private readonly members = new Set<string>()
  private deadline: Timer | undefined

  constructor(private readonly timers: Timers) {}

  /** @param late called with those that are still missing after `ms` milliseconds, if any are */
  begin(members: Iterable<string>, ms: number, late: (members: readonly string[]) => void): void {
    this.end()
    for (const member of members) this.members.add(member)
    this.deadline = this.timers.after(ms, () => late([...this.members]))
  }

  /** The member has asked, or left. */
  done(member: string): void {
    this.members.delete(member)
    if (this.members.size === 0) this.deadline?.clear()
  }

  /** Another generation is under way. */
  end(): void {
    this.deadline?.clear()
    this.members.clear()
  }
}
