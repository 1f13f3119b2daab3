import type { Timer } from '../../clock.js'
import type { Codec } from '../../compression/codec.js'
import { createDebug } from '../../debug.js'
import type { BrokerSession } from '../../network/session/session.js'
import type { Api } from '../../protocol/api.js'
import { getTelemetrySubscriptions } from '../../protocol/apis/get-telemetry-subscriptions.js'
import { pushTelemetry } from '../../protocol/apis/push-telemetry.js'
import { ZERO_UUID } from '../../protocol/byte-writer.js'
import { errorCode, ErrorCodes } from '../../protocol/error-codes.js'
import { encodeMetricsData, type Metric } from '../../protocol/otlp-metrics.js'
import type { MetadataEnd, Observer, Observers } from '../../stats/observer.js'
import type { Surroundings } from '../../surroundings.js'
import { answerTimeoutMs, type AnyBroker } from '../brokers/any-broker.js'
import { ProducerMetrics } from './producer-metrics.js'
import { DEFAULT_PUSH_INTERVAL_MS, Subscription } from './subscription.js'

const debug = createDebug('kafka-producer:metrics-push')

/** How long the last push may hold up the end of a producer. */
const LAST_PUSH_MS = 500
/** Of records' format 2, as which Kafka reads what is compressed here. */
const MAGIC = 2

/** Nothing that a later attempt makes better: there are no more. */
const FINAL_ERRORS: ReadonlySet<number> = new Set([
  ErrorCodes.INVALID_REQUEST,
  ErrorCodes.INVALID_RECORD,
  ErrorCodes.UNSUPPORTED_VERSION,
])
/** The cluster wants other metrics, or in another form: it is asked what. */
const OUTDATED: ReadonlySet<number> = new Set([
  ErrorCodes.UNKNOWN_SUBSCRIPTION_ID,
  ErrorCodes.UNSUPPORTED_COMPRESSION_TYPE,
])

export interface MetricsPushParts {
  readonly anyBroker: AnyBroker
  readonly surroundings: Surroundings
  readonly observers: Observers
  readonly metrics: ProducerMetrics
  readonly requestTimeoutMs: number
}

/**
 * Hands metrics of this producer to the cluster, where that has subscribed to them (KIP-714):
 *
 * ```
 * begins ──a broker lists the requests──▶ asks ──wants some──▶ waits ──interval──▶ pushes ──▶ waits …
 *                                          ▲ │                                       │
 *                                          │ └─wants none─▶ waits ──interval─┐       │ the subscription is another
 *                                          └─────────────────────────────────┴───────┘
 * ```
 *
 * A cluster whose brokers list no such requests is never asked. No socket is opened for it before messages need one, no
 * timer keeps the process alive, and whatever fails waits for the next interval.
 */
export class MetricsPush {
  private instanceId = ZERO_UUID
  /** Undefined where no metric of this producer's is wanted. */
  private subscription: Subscription | undefined
  private intervalMs = DEFAULT_PUSH_INTERVAL_MS
  private timer: Timer | undefined
  /** The push that is under way, or was the last. */
  private pushing: Promise<void> | undefined
  private hasBegun = false
  private isClosed = false
  /** Whether figures are kept for it. */
  private isWatching = false
  /** Pushed without the metrics of single brokers, since all were too much. */
  private isShort = false
  private readonly refusedCodecs = new Set<number>()

  constructor(private readonly parts: MetricsPushParts) {}

  /** What the cluster calls this producer in what it does with its metrics; undefined where it was never asked. */
  get clientInstanceId(): string | undefined {
    return this.instanceId === ZERO_UUID ? undefined : this.instanceId.toString('base64url')
  }

  /** Sees when a broker has answered for the first time. */
  readonly observer: Observer = { metadata: () => this.onMetadata }

  private readonly onMetadata = ({ error }: MetadataEnd): void => {
    // Later: what was answered is not learned yet.
    if (error === undefined && !this.hasBegun) queueMicrotask(() => this.begin())
  }

  private begin(): void {
    const { atHand } = this.parts.anyBroker
    if (this.hasBegun || this.isClosed || atHand?.versions.has(getTelemetrySubscriptions) !== true) return
    this.hasBegun = true
    void this.subscribe()
  }

  private async subscribe(): Promise<void> {
    const { metrics, observers, surroundings } = this.parts
    const again = () => this.after(this.intervalMs, () => this.subscribe())
    this.subscription = undefined
    const answer = await this.ask(getTelemetrySubscriptions, { clientInstanceId: this.instanceId })
    if (answer === undefined || this.isClosed) return
    if (answer === 'failed') return again()
    if (answer.errorCode !== ErrorCodes.NONE) {
      debug('no subscription: %s', errorCode(answer.errorCode).name)
      return FINAL_ERRORS.has(answer.errorCode) ? undefined : again()
    }
    if (this.instanceId === ZERO_UUID && !answer.clientInstanceId.equals(ZERO_UUID))
      this.instanceId = answer.clientInstanceId
    const subscription = new Subscription(answer)
    this.intervalMs = subscription.intervalMs
    this.isShort = false
    const isWanted = ProducerMetrics.isAsked((name) => subscription.isRequested(name))
    debug('subscription %d: every %d ms, %s', subscription.id, this.intervalMs, isWanted ? 'pushed' : 'nothing')
    if (!isWanted) return again()
    this.subscription = subscription
    if (!this.isWatching) observers.add(metrics)
    this.isWatching = true
    // So that not all clients push in the same moment.
    this.after(this.intervalMs * (0.5 + surroundings.random.number()), () => this.push(subscription))
  }

