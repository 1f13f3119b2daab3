import { BoundedMap } from '../../bounded-map.js'
import { UnsupportedVersionError, type KafkaProducerError } from '../../errors.js'
import type { BrokerSession } from '../../network/session/session.js'
import { formatAddress } from '../../network/streams/connect.js'
import { initProducerId } from '../../protocol/apis/init-producer-id.js'
import { produce } from '../../protocol/apis/produce.js'
import type { Identity } from '../../protocol/records/record-batch.js'
import { magicOfProduce } from '../../protocol/versions.js'
import type { StatsCounters } from '../../stats/producer-stats.js'
import { Declined } from '../brokers/asking-round.js'
import { ProducerIdentity, type Pacing } from '../transactions/producer-identity.js'

export interface IdempotenceConfig {
  readonly acks: number
  /** True: messages fail where they can't have it. False: they don't try. */
  readonly idempotent?: boolean | undefined
  readonly requestTimeoutMs: number
}

/** What idempotence needs of the others, and tells them. */
export interface IdempotenceParts {
  readonly counters: StatsCounters
  readonly pacing: Pacing
  /** Whether any message waits. */
  readonly isNeeded: () => boolean
  readonly warn: (message: string, cause: KafkaProducerError) => void
  /** As the metadata told it last; null where brokers don't tell. */
  readonly clusterId: () => string | null
  /** Told that the brokers are of another cluster: no sequence means anything any more. */
  readonly onOtherCluster: () => void
}

/** How a broker's batches are numbered. */
export interface Numbering {
  /** What the batches of a topic are numbered by; undefined where they are not. */
  identityFor(topic: string): Identity | undefined
  /** Batches of a partition that may be in flight. */
  readonly limit: number
  /** False from when the identity is another. */
  readonly isCurrent: boolean
}

/** Brokers remember so many batches of each producer and partition (KIP-98). */
const MAX_NUMBERED_IN_FLIGHT = 5
/** Kafka 0.11, which remembers one, has this version of Produce alone with that format (KAFKA-5494). */
const REMEMBERS_ONE = 3

/** Who numbers batches, and hears where that has failed. */
export type Sequencing = Pick<
  Idempotence,
  'maySendUnnumbered' | 'isTransactional' | 'numberingFor' | 'whenKnown' | 'problem' | 'keeps' | 'leave' | 'leaveOut'
>

/** Batches of a partition that may be in flight to a broker that speaks this version of Produce. */
export function inFlightLimit(produceVersion: number): number {
  return produceVersion === REMEMBERS_ONE ? 1 : MAX_NUMBERED_IN_FLIGHT
}

const NOT_NUMBERED: Numbering = { identityFor: () => undefined, limit: 1, isCurrent: true }

/**
 * Whether batches get sequences, by which a broker finds what it was sent twice and what is missing (KIP-98), and under
 * which identity. Where it was not asked for and brokers don't have it or don't allow it, messages go without.
 */
export class Idempotence {
  readonly isTransactional: boolean = false
  /** Topics whose messages go without sequences. */
  private readonly unnumbered = new BoundedMap<string, true>()
  /** With brokers that are too old for sequences, though others of the cluster may not be. */
  private readonly older = new Set<BrokerSession>()

  private readonly identity: ProducerIdentity | undefined
  /** Where it is asked who this producer is. */
  private session: BrokerSession | undefined
  private readonly isAskedFor: boolean
  private hasWarned = false
  /** Whose ids they are; undefined before that is known. */
  private cluster: string | undefined

  constructor(
    { acks, idempotent, requestTimeoutMs }: IdempotenceConfig,
    private readonly parts: IdempotenceParts,
  ) {
    const { counters, pacing, isNeeded } = parts
    this.isAskedFor = idempotent === true
    if (acks !== -1 || idempotent === false) {
      counters.idempotent = false
      return
    }
    const isSessionOpen = () => this.session?.connection.isOpen === true
    const asked = {
      ask: <T>(question: (session: BrokerSession) => Promise<T>) => this.ask(question),
      get isNeeded() {
        // On a connection that was lost nobody answers: messages wait for another one.
        return isNeeded() && isSessionOpen()
      },
    }
    this.identity = new ProducerIdentity(asked, pacing, requestTimeoutMs)
  }

