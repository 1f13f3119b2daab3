/*
 * ApiVersions, key 18, versions 0 to 5, flexible from 3 (the response's header never is). Asks a broker which versions
 * of which requests it serves (KIP-35).
 *
 *   1  response: throttleTimeMs
 *   2  the answer comes before the client is throttled, not after
 *   3  flexible; request: name and version of the client's software (KIP-511); response: features, tagged (KIP-584)
 *   4  supportedFeatures may have a minVersion of 0; below, such features are left out
 *   5  request: the cluster and node that the client believes to talk to; error 129 if it is another (KIP-1242)
 *
 * A broker that does not know the version asked for answers in version 0 with error 35; since Kafka 2.4 its list then
 * holds the range of ApiVersions alone, before it was empty.
 */
import { MalformedResponseError } from '../../errors.js'
import type { Api } from '../api.js'
import { ByteReader } from '../byte-reader.js'
import type { ByteWriter, TaggedField } from '../byte-writer.js'
import { ErrorCodes } from '../error-codes.js'

const FLEXIBLE_FROM = 3
/** From this version on, a question says which broker of which cluster it is meant for (KIP-1242). */
export const DESTINATION_FROM = 5
const MAX_RESPONSE_BYTES = 1024 * 1024
/** Of APIs, and of features: ten times what Kafka has. */
const MAX_RANGES = 1_000

export interface ApiVersionsRequest {
  readonly clientSoftwareName: string
  readonly clientSoftwareVersion: string
  /** Null where the client does not know it yet. */
  readonly clusterId: string | null
  /** -1 where the client does not know it yet. */
  readonly nodeId: number
}

export interface ApiVersionRange {
  readonly apiKey: number
  readonly minVersion: number
  readonly maxVersion: number
}

export interface SupportedFeature {
  readonly name: string
  readonly minVersion: number
  readonly maxVersion: number
}

export interface FinalizedFeature {
  readonly name: string
  readonly maxVersionLevel: number
  readonly minVersionLevel: number
}

export interface ApiVersionsResponse {
  readonly errorCode: number
  readonly apiKeys: readonly ApiVersionRange[]
  readonly throttleTimeMs: number
  readonly supportedFeatures: readonly SupportedFeature[]
  /** -1: not known, and `finalizedFeatures` says nothing. */
  readonly finalizedFeaturesEpoch: bigint
  readonly finalizedFeatures: readonly FinalizedFeature[]
  readonly zkMigrationReady: boolean
}

export const apiVersions: Api<ApiVersionsRequest, ApiVersionsResponse> = {
  key: 18,
  name: 'ApiVersions',
  minVersion: 0,
  maxVersion: 5,
  flexibleFrom: FLEXIBLE_FROM,

  encodeRequest(writer, version, request) {
    if (version < FLEXIBLE_FROM) return
    writer.writeString(request.clientSoftwareName, true)
    writer.writeString(request.clientSoftwareVersion, true)
    if (version >= DESTINATION_FROM) {
      writer.writeString(request.clusterId, true)
      writer.writeInt32(request.nodeId)
    }
    writer.writeNoTaggedFields()
  },

  decodeRequest(reader, version) {
    const flexible = version >= FLEXIBLE_FROM
    const request = {
      clientSoftwareName: flexible ? reader.readString(true) : '',
      clientSoftwareVersion: flexible ? reader.readString(true) : '',
      clusterId: version >= DESTINATION_FROM ? reader.readNullableString(true) : null,
      nodeId: version >= DESTINATION_FROM ? reader.readInt32() : -1,
    }
    if (flexible) reader.readTaggedFields()
    return request
  },

  encodeResponse(writer, version, response) {
    const flexible = version >= FLEXIBLE_FROM
    writer.writeInt16(response.errorCode)
    writer.writeArray(response.apiKeys, flexible, (range) => {
      writer.writeInt16(range.apiKey)
      writer.writeInt16(range.minVersion)
      writer.writeInt16(range.maxVersion)
      if (flexible) writer.writeNoTaggedFields()
    })
    if (version >= 1) writer.writeInt32(response.throttleTimeMs)
    if (flexible) writeFeatures(writer, response)
  },

  decodeResponse(reader, version) {
    const flexible = version >= FLEXIBLE_FROM
    const response = {
      errorCode: reader.readInt16(),
      apiKeys: reader.readArray(
        flexible,
        () => {
          const range = { apiKey: reader.readInt16(), minVersion: reader.readInt16(), maxVersion: reader.readInt16() }
          if (flexible) reader.readTaggedFields()
          return range
        },
        MAX_RANGES,
      ),
      throttleTimeMs: version >= 1 ? reader.readInt32() : 0,
      supportedFeatures: [] as SupportedFeature[],
      finalizedFeaturesEpoch: -1n,
      finalizedFeatures: [] as FinalizedFeature[],
      zkMigrationReady: false,
    }
    if (flexible) {
      reader.readTaggedFields((tag, field) => {
        if (tag === 0) response.supportedFeatures = readSupportedFeatures(field)
        else if (tag === 1) response.finalizedFeaturesEpoch = field.readBigInt64()
        else if (tag === 2) response.finalizedFeatures = readFinalizedFeatures(field)
        else if (tag === 3) response.zkMigrationReady = field.readBoolean()
      })
    }
    return response
  },

  maxResponseBytes: () => MAX_RESPONSE_BYTES,
}

