import { setMaxListeners } from 'node:events'
import createDebug from 'debug'
import {
  AuthenticationError,
  ConnectionClosedError,
  ConnectionFailedError,
  TlsError,
  UnsupportedVersionError,
  type KafkaProducerError,
} from '../errors.js'
import { apiVersions, decodeApiVersionsResponse } from '../protocol/apis/api-versions.js'
import { metadata } from '../protocol/apis/metadata.js'
import { brokerResponseError, ErrorCodes } from '../protocol/error-codes.js'
import { LEGACY_VERSIONS, ServedVersions } from '../protocol/versions.js'
import { BrokerConnection } from './broker-connection.js'
import { formatAddress, openSocket, type BrokerAddress } from './connect.js'
import { Authenticator, HungUpOnToken } from './sasl/authenticator.js'
import type { SaslMechanism } from './sasl/mechanism.js'
import { SessionRenewal } from './sasl/session-renewal.js'
import type { Secret } from './secret.js'
import { TlsClient, type SslOption } from './tls.js'
import { within } from './within.js'

const debug = createDebug('kafka-producer:session')

/** How long a broker that may be older than ApiVersions is given to answer the question. */
const PROBE_TIMEOUT_MS = 3_000
/** How long a broker that answers Metadata is given to answer the older questions too, if it was only stalled. */
const LATE_ANSWER_MS = 1_000

export interface SessionOptions {
  readonly clientId: string
  readonly connectTimeoutMs: number
  readonly requestTimeoutMs: number
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
}

/** A connection that is ready for requests. */
export interface BrokerSession {
  readonly connection: BrokerConnection
  readonly versions: ServedVersions
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
 * A broker counts as older than ApiVersions (KIP-35, Kafka 0.10) only if it fails the question twice in the same way on
 * fresh connections, Metadata v0 then works, the questions asked before are still not answered, and no broker of the
 * cluster ever answered one. So a paused modern broker, a TLS port or a load balancer is never taken for one. The
 * verdict is remembered per broker, since the question harms Kafka 0.9: its network thread drops other clients' bytes.
 */
export class SessionFactory {
  private readonly legacy = new Map<string, Refusal>()
  private answered = false

  private readonly connections = new Set<BrokerConnection>()
  private readonly closing = new AbortController()
  private readonly tls: TlsClient | undefined
  private readonly authenticator: Authenticator | undefined

  constructor(private readonly options: SessionOptions) {
    setMaxListeners(0, this.closing.signal)
    const { ssl, sasl, requestTimeoutMs } = options
    this.tls = ssl === undefined ? undefined : new TlsClient(ssl)
    this.authenticator = sasl === undefined ? undefined : new Authenticator(sasl, requestTimeoutMs)
  }

  /** Aborted by {@link close}. */
  get signal(): AbortSignal {
    return this.closing.signal
  }

  /** Ends every connection it ever opened, and those being opened. Resolves when all sockets are closed. */
  async close(graceMs: number): Promise<void> {
    this.closing.abort()
    await Promise.all([...this.connections].map((connection) => connection.close(graceMs)))
  }

  /**
   * @throws ConnectionFailedError; TlsError and AuthenticationError where trying again is of no use; and, where nothing
   * is in common with the broker, UnsupportedVersionError
   */
  async open(address: BrokerAddress): Promise<BrokerSession> {
    const { authenticator } = this
    try {
      for (let attempt = 1; ; attempt++) {
        const session = await this.openUnauthenticated(address)
        if (authenticator === undefined || (await this.authenticate(session, authenticator, attempt === 1))) return this.established(session)
      }
    } catch (error) {
      throw this.failure(address, error as KafkaProducerError)
    }
  }

  /** @returns false where a new connection should try it otherwise, or again */
  private async authenticate({ connection, versions }: BrokerSession, authenticator: Authenticator, isFirst: boolean): Promise<boolean> {
    const renewal = new SessionRenewal(connection, versions, authenticator)
    try {
      const exchange = await authenticator.begin(connection.address)
      const startedAt = performance.now()
      renewal.begunAt(startedAt, await authenticator.run(connection, versions, exchange))
      return true
    } catch (error) {
      void connection.close(0)
      if (!(error instanceof AuthenticationError) || error.retriable) throw error
      if (authenticator.tryOtherwise()) return false
      if (!(error instanceof HungUpOnToken)) throw error
      // A broker that is being stopped hangs up as well: only twice in a row is it the credentials.
      if (isFirst) return false
      throw new AuthenticationError(error.message, { cause: error.cause })
    }
  }

  private established(session: BrokerSession): BrokerSession {
    const { connection } = session
    connection.established()
    if (this.authenticator === undefined) connection.hint = 'if its listener wants SASL, give `sasl`'
    return session
  }

  private async openUnauthenticated(address: BrokerAddress): Promise<BrokerSession> {
    if (this.options.legacyOnly) return this.openLegacy(address)
    const verdict = this.legacy.get(formatAddress(address))
    if (verdict === undefined) return this.openAsking(address)
    // Asked again where that does no harm, or where the cluster is being upgraded: the broker may be a newer one now.
    if (verdict === 'is silent' && !this.answered) return this.openLegacy(address)
    const probe = await this.probe(address)
    if ('versions' in probe) {
      this.legacy.delete(formatAddress(address))
      return probe
    }
    void probe.connection.close(0)
    if (probe.refusal !== verdict) throw this.failure(address, probe.error)
    return this.openLegacy(address)
  }

