import { tracingChannel } from 'node:diagnostics_channel'
import {
  createNoopMeter,
  metrics,
  trace,
  type Meter,
  type MeterProvider,
  type Tracer,
  type TracerProvider,
} from '@opentelemetry/api'
import { systemClock } from '../clock.js'
import type { SendTrace } from '../index.js'
import { VERSION } from '../version.js'
import { Conventions } from './conventions.js'
import { isolated, telemetryThrew } from './isolated.js'
import { SendMetrics } from './send-metrics.js'
import { SendSpans, type EndSpan } from './send-spans.js'
import { sharesAtEnd } from './servers.js'

const NAME = 'kafka-producer'
const { start } = tracingChannel<unknown, object>('kafka-producer:send')

export interface KafkaProducerInstrumentationConfig {
  /** Whether it begins to work when it is made, and not only when `enable()` is called; true by default. */
  readonly enabled?: boolean | undefined
  /**
   * Whether each message of a list has a span `create <topic>` of its own, whose context goes with it; true by default.
   * Without, all messages of a list have the context of its `send`.
   */
  readonly createSpans?: boolean | undefined
  /**
   * Whether messages of a trace that is not sampled have its context in their headers, too, so that consumers know of that
   * decision; false by default, since it costs every message the header that is nobody's span.
   */
  readonly propagateUnsampled?: boolean | undefined
  /**
   * Whether only sends within a span have one; false by default, and a send within none begins a trace where the sampler
   * wants it. To ask a sampler for a new trace costs about as much as to send a small message, so that is for
   * whoever sends many messages within none, one by one, and does not want to see them.
   */
  readonly requireParentSpan?: boolean | undefined
}

/** The configuration that is in force. Instrumentations of OpenTelemetry always say whether they are enabled. */
type CurrentConfig = KafkaProducerInstrumentationConfig & { readonly enabled: boolean }

/**
 * Spans and metrics for all producers of this process, by OpenTelemetry's conventions for messaging. It is an
 * instrumentation as `registerInstrumentations()` and the `instrumentations` of a NodeSDK take them; alone it works with the
 * providers that were registered before it was made.
 */
export class KafkaProducerInstrumentation {
  readonly instrumentationName = NAME
  readonly instrumentationVersion = VERSION
  private config: CurrentConfig
  private tracer: Tracer
  private meter: Meter
  private spans: SendSpans | undefined
  private metrics: SendMetrics | undefined
  private isEnabled = false

  constructor(config: KafkaProducerInstrumentationConfig = {}) {
    this.config = { ...config, enabled: config.enabled ?? true }
    this.tracer = trace.getTracer(NAME, VERSION)
    this.meter = metrics.getMeter(NAME, VERSION)
    this.prepare()
    if (this.config.enabled) this.enable()
  }

  /** Begins to work; again does nothing. */
  enable(): void {
    if (this.isEnabled) return
    this.isEnabled = true
    start.subscribe(this.onSend)
  }

  /** Sees no more sends begin; those that it has seen begin it sees end. */
  disable(): void {
    this.isEnabled = false
    start.unsubscribe(this.onSend)
  }

  setTracerProvider(provider: TracerProvider): void {
    this.tracer = provider.getTracer(NAME, VERSION)
    this.prepare()
  }

  setMeterProvider(provider: MeterProvider): void {
    this.meter = provider.getMeter(NAME, VERSION)
    this.prepare()
  }

  setConfig(config: KafkaProducerInstrumentationConfig): void {
    this.config = { ...config, enabled: config.enabled ?? true }
    this.prepare()
  }

  getConfig(): CurrentConfig {
    return this.config
  }

  private prepare(): void {
    const conventions = new Conventions(process.env['OTEL_SEMCONV_STABILITY_OPT_IN'])
    const { createSpans = true, propagateUnsampled = false, requireParentSpan = false } = this.config
    this.spans = new SendSpans(this.tracer, conventions, { createSpans, propagateUnsampled, requireParentSpan })
    // Without anyone to tell it to, nothing is measured.
    this.metrics = this.meter === createNoopMeter() ? undefined : new SendMetrics(this.meter, conventions)
  }

  private readonly onSend = (told: unknown): void => {
    const send = told as SendTrace
    const { metrics } = this
    const endSpan = this.begin(send)
    if ((endSpan === undefined && metrics === undefined) || send.messages.length === 0) return
    const startedAt = systemClock.now()
    send.onEnds((ends) => {
      const shares = sharesAtEnd(send, ends)
      isolated(() => endSpan?.(ends, shares))
      isolated(() => metrics?.ended(send, ends, shares, (systemClock.now() - startedAt) / 1_000))
    })
  }

  /** As `isolated()` would, without a closure for every message that is not sampled. */
  private begin(send: SendTrace): EndSpan | undefined {
    try {
      return this.spans?.begin(send)
    } catch (error) {
      telemetryThrew(error)
      return undefined
    }
  }
}
