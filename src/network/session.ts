import { setMaxListeners } from 'node:events'
import { isIP, type Socket } from 'node:net'
import { createDebug } from '../debug.js'
import {
  AuthenticationError,
  BrokerNotAllowedError,
  ConnectionClosedError,
  ConnectionFailedError,
  ProducerClosedError,
  RequestTimeoutError,
  TlsError,
  UnsupportedVersionError,
  type KafkaProducerError,
} from '../errors.js'
import { apiVersions } from '../protocol/apis/api-versions.js'
import { metadata } from '../protocol/apis/metadata.js'
import { produce } from '../protocol/apis/produce.js'
import { saslHandshake } from '../protocol/apis/sasl-handshake.js'
import { GatheringBound } from '../protocol/frame.js'
import { LEGACY_VERSIONS, type ServedVersions } from '../protocol/versions.js'
import { CalledOffError } from '../stats/called-off.js'
import { Observers } from '../stats/observer.js'
import { SYSTEM, type Surroundings } from '../surroundings.js'
import { withoutContext } from '../without-context.js'
import { BrokerConnection } from './broker-connection.js'
import { BrokerFilter, type AllowBroker } from './broker-filter.js'
import { ClearTextWarning } from './clear-text-warning.js'
import { checkCluster } from './cluster-question.js'
import { formatAddress, openSocket, type BrokerAddress, type TlsSettings } from './connect.js'
import type { CreateConnection } from './given-stream.js'
import { HostLookup } from './host-lookup.js'
import { KnownCluster } from './known-cluster.js'
import { LatestUsed } from './latest-used.js'
import { findNoTls, findSasl, findTls, isHangUp, PROBE_TLS } from './mismatch.js'
import { orAborted } from './or-aborted.js'
import { Authenticator, HungUpOnToken } from './sasl/authenticator.js'
import type { SaslExchange, SaslMechanism } from './sasl/mechanism.js'
import { SessionRenewal } from './sasl/session-renewal.js'
import type { Secret } from './secret.js'
import { Stage } from './stage.js'
import { Throttle } from './throttle.js'
import { TlsClient, type SslOption } from './tls.js'
import { askVersions, LAST_QUESTION, MisroutedError, VersionsQuestions, type Destination } from './versions-question.js'
import { within } from './within.js'

const debug = createDebug('kafka-producer:session')

/** What an error says of an address that the user never wrote anywhere. */
const NAMED_BY_CLUSTER =
  ' (an address that the cluster named, see `advertised.listeners` of its brokers; not of `brokers`)'

/** How long a broker that may be older than ApiVersions is given to answer the question. */
const PROBE_TIMEOUT_MS = 3_000
/** How long a broker that answers Metadata is given to answer the older questions too, if it was only stalled. */
const LATE_ANSWER_MS = 1_000
/** Of so many hang-ups in a row that tell nothing, the first is looked into. */
const HANG_UPS_TO_EXPLAIN = 3
/** How long that may take. */
const EXPLAIN_TIMEOUT_MS = 2_000
const SASL_HINT = 'if its listener wants SASL, give `sasl`'
const ZOOKEEPER_PORT = 2181
/** More brokers than any cluster has; addresses that come and go must not pile up. */
const MAX_VERDICTS = 5_000

export interface SessionOptions {
  /** The brokers that are asked first. */
  readonly brokers?: readonly BrokerAddress[]
  readonly clientId: string
  readonly connectTimeoutMs: number
  readonly requestTimeoutMs: number
  /** Of one answer, and of all together that are not whole yet. */
  readonly maxResponseBytes: number
  readonly maxIdleMs: number
  /** What KIP-511 calls the version of the client software. */
  readonly softwareVersion: string
  /** True: all brokers are older than ApiVersions, so none is ever asked. */
  readonly legacyOnly: boolean
  /** How connections are secured; undefined: not at all. */
  readonly ssl?: Secret<SslOption> | undefined
  /** How this client says who it is; undefined: not at all. */
  readonly sasl?: SaslMechanism | undefined
  /** Whether what TLS or the credentials failed at is to be tried again like any other failure. */
  readonly retryAuthenticationErrors?: boolean | undefined
  readonly allowBroker?: AllowBroker | undefined
  /** Gives the streams to brokers, in place of sockets. */
  readonly createConnection?: CreateConnection | undefined
}

