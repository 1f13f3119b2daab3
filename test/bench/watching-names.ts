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

/** What a process compares, as it is handed to it. */
export interface WatchingJob {
  readonly bootstrap: string
  readonly mode: Mode
  readonly bytes: number
  readonly plain: Watching
  readonly watched: Watching
  /** How often everything that is told of a batch or a request is told. */
  readonly times: number
  /** Of each of the four stretches of a round. */
  readonly seconds: number
  readonly warmUpSeconds: number
  readonly rounds: number
  /** Which of the two is made first, and warms up first. */
  readonly isWatchedFirst: boolean
}

/** Milliseconds of processor time for a thousand messages, that is microseconds for one, in each round. */
export interface MeasuredWatching {
  readonly plain: readonly number[]
  readonly watched: readonly number[]
  readonly messages: number
}
