/** Requests that kcat and Kafka's own producers sent: read to the last byte, and made again byte for byte. */
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { Api } from '../../src/protocol/api.js'
import { apiVersions } from '../../src/protocol/apis/api-versions.js'
import { initProducerId } from '../../src/protocol/apis/init-producer-id.js'
import { metadata } from '../../src/protocol/apis/metadata.js'
import { produce, type DecodedProduceRequest } from '../../src/protocol/apis/produce.js'
import { ByteReader } from '../../src/protocol/byte-reader.js'
import { readRequestHeader, readRequestHeaderEnd, type RequestHeader } from '../../src/protocol/header.js'
import { decodeBatches, type DecodedBatch } from '../../src/protocol/records/decode.js'
import { magicOfProduce } from '../../src/protocol/versions.js'
import { encodeRequestFrame } from '../support/frames.js'
import { messageSet, outgoing, recordBatch } from '../unit/protocol/records/support.js'
import { readRecordings } from './requests/recordings.js'

const apis = new Map<string, Api<unknown, unknown>>(
  [apiVersions, initProducerId, metadata, produce].map((api) => [api.name, api as Api<unknown, unknown>]),
)
const recordings = readRecordings()
const LEADER_EPOCH_AT = 12

interface Decoded {
  readonly header: RequestHeader
  readonly request: unknown
}

function decode(api: Api<unknown, unknown>, frame: Buffer): Decoded {
  const reader = new ByteReader(frame, 4)
  const header = readRequestHeader(reader)
  readRequestHeaderEnd(reader, api, header.apiVersion)
  const request = api.decodeRequest(reader, header.apiVersion)
  expect(reader.problem()).toBeUndefined()
  return { header, request }
}

describe.each(recordings)('$name', ({ recording }) => {
  const requests = recording.requests.map(({ api: name, version, frame }, index) => {
    const api = apis.get(name) as Api<unknown, unknown>
    return { title: `${index}: ${name} v${version}`, api, version, frame: Buffer.from(frame, 'hex') }
  })

  it.each(requests)('$title is read with no byte left, and made again', ({ api, version, frame }) => {
    const { header, request } = decode(api, frame)
    expect(header.apiVersion).toBe(version)
    expect(encodeRequestFrame(api, version, header.correlationId, header.clientId, request).toString('hex')).toBe(
      frame.toString('hex'),
    )
  })

  it.each(requests.filter(({ api }) => api.key === produce.key))(
    'the records of $title are read, and made again',
    ({ api, version, frame }) => {
      const { topicData } = decode(api, frame).request as DecodedProduceRequest
      const all = topicData.flatMap(({ partitionData }) => partitionData.map(({ records }) => records as Buffer))
      expect(all.length).toBeGreaterThan(0)
      for (const records of all) {
        const batches = decodeBatches(records, { decompress })
        expect(batches.every(({ magic }) => magic === magicOfProduce(version))).toBe(true)
        expectWhatWasSent(recording.client, batches)
        // How hard to compress is everybody's own choice.
        if (batches.some(({ codec }) => codec !== 0)) continue
        expect(again(batches).toString('hex')).toBe(withOwnChoices(records, batches).toString('hex'))
      }
    },
  )
})

function decompress(codec: number, bytes: Buffer): Buffer {
  expect(codec).toBe(1)
  return gunzipSync(bytes)
}

/** The same messages stand in every recording, as far as client and format can have them. */
function expectWhatWasSent(client: string, batches: readonly DecodedBatch[]): void {
  const records = batches.flatMap((batch) => batch.records)
  const pairs = records.map(({ key, value }) => [key?.toString() ?? null, value?.toString() ?? null])
  const common = [
    ['key', 'value'],
    ['größe 雪', 'grüße 🙂'],
  ]
  expect(pairs).toEqual(
    expect.arrayContaining(
      client.includes('kafka.producer')
        ? [...common, [null, 'no key'], ['tombstone', null], ['', '']].slice(0, pairs.length)
        : [...common, [null, 'no key'], ['tombstone', null], [null, null]],
    ),
  )
  if (batches[0]?.magic === 2 && client.startsWith('kafka-clients')) {
    expect(records[0]?.headers.map(({ key, value }) => [key, value?.toString() ?? null])).toEqual([
      ['trace', 'a1'],
      ['trace', 'a2'],
      ['none', null],
      ['empty', ''],
    ])
  }
  const time = 1_700_000_000_000
  if ((batches[0]?.magic ?? 0) >= 1 && client.startsWith('kafka-clients')) {
    expect(records.map(({ timestamp }) => timestamp - time)).toEqual([0, 1, 1, 70_000, -12_345, 2])
  }
}

/** By our encoders, of nothing but what was read. */
function again(batches: readonly DecodedBatch[]): Buffer {
  const [first] = batches as [DecodedBatch]
  const records = batches.flatMap((batch) =>
    batch.records.map(({ headers, ...record }) =>
      outgoing({ ...record, headers: headers.map(({ key, value }) => [key, value] as const) }),
    ),
  )
  if (first.magic !== 2) return messageSet(records, first.magic as 0 | 1)
  expect(batches).toHaveLength(1)
  return recordBatch(records, first)
}

/**
 * Their bytes, with what brokers set anew, and no checksum covers, as we have it: librdkafka writes 0 for the epoch of the
 * leader; Java's producers before 0.10 write 0 for every offset.
 */
function withOwnChoices(records: Buffer, batches: readonly DecodedBatch[]): Buffer {
  const own = Buffer.from(records)
  for (const [index, { magic, start }] of batches.entries()) {
    if (magic === 2) own.writeInt32BE(-1, start + LEADER_EPOCH_AT)
    else own.writeBigInt64BE(BigInt(index), start)
  }
  return own
}
