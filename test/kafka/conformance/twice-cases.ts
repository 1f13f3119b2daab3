import { describe, expect, it } from 'vitest'
import { fetch } from '../../../src/protocol/apis/fetch.js'
import { initProducerId } from '../../../src/protocol/apis/init-producer-id.js'
import { listOffsets } from '../../../src/protocol/apis/list-offsets.js'
import { produce } from '../../../src/protocol/apis/produce.js'
import type { RawClient } from '../../embedded/support/raw-client.js'
import { batchOf, fetchRequest, produceRequest } from '../../embedded/support/requests.js'
import { until, type Subject } from './subject.js'

/** What is named several times in one request, and numbers that make no sense. */
export function twiceCases(subject: () => Subject): void {
  /** A topic with one message, and its leader. */
  const written = async (): Promise<[string, RawClient]> => {
    const topic = await subject().topic()
    const leader = await subject().leader(topic)
    await subject().produce(leader, topic, subject().records([{ value: 'a', timestamp: Date.now() }]))
    return [topic, leader]
  }

  describe('The same partition twice in one request', () => {
    it('Produce: is written to once', async () => {
      const topic = await subject().topic()
      const leader = await subject().leader(topic)
      const one = produceRequest(subject().records([{ value: 'a', timestamp: Date.now() }]), { topic })
      const [data] = one.topicData
      for (const topicData of [
        [{ ...data, partitionData: [...(data?.partitionData ?? []), ...(data?.partitionData ?? [])] }],
        [data, data],
      ]) {
        const before = (await subject().offset(leader, topic, -1n)).offset
        const request = { ...one, topicData: topicData as typeof one.topicData }
        const { responses } = await leader.call(produce, subject().version(produce), request)
        expect(
          responses.flatMap(({ partitionResponses }) => partitionResponses).map(({ errorCode }) => errorCode),
        ).toEqual([0])
        expect((await subject().offset(leader, topic, -1n)).offset - before).toBe(1n)
      }
    })

    it('Fetch: is read once', async () => {
      const [topic, leader] = await written()
      const version = subject().version(fetch)
      const one = fetchRequest({ topic, maxWaitMs: 500 })
      const [asked] = one.topics
      for (const topics of [
        [{ ...asked, partitions: [...(asked?.partitions ?? []), ...(asked?.partitions ?? [])] }],
        [asked, asked],
      ]) {
        const { responses } = await leader.call(fetch, version, { ...one, topics: topics as typeof one.topics })
        expect(responses.flatMap(({ partitions }) => partitions).map(({ errorCode }) => errorCode)).toEqual([0])
      }
    })

    it('ListOffsets: is an error, from version 1 on', async ({ skip }) => {
      if (!subject().release.atLeast(2, 8)) skip('was not asked')
      const [topic, leader] = await written()
      const asked = { partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1, maxNumOffsets: 1 }
      const { topics } = await leader.call(listOffsets, subject().version(listOffsets), {
        replicaId: -1,
        isolationLevel: 0,
        timeoutMs: 1_000,
        topics: [{ name: topic, partitions: [asked, asked, { ...asked, partitionIndex: 7 }] }],
      })
      const codes = topics.flatMap(({ partitions }) =>
        partitions.map(({ partitionIndex, errorCode }) => [partitionIndex, errorCode]),
      )
      const refused = [0, 42]
      expect(codes.sort()).toEqual(subject().release.atLeast(4, 0) ? [refused, [7, 3]] : [refused, refused, [7, 3]])
    })
  })

  describe('Numbers that make no sense', () => {
    it('ListOffsets of a time that the version does not have', async ({ skip }) => {
      if (!subject().release.isKraft) skip('takes it for a time')
      const [topic, leader] = await written()
      for (const [version, timestamps] of [
        [6, { '-1': 0, '-2': 0, '-3': 35 }],
        [7, { '-3': 0, '-4': 35 }],
        [8, { '-4': 0, '-5': 35 }],
        [9, { '-5': 0, '-6': 35 }],
        [subject().version(listOffsets), { '-7': 35, '-100': 35 }],
      ] as const) {
        for (const [timestamp, errorCode] of Object.entries(timestamps)) {
          const asked = { partitionIndex: 0, currentLeaderEpoch: -1, timestamp: Number(timestamp), maxNumOffsets: 1 }
          const { topics } = await leader.call(listOffsets, version, {
            replicaId: -1,
            isolationLevel: 0,
            timeoutMs: 1_000,
            topics: [{ name: topic, partitions: [asked] }],
          })
          expect([version, timestamp, topics[0]?.partitions[0]?.errorCode]).toEqual([version, timestamp, errorCode])
        }
      }
    })

    it('Fetch with bytes below none, and of an isolation that there is not', async ({ skip }) => {
      if (subject().version(fetch) < 4) skip('has no such version')
      if (!subject().release.atLeast(2, 8)) skip('was not asked')
      const [topic, leader] = await written()
      for (const odd of [{ maxBytes: -1 }, { partitionMaxBytes: -1 }, { isolationLevel: 7 }]) {
        const { responses } = await leader.call(fetch, 4, fetchRequest({ topic, maxWaitMs: 500, ...odd }))
        expect(responses[0]?.partitions[0]?.errorCode).toBe(-1)
      }
    })

    it('Fetch of a session that there is not', async ({ skip }) => {
      if (subject().version(fetch) < 7) skip('has no sessions')
      const [topic, leader] = await written()
      const ask = async (sessionId: number, sessionEpoch: number) => {
        const request = { ...fetchRequest({ topic, maxWaitMs: 500 }), sessionId, sessionEpoch }
        const { errorCode, responses } = await leader.call(fetch, subject().version(fetch), request)
        return [errorCode, responses.length]
      }
      expect(await ask(123_456, 1)).toEqual([70, 0])
      expect(await ask(0, 5)).toEqual([70, 0])
      expect(await ask(0, -2)).toEqual([70, 0])
      // Whoever begins anew, or wants none, is welcome with any id.
      expect(await ask(123_456, 0)).toEqual([0, 1])
      expect(await ask(123_456, -1)).toEqual([0, 1])
    })

    it('Produce: a producer without a sequence, and a transaction without its id', async ({ skip }) => {
      if (!subject().has(initProducerId)) skip('is not idempotent')
      if (!subject().release.atLeast(2, 8)) skip('was not asked')
      const topic = await subject().topic()
      const leader = await subject().leader(topic)
      const send = async (producer: Parameters<typeof batchOf>[1]) =>
        until(async () => {
          const batch = batchOf([{ value: 'a', timestamp: Date.now() }], { producerEpoch: 0, ...producer })
          const version = subject().version(produce, 11)
          return (await subject().produce(leader, topic, batch, { version })).errorCode
        })
      expect(await send({ producerId: 987_654n, baseSequence: -1 })).toBe(87)
      expect(await send({ producerId: 987_655n, baseSequence: 0, transactional: true })).toBe(53)
    })
  })
}
