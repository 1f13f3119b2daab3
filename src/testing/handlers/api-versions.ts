import type { ApiInfo } from '../../protocol/api.js'
import { apiVersions, type ApiVersionsRequest, type ApiVersionsResponse } from '../../protocol/apis/api-versions.js'
import { ErrorCodes } from '../../protocol/error-codes.js'
import { encodeResponseFrame } from '../../protocol/frame.js'
import type { Cluster, ClusterNode } from '../cluster.js'
import { codeOf } from '../error-names.js'
import type { Handler } from '../handler.js'
import type { Release } from '../releases.js'

const NO_FEATURES = {
  supportedFeatures: [],
  finalizedFeaturesEpoch: -1n,
  finalizedFeatures: [],
  zkMigrationReady: false,
} as const

/** @param served what the embedded broker has handlers for: nothing beyond it is listed */
export function apiVersionsHandler(served: () => Iterable<ApiInfo>): Handler<ApiVersionsRequest, ApiVersionsResponse> {
  return {
    api: apiVersions,
    answer(request, { broker, cluster, faults, sasl, throttleTimeMs, version }) {
      const errorCode = faults.errorFor()?.code ?? problemOf(request, version, broker, cluster)
      if (errorCode === 0) sasl?.toldVersions()
      return {
        errorCode,
        apiKeys: errorCode === 0 ? [...served()].flatMap((api) => listed(api, broker.release)) : [],
        throttleTimeMs,
        ...(errorCode === 0 ? featuresOf(broker.release, version) : NO_FEATURES),
      }
    },
  }
}

const SOFTWARE_FROM = 3
const TARGET_FROM = 5
/** Older clients take a least level of 0 for damage. */
const LEVEL_ZERO_FROM = 4

/** Why a broker tells nothing of itself: an error code, or 0. */
function problemOf(request: ApiVersionsRequest, version: number, { id }: ClusterNode, cluster: Cluster): number {
  const { clientSoftwareName, clientSoftwareVersion, clusterId, nodeId } = request
  const isName = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/
  if (version >= SOFTWARE_FROM && !(isName.test(clientSoftwareName) && isName.test(clientSoftwareVersion)))
    return codeOf('INVALID_REQUEST')
  if (version < TARGET_FROM || (clusterId === null && nodeId === -1)) return 0
  // Both are told, or neither (KIP-1242).
  if (clusterId === null || nodeId === -1) return codeOf('INVALID_REQUEST')
  return clusterId === cluster.id && nodeId === id ? 0 : codeOf('REBOOTSTRAP_REQUIRED')
}

function featuresOf({ features }: Release, version: number) {
  if (features === undefined) return NO_FEATURES
  return {
    supportedFeatures: features.flatMap(({ name, min, max }) =>
      min === 0 && version < LEVEL_ZERO_FROM ? [] : [{ name, minVersion: min, maxVersion: max }],
    ),
    finalizedFeaturesEpoch: 1n,
    finalizedFeatures: features.flatMap(({ name, level }) =>
      level === 0 ? [] : [{ name, minVersionLevel: level, maxVersionLevel: level }],
    ),
    zkMigrationReady: false,
  }
}

function listed(api: ApiInfo, release: Release): ApiVersionsResponse['apiKeys'] {
  const range = release.listed(api.key)
  return range === undefined
    ? []
    : [{ apiKey: api.key, minVersion: range.min, maxVersion: Math.min(range.max, api.maxVersion) }]
}

/** What a broker answers to an ApiVersions of a version it does not know: in version 0 (KIP-511). */
export function unknownApiVersion(release: Release, correlationId: number): Buffer {
  return encodeResponseFrame(apiVersions, 0, correlationId, {
    errorCode: ErrorCodes.UNSUPPORTED_VERSION,
    apiKeys: release.tellsApiVersionsRange ? listed(apiVersions, release) : [],
    throttleTimeMs: 0,
    ...NO_FEATURES,
  })
}
