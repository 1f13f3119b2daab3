/** How far a group has read a partition. */
export interface CommittedOffset {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly leaderEpoch: number
  readonly metadata: string
}

/** An offset, and how many were written before it. */
interface Written {
  readonly offset: CommittedOffset
  readonly index: number
}

/** The offsets of one group: those that hold, and those of transactions that have not ended. */
export class GroupOffsets {
  private readonly committed = new Map<string, Written>()
  private readonly pending = new Map<bigint, Map<string, Written>>()
  private writtenCount = 0

  commit(offset: CommittedOffset): void {
    this.committed.set(keyOf(offset.topic, offset.partition), this.written(offset))
  }

  /** Holds once the producer's transaction is committed. */
  commitInTransaction(producerId: bigint, offset: CommittedOffset): void {
    const pending = this.pending.get(producerId) ?? new Map<string, Written>()
    pending.set(keyOf(offset.topic, offset.partition), this.written(offset))
    this.pending.set(producerId, pending)
  }

  /** What was committed for a partition after the transaction did so stays. */
  endTransaction(producerId: bigint, committed: boolean): void {
    const pending = this.pending.get(producerId)
    this.pending.delete(producerId)
    if (!committed || pending === undefined) return
    for (const [key, written] of pending)
      if (written.index > (this.committed.get(key)?.index ?? 0)) this.committed.set(key, written)
  }

  of(topic: string, partition: number): CommittedOffset | undefined {
    return this.committed.get(keyOf(topic, partition))?.offset
  }

  /** Whether a transaction that has not ended commits an offset for the partition. */
  isUnstable(topic: string, partition: number): boolean {
    for (const pending of this.pending.values()) if (pending.has(keyOf(topic, partition))) return true
    return false
  }

  all(): CommittedOffset[] {
    return [...this.committed.values()].map(({ offset }) => offset)
  }

  forgetTopic(topic: string): void {
    for (const offsets of [this.committed, ...this.pending.values()]) {
      for (const [key, { offset }] of offsets) if (offset.topic === topic) offsets.delete(key)
    }
  }

  private written(offset: CommittedOffset): Written {
    return { offset, index: ++this.writtenCount }
  }
}

function keyOf(topic: string, partition: number): string {
  return `${partition}-${topic}`
}
