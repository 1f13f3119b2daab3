import { describe, expect, it } from 'vitest'
import { MalformedResponseError } from '../../src/errors.js'
import type { Api } from '../../src/protocol/api.js'
import { metadata, type MetadataRequest } from '../../src/protocol/apis/metadata.js'
import { produce, type ProduceRequest } from '../../src/protocol/apis/produce.js'
import { ByteReader } from '../../src/protocol/byte-reader.js'
import { decodeResponseFrame } from '../../src/protocol/frame.js'
import type { ApiSchema } from '../golden/schemas/schema.js'
import { outgoing, recordBatch } from '../unit/protocol/records/support.js'
import { apisWithSchemas, versionsOf } from './all-apis.js'
import { encodeMessage } from './schema-codec.js'
import { fullMessage } from './schema-messages.js'

const CORRUPTIONS: readonly ((byte: number) => number)[] = [
  () => 0x00,
  () => 0x7f,
  () => 0x80,
  () => 0xff,
  (byte) => byte ^ 0x01,
  (byte) => byte + 1,
]

/** Every array of a decoded message, however deep, has its elements in the bytes it was decoded from. */
function countElements(value: unknown): number {
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + countElements(item), value.length)
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return 0
  return countElements(Object.values(value)) - Object.keys(value).length
}

/** Decodes, whatever the bytes are; true where they were a valid message. */
function survives(bytes: Buffer, decode: (reader: ByteReader) => unknown): boolean {
  const reader = new ByteReader(bytes)
  const value = decode(reader)
  // What older versions have once reads as a list of one, even where no bytes are left for it.
  if (countElements(value) > bytes.length + 1) throw new Error('more elements than bytes')
  return reader.problem() === undefined
}

function* corruptionsOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at++) {
    const original = bytes[at] as number
    for (const corrupt of CORRUPTIONS) {
      bytes[at] = corrupt(original)
      yield bytes
    }
    bytes[at] = original
  }
}

function responseFrame(api: Api<unknown, unknown>, version: number, body: Buffer): Buffer {
  const flexibleHeader = version >= api.flexibleFrom && api.name !== 'ApiVersions'
  return Buffer.concat([Buffer.from([0, 0, 0, 1]), Buffer.alloc(flexibleHeader ? 1 : 0), body])
}

/** True where the frame was a valid response; what is thrown otherwise is of one type. */
function decodesFrame(api: Api<unknown, unknown>, version: number, frame: Buffer): boolean {
  return answerIn(() => ({ answer: decodeResponseFrame(api, version, frame) })) !== undefined
}

/** What was decoded; undefined where that is refused, which is of one type. */
function answerIn<T>(decode: () => T): T | undefined {
  try {
    return decode()
  } catch (error) {
    if (error instanceof MalformedResponseError) return undefined
    throw error
  }
}

describe('hostile bytes', () => {
  it.each(apisWithSchemas())('$api.name: a request or response cut short is refused', ({ api, schema }) => {
    for (const version of versionsOf(api)) {
      const request = encodeMessage(schema.request, version, fullMessage(schema.request.fields, version))
      expect(survives(request, (reader) => api.decodeRequest(reader, version))).toBe(true)
      for (let size = 0; size < request.length; size++) {
        if (survives(request.subarray(0, size), (reader) => api.decodeRequest(reader, version))) {
          throw new Error(`v${version} request of ${size} bytes instead of ${request.length}`)
        }
      }
      const body = encodeMessage(schema.response, version, fullMessage(schema.response.fields, version))
      const frame = responseFrame(api, version, body)
      expect(decodesFrame(api, version, frame)).toBe(true)
      for (let size = 0; size < frame.length; size++) {
        if (decodesFrame(api, version, frame.subarray(0, size))) {
          throw new Error(`v${version} response of ${size} bytes instead of ${frame.length}`)
        }
      }
    }
  })

  it.each(apisWithSchemas())('$api.name: a byte too many is refused', ({ api, schema }) => {
    for (const version of versionsOf(api)) {
      const request = encodeMessage(schema.request, version, fullMessage(schema.request.fields, version))
      expect(survives(Buffer.concat([request, Buffer.alloc(1)]), (reader) => api.decodeRequest(reader, version))).toBe(
        false,
      )
      const body = encodeMessage(schema.response, version, fullMessage(schema.response.fields, version))
      expect(decodesFrame(api, version, Buffer.concat([responseFrame(api, version, body), Buffer.alloc(1)]))).toBe(
        false,
      )
    }
  })

  it.each(apisWithSchemas())('$api.name: any byte may be wrong without harm', ({ api, schema }) => {
    for (const version of versionsOf(api)) {
      const options = { unknownTags: true }
      const request = encodeMessage(schema.request, version, fullMessage(schema.request.fields, version), options)
      for (const bytes of corruptionsOf(request)) survives(bytes, (reader) => api.decodeRequest(reader, version))
      const body = encodeMessage(schema.response, version, fullMessage(schema.response.fields, version), options)
      for (const bytes of corruptionsOf(body)) survives(bytes, (reader) => api.decodeResponse(reader, version))
      for (const frame of corruptionsOf(responseFrame(api, version, body))) decodesFrame(api, version, frame)
    }
  })
})

/** Of Metadata and Produce, whatever byte is wrong, no more is built than was asked for. */
describe('hostile answers to a question', () => {
  const id = Buffer.alloc(16, 7)
  const topics = ['a', 'b'].map((name) => ({ name, topicId: id }))
  const question: MetadataRequest = {
    topics,
    allowAutoTopicCreation: true,
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false,
  }
  const records = recordBatch([outgoing({})])
  const sent: ProduceRequest = {
    transactionalId: null,
    acks: -1,
    timeoutMs: 1,
    topicData: topics.map((topic) => ({ ...topic, partitionData: [{ index: 0, records }] })),
  }

  function answersOf(api: Api<unknown, unknown>, version: number): Generator<Buffer> {
    const { schema } = apisWithSchemas().find((one) => one.api.name === api.name) as { schema: ApiSchema }
    const body = encodeMessage(schema.response, version, fullMessage(schema.response.fields, version))
    return corruptionsOf(responseFrame(api, version, body))
  }

  it.each(versionsOf(metadata))('Metadata v%i', (version) => {
    for (const frame of answersOf(metadata, version)) {
      const answer = answerIn(() => decodeResponseFrame(metadata, version, frame, question))
      const names = answer?.topics.map(({ name }) => name) ?? []
      expect(names.filter((name) => name !== 'a' && name !== 'b')).toEqual([])
      expect(new Set(names).size).toBe(names.length)
    }
  })

  it.each(versionsOf(produce))('Produce v%i', (version) => {
    for (const frame of answersOf(produce, version)) {
      const parts = answerIn(() => decodeResponseFrame(produce, version, frame, sent))?.responses ?? []
      expect(parts.flatMap(({ partitionResponses }) => partitionResponses).length).toBeLessThanOrEqual(4)
    }
  })
})
