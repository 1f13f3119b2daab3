/*
 * AddOffsetsToTxn, key 25, versions 0 to 4, flexible from 3. Makes the offsets of a consumer group part of a
 * transaction, before TxnOffsetCommit (KIP-98).
 *
 *   1  the answer comes before the client is throttled, not after
 *   2  error 90 (PRODUCER_FENCED) may be answered
 *   3  flexible
 *   4  error 120 (TRANSACTION_ABORTABLE) may be answered (KIP-890)
 */
import type { Api } from '../api.js'

const FLEXIBLE_FROM = 3

export interface AddOffsetsToTxnRequest {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly groupId: string
}

export interface AddOffsetsToTxnResponse {
  readonly throttleTimeMs: number
  readonly errorCode: number
}

export const addOffsetsToTxn: Api<AddOffsetsToTxnRequest, AddOffsetsToTxnResponse> = {
  key: 25,
  name: 'AddOffsetsToTxn',
  minVersion: 0,
  maxVersion: 4,
  flexibleFrom: FLEXIBLE_FROM,
  clientThrottlesFrom: 1,

  encodeRequest(writer, version, request) {
    const flexible = version >= FLEXIBLE_FROM
    writer.writeString(request.transactionalId, flexible)
    writer.writeBigInt64(request.producerId)
    writer.writeInt16(request.producerEpoch)
    writer.writeString(request.groupId, flexible)
    if (flexible) writer.writeNoTaggedFields()
  },

  decodeRequest(reader, version) {
    const flexible = version >= FLEXIBLE_FROM
    const request = {
      transactionalId: reader.readString(flexible),
      producerId: reader.readBigInt64(),
      producerEpoch: reader.readInt16(),
      groupId: reader.readString(flexible),
    }
    if (flexible) reader.readTaggedFields()
    return request
  },

  encodeResponse(writer, version, response) {
    writer.writeInt32(response.throttleTimeMs)
    writer.writeInt16(response.errorCode)
    if (version >= FLEXIBLE_FROM) writer.writeNoTaggedFields()
  },

  decodeResponse(reader, version) {
    const response = { throttleTimeMs: reader.readInt32(), errorCode: reader.readInt16() }
    if (version >= FLEXIBLE_FROM) reader.readTaggedFields()
    return response
  },
}
