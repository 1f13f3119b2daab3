import Denque from 'denque'
import type { KafkaProducerError } from '../../errors.js'
import { NO_ROOM, type BufferSource } from '../../protocol/records/record-batch.js'
import type { BrokerAcknowledgement } from '../record-metadata.js'
import { Batch, type BatchQueue, type Freed, type Settled } from './batch.js'
import type { OutgoingMessage } from './outgoing-message.js'
import type { BatchLimit } from './topic-compression.js'

/** A batch, as its queue and the senders know it. */
export type PartitionBatch = Batch<PartitionQueue>

/** The most that a new batch's first buffer is made for: where little comes after all, little is wasted. */
const MAX_EXPECTED_BYTES = 131_072

/**
 * The batches of one partition, in the order they go out, until each is settled. All `send()` calls share it: what is
 * given while the broker is busy joins the batch at its tail. It owns all that a partition's state is made of:
 *
 *     idle ──append()──▶ has something to send ◀──────────── goOn() ──────────┐
 *                             │  ▲                                            │
 *                  takeNext() │  │ acknowledged(), failed(), split()          │
 *                             ▼  │                                            │
 *                          in flight ──returned()──▶ its batch first again ──backOff()──▶ backing off
 *
 * The batches in flight are the first ones; `next` is the index of the one that goes out next. What is to be sent again
 * is a reset of that index, once nothing is in flight: several come back in their order. Until then, and until the old
 * leader has answered all, nothing more goes out.
 */
export class PartitionQueue implements BatchQueue {
  private readonly batches = new Denque<PartitionBatch>()
  /** The last one, while messages may be added to it. */
  private open: PartitionBatch | undefined
  private next = 0
  private inFlightCount = 0
  /** Some of what was in flight goes out again: first the rest must be answered. */
  private isRewinding = false
  private isBackingOff = false
  /** The broker that leads the partition; -1 while none is known. */
  private leaderId = -1
  /** Whom what is in flight was sent to. */
  private sentTo = -1
  /** The broker whose sender has it in its list of partitions with something to send; -1 for none. */
  private listedWith = -1
  /** Bytes of the messages here. */
  private backlog = 0
  /** What the last batch came to: the next one is likely to. */
  private lastBatchBytes = 0

  constructor(
    readonly topic: string,
    readonly partition: number,
    readonly limit: BatchLimit,
    private readonly buffers: BufferSource,
    /** Batches in flight at a time: without a sequence one alone keeps the order. */
    private readonly maxInFlight = 1,
  ) {}

  get leader(): number {
    return this.leaderId
  }

  /** The metadata names this leader; -1 for none. */
  isLedBy(leader: number): void {
    this.leaderId = leader
  }

  get backlogBytes(): number {
    return this.backlog
  }

  /** Whether nothing is here, in flight or waiting. */
  get isEmpty(): boolean {
    return this.batches.isEmpty()
  }

  /** Whether something waits to be sent. */
  get hasUnsent(): boolean {
    return this.next < this.batches.length
  }

  get isInFlight(): boolean {
    return this.inFlightCount > 0
  }

  /** Whether its leader may be sent a batch now. */
  get isReady(): boolean {
    // What rules it out most often comes first: it is asked for each message.
    if (this.inFlightCount >= this.maxInFlight || this.isBackingOff || this.leaderId < 0) return false
    if (this.inFlightCount > 0 && (this.isRewinding || this.sentTo !== this.leaderId)) return false
    return this.hasUnsent
  }

  /** Whether it is ready and on nobody's list who would send it. */
  get wantsToBeListed(): boolean {
    return this.listedWith !== this.leaderId && this.isReady
  }

  /** It stands on the list of its leader's sender. */
  list(): number {
    return (this.listedWith = this.leaderId)
  }

  isListedWith(brokerId: number): boolean {
    return this.listedWith === brokerId
  }

  /** It left a sender's list; nothing where another sender's has it by now. */
  unlist(brokerId: number): void {
    if (this.listedWith === brokerId) this.listedWith = -1
  }

