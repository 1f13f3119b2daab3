/*
 * DescribeCluster, key 60, versions 0 to 2, flexible from 0. Tells the brokers or controllers of the cluster (KIP-700).
 *
 *   1  endpointType in both directions; errors 114 and 115 may be answered (KIP-919)
 *   2  request: includeFencedBrokers; response: isFenced (KIP-1073)
 */
import { unsupportedField, type Api } from '../api.js'
import type { ByteReader } from '../byte-reader.js'

const NAME = 'DescribeCluster'

export interface DescribeClusterRequest {
  readonly includeClusterAuthorizedOperations: boolean
  /** 1: brokers, 2: controllers. */
  readonly endpointType: number
  readonly includeFencedBrokers: boolean
}

export interface DescribeClusterBroker {
  readonly brokerId: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
  readonly isFenced: boolean
}

export interface DescribeClusterResponse {
  readonly throttleTimeMs: number
  readonly errorCode: number
  readonly errorMessage: string | null
  readonly endpointType: number
  readonly clusterId: string
  /** -1 where not known. */
  readonly controllerId: number
  readonly brokers: readonly DescribeClusterBroker[]
  readonly clusterAuthorizedOperations: number
}

export const describeCluster: Api<DescribeClusterRequest, DescribeClusterResponse> = {
  key: 60,
  name: NAME,
  minVersion: 0,
  maxVersion: 2,
  flexibleFrom: 0,

  encodeRequest(writer, version, request) {
    writer.writeBoolean(request.includeClusterAuthorizedOperations)
    if (version >= 1) writer.writeInt8(request.endpointType)
    else if (request.endpointType !== 1) throw unsupportedField(NAME, version, 'endpointType')
    if (version >= 2) writer.writeBoolean(request.includeFencedBrokers)
    else if (request.includeFencedBrokers) throw unsupportedField(NAME, version, 'includeFencedBrokers')
    writer.writeNoTaggedFields()
  },

  decodeRequest(reader, version) {
    const request = {
      includeClusterAuthorizedOperations: reader.readBoolean(),
      endpointType: version >= 1 ? reader.readInt8() : 1,
      includeFencedBrokers: version >= 2 ? reader.readBoolean() : false,
    }
    reader.readTaggedFields()
    return request
  },

  encodeResponse(writer, version, response) {
    writer.writeInt32(response.throttleTimeMs)
    writer.writeInt16(response.errorCode)
    writer.writeString(response.errorMessage, true)
    if (version >= 1) writer.writeInt8(response.endpointType)
    else if (response.endpointType !== 1) throw unsupportedField(NAME, version, 'endpointType')
    writer.writeString(response.clusterId, true)
    writer.writeInt32(response.controllerId)
    writer.writeArray(response.brokers, true, (broker) => {
      writer.writeInt32(broker.brokerId)
      writer.writeString(broker.host, true)
      writer.writeInt32(broker.port)
      writer.writeString(broker.rack, true)
      if (version >= 2) writer.writeBoolean(broker.isFenced)
      else if (broker.isFenced) throw unsupportedField(NAME, version, 'isFenced')
      writer.writeNoTaggedFields()
    })
    writer.writeInt32(response.clusterAuthorizedOperations)
    writer.writeNoTaggedFields()
  },

  decodeResponse(reader, version) {
    const response = {
      throttleTimeMs: reader.readInt32(),
      errorCode: reader.readInt16(),
      errorMessage: reader.readNullableString(true),
      endpointType: version >= 1 ? reader.readInt8() : 1,
      clusterId: reader.readString(true),
      controllerId: reader.readInt32(),
      brokers: reader.readArray(true, () => readBroker(reader, version)),
      clusterAuthorizedOperations: reader.readInt32(),
    }
    reader.readTaggedFields()
    return response
  },
}

function readBroker(reader: ByteReader, version: number): DescribeClusterBroker {
  const broker = {
    brokerId: reader.readInt32(),
    host: reader.readString(true),
    port: reader.readInt32(),
    rack: reader.readNullableString(true),
    isFenced: version >= 2 ? reader.readBoolean() : false,
  }
  reader.readTaggedFields()
  return broker
}
