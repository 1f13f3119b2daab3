import { byteLengthOf } from '../../byte-length.js'
import { InvalidPartitionError, type KafkaProducerError, type KafkaProducerErrorOptions } from '../../errors.js'
import { isPromise } from '../../is-promise.js'
import { ErrorCodes } from '../../protocol/error-codes.js'
import type { BufferSource } from '../../protocol/records/record-batch.js'
import { ChangedBytesError } from '../../protocol/records/record-writer.js'
import { kindOf, reasonOf } from '../../wording/kind-of.js'
import { isInOurWords, noteThrown } from '../../wording/whose-words.js'
import type { TopicMetadata } from '../brokers/topic-metadata.js'
import type { PartitionContext } from '../partitioner.js'
import type { ResolvedPartitioner } from '../partitioners/partitioner-by-name.js'
import type { OutgoingMessage } from './outgoing-message.js'
import { PartitionQueue } from './partition-queue.js'
import { withoutStackTraces } from './stack-traces.js'
import type { BatchLimit } from './topic-compression.js'

/** So many bytes that nobody needs any more are worth a look at one message that waits. */
const BYTES_OF_A_LOOK = 256

/** What the handler keeps of one topic: a queue for each partition, and the messages that came before its metadata. */
export class TopicQueue {
  readonly queues: PartitionQueue[] = []
  /** Messages whose partition can't be chosen yet, in the order given. */
  private waiting: OutgoingMessage[] = []
  /**
   * Messages that name a partition which the metadata does not have yet; those for others go on meanwhile. They came
   * before those in `waiting`: from when there is one in there, all go there.
   */
  private waitingForPartition: OutgoingMessage[] = []
  /** How many of those that wait may have their fate by now, and are in there all the same; the large ones count more. */
  private ended = 0
  /** True while those that waited are placed: who hears of one may send more, which come after them. */
  private isPlacing = false
  private latest: TopicMetadata | undefined = undefined
  /** Whether the partitions are known. */
  private isKnown = false
  /** Whether all that is known of it is of a cluster that was left. */
  private wasSeenElsewhere = false
  /** When it was last sent to, on the clock of `performance.now()`. */
  usedAt = 0
  private context: PartitionContext | undefined = undefined
  /** Since when brokers have said that there is no such topic, where none ever said otherwise. */
  private unknownSince: number | undefined = undefined

  constructor(
    readonly name: string,
    private readonly partitioner: ResolvedPartitioner,
    private readonly limit: BatchLimit,
    private readonly buffers: BufferSource,
  ) {}

  /**
   * Takes over new metadata; queues of partitions are only ever added, since they may hold messages.
   *
   * @param now on the producer's clock
   */
  update(metadata: TopicMetadata, now: number): void {
    this.latest = metadata
    const isUnknown = !this.wasSeen && metadata.error?.errorCode === ErrorCodes.UNKNOWN_TOPIC_OR_PARTITION
    this.unknownSince = isUnknown ? (this.unknownSince ?? now) : undefined
    const count = metadata.partitions.length
    while (this.queues.length < count)
      this.queues.push(new PartitionQueue(this.name, this.queues.length, this.limit, this.buffers))
    for (const queue of this.queues) queue.isLedBy(metadata.partitions[queue.partition]?.leader ?? -1)
    const { queues } = this
    this.isKnown = queues.length > 0 && metadata.error === undefined
    if (this.isKnown) this.wasSeenElsewhere = false
    this.context = {
      topic: this.name,
      partitionCount: count,
      available: metadata.partitions.filter(({ leader }) => leader >= 0).map(({ partition }) => partition),
      backlogBytes: (partition) => queues[partition]?.backlogBytes ?? 0,
    }
  }

  /**
   * Chooses the partition, once and for all.
   *
   * @throws InvalidPartitionError; ChangedBytesError where what would choose it is not what it was
   */
  queueFor(message: OutgoingMessage): PartitionQueue {
    const context = this.context as PartitionContext
    const given = message.placement?.partition ?? -1
    const partition = given >= 0 ? given : this.askPartitioner(message, context)
    if (Number.isInteger(partition) && partition >= 0 && partition < context.partitionCount) {
      return this.queues[partition] as PartitionQueue
    }
    const choice = `${given >= 0 ? 'the message names' : 'the partitioner chose'} ${chosen(partition)}`
    throw invalidPartition(`'${this.name}' has the partitions 0 to ${context.partitionCount - 1}, ${choice}`)
  }

  /** Whether a message names a partition that the metadata does not have. */
  lacksPartitionOf({ placement }: OutgoingMessage): boolean {
    return placement !== null && placement.partition >= (this.context as PartitionContext).partitionCount
  }

  /** It is the user's code: whatever its types say, it may answer anything. */
  private askPartitioner(message: OutgoingMessage, context: PartitionContext): number {
    const { partitioner } = this
    const { placement } = message
    const key = placement === null ? message.key : placement.key
    const encodedKey = placement === null ? message.key : placement.encodedKey
    const hasKey =
      partitioner.keyUse === 'encoded' ? encodedKey !== null : partitioner.keyUse === 'original' && key !== null
    if (hasKey && placement !== null && byteLengthOf(placement.encodedKey ?? key) !== placement.keyBytes)
      throw new ChangedBytesError()
    try {
      if (!hasKey) return partitioner.partitionKeyless(context, message.leastBytes)
      return partitioner.partition(key, context.partitionCount, encodedKey ?? '', context)
    } catch (cause) {
      if (isInOurWords(cause)) throw cause
      noteThrown(cause)
      throw invalidPartition(`the partitioner threw for a message for '${this.name}': ${reasonOf(cause)}`, { cause })
    }
  }

