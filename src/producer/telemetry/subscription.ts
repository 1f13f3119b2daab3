import { Codecs, type Codec } from '../../compression/codec.js'
import type { GetTelemetrySubscriptionsResponse } from '../../protocol/apis/get-telemetry-subscriptions.js'

/** Where no subscription says otherwise; Kafka's. */
export const DEFAULT_PUSH_INTERVAL_MS = 300_000
/** What Kafka lets a subscription have. */
const MIN_PUSH_INTERVAL_MS = 100
const MAX_PUSH_INTERVAL_MS = 3_600_000

const CODEC_NAMES: Readonly<Record<number, string>> = { 1: 'gzip', 2: 'snappy', 3: 'lz4', 4: 'zstd' }
const NO_CODEC = 0

/** Which metrics the cluster wants of this client, how often and how: an answer to GetTelemetrySubscriptions. */
export class Subscription {
  readonly id: number
  readonly intervalMs: number
  readonly maxBytes: number
  readonly isDelta: boolean
  private readonly prefixes: readonly string[]
  private readonly acceptedCodecs: readonly number[]
  private readonly codecs = new Codecs()

  constructor(answer: GetTelemetrySubscriptionsResponse) {
    this.id = answer.subscriptionId
    this.intervalMs = boundedInterval(answer.pushIntervalMs)
    this.maxBytes = answer.telemetryMaxBytes
    this.isDelta = answer.deltaTemporality
    this.prefixes = answer.requestedMetrics
    this.acceptedCodecs = answer.acceptedCompressionTypes
  }

  /** Brokers say everything by `*`, or by the empty string. */
  isRequested(name: string): boolean {
    return this.prefixes.some((prefix) => prefix === '*' || name.startsWith(prefix))
  }

  /**
   * The first of the broker's codecs that can run here; undefined where the metrics go as they are.
   *
   * @param refused ids of those that it did not take after all
   */
  codec(refused: ReadonlySet<number>): Codec | undefined {
    for (const id of this.acceptedCodecs) {
      if (id === NO_CODEC) return undefined
      const name = CODEC_NAMES[id]
      if (name !== undefined && !refused.has(id) && this.codecs.whyNot(name) === undefined) return this.codecs.get(name)
    }
    return undefined
  }
}

function boundedInterval(pushIntervalMs: number): number {
  if (pushIntervalMs <= 0) return DEFAULT_PUSH_INTERVAL_MS
  return Math.min(Math.max(pushIntervalMs, MIN_PUSH_INTERVAL_MS), MAX_PUSH_INTERVAL_MS)
}
