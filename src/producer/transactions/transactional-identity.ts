import { createDebug } from '../../debug.js'
import { KafkaProducerError, MalformedResponseError } from '../../errors.js'
import type { EndTxnResponse } from '../../protocol/apis/end-txn.js'
import { ErrorCodes } from '../../protocol/error-codes.js'
import type { Identity } from '../../protocol/records/record-batch.js'
import { isIdentity } from './producer-identity.js'
import type { TransactionRequests } from './transaction-requests.js'

const debug = createDebug('kafka-producer:transactions')

/** An identity, and the cluster that has given it, which knows nothing of others; null where brokers don't tell. */
export interface GivenIdentity extends Identity {
  readonly clusterId: string | null
}

/** What the transaction is part of is another cluster than the one that is there now, and has no part of it. */
export class ElsewhereError extends KafkaProducerError {
  constructor() {
    super('INVALID_PRODUCER_ID_MAPPING', 'the brokers are those of another cluster than when it began')
  }
}

/** Whether one cluster, as far as both are known, is another one than the other. */
export function isOther(one: string | null, other: string | null): boolean {
  return one !== null && other !== null && one !== other
}

/** The id and the epoch that a transactional id has, as its coordinator gives them, and whether they will do for what comes. */
export class TransactionalIdentity {
  /** Replaced and never changed: whether it is still the current one can be told by the reference. */
  private identity: GivenIdentity | undefined
  private isClaimable = false
  private isOver = false
  private isForgottenThere = false

  constructor(private readonly requests: Pick<TransactionRequests, 'init' | 'nextEpoch' | 'clusterId'>) {}

  get current(): GivenIdentity | undefined {
    return this.identity
  }

  /** Whether the coordinator is that of another cluster than the one that has given it. */
  get isOfAnother(): boolean {
    return this.identity !== undefined && isOther(this.identity.clusterId, this.requests.clusterId)
  }

  /**
   * What the coordinator is asked to go on from. One of another cluster, which has had a producer of this transactional id
   * before, takes any other identity for that of a producer which it has fenced.
   */
  get claim(): Identity | undefined {
    return this.isOfAnother ? undefined : this.identity
  }

  /** Whether the coordinator lets this producer go on from the epoch that it has (KIP-360). */
  get canBump(): boolean {
    return this.isClaimable
  }

  /** Whether the coordinator has forgotten the id: there is nothing to end, and the next transaction needs another one. */
  get isForgotten(): boolean {
    return this.isForgottenThere
  }

  forgotten(): void {
    this.isForgottenThere = true
  }

  /** Whether the next transaction needs others. */
  get needsNext(): boolean {
    return this.isOver || this.isForgottenThere || this.isOfAnother
  }

  /** The next transaction needs another epoch. */
  over(): void {
    this.isOver = true
  }

  /**
   * Asks for the id and the epoch; where it has them, for what comes after.
   *
   * @returns the answer's error, or `NONE`
   * @throws MalformedResponseError, and as {@link TransactionRequests.init}
   */
  async acquire(signal: AbortSignal | undefined): Promise<number> {
    const { errorCode, producerId, producerEpoch: epoch, canClaim } = await this.requests.init(() => this.claim, signal)
    if (errorCode !== ErrorCodes.NONE) return errorCode
    if (!isIdentity({ producerId, epoch }))
      throw new MalformedResponseError(`InitProducerId gave this producer the id ${producerId} and the epoch ${epoch}`)
    debug('epoch %d of producer id %d', epoch, producerId)
    this.goOnAs(producerId, epoch)
    this.isClaimable = canClaim
    this.isForgottenThere = false
    return errorCode
  }

  /** The answer to the end of a transaction of part two of KIP-890 has the identity for the next one. */
  goOnWith({ producerId, producerEpoch: epoch }: EndTxnResponse): void {
    if (isIdentity({ producerId, epoch })) this.goOnAs(producerId, epoch)
  }

  private goOnAs(producerId: bigint, epoch: number): void {
    this.requests.nextEpoch()
    this.identity = { producerId, epoch, transactional: true, clusterId: this.requests.clusterId }
    this.isOver = false
  }
}