/**
 * Decodes the answer to a question asked in `version`, which is in version 0 where the broker does not know that
 * version. `frame` is all that follows the size.
 */
export function decodeApiVersionsResponse(version: number, frame: Buffer): ApiVersionsResponse {
  const reader = new ByteReader(frame, 4)
  const response = apiVersions.decodeResponse(reader, version)
  const problem = reader.problem()
  if (problem === undefined) return response
  if (response.errorCode === ErrorCodes.UNSUPPORTED_VERSION && version > 0) return decodeApiVersionsResponse(0, frame)
  throw new MalformedResponseError(`ApiVersions v${version} response: ${problem}`)
}

function readSupportedFeatures(reader: ByteReader): SupportedFeature[] {
  return reader.readArray(
    true,
    () => {
      const feature = { name: reader.readString(true), minVersion: reader.readInt16(), maxVersion: reader.readInt16() }
      reader.readTaggedFields()
      return feature
    },
    MAX_RANGES,
  )
}

function readFinalizedFeatures(reader: ByteReader): FinalizedFeature[] {
  return reader.readArray(
    true,
    () => {
      const feature = {
        name: reader.readString(true),
        maxVersionLevel: reader.readInt16(),
        minVersionLevel: reader.readInt16(),
      }
      reader.readTaggedFields()
      return feature
    },
    MAX_RANGES,
  )
}

function writeFeatures(writer: ByteWriter, response: ApiVersionsResponse): void {
  const fields: TaggedField[] = []
  if (response.supportedFeatures.length > 0) {
    fields.push([
      0,
      (field) => {
        field.writeArray(response.supportedFeatures, true, (feature) => {
          field.writeString(feature.name, true)
          field.writeInt16(feature.minVersion)
          field.writeInt16(feature.maxVersion)
          field.writeNoTaggedFields()
        })
      },
    ])
  }
  if (response.finalizedFeaturesEpoch !== -1n) {
    fields.push([1, (field) => field.writeBigInt64(response.finalizedFeaturesEpoch)])
  }
  if (response.finalizedFeatures.length > 0) {
    fields.push([
      2,
      (field) => {
        field.writeArray(response.finalizedFeatures, true, (feature) => {
          field.writeString(feature.name, true)
          field.writeInt16(feature.maxVersionLevel)
          field.writeInt16(feature.minVersionLevel)
          field.writeNoTaggedFields()
        })
      },
    ])
  }
  if (response.zkMigrationReady) fields.push([3, (field) => field.writeBoolean(true)])
  writer.writeTaggedFields(fields)
}