  private async openAsking(address: BrokerAddress): Promise<BrokerSession> {
    const first = await this.probe(address)
    if ('versions' in first) return first
    const probes = [first]
    try {
      // With SASL no broker is older, but Kafka 0.9 with GSSAPI, which must be told by `brokerVersion`.
      if (this.answered || this.authenticator !== undefined) throw this.failure(address, first.error)
      const second = await this.probe(address)
      if ('versions' in second) return second
      probes.push(second)
      if (second.refusal !== first.refusal) throw this.failure(address, second.error)
      const session = await this.openLegacy(address)
      const modern = await this.confirm(address, session, first.refusal, probes.map(({ late }) => late))
      if (modern !== undefined) {
        void session.connection.close(0)
        return modern
      }
      debug('%s %s on ApiVersions and answers Metadata v0: older than Kafka 0.10', formatAddress(address), first.refusal)
      this.legacy.set(formatAddress(address), first.refusal)
      return session
    } finally {
      for (const { connection } of probes) void connection.close(0)
    }
  }

  /** Asks Metadata v0, then looks once more for an answer to ApiVersions; with one, the broker is a modern one. */
  private async confirm(
    address: BrokerAddress,
    session: BrokerSession,
    refusal: Refusal,
    late: readonly Promise<ServedVersions>[],
  ): Promise<BrokerSession | undefined> {
    const question = {
      topics: null,
      // Version 0 can't say otherwise; no topic is named, so none is created.
      allowAutoTopicCreation: true,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
    }
    try {
      await session.connection.request(metadata, 0, question, { timeoutMs: this.options.requestTimeoutMs })
    } catch (error) {
      throw this.failure(address, error as KafkaProducerError)
    }
    if (refusal === 'hangs up') {
      const third = await this.probe(address)
      if ('versions' in third) return third
      void third.connection.close(0)
      if (third.refusal !== refusal) throw this.failure(address, third.error)
    } else if ((await within(LATE_ANSWER_MS, Promise.any(late)).catch(() => undefined)) !== undefined) {
      return this.openAsking(address)
    }
    if (this.answered) throw this.failure(address, new ConnectionClosedError('other brokers of this cluster answer ApiVersions'))
    return undefined
  }

  private async probe(address: BrokerAddress): Promise<BrokerSession | FailedProbe> {
    const connection = await this.connect(address)
    const patience = this.answered ? this.options.requestTimeoutMs : Math.min(PROBE_TIMEOUT_MS, this.options.requestTimeoutMs)
    const answer = this.askVersions(connection)
    try {
      const versions = await within(patience, answer)
      if (versions !== undefined) return { connection, versions }
      const error = new ConnectionFailedError(`no answer to ApiVersions within ${patience} ms`)
      answer.catch(() => undefined)
      return { connection, refusal: 'is silent', error, late: answer }
    } catch (error) {
      if (error instanceof ConnectionClosedError) return { connection, refusal: 'hangs up', error, late: answer }
      void connection.close(0)
      throw this.failure(address, error as KafkaProducerError)
    }
  }

  private async askVersions(connection: BrokerConnection): Promise<ServedVersions> {
    let version = apiVersions.maxVersion
    for (;;) {
      const asked = version
      const question = {
        clientSoftwareName: 'kafka-producer',
        clientSoftwareVersion: this.options.softwareVersion,
        clusterId: null,
        nodeId: -1,
      }
      // Longer than any patience above: whoever waits decides how long, and a late answer still counts.
      const timeoutMs = this.options.requestTimeoutMs * 3
      const answer = await connection.request(apiVersions, asked, question, { timeoutMs }, (frame) =>
        decodeApiVersionsResponse(asked, frame),
      )
      this.answered = true
      const ranges = new Map(answer.apiKeys.map((range) => [range.apiKey, range]))
      const served = new ServedVersions(ranges, `its answer to ApiVersions v${asked}`)
      if (answer.errorCode === ErrorCodes.NONE) return served
      if (answer.errorCode !== ErrorCodes.UNSUPPORTED_VERSION || asked === 0) {
        throw brokerResponseError(answer.errorCode, 'ApiVersions')
      }
      // The answer names the versions of ApiVersions itself only from Kafka 2.4 on (KIP-511).
      version = served.has(apiVersions) ? Math.min(served.highest(apiVersions), asked - 1) : 0
    }
  }

  private async openLegacy(address: BrokerAddress): Promise<BrokerSession> {
    const connection = await this.connect(address)
    // Its first answer is Metadata, which may be large.
    connection.established()
    connection.onClose(() => {
      // Nothing was answered: perhaps it is no old broker, or no longer one.
      if (!connection.hasAnswered) this.legacy.delete(formatAddress(address))
    })
    return { connection, versions: LEGACY_VERSIONS }
  }

  private async connect(address: BrokerAddress): Promise<BrokerConnection> {
    const { connectTimeoutMs, clientId, maxResponseBytes, maxIdleMs } = this.options
    const tls = await this.tls?.settingsFor(address, connectTimeoutMs)
    const socket = await openSocket(address, connectTimeoutMs, this.closing.signal, tls)
    const connection = new BrokerConnection(socket, address, clientId, maxResponseBytes, maxIdleMs)
    connection.hint = tls === undefined ? 'if it expects TLS on this port, give `ssl`' : 'if it wants a client’s certificate, give `ssl: { cert, key }`'
    this.connections.add(connection)
    connection.onClose(() => this.connections.delete(connection))
    return connection
  }

  /** What opening a session fails with, for whatever cause. */
  private failure(address: BrokerAddress, cause: KafkaProducerError): KafkaProducerError {
    const isOfSecurity = cause instanceof TlsError || cause instanceof AuthenticationError
    if (isOfSecurity && (cause.retriable || this.options.retryAuthenticationErrors !== true)) return cause
    if (cause instanceof ConnectionFailedError || cause instanceof UnsupportedVersionError) return cause
    return new ConnectionFailedError(`${formatAddress(address)} accepted a connection but set up no session: ${cause.message}`, {
      cause,
    })
  }
}
