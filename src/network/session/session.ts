import { allowAnyNumberOfListeners } from '../../any-number-of-listeners.js'
import {
  AuthenticationError,
  ConnectionClosedError,
  ConnectionFailedError,
  ProducerClosedError,
  RequestTimeoutError,
  UnsupportedVersionError,
  type KafkaProducerError,
} from '../../errors.js'
import { metadata } from '../../protocol/apis/metadata.js'
import { produce } from '../../protocol/apis/produce.js'
import { saslHandshake } from '../../protocol/apis/sasl-handshake.js'
import { CalledOffError } from '../../stats/called-off.js'
import { Observers } from '../../stats/observer.js'
import { SYSTEM, type Surroundings } from '../../surroundings.js'
import { withoutContext } from '../../without-context.js'
import type { BrokerConnection } from '../connection/broker-connection.js'
import { LatestUsed } from '../latest-used.js'
import { orAborted } from '../or-aborted.js'
import { Authenticator, HungUpOnToken } from '../sasl/authenticator.js'
import type { SaslExchange, SaslMechanism } from '../sasl/mechanism.js'
import { SessionRenewal } from '../sasl/session-renewal.js'
import { Stage } from '../stage.js'
import { formatAddress, type BrokerAddress, type TlsSettings } from '../streams/connect.js'
import { ClearTextWarning } from './clear-text-warning.js'
import { checkCluster } from './cluster-question.js'
import { Dialer, type DialOptions } from './dialer.js'
import { KnownCluster } from './known-cluster.js'
import { findNoTls, findSasl, findTls, isHangUp, PROBE_TLS } from './mismatch.js'
import type { Opening } from './opening.js'
import { sessionFailure } from './session-failure.js'
import { Throttle } from './throttle.js'
import { VersionFinder, type VersionedConnection, type VersionOptions } from './version-finder.js'
import { askVersions, MisroutedError } from './versions-question.js'

/** Of so many hang-ups in a row that tell nothing, the first is looked into. */
const HANG_UPS_TO_EXPLAIN = 3
/** How long that may take. */
const EXPLAIN_TIMEOUT_MS = 2_000
const SASL_HINT = 'if its listener wants SASL, give `sasl`'
/** More brokers than any cluster has; addresses that come and go must not pile up. */
const MAX_HANG_UPS = 5_000

export interface SessionOptions extends DialOptions, VersionOptions {
  /** How this client says who it is; undefined: not at all. */
  readonly sasl?: SaslMechanism | undefined
  /** Whether what TLS or the credentials failed at is to be tried again like any other failure. */
  readonly retryAuthenticationErrors?: boolean | undefined
}

/** A connection that is ready for requests. */
export interface BrokerSession extends VersionedConnection {
  /** Whoever sends requests heeds it. */
  readonly throttle: Throttle
}

export interface OpenOptions {
  /** Calls it off. */
  readonly signal?: AbortSignal
  /** Says meanwhile how far it has come. */
  readonly stage?: Stage
  /** The broker that the metadata has at the address: one that is told so says where it is another (KIP-1242). */
  readonly nodeId?: number | undefined
  /** Whether messages or transactions go there, which must not reach another cluster, however old its brokers are. */
  readonly mustBeOfCluster?: boolean
}

/** Opens sessions with the brokers of one cluster: it connects, finds out what they speak, and says who this client is. */
export class SessionFactory {
  readonly cluster = new KnownCluster()
  private readonly dialer: Dialer
  private readonly versionFinder: VersionFinder
  private readonly authenticator: Authenticator | undefined
  private readonly clearText: ClearTextWarning
  /** By address: how many there were in a row, and what was found out about them. */
  private readonly hangUps = new LatestUsed<string, { count: number; why: KafkaProducerError | undefined }>(
    MAX_HANG_UPS,
  )
  /** By the connection that the broker hung up on. */
  private readonly whyHungUpOn = new WeakMap<BrokerConnection, Promise<KafkaProducerError | undefined>>()
  private readonly closing = new AbortController()
  private waiters = 0

  constructor(
    private readonly options: SessionOptions,
    private readonly surroundings: Surroundings = SYSTEM,
    private readonly observers = new Observers(),
  ) {
    const { clock } = surroundings
    allowAnyNumberOfListeners(this.closing.signal)
    const { ssl, sasl, requestTimeoutMs, connectTimeoutMs, softwareVersion, legacyOnly } = options
    this.dialer = new Dialer(options, surroundings, observers, () => this.isNeeded)
    const failure = (address: BrokerAddress, cause: KafkaProducerError) => this.failure(address, cause)
    const ofVersions = { requestTimeoutMs, softwareVersion, legacyOnly, usesSasl: sasl !== undefined }
    this.versionFinder = new VersionFinder(ofVersions, this.dialer, this.cluster, clock, failure)
    // What functions of the user's are asked for is part of connecting, and no request waits longer for its turn.
    const userTimeoutMs = Math.min(connectTimeoutMs, requestTimeoutMs)
    this.authenticator =
      sasl === undefined ? undefined : new Authenticator(sasl, requestTimeoutMs, userTimeoutMs, clock)
    this.clearText = new ClearTextWarning(sasl?.name, ssl !== undefined || options.createConnection !== undefined)
    for (const broker of options.brokers ?? []) this.clearText.about(broker)
  }

