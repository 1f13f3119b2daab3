/*
 * EndTxn, key 26, versions 0 to 5, flexible from 3. Commits or aborts a transaction (KIP-98).
 *
 *   1  the answer comes before the client is throttled, not after
 *   2  error 90 (PRODUCER_FENCED) may be answered
 *   3  flexible
 *   4  error 120 (TRANSACTION_ABORTABLE) may be answered (KIP-890)
 *   5  response: the producer's id and epoch for its next transaction (KIP-890)
 */
import type { Api } from '../api.js'

const FLEXIBLE_FROM = 3

export interface EndTxnRequest {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly producerEpoch: number
  /** False: abort. */
  readonly committed: boolean
}

export interface EndTxnResponse {
  readonly throttleTimeMs: number
  readonly errorCode: number
  /** -1: go on with the same. */
  readonly producerId: bigint
  readonly producerEpoch: number
}

export const endTxn: Api<EndTxnRequest, EndTxnResponse> = {
  key: 26,
  name: 'EndTxn',
  minVersion: 0,
  maxVersion: 5,
  flexibleFrom: FLEXIBLE_FROM,
  clientThrottlesFrom: 1,

  encodeRequest(writer, version, request) {
    const flexible = version >= FLEXIBLE_FROM
    writer.writeString(request.transactionalId, flexible)
    writer.writeBigInt64(request.producerId)
    writer.writeInt16(request.producerEpoch)
    writer.writeBoolean(request.committed)
    if (flexible) writer.writeNoTaggedFields()
  },

  decodeRequest(reader, version) {
    const flexible = version >= FLEXIBLE_FROM
    const request = {
      transactionalId: reader.readString(flexible),
      producerId: reader.readBigInt64(),
      producerEpoch: reader.readInt16(),
      committed: reader.readBoolean(),
    }
    if (flexible) reader.readTaggedFields()
    return request
  },

  encodeResponse(writer, version, response) {
    writer.writeInt32(response.throttleTimeMs)
    writer.writeInt16(response.errorCode)
    if (version >= 5) {
      writer.writeBigInt64(response.producerId)
      writer.writeInt16(response.producerEpoch)
    }
    if (version >= FLEXIBLE_FROM) writer.writeNoTaggedFields()
  },

  decodeResponse(reader, version) {
    const response = {
      throttleTimeMs: reader.readInt32(),
      errorCode: reader.readInt16(),
      producerId: version >= 5 ? reader.readBigInt64() : -1n,
      producerEpoch: version >= 5 ? reader.readInt16() : -1,
    }
    if (version >= FLEXIBLE_FROM) reader.readTaggedFields()
    return response
  },
}