  /**
   * How batches to a broker are numbered now; undefined while that is not known: {@link whenKnown} tells.
   *
   * @throws what messages fail with, where they can't have what was asked for
   */
  numberingFor(session: BrokerSession): Numbering | undefined {
    const { identity } = this
    if (identity === undefined) return NOT_NUMBERED
    this.heedCluster(identity)
    const version = session.versions.highest(produce)
    const name = () => formatAddress(session.connection.address)
    if (magicOfProduce(version) < 2) {
      this.noteOlder(session)
      const why = new UnsupportedVersionError(`idempotence needs Kafka 0.11, ${name()} speaks Produce v${version}`)
      const without = this.goWithout(why)
      // Of a cluster that is that old as a whole it is known that it has none.
      if (identity.current !== undefined) this.warnOnce(why)
      return without
    }
    const refusal = session.versions.has(initProducerId)
      ? identity.refused?.error
      : new UnsupportedVersionError(`${name()} has no InitProducerId`)
    if (refusal !== undefined) {
      const without = this.goWithout(refusal)
      this.warnOnce(refusal)
      return without
    }
    const { current } = identity
    if (current === undefined) return undefined
    this.parts.counters.idempotent = this.older.size === 0
    return {
      identityFor: (topic) => (this.unnumbered.has(topic) ? undefined : current),
      limit: inFlightLimit(version),
      get isCurrent() {
        return identity.current === current
      },
    }
  }

  /** A cluster that was made anew may give the same id to another producer, and would take one's messages for the other's. */
  private heedCluster(identity: ProducerIdentity): void {
    const id = this.parts.clusterId()
    if (id === null || id === this.cluster) return
    const isOther = this.cluster !== undefined
    this.cluster = id
    if (!isOther) return
    identity.forget()
    this.unnumbered.clear()
    this.parts.counters.forgetNotIdempotent()
    this.parts.onOtherCluster()
  }

  private noteOlder(session: BrokerSession): void {
    if (this.older.has(session)) return
    this.older.add(session)
    session.connection.onClose(() => this.older.delete(session))
  }

  private goWithout(why: KafkaProducerError): Numbering {
    if (this.isAskedFor) throw why
    this.parts.counters.idempotent = false
    return NOT_NUMBERED
  }

  /** Asks a broker who this producer is. */
  async whenKnown(session: BrokerSession): Promise<void> {
    this.session = session
    await this.identity?.whenKnown()
  }

  /** Why it is not known yet who this producer is, where brokers were asked in vain. */
  get problem(): KafkaProducerError | undefined {
    return this.identity?.problem
  }

  private warnOnce(refusal: KafkaProducerError): void {
    if (this.hasWarned) return
    this.hasWarned = true
    this.warnOf('messages may be written twice, since brokers don’t let this producer be idempotent', refusal)
  }

  private warnOf(what: string, cause: KafkaProducerError): void {
    const remedy = '`idempotent: false` says that it is meant, `idempotent: true` makes them fail'
    this.parts.warn(`${what}: ${cause.message}; ${remedy}`, cause)
  }

  /** Any broker gives ids, so it is asked of the one that messages are about to go to, and of no other. */
  private async ask<T>(question: (session: BrokerSession) => Promise<T>): Promise<T> {
    const session = this.session as BrokerSession
    try {
      return await question(session)
    } catch (error) {
      if (error instanceof Declined) throw error.why
      throw error
    }
  }

  /** Whether the next batches have to go under this identity, if they have until now: no other can be had at any time. */
  keeps(_identity: Identity): boolean {
    return false
  }

  /** The next batches go under another epoch, where they have gone under this one until now. */
  leave(identity: Identity, _cause?: KafkaProducerError): void {
    this.identity?.bump(identity)
  }

  /** Whether messages that would have sequences may go without. */
  get maySendUnnumbered(): boolean {
    return this.identity !== undefined && !this.isAskedFor
  }

  /** A topic's brokers can't take sequences. */
  leaveOut(topic: string, why: KafkaProducerError): void {
    if (this.unnumbered.has(topic)) return
    this.unnumbered.set(topic, true)
    this.parts.counters.noteNotIdempotent(topic)
    this.warnOf(`messages for '${topic}' may be written twice, since its brokers take no sequences for it`, why)
  }
}
