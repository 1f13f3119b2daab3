import type { SinkOptions } from './servers.js'

/** What is too much, or more than is usual, and what is told of it by the process that measures it. */
export type OverloadKind = 'slow' | 'away' | 'topics' | 'producers' | 'bytes'

export interface OverloadJob {
  readonly kind: OverloadKind
  readonly size: number
  readonly bootstrap: string
}

interface Overload {
  /** From the usual to the extreme: what a message costs, and what is held, must not grow along. */
  readonly sizes: readonly number[]
  readonly title: (size: string) => string
  readonly sink?: Partial<SinkOptions>
}

export const OVERLOADS: Readonly<Record<OverloadKind, Overload>> = {
  // Of 1 MB each, five requests a fifth of a second are less than half of what the producer could send.
  slow: { sizes: [2, 8], title: (s) => `a broker slower than the producer, for ${s} s`, sink: { delayMs: 200 } },
  away: { sizes: [1, 10], title: (s) => `a broker that is away for ${s} s` },
  topics: { sizes: [1, 100, 10_000], title: (n) => `topics: ${n}`, sink: { partitions: 1 } },
  producers: { sizes: [1, 100, 1_000], title: (n) => `producers in one process: ${n}` },
  bytes: { sizes: [1, 1_000, 1_000_000, 100_000_000], title: (n) => `bytes of a message: ${n}` },
}

/** Times are in milliseconds. */
export interface MeasuredOverload {
  readonly messages: number
  readonly elapsed: number
  readonly cpu: number
  readonly valueBytes: number
  readonly loopMax: number
  readonly rssPeak: number
  /** The most bytes of messages that waited or were in flight at a time. */
  readonly heldPeak: number
}
