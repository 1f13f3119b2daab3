import { crc32, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { produce } from '../../../src/protocol/apis/produce.js'
import { crc32c } from '../../../src/protocol/crc32c.js'
import { ErrorCodes } from '../../../src/protocol/error-codes.js'
import { decodeBatches } from '../../../src/protocol/records/decode.js'
import type { EmbeddedKafka } from '../../../src/testing/index.js'
import { connectTo, startKafka } from '../support/cluster.js'
import { batchOf, fetchFrom, messagesOf, produceRequest, produceTo } from '../support/requests.js'

const CRC_AT = 17
const ATTRIBUTES_AT = 21
const LAST_OFFSET_DELTA_AT = 23
const COUNT_AT = 57
const RECORDS_AT = 61

/** A batch with its checksum made right again after a change. */
function sealed(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch, ATTRIBUTES_AT), CRC_AT)
  return batch
}

function varint(value: number): number[] {
  const bytes: number[] = []
  for (let left = value * 2; ; left >>>= 7) {
    if (left < 0x80) return [...bytes, left]
    bytes.push((left & 0x7f) | 0x80)
  }
}

/** So many records without anything, made small by gzip. */
function crowd(count: number): Buffer {
  const records = Buffer.alloc(count * 12)
  let size = 0
  for (let i = 0; i < count; i++) {
    const body = [0, 0, ...varint(i), 1, 1, 0]
    records.set([...varint(body.length), ...body], size)
    size += body.length + 1
  }
  return compressed(records.subarray(0, size), count)
}

/** One record with so many empty headers. */
function crowdOfHeaders(count: number): Buffer {
  const headers = Buffer.alloc(count * 2, Buffer.from([0, 1]))
  const body = Buffer.concat([Buffer.from([0, 0, 0, 1, 1, ...varint(count)]), headers])
  return compressed(Buffer.concat([Buffer.from(varint(body.length)), body]), 1)
}

function compressed(records: Buffer, count: number): Buffer {
  const batch = Buffer.concat([batchOf([{ value: 'x' }]).subarray(0, RECORDS_AT), gzipSync(records)])
  batch.writeInt32BE(batch.length - 12, 8)
  batch.writeInt16BE(1, ATTRIBUTES_AT)
  batch.writeInt32BE(count - 1, LAST_OFFSET_DELTA_AT)
  batch.writeInt32BE(count, COUNT_AT)
  return sealed(batch)
}

function values(kafka: EmbeddedKafka, topic = 'orders'): (string | undefined)[] {
  return kafka.records(topic).map(({ value }) => value?.toString())
}

