import type { Mode } from './job.js'

/**
 * Who watches a producer. All but the first are beside the logger and the statistics. An interceptor gives each message as it
 * is. A caller is at a span, by OpenTelemetry's SDK; tracing and metrics are those of the instrumentation, with a sampler
 * that asks a caller first, and samples every thousandth of what has none.
 */
export type Watching =
  | 'nobody'
  | 'logger and statistics'
  | 'an interceptor'
  | 'an unsampled caller'
  | 'tracing an unsampled caller'
  | 'tracing unsampled roots'
  | 'tracing all'
  | 'metrics'

/** What a process measures, as it is handed to it. */
export interface WatchingJob {
  readonly bootstrap: string
  readonly mode: Mode
  readonly bytes: number
  readonly watching: Watching
  /** How often everything that is told of a batch or a request is told. */
  readonly times: number
  readonly seconds: number
  readonly warmUpSeconds: number
}

export interface MeasuredWatching {
  /** Microseconds of processor time. */
  readonly perMessage: number
  readonly messages: number
}
