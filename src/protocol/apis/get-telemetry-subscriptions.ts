/*
 * GetTelemetrySubscriptions, key 71, version 0, flexible from 0. Asks which metrics of this client the cluster wants
 * (KIP-714, Kafka 3.7). Brokers list it only where a plug-in of theirs takes such metrics.
 */
import type { Api } from '../api.js'

const FLEXIBLE = true

export interface GetTelemetrySubscriptionsRequest {
  /** All zeros the first time: one is given then. */
  readonly clientInstanceId: Buffer
}

export interface GetTelemetrySubscriptionsResponse {
  readonly throttleTimeMs: number
  readonly errorCode: number
  /** The one given; all zeros where the request had one. */
  readonly clientInstanceId: Buffer
  readonly subscriptionId: number
  /** Ids of codecs, the preferred first. */
  readonly acceptedCompressionTypes: readonly number[]
  readonly pushIntervalMs: number
  /** The most bytes of metrics, after compression, that a push may have. */
  readonly telemetryMaxBytes: number
  /** Whether counters count from the last push on, or else from the start. */
  readonly deltaTemporality: boolean
  /** What names of metrics begin with; none: nothing is wanted; the empty string: everything. */
  readonly requestedMetrics: readonly string[]
}

export const getTelemetrySubscriptions: Api<GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse> = {
  key: 71,
  name: 'GetTelemetrySubscriptions',
  minVersion: 0,
  maxVersion: 0,
  flexibleFrom: 0,

  encodeRequest(writer, _version, request) {
    writer.writeUuid(request.clientInstanceId)
    writer.writeNoTaggedFields()
  },

  decodeRequest(reader) {
    const request = { clientInstanceId: reader.readUuid() }
    reader.readTaggedFields()
    return request
  },

  encodeResponse(writer, _version, response) {
    writer.writeInt32(response.throttleTimeMs)
    writer.writeInt16(response.errorCode)
    writer.writeUuid(response.clientInstanceId)
    writer.writeInt32(response.subscriptionId)
    writer.writeArray(response.acceptedCompressionTypes, FLEXIBLE, (id) => writer.writeInt8(id))
    writer.writeInt32(response.pushIntervalMs)
    writer.writeInt32(response.telemetryMaxBytes)
    writer.writeBoolean(response.deltaTemporality)
    writer.writeArray(response.requestedMetrics, FLEXIBLE, (prefix) => writer.writeString(prefix, FLEXIBLE))
    writer.writeNoTaggedFields()
  },

  decodeResponse(reader) {
    const response = {
      throttleTimeMs: reader.readInt32(),
      errorCode: reader.readInt16(),
      clientInstanceId: reader.readUuid(),
      subscriptionId: reader.readInt32(),
      acceptedCompressionTypes: reader.readArray(FLEXIBLE, () => reader.readInt8()),
      pushIntervalMs: reader.readInt32(),
      telemetryMaxBytes: reader.readInt32(),
      deltaTemporality: reader.readBoolean(),
      requestedMetrics: reader.readArray(FLEXIBLE, () => reader.readString(FLEXIBLE)),
    }
    reader.readTaggedFields()
    return response
  },
}
