/*
 * PushTelemetry, key 72, version 0, flexible from 0. Hands the metrics of this client to the cluster that has subscribed to
 * them (KIP-714, Kafka 3.7).
 */
import type { Api } from '../api.js'

const FLEXIBLE = true

export interface PushTelemetryRequest {
  readonly clientInstanceId: Buffer
  /** Of the subscription that the metrics are for. */
  readonly subscriptionId: number
  /** Whether it is the last: the client closes. */
  readonly terminating: boolean
  /** The id of the codec; 0 is none. */
  readonly compressionType: number
  /** OTLP's `MetricsData`, compressed. */
  readonly metrics: Uint8Array
}

export interface PushTelemetryResponse {
  readonly throttleTimeMs: number
  readonly errorCode: number
}

export const pushTelemetry: Api<PushTelemetryRequest, PushTelemetryResponse> = {
  key: 72,
  name: 'PushTelemetry',
  minVersion: 0,
  maxVersion: 0,
  flexibleFrom: 0,

  encodeRequest(writer, _version, request) {
    writer.writeUuid(request.clientInstanceId)
    writer.writeInt32(request.subscriptionId)
    writer.writeBoolean(request.terminating)
    writer.writeInt8(request.compressionType)
    writer.writeBytes(request.metrics, FLEXIBLE)
    writer.writeNoTaggedFields()
  },

  decodeRequest(reader) {
    const request = {
      clientInstanceId: reader.readUuid(),
      subscriptionId: reader.readInt32(),
      terminating: reader.readBoolean(),
      compressionType: reader.readInt8(),
      metrics: reader.readBytes(FLEXIBLE),
    }
    reader.readTaggedFields()
    return request
  },

  encodeResponse(writer, _version, response) {
    writer.writeInt32(response.throttleTimeMs)
    writer.writeInt16(response.errorCode)
    writer.writeNoTaggedFields()
  },

  decodeResponse(reader) {
    const response = { throttleTimeMs: reader.readInt32(), errorCode: reader.readInt16() }
    reader.readTaggedFields()
    return response
  },
}