/** A connection that is ready for requests. */
export interface BrokerSession {
  readonly connection: BrokerConnection
  readonly versions: ServedVersions
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
  /** Whether messages go there, which must not reach another cluster, however old its brokers are. */
  readonly isForMessages?: boolean
}

/** A session that is being opened. */
interface Opening {
  readonly address: BrokerAddress
  readonly nodeId: number | undefined
  /** Aborted when it is called off; not any more once the session is there. */
  readonly signal: AbortSignal
  /** How far it has come. */
  readonly stage: Stage
}

/** How a broker fails the question for its versions: Kafka 0.8 hangs up, 0.9 never answers. */
type Refusal = 'hangs up' | 'is silent'

interface FailedProbe {
  readonly connection: BrokerConnection
  readonly refusal: Refusal
  readonly error: KafkaProducerError
  /** The answer, should it come after all. */
  readonly late: Promise<ServedVersions>
}

/**
 * Opens connections and finds out what the brokers of one cluster speak.
 *
 * A broker counts as older than ApiVersions (KIP-35, Kafka 0.10) only if it fails the question twice or more in the same
 * way on fresh connections, Metadata v0 then works, the questions asked before are still not answered, and no broker of the
 * cluster ever answered one. So a paused modern broker, a TLS port or a load balancer is never taken for one. The
 * verdict is remembered per broker, since the question harms Kafka 0.9: its network thread drops other clients' bytes.
 */
export class SessionFactory {
  private readonly legacy = new LatestUsed<string, Refusal>(MAX_VERDICTS)
  private answered = false
  /** By address: how many there were in a row, and what was found out about them. */
  private readonly hangUps = new LatestUsed<string, { count: number; why: KafkaProducerError | undefined }>(
    MAX_VERDICTS,
  )
  private readonly questions = new VersionsQuestions()
  /** By the connection that the broker hung up on. */
  private readonly whyHungUpOn = new WeakMap<BrokerConnection, Promise<KafkaProducerError | undefined>>()
  readonly cluster = new KnownCluster()

  /** Those whose socket is not closed yet. */
  readonly #connections = new Set<BrokerConnection>()
  private readonly hosts = new HostLookup()
  /** Where each connection leads to that has not been blamed. */
  private readonly remotes = new WeakMap<BrokerConnection, string>()
  private readonly gathering: GatheringBound
  private readonly closing = new AbortController()
  private waiters = 0
  private readonly tls: TlsClient | undefined
  private readonly authenticator: Authenticator | undefined
  private readonly clearText: ClearTextWarning

  private readonly filter: BrokerFilter

