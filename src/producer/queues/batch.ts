import { DeliveryError, type KafkaProducerError } from '../../errors.js'
import { messageSet, sizeOfMessageSet, type MessageSetMagic } from '../../protocol/records/message-set.js'
import {
  NO_PRODUCER,
  NO_ROOM,
  RecordBatchBuilder,
  type BufferSource,
  type ProducerState,
} from '../../protocol/records/record-batch.js'
import { RecordCursor } from '../../protocol/records/record-cursor.js'
import { AddedHeaders } from '../../protocol/records/record.js'
import { RecordMetadata, type BrokerAcknowledgement } from '../record-metadata.js'
import { DeliveryHistory } from './delivery-history.js'
import type { MessageOwner, OutgoingMessage } from './outgoing-message.js'
import { sequenceAfter, type BatchSequence } from './sequences.js'
import { TRACED, withoutStackTraces } from './stack-traces.js'

/** What is settled in one go, so that the event loop gets its turn in between. */
export const MAX_BATCH_MESSAGES = 5_000

/** Between one time that it is asked whether others should have their turn, and the next. */
const ENDED_AT_ONCE = 64

export type Magic = 0 | 1 | 2

/** The queue that a batch is of. */
export interface BatchQueue {
  readonly topic: string
  readonly partition: number
  /** The broker that leads the partition; -1 while none is known. */
  readonly leader: number
  /** Leaves out what has its fate of a batch that is not in flight, and the batch where nothing is left. */
  thin(batch: Batch): Freed
  /** Whether something has to be done before it may send again. */
  readonly hasGap: boolean
}

/** Room that messages have held and hold no longer. */
export interface Freed {
  readonly messages: number
  readonly bytes: number
}

/** A batch that is settled: how many messages were told by it, and the room of all. */
export interface Settled extends Freed {
  readonly told: number
}

/** A message of a batch, as those see it who look for what can't be sent. */
export interface BatchMessage {
  readonly owner: MessageOwner
  /** Whether it has headers that must not be left out. */
  readonly hasOwnHeaders: boolean
  /** Whether the caller gave its timestamp. */
  readonly hasOwnTimestamp: boolean
}

/**
 * The messages that go to one partition together: the unit of delivery and of retry. It is its bytes, written once as
 * each message came, and their owners: whose each record is.
 *
 *     open ──depart()──▶ in flight ──acknowledge(), fail()──▶ settled
 *                          ▲                      │
 *                          └──────comeBack()──────┘
 *
 * A message may get its fate while the batch still has it: its deadline passed, or its caller took it out. It is marked
 * with its owner and passed over; {@link thin} leaves such messages out of a batch that is not in flight. One with a
 * sequence is never changed: the broker would not find it again.
 */
export class Batch<Queue extends BatchQueue = BatchQueue> {
  private state: 'open' | 'waiting' | 'in flight' | 'settled' = 'open'
  private owners: MessageOwner[] = []
  private places: number[] = []
  /** How many there are, or were where it is settled and has let go of them. */
  private messages = 0
  /** By the place in the batch: the timestamps that callers gave. */
  private ownTimestamps: Map<number, number> | undefined = undefined
  /** The places in the batch of those that have headers, but none of their callers'. */
  private addedHeaders: Set<number> | undefined = undefined
  private builder: RecordBatchBuilder
  /** Messages that have their fate already. */
  private ended = 0
  private someHaveSignals = false
  /** Whether it stands on its connection, since it departed. */
  private isHandedOver = false
  /** What the last of its messages that failed was told. */
  private latestFailure: DeliveryError | undefined = undefined
  private ownSequence: BatchSequence | undefined = undefined
  /** Those who read its bytes, such as a socket that is being written to, and have not ended. */
  private readers = 0

  constructor(
    readonly queue: Queue,
    private readonly buffers: BufferSource,
    expectedBytes = 0,
    readonly history = new DeliveryHistory(),
  ) {
    this.builder = new RecordBatchBuilder(buffers, expectedBytes)
  }

  get count(): number {
    return this.messages
  }

  /** Bytes of the batch, its header included, in the format with magic 2. */
  get byteLength(): number {
    return this.builder.byteLength
  }

  /** Bytes of the messages as they count against `queueBytes`. */
  get dataBytes(): number {
    return this.builder.dataBytes
  }

  /** Whether it is closed: it went into a request before, or is in one. */
  get wasSent(): boolean {
    return this.state !== 'open'
  }

  /** Whether some of its messages have their fate. */
  get hasEnded(): boolean {
    return this.ended > 0
  }

