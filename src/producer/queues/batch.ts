import { DeliveryError, type KafkaProducerError } from '../../errors.js'
import { BATCH_OVERHEAD, sizeOfRecord } from '../../protocol/records/record-batch.js'
import { RecordMetadata, type BrokerAcknowledgement } from '../record-metadata.js'
import type { PartitionQueue } from './partition-queue.js'
import type { Fate, SerializedMessage } from './serialized-message.js'

/** What is encoded and settled in one go, so that the event loop gets its turn in between. */
export const MAX_BATCH_MESSAGES = 5_000

/** Timestamps are stored by what they differ from the first; whichever is that later, it stays a safe integer. */
const MAX_TIMESTAMP_DELTA = 2 ** 52 - 1

/**
 * The messages that go to one partition together: the unit of delivery and of retry. Its partition is fixed, and it
 * keeps its messages until their fate is known, so that a new leader that needs an older format can have them anew.
 *
 *     open ──collated──▶ closed, in flight ──acknowledged or failed──▶ gone
 *                            ▲        │
 *                            └─retry──┘  (at the head of its partition's queue)
 *
 * A message may get its fate while the batch still has it: its deadline passed, or its caller took it out. It stays in
 * the list until the batch is next collated, or answered, and is passed over there.
 */
export class Batch {
  messages: SerializedMessage[] = []
  /** Bytes of the messages as records of a batch with magic 2. */
  recordsSize = 0
  /** Bytes of the messages as they count against `queueBytes`. */
  bytes = 0
  private baseTimestamp = 0
  /** How many times it was written, or could not be for want of a connection. */
  attempts = 0
  mayHaveBeenWritten = false
  closed = false
  /** Whether it has a request to itself: one of several batches was hung up on, perhaps for its size. */
  travelsAlone = false
  /** Whether it was sent on at once to a leader that an answer told. */
  wasSentOn = false
  inFlight = false
  lastError: KafkaProducerError | undefined
  /** Messages in the list that have their fate already. */
  private settledCount = 0

  constructor(readonly queue: PartitionQueue) {}

  /** Whether any of its messages has no fate yet. */
  get isAwaited(): boolean {
    return this.settledCount < this.messages.length
  }

  /** Adds a message if the batch, its header included, has room for it under `limit`; the first one always fits. */
  add(message: SerializedMessage, limit = Infinity): boolean {
    const { messages } = this
    const count = messages.length
    const { timestamp } = message
    if (count === 0) this.baseTimestamp = timestamp
    const size = sizeOfRecord(message, count, timestamp - this.baseTimestamp)
    if (count > 0 && (count >= MAX_BATCH_MESSAGES || BATCH_OVERHEAD + this.recordsSize + size > limit)) return false
    if (limit !== Infinity && Math.abs(timestamp - this.baseTimestamp) > MAX_TIMESTAMP_DELTA) return false
    this.recordsSize += size
    this.bytes += message.bytes
    messages.push(message)
    message.batch = this
    return true
  }

  /** Tells one message's owner its fate ahead of the others; false where it has one already. */
  settle(message: SerializedMessage, fate: Fate): boolean {
    if (message.settled) return false
    this.settledCount++
    tell(message, fate)
    return true
  }

  /** Leaves out the messages that have their fate; returns them, so that their room can be given back. */
  dropSettled(): SerializedMessage[] {
    if (this.settledCount === 0) return []
    const dropped = this.messages.filter((message) => message.settled)
    this.refill(this.messages.filter((message) => !message.settled))
    return dropped
  }

  /** Splits off the second half, for a broker that finds the whole too large. */
  splitHalf(): Batch {
    const rest = new Batch(this.queue)
    rest.closed = true
    rest.attempts = this.attempts
    rest.mayHaveBeenWritten = this.mayHaveBeenWritten
    rest.lastError = this.lastError
    const half = this.messages.length >> 1
    rest.refill(this.messages.slice(half))
    this.refill(this.messages.slice(0, half))
    return rest
  }

  private refill(messages: readonly SerializedMessage[]): void {
    this.messages = []
    this.recordsSize = this.bytes = this.settledCount = 0
    for (const message of messages) {
      this.add(message)
      if (message.settled) this.settledCount++
    }
  }

  /** Every message that has no fate yet is acknowledged; returns how many that were. */
  acknowledge(broker: BrokerAcknowledgement): number {
    const { messages, baseTimestamp } = this
    const now = performance.now()
    const acknowledgement = { ...broker, topic: this.queue.topic, partition: this.queue.partition, baseTimestamp }
    for (let i = 0; i < messages.length; i++) {
      const message = messages[i] as SerializedMessage
      if (!message.settled)
        tell(message, new RecordMetadata(acknowledgement, i, message.timestamp - baseTimestamp), now)
    }
    return messages.length - this.settledCount
  }

  /** Every message that has no fate yet fails with this cause; returns how many that were. */
  fail(cause: KafkaProducerError): number {
    const error = this.deliveryError(cause)
    const now = performance.now()
    for (const message of this.messages) if (!message.settled) tell(message, error, now)
    return this.messages.length - this.settledCount
  }

  /** What a message of this batch fails with. */
  deliveryError(cause: KafkaProducerError): DeliveryError {
    const { attempts } = this
    const mayHaveBeenWritten = this.mayHaveBeenWritten || this.inFlight
    const { topic, partition } = this.queue
    return new DeliveryError(cause, { topic, partition, attempts, mayHaveBeenWritten })
  }
}

/** Tells the owner, once. */
export function tell(message: SerializedMessage, fate: Fate, now = performance.now()): void {
  message.settled = true
  message.owner.settled(message, fate, now)
}
