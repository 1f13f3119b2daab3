import type Denque from 'denque'
import type { Identity } from '../../protocol/records/record-batch.js'
import type { Batch, BatchQueue } from './batch.js'
import { Sequences, type BatchSequence } from './sequences.js'

/**
 * The sequences of a partition's batches: which a batch is given, and what becomes of those of batches that fail, are
 * refused, or come back. They are free again where no broker can have them; else they are lost, and what follows waits until
 * all start over under another identity.
 */
export class PartitionSequences<Queue extends BatchQueue = BatchQueue> {
  private readonly numbers = new Sequences()
  /** Whether they are those of a cluster that was left, until they start over. */
  private isLeftBehind = false
  /** Where what was acknowledged last begins in the log; -1 where nobody has said. */
  private lastOffset = -1n

  /** @param batches those of the partition that are not settled, in the order they go out */
  constructor(private readonly batches: Denque<Batch<Queue>>) {}

  /** What its sequences are under; undefined where it has given none. */
  get identity(): Identity | undefined {
    return this.numbers.under
  }

  /** Whether some are missing: nothing new goes out until they start over. */
  get isBroken(): boolean {
    return this.numbers.isBroken
  }

  give(batch: Batch<Queue>, identity: Identity): void {
    batch.renumber(this.numbers.take(identity, batch.count))
  }

  /**
   * Whether one of the first batches, so many, goes out again and may be in the log. Brokers remember the last five batches:
   * behind new ones they would not find it any more if this answer is lost, too.
   */
  isSearching(first: number): boolean {
    for (let index = 0; index < first; index++) if (this.batches.peekAt(index)?.history.mayBeInLog === true) return true
    return false
  }

  /** The batch at this index was acknowledged. */
  acknowledged(batch: Batch<Queue>, index: number, baseOffset: bigint): void {
    this.lastOffset = baseOffset
    if (batch.sequence !== undefined && (this.isBroken || this.isBehindRefused(index))) this.numbers.lose()
  }

  /**
   * Whether the leader refused the batch before one that it took, as the empty log of a topic made anew does. Its sequences
   * are not free then: with them others would get those of the one behind, and be taken for it.
   */
  private isBehindRefused(index: number): boolean {
    const before = index === 0 ? undefined : this.batches.peekAt(index - 1)
    return before?.sequence !== undefined && !before.isInFlight && !before.history.mayBeInLog
  }

  /** Whether batches behind the one at this index may be in the log and wait for their fates: without it the broker would not find them. */
  hasDoubtBehind(index: number): boolean {
    for (let at = index + 1; at < this.batches.length; at++) {
      const behind = this.batches.peekAt(at) as Batch<Queue>
      if (behind.sequence === undefined) return false
      if (behind.unsettled > 0 && (behind.history.mayBeInLog || behind.isInFlight)) return true
    }
    return false
  }

  /** The batch at this index goes, and was not acknowledged. */
  gone(batch: Batch<Queue>, index: number, isInFlight: boolean): void {
    const { sequence } = batch
    if (sequence === undefined) return
    const behind = this.batches.peekAt(index + 1)
    if (behind?.sequence === undefined && !batch.history.mayBeInLog && this.identity === sequence.identity)
      this.numbers.giveBack(sequence)
    else this.breakAt(batch, isInFlight)
  }

  /**
   * A batch does not go again as it was, and others are behind it. Where the broker has refused it, it refuses those on their
   * way, too: their sequences are free again when they are back.
   *
   * @param isInFlight whether any batch is
   */
  breakAt(batch: Batch<Queue>, isInFlight: boolean): void {
    const first = this.batches.peekFront()?.sequence
    const isRefused = !batch.history.mayBeInLog && isInFlight && first?.identity === this.identity
    if (isRefused && first !== undefined) this.numbers.loseFrom(first.base)
    else this.numbers.lose()
  }

  /** Whether a log that begins at this offset (-1: nobody knows) has lost all that was acknowledged. */
  isDeletedBefore(logStartOffset: bigint): boolean {
    return this.lastOffset >= 0n && logStartOffset > this.lastOffset
  }

  /** The leader knows none of the sequences any more: they begin at 0 as soon as nothing is in flight, under what they are. */
  begin(): void {
    this.numbers.loseFrom(0)
  }

  /** The broker will find sequences missing: they start over as soon as nothing is in flight. */
  break(): void {
    this.numbers.lose()
  }

  /** The same, since another cluster is sent to: whatever the one before has of what is in flight, there it can't be twice. */
  leaveCluster(): void {
    this.isLeftBehind = true
    this.numbers.lose()
  }

  /** The first batch with sequences that may have been written: it can't get others. */
  get mayBeTwice(): Batch<Queue> | undefined {
    if (this.isLeftBehind) return undefined
    for (let index = 0; index < this.batches.length; index++) {
      const batch = this.batches.peekAt(index)
      if (batch?.sequence !== undefined && batch.history.mayHaveBeenWritten) return batch
    }
    return undefined
  }

  /** Takes all sequences away, for others under the next identity; returns the identity that they had. */
  startOver(): Identity | undefined {
    const { identity } = this
    this.isLeftBehind = false
    for (let index = 0; index < this.batches.length; index++) this.batches.peekAt(index)?.renumber(undefined)
    this.numbers.startOver()
    return identity
  }

  /** Nothing is in flight: what was refused has not used its sequences, and they are free again, from the last on. */
  free(): void {
    let numbered = 0
    while (this.batches.peekAt(numbered)?.sequence !== undefined) numbered++
    if (this.isBroken) return this.regain(numbered)
    while (numbered-- > 0) {
      const batch = this.batches.peekAt(numbered) as Batch<Queue>
      const sequence = batch.sequence as BatchSequence
      if (batch.history.mayBeInLog || sequence.identity !== this.identity) return
      this.numbers.giveBack(sequence)
      batch.renumber(undefined)
    }
  }

  /** The same behind a batch that has failed: all of them, or none. */
  private regain(numbered: number): void {
    for (let i = 0; i < numbered; i++) if (this.batches.peekAt(i)?.history.mayBeInLog === true) return
    if (!this.numbers.regain()) return
    for (let i = 0; i < numbered; i++) this.batches.peekAt(i)?.renumber(undefined)
  }
}
