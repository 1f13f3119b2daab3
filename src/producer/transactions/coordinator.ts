import type { Clock } from '../../clock.js'
import { createDebug } from '../../debug.js'
import {
  BrokerResponseError,
  DeliveryTimeoutError,
  KafkaProducerError,
  MalformedResponseError,
  ProducerClosedError,
  UnsupportedVersionError,
} from '../../errors.js'
import type { BrokerSession, SessionFactory } from '../../network/session/session.js'
import { MisroutedError } from '../../network/session/versions-question.js'
import { Stage } from '../../network/stage.js'
import { formatAddress, type BrokerAddress } from '../../network/streams/connect.js'
import { isThrottleAhead, type Api } from '../../protocol/api.js'
import { findCoordinator, KEYS_FROM, type FindCoordinatorRequest } from '../../protocol/apis/find-coordinator.js'
import { initProducerId } from '../../protocol/apis/init-producer-id.js'
import { brokerResponseError, ErrorCodes } from '../../protocol/error-codes.js'
import type { ServedVersions } from '../../protocol/versions.js'
import type { Observers } from '../../stats/observer.js'
import { answerTimeoutMs, throttled, type AnyBroker } from '../brokers/any-broker.js'
import { Declined } from '../brokers/asking-round.js'
import { kindOfCode } from './error-kinds.js'
import { CLAIMS_FROM, MAX_INIT_PRODUCER_ID, type Pacing } from './producer-identity.js'

const debug = createDebug('kafka-producer:coordinator')

export type CoordinatorType = 'group' | 'transaction'

const KEY_TYPES: Readonly<Record<CoordinatorType, number>> = { group: 0, transaction: 1 }
/** Version 6 is for share groups (KIP-932). */
const MAX_FIND_COORDINATOR = 5
/** Version 0 finds those of groups alone. */
const TYPES_FROM = 1

/** What a coordinator is asked; it is put again until it has an answer that counts. */
export interface Question<Request, Answer> {
  readonly api: Api<Request, Answer>
  /** The highest version to ask in. */
  readonly cap: number
  /** Made anew for each time it is put. */
  readonly request: (version: number) => Request
  /** The error in an answer that decides about the whole. */
  readonly errorOf: (answer: Answer) => number
  /** Called each time it goes out: from then on the broker may act on it. */
  readonly onWritten?: () => void
}

/** Who coordinates transactions or a group, as far as others need to know. */
export interface Coordination {
  /** What the coordinator serves; it is looked up and connected to where it is not at hand. */
  versions(signal: AbortSignal): Promise<ServedVersions>
  /**
   * Asks until the answer's error is none that passes, or the coordinator's having moved. The answer has `NONE` then, or
   * what is final.
   *
   * @param signal ends the asking; what is on its way is still waited for
   * @throws the signal's reason; what can't be asked, such as UnsupportedVersionError
   */
  ask<Request, Answer extends { readonly throttleTimeMs: number }>(
    question: Question<Request, Answer>,
    signal: AbortSignal,
  ): Promise<Answer>
  /** Resolves when what is on its way has its answer, or can have none any more. */
  settled(): Promise<void>
  /** The cluster that it is asked in; null where that is not known yet. */
  readonly clusterId: string | null
  /** Why the last attempt had no answer that counts; undefined after one that had. */
  readonly lastFailure: KafkaProducerError | undefined
  /** What the attempt under way waits for, of whom and since when; undefined between two. */
  readonly stage: string | undefined
}

export interface CoordinatorParts {
  readonly anyBroker: AnyBroker
  /** Asks which brokers there are, and of which cluster. */
  readonly askForBrokers: () => Promise<void>
  readonly sessions: SessionFactory
  readonly clock: Clock
  readonly requestTimeoutMs: number
  readonly pacing: Pacing
  /** For what is over in a moment, such as the end of the last transaction. */
  readonly shortPacing: Pacing
  /** Whether what is carried out late is told by its epoch from what comes next. */
  readonly tellsLate: () => boolean
  readonly observers: Observers
}

/**
 * The broker that keeps the state of a transactional id, or of a group: looked up at any broker, connected to apart from
 * messages, and looked up anew where it has moved or is gone.
 */
export class Coordinator implements Coordination {
  private address: CoordinatorAddress | undefined
  private session: BrokerSession | undefined
  clusterId: string | null = null
  private opening: Promise<BrokerSession> | undefined
  lastFailure: KafkaProducerError | undefined
  private isLookingUp = false
  private waitsFor: Stage | undefined
  /** What was written and is not answered, by what ends the waiting for it. */
  private readonly onTheirWay = new Map<Promise<unknown>, AbortSignal>()

