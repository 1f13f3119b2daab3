import { createDebug } from '../../debug.js'
import {
  MalformedResponseError,
  ProducerClosedError,
  RequestTimeoutError,
  UnsupportedVersionError,
  type KafkaProducerError,
} from '../../errors.js'
import { Patience } from '../../network/patience.js'
import type { BrokerSession } from '../../network/session/session.js'
import { formatAddress } from '../../network/streams/connect.js'
import { isThrottleAhead } from '../../protocol/api.js'
import { initProducerId } from '../../protocol/apis/init-producer-id.js'
import { asRetriable, brokerResponseError, ErrorCodes } from '../../protocol/error-codes.js'
import type { Identity } from '../../protocol/records/record-batch.js'
import { answerTimeoutMs, FIRST_PATIENCE_MS } from '../brokers/any-broker.js'
import { Declined } from '../brokers/asking-round.js'

const debug = createDebug('kafka-producer:identity')

/** Whoever puts the question to a broker. */
interface Asked {
  ask<T>(question: (session: BrokerSession) => Promise<T>): Promise<T>
  readonly isNeeded: boolean
}

/** Why there is no identity and never will be. */
export interface IdentityRefusal {
  /** `'unsupported'`: the brokers are older than 0.11, or have it switched off. */
  readonly reason: 'unauthorized' | 'unsupported' | 'refused'
  readonly error: KafkaProducerError
}

/** Tries again, with waits between, until the attempt does not throw; false once the producer is closed. */
export interface Pacing {
  retryUntilDone(attempt: () => Promise<void>, sinceLastMs: number): Promise<boolean>
}

/** Version 6 is two-phase commit (KIP-939), which is not this producer's. */
export const MAX_INIT_PRODUCER_ID = 5
/** From this version on, a producer may ask for the next epoch of the one it has (KIP-360, Kafka 2.5). */
export const CLAIMS_FROM = 3
/** Epochs are 16 bits wide; what comes after the last one is another id. */
export const LAST_EPOCH = 0x7fff
/** Without a transaction nothing times out. */
const NO_TIMEOUT_MS = 0x7fffffff

/** Errors that pass, beside those that Kafka calls retriable: a broker that starts may answer them. */
const MOMENTARY_ERRORS = new Set<number>([ErrorCodes.UNKNOWN_SERVER_ERROR, ErrorCodes.BROKER_NOT_AVAILABLE])
const REASONS = new Map<number, IdentityRefusal['reason']>([
  [ErrorCodes.CLUSTER_AUTHORIZATION_FAILED, 'unauthorized'],
  [ErrorCodes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 'unauthorized'],
  [ErrorCodes.UNSUPPORTED_VERSION, 'unsupported'],
])

/** Whether brokers may give that to a producer. */
export function isIdentity({ producerId, epoch }: Identity): boolean {
  return producerId >= 0n && epoch >= 0
}

/**
 * The id and epoch of a producer without transactions. Any broker gives them; later epochs it takes itself (KIP-360).
 *
 *     none ──whenKnown()──▶ asking ──answer──▶ known ──bump()──▶ known, one epoch later
 *      ▲                     │  │  ▲              └──bump() after the last epoch, forget()──▶ none
 *      └──nobody needs it────┘  │  └──── error that passes
 *                               └──▶ refused, for good
 */
export class ProducerIdentity {
  private identity: Identity | undefined
  private refusal: IdentityRefusal | undefined
  private asking: Promise<Identity | undefined> | undefined
  private failure: KafkaProducerError | undefined
  /** Its own: that other questions are answered quickly says nothing of this one. */
  private readonly patience = new Patience(FIRST_PATIENCE_MS)

  constructor(
    private readonly anyBroker: Asked,
    private readonly pacing: Pacing,
    private readonly requestTimeoutMs: number,
  ) {}

  /** Undefined before the first answer, while a new one is asked for, and where it is refused. */
  get current(): Identity | undefined {
    return this.identity
  }

  /** Set once the brokers have refused it for good. */
  get refused(): IdentityRefusal | undefined {
    return this.refusal
  }

