import { describe, expect, it } from 'vitest'
import { fetch } from '../../../src/protocol/apis/fetch.js'
import { listOffsets } from '../../../src/protocol/apis/list-offsets.js'
import { metadata } from '../../../src/protocol/apis/metadata.js'
import { produce } from '../../../src/protocol/apis/produce.js'
import { decodeBatches } from '../../../src/protocol/records/decode.js'
import type { RawClient } from '../../embedded/support/raw-client.js'
import { fetchFrom, type FetchOptions } from '../../embedded/support/requests.js'
import { foreign, until, type Subject } from './subject.js'

export function readCases(subject: () => Subject): void {
  describe('Metadata', () => {
    it('of a topic that is not there creates it', async () => {
      const name = `made-${Date.now()}`
      const {
        topics: [first],
      } = await subject().metadata(name)
      expect([first?.errorCode, first?.partitions]).toEqual([
        subject().release.errorOfNewTopic === 'LEADER_NOT_AVAILABLE' ? 5 : 3,
        [],
      ])
      const [topic] = await until(async () => {
        const { topics } = await subject().metadata(name)
        return topics[0]?.errorCode === 0 && topics[0].partitions[0]?.errorCode === 0 ? topics : undefined
      })
      expect(topic?.partitions.map(({ partitionIndex }) => partitionIndex)).toEqual([0])
    })

    it('does not create it where that is not wanted, from version 4 on', async ({ skip }) => {
      if (subject().version(metadata) < 4) skip('has no such version')
      for (let i = 0; i < 2; i++) {
        const {
          topics: [topic],
        } = await subject().metadata('not-wanted', { create: false })
        expect([topic?.errorCode, topic?.partitions]).toEqual([3, []])
      }
    })

    it('refuses names that no topic can have', async () => {
      const {
        topics: [topic],
      } = await subject().metadata('no/topic')
      expect([topic?.errorCode, topic?.name]).toEqual([17, 'no/topic'])
    })

    it('names all brokers, and the controller from version 1 on', async () => {
      const { brokers, controllerId } = await subject().metadata('small')
      expect(brokers.map(({ nodeId }) => nodeId).sort()).toEqual([1, 2, 3])
      if (subject().version(metadata) >= 1) expect([1, 2, 3]).toContain(controllerId)
    })
  })

  describe('ListOffsets', () => {
    it('tells the first and the next offset', async () => {
      const [topic, leader] = await written(subject())
      const earliest = await subject().offset(leader, topic, -2n)
      const latest = await subject().offset(leader, topic, -1n)
      expect([earliest.errorCode, earliest.offset, latest.errorCode, latest.offset]).toEqual([0, 0n, 0, 3n])
    })

    it('finds the first message from a time on, from version 1 on', async ({ skip }) => {
      if (subject().version(listOffsets) < 1) skip('has no such version')
      const [topic, leader] = await written(subject())
      expect(await subject().offset(leader, topic, 2_500n)).toEqual({ errorCode: 0, timestamp: 3_000, offset: 2n })
      expect(await subject().offset(leader, topic, 3_001n)).toEqual({ errorCode: 0, timestamp: -1, offset: -1n })
    })

    it("is the leader's to answer", async () => {
      const [topic] = await written(subject())
      expect((await subject().offset(await subject().outsider(topic), topic, -1n)).errorCode).toBe(foreign(subject()))
      expect((await subject().offset(await subject().connect(), 'nowhere', -1n)).errorCode).toBe(3)
    })
  })

  describe('Fetch', () => {
    const read = async (client: RawClient, topic: string, options: FetchOptions = {}) => {
      const answer = await fetchFrom(client, { version: subject().version(fetch), topic, ...options })
      const batches = decodeBatches(answer.records ?? Buffer.alloc(0), { partialTail: true })
      const values = batches.flatMap(({ records }) => records.map(({ value }) => value?.toString()))
      return {
        errorCode: answer.errorCode,
        highWatermark: answer.highWatermark,
        values,
        bytes: answer.records?.length ?? 0,
      }
    }

    it('gives what is there from an offset on', async () => {
      const [topic, leader] = await written(subject())
      expect(await read(leader, topic, { maxWaitMs: 500 })).toMatchObject({
        errorCode: 0,
        highWatermark: 3n,
        values: ['a', 'b', 'c'],
      })
      expect((await read(leader, topic, { offset: 2n, maxWaitMs: 500 })).values).toEqual(['c'])
    })

    it('gives nothing at the end, and refuses what lies beyond', async () => {
      const [topic, leader] = await written(subject())
      expect(await read(leader, topic, { offset: 3n })).toMatchObject({ errorCode: 0, highWatermark: 3n, values: [] })
      expect((await read(leader, topic, { offset: 4n })).errorCode).toBe(1)
      expect((await read(leader, topic, { offset: -7n })).errorCode).toBe(1)
    })

    it("is the leader's to answer", async () => {
      const [topic, leader] = await written(subject())
      expect((await read(await subject().outsider(topic), topic)).errorCode).toBe(foreign(subject()))
      expect((await read(leader, 'nowhere')).errorCode).toBe(3)
      expect((await read(leader, topic, { partition: 7 })).errorCode).toBe(3)
    })

    it('with too few bytes allowed: a part of a message, or all of the first batch from version 3 on', async () => {
      const [topic, leader] = await written(subject())
      const { bytes, values } = await read(leader, topic, { partitionMaxBytes: 10, maxWaitMs: 500 })
      if (subject().version(fetch) < 3) expect([bytes, values]).toEqual([10, []])
      else expect(values).toEqual(['a'])
    })

    it('with bytes allowed that end within the second message: a part of that', async () => {
      const [topic, leader] = await written(subject())
      const all = await read(leader, topic, { maxWaitMs: 500 })
      const partitionMaxBytes = Math.floor(all.bytes / 2)
      const { bytes, values } = await read(leader, topic, { partitionMaxBytes, maxWaitMs: 500 })
      expect([bytes, values]).toEqual([partitionMaxBytes, ['a']])
    })

    it('by topic ids, from version 13 on', async ({ skip }) => {
      const newest = Math.min(subject().release.served(fetch.key)?.max ?? 0, fetch.maxVersion)
      if (newest < 13) skip('has no such version')
      const [topic, leader] = await written(subject())
      const topicId = (await subject().metadata(topic)).topics[0]?.topicId ?? Buffer.alloc(0)
      expect((await read(leader, '', { topicId, version: newest, maxWaitMs: 500 })).values).toEqual(['a', 'b', 'c'])
      expect((await read(leader, '', { topicId: Buffer.alloc(16, 7), version: newest })).errorCode).toBe(100)
      if ((subject().release.served(produce.key)?.max ?? 0) < 13) return
      const records = subject().records([{ value: 'd' }])
      const known = await subject().produce(leader, '', records, { topicId, version: 13 })
      const unknown = await subject().produce(leader, '', records, { topicId: Buffer.alloc(16, 7), version: 13 })
      expect([known.errorCode, known.baseOffset, unknown.errorCode]).toEqual([0, 3n, 100])
    })

    it('waits for messages to come', async () => {
      const [topic, leader] = await written(subject())
      const writer = await subject().leader(topic)
      const waiting = read(leader, topic, { offset: 3n, maxWaitMs: 20_000 })
      await subject().produce(writer, topic, subject().records([{ value: 'd' }]))
      expect((await waiting).values).toEqual(['d'])
    })
  })
}

/** A topic with three messages in a batch each, and its leader. */
async function written(subject: Subject): Promise<[string, RawClient]> {
  const topic = await subject.topic()
  const leader = await subject.leader(topic)
  for (const [index, value] of ['a', 'b', 'c'].entries()) {
    const { errorCode } = await subject.produce(
      leader,
      topic,
      subject.records([{ value, timestamp: 1_000 * (index + 1) }]),
    )
    expect(errorCode).toBe(0)
  }
  return [topic, leader]
}
