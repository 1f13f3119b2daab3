import { describe, expect, it } from 'vitest'
import { addOffsetsToTxn } from '../../../src/protocol/apis/add-offsets-to-txn.js'
import { addPartitionsToTxn } from '../../../src/protocol/apis/add-partitions-to-txn.js'
import { endTxn } from '../../../src/protocol/apis/end-txn.js'
import { heartbeat } from '../../../src/protocol/apis/heartbeat.js'
import { initProducerId, type InitProducerIdResponse } from '../../../src/protocol/apis/init-producer-id.js'
import { joinGroup } from '../../../src/protocol/apis/join-group.js'
import { leaveGroup } from '../../../src/protocol/apis/leave-group.js'
import { offsetCommit } from '../../../src/protocol/apis/offset-commit.js'
import { syncGroup } from '../../../src/protocol/apis/sync-group.js'
import { txnOffsetCommit, type TxnOffsetCommitRequest } from '../../../src/protocol/apis/txn-offset-commit.js'
import { ZERO_UUID } from '../../../src/protocol/byte-writer.js'
import type { RawClient } from '../../embedded/support/raw-client.js'
import { unlessPassing, until, type Subject } from './subject.js'

let names = 0
const newName = (): string => `stranger-${Date.now()}-${++names}`

/** Ids that a broker has never heard of, or no longer knows. */
export function strangerCases(subject: () => Subject): void {
  describe('A producer id that is claimed', () => {
    const init = async (
      transactionalId: string | null,
      claim: { producerId: bigint; producerEpoch: number },
    ): Promise<InitProducerIdResponse> => {
      const client = transactionalId ? await subject().coordinator(transactionalId, 1) : await subject().connect()
      const flags = { enable2Pc: false, keepPreparedTxn: false }
      const request = { transactionalId, transactionTimeoutMs: 5_000, ...claim, ...flags }
      return until(async () => {
        const answer = await client.call(initProducerId, subject().version(initProducerId, 5), request)
        return unlessPassing(answer.errorCode) === undefined ? undefined : answer
      })
    }
    const claims = (): boolean => subject().has(initProducerId) && subject().version(initProducerId) >= 3

    // Some clients send 0 and 0 where they have none.
    it.for([
      [0n, 0],
      [123_456_789n, 3],
    ] as const)(
      '%i, epoch %i, for a transactional id that is new: a new one',
      async ([producerId, epoch], { skip }) => {
        if (!claims()) skip('has no such claims')
        const transactionalId = newName()
        const first = await init(transactionalId, { producerId, producerEpoch: epoch })
        expect([first.errorCode, first.producerEpoch]).toEqual([0, 0])
        expect(first.producerId).not.toBe(123_456_789n)
        const second = await init(transactionalId, first)
        expect([second.errorCode, second.producerEpoch, second.producerId]).toEqual([0, 1, first.producerId])
        expect((await init(transactionalId, { producerId: 123_456_789n, producerEpoch: 3 })).errorCode).toBe(
          subject().version(initProducerId) >= 4 ? 90 : 47,
        )
      },
    )

    it('is told with its epoch, or not at all', async ({ skip }) => {
      if (!claims()) skip('has no such claims')
      const half = { producerId: 5n, producerEpoch: -1 }
      const otherHalf = { producerId: -1n, producerEpoch: 3 }
      const codes = [
        (await init(newName(), half)).errorCode,
        (await init(newName(), otherHalf)).errorCode,
        (await init(null, half)).errorCode,
        (await init('', { producerId: -1n, producerEpoch: -1 })).errorCode,
      ]
      expect(codes).toEqual([42, 42, 42, 42])
    })
  })

  describe('A transaction of nobody', () => {
    const claim = { transactionalId: 'nobody', producerId: 987_654_321n, producerEpoch: 0 }

    it('is not added to, and not ended', async ({ skip }) => {
      if (!subject().has(endTxn)) skip('has no transactions')
      const topic = await subject().topic()
      const coordinator = await subject().coordinator(claim.transactionalId, 1)
      const ask = async (transactionalId: string) => {
        const own = { ...claim, transactionalId }
        const topics = [{ name: topic, partitions: [0] }]
        const transactions = [{ ...own, verifyOnly: false, topics }]
        const added = await coordinator.call(addPartitionsToTxn, subject().version(addPartitionsToTxn, 3), {
          transactions,
        })
        const version = subject().version(addOffsetsToTxn)
        return [
          added.resultsByTransaction[0]?.topicResults[0]?.resultsByPartition[0]?.partitionErrorCode,
          (await coordinator.call(addOffsetsToTxn, version, { ...own, groupId: 'readers' })).errorCode,
          (await coordinator.call(endTxn, subject().version(endTxn, 4), { ...own, committed: true })).errorCode,
        ]
      }
      await until(async () => (unlessPassing((await ask(claim.transactionalId))[2]) === undefined ? undefined : true))
      expect(await ask(claim.transactionalId)).toEqual([49, 49, 49])
      expect(await ask('')).toEqual([42, 42, 42])
    })

    it('is told first what there is not', async ({ skip }) => {
      if (!subject().has(addPartitionsToTxn)) skip('has no transactions')
      const topic = await subject().topic()
      const coordinator = await subject().coordinator(claim.transactionalId, 1)
      await subject().known(topic, coordinator)
      const names = [topic, newName()]
      const topics = names.map((name) => ({ name, partitions: [0] }))
      const transactions = [{ ...claim, verifyOnly: false, topics }]
      const version = subject().version(addPartitionsToTxn, 3)
      const { resultsByTransaction } = await coordinator.call(addPartitionsToTxn, version, { transactions })
      const results = resultsByTransaction[0]?.topicResults ?? []
      const codes = new Map(results.map((one) => [one.name, one.resultsByPartition[0]?.partitionErrorCode]))
      expect(names.map((name) => codes.get(name))).toEqual([55, 3])
    })

    it('commits offsets, where the group does not ask its coordinator (before KIP-890)', async ({ skip }) => {
      if (!subject().has(txnOffsetCommit)) skip('has no transactions')
      const topic = await subject().topic()
      const groupId = newName()
      const coordinator = await subject().coordinator(groupId, 0)
      const commit = async (more: Partial<TxnOffsetCommitRequest> = {}, partitionIndex = 0, name = topic) =>
        until(async () => {
          const partition = { partitionIndex, committedOffset: 5n, committedLeaderEpoch: -1, committedMetadata: null }
          const { topics } = await coordinator.call(txnOffsetCommit, subject().version(txnOffsetCommit, 3), {
            ...{ ...claim, groupId, generationIdOrMemberEpoch: -1, memberId: '', groupInstanceId: null },
            ...{ topics: [{ name, topicId: ZERO_UUID, partitions: [partition] }] },
            ...more,
          })
          return unlessPassing(topics[0]?.partitions[0]?.errorCode)
        })
      await subject().known(topic, coordinator)
      const { verifiesTransactions, keepsOffsetsOfUnknownPartitions } = subject().release
      expect(await commit()).toBe(verifiesTransactions ? 49 : 0)
      // A member that is none is found out before its transaction, or after.
      const asMember = { generationIdOrMemberEpoch: 3, memberId: 'nobody' }
      if (subject().version(txnOffsetCommit) >= 3) expect(await commit(asMember)).toBe(verifiesTransactions ? 49 : 25)
      expect(await commit({}, 0, 'nowhere')).toBe(3)
      if (subject().release.atLeast(2, 8)) expect(await commit({ groupId: '' })).toBe(24)
      if (!keepsOffsetsOfUnknownPartitions) expect(await commit({}, 7)).toBe(3)
      if (verifiesTransactions) return
      if (!subject().release.atLeast(2, 8)) return
      expect(await commit({ producerEpoch: 4 })).toBe(0)
      expect(await commit({ producerEpoch: 3 })).toBe(47)
    })
  })

  describe('A group of nobody', () => {
    it('has an id, unless it keeps offsets alone', async ({ skip }) => {
      if (subject().version(offsetCommit) < 2) skip('keeps them in ZooKeeper, or times them')
      if (!subject().release.atLeast(2, 8)) skip('was not asked')
      const topic = await subject().topic()
      const coordinator = await subject().coordinator('', 0)
      await subject().known(topic, coordinator)
      const nobody = { groupId: '', generationId: 1, memberId: 'nobody', groupInstanceId: null }
      const version = subject().version(leaveGroup)
      const members = [{ memberId: 'nobody', groupInstanceId: null, reason: null }]
      const codes = [
        (await coordinator.call(heartbeat, subject().version(heartbeat), nobody)).errorCode,
        (await coordinator.call(leaveGroup, version, { groupId: '', members })).errorCode,
      ]
      expect(codes).toEqual([24, 24])
      const offsets = new Committer(coordinator, subject().version(offsetCommit, 8), '', topic)
      expect(await until(async () => unlessPassing(await offsets.commit()))).toBe(0)
    })

    it('has no generation, and no offsets of what there is not', async ({ skip }) => {
      if (subject().version(offsetCommit) < 2) skip('keeps them in ZooKeeper, or times them')
      if (!subject().release.atLeast(2, 8)) skip('was not asked')
      const topic = await subject().topic()
      const groupId = newName()
      const coordinator = await subject().coordinator(groupId, 0)
      await subject().known(topic, coordinator)
      const version = subject().version(offsetCommit, 9)
      const offsets = new Committer(coordinator, version, groupId, topic)
      const unknown = version >= 9 && subject().release.atLeast(4, 0) ? 69 : 22
      expect(await until(async () => unlessPassing(await offsets.commit({ generation: 3 })))).toBe(unknown)
      // Java counts characters.
      expect(await offsets.commit({ metadata: 'é'.repeat(4_096) })).toBe(0)
      expect(await offsets.commit({ metadata: 'é'.repeat(4_097) })).toBe(12)
      expect(await offsets.commit({ generation: 3, partition: 7 })).toBe(3)
      expect(await offsets.commit({ generation: 3, topic: 'nowhere' })).toBe(3)
    })
  })

  describe('A member that has joined', () => {
    it.for([0, 500])(
      'and does not ask for its assignment within %i ms is out',
      async (rebalanceTimeoutMs, { skip }) => {
        if (!subject().has(joinGroup)) skip('has no groups')
        if (!subject().release.dropsMembersThatDoNotSync) skip('keeps it')
        const groupId = newName()
        const coordinator = await subject().coordinator(groupId, 0)
        const join = async (memberId: string) =>
          until(async () => {
            const answer = await coordinator.call(joinGroup, subject().version(joinGroup), {
              groupId,
              sessionTimeoutMs: 30_000,
              rebalanceTimeoutMs,
              memberId,
              groupInstanceId: null,
              protocolType: 'consumer',
              protocols: [{ name: 'range', metadata: Buffer.from('m') }],
              reason: null,
            })
            return unlessPassing(answer.errorCode) === undefined ? undefined : answer
          })
        const { errorCode, memberId, generationId } = await join((await join('')).memberId)
        expect(errorCode).toBe(0)
        const caller = { groupId, generationId, memberId, groupInstanceId: null }
        await until(async () => {
          const beat = await coordinator.call(heartbeat, subject().version(heartbeat), caller)
          return beat.errorCode === 25 ? true : undefined
        })
        const synced = await coordinator.call(syncGroup, subject().version(syncGroup), {
          groupId,
          generationId,
          memberId,
          groupInstanceId: null,
          protocolType: subject().version(syncGroup) >= 5 ? 'consumer' : null,
          protocolName: subject().version(syncGroup) >= 5 ? 'range' : null,
          assignments: [],
        })
        expect(synced.errorCode).toBe(25)
      },
    )
  })
}

/** Commits offsets that no transaction is for, one at a time. */
class Committer {
  constructor(
    private readonly client: RawClient,
    private readonly version: number,
    private readonly groupId: string,
    private readonly topic: string,
  ) {}

  /** An error code. */
  async commit({ generation = -1, partition = 0, topic = this.topic, metadata = '' } = {}): Promise<
    number | undefined
  > {
    const { topics } = await this.client.call(offsetCommit, this.version, {
      groupId: this.groupId,
      generationIdOrMemberEpoch: generation,
      memberId: generation < 0 ? '' : 'nobody',
      groupInstanceId: null,
      retentionTimeMs: -1,
      topics: [
        {
          name: topic,
          topicId: ZERO_UUID,
          partitions: [
            {
              partitionIndex: partition,
              committedOffset: 17n,
              committedLeaderEpoch: -1,
              commitTimestamp: -1,
              committedMetadata: metadata,
            },
          ],
        },
      ],
    })
    return topics[0]?.partitions[0]?.errorCode
  }
}
