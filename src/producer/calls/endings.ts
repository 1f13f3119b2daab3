import type { Clock } from '../../clock.js'
import { DeliveryError, type KafkaProducerError } from '../../errors.js'
import type { Failures } from '../../stats/failures.js'
import type { TurnBudget } from '../../turn-budget.js'
import { Batch } from '../queues/batch.js'
import type { OutgoingMessage } from '../queues/outgoing-message.js'
import { TRACED, withoutStackTraces } from '../queues/stack-traces.js'
import { ListCall } from './list-call.js'
import type { MessageCall, Whereabouts } from './message-call.js'

/** Looked at between so many messages: whether others should have their turn. */
const RUN = 64

/** Why a message ends, by where it is, and which of which call. Asked just before it is told. */
export type CauseOfEnd = (at: Whereabouts, call: MessageCall, index: number) => KafkaProducerError

/** What becomes of messages that are in a batch. */
interface EndTerms {
  /** Whether a message in this batch is spared: it goes on to its true fate. By default none is. */
  readonly spares?: (batch: Batch) => boolean
  /** Whether a batch may go out with messages that were ended, since it has a sequence; true by default. */
  readonly goesOn?: boolean
}

/** Calls whose messages are being ended. */
interface Ending extends Required<EndTerms> {
  readonly calls: Iterator<MessageCall>
  readonly cause: CauseOfEnd
  /** The one that is at it, and the next of its messages. */
  call: MessageCall | undefined
  next: number
}

export interface EndingsParts {
  readonly clock: Clock
  readonly failures: Failures
  readonly turn: TurnBudget
  /** A batch has messages that were ended: it may have room to give back. */
  readonly thin: (batch: Batch) => void
  /** A message was ended before it had a batch: it holds no room any longer, nor waits for metadata. */
  readonly dropped: (message: OutgoingMessage) => void
  /** Some messages have ended. */
  readonly onEnded: () => void
}

/**
 * How messages end ahead of any answer: their deadline has passed, their caller's signal takes them out, the producer
 * closes. A message is told and marked; it is left out of its batch, or of what waits for metadata, later, all that are
 * marked at once. However many end together, the event loop gets its turn in between.
 */
export class Endings {
  private queue: Ending[] = []
  private head = 0
  private isScheduled = false
  private whenDone: (() => void)[] = []
  /** The error of the last message that failed without a batch: the next one that fails alike shares it. */
  private latest: DeliveryError | undefined

  constructor(private readonly parts: EndingsParts) {}

  /** Ends the messages, those that have no fate by then, of all these calls: some at once, the others in later turns. */
  end(calls: Iterable<MessageCall>, cause: CauseOfEnd, { spares = () => false, goesOn = true }: EndTerms = {}): void {
    this.queue.push({ calls: calls[Symbol.iterator](), cause, spares, goesOn, call: undefined, next: 0 })
    if (!this.isScheduled) this.run()
  }

  /** Resolves when all that is to end so far has ended. */
  done(): Promise<void> {
    if (this.queue.length === this.head) return Promise.resolve()
    return new Promise((resolve) => this.whenDone.push(resolve))
  }

  private readonly run = (): void => {
    const isFirst = !this.isScheduled
    this.isScheduled = true
    const batches = new Set<Batch>()
    if (isFirst) this.endSome(batches, TRACED)
    withoutStackTraces(() => this.endSome(batches))
    for (const batch of batches) this.parts.thin(batch)
    this.parts.onEnded()
    if (this.head < this.queue.length) return this.parts.turn.inNextTurn(this.run)
    this.queue = []
    this.head = 0
    this.latest = undefined
    this.isScheduled = false
    for (const resolve of this.whenDone.splice(0)) resolve()
  }

  private endSome(batches: Set<Batch>, most = Infinity): void {
    let count = 0
    while (this.head < this.queue.length) {
      const ending = this.queue[this.head] as Ending
      const call = (ending.call ??= nextOf(ending.calls))
      if (call === undefined) {
        this.head++
        continue
      }
      for (; ending.next < call.size && !this.isEnough(++count, most); ending.next++) this.endOne(ending, call, batches)
      if (ending.next < call.size) break
      ending.call = undefined
      ending.next = 0
    }
  }

  private isEnough(count: number, most: number): boolean {
    return count > most || (count % RUN === 0 && this.parts.turn.isSpent)
  }

  private endOne({ cause, spares, goesOn, next: index }: Ending, call: MessageCall, batches: Set<Batch>): void {
    if (call.isSettled(index)) return
    const { failures } = this.parts
    const at = call.whereabouts(index)
    if (at instanceof Batch) {
      if (spares(at)) return
      const why = cause(at, call, index)
      const { topic, partition } = at.queue
      failures.add({ topic, partition, attempts: at.history.attempts }, why)
      call.settle(index, at.deliveryError(why, goesOn), this.parts.clock.now())
      at.countEnded()
      if (!at.isInFlight) batches.add(at)
      return
    }
    const why = cause(at, call, index)
    if (at === undefined) {
      if (!(call instanceof ListCall)) return
      const error = call.failUnserialized(index, why, this.parts.clock.now())
      // Its encoder may have failed before.
      failures.add(error, error.cause as KafkaProducerError)
      return
    }
    failures.add({ topic: at.topic, partition: at.namedPartition, attempts: 0 }, why)
    call.settle(index, this.unplaced(at, why), this.parts.clock.now())
    this.parts.dropped(at)
  }

  /** What a message fails with that has no batch. Those that fail together fail with one error. */
  private unplaced({ topic, namedPartition: partition }: OutgoingMessage, cause: KafkaProducerError): DeliveryError {
    const { latest } = this
    if (latest?.cause === cause && latest.topic === topic && latest.partition === partition) return latest
    return (this.latest = new DeliveryError(cause, { topic, partition, attempts: 0, mayHaveBeenWritten: false }))
  }
}

function nextOf<T>(all: Iterator<T>): T | undefined {
  const next = all.next()
  return next.done === true ? undefined : next.value
}