describe('Produce: what is appended', () => {
  it('a batch, with offsets counted on and the leader epoch set', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const client = await connectTo(kafka)
    const first = await produceTo(client, batchOf([{ key: 'a', value: '1', headers: [['h', 'x']] }, { value: null }]))
    const second = await produceTo(client, batchOf([{ value: '3', timestamp: 2_000 }]))
    expect([first.errorCode, first.baseOffset, second.baseOffset, second.logStartOffset]).toEqual([0, 0n, 2n, 0n])
    expect(
      kafka
        .records('orders')
        .map(({ offset, key, value, timestamp, headers }) => [
          offset,
          key?.toString(),
          value?.toString(),
          timestamp,
          headers.map((header) => [header.key, header.value?.toString()]),
        ]),
    ).toEqual([
      [0n, 'a', '1', 1_000, [['h', 'x']]],
      [1n, undefined, undefined, 1_000, []],
      [2n, undefined, '3', 2_000, []],
    ])
    const { records } = await fetchFrom(client, { offset: 1n })
    const batches = decodeBatches(records ?? Buffer.alloc(0))
    expect(batches.map(({ baseOffset, lastOffset, leaderEpoch }) => [baseOffset, lastOffset, leaderEpoch])).toEqual([
      [0n, 1n, 0],
      [2n, 2n, 0],
    ])
  })

  it.each([
    ['0.9', 0, 1],
    ['0.10.2', 1, 2],
    ['2.8', 0, 0],
    ['2.8', 1, 2],
  ] as const)('Kafka %s: message sets of magic %i', async (release, magic, version) => {
    const kafka = await startKafka({ release, topics: { orders: {} } })
    const client = await connectTo(kafka)
    const answer = await produceTo(client, messagesOf([{ key: 'a', value: '1' }, { value: '2' }], magic), { version })
    expect([answer.errorCode, answer.baseOffset]).toEqual([0, 0n])
    expect(kafka.records('orders').map((record) => [record.offset, record.value?.toString(), record.magic])).toEqual([
      [0n, '1', magic],
      [1n, '2', magic],
    ])
  })

  it('topics by id, from version 13 on', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const client = await connectTo(kafka)
    const unknown = await produceTo(client, batchOf([{ value: '1' }]), { version: 13, topicId: Buffer.alloc(16, 7) })
    expect(unknown.errorCode).toBe(ErrorCodes.UNKNOWN_TOPIC_ID)
    expect(kafka.requests.at(-1)?.topics[0]?.topic).toBe('')
  })

  it.each(['4', '2.8', '0.10.2'])('Kafka %s: the time of the append, where the topic wants that', async (release) => {
    const kafka = await startKafka({
      release,
      topics: { orders: { config: { 'message.timestamp.type': 'LogAppendTime' } } },
    })
    const client = await connectTo(kafka)
    const before = Date.now()
    const old = release === '0.10.2'
    // What the message says of itself does not matter, be it of the future.
    const message = { value: '1', timestamp: Date.now() + 400 * 86_400_000 }
    const records = old ? messagesOf([message], 1) : batchOf([message])
    const answer = await produceTo(client, records, { version: old ? 2 : 9 })
    expect(answer.logAppendTimeMs).toBeGreaterThanOrEqual(before)
    expect(kafka.records('orders').map(({ timestamp }) => timestamp)).toEqual([answer.logAppendTimeMs])
  })

  it('with acks 0, without an answer', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const client = await connectTo(kafka)
    client.send(produce, 9, produceRequest(batchOf([{ value: '1' }]), { acks: 0 }))
    const second = await produceTo(client, batchOf([{ value: '2' }]))
    expect(second.baseOffset).toBe(1n)
    expect(client.hasFrame).toBe(false)
  })
})