  private push(subscription: Subscription): Promise<void> {
    return (this.pushing = this.pushOnce(subscription))
  }

  private async pushOnce(subscription: Subscription): Promise<void> {
    const request = await this.requestFor(subscription, false)
    if (this.isClosed) return
    const answer = request === undefined ? 'failed' : await this.ask(pushTelemetry, request)
    if (answer === undefined) return
    const error = answer === 'failed' ? ErrorCodes.NONE : answer.errorCode
    if (answer !== 'failed' && error === ErrorCodes.NONE) this.parts.metrics.arrived()
    if (this.isClosed) return
    if (error !== ErrorCodes.NONE) debug('a push was refused: %s', errorCode(error).name)
    if (error === ErrorCodes.TELEMETRY_TOO_LARGE) this.isShort = true
    if (error === ErrorCodes.UNSUPPORTED_COMPRESSION_TYPE && request !== undefined)
      this.refusedCodecs.add(request.compressionType)
    if (FINAL_ERRORS.has(error)) {
      this.subscription = undefined
      return
    }
    if (OUTDATED.has(error)) return this.subscribe()
    this.after(this.intervalMs, () => this.push(subscription))
  }

  /** Undefined where it would be larger than the cluster takes. */
  private async requestFor(subscription: Subscription, terminating: boolean) {
    const { metrics: all, timestamp } = this.parts.metrics.take(subscription.isDelta)
    const wanted = all.filter(({ name }) => subscription.isRequested(name))
    const codec = subscription.codec(this.refusedCodecs)
    for (const metrics of this.isShort ? [withoutNodes(wanted)] : [wanted, withoutNodes(wanted)]) {
      const plain = encodeMetricsData(metrics, timestamp)
      const { id: subscriptionId, maxBytes } = subscription
      // Kafka 4 refuses as invalid, for good, what it finds too large once it is decompressed.
      if (plain.length > maxBytes) continue
      const data = await compressed(codec, plain)
      if (data.metrics.length <= maxBytes)
        return { clientInstanceId: this.instanceId, subscriptionId, terminating, ...data }
    }
    debug('the metrics are larger than the cluster takes')
    return undefined
  }

  /** @returns undefined where the broker lists no such request (any more): it begins anew with one that does */
  private async ask<Request, Answer extends { readonly throttleTimeMs: number }>(
    api: Api<Request, Answer>,
    request: Request,
  ): Promise<Answer | 'failed' | undefined> {
    const { anyBroker } = this.parts
    const question = (session: BrokerSession) => this.put(session, api, request)
    try {
      // Of the same broker, as long as the connection is there; and later, where it wants no requests now.
      const { atHand } = anyBroker
      if (atHand !== undefined && atHand.throttle.leftMs > 0) return 'failed'
      const answer = await (atHand === undefined ? anyBroker.ask(question) : question(atHand))
      if (answer === undefined) this.hasBegun = false
      return answer
    } catch (error) {
      debug('%s: %s', api.name, (error as Error).message)
      return 'failed'
    }
  }

  private async put<Request, Answer extends { readonly throttleTimeMs: number }>(
    { connection, versions, throttle }: BrokerSession,
    api: Api<Request, Answer>,
    request: Request,
  ): Promise<Answer | undefined> {
    if (!versions.has(api)) return undefined
    const timeoutMs = answerTimeoutMs(this.parts.requestTimeoutMs)
    const answer = await connection.request(api, versions.highest(api), request, { timeoutMs })
    throttle.heed(answer.throttleTimeMs)
    return answer
  }

  private after(delayMs: number, next: () => Promise<void>): void {
    const { clock } = this.parts.surroundings
    this.timer = clock.setTimeout(() => void next(), Math.ceil(delayMs)).unref()
  }

  /** Pushes for the last time, where that is wanted and takes but a moment. */
  async close(timeoutMs: number): Promise<void> {
    const { clock } = this.parts.surroundings
    const { subscription } = this
    this.isClosed = true
    clock.clearTimeout(this.timer)
    if (subscription === undefined || timeoutMs <= 0) return
    let timer: Timer | undefined
    // It keeps the process alive meanwhile: connections never do.
    const late = new Promise<void>((resolve) => {
      timer = clock.setTimeout(resolve, Math.min(timeoutMs, LAST_PUSH_MS))
    })
    await Promise.race([this.pushLast(subscription), late])
    clock.clearTimeout(timer)
  }

  private async pushLast(subscription: Subscription): Promise<void> {
    try {
      // What is under way is counted by then.
      await this.pushing
      const request = await this.requestFor(subscription, true)
      // The connection may have been closed since, for being idle: then it takes a new one.
      if (request !== undefined) await this.ask(pushTelemetry, request)
    } catch (error) {
      // Whoever closes a producer is told of messages, and not of this.
      debug('the last push: %s', (error as Error).message)
    }
  }
}

/** What grows with the cluster is left out. */
function withoutNodes(metrics: readonly Metric[]): Metric[] {
  return metrics.filter(({ points }) => points.every(({ attributes }) => attributes === undefined))
}

async function compressed(
  codec: Codec | undefined,
  plain: Buffer,
): Promise<{ readonly compressionType: number; readonly metrics: Uint8Array }> {
  try {
    if (codec !== undefined)
      return { compressionType: codec.id, metrics: await codec.compress(plain, { magic: MAGIC }) }
  } catch (error) {
    debug('the codec %s: %s', codec?.name, (error as Error).message)
  }
  return { compressionType: 0, metrics: plain }
}
