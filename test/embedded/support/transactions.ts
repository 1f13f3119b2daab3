import { addOffsetsToTxn } from '../../../src/protocol/apis/add-offsets-to-txn.js'
import { addPartitionsToTxn } from '../../../src/protocol/apis/add-partitions-to-txn.js'
import { endTxn } from '../../../src/protocol/apis/end-txn.js'
import { initProducerId, type InitProducerIdResponse } from '../../../src/protocol/apis/init-producer-id.js'
import { txnOffsetCommit } from '../../../src/protocol/apis/txn-offset-commit.js'
import { ZERO_UUID } from '../../../src/protocol/byte-writer.js'
import type { RawClient } from './raw-client.js'
import { batchOf, produceTo, type ProduceOptions } from './requests.js'

const NEWEST_BEFORE_ID_OF_PARTITION = 11

/** A transactional producer that does one step at a time, and each only if told to. */
export class RawTransaction {
  producerId = -1n
  producerEpoch = -1
  sequence = 0

  constructor(
    readonly client: RawClient,
    readonly transactionalId = 'tx',
  ) {}

  async init(timeoutMs = 60_000, claim = { producerId: -1n, producerEpoch: -1 }): Promise<InitProducerIdResponse> {
    const { transactionalId } = this
    const flags = { enable2Pc: false, keepPreparedTxn: false }
    const response = await this.client.call(initProducerId, 4, {
      transactionalId,
      transactionTimeoutMs: timeoutMs,
      ...claim,
      ...flags,
    })
    if (response.errorCode === 0) this.goOn(response)
    return response
  }

  async add(topic: string, partitions: readonly number[], version = 3): Promise<number[]> {
    const transaction = { ...this.claim, verifyOnly: false, topics: [{ name: topic, partitions }] }
    const response = await this.client.call(addPartitionsToTxn, version, { transactions: [transaction] })
    return response.resultsByTransaction.flatMap(({ topicResults }) =>
      topicResults.flatMap(({ resultsByPartition }) =>
        resultsByPartition.map(({ partitionErrorCode }) => partitionErrorCode),
      ),
    )
  }

  async produce(value: string, options: ProduceOptions = {}) {
    const { producerId, producerEpoch, transactionalId } = this
    const batch = batchOf([{ value }], { producerId, producerEpoch, baseSequence: this.sequence, transactional: true })
    const partition = await produceTo(this.client, batch, {
      version: NEWEST_BEFORE_ID_OF_PARTITION,
      transactionalId,
      ...options,
    })
    if (partition.errorCode === 0) this.sequence++
    return partition
  }

  async addOffsets(groupId = 'readers'): Promise<number> {
    return (await this.client.call(addOffsetsToTxn, 3, { ...this.claim, groupId })).errorCode
  }

  async commitOffset(
    offset: bigint,
    member: { generationIdOrMemberEpoch: number; memberId: string } = NOBODY,
    version = 3,
  ) {
    const partition = { partitionIndex: 0, committedOffset: offset, committedLeaderEpoch: -1, committedMetadata: null }
    const response = await this.client.call(txnOffsetCommit, version, {
      ...this.claim,
      groupId: 'readers',
      ...member,
      groupInstanceId: null,
      topics: [{ name: 'orders', topicId: ZERO_UUID, partitions: [partition] }],
    })
    return response.topics[0]?.partitions[0]?.errorCode
  }

  async end(committed: boolean, version = 3) {
    const response = await this.client.call(endTxn, version, { ...this.claim, committed })
    if (response.errorCode === 0 && version >= 5) this.goOn(response)
    return response.errorCode
  }

  private goOn({ producerId, producerEpoch }: { producerId: bigint; producerEpoch: number }): void {
    this.producerId = producerId
    this.producerEpoch = producerEpoch
    this.sequence = 0
  }

  private get claim() {
    const { transactionalId, producerId, producerEpoch } = this
    return { transactionalId, producerId, producerEpoch }
  }
}

const NOBODY = { generationIdOrMemberEpoch: -1, memberId: '' } as const
