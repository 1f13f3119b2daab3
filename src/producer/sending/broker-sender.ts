import { setMaxListeners } from 'node:events'
import Denque from 'denque'
import type { Clock, Timer } from '../../clock.js'
import {
  ConnectionClosedError,
  MalformedResponseError,
  ProducerClosedError,
  type KafkaProducerError,
} from '../../errors.js'
import { isPromise } from '../../is-promise.js'
import { formatAddress } from '../../network/connect.js'
import { orAborted } from '../../network/or-aborted.js'
import type { BrokerSession } from '../../network/session.js'
import { Stage } from '../../network/stage.js'
import { isThrottleAhead } from '../../protocol/api.js'
import { produce, TOPIC_IDS_FROM, type ProducePartitionResponse } from '../../protocol/apis/produce.js'
import { ZERO_UUID } from '../../protocol/byte-writer.js'
import { magicOfProduce } from '../../protocol/versions.js'
import type { Observers } from '../../stats/observer.js'
import { timerDelay } from '../../timer-delay.js'
import type { TurnBudget } from '../../turn-budget.js'
import type { ProducerPool } from '../brokers/producer-pool.js'
import type { SyncProducer } from '../brokers/sync-producer.js'
import type { Magic } from '../queues/batch.js'
import type { PartitionBatch, PartitionQueue } from '../queues/partition-queue.js'
import type { Attempt } from './attempt.js'
import { collate, takeBatches } from './collate.js'
import type { Numbering, Sequencing } from './idempotence.js'
import type { Outcomes } from './outcomes.js'
import type { Preparation } from './preparation.js'
import { matchAnswer } from './produce-answer.js'
import type { TransactionSequencing } from './transaction-sequencing.js'

export interface BrokerSenderConfig {
  readonly acks: number
  readonly requestTimeoutMs: number
  readonly maxRequestBytes: number
  readonly maxInFlight: number
}

/** What a sender needs of the others, and tells them. */
export interface SenderParts {
  readonly clock: Clock
  readonly pool: ProducerPool
  readonly turn: TurnBudget
  readonly preparation: Preparation
  readonly outcomes: Outcomes
  readonly observers: Observers
  readonly idempotence: Sequencing
  /** Undefined where there are no transactions. */
  readonly transactions: TransactionSequencing | undefined
  /** The topic's id as the metadata has it; null where it has none. */
  readonly topicId: (topic: string) => Buffer | null
  /** How many answers the metadata came from. */
  readonly metadataGeneration: () => number
  /** Everything of one answer has been told. */
  readonly onAnswered: () => void
}

/** A request that is made, or written and not answered yet. */
interface Sent {
  readonly session: BrokerSession
  readonly batches: readonly PartitionBatch[]
  /** Of its batches before compression. */
  readonly bytes: number
  /** What it is, and since when it is on its way. */
  readonly stage: Stage
  /** Whether it counts against `maxInFlight`: while a codec of the user's is at it it does not, or that would stop everybody. */
  isCounted: boolean
  /** Whether it stands on its connection. */
  isHandedOver: boolean
  /** Tells every batch's outcome; undefined as long as there is none. */
  tell: (() => void) | undefined
}

/** With less than that on its way it is not worth while to gather what comes. */
const BULK_BYTES = 65_536
/** Brokers that take longer are not waited for. */
const QUICK_ANSWER_MS = 10

/** How long a broker that nobody waits for may be silent before its connection counts as lost. */
const UNNEEDED_ANSWER_MS = 1_000

/**
 * Sends one broker what its partitions have ready. A list holds the partitions with something to send; once per turn
 * of the event loop they are collated into requests, so that the calls of one turn travel together, and what comes
 * while `maxInFlight` requests are out gathers for the next.
 */
