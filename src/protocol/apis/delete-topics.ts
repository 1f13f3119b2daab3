/*
 * DeleteTopics, key 20, versions 0 to 6, flexible from 4.
 *
 *   1  response: throttleTimeMs
 *   2  the answer comes before the client is throttled, not after
 *   3  error 73 (TOPIC_DELETION_DISABLED) may be answered
 *   4  flexible
 *   5  response: errorMessage; error 89 (THROTTLING_QUOTA_EXCEEDED) may be answered (KIP-599)
 *   6  topics by name or by id (KIP-516)
 *
 * Up to version 5 the topics are a plain list of names; here it reads as topics without an id.
 */
import { unsupportedField, type Api } from '../api.js'
import type { ByteReader } from '../byte-reader.js'
import { ZERO_UUID } from '../byte-writer.js'

const NAME = 'DeleteTopics'
const FLEXIBLE_FROM = 4

export interface DeleteTopicState {
  /** Null, from version 6 on: look it up by id. */
  readonly name: string | null
  readonly topicId: Buffer
}

export interface DeleteTopicsRequest {
  readonly topics: readonly DeleteTopicState[]
  readonly timeoutMs: number
}

export interface DeletableTopicResult {
  /** Null where it was asked for by id and is not known, or not to be known by this client. */
  readonly name: string | null
  readonly topicId: Buffer
  readonly errorCode: number
  readonly errorMessage: string | null
}

export interface DeleteTopicsResponse {
  readonly throttleTimeMs: number
  readonly responses: readonly DeletableTopicResult[]
}

export const deleteTopics: Api<DeleteTopicsRequest, DeleteTopicsResponse> = {
  key: 20,
  name: NAME,
  minVersion: 0,
  maxVersion: 6,
  flexibleFrom: FLEXIBLE_FROM,

  encodeRequest(writer, version, request) {
    const flexible = version >= FLEXIBLE_FROM
    writer.writeArray(request.topics, flexible, ({ name, topicId }) => {
      if (version < 6 && (name === null || !ZERO_UUID.equals(topicId))) throw unsupportedField(NAME, version, 'topicId')
      writer.writeString(name, flexible)
      if (version < 6) return
      writer.writeUuid(topicId)
      writer.writeNoTaggedFields()
    })
    writer.writeInt32(request.timeoutMs)
    if (flexible) writer.writeNoTaggedFields()
  },

  decodeRequest(reader, version) {
    const flexible = version >= FLEXIBLE_FROM
    const request = {
      topics: reader.readArray(flexible, () => readTopic(reader, version)),
      timeoutMs: reader.readInt32(),
    }
    if (flexible) reader.readTaggedFields()
    return request
  },

  encodeResponse(writer, version, response) {
    const flexible = version >= FLEXIBLE_FROM
    if (version >= 1) writer.writeInt32(response.throttleTimeMs)
    writer.writeArray(response.responses, flexible, (result) => {
      if (version < 6 && result.name === null) throw unsupportedField(NAME, version, 'a topic without a name')
      writer.writeString(result.name, flexible)
      if (version >= 6) writer.writeUuid(result.topicId)
      writer.writeInt16(result.errorCode)
      if (version >= 5) writer.writeString(result.errorMessage, flexible)
      if (flexible) writer.writeNoTaggedFields()
    })
    if (flexible) writer.writeNoTaggedFields()
  },

  decodeResponse(reader, version) {
    const flexible = version >= FLEXIBLE_FROM
    const response = {
      throttleTimeMs: version >= 1 ? reader.readInt32() : 0,
      responses: reader.readArray(flexible, () => readResult(reader, version)),
    }
    if (flexible) reader.readTaggedFields()
    return response
  },
}

function readTopic(reader: ByteReader, version: number): DeleteTopicState {
  if (version < 6) return { name: reader.readString(version >= FLEXIBLE_FROM), topicId: ZERO_UUID }
  const topic = { name: reader.readNullableString(true), topicId: reader.readUuid() }
  reader.readTaggedFields()
  return topic
}

function readResult(reader: ByteReader, version: number): DeletableTopicResult {
  const flexible = version >= FLEXIBLE_FROM
  const result = {
    name: version >= 6 ? reader.readNullableString(true) : reader.readString(flexible),
    topicId: version >= 6 ? reader.readUuid() : ZERO_UUID,
    errorCode: reader.readInt16(),
    errorMessage: version >= 5 ? reader.readNullableString(true) : null,
  }
  if (flexible) reader.readTaggedFields()
  return result
}