  constructor(
    private readonly type: CoordinatorType,
    private readonly key: string,
    private readonly parts: CoordinatorParts,
  ) {}

  get stage(): string | undefined {
    return this.isLookingUp ? this.parts.anyBroker.stage : this.waitsFor?.toString()
  }

  versions(signal: AbortSignal): Promise<ServedVersions> {
    return this.untilDone(async () => (await this.reach()).versions, signal)
  }

  ask<Request, Answer extends { readonly throttleTimeMs: number }>(
    question: Question<Request, Answer>,
    signal: AbortSignal,
  ): Promise<Answer> {
    return this.untilDone(() => this.put(question, signal), signal)
  }

  async settled(): Promise<void> {
    await Promise.allSettled(this.onTheirWay.keys())
  }

  /** Attempts until one does not fail with what passes. */
  private async untilDone<T>(attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const { pacing, shortPacing } = this.parts
    const ended: { value?: Promise<T> } = {}
    /** Resolves with why it is to be tried again. */
    const once = async (): Promise<KafkaProducerError | undefined> => {
      try {
        signal.throwIfAborted()
        ended.value = Promise.resolve(await attempt())
        return (this.lastFailure = undefined)
      } catch (error) {
        if (error instanceof KafkaProducerError && error.retriable && !signal.aborted) {
          this.tellRetry(error)
          return (this.lastFailure = error)
        }
        ended.value = Promise.reject(error)
        ended.value.catch(() => undefined)
        return undefined
      }
    }
    await pacing.retryUntilDone(async () => {
      let later: KafkaProducerError | undefined
      await shortPacing.retryUntilDone(async () => {
        later = await once()
        if (isOverSoon(later)) throw later
      }, Infinity)
      if (later !== undefined) throw later
    }, Infinity)
    if (ended.value === undefined) throw new ProducerClosedError()
    return ended.value
  }

  private tellRetry(error: KafkaProducerError): void {
    const { observers } = this.parts
    if (isOverSoon(error) || !observers.wantsEvents) return
    observers.happened({ type: 'coordinator-retry', coordinator: this.type, error })
  }

  private async put<Request, Answer extends { readonly throttleTimeMs: number }>(
    { api, cap, request, errorOf, onWritten }: Question<Request, Answer>,
    signal: AbortSignal,
  ): Promise<Answer> {
    const session = await this.reach()
    const { connection, versions, throttle } = session
    if (throttle.leftMs > 0) await this.heed(session, signal)
    const version = versions.highest(api, cap)
    signal.throwIfAborted()
    const { requestTimeoutMs: timeoutMs } = this.parts
    const options = onWritten === undefined ? { timeoutMs, signal } : { timeoutMs, signal, onWritten }
    const stage = (this.waitsFor = new Stage(this.parts.clock))
    stage.enter(`waiting for ${formatAddress(connection.address)} to answer ${api.name}`)
    const answered = connection.request(api, version, request(version), options)
    this.onTheirWay.set(answered, signal)
    const onEnd = () => {
      if (signal.reason instanceof DeliveryTimeoutError) this.giveUpUnneeded(session)
    }
    signal.addEventListener('abort', onEnd, { once: true })
    const answer = await answered
      .catch((error: unknown) => {
        this.address = undefined
        throw error
      })
      .finally(() => {
        this.onTheirWay.delete(answered)
        signal.removeEventListener('abort', onEnd)
        if (this.waitsFor === stage) this.waitsFor = undefined
      })
    throttle.heed(answer.throttleTimeMs, isThrottleAhead(api, version))
    const code = errorOf(answer)
    if (code === ErrorCodes.NONE) return answer
    const kind = kindOfCode(code)
    if (kind === 'moved') this.address = undefined
    if (kind === 'moved' || kind === 'again') throw brokerResponseError(code, `${api.name} v${version}`)
    return answer
  }

  /**
   * Something has had its time without an answer. Where nobody waits for any the connection is given up, unless the broker
   * answers soon: it may lead nowhere any more, and what comes next must not wait behind it. Before Kafka 2.5 it has to, or what
   * comes late would be part of the next transaction; and so it has where the transaction's coordinator alone is as old.
   */
  private giveUpUnneeded({ connection, versions }: BrokerSession): void {
    for (const { aborted } of this.onTheirWay.values()) if (!aborted) return
    if (!this.parts.tellsLate()) return
    // A broker may list anything, and nobody hears of what is thrown here.
    const isListed = versions.has(initProducerId)
    if (isListed && versions.highest(initProducerId, MAX_INIT_PRODUCER_ID) >= CLAIMS_FROM) connection.hurry()
  }

