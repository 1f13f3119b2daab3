import { describe, expect, it } from 'vitest'
import { addOffsetsToTxn } from '../../../src/protocol/apis/add-offsets-to-txn.js'
import { addPartitionsToTxn } from '../../../src/protocol/apis/add-partitions-to-txn.js'
import { endTxn } from '../../../src/protocol/apis/end-txn.js'
import { fetch } from '../../../src/protocol/apis/fetch.js'
import { heartbeat } from '../../../src/protocol/apis/heartbeat.js'
import { initProducerId, type InitProducerIdResponse } from '../../../src/protocol/apis/init-producer-id.js'
import { joinGroup } from '../../../src/protocol/apis/join-group.js'
import { offsetCommit } from '../../../src/protocol/apis/offset-commit.js'
import { offsetFetch } from '../../../src/protocol/apis/offset-fetch.js'
import { produce } from '../../../src/protocol/apis/produce.js'
import { syncGroup } from '../../../src/protocol/apis/sync-group.js'
import { txnOffsetCommit } from '../../../src/protocol/apis/txn-offset-commit.js'
import { ZERO_UUID } from '../../../src/protocol/byte-writer.js'
import { decodeBatches } from '../../../src/protocol/records/decode.js'
import { batchOf, fetchFrom } from '../../embedded/support/requests.js'
import { until, type Subject } from './subject.js'

const fenced = (version: number, from: number): number => (version >= from ? 90 : 47)