  /** Whether a message's partition can be chosen now, ahead of none that came before it. */
  get canPlace(): boolean {
    return this.isKnown && !this.isPlacing && this.waiting.length === 0
  }

  /** Whether those that waited can be placed, which nobody does yet. */
  get canPlaceWaiting(): boolean {
    return this.isKnown && !this.isPlacing
  }

  /** A message waits until its partition can be chosen. */
  wait(message: OutgoingMessage): void {
    this.waiting.push(message)
  }

  /** A message waits until there is the partition that it names. */
  waitForPartition(message: OutgoingMessage): void {
    this.waitingForPartition.push(message)
  }

  /** Takes out what waited, to be placed; what comes until {@link endPlacing} waits behind it. */
  beginPlacing(): OutgoingMessage[] {
    const waiting = this.takeWaiting()
    this.isPlacing = true
    return waiting
  }

  /** Those of them that were not placed yet wait on, ahead of what came meanwhile; true where anything waits. */
  endPlacing(rest: readonly OutgoingMessage[]): boolean {
    this.isPlacing = false
    this.waiting = [...rest, ...this.waiting]
    this.leaveOutEnded()
    return this.waiting.length > 0
  }

  get metadata(): TopicMetadata | undefined {
    return this.latest
  }

  /** How long brokers had said by then, without a break, that there is no such topic; undefined where they do not. */
  unknownForMs(then: number): number | undefined {
    return this.unknownSince === undefined ? undefined : Math.max(0, then - this.unknownSince)
  }

  /** A question about it had no answer. */
  hadNoAnswer(): void {
    this.unknownSince = undefined
  }

  /** Whether its partitions were ever known in this cluster: else the question for them may create it. */
  get wasSeen(): boolean {
    return this.queues.length > 0 && !this.wasSeenElsewhere
  }

  /** Whatever is known of it is of another cluster. */
  forgetSeen(): void {
    this.wasSeenElsewhere = true
  }

  /** Whether the partitions are known. */
  get hasMetadata(): boolean {
    return this.isKnown
  }

  /** Takes out the messages that waited, but for those that got their fate meanwhile. */
  takeWaiting(): OutgoingMessage[] {
    const all = [...this.waitingForPartition, ...this.waiting]
    const waiting = this.ended > 0 ? unsettled(all) : all
    this.waiting = []
    this.waitingForPartition = []
    // Those that are being placed are elsewhere, and may come back.
    if (!this.isPlacing) this.ended = 0
    return waiting
  }

  /**
   * A message for the topic got its fate before it had a batch, perhaps while it waited here. Such are left out once they
   * are most of what waits, or have many bytes: one by one, each would cost a look at all.
   */
  noteEnded({ leastBytes }: OutgoingMessage): void {
    this.ended += 1 + Math.floor(leastBytes / BYTES_OF_A_LOOK)
    if (!this.isPlacing) this.leaveOutEnded()
  }

  private leaveOutEnded(): void {
    if (this.ended <= (this.waiting.length + this.waitingForPartition.length) / 2) return
    this.ended = 0
    this.waiting = unsettled(this.waiting)
    this.waitingForPartition = unsettled(this.waitingForPartition)
  }

  private get hasWaiting(): boolean {
    return this.waiting.length > 0 || this.waitingForPartition.length > 0
  }

  /** Whether anything here waits for metadata: a message whose partition isn't known, or a partition without a leader. */
  get needsMetadata(): boolean {
    return (
      (this.waiting.length > 0 && !this.hasMetadata) ||
      this.waitingForPartition.length > 0 ||
      this.queues.some((queue) => queue.leader < 0 && !queue.isEmpty)
    )
  }

  /** Whether nothing is lost with it: no metadata, and nobody waits. The next message is then a first look-up again. */
  get isGone(): boolean {
    return !this.hasMetadata && this.isEmpty
  }

  get isEmpty(): boolean {
    return !this.hasWaiting && this.queues.every((queue) => queue.isEmpty)
  }

  /** Why messages wait here, as the metadata has it. */
  get problem(): KafkaProducerError | undefined {
    return this.metadata?.error ?? this.metadata?.partitions.find(({ error }) => error !== undefined)?.error
  }
}

/**
 * Without a stack trace: a list may need as many as it has messages. The DeliveryError that has it as its cause tells where
 * the call was.
 */
function invalidPartition(text: string, options?: KafkaProducerErrorOptions): InvalidPartitionError {
  return withoutStackTraces(() => new InvalidPartitionError(text, options))
}

/** Says what a partitioner chose, whatever that is. Nobody waits for a promise, but it may reject all the same. */
function chosen(partition: unknown): string {
  if (typeof partition === 'number') return String(partition)
  try {
    if (!isPromise(partition)) return kindOf(partition)
    Promise.resolve(partition).catch(() => undefined)
    return 'a promise, but nothing waits for it'
  } catch {
    return kindOf(partition)
  }
}

function unsettled(messages: readonly OutgoingMessage[]): OutgoingMessage[] {
  return messages.filter((message) => !message.isSettled)
}
