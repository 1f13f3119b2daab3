import type { Job } from '../job.js'
import type { Payload } from '../payloads.js'

/**
 * A producer under test. Each module of this folder exports `connect`, which gives the ways to send that its producer
 * has; each builds that producer's own messages from payloads, as an application would.
 */
export interface BenchClient {
  /** Resolves when all are acknowledged. */
  readonly sendBatch?: (payloads: readonly Payload[]) => Promise<unknown>
  /** Resolves when it is acknowledged. */
  readonly sendOne?: (payload: Payload) => Promise<unknown>
  readonly queue?: {
    /** Resolves when it is queued. */
    readonly send: (payload: Payload) => Promise<unknown>
    /** How many are acknowledged so far. */
    readonly acknowledged: () => number
  }
  readonly close: () => Promise<unknown>
}

export type Connect = (job: Job) => BenchClient | Promise<BenchClient>
