import type { Clock } from '../../clock.js'
import { ConnectionClosedError, MalformedResponseError, type KafkaProducerError } from '../../errors.js'
import { isPromise } from '../../is-promise.js'
import { orAborted } from '../../network/or-aborted.js'
import type { BrokerSession } from '../../network/session/session.js'
import { Stage } from '../../network/stage.js'
import { formatAddress } from '../../network/streams/connect.js'
import { isThrottleAhead } from '../../protocol/api.js'
import {
  bytesAroundTopic,
  BYTES_AROUND_RECORDS,
  produce,
  TOPIC_IDS_FROM,
  type ProducePartitionResponse,
  type ProduceResponse,
} from '../../protocol/apis/produce.js'
import { ZERO_UUID } from '../../protocol/byte-writer.js'
import type { Observers } from '../../stats/observer.js'
import type { SyncProducer } from '../brokers/sync-producer.js'
import type { Magic } from '../queues/batch.js'
import type { PartitionBatch } from '../queues/partition-queue.js'
import type { Attempt } from './attempt.js'
import { collate, type CollatedTopic } from './collate.js'
import type { Outcomes } from './outcomes.js'
import type { Preparation } from './preparation.js'
import { matchAnswer, namingKeyless } from './produce-answer.js'
import type { TransactionSequencing } from './transaction-sequencing.js'

export interface ExchangeConfig {
  readonly acks: number
  readonly requestTimeoutMs: number
  readonly maxRequestBytes: number
}

/** What an exchange needs of the others, and tells them. */
export interface ExchangeParts {
  readonly clock: Clock
  readonly preparation: Preparation
  readonly outcomes: Outcomes
  readonly observers: Observers
  /** Undefined where there are no transactions. */
  readonly transactions: TransactionSequencing | undefined
  /** The topic's id as the metadata has it; null where it has none. */
  readonly topicId: (topic: string) => Buffer | null
  /** How many answers the metadata came from. */
  readonly metadataGeneration: () => number
}

/** What all exchanges with a broker have in common. */
export interface ExchangeTerms {
  readonly brokerId: number
  readonly config: ExchangeConfig
  readonly parts: ExchangeParts
  /** Aborted when all messages have their fate: a codec that is still at some of them is not waited for. */
  readonly closing: AbortSignal
  /** Asked before the request is written; a promise where it has to wait for its turn. */
  readonly mayGo: (exchange: Exchange) => Promise<void> | undefined
  /** It is about to be written on this connection. */
  readonly onWrite: (session: BrokerSession) => void
}

/** What a request carries, and where to. */
export interface Cargo {
  readonly batches: readonly PartitionBatch[]
  readonly producer: SyncProducer
  readonly session: BrokerSession
  readonly magic: Magic
  /** Whether it counts against `maxInFlight`: while a codec of the user's is at it it does not, or that would stop everybody. */
  readonly isCounted: boolean
}

/** The newest version of Produce that may be spoken. */
export function maxProduceVersion({ transactions }: Pick<ExchangeParts, 'transactions'>): number {
  return transactions?.maxProduceVersion ?? produce.maxVersion
}

/** One Produce request and its answer: what it carries, how far it has come, and what its answer means for each batch. */
export class Exchange {
  batches: readonly PartitionBatch[]
  readonly session: BrokerSession
  isCounted: boolean
  /** Of its batches before compression. */
  readonly bytes: number
  /** What it is at, and since when. */
  readonly stage: Stage
  /** Whether it stands on its connection. */
  isHandedOver = false
  private readonly producer: SyncProducer
  private readonly magic: Magic
  private outcome: (() => void) | undefined
  private isWritten = false
  /** Of the metadata that its batches went out by. */
  private readonly generation: number
  private topics: readonly CollatedTopic[]
  private attempts: readonly Attempt[]

  constructor(
    { batches, producer, session, magic, isCounted }: Cargo,
    private readonly terms: ExchangeTerms,
  ) {
    this.batches = batches
    this.producer = producer
    this.session = session
    this.magic = magic
    this.isCounted = isCounted
    const { clock, metadataGeneration, topicId } = terms.parts
    let bytes = 0
    for (const batch of batches) bytes += batch.byteLength
    this.bytes = bytes
    this.stage = new Stage(clock)
    this.generation = metadataGeneration()
    this.topics = collate(batches, topicId)
    this.attempts = this.topics.flatMap(({ partitionData }) => partitionData)
  }

  /** Makes the request, writes it, and waits for its answer. Never rejects: it {@link hasOutcome} then, whatever happened. */
  async run(): Promise<void> {
    try {
      const version = this.version
      const encoded = this.encode(version)
      // Most requests need no codec that works elsewhere, and go at once. Others wait for none of them: of no partition is
      // another batch taken before this one is handed over.
      if (encoded !== undefined) await this.session.connection.whileUsed(orAborted(encoded, this.terms.closing))
      this.leaveOutTooLarge()
      if (this.attempts.length === 0) {
        this.outcome = () => undefined
        return
      }
      const turn = this.terms.mayGo(this)
      if (turn !== undefined) await turn
      const answer = await this.write(version)
      this.outcome = () => this.answered(answer, version)
    } catch (error) {
      this.outcome = () => this.failed(error as KafkaProducerError)
    }
  }

  /** Whether it is known what became of its batches. */
  get hasOutcome(): boolean {
    return this.outcome !== undefined
  }

  /**
   * Tells every batch's outcome, and lets go of what was carried: once an exchange has got into the old generation of the
   * heap, all that it refers to stays there with it until the next full collection.
   */
  tell(): void {
    this.outcome?.()
    this.outcome = undefined
    this.batches = []
    this.topics = []
    this.attempts = []
  }

