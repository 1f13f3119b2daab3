/** How far a group has read a partition. */
export interface CommittedOffset {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly leaderEpoch: number
  readonly metadata: string
}

/** The offsets of one group: those that hold, and those of transactions that have not ended. */
export class GroupOffsets {
  private readonly committed = new Map<string, CommittedOffset>()
  private readonly pending = new Map<bigint, Map<string, CommittedOffset>>()

  commit(offset: CommittedOffset): void {
    this.committed.set(keyOf(offset.topic, offset.partition), offset)
  }

  /** Holds once the producer's transaction is committed. */
  commitInTransaction(producerId: bigint, offset: CommittedOffset): void {
    const pending = this.pending.get(producerId) ?? new Map<string, CommittedOffset>()
    pending.set(keyOf(offset.topic, offset.partition), offset)
    this.pending.set(producerId, pending)
  }

  endTransaction(producerId: bigint, committed: boolean): void {
    const pending = this.pending.get(producerId)
    this.pending.delete(producerId)
    if (committed) for (const offset of pending?.values() ?? []) this.commit(offset)
  }

  of(topic: string, partition: number): CommittedOffset | undefined {
    return this.committed.get(keyOf(topic, partition))
  }

  /** Whether a transaction that has not ended commits an offset for the partition. */
  isUnstable(topic: string, partition: number): boolean {
    for (const pending of this.pending.values()) if (pending.has(keyOf(topic, partition))) return true
    return false
  }

  all(): CommittedOffset[] {
    return [...this.committed.values()]
  }

  forgetTopic(topic: string): void {
    for (const offsets of [this.committed, ...this.pending.values()]) {
      for (const [key, offset] of offsets) if (offset.topic === topic) offsets.delete(key)
    }
  }
}

function keyOf(topic: string, partition: number): string {
  return `${partition}-${topic}`
}
