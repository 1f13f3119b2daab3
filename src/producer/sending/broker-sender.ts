import Denque from 'denque'
import { allowAnyNumberOfListeners } from '../../any-number-of-listeners.js'
import type { Timer } from '../../clock.js'
import { ProducerClosedError, type KafkaProducerError } from '../../errors.js'
import { orAborted } from '../../network/or-aborted.js'
import type { BrokerSession } from '../../network/session/session.js'
import { Stage } from '../../network/stage.js'
import { formatAddress } from '../../network/streams/connect.js'
import { produce } from '../../protocol/apis/produce.js'
import { magicOfProduce } from '../../protocol/versions.js'
import { timerDelay } from '../../timer-delay.js'
import type { TurnBudget } from '../../turn-budget.js'
import type { ProducerPool } from '../brokers/producer-pool.js'
import type { SyncProducer } from '../brokers/sync-producer.js'
import type { PartitionBatch, PartitionQueue } from '../queues/partition-queue.js'
import { takeBatches } from './collate.js'
import { Exchange, maxProduceVersion, type ExchangeConfig, type ExchangeParts, type ExchangeTerms } from './exchange.js'
import type { Numbering, Sequencing } from './idempotence.js'
import type { TransactionSequencing } from './transaction-sequencing.js'

export interface BrokerSenderConfig extends ExchangeConfig {
  readonly maxInFlight: number
}

/** What a sender needs of the others, and tells them. */
export interface SenderParts extends ExchangeParts {
  readonly pool: ProducerPool
  readonly turn: TurnBudget
  readonly idempotence: Sequencing
  /** Everything of one answer has been told. */
  readonly onAnswered: () => void
}

/** With less than that on its way it is not worth while to gather what comes. */
const BULK_BYTES = 65_536
/** Brokers that take longer are not waited for. */
const QUICK_ANSWER_MS = 10

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
  private readonly sent: Exchange[] = []
  /** Those that a codec is through with, and that have to wait for one that is answered. */
  private readonly held: { readonly sent: Exchange; readonly go: () => void }[] = []
  private isToldLater = false
  /** The one that takes messages without acks, and is watched for its end. */
  private oneWay: BrokerSession | undefined
  /** How long the last answer took. */
  private answerMs = Infinity
  private readonly closing = new AbortController()
  private isStopped = false
  private readonly terms: ExchangeTerms
  private throttleTimer: Timer | undefined
  /** Whose throttle it heeds. */
  private throttled: BrokerSession | undefined

  constructor(
    private readonly brokerId: number,
    private readonly config: BrokerSenderConfig,
    private readonly parts: SenderParts,
  ) {
    // Each request that a codec is at listens to it.
    allowAnyNumberOfListeners(this.closing.signal)
    this.terms = {
      brokerId,
      config,
      parts,
      closing: this.closing.signal,
      mayGo: (exchange) => this.mayGo(exchange),
      onWrite: (session) => this.heedHangUp(session),
    }
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

  /** Where it has to wait it goes on when others are answered; never where all messages are about to have their fate. */
  private mayGo(exchange: Exchange): Promise<void> | undefined {
    if (exchange.isCounted && !this.isStopped) return undefined
    return this.whenItMayGo(exchange)
  }

  private async whenItMayGo(exchange: Exchange): Promise<void> {
    if (!exchange.isCounted) {
      if (this.isFull) await new Promise<void>((go) => this.held.push({ sent: exchange, go }))
      exchange.isCounted = true
    }
    if (this.isStopped) await orAborted(new Promise<never>(() => undefined), this.closing.signal)
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
    for (const { hasOutcome, session: its, bytes, isHandedOver } of this.sent)
      if (!hasOutcome && its === session && isHandedOver) inFlight += bytes
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
    const highest = session.versions.highest(produce, maxProduceVersion(this.parts))
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
    const exchange = new Exchange({ batches, producer, session, magic, isCounted: !goesApart(first) }, this.terms)
    this.sent.push(exchange)
    void exchange.run().then(() => {
      this.answerMs = clock.now() - now
      this.tellAnswered()
    })
    return true
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
      sent.tell()
    }
    this.letHeldGo()
    onAnswered()
    this.drain()
  }

  /** The oldest that has its answer, and before which none on its connection is without one. */
  private nextToTell(): Exchange | undefined {
    const [oldest] = this.sent
    if (oldest === undefined || oldest.hasOutcome) return oldest
    const awaited = new Set<BrokerSession>()
    return this.sent.find(({ hasOutcome, isHandedOver, session }) => {
      if (!hasOutcome && isHandedOver) awaited.add(session)
      return hasOutcome && !awaited.has(session)
    })
  }

  private readonly tellTheRest = (): void => {
    this.isToldLater = false
    this.tellAnswered()
  }

  /** With acks 0 all that a broker can say against messages is to hang up: it may lead their partitions no more. */
  private heedHangUp(session: BrokerSession): void {
    if (this.config.acks !== 0 || this.oneWay === session) return
    this.oneWay = session
    const { connection } = session
    connection.onClose(() => {
      if (connection.wasHungUpOn) this.parts.outcomes.hungUp(this.brokerId)
    })
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

  /**
   * Messages got their fate ahead of an answer. Where no message waits for any answer of this broker, the connection is
   * given up, unless it answers soon: it may lead nowhere any more, and what comes next must not wait behind it.
   */
  giveUpUnneeded(): void {
    // Somebody waits: an abort must come behind what is being written, or that would be part of the next transaction.
    if (this.parts.transactions !== undefined) return
    for (const { batches } of this.sent) if (batches.some((batch) => batch.unsettled > 0)) return
    for (const { session } of this.sent) session.connection.hurry()
  }

  /** Whether nothing is under way, and nothing waits. */
  get isIdle(): boolean {
    const isUnderWay =
      this.isScheduled || this.isToldLater || this.connecting !== undefined || this.identifying !== undefined
    return !isUnderWay && this.sent.length === 0 && this.ready.isEmpty()
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