  constructor(
    private readonly options: SessionOptions,
    private readonly surroundings: Surroundings = SYSTEM,
    private readonly observers = new Observers(),
  ) {
    const { clock } = surroundings
    setMaxListeners(0, this.closing.signal)
    this.gathering = new GatheringBound(options.maxResponseBytes)
    const { ssl, sasl, requestTimeoutMs, connectTimeoutMs } = options
    // What functions of the user's are asked for is part of connecting, and no request waits longer for its turn.
    const userTimeoutMs = Math.min(connectTimeoutMs, requestTimeoutMs)
    this.tls = ssl === undefined ? undefined : new TlsClient(ssl, clock)
    this.authenticator =
      sasl === undefined ? undefined : new Authenticator(sasl, requestTimeoutMs, userTimeoutMs, clock)
    this.filter = new BrokerFilter(options.brokers ?? [], options.allowBroker, options.connectTimeoutMs, clock)
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
    await Promise.all([...this.#connections].map((connection) => connection.close(graceMs)))
  }

  /**
   * @throws ConnectionFailedError; TlsError and AuthenticationError where trying again is of no use; and, where nothing
   * is in common with the broker, UnsupportedVersionError
   */
  async open(
    address: BrokerAddress,
    { signal, stage = new Stage(this.surroundings.clock), nodeId, isForMessages = false }: OpenOptions = {},
  ): Promise<BrokerSession> {
    this.clearText.about(address)
    const onEnd = this.observe(address)
    try {
      const session = await this.unlessCalledOff(address, signal, async (unlessAborted) => {
        const opening = { address, nodeId, signal: unlessAborted, stage }
        const opened = await this.openOrExplain(opening)
        if (isForMessages) await this.checkCluster(opened, opening)
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
    setMaxListeners(0, controller.signal)
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
      if (opening.signal.aborted || !isHangUp(error, this.tls !== undefined)) throw error
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
    const connect = (tls: TlsSettings | undefined) => this.connectBy(tls, opening, timeoutMs)
    if (this.tls === undefined) return findTls(() => connect(PROBE_TLS))
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
        const { connection, versions } = await this.openUnauthenticated(opening)
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
    await this.filter.check(opening.address, opening.signal)
    for (let attempt = 1; ; attempt++) {
      const session = await this.openUnauthenticated(opening)
      if (authenticator === undefined || (await this.authenticate(session, authenticator, opening, attempt === 1)))
        return this.established(session)
    }
  }

  /** @returns false where a new connection should try it otherwise, or again */
  private async authenticate(
    { connection, versions }: BrokerSession,
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

  private established(session: BrokerSession): BrokerSession {
    const { connection, versions } = session
    if (!versions.has(metadata) && !versions.has(produce)) {
      void connection.close(0)
      throw new UnsupportedVersionError(
        `${formatAddress(connection.address)} serves neither Metadata nor Produce: it is a controller of a cluster (KRaft), and those serve no producers; give the address of a broker`,
      )
    }
    if (this.authenticator === undefined) connection.hint = SASL_HINT
    return session
  }

  private async openUnauthenticated(opening: Opening): Promise<BrokerSession> {
    if (this.options.legacyOnly) return this.openLegacy(opening)
    const verdict = this.legacy.get(formatAddress(opening.address))
    if (verdict === undefined) return this.openAsking(opening)
    // Asked again where that does no harm, or where the cluster is being upgraded: the broker may be a newer one now.
    if (verdict === 'is silent' && !this.answered) return this.openLegacy(opening)
    const probe = await this.probe(opening)
    if ('versions' in probe) {
      this.legacy.delete(formatAddress(opening.address))
      return probe
    }
    void probe.connection.close(0)
    if (probe.refusal !== verdict) {
      // What it was taken for it is not, or no longer: it is found out anew, or it would be refused for ever.
      this.legacy.delete(formatAddress(opening.address))
      throw this.failure(opening.address, probe.error)
    }
    return this.openLegacy(opening)
  }

  private async openAsking(opening: Opening): Promise<BrokerSession> {
    const probes: FailedProbe[] = []
    try {
      // With SASL no broker is older, but Kafka 0.9 with GSSAPI, which must be told by `brokerVersion`.
      const mayBeOlder = !this.answered && this.authenticator === undefined
      const questions = this.questions.for(opening.address)
      // The last one waits until Metadata v0, which an old broker answers, was asked: see `confirm`.
      const answered = await this.probeVersions(opening, mayBeOlder ? questions.slice(0, -1) : questions, probes)
      if (answered !== undefined) return answered
      const first = probes[0] as FailedProbe
      if (!mayBeOlder || this.answered) throw this.failure(opening.address, first.error)
      if (probes.length === 1) {
        const second = await this.probe(opening)
        if ('versions' in second) return second
        probes.push(second)
      }
      const other = probes.find(({ refusal }) => refusal !== first.refusal)
      if (other !== undefined) throw this.failure(opening.address, other.error)
      const session = await this.openLegacy(opening)
      const modern = await this.confirm(
        opening,
        session,
        first.refusal,
        probes.map(({ late }) => late),
      )
      if (modern !== undefined) {
        void session.connection.close(0)
        return modern
      }
      debug(
        '%s %s on ApiVersions and answers Metadata v0: older than Kafka 0.10',
        formatAddress(opening.address),
        first.refusal,
      )
      this.legacy.set(formatAddress(opening.address), first.refusal)
      return session
    } finally {
      for (const { connection } of probes) void connection.close(0)
    }
  }

  /** Asks ApiVersions in these versions, one after the other as long as it is hung up on. */
  private async probeVersions(
    opening: Opening,
    questions: readonly number[],
    probes: FailedProbe[],
  ): Promise<BrokerSession | undefined> {
    for (const version of questions) {
      const probe = await this.probe(opening, version)
      if ('versions' in probe) {
        this.questions.answered(opening.address, version)
        return probe
      }
      probes.push(probe)
      if (probe.refusal !== 'hangs up') return undefined
    }
    return undefined
  }

  /** Asks Metadata v0, then looks once more for an answer to ApiVersions; with one, the broker is a modern one. */
  private async confirm(
    opening: Opening,
    session: BrokerSession,
    refusal: Refusal,
    late: readonly Promise<ServedVersions>[],
  ): Promise<BrokerSession | undefined> {
    const question = {
      topics: null,
      wanted: [],
      // Version 0 can't say otherwise; no topic is named, so none is created.
      allowAutoTopicCreation: true,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
    }
    opening.stage.enter(`waiting for ${formatAddress(opening.address)} to answer Metadata`)
    const failed = await session.connection
      .request(metadata, 0, question, { timeoutMs: this.options.requestTimeoutMs })
      .then(
        () => undefined,
        (error: KafkaProducerError) => this.failure(opening.address, error),
      )
    if (refusal === 'hangs up') {
      const probes: FailedProbe[] = []
      const modern = await this.probeVersions(opening, LAST_QUESTION, probes)
      if (modern !== undefined) return modern
      for (const { connection } of probes) void connection.close(0)
      if (failed !== undefined) throw failed
      const other = probes.find((probe) => probe.refusal !== refusal)
      if (other !== undefined) throw this.failure(opening.address, other.error)
    } else if (failed !== undefined) {
      throw failed
    } else if (
      (await within(this.surroundings.clock, LATE_ANSWER_MS, Promise.any(late)).catch(() => undefined)) !== undefined
    ) {
      return this.openAsking(opening)
    }
    if (this.answered)
      throw this.failure(opening.address, new ConnectionClosedError('other brokers of this cluster answer ApiVersions'))
    return undefined
  }

  private async probe(opening: Opening, version = apiVersions.maxVersion): Promise<BrokerSession | FailedProbe> {
    const connection = await this.connect(opening)
    const patience = this.answered
      ? this.options.requestTimeoutMs
      : Math.min(PROBE_TIMEOUT_MS, this.options.requestTimeoutMs)
    opening.stage.enter(`waiting for ${formatAddress(opening.address)} to answer ApiVersions`)
    // Longer than any patience above: whoever waits decides how long, and a late answer still counts.
    const timeoutMs = this.options.requestTimeoutMs * 3
    const { softwareVersion } = this.options
    const destination = this.destinationOf(opening)
    const answer = askVersions(connection, version, { softwareVersion, timeoutMs, destination }, () => {
      this.answered = true
    })
    try {
      const versions = await within(this.surroundings.clock, patience, answer)
      if (versions !== undefined) return this.session(connection, versions)
      this.blame(connection)
      const error = new RequestTimeoutError(`no answer to ApiVersions within ${patience} ms`)
      answer.catch(() => undefined)
      return { connection, refusal: 'is silent', error, late: answer }
    } catch (error) {
      if (error instanceof ConnectionClosedError) return { connection, refusal: 'hangs up', error, late: answer }
      void connection.close(0)
      if (error instanceof MisroutedError) this.cluster.forgetBrokers()
      throw this.failure(opening.address, error as KafkaProducerError)
    }
  }

  private async checkCluster(session: BrokerSession, opening: Opening): Promise<void> {
    const destination = this.destinationOf(opening)
    if (destination === undefined) return
    try {
      await checkCluster(session, this.cluster, destination, this.options.requestTimeoutMs)
    } catch (error) {
      void session.connection.close(0)
      if (error instanceof MisroutedError) this.cluster.forgetBrokers()
      throw error
    }
  }

  private destinationOf({ nodeId }: Opening): Destination | undefined {
    const { id: clusterId } = this.cluster
    return nodeId === undefined || clusterId === null ? undefined : { clusterId, nodeId }
  }

  private async openLegacy(opening: Opening): Promise<BrokerSession> {
    const connection = await this.connect(opening)
    connection.onClose(() => {
      // It answered nothing of what it was asked: perhaps it is no old broker, or no longer one. With acks 0 nothing is.
      if (connection.hasAsked && !connection.hasAnswered) this.legacy.delete(formatAddress(opening.address))
    })
    return this.session(connection, LEGACY_VERSIONS)
  }

  private async connect(opening: Opening): Promise<BrokerConnection> {
    const how = this.tls === undefined ? '' : ' by TLS'
    opening.stage.enter(`connecting to ${formatAddress(opening.address)}${how}`)
    const { connectTimeoutMs } = this.options
    return this.connectBy(await this.tls?.settingsFor(opening.address, connectTimeoutMs, opening.signal), opening)
  }

  private async connectBy(
    tls: TlsSettings | undefined,
    { address, signal }: Opening,
    timeoutMs = this.options.connectTimeoutMs,
  ): Promise<BrokerConnection> {
    const { clientId, maxResponseBytes, maxIdleMs, createConnection: create } = this.options
    const { clock, connect } = this.surroundings
    const origin = this.filter.isOfCluster(address) ? NAMED_BY_CLUSTER : undefined
    const terms = {
      timeoutMs,
      signal,
      isNeeded: () => this.isNeeded,
      hosts: this.hosts,
      origin,
      tls,
      create,
      connect,
      clock,
    }
    const socket = await openSocket(address, terms)
    const connection = new BrokerConnection(
      socket,
      address,
      clientId,
      maxResponseBytes,
      maxIdleMs,
      this.gathering,
      clock,
      create === undefined,
      this.observers,
    )
    const isZooKeepers = address.port === ZOOKEEPER_PORT
    connection.hint = isZooKeepers
      ? undefined
      : tls === undefined
        ? 'if it expects TLS on this port, give `ssl`'
        : 'if it wants a client’s certificate, give `ssl: { cert, key }`'
    this.#connections.add(connection)
    if (create === undefined) this.watchAnswers(connection, (socket as Socket).remoteAddress)
    // Not when it is open no more: one that is ending still has a socket that has to close.
    socket.once('close', () => this.#connections.delete(connection))
    const onCallOff = () => connection.abandon(signal.reason as KafkaProducerError)
    signal.addEventListener('abort', onCallOff, { once: true })
    if (signal.aborted) onCallOff()
    return connection
  }

  /** Of a name's addresses those that answer are tried before others, the next time that it is connected to. */
  private watchAnswers(connection: BrokerConnection, remote: string | undefined): void {
    if (remote === undefined || isIP(connection.address.host)) return
    this.remotes.set(connection, remote)
    connection.onClose(() => {
      if (connection.hasAnswered) this.hosts.clear(connection.address.host, remote)
      else if (connection.hasAsked) this.blame(connection)
    })
  }

  private blame(connection: BrokerConnection): void {
    const remote = this.remotes.get(connection)
    this.remotes.delete(connection)
    if (remote !== undefined) this.hosts.blame(connection.address.host, remote)
  }

  private session(connection: BrokerConnection, versions: ServedVersions): BrokerSession {
    const { observers } = this
    const broker = formatAddress(connection.address)
    const onHeeded = (throttleMs: number, addedMs: number) => {
      if (observers.wantsEvents) observers.happened({ type: 'throttled', broker, throttleMs, addedMs })
    }
    const throttle = new Throttle(this.options.requestTimeoutMs, this.surroundings.clock, onHeeded)
    return { connection, versions, throttle }
  }

  /** What opening a session fails with, for whatever cause. */
  private failure(address: BrokerAddress, cause: KafkaProducerError): KafkaProducerError {
    const isOfSecurity = cause instanceof TlsError || cause instanceof AuthenticationError
    if (isOfSecurity && (cause.retriable || this.options.retryAuthenticationErrors !== true)) return cause
    const isClear = cause instanceof ConnectionFailedError || cause instanceof BrokerNotAllowedError
    if (isClear || cause instanceof UnsupportedVersionError) return cause
    const hint = address.port === ZOOKEEPER_PORT ? `; port ${address.port} is ZooKeeper’s: give that of a broker` : ''
    return new ConnectionFailedError(
      `${formatAddress(address)} accepted a connection but set up no session: ${cause.message}${hint}`,
      { cause },
    )
  }
}

/** A broker that was given up, since it took too long, has failed; for anything else that ends connecting it is not to blame. */
function whyCalledOff(address: BrokerAddress, signal: AbortSignal | undefined): KafkaProducerError {
  const reason: unknown = signal?.reason
  return reason instanceof RequestTimeoutError
    ? new ConnectionFailedError(`can't connect to ${formatAddress(address)}: ${reason.message}`, { cause: reason })
    : new CalledOffError(`connecting to ${formatAddress(address)} was called off`)
}
