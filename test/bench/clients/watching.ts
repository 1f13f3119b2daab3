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
import type { Logger, ProducerOptions } from '../../../src/index.js'
import { KafkaProducerInstrumentation } from '../../../src/opentelemetry/index.js'
import { Observers } from '../../../src/stats/observer.js'
import type { Watching } from '../job.js'
import type { BenchClient } from './bench-client.js'

/** What a producer is made with, and what its sends run in. */
interface Watched {
  readonly options: Pick<ProducerOptions, 'logger' | 'interceptors'>
  readonly within?: BenchClient['within']
}

/** Who watches a producer, by the name of it; to be called before that is made. */
export function watch(watching: Watching): Watched {
  switch (watching) {
    case 'nobody':
      // No producer can be made without statistics; this takes away who would see anything.
      Observers.prototype.add = () => undefined
      return { options: {} }
    case 'logger and statistics':
      return WATCHED
    case 'an interceptor':
      return { options: { ...WATCHED.options, interceptors: [{ onSend: (message) => message }] } }
    case 'an unsampled caller':
      startTracing(new AlwaysOnSampler())
      return { ...WATCHED, within: unsampled }
    case 'tracing an unsampled caller':
      startTracing(new AlwaysOnSampler())
      new KafkaProducerInstrumentation()
      return { ...WATCHED, within: unsampled }
    case 'tracing unsampled roots':
      startTracing(new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(0.001) }))
      new KafkaProducerInstrumentation()
      return WATCHED
    case 'tracing all':
      startTracing(new AlwaysOnSampler())
      new KafkaProducerInstrumentation()
      return WATCHED
    case 'metrics':
      metrics.setGlobalMeterProvider(new MeterProvider({ readers: [new IdleReader()] }))
      new KafkaProducerInstrumentation()
      return WATCHED
  }
}

const ignore = (): void => undefined
const SILENT: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore }
const WATCHED: Watched = { options: { logger: SILENT } }

const UNSAMPLED: Context = trace.setSpanContext(ROOT_CONTEXT, {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  traceFlags: 0,
})
const unsampled = <T>(run: () => T): T => context.with(UNSAMPLED, run)

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
