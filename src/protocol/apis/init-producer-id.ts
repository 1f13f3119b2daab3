/*
 * InitProducerId, key 22, versions 0 to 6, flexible from 2. Gives a producer the id and epoch that make its batches
 * idempotent, and fences an older producer with the same transactional id (KIP-98).
 *
 *   1  the answer comes before the client is throttled, not after
 *   2  flexible
 *   3  request: producerId and producerEpoch to go on with, with the epoch raised (KIP-360)
 *   4  error 90 (PRODUCER_FENCED) may be answered
 *   5  error 120 (TRANSACTION_ABORTABLE) may be answered (KIP-890)
 *   6  two-phase commit: enable2Pc, keepPreparedTxn; response: the transaction left open (KIP-939). Not stable up to
 *      Kafka 4.4: brokers do not list it unless told to
 */
import { unsupportedField, type Api } from '../api.js'

const NAME = 'InitProducerId'
const FLEXIBLE_FROM = 2

export interface InitProducerIdRequest {
  /** Null: idempotent only. */
  readonly transactionalId: string | null
  readonly transactionTimeoutMs: number
  /** -1: a new one. */
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly enable2Pc: boolean
  readonly keepPreparedTxn: boolean
}

export interface InitProducerIdResponse {
  readonly throttleTimeMs: number
  readonly errorCode: number
  readonly producerId: bigint
  readonly producerEpoch: number
  /** -1: no transaction is open. */
  readonly ongoingTxnProducerId: bigint
  readonly ongoingTxnProducerEpoch: number
}

export const initProducerId: Api<InitProducerIdRequest, InitProducerIdResponse> = {
  key: 22,
  name: NAME,
  minVersion: 0,
  maxVersion: 6,
  flexibleFrom: FLEXIBLE_FROM,
  clientThrottlesFrom: 1,

  encodeRequest(writer, version, request) {
    const flexible = version >= FLEXIBLE_FROM
    writer.writeString(request.transactionalId, flexible)
    writer.writeInt32(request.transactionTimeoutMs)
    if (version >= 3) {
      writer.writeBigInt64(request.producerId)
      writer.writeInt16(request.producerEpoch)
    } else if (request.producerId !== -1n) throw unsupportedField(NAME, version, 'producerId')
    if (version >= 6) {
      writer.writeBoolean(request.enable2Pc)
      writer.writeBoolean(request.keepPreparedTxn)
    } else if (request.enable2Pc || request.keepPreparedTxn) throw unsupportedField(NAME, version, 'two-phase commit')
    if (flexible) writer.writeNoTaggedFields()
  },

  decodeRequest(reader, version) {
    const flexible = version >= FLEXIBLE_FROM
    const request = {
      transactionalId: reader.readNullableString(flexible),
      transactionTimeoutMs: reader.readInt32(),
      producerId: version >= 3 ? reader.readBigInt64() : -1n,
      producerEpoch: version >= 3 ? reader.readInt16() : -1,
      enable2Pc: version >= 6 ? reader.readBoolean() : false,
      keepPreparedTxn: version >= 6 ? reader.readBoolean() : false,
    }
    if (flexible) reader.readTaggedFields()
    return request
  },

  encodeResponse(writer, version, response) {
    writer.writeInt32(response.throttleTimeMs)
    writer.writeInt16(response.errorCode)
    writer.writeBigInt64(response.producerId)
    writer.writeInt16(response.producerEpoch)
    if (version >= 6) {
      writer.writeBigInt64(response.ongoingTxnProducerId)
      writer.writeInt16(response.ongoingTxnProducerEpoch)
    } else if (response.ongoingTxnProducerId !== -1n) throw unsupportedField(NAME, version, 'ongoingTxnProducerId')
    if (version >= FLEXIBLE_FROM) writer.writeNoTaggedFields()
  },

  decodeResponse(reader, version) {
    const response = {
      throttleTimeMs: reader.readInt32(),
      errorCode: reader.readInt16(),
      producerId: reader.readBigInt64(),
      producerEpoch: reader.readInt16(),
      ongoingTxnProducerId: version >= 6 ? reader.readBigInt64() : -1n,
      ongoingTxnProducerEpoch: version >= 6 ? reader.readInt16() : -1,
    }
    if (version >= FLEXIBLE_FROM) reader.readTaggedFields()
    return response
  },
}
