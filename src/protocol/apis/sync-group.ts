/*
 * SyncGroup, key 14, versions 0 to 5, flexible from 4. The leader of a group hands in what each member is assigned, and
 * each member gets its own part.
 *
 *   1  response: throttleTimeMs
 *   2  the answer comes before the client is throttled, not after
 *   3  request: groupInstanceId (KIP-345)
 *   4  flexible
 *   5  protocolType and protocolName in both directions (KIP-559)
 */
import { unsupportedField, type Api } from '../api.js'

const NAME = 'SyncGroup'
const FLEXIBLE_FROM = 4

export interface SyncGroupAssignment {
  readonly memberId: string
  readonly assignment: Buffer
}

export interface SyncGroupRequest {
  readonly groupId: string
  readonly generationId: number
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly protocolType: string | null
  readonly protocolName: string | null
  /** Empty from all but the leader. */
  readonly assignments: readonly SyncGroupAssignment[]
}

export interface SyncGroupResponse {
  readonly throttleTimeMs: number
  readonly errorCode: number
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly assignment: Buffer
}

export const syncGroup: Api<SyncGroupRequest, SyncGroupResponse> = {
  key: 14,
  name: NAME,
  minVersion: 0,
  maxVersion: 5,
  flexibleFrom: FLEXIBLE_FROM,

  encodeRequest(writer, version, request) {
    const flexible = version >= FLEXIBLE_FROM
    writer.writeString(request.groupId, flexible)
    writer.writeInt32(request.generationId)
    writer.writeString(request.memberId, flexible)
    if (version >= 3) writer.writeString(request.groupInstanceId, flexible)
    else if (request.groupInstanceId !== null) throw unsupportedField(NAME, version, 'groupInstanceId')
    if (version >= 5) {
      writer.writeString(request.protocolType, true)
      writer.writeString(request.protocolName, true)
    }
    writer.writeArray(request.assignments, flexible, (assignment) => {
      writer.writeString(assignment.memberId, flexible)
      writer.writeBytes(assignment.assignment, flexible)
      if (flexible) writer.writeNoTaggedFields()
    })
    if (flexible) writer.writeNoTaggedFields()
  },

  decodeRequest(reader, version) {
    const flexible = version >= FLEXIBLE_FROM
    const request = {
      groupId: reader.readString(flexible),
      generationId: reader.readInt32(),
      memberId: reader.readString(flexible),
      groupInstanceId: version >= 3 ? reader.readNullableString(flexible) : null,
      protocolType: version >= 5 ? reader.readNullableString(true) : null,
      protocolName: version >= 5 ? reader.readNullableString(true) : null,
      assignments: reader.readArray(flexible, () => {
        const assignment = { memberId: reader.readString(flexible), assignment: reader.readBytes(flexible) }
        if (flexible) reader.readTaggedFields()
        return assignment
      }),
    }
    if (flexible) reader.readTaggedFields()
    return request
  },

  encodeResponse(writer, version, response) {
    const flexible = version >= FLEXIBLE_FROM
    if (version >= 1) writer.writeInt32(response.throttleTimeMs)
    writer.writeInt16(response.errorCode)
    if (version >= 5) {
      writer.writeString(response.protocolType, true)
      writer.writeString(response.protocolName, true)
    }
    writer.writeBytes(response.assignment, flexible)
    if (flexible) writer.writeNoTaggedFields()
  },

  decodeResponse(reader, version) {
    const flexible = version >= FLEXIBLE_FROM
    const response = {
      throttleTimeMs: version >= 1 ? reader.readInt32() : 0,
      errorCode: reader.readInt16(),
      protocolType: version >= 5 ? reader.readNullableString(true) : null,
      protocolName: version >= 5 ? reader.readNullableString(true) : null,
      assignment: reader.readBytes(flexible),
    }
    if (flexible) reader.readTaggedFields()
    return response
  },
}
