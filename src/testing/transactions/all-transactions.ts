import type { Cluster } from '../cluster.js'
import type { Partition } from '../topic.js'
import { markerEntry } from './marker.js'
import { Transaction } from './transaction.js'

/** Epochs are 16 bits wide; a producer whose epochs are used up gets a new id. */
const LAST_EPOCH = 0x7ffe

export type TransactionErrorName =
  'INVALID_PRODUCER_ID_MAPPING' | 'PRODUCER_FENCED' | 'INVALID_TXN_STATE' | 'CONCURRENT_TRANSACTIONS'

/** Who claims a transactional id. */
export interface Claim {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly producerEpoch: number
}

/** All transactions of a cluster; whichever broker coordinates one finds it here. */
export class AllTransactions {
  private readonly transactions = new Map<string, Transaction>()

  constructor(private readonly cluster: Cluster) {}

  all(): Transaction[] {
    return [...this.transactions.values()]
  }

  /**
   * A producer begins with a transactional id: whoever had it before is fenced, and what that left open aborted.
   *
   * @param claim id and epoch to go on with (KIP-360)
   * @param isPartTwo whoever claims the epoch of a transaction that is open may do so again when it is aborted (KIP-890);
   *   before that he has fenced himself
   */
  init(
    id: string,
    timeoutMs: number,
    claim: ProducerIdentity | undefined,
    isPartTwo: boolean,
  ): Transaction | TransactionErrorName {
    const known = this.transactions.get(id)
    if (known === undefined) {
      // Whatever id and epoch it claims: nobody is fenced by a producer that was not there before.
      const transaction = new Transaction(id, this.cluster.newProducerId(), timeoutMs)
      this.transactions.set(id, transaction)
      return transaction
    }
    if (claim !== undefined && isSame(known.previous, claim) && !known.isOngoing) return this.begun(known, timeoutMs)
    if (claim !== undefined && known.producerId !== claim.producerId) return 'PRODUCER_FENCED'
    if (known.isOngoing) {
      // Whatever the epoch: who claims an old one fences the producer that is at work, and is fenced himself after that.
      const isOwn = claim !== undefined && isSame(known, claim)
      this.fence(known)
      if (isPartTwo && isOwn) known.previous = claim
      return 'CONCURRENT_TRANSACTIONS'
    }
    if (claim !== undefined && !isSame(known, claim)) return 'PRODUCER_FENCED'
    this.raiseEpoch(known)
    known.previous = claim
    return this.begun(known, timeoutMs)
  }

  /** The transaction of this producer, or why it has none. */
  find({ transactionalId, producerId, producerEpoch }: Claim): Transaction | TransactionErrorName {
    const transaction = this.transactions.get(transactionalId)
    if (transaction === undefined || transaction.producerId !== producerId) return 'INVALID_PRODUCER_ID_MAPPING'
    return transaction.producerEpoch === producerEpoch ? transaction : 'PRODUCER_FENCED'
  }

  addPartition(transaction: Transaction, partition: Partition): void {
    this.begin(transaction)
    transaction.partitions.add(partition)
  }

  addGroup(transaction: Transaction, groupId: string): void {
    this.begin(transaction)
    transaction.groups.add(groupId)
  }

  /**
   * Commits or aborts. A request that is sent again is carried out once.
   *
   * @param raiseEpoch each transaction has an epoch of its own (KIP-890)
   */
  end(claim: Claim, committed: boolean, raiseEpoch: boolean): Transaction | TransactionErrorName {
    const transaction = this.transactions.get(claim.transactionalId)
    if (transaction !== undefined && isEndOf(transaction, claim)) {
      return transaction.state === (committed ? 'CompleteCommit' : 'CompleteAbort') ? transaction : 'INVALID_TXN_STATE'
    }
    const found = this.find(claim)
    if (typeof found === 'string') return found
    if (!found.isOngoing) {
      const ended = committed ? 'CompleteCommit' : 'CompleteAbort'
      if (found.state === ended && !raiseEpoch) return found
      // Whether anything was written is known to the broker alone since producers do not say so beforehand.
      if (committed || !raiseEpoch) return 'INVALID_TXN_STATE'
    }
    const { producerId, producerEpoch } = found
    if (raiseEpoch) this.raiseEpoch(found)
    found.previous = raiseEpoch ? { producerId, producerEpoch } : undefined
    // The markers fence the epoch that ends, unless its successor belongs to another id.
    this.finish(found, committed, producerId, found.producerId === producerId ? found.producerEpoch : producerEpoch)
    return found
  }

  private begun(transaction: Transaction, timeoutMs: number): Transaction {
    transaction.timeoutMs = timeoutMs
    transaction.state = 'Empty'
    return transaction
  }

  private begin(transaction: Transaction): void {
    if (transaction.isOngoing) return
    transaction.state = 'Ongoing'
    transaction.timeout = this.cluster.timers.after(transaction.timeoutMs, () => this.fence(transaction))
  }

  /** Aborts what is open under a higher epoch, so that its producer can't go on. */
  private fence(transaction: Transaction): void {
    const { producerId } = transaction
    transaction.producerEpoch++
    transaction.previous = undefined
    this.finish(transaction, false, producerId, transaction.producerEpoch)
  }

  private finish(transaction: Transaction, committed: boolean, producerId: bigint, producerEpoch: number): void {
    const { partitions, groups } = transaction
    transaction.timeout?.clear()
    transaction.state = committed ? 'CompleteCommit' : 'CompleteAbort'
    for (const partition of partitions) this.writeMarker(partition, producerId, producerEpoch, committed)
    for (const group of groups) this.cluster.groups.get(group)?.offsets.endTransaction(producerId, committed)
    if (groups.size > 0) this.cluster.groups.sees(producerId, producerEpoch)
    partitions.clear()
    groups.clear()
  }

  private writeMarker(partition: Partition, producerId: bigint, producerEpoch: number, committed: boolean): void {
    const { log, leaderEpoch } = partition
    const offset = log.endOffset
    const timestamp = this.cluster.clock.timestamp()
    log.append(markerEntry({ producerId, producerEpoch, committed, offset, leaderEpoch, timestamp }))
    partition.transactions.ended(producerId, committed, offset, log.startOffset)
    partition.producers.ended(producerId, producerEpoch)
    partition.changes.notify()
    this.cluster.changes.notify()
  }

  private raiseEpoch(transaction: Transaction): void {
    if (transaction.producerEpoch < LAST_EPOCH) transaction.producerEpoch++
    else {
      transaction.producerId = this.cluster.newProducerId()
      transaction.producerEpoch = 0
    }
  }
}

type ProducerIdentity = Omit<Claim, 'transactionalId'>

function isSame(one: ProducerIdentity | undefined, other: ProducerIdentity): boolean {
  return one?.producerId === other.producerId && one.producerEpoch === other.producerEpoch
}

/** Whether the claim is of the epoch whose transaction has ended, with none begun since. */
function isEndOf({ previous, state }: Transaction, claim: Claim): boolean {
  return isSame(previous, claim) && (state === 'CompleteCommit' || state === 'CompleteAbort')
}
