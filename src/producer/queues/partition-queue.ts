import Denque from 'denque'
import { Batch } from './batch.js'
import type { SerializedMessage } from './serialized-message.js'
import type { BatchLimit } from './topic-compression.js'

/**
 * The batches of one partition, in the order they go out. All `send()` calls share it: what is given while the broker
 * is busy joins the batch at its tail.
 */
export class PartitionQueue {
  private readonly batches = new Denque<Batch>()
  /** The broker that leads the partition; -1 while none is known. */
  leader = -1
  /** Batches written and not answered. */
  inFlight = 0
  /** True from a failed attempt until the retry policy lets it go on. */
  backingOff = false
  /** The broker whose sender has it in its list of partitions with something to send; -1 for none. */
  listedAt = -1
  /** Bytes of the messages that have no fate yet. */
  backlogBytes = 0

  constructor(
    readonly topic: string,
    readonly partition: number,
    readonly limit: BatchLimit,
  ) {}

  /** Whether its leader may be sent a batch now. Without a sequence one at a time keeps the order. */
  get isReady(): boolean {
    return this.inFlight === 0 && !this.backingOff && this.leader >= 0 && !this.batches.isEmpty()
  }

  get isEmpty(): boolean {
    return this.batches.isEmpty()
  }

  append(message: SerializedMessage): void {
    const tail = this.batches.peekBack()
    if (tail === undefined || tail.closed || !tail.add(message, this.limit.plainBytes)) {
      const batch = new Batch(this)
      batch.add(message)
      this.batches.push(batch)
    }
    this.backlogBytes += message.bytes
  }

  peek(): Batch | undefined {
    return this.batches.peekFront()
  }

  /** Leaves a sender's list; nothing where another sender's has it by now. */
  unlist(brokerId: number): void {
    if (this.listedAt === brokerId) this.listedAt = -1
  }

  /** Takes the head off, for a request. */
  take(): Batch | undefined {
    return this.batches.shift()
  }

  /** Puts a batch back at the head, ahead of all that came later. */
  putBack(batch: Batch): void {
    this.batches.unshift(batch)
  }

  /** Puts a batch right behind the head. */
  putSecond(batch: Batch): void {
    const head = this.batches.shift()
    this.batches.unshift(batch)
    if (head !== undefined) this.batches.unshift(head)
  }

  /** Leaves out batches whose messages all have their fate. */
  dropEmpty(): void {
    for (let i = this.batches.length - 1; i >= 0; i--) {
      if (this.batches.peekAt(i)?.messages.length === 0) this.batches.removeOne(i)
    }
  }
}
