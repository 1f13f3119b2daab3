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

/** An entry, and how many bytes were written before it. */
interface Placed extends LogEntry {
  readonly position: number
}

/**
 * The log of one partition: entries in the order of their offsets, bounded in bytes. What is beyond the bound goes from
 * its start, a whole entry at a time; the last entry always stays.
 */
export class PartitionLog {
  /** What retention has taken stands before the first as undefined, until it is half of all: moving the rest each time is slow. */
  private entries: (Placed | undefined)[] = []
  private first = 0
  private held = 0
  private messages = 0
  private nextOffset = 0
  private endPosition = 0

  constructor(private readonly retentionBytes: number) {}

  /** The offset that the next message gets. */
  get endOffset(): number {
    return this.nextOffset
  }

  /** The offset of the oldest message still there; the end offset where there is none. */
  get startOffset(): number {
    return this.entries[this.first]?.baseOffset ?? this.nextOffset
  }

  get sizeBytes(): number {
    return this.held
  }

  /** Messages that are there, without markers. */
  get messageCount(): number {
    return this.messages
  }

  append(entry: LogEntry): void {
    this.entries.push({ ...entry, position: this.endPosition })
    this.endPosition += entry.bytes.length
    this.count(entry, 1)
    this.nextOffset = entry.lastOffset + 1
    while (this.held > this.retentionBytes && this.first < this.entries.length - 1) {
      this.count(this.entries[this.first] as LogEntry, -1)
      this.entries[this.first++] = undefined
    }
    if (this.first <= this.entries.length / 2) return
    this.entries = this.entries.slice(this.first)
    this.first = 0
  }

  /** Retention takes all that was written so far; offsets go on. */
  empty(): void {
    this.entries = []
    this.first = this.held = this.messages = 0
  }

  /** The newest entries are lost, and their offsets are given again. */
  truncate(count: number): void {
    const lost = this.entries.splice(Math.max(this.first, this.entries.length - count)) as Placed[]
    for (const entry of lost) this.count(entry, -1)
    this.nextOffset = lost[0]?.baseOffset ?? this.nextOffset
    this.endPosition = lost[0]?.position ?? this.endPosition
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

  /** How many bytes `read()` would find, but for its bound. */
  bytesBetween(offset: number, beforeOffset: number): number {
    return Math.max(0, this.positionOf(beforeOffset) - this.positionOf(offset))
  }

  all(): readonly LogEntry[] {
    return this.entries.slice(this.first) as LogEntry[]
  }

  private count({ bytes, isControl, count }: LogEntry, times: 1 | -1): void {
    this.held += times * bytes.length
    if (!isControl) this.messages += times * count
  }

  private positionOf(offset: number): number {
    return this.entries[this.indexOf(offset)]?.position ?? this.endPosition
  }

  /** Where the entry stands that holds `offset`, or the first one after it. */
  private indexOf(offset: number): number {
    let low = this.first
    let high = this.entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.entries[middle] as LogEntry).lastOffset < offset) low = middle + 1
      else high = middle
    }
    return low
  }
}
