import type { ApiInfo } from '../../protocol/api.js'
import { apiVersions, type ApiVersionsRequest, type ApiVersionsResponse } from '../../protocol/apis/api-versions.js'
import { ErrorCodes } from '../../protocol/error-codes.js'
import { encodeResponseFrame } from '../../protocol/frame.js'
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
    answer(_request, { broker, faults, throttleTimeMs }) {
      const errorCode = faults.errorFor()?.code ?? 0
      return {
        errorCode,
        apiKeys: errorCode === 0 ? [...served()].flatMap((api) => listed(api, broker.release)) : [],
        throttleTimeMs,
        ...(errorCode === 0 ? featuresOf(broker.release) : NO_FEATURES),
      }
    },
  }
}

function featuresOf({ transactionVersion }: Release) {
  if (transactionVersion === undefined) return NO_FEATURES
  const name = 'transaction.version'
  return {
    supportedFeatures: [{ name, minVersion: 0, maxVersion: transactionVersion }],
    finalizedFeaturesEpoch: 1n,
    finalizedFeatures: [{ name, minVersionLevel: transactionVersion, maxVersionLevel: transactionVersion }],
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
