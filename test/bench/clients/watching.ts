import { AsyncLocalStorage } from 'node:async_hooks'
import {
  context,
  metrics,
  propagation,
  ROOT_CONTEXT,
  trace,
  type Context,
  type ContextManager,
} from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BasicTracerProvider,
  BatchSpanProcessor,
  type Sampler,
} from '@opentelemetry/sdk-trace-base'
import type { Logger } from '../../../src/index.js'
import { KafkaProducerInstrumentation } from '../../../src/opentelemetry/index.js'
import { Observers } from '../../../src/stats/observer.js'
import type { Watching } from '../job.js'

/** Who watches a producer, by the name of it; to be called before that is made, and gives its logger. */
export function watch(watching: Watching): Logger | undefined {
  switch (watching) {
    case 'nobody':
      // No producer can be made without statistics; this takes away who would see anything.
      Observers.prototype.add = () => undefined
      return undefined
    case 'logger, statistics, channels':
      return SILENT
    case 'tracing, not sampled by the caller':
      traceWith(new AlwaysOnSampler()).enterWith(trace.setSpanContext(ROOT_CONTEXT, UNSAMPLED))
      return SILENT
    case 'tracing, not sampled by the sampler':
      traceWith(new AlwaysOffSampler())
      return SILENT
    case 'tracing, sampled':
      traceWith(new AlwaysOnSampler())
      return SILENT
    case 'metrics':
      metrics.setGlobalMeterProvider(new MeterProvider({ readers: [new IdleReader()] }))
      new KafkaProducerInstrumentation()
      return SILENT
  }
}

const ignore = (): void => undefined
const SILENT: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore }
const UNSAMPLED = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 0 }

/** All that a service has of the SDK, but for where its spans go. */
function traceWith(sampler: Sampler): Contexts {
  const exporter = {
    export: (_spans: unknown, done: (result: { code: number }) => void) => done({ code: 0 }),
    shutdown: () => Promise.resolve(),
  }
  const contexts = new Contexts()
  context.setGlobalContextManager(contexts)
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  trace.setGlobalTracerProvider(
    new BasicTracerProvider({ sampler, spanProcessors: [new BatchSpanProcessor(exporter)] }),
  )
  new KafkaProducerInstrumentation()
  return contexts
}

/** As that of the SDK, and it can be entered for good. */
class Contexts implements ContextManager {
  private readonly storage = new AsyncLocalStorage<Context>()

  enterWith(entered: Context): void {
    this.storage.enterWith(entered)
  }

  active(): Context {
    return this.storage.getStore() ?? ROOT_CONTEXT
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    within: Context,
    call: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.storage.run(within, () => call.call(thisArg, ...args))
  }

  bind<T>(_within: Context, target: T): T {
    return target
  }

  enable(): this {
    return this
  }

  disable(): this {
    this.storage.disable()
    return this
  }
}

class IdleReader extends MetricReader {
  protected override onShutdown(): Promise<void> {
    return Promise.resolve()
  }

  protected override onForceFlush(): Promise<void> {
    return Promise.resolve()
  }
}
