import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { fetch } from '../../../src/protocol/apis/fetch.js'
import { initProducerId } from '../../../src/protocol/apis/init-producer-id.js'
import { produce } from '../../../src/protocol/apis/produce.js'
import { crc32c } from '../../../src/protocol/crc32c.js'
import { decodeBatches } from '../../../src/protocol/records/decode.js'
import {
  batchOf,
  compressedMessagesOf,
  fetchFrom,
  messagesOf,
  produceRequest,
} from '../../embedded/support/requests.js'
import { foreign, until, type Subject } from './subject.js'

const CRC_AT = 17
const ATTRIBUTES_AT = 21
const MAX_TIMESTAMP_AT = 35
const now = Date.now()

export function produceCases(subject: () => Subject): void {
  describe('Produce', () => {
    it.for([1, -1])('acks %i: answers the offset of the first message', async (acks) => {
      const topic = await subject().topic()
      const leader = await subject().leader(topic)
      const first = await subject().produce(leader, topic, subject().records([{ value: 'a' }, { value: 'b' }]), {
        acks,
      })
      const second = await subject().produce(leader, topic, subject().records([{ value: 'c' }]), { acks })
      expect([first.errorCode, first.baseOffset, second.errorCode, second.baseOffset]).toEqual([0, 0n, 0, 2n])
      expect([first.logAppendTimeMs, first.recordErrors]).toEqual([-1, []])
    })

    it('acks 0: is not answered', async () => {
      const topic = await subject().topic()
      const leader = await subject().leader(topic)
      leader.send(
        produce,
        subject().version(produce),
        produceRequest(subject().records([{ value: 'a' }]), { topic, acks: 0 }),
      )
      await until(async () => ((await subject().offset(leader, topic, -1n)).offset === 1n ? true : undefined))
    })

    it('acks 0: an error closes the connection', async () => {
      const leader = await subject().leader('small')
      const tooLarge = subject().records([{ value: 'x'.repeat(600) }])
      leader.send(produce, subject().version(produce), produceRequest(tooLarge, { topic: 'small', acks: 0 }))
      await leader.untilClosed()
    })

    it('acks 2', async () => {
      const topic = await subject().topic()
      const { errorCode } = await subject().produce(
        await subject().leader(topic),
        topic,
        subject().records([{ value: 'a' }]),
        { acks: 2 },
      )
      // 0.8.2 waits for that many replicas, and there is one.
      expect(errorCode).toBe(subject().release.takesAnyAcks ? 7 : 21)
    })

    it('an unknown topic, an unknown partition, a broker without a replica', async () => {
      const topic = await subject().topic()
      const records = subject().records([{ value: 'a' }])
      const leader = await subject().leader(topic)
      const outsider = await subject().outsider(topic)
      const codes = [
        (await subject().produce(leader, 'nowhere', records)).errorCode,
        (await subject().produce(leader, topic, records, { partition: 7 })).errorCode,
        (await subject().produce(outsider, topic, records)).errorCode,
      ]
      expect(codes).toEqual([3, 3, foreign(subject())])
    })

    it('a batch larger than the topic allows', async () => {
      const leader = await subject().leader('small')
      const { errorCode, baseOffset } = await subject().produce(
        leader,
        'small',
        subject().records([{ value: 'x'.repeat(600) }]),
      )
      expect([errorCode, baseOffset]).toEqual([10, -1n])
    })

    it('with fewer replicas in sync than are wanted, and with fewer than that in all', async () => {
      const leader = await subject().leader('strict')
      const { errorCode } = await subject().produce(leader, 'strict', subject().records([{ value: 'a' }]))
      expect(errorCode).toBe(subject().release.boundsMinInsync ? 0 : 19)
    })

    it('a wrong checksum', async () => {
      const topic = await subject().topic()
      const records = subject().records([{ value: 'damaged' }])
      records.writeUInt8(records.readUInt8(records.length - 2) ^ 0xff, records.length - 2)
      expect((await subject().produce(await subject().leader(topic), topic, records)).errorCode).toBe(2)
    })

    it('a message without a key for a compacted topic', async () => {
      const leader = await subject().leader('compacted')
      const { errorCode } = await subject().produce(leader, 'compacted', subject().records([{ value: 'a' }]))
      expect(errorCode).toBe(keyless(subject()))
      expect(
        (await subject().produce(leader, 'compacted', subject().records([{ key: 'k', value: 'a' }]))).errorCode,
      ).toBe(0)
    })

    it('messages of an older format, in the versions that have them', async ({ skip }) => {
      if (subject().release.served(produce.key)?.min !== 0) skip('has no such versions')
      const topic = await subject().topic()
      const leader = await subject().leader(topic)
      const { errorCode, baseOffset } = await subject().produce(
        leader,
        topic,
        messagesOf([{ value: 'a' }, { value: 'b' }], 0),
        { version: 0 },
      )
      expect([errorCode, baseOffset]).toEqual([0, 0n])
      expect((await subject().offset(leader, topic, -1n)).offset).toBe(2n)
    })

    // Those of kafka-node are all 0.
    it.for([[[0n, 1n]], [[0n, 0n]], [[5n, 6n]]] as const)(
      'a compressed message set of magic 1 with the offsets %s in it',
      async ([offsets], { skip }) => {
        if (subject().release.served(produce.key)?.min !== 0 || subject().version(produce) < 2)
          skip('has no such versions')
        const topic = await subject().topic()
        const leader = await subject().leader(topic)
        const set = compressedMessagesOf([{ value: 'a' }, { value: 'b', timestamp: 2_000 }], 1, offsets)
        for (const baseOffset of [0n, 2n]) {
          const answer = await subject().produce(leader, topic, set, { version: 2 })
          expect([answer.errorCode, answer.baseOffset]).toEqual([0, baseOffset])
        }
        expect(await subject().offset(leader, topic, 1_500n)).toEqual({ errorCode: 0, timestamp: 2_000, offset: 1n })
        const { records } = await fetchFrom(leader, { version: subject().version(fetch), topic, maxWaitMs: 500 })
        const decompress = (_: number, bytes: Buffer) => gunzipSync(bytes)
        const read = decodeBatches(records ?? Buffer.alloc(0), { decompress }).flatMap((batch) => batch.records)
        expect(read.map(({ offset, value }) => [offset, value?.toString()])).toEqual([
          [0n, 'a'],
          [1n, 'b'],
          [2n, 'a'],
          [3n, 'b'],
        ])
      },
    )

    it('what is compressed beside others, or of other formats, before version 3', async ({ skip }) => {
      if (subject().release.served(produce.key)?.min !== 0 || subject().version(produce) < 2)
        skip('has no such versions')
      const topic = await subject().topic()
      const leader = await subject().leader(topic)
      const compressed = compressedMessagesOf([{ value: 'a' }], 1, [0n])
      const [plain, old] = [messagesOf([{ value: 'b' }], 1), messagesOf([{ value: 'c' }], 0)]
      const codes: number[] = []
      for (const sets of [
        [compressed, compressed],
        [plain, compressed],
        [plain, old],
        [plain, plain],
      ]) {
        const { errorCode } = await subject().produce(leader, topic, Buffer.concat(sets), { version: 2 })
        codes.push(errorCode)
      }
      expect(codes).toEqual(subject().release.wantsOneFormat ? [87, 87, 87, 0] : [0, 0, 0, 0])
    })

    it('two batches for a partition, from version 3 on', async ({ skip }) => {
      if (subject().version(produce) < 3) skip('has no such versions')
      const topic = await subject().topic()
      const leader = await subject().leader(topic)
      const request = produceRequest(Buffer.concat([batchOf([{}]), batchOf([{}])]), { topic })
      leader.send(produce, subject().version(produce), request)
      if (subject().release.hangsUpOnWrongBatches) await leader.untilClosed()
      else
        expect(
          (await leader.answer(produce, subject().version(produce))).responses[0]?.partitionResponses[0]?.errorCode,
        ).toBe(87)
    })

    it('a version that it does not have', async ({ skip }) => {
      const next = subject().version(produce, Infinity) + 1
      if (subject().release.servedVersion(produce.key, next) !== undefined || next > produce.maxVersion)
        skip('takes it for the newest')
      const client = await subject().connect()
      client.send(produce, next, produceRequest(batchOf([{}]), { topic: 'small' }))
      await client.untilClosed()
    })

    it.for([-1n, 1_000n, 9_000n])('a batch that says its newest timestamp were %i', async (told, { skip }) => {
      if (subject().release.maxMagic < 2) skip('has no batches')
      const topic = await subject().topic()
      const leader = await subject().leader(topic)
      const batch = batchOf([{ timestamp: 1_000 }, { timestamp: 2_000 }])
      batch.writeBigInt64BE(told, MAX_TIMESTAMP_AT)
      batch.writeUInt32BE(crc32c(batch, ATTRIBUTES_AT), CRC_AT)
      expect((await subject().produce(leader, topic, batch)).errorCode).toBe(0)
      expect(await subject().offset(leader, topic, 1_500n)).toEqual({ errorCode: 0, timestamp: 2_000, offset: 1n })
      expect((await subject().offset(leader, topic, 2_001n)).offset).toBe(-1n)
      const { records } = await fetchFrom(leader, { version: subject().version(fetch), topic, maxWaitMs: 500 })
      expect(decodeBatches(records ?? Buffer.alloc(0))[0]?.maxTimestamp).toBe(2_000)
    })

    it('a timestamp two hours ahead', async ({ skip }) => {
      if (subject().release.maxMagic < 2) skip('has no such check')
      const topic = await subject().topic()
      const records = subject().records([{ value: 'a', timestamp: now + 7_200_000 }])
      const { errorCode } = await subject().produce(await subject().leader(topic), topic, records)
      expect(errorCode).toBe(subject().release.maxTimestampAheadMs === Infinity ? 0 : 32)
    })
  })

  describe('Idempotence', () => {
    const producerOf = async (): Promise<{ producerId: bigint; producerEpoch: number }> => {
      const client = await subject().connect()
      const nobody = { producerId: -1n, producerEpoch: -1, enable2Pc: false, keepPreparedTxn: false }
      const request = { transactionalId: null, transactionTimeoutMs: 60_000, ...nobody }
      return until(async () => {
        const answer = await client.call(initProducerId, subject().version(initProducerId, 5), request)
        return answer.errorCode === 0 ? answer : undefined
      })
    }

    it('duplicates and gaps', async ({ skip }) => {
      if (!subject().has(initProducerId)) skip('is not idempotent')
      const topic = await subject().topic()
      const leader = await subject().leader(topic)
      const { producerId, producerEpoch } = await producerOf()
      const send = async (baseSequence: number, count: number, epoch = producerEpoch) => {
        const messages = Array.from({ length: count }, () => ({ value: 'a' }))
        const batch = batchOf(messages, { producerId, producerEpoch: epoch, baseSequence })
        const { errorCode, baseOffset } = await subject().produce(leader, topic, batch)
        return [errorCode, baseOffset]
      }
      expect(producerEpoch).toBe(0)
      expect(await send(0, 2)).toEqual([0, 0n])
      expect(await send(0, 2)).toEqual([0, 0n])
      expect(await send(2, 1)).toEqual([0, 2n])
      expect(await send(4, 1)).toEqual([45, -1n])
      // 0.11 remembers the newest batch alone.
      expect(await send(0, 2)).toEqual(subject().release.rememberedBatches === 1 ? [45, -1n] : [0, 0n])
      expect(await send(5, 1, producerEpoch + 1)).toEqual([45, -1n])
      expect(await send(0, 1, producerEpoch + 1)).toEqual([0, 3n])
      expect(await send(3, 1)).toEqual([47, -1n])
    })

    it('a first sequence that is not 0', async ({ skip }) => {
      if (!subject().has(initProducerId)) skip('is not idempotent')
      const topic = await subject().topic()
      const producer = await producerOf()
      const { errorCode } = await subject().produce(
        await subject().leader(topic),
        topic,
        batchOf([{}], { ...producer, baseSequence: 5 }),
      )
      const codes = { accepted: 0, UNKNOWN_PRODUCER_ID: 59, OUT_OF_ORDER_SEQUENCE_NUMBER: 45 }
      expect(errorCode).toBe(codes[subject().release.unknownProducer])
    })
  })
}

/** What a compacted topic answers to a message without a key. */
function keyless({ release }: Subject): number {
  if (!release.wantsKeysInCompactedTopics) return 0
  return release.errorOfInvalidRecord === 'INVALID_RECORD' ? 87 : 2
}
