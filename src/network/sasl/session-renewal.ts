import { Deadline, sleep } from '../../clock.js'
import { createDebug } from '../../debug.js'
import { ConnectionClosedError, KafkaProducerError } from '../../errors.js'
import type { ServedVersions } from '../../protocol/versions.js'
import { Observers } from '../../stats/observer.js'
import { SYSTEM, type Surroundings } from '../../surroundings.js'
import type { BrokerConnection } from '../connection/broker-connection.js'
import { formatAddress } from '../streams/connect.js'
import type { Authenticator } from './authenticator.js'
import type { SaslExchange } from './mechanism.js'

const debug = createDebug('kafka-producer:sasl')

/** Part of a session's lifetime after which it is renewed: some random point in between, so that not all do it at once. */
const DUE_FROM = 0.8
const DUE_UNTIL = 0.9
/** Part from which on no request goes out before the renewal: the broker would close the connection over it. */
const LAST_MOMENT = 0.95
/** Before credentials are asked for again that could not be had: part of the lifetime, and its bounds. */
const PAUSE = 0.01
const MIN_PAUSE_MS = 10
const MAX_PAUSE_MS = 1_000

/**
 * Authenticates anew on a live connection before the broker ends the session (KIP-368).
 *
 *     good ──request, and it is due──▶ asking for credentials ──they are there──▶ authenticating ──▶ good
 *       ◀──they are not, and no request is held──┘  └──they are not while requests are held, or refused──▶ closed
 *
 * It is done when a request comes and the time is near: a connection that nobody uses needs no session. Requests go on
 * while the credentials are asked for, until the last moment: from then on they are held, and so they are while the
 * broker looks at the credentials; what was written before is answered first, since a broker answers in order.
 *
 * Requests are held only while a renewal is under way, and each of its steps ends in time. So none waits for ever: the
 * renewal lets them go, or closes the connection, and a new one may do what this one could not.
 */
export class SessionRenewal {
  private dueAt = Infinity
  private lastMoment = Infinity
  private isRunning = false
  private isHolding = false
  /** Runs while requests are held for want of credentials. */
  private patience: Deadline | undefined
  private lastFailure: unknown

  constructor(
    private readonly connection: BrokerConnection,
    private readonly versions: ServedVersions,
    private readonly authenticator: Authenticator,
    private readonly surroundings: Surroundings = SYSTEM,
    private readonly observers = new Observers(),
  ) {}

  /**
   * Authenticates for the first time.
   *
   * @throws AuthenticationError, and what a request throws
   */
  async begin(exchange: SaslExchange): Promise<void> {
    const startedAt = this.surroundings.clock.now()
    this.begunAt(startedAt, await this.authenticator.run(this.connection, this.versions, exchange))
  }

  /** @param lifetimeMs what the broker gives the session; 0: no limit, nothing to do */
  begunAt(startedAt: number, lifetimeMs: number): void {
    const isLimited = lifetimeMs > 0
    this.dueAt = isLimited
      ? startedAt + lifetimeMs * (DUE_FROM + this.surroundings.random.number() * (DUE_UNTIL - DUE_FROM))
      : Infinity
    this.lastMoment = isLimited ? startedAt + lifetimeMs * LAST_MOMENT : Infinity
    this.connection.beforeRequest = isLimited ? () => this.check(lifetimeMs) : undefined
  }

  private check(lifetimeMs: number): void {
    const now = this.surroundings.clock.now()
    const isLastMoment = now >= this.lastMoment
    if (isLastMoment) this.hold()
    if (this.isRunning || !(isLastMoment || now >= this.dueAt)) return
    this.isRunning = true
    void this.renew(Math.min(Math.max(lifetimeMs * PAUSE, MIN_PAUSE_MS), MAX_PAUSE_MS))
  }

  private hold(): void {
    if (this.isHolding) return
    this.isHolding = true
    this.connection.holdRequests()
    const { clock } = this.surroundings
    this.patience = new Deadline(clock, this.authenticator.userTimeoutMs, () => this.giveUp(this.lastFailure)).unref()
  }

  private async renew(pauseMs: number): Promise<void> {
    const { connection, versions, authenticator } = this
    try {
      let exchange: SaslExchange | undefined
      while ((exchange = await this.credentials()) === undefined) {
        if (!this.isHolding) {
          // There is time left: the session is good, and the credentials may be there a little later.
          this.dueAt = this.surroundings.clock.now() + pauseMs
          return
        }
        await sleep(this.surroundings.clock, pauseMs, connection.gone)
      }
      this.hold()
      // From here on each step has a time-out of its own.
      this.patience?.cancel()
      const startedAt = this.surroundings.clock.now()
      this.begunAt(startedAt, await authenticator.run(connection, versions, exchange))
      const broker = formatAddress(connection.address)
      debug('%s: authenticated anew', broker)
      if (this.observers.wantsEvents) this.observers.happened({ type: 'renewed', broker })
      this.isHolding = false
      this.lastFailure = undefined
      connection.releaseRequests()
    } catch (cause) {
      this.giveUp(cause)
    } finally {
      this.patience?.cancel()
      this.isRunning = false
    }
  }

  /** Undefined where they could not be had and may be a little later. */
  private async credentials(): Promise<SaslExchange | undefined> {
    const { connection, authenticator } = this
    try {
      return await authenticator.begin(connection.address, connection.gone)
    } catch (error) {
      const isFinal = error instanceof KafkaProducerError && !error.retriable
      if (connection.gone.aborted || (this.isHolding && isFinal)) throw error
      debug('%s: %s', formatAddress(connection.address), (error as Error).message)
      this.lastFailure = error
      return undefined
    }
  }

  /** A new connection may do what this one could not, such as go on under another name; or fail with the reason. */
  private giveUp(cause: unknown): void {
    const { connection } = this
    // One that is ending still writes what it was given.
    if (!connection.isOpen) return
    const why = cause instanceof Error ? cause.message : 'the credentials did not come in time'
    const broker = formatAddress(connection.address)
    const error = new ConnectionClosedError(`${broker}: the session could not be renewed: ${why}`, { cause })
    const told = cause instanceof KafkaProducerError ? cause : error
    if (this.observers.wantsEvents) this.observers.happened({ type: 'renewal-failed', broker, error: told })
    connection.abandon(error)
  }
}
