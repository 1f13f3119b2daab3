/*
 * LeaveGroup, key 13, versions 0 to 5, flexible from 4.
 *
 *   1  response: throttleTimeMs
 *   2  the answer comes before the client is throttled, not after
 *   3  several members in one request, by id or by groupInstanceId, each with its own answer (KIP-345)
 *   4  flexible
 *   5  request: reason (KIP-800)
 *
 * Up to version 2 one member leaves, which here reads as a list of one, and the answer has no members.
 */
import { onlyElement, unsupportedField, type Api } from '../api.js'
import type { ByteReader } from '../byte-reader.js'

const NAME = 'LeaveGroup'
const FLEXIBLE_FROM = 4
const MEMBERS_FROM = 3

export interface LeaveGroupMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly reason: string | null
}

export interface LeaveGroupRequest {
  readonly groupId: string
  /** Exactly one up to version 2. */
  readonly members: readonly LeaveGroupMember[]
}

export interface LeaveGroupMemberResponse {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly errorCode: number
}

export interface LeaveGroupResponse {
  readonly throttleTimeMs: number
  readonly errorCode: number
  /** Empty up to version 2. */
  readonly members: readonly LeaveGroupMemberResponse[]
}

export const leaveGroup: Api<LeaveGroupRequest, LeaveGroupResponse> = {
  key: 13,
  name: NAME,
  minVersion: 0,
  maxVersion: 5,
  flexibleFrom: FLEXIBLE_FROM,

  encodeRequest(writer, version, request) {
    const flexible = version >= FLEXIBLE_FROM
    writer.writeString(request.groupId, flexible)
    if (version < MEMBERS_FROM) {
      const member = onlyElement(request.members, NAME, version, 'members')
      if (member.groupInstanceId !== null) throw unsupportedField(NAME, version, 'groupInstanceId')
      writer.writeString(member.memberId)
      return
    }
    writer.writeArray(request.members, flexible, (member) => {
      writer.writeString(member.memberId, flexible)
      writer.writeString(member.groupInstanceId, flexible)
      if (version >= 5) writer.writeString(member.reason, true)
      if (flexible) writer.writeNoTaggedFields()
    })
    if (flexible) writer.writeNoTaggedFields()
  },

  decodeRequest(reader, version) {
    const flexible = version >= FLEXIBLE_FROM
    const request = {
      groupId: reader.readString(flexible),
      members:
        version >= MEMBERS_FROM
          ? reader.readArray(flexible, () => readMember(reader, version))
          : [{ memberId: reader.readString(), groupInstanceId: null, reason: null }],
    }
    if (flexible) reader.readTaggedFields()
    return request
  },

  encodeResponse(writer, version, response) {
    const flexible = version >= FLEXIBLE_FROM
    if (version >= 1) writer.writeInt32(response.throttleTimeMs)
    writer.writeInt16(response.errorCode)
    if (version >= MEMBERS_FROM) {
      writer.writeArray(response.members, flexible, (member) => {
        writer.writeString(member.memberId, flexible)
        writer.writeString(member.groupInstanceId, flexible)
        writer.writeInt16(member.errorCode)
        if (flexible) writer.writeNoTaggedFields()
      })
    } else if (response.members.length > 0) throw unsupportedField(NAME, version, 'members')
    if (flexible) writer.writeNoTaggedFields()
  },

  decodeResponse(reader, version) {
    const flexible = version >= FLEXIBLE_FROM
    const response = {
      throttleTimeMs: version >= 1 ? reader.readInt32() : 0,
      errorCode: reader.readInt16(),
      members: version >= MEMBERS_FROM ? reader.readArray(flexible, () => readMemberResponse(reader, flexible)) : [],
    }
    if (flexible) reader.readTaggedFields()
    return response
  },
}

function readMember(reader: ByteReader, version: number): LeaveGroupMember {
  const flexible = version >= FLEXIBLE_FROM
  const member = {
    memberId: reader.readString(flexible),
    groupInstanceId: reader.readNullableString(flexible),
    reason: version >= 5 ? reader.readNullableString(true) : null,
  }
  if (flexible) reader.readTaggedFields()
  return member
}

function readMemberResponse(reader: ByteReader, flexible: boolean): LeaveGroupMemberResponse {
  const member = {
    memberId: reader.readString(flexible),
    groupInstanceId: reader.readNullableString(flexible),
    errorCode: reader.readInt16(),
  }
  if (flexible) reader.readTaggedFields()
  return member
}
