import { describe, expect, it } from 'vitest'
import { addOffsetsToTxn } from '../../../src/protocol/apis/add-offsets-to-txn.js'
import { endTxn } from '../../../src/protocol/apis/end-txn.js'
import { initProducerId } from '../../../src/protocol/apis/init-producer-id.js'
import { joinGroup } from '../../../src/protocol/apis/join-group.js'
import { offsetCommit } from '../../../src/protocol/apis/offset-commit.js'
import { txnOffsetCommit } from '../../../src/protocol/apis/txn-offset-commit.js'
import { ZERO_UUID } from '../../../src/protocol/byte-writer.js'
import { unlessPassing, until, type Subject } from './subject.js'

/** What members of a group may do in the course of a rebalance. */
export function memberCases(subject: () => Subject): void {
  describe('Offsets of a member that has joined and has no assignment yet', () => {
    it('are taken in a transaction, and outside of one not before it has', async ({ skip }) => {
      if (!subject().has(txnOffsetCommit) || subject().version(txnOffsetCommit) < 3) skip('does not ask who commits')
      const topic = await subject().topic()
      const [groupId, transactionalId] = [`g-${topic}`, `tx-${topic}`]
      const group = await subject().coordinator(groupId, 0)
      const coordinator = await subject().coordinator(transactionalId, 1)
      await subject().known(topic, group)
      const join = async (memberId: string) =>
        until(async () => {
          const answer = await group.call(joinGroup, subject().version(joinGroup), {
            ...{ groupId, sessionTimeoutMs: 30_000, rebalanceTimeoutMs: 30_000, memberId, groupInstanceId: null },
            ...{ protocolType: 'consumer', protocols: [{ name: 'range', metadata: Buffer.from('m') }], reason: null },
          })
          return unlessPassing(answer.errorCode) === undefined ? undefined : answer
        })
      const { errorCode, memberId, generationId } = await join((await join('')).memberId)
      expect(errorCode).toBe(0)
      const { producerId, producerEpoch } = await until(async () => {
        const answer = await coordinator.call(initProducerId, subject().version(initProducerId, 5), {
          ...{ transactionalId, transactionTimeoutMs: 60_000, producerId: -1n, producerEpoch: -1 },
          ...{ enable2Pc: false, keepPreparedTxn: false },
        })
        return answer.errorCode === 0 ? answer : undefined
      })
      const claim = { transactionalId, producerId, producerEpoch }
      const settled = async (ask: () => Promise<number | undefined>) => until(async () => unlessPassing(await ask()))
      expect(
        await settled(async () => {
          const version = subject().version(addOffsetsToTxn)
          return (await coordinator.call(addOffsetsToTxn, version, { ...claim, groupId })).errorCode
        }),
      ).toBe(0)
      const member = { groupId, generationIdOrMemberEpoch: generationId, memberId, groupInstanceId: null }
      const partition = { partitionIndex: 0, committedOffset: 5n, committedLeaderEpoch: -1, committedMetadata: null }
      const named = { name: topic, topicId: ZERO_UUID }
      expect(
        await settled(async () => {
          const request = { ...claim, ...member, topics: [{ ...named, partitions: [partition] }] }
          const { topics } = await group.call(txnOffsetCommit, subject().version(txnOffsetCommit, 3), request)
          return topics[0]?.partitions[0]?.errorCode
        }),
      ).toBe(0)
      const timed = { ...partition, commitTimestamp: -1 }
      const request = { ...member, retentionTimeMs: -1, topics: [{ ...named, partitions: [timed] }] }
      const { topics } = await group.call(offsetCommit, subject().version(offsetCommit, 8), request)
      expect(topics[0]?.partitions[0]?.errorCode).toBe(27)
      const version = subject().version(endTxn, 4)
      expect(
        await settled(async () => (await coordinator.call(endTxn, version, { ...claim, committed: true })).errorCode),
      ).toBe(0)
    })
  })
}
