/** Batches that were appended together, as the bytes that a Fetch answers. */
export interface LogEntry {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly maxTimestamp: number
  readonly magic: number
  /** Messages in it. */
  readonly count: number
  /** Whether it is the marker that ends a transaction. */
  readonly isControl: boolean
  readonly bytes: Buffer
}

/**
 * The log of one partition: entries in the order of their offsets, bounded in bytes. What is beyond the bound goes from
 * its start, a whole entry at a time; the last entry always stays.
 */
export class PartitionLog {
  private entries: LogEntry[] = []
  private held = 0
  private nextOffset = 0

  constructor(private readonly retentionBytes: number) {}

  /** The offset that the next message gets. */
  get endOffset(): number {
    return this.nextOffset
  }

  /** The offset of the oldest message still there; the end offset where there is none. */
  get startOffset(): number {
    return this.entries[0]?.baseOffset ?? this.nextOffset
  }

  get sizeBytes(): number {
    return this.held
  }

  append(entry: LogEntry): void {
    this.entries.push(entry)
    this.held += entry.bytes.length
    this.nextOffset = entry.lastOffset + 1
    let dropped = 0
    while (this.held > this.retentionBytes && dropped < this.entries.length - 1) {
      this.held -= (this.entries[dropped] as LogEntry).bytes.length
      dropped++
    }
    if (dropped > 0) this.entries.splice(0, dropped)
  }

  /** Retention takes all that was written so far; offsets go on. */
  empty(): void {
    this.entries = []
    this.held = 0
  }

  /** The newest entries are lost, and their offsets are given again. */
  truncate(count: number): void {
    for (const { baseOffset, bytes } of this.entries.splice(Math.max(0, this.entries.length - count)).reverse()) {
      this.held -= bytes.length
      this.nextOffset = baseOffset
    }
  }

  /** The entries from the one that holds `offset` on, up to the one in which `maxBytes` end; one at the least. */
  read(offset: number, maxBytes: number, beforeOffset: number): LogEntry[] {
    const found: LogEntry[] = []
    let size = 0
    for (let at = this.indexOf(offset); at < this.entries.length; at++) {
      const entry = this.entries[at] as LogEntry
      if (entry.baseOffset >= beforeOffset) break
      found.push(entry)
      size += entry.bytes.length
      if (size >= maxBytes) break
    }
    return found
  }

  all(): readonly LogEntry[] {
    return this.entries
  }

  /** Where the entry stands that holds `offset`, or the first one after it. */
  private indexOf(offset: number): number {
    let low = 0
    let high = this.entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.entries[middle] as LogEntry).lastOffset < offset) low = middle + 1
      else high = middle
    }
    return low
  }
}
