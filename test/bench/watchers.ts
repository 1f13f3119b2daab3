import { context, metrics, propagation, ROOT_CONTEXT, trace, type Context } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import {
  AlwaysOnSampler,
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  type Sampler,
} from '@opentelemetry/sdk-trace-base'
import type { Logger, ProducerOptions } from '../../src/index.js'
import { KafkaProducerInstrumentation } from '../../src/opentelemetry/index.js'
import type { Watching } from './watching-names.js'

/** Who watches a producer. */
export interface Watcher {
  readonly options: Pick<ProducerOptions, 'logger' | 'interceptors'>
  /** No producer can be made without statistics: this takes away who would see anything. */
  readonly isBlind?: true
  /** To be enabled as long as it watches. */
  readonly instrumentation?: KafkaProducerInstrumentation
  /** What sends are to run in. */
  readonly within?: <T>(run: () => T) => T
}

/** By the name of it; it sets up the SDK where it needs one, for the whole process. */
export function watcher(watching: Watching): Watcher {
  switch (watching) {
    case 'nobody':
      return { options: {}, isBlind: true }
    case 'logger and statistics':
      return WATCHED
    case 'an interceptor':
      return { options: { ...WATCHED.options, interceptors: [{ onSend: (message) => message }] } }
    case 'an unsampled caller':
      startTracing(new AlwaysOnSampler())
      return { ...WATCHED, within: unsampled }
    case 'tracing an unsampled caller':
      startTracing(new AlwaysOnSampler())
      return { ...WATCHED, instrumentation: instrumentation(), within: unsampled }
    case 'tracing unsampled roots':
      startTracing(new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(0.001) }))
      return { ...WATCHED, instrumentation: instrumentation() }
    case 'tracing all':
      startTracing(new AlwaysOnSampler())
      return { ...WATCHED, instrumentation: instrumentation() }
    case 'metrics':
      metrics.setGlobalMeterProvider(new MeterProvider({ readers: [new IdleReader()] }))
      return { ...WATCHED, instrumentation: instrumentation() }
  }
}

const ignore = (): void => undefined
const SILENT: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore }
const WATCHED: Watcher = { options: { logger: SILENT } }

const UNSAMPLED: Context = trace.setSpanContext(ROOT_CONTEXT, {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  traceFlags: 0,
})
const unsampled = <T>(run: () => T): T => context.with(UNSAMPLED, run)

const instrumentation = () => new KafkaProducerInstrumentation({ enabled: false })

/** All that a service has of the SDK, but for where its spans go. */
function startTracing(sampler: Sampler): void {
  const exporter = {
    export: (_spans: unknown, done: (result: { code: number }) => void) => done({ code: 0 }),
    shutdown: () => Promise.resolve(),
  }
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  trace.setGlobalTracerProvider(
    new BasicTracerProvider({ sampler, spanProcessors: [new BatchSpanProcessor(exporter)] }),
  )
}

class IdleReader extends MetricReader {
  protected override onShutdown(): Promise<void> {
    return Promise.resolve()
  }

  protected override onForceFlush(): Promise<void> {
    return Promise.resolve()
  }
}
