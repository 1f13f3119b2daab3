import { createDebug } from '../../debug.js'
import { ConnectionClosedError } from '../../errors.js'
import type { ServedVersions } from '../../protocol/versions.js'
import type { BrokerConnection } from '../broker-connection.js'
import { formatAddress } from '../connect.js'
import type { Authenticator } from './authenticator.js'

const debug = createDebug('kafka-producer:sasl')

/** Part of a session's lifetime after which it is renewed: some random point in between, so that not all do it at once. */
const DUE_FROM = 0.8
const DUE_UNTIL = 0.9
/** Part from which on no request goes out before the renewal: the broker would close the connection over it. */
const LAST_MOMENT = 0.95
/** Before credentials are asked for again that could not be had. */
const PAUSE = 0.01

/**
 * Authenticates anew on a live connection before the broker ends the session (KIP-368).
 *
 * It is done when a request comes and the time is near: a connection that nobody uses needs no session. Requests go on
 * while the credentials are asked for. They wait only while the broker looks at these; what was written before is
 * answered first, since a broker answers in order.
 */
export class SessionRenewal {
  private dueAt = Infinity
  private lastMoment = Infinity
  private isRunning = false

  constructor(
    private readonly connection: BrokerConnection,
    private readonly versions: ServedVersions,
    private readonly authenticator: Authenticator,
  ) {}

  /** @param lifetimeMs what the broker gives the session; 0: no limit, nothing to do */
  begunAt(startedAt: number, lifetimeMs: number): void {
    const isLimited = lifetimeMs > 0
    this.dueAt = isLimited ? startedAt + lifetimeMs * (DUE_FROM + Math.random() * (DUE_UNTIL - DUE_FROM)) : Infinity
    this.lastMoment = isLimited ? startedAt + lifetimeMs * LAST_MOMENT : Infinity
    this.connection.beforeRequest = isLimited ? () => this.check(lifetimeMs) : undefined
  }

  private check(lifetimeMs: number): void {
    const now = performance.now()
    if (now >= this.lastMoment) this.connection.holdRequests()
    if (now < this.dueAt || this.isRunning) return
    this.isRunning = true
    void this.renew(lifetimeMs).finally(() => {
      this.isRunning = false
    })
  }

  private async renew(lifetimeMs: number): Promise<void> {
    const { connection, versions, authenticator } = this
    const broker = formatAddress(connection.address)
    try {
      const exchange = await authenticator.begin(connection.address).catch((error: unknown) => {
        if (performance.now() >= this.lastMoment) throw error
        // There is time left: the session is good, and the credentials may be there a little later.
        debug('%s: %s', broker, (error as Error).message)
        this.dueAt = performance.now() + lifetimeMs * PAUSE
      })
      if (exchange === undefined) return
      connection.holdRequests()
      const startedAt = performance.now()
      this.begunAt(startedAt, await authenticator.run(connection, versions, exchange))
      debug('%s: authenticated anew', broker)
      connection.releaseRequests()
    } catch (cause) {
      // A new connection may do what this one could not, such as go on under another name; or fail with the reason.
      const why = (cause as Error).message
      connection.abandon(new ConnectionClosedError(`${broker}: the session could not be renewed: ${why}`, { cause }))
    }
  }
}
