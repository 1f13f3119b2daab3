/*
 * JoinGroup, key 11, versions 0 to 9, flexible from 6. Makes a consumer a member of a group, and tells the leader who
 * the members are.
 *
 *   1  request: rebalanceTimeoutMs, before it was the session's (KIP-62)
 *   2  response: throttleTimeMs
 *   3  the answer comes before the client is throttled, not after
 *   4  a new member gets error 79 with its id and joins again with that (KIP-394)
 *   5  groupInstanceId in both directions (KIP-345)
 *   6  flexible
 *   7  response: protocolType; protocolName may be null (KIP-559)
 *   8  request: reason (KIP-800)
 *   9  response: skipAssignment (KIP-814)
 */
import { unsupportedField, type Api } from '../api.js'
import type { ByteReader } from '../byte-reader.js'

const NAME = 'JoinGroup'
const FLEXIBLE_FROM = 6

export interface JoinGroupProtocol {
  readonly name: string
  readonly metadata: Buffer
}

export interface JoinGroupRequest {
  readonly groupId: string
  readonly sessionTimeoutMs: number
  /** -1: the same as the session's. */
  readonly rebalanceTimeoutMs: number
  /** Empty: a new member. */
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly protocolType: string
  readonly protocols: readonly JoinGroupProtocol[]
  readonly reason: string | null
}

export interface JoinGroupMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly metadata: Buffer
}

export interface JoinGroupResponse {
  readonly throttleTimeMs: number
  readonly errorCode: number
  readonly generationId: number
  readonly protocolType: string | null
  /** Null goes out as an empty string below version 7. */
  readonly protocolName: string | null
  readonly leader: string
  readonly skipAssignment: boolean
  readonly memberId: string
  /** Empty for all but the leader. */
  readonly members: readonly JoinGroupMember[]
}

export const joinGroup: Api<JoinGroupRequest, JoinGroupResponse> = {
  key: 11,
  name: NAME,
  minVersion: 0,
  maxVersion: 9,
  flexibleFrom: FLEXIBLE_FROM,

  encodeRequest(writer, version, request) {
    const flexible = version >= FLEXIBLE_FROM
    writer.writeString(request.groupId, flexible)
    writer.writeInt32(request.sessionTimeoutMs)
    if (version >= 1) writer.writeInt32(request.rebalanceTimeoutMs)
    writer.writeString(request.memberId, flexible)
    if (version >= 5) writer.writeString(request.groupInstanceId, flexible)
    else if (request.groupInstanceId !== null) throw unsupportedField(NAME, version, 'groupInstanceId')
    writer.writeString(request.protocolType, flexible)
    writer.writeArray(request.protocols, flexible, (protocol) => {
      writer.writeString(protocol.name, flexible)
      writer.writeBytes(protocol.metadata, flexible)
      if (flexible) writer.writeNoTaggedFields()
    })
    if (version >= 8) writer.writeString(request.reason, true)
    if (flexible) writer.writeNoTaggedFields()
  },

  decodeRequest(reader, version) {
    const flexible = version >= FLEXIBLE_FROM
    const request = {
      groupId: reader.readString(flexible),
      sessionTimeoutMs: reader.readInt32(),
      rebalanceTimeoutMs: version >= 1 ? reader.readInt32() : -1,
      memberId: reader.readString(flexible),
      groupInstanceId: version >= 5 ? reader.readNullableString(flexible) : null,
      protocolType: reader.readString(flexible),
      protocols: reader.readArray(flexible, () => {
        const protocol = { name: reader.readString(flexible), metadata: reader.readBytes(flexible) }
        if (flexible) reader.readTaggedFields()
        return protocol
      }),
      reason: version >= 8 ? reader.readNullableString(true) : null,
    }
    if (flexible) reader.readTaggedFields()
    return request
  },

  encodeResponse(writer, version, response) {
    const flexible = version >= FLEXIBLE_FROM
    if (version >= 2) writer.writeInt32(response.throttleTimeMs)
    writer.writeInt16(response.errorCode)
    writer.writeInt32(response.generationId)
    if (version >= 7) writer.writeString(response.protocolType, true)
    writer.writeString(version >= 7 ? response.protocolName : (response.protocolName ?? ''), flexible)
    writer.writeString(response.leader, flexible)
    if (version >= 9) writer.writeBoolean(response.skipAssignment)
    else if (response.skipAssignment) throw unsupportedField(NAME, version, 'skipAssignment')
    writer.writeString(response.memberId, flexible)
    writer.writeArray(response.members, flexible, (member) => {
      writer.writeString(member.memberId, flexible)
      if (version >= 5) writer.writeString(member.groupInstanceId, flexible)
      writer.writeBytes(member.metadata, flexible)
      if (flexible) writer.writeNoTaggedFields()
    })
    if (flexible) writer.writeNoTaggedFields()
  },

  decodeResponse(reader, version) {
    const flexible = version >= FLEXIBLE_FROM
    const response = {
      throttleTimeMs: version >= 2 ? reader.readInt32() : 0,
      errorCode: reader.readInt16(),
      generationId: reader.readInt32(),
      protocolType: version >= 7 ? reader.readNullableString(true) : null,
      protocolName: version >= 7 ? reader.readNullableString(true) : reader.readString(flexible),
      leader: reader.readString(flexible),
      skipAssignment: version >= 9 ? reader.readBoolean() : false,
      memberId: reader.readString(flexible),
      members: reader.readArray(flexible, () => readMember(reader, version)),
    }
    if (flexible) reader.readTaggedFields()
    return response
  },
}

function readMember(reader: ByteReader, version: number): JoinGroupMember {
  const flexible = version >= FLEXIBLE_FROM
  const member = {
    memberId: reader.readString(flexible),
    groupInstanceId: version >= 5 ? reader.readNullableString(flexible) : null,
    metadata: reader.readBytes(flexible),
  }
  if (flexible) reader.readTaggedFields()
  return member
}