  get isInFlight(): boolean {
    return this.state === 'in flight'
  }

  get isSettled(): boolean {
    return this.state === 'settled'
  }

  /** Messages that wait for their fate. */
  get unsettled(): number {
    return this.messages - this.ended
  }

  /** When the `send()` of its first message was, on the clock of `performance.now()`; those behind it came later. */
  get oldestAt(): number {
    return this.owners[0]?.sentAt.at ?? Infinity
  }

  /** What its messages are numbered by; undefined before it went out, and where the broker is to find no duplicates. */
  get sequence(): BatchSequence | undefined {
    return this.ownSequence
  }

  /** Numbers its messages, or takes the numbers away, where no broker has the batch. */
  renumber(sequence: BatchSequence | undefined): void {
    if (this.ownSequence === sequence) return
    this.history.noteNotInLog()
    this.ownSequence = sequence
    // The numbers stand in bytes that somebody may still read, such as a connection that was lost.
    if (this.readers > 0) this.keep(() => true)
  }

  /** The places of those of its messages that have no key. */
  get keyless(): number[] {
    const places: number[] = []
    const cursor = this.cursor()
    while (cursor.next()) if (cursor.keySize < 0) places.push(cursor.index)
    return places
  }

  /**
   * Writes a message onto the end if the batch has room for it under `limit`; the first one always fits.
   *
   * @returns its bytes, or {@link NO_ROOM}
   * @throws ChangedBytesError
   */
  add(message: OutgoingMessage, limit: number): number {
    const { builder, owners } = this
    const { owner, index, ownTimestamp } = message
    const place = owners.length
    if (place >= MAX_BATCH_MESSAGES) return NO_ROOM
    const timestamp = ownTimestamp ?? owner.sentAt.timestamp
    const { key, value, headers, leastBytes, mostBytes } = message
    const bytes = builder.append(timestamp, key, value, headers, leastBytes, mostBytes, limit)
    if (bytes === NO_ROOM) return NO_ROOM
    if (place === 0) {
      // An array of just one: a push to an empty one makes room for seventeen.
      this.owners = [owner]
      this.places = [index]
    } else {
      owners.push(owner)
      this.places.push(index)
    }
    this.messages++
    if (ownTimestamp !== null) (this.ownTimestamps ??= new Map()).set(place, ownTimestamp)
    if (headers !== null && headers instanceof AddedHeaders) (this.addedHeaders ??= new Set()).add(place)
    if (owner.signal !== undefined) this.someHaveSignals = true
    owner.placed(index, this)
    return bytes
  }

  /** It goes into a request, or would if there were a connection: an attempt. */
  depart(now: number): void {
    this.state = 'in flight'
    this.isHandedOver = false
    this.history.depart(now)
  }

  /** Its request stands on the connection. */
  handOver(): void {
    this.isHandedOver = true
  }

  /** It is to be sent again. */
  comeBack(): void {
    this.state = 'waiting'
  }

  /**
   * Somebody reads its bytes, until {@link endReading} is called with what this returns. Where that never comes they are
   * not used again.
   */
  beginReading(): RecordBatchBuilder {
    this.readers++
    return this.builder
  }

  endReading(builder: RecordBatchBuilder): void {
    if (builder !== this.builder) return
    this.readers--
    if (this.state === 'settled' && this.readers === 0) builder.release()
  }

  /**
   * Tells one message its fate ahead of the others; false where it has one already.
   *
   * @param isRefused whether the broker refused it, so that it won't be sent again
   */
  endOne(place: number, cause: KafkaProducerError, now: number, isRefused = false): boolean {
    if (this.isSettled) return false
    const owner = this.owners[place] as MessageOwner
    const index = this.places[place] as number
    if (owner.isSettled(index)) return false
    this.ended++
    owner.settle(
      index,
      isRefused ? this.errorWith(cause, this.history.mayHaveBeenWritten) : this.deliveryError(cause),
      now,
    )
    return true
  }

  /** A message in it was told its fate by its owner. */
  countEnded(): void {
    this.ended++
  }

  /**
   * Looks at each message that has no fate yet; where `causeFor` gives a cause it fails.
   *
   * @param isEnough asked now and then: whether the others are to be looked at another time
   * @returns whether all were looked at
   */
  endSome(
    now: number,
    causeFor: (message: BatchMessage) => KafkaProducerError | undefined,
    isEnough: () => boolean,
  ): boolean {
    if (this.isSettled) return true
    const cursor = this.cursor()
    if (this.endNext(cursor, now, causeFor, TRACED) < TRACED) return true
    return withoutStackTraces(() => {
      do if (this.endNext(cursor, now, causeFor, ENDED_AT_ONCE) < ENDED_AT_ONCE) return true
      while (!isEnough())
      return false
    })
  }