  private get version(): number {
    const maxVersion = maxProduceVersion(this.terms.parts)
    // A topic whose id is not known can't be named by it.
    const byName = this.topics.some(({ topicId }) => topicId === ZERO_UUID)
    return this.session.versions.highest(produce, byName ? Math.min(TOPIC_IDS_FROM - 1, maxVersion) : maxVersion)
  }

  /**
   * Gives each attempt the bytes of its batch. The promise is there only where a codec works off the event loop; the
   * batches are compressed side by side.
   */
  private encode(version: number): Promise<unknown> | undefined {
    const { preparation } = this.terms.parts
    let pending: Promise<void>[] | undefined
    for (const attempt of this.attempts) {
      const records = preparation.encode(attempt.batch, this.magic, version)
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

  /**
   * Batches, and how many go into a request, are sized by how well those before them were compressed. What turns out too large
   * is not written: a batch goes in halves, and what is too much in another request. Brokers that hang up on a request for
   * its size would do so each time, and without acks its messages would be lost.
   */
  private leaveOutTooLarge(): void {
    const { maxRequestBytes } = this.terms.config
    const { outcomes, preparation } = this.terms.parts
    let tooMuch: Set<Attempt> | undefined
    let size = 0
    let latest: string | undefined
    for (const attempt of this.attempts) {
      const { topic } = attempt.batch.queue
      const bytes = attempt.records.length + BYTES_AROUND_RECORDS + (topic === latest ? 0 : bytesAroundTopic(topic))
      const hasRoom = size === 0 || size + bytes <= maxRequestBytes
      if (hasRoom && !preparation.isTooLarge(attempt)) {
        size += bytes
        latest = topic
      } else (tooMuch ??= new Set()).add(attempt)
    }
    if (tooMuch === undefined) return
    const leftOut = tooMuch
    for (const attempt of leftOut) {
      const { queue } = attempt.batch
      attempt.endReading()
      queue.keptBack(attempt.batch)
      if (preparation.isTooLarge(attempt)) queue.halve(attempt.batch)
      outcomes.goOn(queue)
    }
    const goes = (attempt: Attempt) => !leftOut.has(attempt)
    this.topics = this.topics
      .map((topic) => ({ ...topic, partitionData: topic.partitionData.filter(goes) }))
      .filter(({ partitionData }) => partitionData.length > 0)
    this.attempts = this.attempts.filter(goes)
    this.batches = this.attempts.map(({ batch }) => batch)
  }

  private write(version: number): Promise<ProduceResponse | undefined> {
    const { producer, session, stage, attempts, terms } = this
    const { clock, observers, outcomes, transactions } = terms.parts
    const { acks, requestTimeoutMs: timeoutMs } = terms.config
    const transactionalId = transactions?.transactionalId ?? null
    const request = { transactionalId, acks, timeoutMs, topicData: this.topics }
    if (!session.connection.isOpen)
      throw new ConnectionClosedError('the connection was lost while the request was made')
    const name = `broker ${terms.brokerId} at ${formatAddress(producer.address)}`
    stage.enter(`Produce v${version} has been held back from ${name}`)
    if (observers.batches.isWatched) {
      const now = clock.now()
      for (const attempt of attempts) attempt.begin(observers, terms.brokerId, now)
    }
    const onWritten = () => {
      this.isWritten = true
      stage.enter(`${name} has not ${acks === 0 ? 'taken' : 'answered'} Produce v${version}`)
    }
    const onTaken = () => {
      for (const attempt of attempts) attempt.endReading()
    }
    terms.onWrite(session)
    const answer = producer.send(session, version, request, onWritten, onTaken)
    this.isHandedOver = true
    for (const batch of this.batches) outcomes.handedOver(batch)
    return answer
  }

  /** @param answer undefined where there is none to be had, for acks 0 */
  private answered(answer: ProduceResponse | undefined, version: number): void {
    const { attempts, magic, session } = this
    const { clock, outcomes } = this.terms.parts
    const now = clock.now()
    if (answer === undefined) {
      for (const attempt of attempts) {
        outcomes.acknowledged(attempt.batch, undefined, magic)
        attempt.ended(now)
      }
      return
    }
    try {
      const answers = matchAnswer(this.topics, version, answer)
      session.throttle.heed(answer.throttleTimeMs, isThrottleAhead(produce, version))
      const toldLeader = outcomes.learnLeaders(attempts, answers, answer)
      for (let i = 0; i < attempts.length; i++) {
        const attempt = attempts[i] as Attempt
        const { batch } = attempt
        const its = namingKeyless(batch, answers[i] as ProducePartitionResponse, version)
        outcomes.answered(batch, its, toldLeader.has(batch), magic, this.generation)
        attempt.ended(now)
      }
    } catch (error) {
      this.failed(error as KafkaProducerError)
    }
  }

  private failed(error: KafkaProducerError): void {
    const { producer, session, isWritten } = this
    const { clock, outcomes } = this.terms.parts
    if (error instanceof MalformedResponseError) producer.disconnect(session.connection)
    // Some may have had their answer before whatever this is went wrong.
    const open = this.attempts.filter(({ batch }) => batch.isInFlight)
    const openBatches = open.map(({ batch }) => batch)
    // It was connected to, and nothing was written: that is no attempt.
    if (!isWritten) for (const batch of openBatches) batch.history.takeBackAttempt()
    outcomes.unanswered(openBatches, error, isWritten, this.generation)
    for (const attempt of open) attempt.ended(clock.now())
  }
}
