import { given } from '../given.js'
import type { GetTelemetrySubscriptionsResponse } from '../protocol/apis/get-telemetry-subscriptions.js'
import type { PushTelemetryRequest } from '../protocol/apis/push-telemetry.js'
import { ZERO_UUID } from '../protocol/byte-writer.js'
import type { Decompress } from '../protocol/records/record.js'
import { fields, flag, listOf, text, wholeNumber } from './checks.js'
import { canDecompress } from './decompress.js'
import { codeOf } from './error-names.js'
import { Newest } from './newest.js'

/** What a cluster wants of its clients' metrics (KIP-714). */
export interface ClientMetricsSubscription {
  /** What the names of wanted metrics begin with. Default: `['']`, all; none: nothing is wanted. */
  metrics?: readonly string[] | undefined
  /** Milliseconds from one push to the next. Default: 300,000. */
  intervalMs?: number | undefined
  /** Whether counters are to count from the last push on; else from the start. Default: true. */
  deltaTemporality?: boolean | undefined
  /** Bytes of the largest push, as it comes, and in Kafka 4 decompressed, too. Default: 1,048,576. */
  maxBytes?: number | undefined
  /** Ids of the codecs that pushes may have, the preferred first. Default: 4, 3, 1, 2 (zstd, where this Node has it, lz4, gzip, snappy). */
  compression?: readonly number[] | undefined
}

/** A push of metrics that was taken. */
export interface ReceivedMetrics {
  /** The id of the broker. */
  readonly broker: number
  readonly clientId: string | null
  /** As Kafka prints it: base64. */
  readonly clientInstanceId: string
  readonly subscriptionId: number
  /** Whether the client closes. */
  readonly terminating: boolean
  /** The id of its codec; 0 is none. */
  readonly compression: number
  /** OpenTelemetry's `MetricsData`, decompressed. */
  readonly data: Buffer
}

/** A subscription with its defaults. */
type Wanted = {
  readonly [Name in keyof ClientMetricsSubscription]-?: NonNullable<ClientMetricsSubscription[Name]>
}

const DEFAULTS = {
  metrics: [''],
  intervalMs: 300_000,
  deltaTemporality: true,
  maxBytes: 1_048_576,
  compression: [4, 3, 1, 2].filter(canDecompress),
} as const
const NO_CODEC = 0
/** Of records' format 2. */
const MAGIC = 2
const ZERO_ID = ZERO_UUID.toString('base64url')

// The bounds are those of the wire.
export const checkSubscription = fields<ClientMetricsSubscription>({
  metrics: listOf(text),
  intervalMs: wholeNumber(0, 0x7fffffff),
  deltaTemporality: flag,
  maxBytes: wholeNumber(0, 0x7fffffff),
  compression: listOf(wholeNumber(0, 0x7f)),
})

/** The cluster's subscription to metrics of clients, and what has come of it; times between pushes are not looked at. */
export class ClientMetrics {
  readonly received: Newest<ReceivedMetrics>
  private subscription: Wanted = DEFAULTS
  private subscriptionId = 0
  private readonly ended = new Set<string>()

  /** @param newId gives ids to clients that have none */
  constructor(
    private readonly newId: () => Buffer,
    history: number,
  ) {
    this.received = new Newest(history)
  }

  subscribe(subscription: ClientMetricsSubscription): void {
    this.subscription = { ...DEFAULTS, ...given(subscription) } as Wanted
    this.subscriptionId++
  }

  answer(clientInstanceId: Buffer): Omit<GetTelemetrySubscriptionsResponse, 'errorCode' | 'throttleTimeMs'> {
    const { metrics, intervalMs, deltaTemporality, maxBytes, compression } = this.subscription
    return {
      clientInstanceId: clientInstanceId.equals(ZERO_UUID) ? this.newId() : ZERO_UUID,
      subscriptionId: this.subscriptionId,
      acceptedCompressionTypes: compression,
      pushIntervalMs: intervalMs,
      telemetryMaxBytes: maxBytes,
      deltaTemporality,
      requestedMetrics: metrics,
    }
  }

  /** The code of the error that a push gets; 0 where it was taken. */
  push(
    request: PushTelemetryRequest,
    from: { broker: number; clientId: string | null },
    decompress: Decompress,
    boundsUnpacked: boolean,
  ): number {
    const { compression, maxBytes } = this.subscription
    const { subscriptionId, terminating, compressionType } = request
    const clientInstanceId = request.clientInstanceId.toString('base64url')
    if (clientInstanceId === ZERO_ID || this.ended.has(clientInstanceId)) return codeOf('INVALID_REQUEST')
    if (subscriptionId !== this.subscriptionId) return codeOf('UNKNOWN_SUBSCRIPTION_ID')
    if (compressionType !== NO_CODEC && !compression.includes(compressionType))
      return codeOf('UNSUPPORTED_COMPRESSION_TYPE')
    if (request.metrics.length > maxBytes) return codeOf('TELEMETRY_TOO_LARGE')
    try {
      const data = decompressed(request, decompress)
      if (boundsUnpacked && data.length > maxBytes) return codeOf('INVALID_RECORD')
      this.received.add({ ...from, clientInstanceId, subscriptionId, terminating, compression: compressionType, data })
    } catch {
      return codeOf('INVALID_RECORD')
    }
    if (terminating) this.ended.add(clientInstanceId)
    return 0
  }
}

function decompressed({ compressionType, metrics }: PushTelemetryRequest, decompress: Decompress): Buffer {
  // A copy: the request's bytes are used again.
  const bytes = Buffer.from(metrics)
  return compressionType === NO_CODEC ? bytes : decompress(compressionType, bytes, MAGIC)
}