  /** So many of those that the cursor has not come to yet. */
  private endNext(
    cursor: RecordCursor,
    now: number,
    causeFor: (message: BatchMessage) => KafkaProducerError | undefined,
    most: number,
  ): number {
    let count = 0
    while (count < most && cursor.next()) {
      const place = cursor.index
      const owner = this.owners[place] as MessageOwner
      if (owner.isSettled(this.places[place] as number)) continue
      const hasOwnHeaders = cursor.hasHeaders && this.addedHeaders?.has(place) !== true
      const cause = causeFor({ owner, hasOwnHeaders, hasOwnTimestamp: this.ownTimestamps?.has(place) === true })
      if (cause !== undefined && this.endOne(place, cause, now)) count++
    }
    return count
  }

  /** Whether a signal may have taken out some of it. */
  get mayBeAborted(): boolean {
    return this.someHaveSignals
  }

  /** Leaves out the messages that have their fate, unless others must find it as it is; returns the room they held. */
  thin(): Freed {
    if (this.ended === 0 || this.state === 'in flight' || this.ownSequence !== undefined)
      return { messages: 0, bytes: 0 }
    const { owners, places } = this
    return this.keep((place) => !(owners[place] as MessageOwner).isSettled(places[place] as number))
  }

  /** Splits off the second half, for a broker that finds the whole too large. */
  splitHalf(): Batch<Queue> {
    const rest = new Batch<Queue>(this.queue, this.buffers, this.byteLength >> 1, this.history.ofHalf())
    // Half of what was never sent was not either: its callers may still take it out.
    rest.state = this.state
    const half = this.count >> 1
    if (this.ownSequence !== undefined) {
      const { identity, base } = this.ownSequence
      rest.ownSequence = { identity, base: sequenceAfter(base, half) }
    }
    this.keep((place) => place < half, rest)
    return rest
  }

  /** Keeps some messages; the others go to `rest`, if there is one. */
  private keep(isKept: (place: number) => boolean, rest?: Batch<Queue>): Freed {
    const { builder, owners, places, ownTimestamps, addedHeaders } = this
    const cursor = this.cursor()
    this.builder = new RecordBatchBuilder(this.buffers, builder.byteLength)
    this.owners = []
    this.places = []
    this.messages = 0
    this.ownTimestamps = undefined
    this.addedHeaders = undefined
    this.ended = 0
    let bytes = 0
    while (cursor.next()) {
      const place = cursor.index
      const to = isKept(place) ? this : rest
      if (to === undefined) bytes += cursor.dataBytes
      else {
        const owner = owners[place] as MessageOwner
        if (addedHeaders?.has(place) === true) (to.addedHeaders ??= new Set()).add(to.count)
        to.takeOver(cursor, builder.baseTimestamp, owner, places[place] as number, ownTimestamps?.get(place))
      }
    }
    // Where somebody may still read them, those bytes are nobody's to use again.
    if (this.readers === 0) builder.release()
    this.readers = 0
    return { messages: owners.length - this.count - (rest?.count ?? 0), bytes }
  }

  private takeOver(
    cursor: RecordCursor,
    baseTimestamp: number,
    owner: MessageOwner,
    index: number,
    ownTimestamp: number | undefined,
  ): void {
    const timestamp = baseTimestamp + cursor.timestampDelta
    this.builder.appendEncoded(timestamp, cursor.bytes, cursor.dataAt, cursor.end, cursor.dataBytes)
    if (ownTimestamp !== undefined) (this.ownTimestamps ??= new Map()).set(this.count, ownTimestamp)
    this.owners.push(owner)
    this.places.push(index)
    this.messages++
    if (owner.signal !== undefined) this.someHaveSignals = true
    if (owner.isSettled(index)) this.ended++
    else owner.placed(index, this)
  }

  private cursor(): RecordCursor {
    const bytes = this.builder.recordBytes
    return new RecordCursor(bytes, 0, bytes.length)
  }

  /** Bytes that it takes in a request, uncompressed. */
  sizeIn(magic: Magic): number {
    return magic === 2 ? this.byteLength : sizeOfMessageSet(this.count, this.dataBytes, magic)
  }

