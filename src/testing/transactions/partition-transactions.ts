/** A transaction whose messages a reader of committed messages must leave out. */
export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: number
  /** That of the marker. */
  readonly lastOffset: number
}

/** What a partition knows of the transactions that wrote to it. */
export class PartitionTransactions {
  /** First offset of each transaction that has not ended, by producer id. */
  private readonly open = new Map<bigint, number>()
  private readonly aborted: AbortedTransaction[] = []

  wrote(producerId: bigint, offset: number): void {
    if (!this.open.has(producerId)) this.open.set(producerId, offset)
  }

  isOpen(producerId: bigint): boolean {
    return this.open.has(producerId)
  }

  /** @param markerOffset where the control record stands that ended it */
  ended(producerId: bigint, committed: boolean, markerOffset: number): void {
    const firstOffset = this.open.get(producerId)
    this.open.delete(producerId)
    if (firstOffset !== undefined && !committed)
      this.aborted.push({ producerId, firstOffset, lastOffset: markerOffset })
  }

  /** The first offset of the oldest open transaction; undefined where none is open. */
  get firstOpenOffset(): number | undefined {
    return this.open.size === 0 ? undefined : Math.min(...this.open.values())
  }

  /** The aborted ones with messages between these offsets, `end` not included. */
  abortedBetween(start: number, end: number): AbortedTransaction[] {
    return this.aborted.filter(({ firstOffset, lastOffset }) => lastOffset >= start && firstOffset < end)
  }
}
