import type { Clock } from '../../clock.js'
import type { AddPartitionsToTxnTopic } from '../../protocol/apis/add-partitions-to-txn.js'

/** Those that go into one request, and who waits for its answer. */
interface Wanted {
  readonly topics: Map<string, Set<number>>
  readonly added: Promise<void>
}

/**
 * The partitions of the transaction that is open: each is added before it is written to. What is wanted in the same turn,
 * or while a request is out, goes into the next request together.
 */
export class TransactionPartitions {
  private readonly added = new Map<string, Set<number>>()
  private wanted: Wanted | undefined
  private adding: Wanted | undefined

  constructor(
    private readonly clock: Clock,
    /** Adds partitions with the coordinator. */
    private readonly add: (topics: readonly AddPartitionsToTxnTopic[]) => Promise<void>,
  ) {}

  has(topic: string, partition: number): boolean {
    return this.added.get(topic)?.has(partition) === true
  }

  /** The transaction has it, whoever told the coordinator. */
  note(topic: string, partition: number): void {
    partitionsOf(this.added, topic).add(partition)
  }

  /** Resolves when the partition is part of the transaction; rejects with why it can't be. */
  whenAdded(topic: string, partition: number): Promise<void> {
    if (this.has(topic, partition)) return Promise.resolve()
    if (this.adding?.topics.get(topic)?.has(partition) === true) return this.adding.added
    this.wanted ??= this.gather()
    partitionsOf(this.wanted.topics, topic).add(partition)
    return this.wanted.added
  }

  /** All that the transaction has, as they are added. */
  get topics(): AddPartitionsToTxnTopic[] {
    return [...this.added].map(([name, partitions]) => ({ name, partitions: [...partitions] }))
  }

  /** The next transaction has none yet, nor is to have what was wanted of this one. */
  clear(): void {
    this.added.clear()
    this.wanted?.topics.clear()
  }

  private gather(): Wanted {
    const topics = new Map<string, Set<number>>()
    const before = this.adding?.added
    const go = async () => {
      await before?.catch(() => undefined)
      await new Promise<void>((resolve) => this.clock.setImmediate(resolve))
      this.wanted = undefined
      if (topics.size === 0) return
      this.adding = wanted
      try {
        await this.add([...topics].map(([name, partitions]) => ({ name, partitions: [...partitions] })))
        for (const [topic, partitions] of topics) for (const partition of partitions) this.note(topic, partition)
      } finally {
        this.adding = undefined
      }
    }
    const wanted: Wanted = { topics, added: go() }
    wanted.added.catch(() => undefined)
    return wanted
  }
}

function partitionsOf(topics: Map<string, Set<number>>, topic: string): Set<number> {
  let partitions = topics.get(topic)
  if (partitions === undefined) topics.set(topic, (partitions = new Set()))
  return partitions
}
