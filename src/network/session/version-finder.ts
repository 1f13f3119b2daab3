import type { Clock } from '../../clock.js'
import { createDebug } from '../../debug.js'
import { ConnectionClosedError, RequestTimeoutError, type KafkaProducerError } from '../../errors.js'
import { apiVersions } from '../../protocol/apis/api-versions.js'
import { metadata } from '../../protocol/apis/metadata.js'
import { LEGACY_VERSIONS, type ServedVersions } from '../../protocol/versions.js'
import type { BrokerConnection } from '../connection/broker-connection.js'
import { LatestUsed } from '../latest-used.js'
import { Patience } from '../patience.js'
import { formatAddress, type BrokerAddress } from '../streams/connect.js'
import { within } from '../within.js'
import type { Dialer } from './dialer.js'
import type { KnownCluster } from './known-cluster.js'
import type { Opening } from './opening.js'
import {
  askVersions,
  LAST_QUESTION,
  MisroutedError,
  VersionsQuestions,
  type VersionsToAsk,
} from './versions-question.js'

const debug = createDebug('kafka-producer:session')

/** How long a broker is given to answer the question before any has: it may be older than ApiVersions, or another address may do better. */
const PROBE_TIMEOUT_MS = 3_000
/** How long a broker that answers Metadata is given to answer the older questions too, if it was only stalled. */
const LATE_ANSWER_MS = 1_000
/** More brokers than any cluster has; addresses that come and go must not pile up. */
const MAX_VERDICTS = 5_000

export interface VersionOptions {
  readonly requestTimeoutMs: number
  /** What KIP-511 calls the version of the client software. */
  readonly softwareVersion: string
  /** True: all brokers are older than ApiVersions, so none is ever asked. */
  readonly legacyOnly: boolean
}

/** A connection, and what the broker speaks on it. */
export interface VersionedConnection {
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
 * Finds out what brokers speak.
 *
 * A broker counts as older than ApiVersions (KIP-35, Kafka 0.10) only if it fails the question twice or more in the same
 * way on fresh connections, Metadata v0 then works, the questions asked before are still not answered, and no broker of the
 * cluster ever answered one. So a paused modern broker, a TLS port or a load balancer is never taken for one. The
 * verdict is remembered per broker, since the question harms Kafka 0.9: its network thread drops other clients' bytes.
 */
export class VersionFinder {
  private readonly legacy = new LatestUsed<string, Refusal>(MAX_VERDICTS)
  private answered = false
  private readonly patience = new Patience(PROBE_TIMEOUT_MS)
  private readonly questions = new VersionsQuestions()

  constructor(
    private readonly options: VersionOptions & { readonly usesSasl: boolean },
    private readonly dialer: Dialer,
    private readonly cluster: KnownCluster,
    private readonly clock: Clock,
    private readonly failure: (address: BrokerAddress, cause: KafkaProducerError) => KafkaProducerError,
  ) {}

  /** Opens a connection whose versions are known. */
  async open(opening: Opening): Promise<VersionedConnection> {
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

  private async openAsking(opening: Opening): Promise<VersionedConnection> {
    const probes: FailedProbe[] = []
    try {
      // With SASL no broker is older, but Kafka 0.9 with GSSAPI, which must be told by `brokerVersion`.
      const mayBeOlder = !this.answered && !this.options.usesSasl
      const questions = this.questions.for(opening.address)
      // The last one waits until Metadata v0, which an old broker answers, was asked: see `confirm`.
      const versions = mayBeOlder ? questions.versions.slice(0, -1) : questions.versions
      const answered = await this.probeVersions(opening, { ...questions, versions }, probes)
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
        questions,
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
    { versions, answered }: VersionsToAsk,
    probes: FailedProbe[],
  ): Promise<VersionedConnection | undefined> {
    for (const version of versions) {
      const probe = await this.probe(opening, version)
      if ('versions' in probe) {
        answered(version)
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
    session: VersionedConnection,
    refusal: Refusal,
    late: readonly Promise<ServedVersions>[],
    questions: VersionsToAsk,
  ): Promise<VersionedConnection | undefined> {
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
      const modern = await this.probeVersions(opening, { ...questions, versions: LAST_QUESTION }, probes)
      if (modern !== undefined) return modern
      for (const { connection } of probes) void connection.close(0)
      if (failed !== undefined) throw failed
      const other = probes.find((probe) => probe.refusal !== refusal)
      if (other !== undefined) throw this.failure(opening.address, other.error)
    } else if (failed !== undefined) {
      throw failed
    } else if ((await within(this.clock, LATE_ANSWER_MS, Promise.any(late)).catch(() => undefined)) !== undefined) {
      return this.openAsking(opening)
    }
    if (this.answered)
      throw this.failure(opening.address, new ConnectionClosedError('other brokers of this cluster answer ApiVersions'))
    return undefined
  }

  private async probe(opening: Opening, version = apiVersions.maxVersion): Promise<VersionedConnection | FailedProbe> {
    const connection = await this.dialer.dial(opening)
    const patience = this.patienceMs
    opening.stage.enter(`waiting for ${formatAddress(opening.address)} to answer ApiVersions`)
    // Longer than any patience above: whoever waits decides how long, and a late answer still counts.
    const timeoutMs = this.options.requestTimeoutMs * 3
    const { softwareVersion } = this.options
    const destination = this.cluster.destination(opening.nodeId)
    const answer = askVersions(connection, version, { softwareVersion, timeoutMs, destination }, () => {
      this.answered = true
    })
    try {
      const versions = await within(this.clock, patience, answer)
      if (versions !== undefined) return { connection, versions }
      this.patience.lost()
      this.dialer.blame(connection)
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

  /** With SASL no late answer counts: a broker that is only slow is given longer each time, or it would never be connected to. */
  private get patienceMs(): number {
    const { requestTimeoutMs, usesSasl } = this.options
    return this.answered ? requestTimeoutMs : Math.min(usesSasl ? this.patience.ms : PROBE_TIMEOUT_MS, requestTimeoutMs)
  }

  private async openLegacy(opening: Opening): Promise<VersionedConnection> {
    const connection = await this.dialer.dial(opening)
    connection.onClose(() => {
      // It answered nothing of what it was asked: perhaps it is no old broker, or no longer one. With acks 0 nothing is.
      if (connection.hasAsked && !connection.hasAnswered) this.legacy.delete(formatAddress(opening.address))
    })
    return { connection, versions: LEGACY_VERSIONS }
  }
}
