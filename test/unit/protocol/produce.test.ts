import { describe, expect, it } from 'vitest'
import { metadata, type MetadataRequest } from '../../../src/protocol/apis/metadata.js'
import { produce, sizeOfProduceRequest, type ProduceRequest } from '../../../src/protocol/apis/produce.js'
import { ByteReader } from '../../../src/protocol/byte-reader.js'
import { ByteWriter, ZERO_UUID } from '../../../src/protocol/byte-writer.js'
import { encodeRequest } from '../../../src/protocol/frame.js'

const request: ProduceRequest = {
  transactionalId: null,
  acks: -1,
  timeoutMs: 30_000,
  topicData: [
    {
      name: 'orders',
      topicId: Buffer.alloc(16, 3),
      partitionData: [
        { index: 0, records: Buffer.from('12345') },
        { index: 1, records: new Uint8Array([1, 2]) },
        { index: 2, records: null },
      ],
    },
  ],
}

describe('a Produce request', () => {
  it.each([0, 3, 8, 9, 12, 13])('of version %i holds records of every kind in one buffer', (version) => {
    const writer = new ByteWriter(sizeOfProduceRequest(request))
    const buffer = writer.buffer
    produce.encodeRequest(writer, version, request)
    expect(writer.buffer).toBe(buffer)

    const [topic] = produce.decodeRequest(new ByteReader(writer.bytes()), version).topicData
    expect(topic?.name).toBe(version >= 13 ? '' : 'orders')
    expect(topic?.topicId).toEqual(version >= 13 ? Buffer.alloc(16, 3) : ZERO_UUID)
    expect(topic?.partitionData).toEqual([
      { index: 0, records: Buffer.from('12345') },
      { index: 1, records: Buffer.from([1, 2]) },
      { index: 2, records: null },
    ])
  })

  it('takes large records by reference, and counts them in its size', () => {
    const records = Buffer.alloc(100_000, 7)
    const partitionData = [0, 1].map((index) => ({ index, records: index === 0 ? records : Buffer.alloc(10, 8) }))
    const large = { ...request, topicData: [{ name: 'orders', topicId: ZERO_UUID, partitionData }] }
    const parts = encodeRequest(produce, 9, 1, 'client', large, sizeOfProduceRequest(large))
    expect(parts).toHaveLength(3)
    expect(parts[1]).toBe(records)
    const frame = Buffer.concat(parts)
    expect(frame.readInt32BE(0)).toBe(frame.length - 4)
    const writer = new ByteWriter()
    produce.encodeRequest(writer, 9, large)
    expect(frame.subarray(-writer.position).equals(writer.bytes())).toBe(true)
  })
})

describe('a Metadata request', () => {
  function encoded(version: number, topics: MetadataRequest['topics']): string {
    const writer = new ByteWriter()
    metadata.encodeRequest(writer, version, {
      topics,
      allowAutoTopicCreation: true,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
    })
    return writer.bytes().toString('hex')
  }

  it('for all topics is an empty list in version 0, null later', () => {
    expect(encoded(0, null)).toBe('00000000')
    expect(encoded(1, null)).toBe('ffffffff')
    expect(encoded(9, null)).toBe('00' + '01' + '00' + '00' + '00')
  })

  it('for no topics is an empty list', () => {
    expect(encoded(1, [])).toBe('00000000')
    expect(encoded(12, [])).toBe('01' + '01' + '00' + '00')
  })

  it('of version 0 reads as one for all topics where the list is empty', () => {
    expect(metadata.decodeRequest(new ByteReader(Buffer.alloc(4)), 0).topics).toBeNull()
    expect(metadata.decodeRequest(new ByteReader(Buffer.alloc(4)), 1).topics).toEqual([])
  })

  it('of version 0 may not be null', () => {
    const reader = new ByteReader(Buffer.alloc(4, 0xff))
    metadata.decodeRequest(reader, 0)
    expect(reader.problem()).toContain('null where an array is required')
  })
})
