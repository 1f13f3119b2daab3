import { KafkaProducerError, UnsupportedVersionError } from '../../errors.js'
import type { BrokerSession } from '../../network/session/session.js'
import type { WaitedFor } from '../../network/stage.js'
import { formatAddress } from '../../network/streams/connect.js'
import { produce } from '../../protocol/apis/produce.js'
import type { Identity } from '../../protocol/records/record-batch.js'
import { magicOfProduce } from '../../protocol/versions.js'
import type { BatchQueue } from '../queues/batch.js'
import type { PartitionQueue } from '../queues/partition-queue.js'
import type { TransactionError } from '../transactions/transaction-errors.js'
import type { TransactionGate } from '../transactions/transaction-manager.js'
import { ElsewhereError, isOther } from '../transactions/transactional-identity.js'
import { inFlightLimit, type Numbering, type Sequencing } from './idempotence.js'

export interface TransactionSequencingParts {
  readonly gate: TransactionGate
  /** As the metadata told it last; null where brokers don't tell. */
  readonly clusterId: () => string | null
  /** Fails what a partition has waiting. */
  readonly giveUp: (queue: PartitionQueue, cause: TransactionError) => void
  /** A partition may be written to. */
  readonly enlist: (queue: PartitionQueue) => void
}

/**
 * What transactions ask of the way of a batch: its partition is part of the transaction before it is written, it bears the
 * identity of the transaction, and nothing new goes out in one that failed.
 */
export class TransactionSequencing implements Sequencing {
  /** What has no sequence is in no transaction. */
  readonly maySendUnnumbered = false
  readonly isTransactional = true
  private readonly waiting = new Set<BatchQueue>()

  constructor(private readonly parts: TransactionSequencingParts) {}

  get transactionalId(): string {
    return this.parts.gate.transactionalId
  }

  get maxProduceVersion(): number {
    return this.parts.gate.maxProduceVersion
  }

  get failure(): TransactionError | undefined {
    return this.parts.gate.failure
  }

  /** Whether a partition may be written to now. Where not, it is enlisted when it may be, or what it has is given up. */
  lets(queue: PartitionQueue): boolean {
    const { gate, enlist } = this.parts
    const { topic, partition } = queue
    if (gate.failure === undefined && gate.isIn(topic, partition)) {
      if (!this.isElsewhere) return true
      gate.fail(new ElsewhereError(), 'abort, new id')
    }
    if (this.givesUp(queue)) return false
    if (this.waiting.has(queue)) return false
    this.waiting.add(queue)
    const goOn = () => {
      this.waiting.delete(queue)
      enlist(queue)
    }
    gate.whenIn(topic, partition).then(goOn, goOn)
    return false
  }

  /**
   * Fails what a partition has waiting, once nothing more of the transaction goes out: whoever ends that waits for it, and is
   * not to wait for a leader or a connection that nothing will be sent to.
   *
   * @returns whether that is so
   */
  givesUp(queue: PartitionQueue): boolean {
    const { gate, giveUp } = this.parts
    if (gate.failure === undefined) return false
    if (!this.waiting.has(queue)) {
      this.waiting.add(queue)
      giveUp(queue, gate.failure)
      this.waiting.delete(queue)
    }
    return true
  }

  /** Another cluster has no part of the transaction, nor anybody who could end it, and gives its id to others. */
  private get isElsewhere(): boolean {
    const { gate, clusterId } = this.parts
    return isOther(gate.current?.clusterId ?? null, clusterId())
  }

  /** Who adds a partition to the transaction, where that is waited for. */
  joiningBy(queue: BatchQueue): WaitedFor | undefined {
    return this.waiting.has(queue) ? this.parts.gate.addsBy : undefined
  }

  /** @throws UnsupportedVersionError for a broker that has no transactions */
  numberingFor(session: BrokerSession): Numbering {
    const { gate } = this.parts
    const version = session.versions.highest(produce, gate.maxProduceVersion)
    gate.meetsProduce(version)
    const { current } = gate
    if (magicOfProduce(version) < 2 || current === undefined) {
      const name = formatAddress(session.connection.address)
      throw new UnsupportedVersionError(`transactions need Kafka 0.11, ${name} speaks Produce v${version}`)
    }
    return {
      identityFor: () => current,
      limit: inFlightLimit(version),
      get isCurrent() {
        return gate.current === current && gate.failure === undefined
      },
    }
  }

  /** Known before the transaction began. */
  whenKnown(): Promise<void> {
    return Promise.resolve()
  }

  get problem(): undefined {
    return undefined
  }

  /** From Kafka 4 on each transaction has another one, and the partitions' sequences begin anew with it. */
  keeps(identity: Identity): boolean {
    return identity === this.parts.gate.current
  }

  leave(left: Identity, cause?: KafkaProducerError): void {
    const { current } = this.parts.gate
    // Of a transaction that is over, whose abort did not wait for it any longer.
    if (left.producerId !== current?.producerId || left.epoch !== current.epoch) return
    const code = 'OUT_OF_ORDER_SEQUENCE_NUMBER'
    const what = 'the broker may miss messages of the transaction, or have them twice'
    this.parts.gate.failSequence(cause ?? new KafkaProducerError(code, what))
  }

  leaveOut(): void {
    // Whoever may not send unnumbered is not told to.
  }
}
