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
import { environmentVariable } from '../environment.js'
import type { SendTrace } from '../index.js'
import { VERSION } from '../version.js'
import {
  checkedConfig,
  checkedProvider,
  type CurrentConfig,
  type KafkaProducerInstrumentationConfig,
} from './config.js'
import { Conventions } from './conventions.js'
import { isolated, telemetryThrew } from './isolated.js'
import { SendMetrics } from './send-metrics.js'
import { SendSpans, type EndSpan } from './send-spans.js'
import { sharesAtEnd } from './servers.js'

const NAME = 'kafka-producer'
const { start } = tracingChannel<unknown, object>('kafka-producer:send')

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

  /** @throws InvalidConfigError */
  constructor(config: KafkaProducerInstrumentationConfig = {}) {
    this.config = checkedConfig(config)
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

  /** @throws InvalidConfigError */
  setTracerProvider(provider: TracerProvider): void {
    this.tracer = checkedProvider(provider, 'getTracer').getTracer(NAME, VERSION)
    this.prepare()
  }

  /** @throws InvalidConfigError */
  setMeterProvider(provider: MeterProvider): void {
    this.meter = checkedProvider(provider, 'getMeter').getMeter(NAME, VERSION)
    this.prepare()
  }

  /** @throws InvalidConfigError */
  setConfig(config: KafkaProducerInstrumentationConfig): void {
    this.config = checkedConfig(config)
    this.prepare()
  }

  getConfig(): CurrentConfig {
    return this.config
  }

  private prepare(): void {
    const conventions = new Conventions(environmentVariable('OTEL_SEMCONV_STABILITY_OPT_IN'))
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