export class BrokerSender {
  private readonly ready = new Denque<PartitionQueue>()
  private isScheduled = false
  /** What it is connecting with; undefined while it is not. */
  private connecting: SyncProducer | undefined
  /** That it waits to be told who this producer is; undefined where it does not. */
  private identifying: Stage | undefined
  /**
   * The oldest first. No Set: the table that one leaves behind when it is made anew points to the next, and once it is in
   * the old generation it keeps alive whatever was in all that came after (V8's `OrderedHashTable`).
   */
  private readonly sent: Sent[] = []
  /** Those that a codec is through with, and that have to wait for one that is answered. */
  private readonly held: { readonly sent: Sent; readonly go: () => void }[] = []
  private isToldLater = false
  /** The one that takes messages without acks, and is watched for its end. */
  private oneWay: BrokerSession | undefined
  /** How long the last answer took. */
  private answerMs = Infinity
  private readonly closing = new AbortController()
  private isStopped = false
  private throttleTimer: Timer | undefined
  /** Whose throttle it heeds. */
  private throttled: BrokerSession | undefined

  constructor(
    private readonly brokerId: number,
    private readonly config: BrokerSenderConfig,
    private readonly parts: SenderParts,
  ) {
    // Each request that a codec is at listens to it.
    setMaxListeners(0, this.closing.signal)
  }

  /** Notes that a partition led by this broker has something to send. */
  enlist(queue: PartitionQueue): void {
    queue.list()
    this.ready.push(queue)
    this.schedule()
  }

  /** Looks again at what is ready: something has changed for it. */
  wake(): void {
    if (!this.ready.isEmpty()) this.schedule()
  }

  private schedule(): void {
    if (this.isScheduled) return
    this.isScheduled = true
    this.parts.clock.setImmediate(() => {
      this.isScheduled = false
      this.drain()
    })
  }

  private drain(): void {
    if (this.ready.isEmpty() || this.connecting !== undefined || this.identifying !== undefined || this.isFull) return
    if (this.parts.transactions?.failure !== undefined) return this.giveUpReady(this.parts.transactions)
    let producer: SyncProducer
    try {
      producer = this.parts.pool.getProducer(this.brokerId)
      const { session } = producer
      if (session === undefined) {
        void this.connect(producer)
        return
      }
      if (session.throttle.leftMs > 0) return this.heed(session)
      const numbering = this.parts.idempotence.numberingFor(session)
      if (numbering === undefined) {
        void this.identify(session)
        return
      }
      if (this.isBetterLater(session)) return
      while (!this.isFull && this.send(producer, session, numbering)) {
        if (this.parts.turn.isSpent) return this.schedule()
      }
      if (!numbering.isCurrent) this.schedule()
    } catch (error) {
      this.failReady(error as KafkaProducerError)
    }
  }

  private get isFull(): boolean {
    let counted = 0
    for (const { isCounted } of this.sent) if (isCounted) counted++
    return counted >= this.config.maxInFlight
  }

  /** A request that did not count is to go. */
  private async count(sent: Sent): Promise<void> {
    if (this.isFull) await new Promise<void>((go) => this.held.push({ sent, go }))
    sent.isCounted = true
  }

  private letHeldGo(): void {
    while (this.held.length > 0 && !this.isFull) {
      const { sent, go } = this.held.shift() as (typeof this.held)[0]
      sent.isCounted = true
      go()
    }
  }

  /**
   * Whether what is ready goes better with what comes after the next answer: little beside much that a quick broker is about
   * to answer, which reads no other request of the connection before it has. Otherwise whoever sends on when he has his
   * answer has a request of his own each time, and never comes together again with those who were in another one.
   */
  private isBetterLater(session: BrokerSession): boolean {
    if (this.answerMs > QUICK_ANSWER_MS) return false
    let inFlight = 0
    for (const { tell, session: its, bytes, isHandedOver } of this.sent)
      if (tell === undefined && its === session && isHandedOver) inFlight += bytes
    if (inFlight < BULK_BYTES) return false
    const enough = Math.min(inFlight, this.config.maxRequestBytes) / 2
    let waiting = 0
    for (let index = 0; index < this.ready.length; index++) {
      const queue = this.ready.peekAt(index) as PartitionQueue
      waiting += queue.peekNext()?.byteLength ?? 0
      if (waiting >= enough || !queue.isGathering) return false
    }
    return true
  }