  /** Aborted by {@link close}. */
  get signal(): AbortSignal {
    return this.closing.signal
  }

  /** Somebody waits for what sessions are opened for, until {@link release}: connecting may keep the process alive. */
  retain(): void {
    this.waiters++
  }

  release(): void {
    this.waiters--
  }

  get isNeeded(): boolean {
    return this.waiters > 0
  }

  /** Ends every connection it ever opened, and those being opened. Resolves when all sockets are closed. */
  async close(graceMs: number): Promise<void> {
    this.closing.abort()
    await this.dialer.close(graceMs)
  }

  /**
   * @throws ConnectionFailedError; TlsError and AuthenticationError where trying again is of no use; and, where nothing
   * is in common with the broker, UnsupportedVersionError
   */
  async open(
    address: BrokerAddress,
    { signal, stage = new Stage(this.surroundings.clock), nodeId, mustBeOfCluster = false }: OpenOptions = {},
  ): Promise<BrokerSession> {
    this.clearText.about(address)
    const onEnd = this.observe(address)
    try {
      const session = await this.unlessCalledOff(address, signal, async (unlessAborted) => {
        const opening = { address, nodeId, signal: unlessAborted, stage }
        const opened = await this.openOrExplain(opening)
        if (mustBeOfCluster) await this.checkCluster(opened, opening)
        return opened
      })
      onEnd?.(undefined)
      session.connection.opened()
      session.connection.onClose(() => this.cluster.doubt())
      return session
    } catch (cause) {
      const error = this.failure(address, cause as KafkaProducerError)
      onEnd?.(error)
      throw error
    }
  }

  /** Whatever connects goes through here: it ends with the signal, and with all the others when they are closed. */
  private async unlessCalledOff<T>(
    address: BrokerAddress,
    signal: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const controller = new AbortController()
    const callOff = () => controller.abort(whyCalledOff(address, signal))
    allowAnyNumberOfListeners(controller.signal)
    const signals = signal === undefined ? [this.closing.signal] : [this.closing.signal, signal]
    for (const one of signals) one.addEventListener('abort', callOff, { once: true })
    try {
      if (signals.some(({ aborted }) => aborted)) callOff()
      return await orAborted(
        withoutContext(() => work(controller.signal)),
        controller.signal,
      )
    } finally {
      for (const one of signals) one.removeEventListener('abort', callOff)
    }
  }

  private async openOrExplain(opening: Opening): Promise<BrokerSession> {
    const name = formatAddress(opening.address)
    try {
      const session = await this.openAuthenticated(opening)
      this.hangUps.delete(name)
      return session
    } catch (error) {
      if (opening.signal.aborted || !isHangUp(error, this.dialer.usesTls)) throw error
      const hangUps = this.hangUps.get(name) ?? { count: 0, why: undefined }
      this.hangUps.set(name, hangUps)
      if (hangUps.count++ % HANG_UPS_TO_EXPLAIN === 0) hangUps.why = await this.whyHungUp(opening)
      throw hangUps.why ?? error
    }
  }

  /** Whether it is that one side speaks TLS and the other does not. */
  private whyHungUp(opening: Opening): Promise<KafkaProducerError | undefined> {
    opening.stage.enter(`finding out why ${formatAddress(opening.address)} hangs up`)
    const { softwareVersion, connectTimeoutMs } = this.options
    const timeoutMs = Math.min(EXPLAIN_TIMEOUT_MS, connectTimeoutMs)
    const connect = (tls: TlsSettings | undefined) => this.dialer.dialBy(tls, opening, timeoutMs)
    if (!this.dialer.usesTls) return findTls(() => connect(PROBE_TLS))
    const question = { softwareVersion, timeoutMs }
    return findNoTls(
      () => connect(undefined),
      (connection) => askVersions(connection, 0, question, () => undefined),
    )
  }

  /**
   * What a question failed with that needs a session. A broker that wants SASL answers the question for its versions, and
   * hangs up on any other: where it may be so, it is asked.
   */
  async whyUnanswered({ connection, versions }: BrokerSession, error: unknown, signal: AbortSignal): Promise<unknown> {
    const mayWantSasl = error instanceof ConnectionClosedError && connection.hint === SASL_HINT
    if (!mayWantSasl || signal.aborted || !versions.has(saslHandshake)) return error
    // However many questions were on it when the broker hung up.
    let why = this.whyHungUpOn.get(connection)
    if (why === undefined) {
      why = this.findSasl(connection.address, signal)
      this.whyHungUpOn.set(connection, why)
    }
    return (await why) ?? error
  }

