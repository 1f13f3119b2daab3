/*
 * Heartbeat, key 12, versions 0 to 4, flexible from 4. Tells the coordinator that a member of a group is alive.
 *
 *   1  response: throttleTimeMs
 *   2  the answer comes before the client is throttled, not after
 *   3  request: groupInstanceId (KIP-345)
 *   4  flexible
 */
import { unsupportedField, type Api } from '../api.js'

const NAME = 'Heartbeat'
const FLEXIBLE_FROM = 4

export interface HeartbeatRequest {
  readonly groupId: string
  readonly generationId: number
  readonly memberId: string
  readonly groupInstanceId: string | null
}

export interface HeartbeatResponse {
  readonly throttleTimeMs: number
  readonly errorCode: number
}

export const heartbeat: Api<HeartbeatRequest, HeartbeatResponse> = {
  key: 12,
  name: NAME,
  minVersion: 0,
  maxVersion: 4,
  flexibleFrom: FLEXIBLE_FROM,

  encodeRequest(writer, version, request) {
    const flexible = version >= FLEXIBLE_FROM
    writer.writeString(request.groupId, flexible)
    writer.writeInt32(request.generationId)
    writer.writeString(request.memberId, flexible)
    if (version >= 3) writer.writeString(request.groupInstanceId, flexible)
    else if (request.groupInstanceId !== null) throw unsupportedField(NAME, version, 'groupInstanceId')
    if (flexible) writer.writeNoTaggedFields()
  },

  decodeRequest(reader, version) {
    const flexible = version >= FLEXIBLE_FROM
    const request = {
      groupId: reader.readString(flexible),
      generationId: reader.readInt32(),
      memberId: reader.readString(flexible),
      groupInstanceId: version >= 3 ? reader.readNullableString(flexible) : null,
    }
    if (flexible) reader.readTaggedFields()
    return request
  },

  encodeResponse(writer, version, response) {
    if (version >= 1) writer.writeInt32(response.throttleTimeMs)
    writer.writeInt16(response.errorCode)
    if (version >= FLEXIBLE_FROM) writer.writeNoTaggedFields()
  },

  decodeResponse(reader, version) {
    const response = {
      throttleTimeMs: version >= 1 ? reader.readInt32() : 0,
      errorCode: reader.readInt16(),
    }
    if (version >= FLEXIBLE_FROM) reader.readTaggedFields()
    return response
  },
}