  /**
   * Asks for it where that is not being done. Resolves with undefined where it is {@link refused}. It is asked again after
   * errors that pass, for as long as any message waits.
   *
   * @throws what no question to any broker helps, such as AuthenticationError; the last failure where nobody waits for
   *   messages any more; ProducerClosedError
   */
  whenKnown(): Promise<Identity | undefined> {
    if (this.identity !== undefined || this.refusal !== undefined) return Promise.resolve(this.identity)
    this.asking ??= this.ask().finally(() => (this.asking = undefined))
    return this.asking
  }

  /**
   * Leaves an identity behind, under which something was lost: the next one has sequences that begin at 0.
   *
   * @param left what it was lost under; nothing is done where that is not the current one any more, since one step serves
   *   all who saw the same
   */
  bump(left: Identity): void {
    const { identity } = this
    if (identity === undefined || !isSameIdentity(identity, left)) return
    const { producerId, epoch } = identity
    this.identity = epoch < LAST_EPOCH ? { producerId, epoch: epoch + 1 } : undefined
    debug('left epoch %d of producer id %d', epoch, producerId)
  }

  /** The id, or the refusal of one, came from another cluster, and means nothing here. */
  forget(): void {
    this.identity = undefined
    this.refusal = undefined
  }

  /** What the last question failed with; undefined once one has not. */
  get problem(): KafkaProducerError | undefined {
    return this.failure
  }

  private async ask(): Promise<Identity | undefined> {
    const attempt = async () => {
      try {
        await this.askOnce()
        this.failure = undefined
      } catch (error) {
        const failure = error as KafkaProducerError
        this.failure = failure
        debug('%s', failure.message)
        if (failure.retriable && this.anyBroker.isNeeded) throw error
      }
    }
    if (!(await this.pacing.retryUntilDone(attempt, Infinity))) throw new ProducerClosedError()
    if (this.failure !== undefined) throw this.failure
    return this.identity
  }

  /** @throws what may pass, or what is not about identities */
  private async askOnce(): Promise<void> {
    const lacking: UnsupportedVersionError[] = []
    const answer = await this.anyBroker
      .ask((session) => this.put(session, lacking))
      .catch((error: unknown): IdentityRefusal => {
        // One that can't be reached would hardly have what others lack.
        if (lacking[0] === undefined) throw error
        return { reason: 'unsupported', error: lacking[0] }
      })
    if ('reason' in answer) this.refusal = answer
    else this.identity = answer
    debug('%o', answer)
  }

  /** @param lacking told where the broker has no such question */
  private async put(session: BrokerSession, lacking: UnsupportedVersionError[]): Promise<Identity | IdentityRefusal> {
    const { connection, versions, throttle } = session
    let version: number
    try {
      version = versions.highest(initProducerId, MAX_INIT_PRODUCER_ID)
    } catch (error) {
      if (!(error instanceof UnsupportedVersionError)) throw error
      lacking.push(error)
      throw new Declined(error)
    }
    const question = {
      transactionalId: null,
      transactionTimeoutMs: NO_TIMEOUT_MS,
      producerId: -1n,
      producerEpoch: -1,
      enable2Pc: false,
      keepPreparedTxn: false,
    }
    const timeoutMs = answerTimeoutMs(this.requestTimeoutMs, this.patience.ms)
    const answer = await connection
      .request(initProducerId, version, question, { timeoutMs })
      .catch((error: unknown) => {
        if (error instanceof RequestTimeoutError) this.patience.lost()
        throw error
      })
    throttle.heed(answer.throttleTimeMs, isThrottleAhead(initProducerId, version))
    const { errorCode, producerId, producerEpoch: epoch } = answer
    if (errorCode !== ErrorCodes.NONE) return refusalOrDecline(errorCode)
    if (isIdentity({ producerId, epoch })) return { producerId, epoch }
    throw new MalformedResponseError(
      `${formatAddress(connection.address)} gave this producer the id ${producerId} and the epoch ${epoch}`,
    )
  }
}

export function isSameIdentity(one: Identity, other: Identity): boolean {
  return one.producerId === other.producerId && one.epoch === other.epoch
}

/** @throws Declined where another broker may do better, or this one later */
function refusalOrDecline(code: number): IdentityRefusal {
  const error = brokerResponseError(code, 'InitProducerId')
  if (MOMENTARY_ERRORS.has(code)) throw new Declined(asRetriable(error))
  if (error.retriable) throw new Declined(error)
  return { reason: REASONS.get(code) ?? 'refused', error }
}