  private async identify(session: BrokerSession): Promise<void> {
    this.identifying = new Stage(this.parts.clock)
    this.identifying.enter(`waiting for ${formatAddress(session.connection.address)} to answer InitProducerId`)
    try {
      await this.parts.idempotence.whenKnown(session)
      this.identifying = undefined
      this.drain()
    } catch (error) {
      this.identifying = undefined
      this.failReady(error as KafkaProducerError)
    }
  }

  private async connect(producer: SyncProducer): Promise<void> {
    this.connecting = producer
    try {
      await producer.connect()
      this.connecting = undefined
      this.drain()
    } catch (error) {
      this.connecting = undefined
      // The metadata has another address by now: this one was given up before anything was tried.
      if (producer.isRetired) this.drain()
      else this.failReady(error as KafkaProducerError)
    }
  }

  /** Sends one request; false when there is nothing to send. */
  private send(producer: SyncProducer, session: BrokerSession, numbering: Numbering): boolean {
    const { clock, preparation, transactions } = this.parts
    const highest = session.versions.highest(produce, this.maxProduceVersion)
    const magic = magicOfProduce(highest)
    const prepare = (batch: PartitionBatch) => {
      const isPrepared = preparation.prepare(batch, magic, highest)
      if (!isPrepared) this.schedule()
      return isPrepared
    }
    const now = clock.now()
    const goesApart = (batch: PartitionBatch) => preparation.goesApart(batch)
    const batches = takeBatches(this.ready, {
      brokerId: this.brokerId,
      maxRequestBytes: this.config.maxRequestBytes,
      magic,
      numbering,
      now,
      prepare,
      goesApart,
      lets: transactions && ((queue) => transactions.lets(queue)),
    })
    const [first] = batches
    if (first === undefined) return false
    let bytes = 0
    for (const batch of batches) bytes += batch.byteLength
    const stage = new Stage(clock)
    const isCounted = !goesApart(first)
    const sent: Sent = { session, batches, bytes, stage, isCounted, isHandedOver: false, tell: undefined }
    this.sent.push(sent)
    void this.exchange(producer, sent, magic).then((tell) => {
      sent.tell = tell
      this.answerMs = clock.now() - now
      this.tellAnswered()
    })
    return true
  }

  private get maxProduceVersion(): number {
    return this.parts.transactions?.maxProduceVersion ?? produce.maxVersion
  }

  /** Tells what has its answer, in the order in which the requests went out on their connection. */
  private tellAnswered(): void {
    const { turn, onAnswered } = this.parts
    for (let sent = this.nextToTell(); sent !== undefined; sent = this.nextToTell()) {
      if (turn.isSpent) {
        if (!this.isToldLater) turn.inNextTurn(this.tellTheRest)
        this.isToldLater = true
        break
      }
      this.sent.splice(this.sent.indexOf(sent), 1)
      sent.tell?.()
    }
    this.letHeldGo()
    onAnswered()
    this.drain()
  }

  /** The oldest that has its answer, and before which none on its connection is without one. */
  private nextToTell(): Sent | undefined {
    const [oldest] = this.sent
    if (oldest === undefined || oldest.tell !== undefined) return oldest
    const awaited = new Set<BrokerSession>()
    return this.sent.find(({ tell, isHandedOver, session }) => {
      if (tell === undefined && isHandedOver) awaited.add(session)
      return tell !== undefined && !awaited.has(session)
    })
  }

  private readonly tellTheRest = (): void => {
    this.isToldLater = false
    this.tellAnswered()
  }

