import { describe, expect, it } from 'vitest'
import { addOffsetsToTxn } from '../../../src/protocol/apis/add-offsets-to-txn.js'
import { endTxn } from '../../../src/protocol/apis/end-txn.js'
import { initProducerId } from '../../../src/protocol/apis/init-producer-id.js'
import { joinGroup } from '../../../src/protocol/apis/join-group.js'
import { offsetCommit } from '../../../src/protocol/apis/offset-commit.js'
import { offsetFetch } from '../../../src/protocol/apis/offset-fetch.js'
import { txnOffsetCommit } from '../../../src/protocol/apis/txn-offset-commit.js'
import { ZERO_UUID } from '../../../src/protocol/byte-writer.js'
import { unlessPassing, until, type Subject } from './subject.js'

/** What members of a group may do in the course of a rebalance. */
export function memberCases(subject: () => Subject): void {
  const settled = async (ask: () => Promise<number | undefined>) => until(async () => unlessPassing(await ask()))

  /** A producer's transaction that is to commit offsets of the group. */
  const begin = async (transactionalId: string, groupId: string) => {
    const coordinator = await subject().coordinator(transactionalId, 1)
    const { producerId, producerEpoch } = await until(async () => {
      const answer = await coordinator.call(initProducerId, subject().version(initProducerId, 5), {
        ...{ transactionalId, transactionTimeoutMs: 60_000, producerId: -1n, producerEpoch: -1 },
        ...{ enable2Pc: false, keepPreparedTxn: false },
      })
      return answer.errorCode === 0 ? answer : undefined
    })
    const claim = { transactionalId, producerId, producerEpoch }
    const version = subject().version(addOffsetsToTxn)
    const add = async () => (await coordinator.call(addOffsetsToTxn, version, { ...claim, groupId })).errorCode
    expect(await settled(add)).toBe(0)
    return claim
  }

  const end = async (claim: Awaited<ReturnType<typeof begin>>) => {
    const coordinator = await subject().coordinator(claim.transactionalId, 1)
    const version = subject().version(endTxn, 4)
    return settled(async () => (await coordinator.call(endTxn, version, { ...claim, committed: true })).errorCode)
  }

  describe('Offsets of a member that has joined and has no assignment yet', () => {
    it('are taken in a transaction, and outside of one not before it has', async ({ skip }) => {
      if (!subject().has(txnOffsetCommit) || subject().version(txnOffsetCommit) < 3) skip('does not ask who commits')
      const topic = await subject().topic()
      const [groupId, transactionalId] = [`g-${topic}`, `tx-${topic}`]
      const group = await subject().coordinator(groupId, 0)
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
      const claim = await begin(transactionalId, groupId)
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
      expect(await end(claim)).toBe(0)
    })
  })
  it('Offsets that were committed after those of a transaction stay when it is committed', async ({ skip }) => {
    if (!subject().has(txnOffsetCommit)) skip('has no transactions')
    const topic = await subject().topic()
    const groupId = `g-${topic}`
    const group = await subject().coordinator(groupId, 0)
    await subject().known(topic, group)
    const claim = await begin(`tx-${topic}`, groupId)
    const nobody = { groupId, generationIdOrMemberEpoch: -1, memberId: '', groupInstanceId: null }
    const topicsOf = (offset: bigint) => {
      const partition = {
        partitionIndex: 0,
        committedOffset: offset,
        committedLeaderEpoch: -1,
        committedMetadata: null,
      }
      return [{ name: topic, topicId: ZERO_UUID, partitions: [{ ...partition, commitTimestamp: -1 }] }]
    }
    const inTransaction = async () => {
      const request = { ...claim, ...nobody, topics: topicsOf(24n) }
      const { topics } = await group.call(txnOffsetCommit, subject().version(txnOffsetCommit, 3), request)
      return topics[0]?.partitions[0]?.errorCode
    }
    const outside = async () => {
      const request = { ...nobody, retentionTimeMs: -1, topics: topicsOf(44n) }
      const { topics } = await group.call(offsetCommit, subject().version(offsetCommit, 8), request)
      return topics[0]?.partitions[0]?.errorCode
    }
    expect([await settled(inTransaction), await settled(outside), await end(claim)]).toEqual([0, 0, 0])
    const version = subject().version(offsetFetch, 7)
    const asked = { groupId, memberId: null, memberEpoch: -1 }
    const committed = await until(async () => {
      const topics = [{ name: topic, topicId: ZERO_UUID, partitionIndexes: [0] }]
      // Stable: the marker has come to the group.
      const requireStable = version >= 7
      const { groups } = await group.call(offsetFetch, version, { groups: [{ ...asked, topics }], requireStable })
      const found = groups[0]?.topics[0]?.partitions[0]
      return found?.errorCode === 0 ? found.committedOffset : undefined
    })
    expect(committed).toBe(44n)
  })
}
