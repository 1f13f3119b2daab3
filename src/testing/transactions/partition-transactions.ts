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
  /** In the order of their markers. */
  private aborted: AbortedTransaction[] = []

  wrote(producerId: bigint, offset: number): void {
    if (!this.open.has(producerId)) this.open.set(producerId, offset)
  }

  isOpen(producerId: bigint): boolean {
    return this.open.has(producerId)
  }

  /**
   * @param markerOffset where the control record stands that ended it
   * @param startOffset that of the log, which what was aborted before it has left
   */
  ended(producerId: bigint, committed: boolean, markerOffset: number, startOffset: number): void {
    const firstOffset = this.open.get(producerId)
    this.open.delete(producerId)
    if (firstOffset === undefined || committed) return
    this.aborted.push({ producerId, firstOffset, lastOffset: markerOffset })
    // Once for many.
    const middle = this.aborted[this.aborted.length >> 1]
    if (middle !== undefined && middle.lastOffset < startOffset)
      this.aborted = this.aborted.filter(({ lastOffset }) => lastOffset >= startOffset)
  }

  /** The log ends here now: what is written from here on belongs to none that there were. */
  endsAt(endOffset: number): void {
    for (const [producerId, firstOffset] of this.open) if (firstOffset >= endOffset) this.open.delete(producerId)
    this.aborted = this.aborted.flatMap((one) =>
      one.firstOffset < endOffset ? { ...one, lastOffset: Math.min(one.lastOffset, endOffset) } : [],
    )
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
