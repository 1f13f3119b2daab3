import { Deadline, type Clock } from '../clock.js'
import { MetadataUnavailableError, ProducerClosedError, type KafkaProducerError } from '../errors.js'
import { orAborted } from '../network/or-aborted.js'
import type { SessionFactory } from '../network/session/session.js'
import { withReasons } from '../network/stage.js'
import type { BrokerPartitionInfo } from './brokers/broker-partition-info.js'
import type { ProducerPool } from './brokers/producer-pool.js'
import { signalOf, SignalListeners } from './calls/signal-listeners.js'
import { abortedBy } from './queues/abortion.js'

export interface ConnectOptions {
  /**
   * How long brokers may take to answer; 10,000 by default. One that is silent is told by then, and everything else
   * that is wrong as soon as it shows.
   */
  readonly timeoutMs?: number | undefined
  /** Gives up. */
  readonly signal?: AbortSignal | undefined
}

/** What is known of whether messages would arrive. */
export interface ProducerHealth {
  readonly healthy: boolean
  /** Why not; undefined where it is healthy. */
  readonly problem: KafkaProducerError | undefined
}

/** Time for Kafka 0.9 too, of which it takes seven seconds to find out that it answers no question for its versions. */
export const CONNECT_TIMEOUT_MS = 10_000
/** What an aborted signal ended. */
const CONNECTING = 'connecting'

/** Whether the cluster can be reached with what this producer was given. */
export class Readiness {
  private readonly signals = new SignalListeners<() => void>((those) => {
    for (const end of those) end()
  })

  /** No probe puts a question before, by the clock that it was given. */
  private askAgainAt = -Infinity

  constructor(
    private readonly sessions: SessionFactory,
    private readonly info: BrokerPartitionInfo,
    private readonly pool: ProducerPool,
    private readonly clock: Clock,
    private readonly retryBackoffMs: number,
  ) {}

  /**
   * Resolves when a broker has answered.
   *
   * @throws MetadataUnavailableError; or, not retriable, what asking again can't help, such as AuthenticationError
   * @throws AbortedError, ProducerClosedError; InvalidConfigError for a `signal` that is none
   */
  async reach(timeoutMs: number, options: ConnectOptions): Promise<void> {
    const signal = signalOf(options)
    if (signal?.aborted) throw abortedBy(signal, CONNECTING)
    const { signal: closing } = this.sessions
    const end = new AbortController()
    const onClose = () => end.abort(new ProducerClosedError())
    const stopListening = signal && this.signals.add(signal, () => end.abort(abortedBy(signal, CONNECTING)))
    closing.addEventListener('abort', onClose, { once: true })
    // It keeps the process alive: connections never do.
    const deadline = new Deadline(this.clock, timeoutMs, () => end.abort(this.late(timeoutMs)))
    this.sessions.retain()
    try {
      if (closing.aborted) onClose()
      await orAborted(this.info.reach(), end.signal)
    } finally {
      this.sessions.release()
      deadline.cancel()
      closing.removeEventListener('abort', onClose)
      stopListening?.()
    }
  }

  private late(timeoutMs: number): MetadataUnavailableError {
    const { lastFailure } = this.info
    return new MetadataUnavailableError(
      withReasons(`no broker answered within ${timeoutMs} ms`, this.info),
      lastFailure === undefined ? {} : { cause: lastFailure },
    )
  }

  /**
   * What is known, without waiting for anything. Where that is nothing good, a question goes out behind it, so that whoever
   * asks again, as probes do, hears when that has changed; but not just after one that failed: there may be very many probes.
   *
   * @param isWaiting whether messages wait: only then does it matter that connections for them fail
   */
  health(isWaiting: boolean): ProducerHealth {
    const { info, pool } = this
    if (info.isReached) {
      const problem = isWaiting ? pool.problem : undefined
      return { healthy: problem === undefined, problem }
    }
    if (this.clock.now() >= this.askAgainAt)
      info.reach().catch(() => (this.askAgainAt = this.clock.now() + this.retryBackoffMs))
    const problem = info.lastFailure ?? new MetadataUnavailableError('no broker was asked for anything yet')
    return { healthy: false, problem }
  }
}
