import {
  getTelemetrySubscriptions,
  type GetTelemetrySubscriptionsRequest,
  type GetTelemetrySubscriptionsResponse,
} from '../../protocol/apis/get-telemetry-subscriptions.js'
import {
  pushTelemetry,
  type PushTelemetryRequest,
  type PushTelemetryResponse,
} from '../../protocol/apis/push-telemetry.js'
import { ZERO_UUID } from '../../protocol/byte-writer.js'
import type { Handler } from '../handler.js'

export const getTelemetrySubscriptionsHandler: Handler<
  GetTelemetrySubscriptionsRequest,
  GetTelemetrySubscriptionsResponse
> = {
  api: getTelemetrySubscriptions,

  answer({ clientInstanceId }, { cluster, faults, throttleTimeMs }) {
    const injected = faults.errorFor()
    if (injected === undefined)
      return { throttleTimeMs, errorCode: 0, ...cluster.clientMetrics.answer(clientInstanceId) }
    return {
      throttleTimeMs,
      errorCode: injected.code,
      clientInstanceId: ZERO_UUID,
      subscriptionId: 0,
      acceptedCompressionTypes: [],
      pushIntervalMs: 0,
      telemetryMaxBytes: 0,
      deltaTemporality: false,
      requestedMetrics: [],
    }
  },
}

export const pushTelemetryHandler: Handler<PushTelemetryRequest, PushTelemetryResponse> = {
  api: pushTelemetry,

  answer(request, { broker, clientId, cluster, decompress, faults, throttleTimeMs }) {
    const injected = faults.errorFor()
    if (injected !== undefined) return { throttleTimeMs, errorCode: injected.code }
    const from = { broker: broker.id, clientId }
    const { boundsUnpackedMetrics } = broker.release
    return { throttleTimeMs, errorCode: cluster.clientMetrics.push(request, from, decompress, boundsUnpackedMetrics) }
  },
}