  /** Who wrote it, as record batches have it. */
  get producer(): ProducerState {
    if (this.ownSequence === undefined) return NO_PRODUCER
    const { identity, base: baseSequence } = this.ownSequence
    const { producerId, epoch: producerEpoch, transactional = false } = identity
    return { producerId, producerEpoch, baseSequence, transactional }
  }

  /** The batch as record batches have it, sealed. */
  sealed(): Buffer {
    return this.builder.seal(this.producer)
  }

  /** What a codec is given for a record batch. */
  get recordBytes(): Buffer {
    return this.builder.recordBytes
  }

  /** For what is made of the batch as a whole. */
  get records(): RecordBatchBuilder {
    return this.builder
  }

  /** The batch in a format of Kafka before 0.11, in a buffer of its own. */
  asMessageSet(magic: MessageSetMagic): Buffer {
    return messageSet(this.cursor(), this.builder.baseTimestamp, magic, this.sizeIn(magic))
  }

  /** Every message that has no fate yet is acknowledged. */
  acknowledge({ baseOffset, logAppendTime, hasTimestamps, acknowledged }: BrokerAcknowledgement, now: number): Settled {
    const { owners, places, ownTimestamps } = this
    const { topic, partition } = this.queue
    // A broker that finds the batch in its log already tells the newest of its timestamps for the time of the append, whatever
    // the topic's timestamps are (`UnifiedLog.append`).
    const isDuplicate = this.history.attempts > 1 && logAppendTime === this.builder.maxTimestamp
    const appendTime = isDuplicate ? -1 : logAppendTime
    const step = baseOffset < 0n ? 0n : 1n
    let offset = baseOffset
    // That its sums are of 64 bits lets the compiler calculate in registers.
    for (let i = 0; i < owners.length; i++, offset = BigInt.asIntN(64, offset + step)) {
      const owner = owners[i] as MessageOwner
      const index = places[i] as number
      if (owner.isSettled(index)) continue
      let timestamp = appendTime
      if (timestamp < 0 && hasTimestamps) timestamp = ownTimestamps?.get(i) ?? owner.sentAt.timestamp
      owner.settle(index, new RecordMetadata(topic, partition, offset, timestamp, acknowledged), now)
    }
    return this.settled()
  }

  /** Every message that has no fate yet fails with this cause. */
  fail(cause: KafkaProducerError, now: number): Settled {
    const error = this.errorWith(cause, this.history.mayHaveBeenWritten)
    this.failSome(0, TRACED, error, now)
    if (this.count > TRACED) withoutStackTraces(() => this.failSome(TRACED, this.count, error, now))
    return this.settled()
  }

  private failSome(from: number, to: number, error: DeliveryError, now: number): void {
    for (let i = from; i < Math.min(to, this.count); i++) {
      const owner = this.owners[i] as MessageOwner
      const index = this.places[i] as number
      if (!owner.isSettled(index)) owner.settle(index, error, now)
    }
  }

  private settled(): Settled {
    const settled = { told: this.unsettled, messages: this.count, bytes: this.dataBytes }
    this.state = 'settled'
    // Whoever holds the batch lets go of it at a time of his own. Until then, once it is in the old generation, it would keep
    // alive its calls, their later batches, and all that those hold.
    this.owners = []
    this.places = []
    if (this.readers === 0) this.builder.release()
    return settled
  }

  /** Nothing in it waits for its fate any more. */
  discard(): Freed {
    return this.settled()
  }

  /**
   * What a message fails with that is told its fate ahead of the batch, which goes on with it where it has a sequence, or a
   * request is being made of it.
   *
   * @param goesOn false where it does not go on: the producer is closed, or its transaction is to be aborted
   */
  deliveryError(cause: KafkaProducerError, goesOn = true): DeliveryError {
    const mayGo = goesOn ? this.isInFlight || this.ownSequence !== undefined : this.isInFlight && this.isHandedOver
    return this.errorWith(cause, this.history.mayHaveBeenWritten || mayGo)
  }

  /** Those that fail together fail with one error. */
  private errorWith(cause: KafkaProducerError, mayHaveBeenWritten: boolean): DeliveryError {
    const { latestFailure } = this
    const { attempts } = this.history
    const isSame = latestFailure?.cause === cause && latestFailure.attempts === attempts
    if (isSame && latestFailure.mayHaveBeenWritten === mayHaveBeenWritten) return latestFailure
    const { topic, partition } = this.queue
    return (this.latestFailure = new DeliveryError(cause, { topic, partition, attempts, mayHaveBeenWritten }))
  }
}
