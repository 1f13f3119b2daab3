import Denque from 'denque'
import type { KafkaProducerError } from '../../errors.js'
import { NO_ROOM, type BufferSource, type Identity } from '../../protocol/records/record-batch.js'
import type { BrokerAcknowledgement } from '../record-metadata.js'
import { Batch, type BatchQueue, type Freed, type Settled } from './batch.js'
import type { OutgoingMessage } from './outgoing-message.js'
import { PartitionSequences } from './partition-sequences.js'
import type { BatchLimit } from './topic-compression.js'

/** A batch, as its queue and the senders know it. */
export type PartitionBatch = Batch<PartitionQueue>

/**
 * Brokers that take longer than this are sent what there is while others are in flight. Of the quick ones it is quicker to
 * await the answer: what comes meanwhile makes one request and not five.
 */
const SLOW_ANSWER_MS = 50

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
 *
 * Several are in flight only where they have sequences, by which the broker keeps their order; only to a leader that has
 * acknowledged one since it was chosen or last failed, so that it knows the sequences before; and only where that gains
 * something: full batches, and any to a broker that is slow.
 */
export class PartitionQueue implements BatchQueue {
  private readonly batches = new Denque<PartitionBatch>()
  /** The last one, while messages may be added to it. */
  private open: PartitionBatch | undefined = undefined
  readonly sequences = new PartitionSequences<PartitionQueue>(this.batches)
  private next = 0
  private inFlightCount = 0
  /** Batches that may be in flight at a time, as the last one was taken. */
  private inFlightLimit = 1
  /** The last one taken, while it is on its way into a request: what follows must not overtake it there. */
  private beingMade: PartitionBatch | undefined = undefined
  /** Some of what was in flight goes out again: first the rest must be answered. */
  private isRewinding = false
  private isBackingOff = false
  /** The broker that leads the partition; -1 while none is known. */
  private leaderId = -1
  /** The broker that what is in flight was sent to. */
  private sentTo = -1
  /** The leader that has acknowledged a batch since; -1 for none. */
  private provenLeader = -1
  /** How long the last acknowledgement took. */
  private answerMs = 0
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
  ) {}

  get leader(): number {
    return this.leaderId
  }

  /** The broker to name where a batch is told of: the one it was sent to, which may lead no more; before that the leader. */
  brokerOf(batch: PartitionBatch): number {
    return batch.isInFlight ? this.sentTo : this.leaderId
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

  /** Whether the batch that goes out next may grow yet. */
  get isGathering(): boolean {
    return this.open !== undefined && this.peekNext() === this.open
  }

  /** Whether its leader may be sent a batch now. */
  get isReady(): boolean {
    // What rules it out most often comes first: it is asked for each message.
    if (this.inFlightCount >= this.inFlightLimit || this.isBackingOff || this.leaderId < 0) return false
    if (this.inFlightCount > 0 ? !this.mayGoBehind : this.sequences.isBroken) return false
    return this.hasUnsent
  }

  /** Whether another batch may go to the leader while one is in flight there. */
  private get mayGoBehind(): boolean {
    if (this.isRewinding || this.beingMade !== undefined || this.sequences.isBroken) return false
    if (this.sentTo !== this.leaderId || this.provenLeader !== this.leaderId) return false
    const next = this.peekNext()
    if (next === undefined) return false
    return next !== this.open || this.answerMs >= SLOW_ANSWER_MS
  }

  /**
   * Whether it is ready to send its next batch so.
   *
   * @param identity what the batch is to be numbered by, where it is
   * @param limit batches that may be in flight at a time
   */
  isReadyFor(identity: Identity | undefined, limit: number): boolean {
    if (!this.isReady) return false
    if (this.inFlightCount === 0) return true
    if (this.inFlightCount >= limit) return false
    if (this.peekNext()?.sequence !== undefined) return true
    // Under a new identity sequences begin anew, behind all that has old ones.
    return identity !== undefined && this.sequences.identity === identity && !this.sequences.isSearching(this.next)
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
      const batch = new Batch<PartitionQueue>(this, this.buffers, this.lastBatchBytes)
      bytes = batch.add(message, limit)
      this.batches.push((this.open = batch))
    }
    this.backlog += bytes
    return bytes
  }

  /** Whether a batch before this one, which the broker may miss, is still here or has failed. */
  isBehind(batch: PartitionBatch): boolean {
    return this.sequences.isBroken || this.batches.peekFront() !== batch
  }

  /** The batch that goes out next. */
  peekNext(): PartitionBatch | undefined {
    return this.batches.peekAt(this.next)
  }

  /**
   * Takes the next batch for a request to the leader.
   *
   * @param identity numbers its messages, where they have no numbers yet
   * @param limit batches that may be in flight at a time: without sequences one alone keeps the order
   */
  takeNext(now: number, identity?: Identity, limit = 1): PartitionBatch {
    const batch = this.peekNext() as PartitionBatch
    this.lastBatchBytes = batch.byteLength
    this.close(batch)
    if (identity !== undefined && batch.sequence === undefined) {
      // Of a producer that it does not know a broker takes any sequence: the first alone must begin it.
      if (this.sequences.identity !== identity) this.provenLeader = -1
      this.sequences.give(batch, identity)
    }
    batch.depart(now)
    this.inFlightLimit = limit
    this.beingMade = batch
    this.next++
    this.inFlightCount++
    this.sentTo = this.leaderId
    return batch
  }

  /** A batch was handed to the connection: what is taken next comes behind it. */
  handedOver(batch: PartitionBatch): void {
    batch.handOver()
    this.isMade(batch)
  }

  private isMade(batch: PartitionBatch): void {
    if (this.beingMade === batch) this.beingMade = undefined
  }

  acknowledged(batch: PartitionBatch, acknowledgement: BrokerAcknowledgement, now: number): Settled {
    this.provenLeader = this.sentTo
    this.answerMs = now - batch.history.departedAt
    this.sequences.acknowledged(batch, this.indexOf(batch), acknowledgement.baseOffset)
    return this.leave(batch, (it) => it.acknowledge(acknowledgement, now))
  }

  failed(batch: PartitionBatch, cause: KafkaProducerError, now: number): Settled {
    this.sequences.gone(batch, this.indexOf(batch), this.isInFlight)
    // It is answered, or never left: what it may be has been noted.
    return this.leave(batch, (it) => it.fail(cause, now))
  }

  /** Leaves out what has its fate of a batch that is not in flight, and the batch where nothing is left. */
  thin(batch: PartitionBatch): Freed {
    if (this.isNeeded(batch)) return this.freed(batch.thin())
    this.sequences.gone(batch, this.indexOf(batch), this.isInFlight)
    return this.leave(batch, (it) => it.discard())
  }

  /** The batches that are not in flight, some of whose messages have their fate. */
  waitingWithEnded(): PartitionBatch[] {
    const found: PartitionBatch[] = []
    for (let index = 0; index < this.batches.length; index++) {
      const batch = this.batches.peekAt(index)
      if (batch?.hasEnded === true && !batch.isInFlight) found.push(batch)
    }
    return found
  }

  /**
   * Whether a batch is to be sent (again). One whose messages have all had their fate is, where others behind it may be in
   * the log and wait for theirs: without it the broker would not find them.
   */
  isNeeded(batch: PartitionBatch): boolean {
    if (batch.unsettled > 0) return true
    return batch.sequence !== undefined && this.sequences.hasDoubtBehind(this.indexOf(batch))
  }

  /** A batch does not go again as it was, and others are behind it. */
  breakSequencesAt(batch: PartitionBatch): void {
    this.sequences.breakAt(batch, this.isInFlight)
  }

  /** Whether sequences are missing, and nothing is in flight: {@link startOver} must follow. */
  get hasGap(): boolean {
    return this.sequences.isBroken && this.inFlightCount === 0
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
    if (wasInFlight) this.landed(batch)
    return settled
  }

  /** A failure that concerns all that is here. */
  noteFailure(cause: KafkaProducerError): void {
    for (let index = 0; index < this.batches.length; index++)
      this.batches.peekAt(index)?.history.noteFailure(cause, false)
  }

  /** A batch is to go out again, ahead of all that came later. */
  returned(batch: PartitionBatch): void {
    this.isRewinding = true
    // A broker that comes back may have forgotten what sequences there were.
    this.provenLeader = -1
    batch.comeBack()
    this.landed(batch)
  }

  /** The same where nothing of it was written. */
  keptBack(batch: PartitionBatch): void {
    batch.history.takeBackAttempt()
    this.returned(batch)
  }

  /** Half of its messages at a time go out again: a smaller batch may pass. It costs no attempt. */
  split(batch: PartitionBatch): void {
    this.returned(batch)
    batch.history.forgiveAttempt()
    this.halve(batch)
  }

  /** Splits a batch that is not in flight. */
  halve(batch: PartitionBatch): void {
    this.close(batch)
    const index = this.indexOf(batch)
    this.batches.splice(index + 1, 0, batch.splitHalf())
    if (index < this.next) this.next++
  }

  /** Nothing more is added to a batch. */
  private close(batch: PartitionBatch): void {
    if (this.open === batch) this.open = undefined
  }

  /** One less is in flight; after the last, what came back goes first. */
  private landed(batch: PartitionBatch): void {
    this.isMade(batch)
    if (--this.inFlightCount > 0) return
    this.isRewinding = false
    this.next = 0
    this.sequences.free()
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