  /** Whether a broker wants SASL, as it says itself. */
  private async findSasl(address: BrokerAddress, signal: AbortSignal): Promise<KafkaProducerError | undefined> {
    const stage = new Stage(this.surroundings.clock)
    try {
      const found = await this.unlessCalledOff(address, signal, async (unlessAborted) => {
        const opening = { address, nodeId: undefined, signal: unlessAborted, stage }
        const { connection, versions } = await this.versionFinder.open(opening)
        return findSasl(connection, versions.highest(saslHandshake), EXPLAIN_TIMEOUT_MS)
      })
      return found && this.failure(address, found)
    } catch {
      return undefined
    }
  }

  /** Gives whom to tell how the connection came out; undefined where nobody watches. */
  private observe(address: BrokerAddress): ((error: KafkaProducerError | undefined) => void) | undefined {
    const { connects } = this.observers
    if (!connects.isWatched) return undefined
    const { clock } = this.surroundings
    const startedAt = clock.now()
    const onEnd = connects.begin({ broker: formatAddress(address) })
    return (failure) => {
      // Nobody is to blame for what was called off.
      const error = failure !== undefined && this.closing.signal.aborted ? new ProducerClosedError() : failure
      onEnd({ latencyMs: clock.now() - startedAt, error })
    }
  }

  private async openAuthenticated(opening: Opening): Promise<BrokerSession> {
    const { authenticator } = this
    await this.dialer.checkAllowed(opening)
    for (let attempt = 1; ; attempt++) {
      const opened = await this.versionFinder.open(opening)
      if (authenticator === undefined || (await this.authenticate(opened, authenticator, opening, attempt === 1)))
        return this.established(opened)
    }
  }

  /** @returns false where a new connection should try it otherwise, or again */
  private async authenticate(
    { connection, versions }: VersionedConnection,
    authenticator: Authenticator,
    { signal, stage }: Opening,
    isFirst: boolean,
  ): Promise<boolean> {
    stage.enter(`authenticating to ${formatAddress(connection.address)}`)
    const renewal = new SessionRenewal(connection, versions, authenticator, this.surroundings, this.observers)
    let exchange: SaslExchange | undefined
    try {
      exchange = await connection.whileUsed(authenticator.begin(connection.address, connection.gone))
      await connection.whileUsed(renewal.begin(exchange))
      return true
    } catch (error) {
      void connection.close(0)
      // Called off, it was not the broker that hung up.
      if (signal.aborted || !(error instanceof AuthenticationError) || error.retriable) throw error
      if (isFirst && exchange?.tryOtherwise?.() === true) return false
      if (!(error instanceof HungUpOnToken)) throw error
      // A broker that is being stopped hangs up as well: only twice in a row is it the credentials.
      if (isFirst) return false
      throw new AuthenticationError(error.message, { cause: error.cause })
    }
  }

  private established({ connection, versions }: VersionedConnection): BrokerSession {
    if (!versions.has(metadata) && !versions.has(produce)) {
      void connection.close(0)
      throw new UnsupportedVersionError(
        `${formatAddress(connection.address)} serves neither Metadata nor Produce: it is a controller of a cluster (KRaft), and those serve no producers; give the address of a broker`,
      )
    }
    if (this.authenticator === undefined) connection.hint = SASL_HINT
    return { connection, versions, throttle: this.throttleOf(connection) }
  }

  private async checkCluster(session: BrokerSession, opening: Opening): Promise<void> {
    const destination = this.cluster.destination(opening.nodeId)
    if (destination === undefined) return
    try {
      await checkCluster(session, this.cluster, destination, this.options.requestTimeoutMs)
    } catch (error) {
      void session.connection.close(0)
      if (error instanceof MisroutedError) this.cluster.forgetBrokers()
      throw error
    }
  }

  private throttleOf(connection: BrokerConnection): Throttle {
    const { observers } = this
    const broker = formatAddress(connection.address)
    const onHeeded = (throttleMs: number, addedMs: number) => {
      if (observers.wantsEvents) observers.happened({ type: 'throttled', broker, throttleMs, addedMs })
    }
    return new Throttle(this.options.requestTimeoutMs, this.surroundings.clock, onHeeded)
  }

  private failure(address: BrokerAddress, cause: KafkaProducerError): KafkaProducerError {
    return sessionFailure(address, cause, this.options.retryAuthenticationErrors === true)
  }
}

/** A broker that was given up, since it took too long, has failed; for anything else that ends connecting it is not to blame. */
function whyCalledOff(address: BrokerAddress, signal: AbortSignal | undefined): KafkaProducerError {
  const reason: unknown = signal?.reason
  return reason instanceof RequestTimeoutError
    ? new ConnectionFailedError(`can't connect to ${formatAddress(address)}: ${reason.message}`, { cause: reason })
    : new CalledOffError(`connecting to ${formatAddress(address)} was called off`)
}