export function coordinationCases(subject: () => Subject): void {
  describe('Transactions', () => {
    const nobody = { producerId: -1n, producerEpoch: -1 }
    const claims = (): boolean => subject().has(initProducerId) && subject().version(initProducerId) >= 3
    const begin = async (transactionalId: string, claimed = nobody) => {
      const coordinator = await subject().coordinator(transactionalId, 1)
      const init = async ({ producerId, producerEpoch } = claimed) => {
        const flags = { enable2Pc: false, keepPreparedTxn: false }
        const asked = { transactionalId, transactionTimeoutMs: 60_000, producerId, producerEpoch, ...flags }
        return coordinator.call(initProducerId, subject().version(initProducerId, 5), asked)
      }
      const producer = await until(async () => {
        const answer = await init()
        return answer.errorCode === 0 ? answer : undefined
      })
      const { producerId, producerEpoch } = producer
      const claim = { transactionalId, producerId, producerEpoch }
      const add = async (topic: string) => {
        const transaction = { ...claim, verifyOnly: false, topics: [{ name: topic, partitions: [0] }] }
        const response = await coordinator.call(addPartitionsToTxn, subject().version(addPartitionsToTxn, 3), {
          transactions: [transaction],
        })
        return response.resultsByTransaction[0]?.topicResults[0]?.resultsByPartition[0]?.partitionErrorCode
      }
      const end = async (committed: boolean) =>
        (await coordinator.call(endTxn, subject().version(endTxn, 4), { ...claim, committed })).errorCode
      return {
        producerId,
        producerEpoch,
        init,
        add: (topic: string) => settled(async () => add(topic)),
        end: (committed: boolean) => settled(async () => end(committed)),
      }
    }

    it.for([true, false])('committed: %s', async (committed, { skip }) => {
      if (!subject().has(endTxn)) skip('has no transactions')
      const topic = await subject().topic()
      const leader = await subject().leader(topic)
      const id = `tx-${topic}`
      const transaction = await begin(id)
      expect([transaction.producerEpoch, await transaction.add(topic)]).toEqual([0, 0])
      // A message of long ago would make Kafka begin a new segment for what comes after it.
      const batch = batchOf([{ value: 'a', timestamp: Date.now() }], {
        ...transaction,
        baseSequence: 0,
        transactional: true,
      })
      const version = subject().version(produce, 11)
      expect((await subject().produce(leader, topic, batch, { version, transactionalId: id })).errorCode).toBe(0)
      expect([
        (await subject().offset(leader, topic, -1n)).offset,
        (await subject().offset(leader, topic, -1n, 1)).offset,
      ]).toEqual([1n, 0n])
      expect(await transaction.end(committed)).toBe(0)
      await until(async () => ((await subject().offset(leader, topic, -1n, 1)).offset === 2n ? true : undefined))
      const { abortedTransactions, records } = await fetchFrom(leader, {
        version: subject().version(fetch),
        topic,
        isolationLevel: 1,
        maxWaitMs: 500,
      })
      expect(abortedTransactions ?? []).toEqual(
        committed ? [] : [{ producerId: transaction.producerId, firstOffset: 0n }],
      )
      const [data, marker] = decodeBatches(records ?? Buffer.alloc(0))
      expect([data?.transactional, data?.control, marker?.transactional, marker?.control]).toEqual([
        true,
        false,
        true,
        true,
      ])
      expect(marker?.records[0]?.key).toEqual(Buffer.from([0, 0, 0, committed ? 1 : 0]))
    })

    it('partitions are added by writing, each has an epoch (KIP-890)', async ({ skip }) => {
      if (subject().release.transactionVersion !== 2) skip('has no such transactions')
      const topic = await subject().topic()
      const leader = await subject().leader(topic)
      const transactionalId = `tx-${topic}`
      const { producerId, producerEpoch } = await begin(transactionalId)
      const coordinator = await subject().coordinator(transactionalId, 1)
      const end = async (epoch: number, committed: boolean) =>
        until(async () => {
          const answer = await coordinator.call(endTxn, 5, {
            transactionalId,
            producerId,
            producerEpoch: epoch,
            committed,
          })
          return answer.errorCode === 51 ? undefined : answer
        })
      const send = async (epoch: number) =>
        until(async () => {
          const batch = batchOf([{ value: 'a', timestamp: Date.now() }], {
            producerId,
            producerEpoch: epoch,
            baseSequence: 0,
            transactional: true,
          })
          const { errorCode } = await subject().produce(leader, topic, batch, { version: 12, transactionalId })
          // The coordinator may still be at work on the end of the last one.
          return [14, 15, 16, 19, 51].includes(errorCode) ? undefined : errorCode
        })
      expect([producerEpoch, await send(0)]).toEqual([0, 0])
      const first = await end(0, true)
      expect([first.errorCode, first.producerId === producerId, first.producerEpoch]).toEqual([0, true, 1])
      const again = await end(0, true)
      expect([again.errorCode, again.producerEpoch]).toEqual([0, 1])
      expect((await end(0, false)).errorCode).toBe(48)
      expect(await send(0)).toBe(47)
      expect(await send(1)).toBe(0)
      const second = await end(1, false)
      expect([second.errorCode, second.producerEpoch]).toEqual([0, 2])
      const empty = await end(2, false)
      expect([empty.errorCode, empty.producerEpoch]).toEqual([0, 3])
      expect((await end(3, true)).errorCode).toBe(48)
    })

    it('what was not added to one is refused, where the broker looks', async ({ skip }) => {
      if (!subject().has(endTxn)) skip('has no transactions')
      const topic = await subject().topic()
      const leader = await subject().leader(topic)
      const transactionalId = `tx-${topic}`
      const { producerId, producerEpoch } = await begin(transactionalId)
      const batch = batchOf([{ value: 'a' }], { producerId, producerEpoch, baseSequence: 0, transactional: true })
      const version = subject().version(produce, 11)
      const errorCode = await until(async () => {
        const answer = await subject().produce(leader, topic, batch, { version, transactionalId })
        return answer.errorCode === 19 ? undefined : answer.errorCode
      })
      expect(errorCode).toBe(subject().release.verifiesTransactions ? 120 : 0)
    })

    it('its own id and epoch are claimed while it is open', async ({ skip }) => {
      if (!claims()) skip('has no such claims')
      const topic = await subject().topic()
      const transaction = await begin(`tx-${topic}`)
      expect(await transaction.add(topic)).toBe(0)
      expect((await transaction.init(transaction)).errorCode).toBe(51)
      const code = await settled(async () => (await transaction.init(transaction)).errorCode)
      expect(code).toBe(subject().release.transactionVersion === 2 ? 0 : fenced(subject().version(initProducerId), 4))
    })

    it('an epoch of before is claimed while it is open: that ends it, too', async ({ skip }) => {
      if (!claims()) skip('has no such claims')
      const topic = await subject().topic()
      const id = `tx-${topic}`
      const first = await begin(id)
      const second = await begin(id, first)
      expect(await second.add(topic)).toBe(0)
      expect((await first.init(first)).errorCode).toBe(51)
      const code = await settled(async () => (await first.init(first)).errorCode)
      expect(code).toBe(fenced(subject().version(initProducerId), 4))
      expect(await second.add(topic)).toBe(fenced(subject().version(addPartitionsToTxn, 3), 2))
      expect(await second.end(true)).toBe(fenced(subject().version(endTxn, 4), 2))
    })

    it('what its producer sends beside it, while it is open', async ({ skip }) => {
      if (!subject().has(endTxn)) skip('has no transactions')
      const topic = await subject().topic()
      const leader = await subject().leader(topic)
      const id = `tx-${topic}`
      const transaction = await begin(id)
      expect(await transaction.add(topic)).toBe(0)
      const codes: (number | undefined)[] = []
      for (const [baseSequence, transactional] of [
        [0, true],
        [1, false],
        [1, true],
      ] as const) {
        const batch = batchOf([{ timestamp: Date.now() }], { ...transaction, baseSequence, transactional })
        const options = { version: subject().version(produce, 11), transactionalId: id }
        codes.push(await settled(async () => (await subject().produce(leader, topic, batch, options)).errorCode))
      }
      expect(codes).toEqual([0, 48, 0])
    })

    it('what comes late is refused under an earlier epoch than that of a marker', async ({ skip }) => {
      if (!claims()) skip('has no such claims')
      const topic = await subject().topic()
      const leader = await subject().leader(topic)
      const id = `tx-${topic}`
      const send = async (epoch: number, baseSequence: number) => {
        const batch = batchOf([{ value: 'a', timestamp: Date.now() }], {
          ...{ producerId: first.producerId, producerEpoch: epoch, baseSequence, transactional: true },
        })
        const version = subject().version(produce, 11)
        return settled(
          async () => (await subject().produce(leader, topic, batch, { version, transactionalId: id })).errorCode,
        )
      }
      const first = await begin(id)
      expect([await first.add(topic), await send(0, 0), await first.end(false)]).toEqual([0, 0, 0])
      const second = await begin(id, first)
      expect(second.producerEpoch).toBe(1)
      // Whoever looks asks the coordinator; the others know of no later epoch yet.
      expect(await send(0, 1)).toBe(subject().release.verifiesTransactions ? 47 : 0)
      expect([await second.add(topic), await second.end(false)]).toEqual([0, 0])
      // Nobody is let begin before all have the marker.
      await begin(id, second)
      expect(await send(0, 2)).toBe(47)
    })

    it('offsets that come late are refused under an earlier epoch than that of a marker', async ({ skip }) => {
      if (!claims()) skip('has no such claims')
      const topic = await subject().topic()
      const [id, groupId] = [`tx-${topic}`, `group-${topic}`]
      const group = await subject().coordinator(groupId, 0)
      await subject().known(topic, group)
      const addTo = async ({
        producerId,
        producerEpoch,
      }: Pick<InitProducerIdResponse, 'producerId' | 'producerEpoch'>) =>
        settled(async () => {
          const claim = { transactionalId: id, producerId, producerEpoch, groupId }
          const coordinator = await subject().coordinator(id, 1)
          return (await coordinator.call(addOffsetsToTxn, subject().version(addOffsetsToTxn), claim)).errorCode
        })
      const commit = async (producerEpoch: number, offset: bigint) =>
        settled(async () => {
          const partition = {
            ...{ partitionIndex: 0, committedOffset: offset, committedLeaderEpoch: -1, committedMetadata: null },
          }
          const { topics } = await group.call(txnOffsetCommit, subject().version(txnOffsetCommit, 3), {
            ...{ transactionalId: id, producerId: first.producerId, producerEpoch, groupId },
            ...{ generationIdOrMemberEpoch: -1, memberId: '', groupInstanceId: null },
            ...{ topics: [{ name: topic, topicId: ZERO_UUID, partitions: [partition] }] },
          })
          return topics[0]?.partitions[0]?.errorCode
        })
      const first = await begin(id)
      expect([await addTo(first), await commit(0, 1n), await first.end(false)]).toEqual([0, 0, 0])
      const second = await begin(id, first)
      expect(await commit(0, 2n)).toBe(subject().release.verifiesTransactions ? 47 : 0)
      expect([await addTo(second), await second.end(false)]).toEqual([0, 0])
      await begin(id, second)
      expect(await commit(0, 3n)).toBe(47)
    })

    it('an end without a transaction', async ({ skip }) => {
      if (!subject().has(endTxn)) skip('has no transactions')
      const transaction = await begin(`tx-none-${Date.now()}`)
      expect(await transaction.end(true)).toBe(48)
    })

    it('a second producer fences the first', async ({ skip }) => {
      if (!subject().has(endTxn)) skip('has no transactions')
      const topic = await subject().topic()
      const id = `tx-${topic}`
      const first = await begin(id)
      expect(await first.add(topic)).toBe(0)
      expect((await first.init()).errorCode).toBe(51)
      const second = await begin(id)
      expect([second.producerId === first.producerId, second.producerEpoch]).toEqual([true, 2])
      expect(await first.add(topic)).toBe(fenced(subject().version(addPartitionsToTxn, 3), 2))
      expect(await first.end(true)).toBe(fenced(subject().version(endTxn, 4), 2))
    })
  })

  describe('Groups', () => {
    const joinOf = (groupId: string, memberId: string) => ({
      groupId,
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 10_000,
      memberId,
      groupInstanceId: null,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: Buffer.from('m') }],
      reason: null,
    })

    it('a new member, and a stranger', async ({ skip }) => {
      if (!subject().has(joinGroup)) skip('has no groups')
      const groupId = `g-${Date.now()}`
      const coordinator = await subject().coordinator(groupId, 0)
      const version = subject().version(joinGroup)
      expect(
        (await until(async () => settledOf(await coordinator.call(joinGroup, version, joinOf(groupId, 'stranger')))))
          .errorCode,
      ).toBe(25)
      let joined = await until(async () => settledOf(await coordinator.call(joinGroup, version, joinOf(groupId, ''))))
      if (version >= 4) {
        expect([joined.errorCode, joined.generationId]).toEqual([79, -1])
        joined = await coordinator.call(joinGroup, version, joinOf(groupId, joined.memberId))
      }
      expect(joined).toMatchObject({ errorCode: 0, generationId: 1, protocolName: 'range', leader: joined.memberId })
      expect(joined.members.map(({ memberId }) => memberId)).toEqual([joined.memberId])
      const synced = await coordinator.call(syncGroup, subject().version(syncGroup), {
        groupId,
        generationId: 1,
        memberId: joined.memberId,
        groupInstanceId: null,
        protocolType: subject().version(syncGroup) >= 5 ? 'consumer' : null,
        protocolName: subject().version(syncGroup) >= 5 ? 'range' : null,
        assignments: [{ memberId: joined.memberId, assignment: Buffer.from('all') }],
      })
      expect([synced.errorCode, synced.assignment.toString()]).toEqual([0, 'all'])
      const beat = async (memberId: string, generationId: number) => {
        const caller = { groupId, generationId, memberId, groupInstanceId: null }
        return (await coordinator.call(heartbeat, subject().version(heartbeat), caller)).errorCode
      }
      expect([await beat(joined.memberId, 1), await beat(joined.memberId, 9), await beat('stranger', 1)]).toEqual([
        0, 22, 25,
      ])
    })

    it('offsets of a reader outside of any group membership', async ({ skip }) => {
      if (subject().version(offsetCommit) < 2) skip('keeps them in ZooKeeper, or times them')
      const topic = await subject().topic()
      const groupId = `g-${topic}`
      const coordinator = await subject().coordinator(groupId, 0)
      const commit = async (partitionIndex: number, generation: number, metadata = 'note') => {
        const partition = {
          partitionIndex,
          committedOffset: 17n,
          committedLeaderEpoch: -1,
          commitTimestamp: -1,
          committedMetadata: metadata,
        }
        const response = await coordinator.call(offsetCommit, subject().version(offsetCommit, 8), {
          groupId,
          generationIdOrMemberEpoch: generation,
          memberId: '',
          groupInstanceId: null,
          retentionTimeMs: -1,
          topics: [{ name: topic, topicId: ZERO_UUID, partitions: [partition] }],
        })
        return response.topics[0]?.partitions[0]?.errorCode
      }
      const read = async () => {
        const topics = [{ name: topic, topicId: ZERO_UUID, partitionIndexes: [0] }]
        const groups = [{ groupId, memberId: null, memberEpoch: -1, topics }]
        const response = await coordinator.call(offsetFetch, subject().version(offsetFetch, 7), {
          groups,
          requireStable: false,
        })
        const found = response.groups[0]?.topics[0]?.partitions[0]
        return [found?.errorCode, found?.committedOffset, found?.metadata]
      }
      // Another broker's coordinator may hear of the topic a moment later.
      await subject().known(topic, coordinator)
      expect(await settled(async () => commit(0, 5))).toBe(22)
      expect(await read()).toEqual([0, -1n, ''])
      expect(await settled(async () => commit(0, -1))).toBe(0)
      expect(await read()).toEqual([0, 17n, 'note'])
      expect([await commit(7, -1), await commit(0, -1, 'x'.repeat(4097))]).toEqual([
        subject().release.keepsOffsetsOfUnknownPartitions ? 0 : 3,
        12,
      ])
    })

    it('sessions that are too short', async ({ skip }) => {
      if (!subject().has(joinGroup)) skip('has no groups')
      const groupId = `g-short-${Date.now()}`
      const coordinator = await subject().coordinator(groupId, 0)
      const request = { ...joinOf(groupId, ''), sessionTimeoutMs: 5_999 }
      const answer = await until(async () =>
        settledOf(await coordinator.call(joinGroup, subject().version(joinGroup), request)),
      )
      expect(answer.errorCode).toBe(26)
    })
  })
}

/** Undefined for an answer of a coordinator that is not ready. */
function settledOf<T extends { errorCode: number }>(answer: T): T | undefined {
  return [14, 15, 16].includes(answer.errorCode) ? undefined : answer
}

/** The error code, once it is not one of a coordinator that is not ready or still busy with the last transaction. */
async function settled(ask: () => Promise<number | undefined>): Promise<number> {
  return until(async () => {
    const code = await ask()
    return code === undefined || [14, 15, 16, 51].includes(code) ? undefined : code
  })
}
