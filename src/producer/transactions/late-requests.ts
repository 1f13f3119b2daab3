import { createDebug } from '../../debug.js'
import type { AddPartitionsToTxnTopic } from '../../protocol/apis/add-partitions-to-txn.js'
import { ErrorCodes } from '../../protocol/error-codes.js'
import type { Identity } from '../../protocol/records/record-batch.js'
import { decidingError } from './error-kinds.js'
import type { TransactionRequests } from './transaction-requests.js'
import type { GivenIdentity } from './transactional-identity.js'

const debug = createDebug('kafka-producer:transactions')

/** Leaders that may write something late, and groups whose offsets may be committed late; under ids that are left. */
interface Late {
  readonly producerId: bigint
  readonly topics: readonly AddPartitionsToTxnTopic[]
  readonly groups: readonly string[]
}

/**
 * What had no answer may be carried out when its transaction has ended, under the epoch of that, and would be part of the
 * next one, or end it. So the next one has another epoch. The coordinator knows it at once; leaders and groups have to be
 * shown it (before Kafka 3.6, where leaders ask).
 */
export class LateRequests {
  private late: Late | undefined

  constructor(private readonly requests: Pick<TransactionRequests, 'unanswered' | 'addThoseThere' | 'addOffsets'>) {}

  /** Whether somebody is to be shown the new epoch. */
  get isAny(): boolean {
    return this.late !== undefined
  }

  /**
   * A transaction has ended.
   *
   * @param topics with partitions to which a batch may be written late
   * @returns whether the next one needs another epoch
   */
  note({ producerId }: Identity, topics: readonly AddPartitionsToTxnTopic[]): boolean {
    const { isAny, groups } = this.requests.unanswered
    if (topics.length > 0 || groups.length > 0) this.late = this.with({ producerId, topics, groups })
    return isAny || topics.length > 0
  }

  /** What was noted before is shown it, too, where it could not be yet. */
  private with({ producerId, topics, groups }: Late): Late {
    const { late } = this
    if (late?.producerId !== producerId) return { producerId, topics, groups }
    const partitions = new Map<string, Set<number>>()
    for (const topic of [...late.topics, ...topics])
      partitions.set(topic.name, new Set([...(partitions.get(topic.name) ?? []), ...topic.partitions]))
    return {
      producerId,
      topics: [...partitions].map(([name, those]) => ({ name, partitions: [...those] })),
      groups: [...new Set([...late.groups, ...groups])],
    }
  }

  /**
   * Opens a transaction with nothing in it, for leaders and groups to see its epoch when it ends. Those that are gone, or
   * can't be shown it, are left out.
   *
   * @returns the error that decides, or `NONE`
   */
  async shutOut(identity: GivenIdentity, signal: AbortSignal | undefined, onWritten: () => void): Promise<number> {
    // Another id is another producer, which nothing comes late for.
    if (this.late?.producerId !== identity.producerId) return ErrorCodes.NONE
    const { topics, groups } = this.late
    debug('shows epoch %d to %o and %o', identity.epoch, topics, groups)
    const codes: number[] = []
    if (topics.length > 0) codes.push(await this.requests.addThoseThere(identity, topics, signal, onWritten))
    for (const groupId of groups) codes.push(await this.requests.addOffsets(identity, groupId, signal, onWritten))
    return decidingError(codes)
  }

  /** They have seen it. */
  done(): void {
    this.late = undefined
  }
}