describe('Produce: what is refused', () => {
  const batch = batchOf([
    { key: 'a', value: 'b' },
    { key: 'c', value: 'd' },
  ])
  const damaged = Buffer.from(batch)
  damaged[batch.length - 1] = 0x7f
  const wrongCount = Buffer.from(batch)
  wrongCount.writeInt32BE(5, LAST_OFFSET_DELTA_AT)
  const control = Buffer.from(batch)
  control.writeInt16BE(0x20, ATTRIBUTES_AT)
  const negativeSize = Buffer.from(batch)
  negativeSize.writeInt32BE(-5, 8)
  const hugeSize = Buffer.from(batch)
  hugeSize.writeInt32BE(0x7fffffff, 8)
  const badRecord = Buffer.from(batch)
  badRecord[61] = 0x01

  const damagedCount = Buffer.from(batch)
  damagedCount.writeInt32BE(0x7fffffff, COUNT_AT)

  /** Of a codec that makes nothing that can be undone. */
  const packed = (codec: number, records: Buffer) => {
    const bytes = Buffer.concat([batch.subarray(0, RECORDS_AT), records])
    bytes.writeInt32BE(bytes.length - 12, 8)
    bytes.writeInt16BE(codec, ATTRIBUTES_AT)
    return sealed(bytes)
  }

  /** It says that it is compressed. */
  const withoutValue = messagesOf([{ value: null }], 1)
  withoutValue[17] = 1
  withoutValue.writeUInt32BE(crc32(withoutValue.subarray(16)), 12)

  const wrongDelta = Buffer.from(batch)
  wrongDelta[64] = 2
  const wrongBase = Buffer.from(batch)
  wrongBase.writeBigInt64BE(5n, 0)

  it.each<[string, Buffer | null, string, object?]>([
    ['a record at another offset of its batch', sealed(wrongDelta), 'INVALID_RECORD'],
    ['a batch that does not begin at offset 0', wrongBase, 'INVALID_RECORD'],
    ['a wrong checksum', damaged, 'CORRUPT_MESSAGE'],
    ['a batch cut off', batch.subarray(0, -1), 'CORRUPT_MESSAGE'],
    ['a negative size', negativeSize, 'CORRUPT_MESSAGE'],
    ['a huge size', hugeSize, 'CORRUPT_MESSAGE'],
    ['a magic nobody knows', Buffer.from(batch).fill(3, 16, 17), 'INVALID_RECORD'],
    ['last offset delta and count at odds', sealed(wrongCount), 'INVALID_RECORD'],
    ['a control batch', sealed(control), 'INVALID_RECORD'],
    ['a record that is malformed within a right checksum', sealed(badRecord), 'INVALID_RECORD'],
    ['what is no gzip', packed(1, Buffer.from('nothing of it')), 'UNKNOWN_SERVER_ERROR'],
    ['gzip that is cut off', packed(1, gzipSync(batch.subarray(RECORDS_AT)).subarray(0, -3)), 'UNKNOWN_SERVER_ERROR'],
    ['a codec nobody knows', packed(5, batch.subarray(RECORDS_AT)), 'UNKNOWN_SERVER_ERROR'],
    ['a compressed message set that is null', withoutValue, 'INVALID_RECORD', { version: 2 }],
    ['gzip of what are no records', packed(1, gzipSync('zzzzzzzzzzzz')), 'INVALID_RECORD'],
    ['more records than anybody sends', crowd(1_000_001), 'INVALID_RECORD', { topic: 'wide' }],
    ['millions of headers in some kilobytes', crowdOfHeaders(1_000_000), 'INVALID_RECORD'],
    ['a damaged batch that seems to have millions', damagedCount, 'CORRUPT_MESSAGE'],
    ['two batches for a partition', Buffer.concat([batch, batch]), 'INVALID_RECORD'],
    ['no batch', Buffer.alloc(0), 'INVALID_RECORD'],
    ['null records', null, 'INVALID_RECORD'],
    ['an older format', messagesOf([{ value: 'x' }], 1), 'INVALID_RECORD'],
    ['an unknown topic', batch, 'UNKNOWN_TOPIC_OR_PARTITION', { topic: 'other' }],
    ['an unknown partition', batch, 'UNKNOWN_TOPIC_OR_PARTITION', { partition: 1 }],
    ['acks 2', batch, 'INVALID_REQUIRED_ACKS', { acks: 2 }],
    [
      'a message without a key for a compacted topic',
      batchOf([{ key: 'k' }, { value: 'v' }]),
      'INVALID_RECORD',
      { topic: 'compacted' },
    ],
    [
      'a batch over max.message.bytes',
      batchOf([{ value: 'x'.repeat(1_000) }]),
      'MESSAGE_TOO_LARGE',
      { topic: 'small' },
    ],
  ])('%s', async (_, records, error, options = {}) => {
    const kafka = await startKafka({
      release: '3.9',
      topics: {
        orders: {},
        wide: { config: { 'max.message.bytes': 10_000_000 } },
        compacted: { config: { 'cleanup.policy': 'compact' } },
        small: { config: { 'max.message.bytes': 1_000 } },
      },
    })
    const client = await connectTo(kafka)
    const answer = await produceTo(client, records, options)
    expect(answer.errorCode).toBe(codes[error])
    expect(answer.baseOffset).toBe(-1n)
    for (const topic of ['orders', 'compacted', 'small']) expect(values(kafka, topic)).toEqual([])
    expect((await produceTo(client, batch)).errorCode).toBe(0)
  })

  it('names the messages that made it refuse the batch', async () => {
    const kafka = await startKafka({ topics: { orders: { config: { 'cleanup.policy': 'compact' } } } })
    const client = await connectTo(kafka)
    const answer = await produceTo(client, batchOf([{ key: 'k' }, { value: 'v' }, { key: 'k' }, {}]))
    expect(answer.recordErrors.map(({ batchIndex }) => batchIndex)).toEqual([1, 3])
    expect(answer.errorMessage).toBe('one or more records have been rejected')
  })

  it.each([
    ['1.1', 1_000_012],
    ['2.8', 1_048_588],
    ['4', 1_048_588],
  ] as const)('a batch that is larger than Kafka %s takes by default', async (release, limit) => {
    const kafka = await startKafka({ release, topics: { orders: {} } })
    const client = await connectTo(kafka)
    const overhead = batchOf([{ value: 'x'.repeat(1_000_000) }]).length - 1_000_000
    const ofSize = (bytes: number) => batchOf([{ value: 'x'.repeat(bytes - overhead) }])
    expect((await produceTo(client, ofSize(limit), { version: 3 })).errorCode).toBe(0)
    expect((await produceTo(client, ofSize(limit + 1), { version: 3 })).errorCode).toBe(ErrorCodes.MESSAGE_TOO_LARGE)
  })

  it('a batch one byte over the limit, and takes one at the limit', async () => {
    const fits = batchOf([{ value: 'x'.repeat(100) }])
    const kafka = await startKafka({ topics: { orders: {} }, messageMaxBytes: fits.length })
    const client = await connectTo(kafka)
    expect((await produceTo(client, fits)).errorCode).toBe(0)
    const over = await produceTo(client, batchOf([{ value: 'x'.repeat(101) }]))
    expect(over.errorCode).toBe(ErrorCodes.MESSAGE_TOO_LARGE)
  })

  it('a timestamp over an hour ahead, since Kafka 4', async () => {
    for (const [release, code] of [
      ['3.9', 0],
      ['4', ErrorCodes.INVALID_TIMESTAMP],
    ] as const) {
      const kafka = await startKafka({ release, topics: { orders: {} } })
      const client = await connectTo(kafka)
      const answer = await produceTo(client, batchOf([{ timestamp: Date.now() + 7_200_000 }]))
      expect(answer.errorCode).toBe(code)
    }
  })

  it.each([
    ['0.9', 1, 1],
    ['0.10.2', 2, 2],
  ] as const)('Kafka %s: a format newer than its own, magic %i', async (release, magic, version) => {
    const kafka = await startKafka({ release, topics: { orders: {} } })
    const client = await connectTo(kafka)
    const records = magic === 1 ? messagesOf([{ value: 'x' }], 1) : batch
    expect((await produceTo(client, records, { version })).errorCode).toBe(ErrorCodes.CORRUPT_MESSAGE)
  })

  it('sequences where the topic keeps an older format', async () => {
    const kafka = await startKafka({
      release: '2.8',
      topics: { orders: { config: { 'message.format.version': '0.10.2' } } },
    })
    const client = await connectTo(kafka)
    const numbered = batchOf([{ value: 'x' }], { producerId: 1n, producerEpoch: 0, baseSequence: 0 })
    expect((await produceTo(client, numbered)).errorCode).toBe(ErrorCodes.UNSUPPORTED_FOR_MESSAGE_FORMAT)
    expect((await produceTo(client, batch)).errorCode).toBe(0)
  })

  it('with acks 0, by closing the connection', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const client = await connectTo(kafka)
    client.send(produce, 9, produceRequest(batch, { acks: 0, topic: 'other' }))
    await client.untilClosed()
    expect(client.hasFrame).toBe(false)
  })

  it('two batches for a partition: Kafka before 2.3 hangs up', async () => {
    const kafka = await startKafka({ release: '1.1', topics: { orders: {} } })
    const client = await connectTo(kafka)
    client.send(produce, 5, produceRequest(Buffer.concat([batch, batch])))
    await client.untilClosed()
  })

  it('versions 0 to 2 on Kafka 4, though it lists them', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const client = await connectTo(kafka)
    client.send(produce, 2, produceRequest(messagesOf([{ value: 'x' }], 1)))
    await client.untilClosed()
    expect(values(kafka)).toEqual([])
  })

  it('on a broker that does not lead, which names the leader from version 10 on', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { orders: {} } })
    kafka.moveLeader('orders', 0, 2)
    const client = await connectTo(kafka, 1)
    expect((await produceTo(client, batch, { version: 9 })).errorCode).toBe(ErrorCodes.NOT_LEADER_OR_FOLLOWER)
    const response = await client.call(produce, 10, produceRequest(batch))
    expect(response.responses[0]?.partitionResponses[0]?.currentLeader).toEqual({ leaderId: 2, leaderEpoch: 1 })
    expect(response.nodeEndpoints).toEqual([{ nodeId: 2, host: '127.0.0.1', port: kafka.brokers[1]?.port, rack: null }])
  })

  it('with acks -1 and too few replicas in sync', async () => {
    const kafka = await startKafka({
      brokers: 3,
      minInsyncReplicas: 2,
      topics: { orders: {}, lax: { config: { 'min.insync.replicas': 1 } } },
    })
    await kafka.stopBroker(2)
    const client = await connectTo(kafka, 1)
    expect((await produceTo(client, batch)).errorCode).toBe(0)
    await kafka.stopBroker(3)
    expect((await produceTo(client, batch)).errorCode).toBe(ErrorCodes.NOT_ENOUGH_REPLICAS)
    expect((await produceTo(client, batch, { acks: 1 })).errorCode).toBe(0)
    expect((await produceTo(client, batch, { topic: 'lax' })).errorCode).toBe(0)
  })
})

const codes: Readonly<Record<string, number>> = { ...ErrorCodes, INVALID_RECORD: 87 }