  /** One request and its answer; never rejects. What it resolves with tells every batch's outcome, whatever happened. */
  private async exchange(producer: SyncProducer, sent: Sent, magic: Magic): Promise<() => void> {
    const { session, batches, stage } = sent
    const { clock, observers, outcomes } = this.parts
    const generation = this.parts.metadataGeneration()
    const topics = collate(batches, this.parts.topicId)
    const attempts = topics.flatMap(({ partitionData }) => partitionData)
    let isWritten = false
    const failed = (error: KafkaProducerError) => {
      if (error instanceof MalformedResponseError) producer.disconnect(session.connection)
      // Some may have had their answer before whatever this is went wrong.
      const open = attempts.filter(({ batch }) => batch.isInFlight)
      const openBatches = open.map(({ batch }) => batch)
      // It was connected to, and nothing was written: that is no attempt.
      if (!isWritten) for (const batch of openBatches) batch.forgiveAttempt()
      outcomes.unanswered(openBatches, error, isWritten, generation)
      for (const attempt of open) attempt.ended(clock.now())
    }
    try {
      const cap = topics.some(({ topicId }) => topicId === ZERO_UUID) ? TOPIC_IDS_FROM - 1 : produce.maxVersion
      const version = session.versions.highest(produce, Math.min(cap, this.maxProduceVersion))
      const encoded = this.encode(attempts, magic, version)
      // Most requests need no codec that works elsewhere, and go at once. Others wait for none of them: of no partition is
      // another batch taken before this one is handed over.
      if (encoded !== undefined) await session.connection.whileUsed(orAborted(encoded, this.closing.signal))
      if (!sent.isCounted) await this.count(sent)
      if (this.isStopped) await orAborted(new Promise<never>(() => undefined), this.closing.signal)
      const { acks, requestTimeoutMs: timeoutMs } = this.config
      const transactionalId = this.parts.transactions?.transactionalId ?? null
      const request = { transactionalId, acks, timeoutMs, topicData: topics }
      if (!session.connection.isOpen)
        throw new ConnectionClosedError('the connection was lost while the request was made')
      const name = this.nameOf(producer)
      stage.enter(`Produce v${version} has been held back from ${name}`)
      if (observers.batches.isWatched) {
        const now = clock.now()
        for (const attempt of attempts) attempt.begin(observers, this.brokerId, now)
      }
      const onWritten = () => {
        isWritten = true
        stage.enter(`${name} has not ${this.config.acks === 0 ? 'taken' : 'answered'} Produce v${version}`)
      }
      const onTaken = () => {
        for (const attempt of attempts) attempt.taken()
      }
      if (acks === 0) this.heedHangUp(session)
      const answered = producer.send(session, version, request, onWritten, onTaken)
      sent.isHandedOver = true
      for (const batch of batches) outcomes.handedOver(batch)
      const response = await answered
      return () => {
        const now = clock.now()
        if (response === undefined) {
          for (const attempt of attempts) {
            outcomes.acknowledged(attempt.batch, undefined, magic)
            attempt.ended(now)
          }
          return
        }
        try {
          const answers = matchAnswer(topics, version, response)
          session.throttle.heed(response.throttleTimeMs, isThrottleAhead(produce, version))
          const toldLeader = outcomes.learnLeaders(attempts, answers, response)
          for (let i = 0; i < attempts.length; i++) {
            const attempt = attempts[i] as Attempt
            const { batch } = attempt
            outcomes.answered(batch, answers[i] as ProducePartitionResponse, toldLeader.has(batch), magic, generation)
            attempt.ended(now)
          }
        } catch (error) {
          failed(error as KafkaProducerError)
        }
      }
    } catch (error) {
      return () => failed(error as KafkaProducerError)
    }
  }

  /** With acks 0 all that a broker can say against messages is to hang up: it may lead their partitions no more. */
  private heedHangUp(session: BrokerSession): void {
    if (this.oneWay === session) return
    this.oneWay = session
    const { connection } = session
    connection.onClose(() => {
      if (connection.wasHungUpOn) this.parts.outcomes.hungUp(this.brokerId)
    })
  }

  /**
   * Gives each attempt the bytes of its batch. The promise is there only where a codec works off the event loop; the
   * batches are compressed side by side.
   */
  private encode(attempts: readonly Attempt[], magic: Magic, version: number): Promise<unknown> | undefined {
    let pending: Promise<void>[] | undefined
    for (const attempt of attempts) {
      const records = this.parts.preparation.encode(attempt.batch, magic, version)
      if (isPromise(records)) {
        const encoded = Promise.resolve(records).then((bytes) => {
          attempt.records = bytes
        })
        ;(pending ??= []).push(encoded)
      } else {
        attempt.records = records
      }
    }
    return pending && Promise.all(pending)
  }

