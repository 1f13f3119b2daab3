import { context, metrics, propagation, trace, type Attributes } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import {
  AlwaysOnSampler,
  BasicTracerProvider,
  InMemorySpanExporter,
  ParentBasedSampler,
  SimpleSpanProcessor,
  type ReadableSpan,
  type Sampler,
} from '@opentelemetry/sdk-trace-base'
import { onTestFinished } from 'vitest'
import {
  KafkaProducerInstrumentation,
  type KafkaProducerInstrumentationConfig,
} from '../../../src/opentelemetry/index.js'
import type { EmbeddedKafka } from '../../../src/testing/index.js'
import { turns } from '../support/producers.js'

interface Point {
  readonly attributes: Attributes
  readonly value: unknown
}

/** Collects when it is asked. */
class OnDemandReader extends MetricReader {
  protected override async onShutdown(): Promise<void> {}
  protected override async onForceFlush(): Promise<void> {}
}

/** The SDK with exporters that keep what they are given, and producers that are instrumented, until the test ends. */
export class Telemetry {
  private readonly exporter = new InMemorySpanExporter()
  private readonly reader = new OnDemandReader()
  readonly tracerProvider: BasicTracerProvider
  readonly meterProvider: MeterProvider
  readonly instrumentation: KafkaProducerInstrumentation

  constructor({
    sampler = new ParentBasedSampler({ root: new AlwaysOnSampler() }),
    ...config
  }: KafkaProducerInstrumentationConfig & { readonly sampler?: Sampler } = {}) {
    this.tracerProvider = new BasicTracerProvider({ sampler, spanProcessors: [new SimpleSpanProcessor(this.exporter)] })
    this.meterProvider = new MeterProvider({ readers: [this.reader] })
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
    propagation.setGlobalPropagator(new W3CTraceContextPropagator())
    trace.setGlobalTracerProvider(this.tracerProvider)
    metrics.setGlobalMeterProvider(this.meterProvider)
    this.instrumentation = new KafkaProducerInstrumentation(config)
    onTestFinished(async () => {
      this.instrumentation.disable()
      for (const api of [context, propagation, trace, metrics]) api.disable()
      await this.tracerProvider.shutdown()
      await this.meterProvider.shutdown()
    })
  }

  /** The spans that have ended, in that order. */
  async spans(): Promise<ReadableSpan[]> {
    await turns()
    return this.exporter.getFinishedSpans()
  }

  /** The points of a metric. */
  async points(name: string): Promise<Point[]> {
    await turns()
    const { resourceMetrics } = await this.reader.collect()
    return resourceMetrics.scopeMetrics
      .flatMap((scope) => scope.metrics)
      .filter(({ descriptor }) => descriptor.name === name)
      .flatMap(({ dataPoints }): readonly Point[] => dataPoints)
  }
}

/** What names the broker of that id. */
export function serverOf(kafka: EmbeddedKafka, id = 1): Attributes {
  const broker = kafka.brokers.find((one) => one.id === id)
  if (broker === undefined) throw new Error(`no broker ${id}`)
  return { 'server.address': broker.host, 'server.port': broker.port }
}

/** The headers of what is stored, in the order of the offsets. */
export function headersIn(kafka: EmbeddedKafka, topic: string): Record<string, string>[] {
  return kafka
    .records(topic)
    .map(({ headers }) => Object.fromEntries(headers.map(({ key, value }) => [key, String(value)])))
}

/** As W3C Trace Context has it. */
export function traceparentOf(span: ReadableSpan): string {
  const { traceId, spanId, traceFlags } = span.spanContext()
  return `00-${traceId}-${spanId}-0${traceFlags}`
}
