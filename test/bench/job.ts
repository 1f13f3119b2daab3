/** One measurement, as it is handed to the process that makes it. */
export interface Job {
  readonly bootstrap: string
  readonly mode: Mode
  /** Of a value; what a corpus holds has its own sizes. */
  readonly bytes: number
  readonly shape: Shape
  readonly acks: 1 | -1
  readonly seconds: number
  /** Sent before anything is measured, so that code is compiled and connections are open. */
  readonly warmUpSeconds: number
  /** Single mode: promises outstanding. */
  readonly outstanding: number
  readonly codec: string
  /** The codec's own default where none is given. */
  readonly level?: number
  /** A file whose lines are the values of `corpus` mode. */
  readonly corpus?: string
  /** Ours: whether there are sequences; as the producer has it by default where nothing is said. */
  readonly idempotent?: boolean
  /** Ours: what brokers are said to be. */
  readonly brokerVersion?: string
  /** Ours: the entry point of the build to measure, as a URL; this checkout's sources where none is given. */
  readonly library?: string
}

/**
 * batch: a thousand messages per send, five sends under way. single: one message per send, each with a promise of its
 * own. async: one message per send, nobody waits for its fate, a callback counts. lone: one message at a time. corpus:
 * as batch, each line of a file once.
 */
export type Mode = 'batch' | 'single' | 'async' | 'lone' | 'corpus'

/**
 * value: bytes alone. keyed: with one of 100,000 keys. text: key and value of `real` as strings, which every format
 * holds. real: what a service sends, a customer's id as key, JSON as a string, and two headers, of which the trace's
 * differs from message to message. untraced: the same with a request's id in place of the trace.
 */
export type Shape = 'value' | 'keyed' | 'text' | 'real' | 'untraced'

export const TOPIC = 'bench'
export const BATCH_MESSAGES = 1_000
export const BATCHES_IN_FLIGHT = 5
export const SINGLES_OUTSTANDING = 1_000
export const PARTITIONS = 6

/** What a client's process prints as JSON, whatever it is written in. Times are in milliseconds. */
export interface Measured {
  readonly messages: number
  /** Sent before that; the sink counts them too. */
  readonly warmUpMessages: number
  readonly elapsed: number
  /** Processor time of the whole process. */
  readonly cpu: number
  /** Bytes of the values of all these messages, warm-up included. */
  readonly valueBytes: number
  /** Of a sample of sends; null where nobody waits for them. */
  readonly p50: number | null
  readonly p99: number | null
  /** Of the event loop's delay; null where there is no event loop. */
  readonly loopP99: number | null
  readonly loopMax: number | null
  /** The most bytes of memory in the first fifth of the time, and after it; null where it is not watched. */
  readonly rssEarly: number | null
  readonly rssLate: number | null
  /** The most bytes of memory ever. */
  readonly rssPeak: number | null
}