  /** Goes on when the broker welcomes requests again, or the connection it said otherwise on has ended. */
  private heed(session: BrokerSession): void {
    if (this.throttled === session) return
    const goOn = () => {
      forget()
      if (this.throttled !== session) return
      this.parts.clock.clearTimeout(this.throttleTimer)
      this.throttled = undefined
      this.drain()
    }
    const forget = session.connection.onClose(goOn)
    this.parts.clock.clearTimeout(this.throttleTimer)
    this.throttled = session
    this.throttleTimer = this.parts.clock.setTimeout(goOn, timerDelay(session.throttle.leftMs)).unref()
  }

  /** Nothing more of the transaction goes out: what partitions have is given up. */
  private giveUpReady(transactions: TransactionSequencing): void {
    for (let queue = this.ready.shift(); queue !== undefined; queue = this.ready.shift()) {
      queue.unlist(this.brokerId)
      transactions.lets(queue)
    }
    this.parts.onAnswered()
  }

  /** No connection: the oldest batch of each partition that is ready has used up an attempt. */
  private failReady(error: KafkaProducerError): void {
    const batches: PartitionBatch[] = []
    const hopeless: PartitionQueue[] = []
    const now = this.parts.clock.now()
    for (let queue = this.ready.shift(); queue !== undefined; queue = this.ready.shift()) {
      const batch = queue.isListedWith(this.brokerId) && queue.isReady ? queue.takeNext(now) : undefined
      queue.unlist(this.brokerId)
      if (batch === undefined) continue
      batches.push(batch)
      if (!error.retriable) hopeless.push(queue)
    }
    this.parts.outcomes.unanswered(batches, error, false, this.parts.metadataGeneration())
    // What is behind a batch that failed for good, such as for refused credentials, fares no better.
    for (const queue of hopeless) this.parts.outcomes.giveUp(queue, error)
    this.parts.onAnswered()
  }

  private nameOf({ address }: SyncProducer): string {
    return `broker ${this.brokerId} at ${formatAddress(address)}`
  }

  /**
   * Messages got their fate ahead of an answer. Where no message waits for any answer of this broker, the connection is
   * given up, unless it answers soon: it may lead nowhere any more, and what comes next must not wait behind it.
   */
  giveUpUnneeded(): void {
    // Somebody waits: an abort must come behind what is being written, or that would be part of the next transaction.
    if (this.parts.transactions !== undefined) return
    for (const { batches } of this.sent) if (batches.some((batch) => batch.unsettled > 0)) return
    for (const { session } of this.sent) session.connection.hurry(UNNEEDED_ANSWER_MS)
  }

  get isConnecting(): boolean {
    return this.connecting !== undefined
  }

  /** What was answered, or was not, to the question who this producer is, where that is waited for. */
  get problem(): KafkaProducerError | undefined {
    return this.identifying && this.parts.idempotence.problem
  }

  /** What this broker is being waited for; undefined where for nothing. */
  get stage(): string | undefined {
    const [oldest] = this.sent
    if (oldest !== undefined) return String(oldest.stage)
    if (this.identifying !== undefined) return String(this.identifying)
    if (this.connecting !== undefined) return `${String(this.connecting.stage)} (broker ${this.brokerId})`
    const { throttled } = this
    return throttled && `${formatAddress(throttled.connection.address)} ${String(throttled.throttle)}`
  }

  /** Messages are about to be told that they were not sent: what a codec is through with stays here. */
  stop(): void {
    this.isStopped = true
  }

  /** All messages have their fate: a codec that is still at some of them is not waited for. */
  close(): void {
    this.parts.clock.clearTimeout(this.throttleTimer)
    this.closing.abort(new ProducerClosedError())
  }
}