  /**
   * Writes a message into the last batch, or into a new one; returns its bytes.
   *
   * @throws ChangedBytesError, and nothing is changed
   */
  append(message: OutgoingMessage): number {
    const limit = this.limit.plainBytes
    let bytes = this.open === undefined ? NO_ROOM : this.open.add(message, limit)
    if (bytes === NO_ROOM) {
      if (this.open !== undefined) this.lastBatchBytes = this.open.byteLength
      const batch = new Batch<PartitionQueue>(this, this.buffers, Math.min(this.lastBatchBytes, MAX_EXPECTED_BYTES))
      bytes = batch.add(message, limit)
      this.batches.push((this.open = batch))
    }
    this.backlog += bytes
    return bytes
  }

  /** The batch that goes out next. */
  peekNext(): PartitionBatch | undefined {
    return this.batches.peekAt(this.next)
  }

  /** Takes the next batch for a request to the leader. */
  takeNext(): PartitionBatch {
    const batch = this.peekNext() as PartitionBatch
    this.lastBatchBytes = batch.byteLength
    this.close(batch)
    batch.depart()
    this.next++
    this.inFlightCount++
    this.sentTo = this.leaderId
    return batch
  }

  acknowledged(batch: PartitionBatch, acknowledgement: BrokerAcknowledgement, now: number): Settled {
    return this.leave(batch, (it) => it.acknowledge(acknowledgement, now))
  }

  failed(batch: PartitionBatch, cause: KafkaProducerError, now: number): Settled {
    return this.leave(batch, (it) => {
      // It is answered, or never left: what it may be has been noted.
      if (it.isInFlight) it.comeBack()
      return it.fail(cause, now)
    })
  }

  /** Leaves out what has its fate of a batch that is not in flight, and the batch where nothing is left. */
  thin(batch: PartitionBatch): Freed {
    return batch.unsettled === 0 ? this.leave(batch, (it) => it.discard()) : this.freed(batch.thin())
  }

  /** A batch is settled: it is here no longer. */
  private leave<T extends Freed>(batch: PartitionBatch, settle: (batch: PartitionBatch) => T): T {
    const wasInFlight = batch.isInFlight
    this.close(batch)
    const index = this.indexOf(batch)
    if (index === 0) this.batches.shift()
    else this.batches.removeOne(index)
    if (index < this.next) this.next--
    const settled = this.freed(settle(batch))
    if (wasInFlight) this.landed()
    return settled
  }

  /** A batch is to go out again, ahead of all that came later. */
  returned(batch: PartitionBatch): void {
    this.isRewinding = true
    batch.comeBack()
    this.landed()
  }

  /** Half of its messages at a time go out again: a smaller batch may pass. It costs no attempt. */
  split(batch: PartitionBatch): void {
    this.returned(batch)
    batch.forgiveAttempt()
    this.halve(batch)
  }

  /** Splits a batch that is not in flight. */
  halve(batch: PartitionBatch): void {
    this.close(batch)
    this.batches.splice(this.indexOf(batch) + 1, 0, batch.splitHalf())
  }

  /** Nothing more is added to a batch. */
  private close(batch: PartitionBatch): void {
    if (this.open === batch) this.open = undefined
  }

  /** One less is in flight; after the last, what came back goes first. */
  private landed(): void {
    if (--this.inFlightCount > 0) return
    this.isRewinding = false
    this.next = 0
  }

  private indexOf(batch: PartitionBatch): number {
    for (let index = 0; index < this.batches.length; index++) if (this.batches.peekAt(index) === batch) return index
    throw new Error(`a batch that is not in the queue of ${this.topic}-${this.partition}`)
  }

  private freed<T extends Freed>(freed: T): T {
    this.backlog -= freed.bytes
    return freed
  }

  /** Nothing goes out until {@link goOn}. */
  backOff(): void {
    this.isBackingOff = true
  }

  goOn(): void {
    this.isBackingOff = false
  }
}
