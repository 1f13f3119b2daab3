import type { Timer } from '../timers.js'
import type { Partition } from '../topic.js'

/**
 * `Empty` before the first and with nothing in it yet; the two others are how the last one ended, until the next one
 * begins.
 */
export type TransactionState = 'Empty' | 'Ongoing' | 'CompleteCommit' | 'CompleteAbort'

/** What the coordinator keeps of a transactional id. */
export class Transaction {
  state: TransactionState = 'Empty'
  producerEpoch = 0
  /** The id and epoch that the last end of a transaction replaced; for requests that are sent again. */
  previous: { readonly producerId: bigint; readonly producerEpoch: number } | undefined
  readonly partitions = new Set<Partition>()
  readonly groups = new Set<string>()
  timeout: Timer | undefined

  constructor(
    readonly id: string,
    public producerId: bigint,
    public timeoutMs: number,
  ) {}

  get isOngoing(): boolean {
    return this.state === 'Ongoing'
  }
}