  private async heed(session: BrokerSession, signal: AbortSignal): Promise<void> {
    const stage = (this.waitsFor = new Stage(this.parts.clock))
    stage.enter(`heeding that ${formatAddress(session.connection.address)} ${String(session.throttle)}`)
    await throttled(this.parts.clock, session, signal)
    if (this.waitsFor === stage) this.waitsFor = undefined
  }

  private reach(): Promise<BrokerSession> {
    this.heedCluster()
    if (this.address !== undefined && this.session?.connection.isOpen) return Promise.resolve(this.session)
    this.opening ??= this.open().finally(() => (this.opening = undefined))
    return this.opening
  }

  /** Where messages go to another cluster by now, that one's is asked: it alone can end what they are part of. */
  private heedCluster(): void {
    const { id } = this.parts.sessions.cluster
    if (id === null || id === this.clusterId) return
    const { clusterId: before, session } = this
    this.clusterId = id
    if (before === null) return
    this.address = this.session = undefined
    if (session !== undefined) void this.settled().then(() => session.connection.close(0))
  }

  private async open(): Promise<BrokerSession> {
    const { sessions } = this.parts
    let stage: Stage | undefined
    try {
      if (this.address === undefined) {
        this.isLookingUp = true
        const found = await this.find().finally(() => {
          this.isLookingUp = false
        })
        if (found instanceof KafkaProducerError) throw found
        this.address = found
      }
      const previous = this.session
      if (previous?.connection.isOpen && isSameAddress(previous.connection.address, this.address)) return previous
      void previous?.connection.close(0)
      stage = this.waitsFor = new Stage(this.parts.clock)
      const { nodeId } = this.address
      return (this.session = await sessions.open(this.address, { nodeId, stage, mustBeOfCluster: true }))
    } catch (error) {
      this.address = undefined
      // Between transactions nobody else would ask, and the cluster be taken for the one before for as long.
      if ((error as Error).cause instanceof MisroutedError) await this.parts.askForBrokers().catch(() => undefined)
      throw error
    } finally {
      if (this.waitsFor === stage) this.waitsFor = undefined
    }
  }

  private async find(): Promise<CoordinatorAddress | KafkaProducerError> {
    const { anyBroker, askForBrokers, sessions } = this.parts
    // Whose id it gives has to be known before it does.
    if (sessions.cluster.id === null) await askForBrokers()
    this.heedCluster()
    return anyBroker.ask((session, patienceMs) => this.lookUp(session, patienceMs))
  }

  /** The error is what no other broker would answer otherwise. */
  private async lookUp(
    { connection, versions, throttle }: BrokerSession,
    patienceMs: number,
  ): Promise<CoordinatorAddress | KafkaProducerError> {
    const version = versions.has(findCoordinator) ? versions.highest(findCoordinator, MAX_FIND_COORDINATOR) : -1
    if (version < TYPES_FROM) throw new Declined(tooOld(connection.address))
    const timeoutMs = answerTimeoutMs(this.parts.requestTimeoutMs, patienceMs)
    const question: FindCoordinatorRequest = { keyType: KEY_TYPES[this.type], coordinatorKeys: [this.key] }
    const { coordinators, throttleTimeMs } = await connection.request(findCoordinator, version, question, { timeoutMs })
    throttle.heed(throttleTimeMs, isThrottleAhead(findCoordinator, version))
    const found = coordinators.find(({ key }) => version < KEYS_FROM || key === this.key)
    if (found === undefined)
      throw new MalformedResponseError(`the answer to FindCoordinator v${version} lacks the ${this.type} asked for`)
    const { errorCode, errorMessage, host, port, nodeId } = found
    debug('the coordinator of the %s: broker %d, error %d', this.type, nodeId, errorCode)
    if (errorCode === ErrorCodes.NONE) return { host, port, nodeId }
    const error = brokerResponseError(errorCode, `FindCoordinator for the ${this.type} '${this.key}'`, errorMessage)
    if (error.retriable) throw new Declined(error)
    return error
  }
}

function tooOld(broker: BrokerAddress): UnsupportedVersionError {
  return new UnsupportedVersionError(
    `transactions need Kafka 0.11, ${formatAddress(broker)} has no FindCoordinator that tells of them`,
  )
}

interface CoordinatorAddress extends BrokerAddress {
  readonly nodeId: number
}

function isSameAddress(one: BrokerAddress, other: BrokerAddress): boolean {
  return formatAddress(one) === formatAddress(other)
}

/** The transaction before is ending, which takes the brokers some milliseconds. */
function isOverSoon(error: KafkaProducerError | undefined): error is BrokerResponseError {
  return error instanceof BrokerResponseError && error.errorCode === ErrorCodes.CONCURRENT_TRANSACTIONS
}
