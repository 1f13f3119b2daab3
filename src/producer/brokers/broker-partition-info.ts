import { setTimeout as sleep } from 'node:timers/promises'
import createDebug from 'debug'
import { AuthenticationError, BrokerResponseError, KafkaProducerError, MetadataUnavailableError } from '../../errors.js'
import { formatAddress, type BrokerAddress } from '../../network/connect.js'
import type { BrokerSession, SessionFactory } from '../../network/session.js'
import { metadata as metadataApi, type MetadataResponse, type MetadataTopic } from '../../protocol/apis/metadata.js'
import { ZERO_UUID } from '../../protocol/byte-writer.js'
import { brokerResponseError, errorCode, ErrorCodes } from '../../protocol/error-codes.js'

const debug = createDebug('kafka-producer:metadata')

/** A broker that is stalled must not hold up what any other could answer. */
const ATTEMPT_TIMEOUT_MS = 10_000
/** How long a refresh that nobody waits for goes on from one broker to the next: connecting keeps the process alive. */
const UNNEEDED_REFRESH_MS = 1_000
/** Questions that brokers older than this version of Metadata delayed they have delayed themselves (KIP-219). */
const CLIENT_THROTTLES_FROM = 6
/** From this version on, a question can say that it must not create the topic. */
const NO_AUTO_CREATION_FROM = 4
const REBOOTSTRAP_REQUIRED = 129
const TOPIC_AUTHORIZATION_FAILED = 29
/** What a topic can't get better from by waiting. */
const FINAL_TOPIC_ERRORS = new Set<number>([ErrorCodes.INVALID_TOPIC_EXCEPTION, TOPIC_AUTHORIZATION_FAILED])

export interface PartitionMetadata {
  readonly partition: number
  /** A broker's id; -1 while the partition has no leader. */
  readonly leader: number
  /** -1 where the broker is too old to tell. */
  readonly leaderEpoch: number
  readonly error: BrokerResponseError | undefined
}

export interface TopicMetadata {
  readonly topic: string
  /** 16 bytes; null before Kafka 2.8. */
  readonly id: Buffer | null
  /** Ordered by partition, without gaps; empty while the topic is unknown or in error. */
  readonly partitions: readonly PartitionMetadata[]
  readonly error: BrokerResponseError | undefined
}

export interface BrokerPartitionInfoOptions {
  readonly bootstrap: readonly BrokerAddress[]
  readonly requestTimeoutMs: number
  /** 0: after each send; negative: only on failure. */
  readonly metadataRefreshIntervalMs: number
  readonly allowAutoTopicCreation: boolean
}

export interface MetadataListener {
  onBrokers(brokers: ReadonlyMap<number, BrokerAddress>): void
  /** @param isAnswer whether a broker was asked for them; false for what an answer to messages told besides */
  onTopics(topics: readonly TopicMetadata[], isAnswer: boolean): void
}

/**
 * The cache of which partitions a topic has and who leads them (Kafka 0.8's BrokerPartitionInfo), on a connection of
 * its own, so that it never queues behind messages. Asked are the brokers that are known, and the bootstrap list again
 * when none of them answers.
 *
 * Every answer is a new generation. Whoever fails says which generation it relied on: a thousand failures of the same
 * one cause a single refresh.
 */
export class BrokerPartitionInfo {
  /** How many answers there were. */
  generation = 0
  /** When the last one came, on the clock of `performance.now()`. */
  answeredAt = -Infinity
  private brokers = new Map<number, BrokerAddress>()
  private readonly topics = new Map<string, TopicMetadata>()
  /** Topics asked for and not answered yet: the question for these may create them. */
  private readonly unanswered = new Set<string>()
  private session: BrokerSession | undefined
  private connecting: Promise<BrokerSession> | undefined
  private refreshing: Promise<void> | undefined
  private lookingUp: Promise<void> | undefined
  /** Until when brokers want no more questions, by address. */
  private readonly throttledUntil = new Map<string, number>()
  private timer: NodeJS.Timeout | undefined
  private closed = false
  private listener: MetadataListener | undefined
  /** Why the last question had no answer; undefined once one has. */
  lastFailure: KafkaProducerError | undefined

  constructor(
    private readonly sessions: SessionFactory,
    private readonly options: BrokerPartitionInfoOptions,
  ) {}

  /** Who is told of every answer; set once, by the event handler. */
  listen(listener: MetadataListener): void {
    this.listener = listener
  }

  topic(name: string): TopicMetadata | undefined {
    return this.topics.get(name)
  }

  /** Asks for a topic that is not known yet; those asked for in the same turn go in one question. */
  lookUp(topic: string): Promise<void> {
    this.unanswered.add(topic)
    this.lookingUp ??= Promise.resolve().then(() => {
      this.lookingUp = undefined
      return this.askUnanswered()
    })
    return this.lookingUp
  }

  /**
   * Asks for all topics anew, unless an answer newer than `generation` is there already. Joins a refresh under way.
   *
   * @throws MetadataUnavailableError; or, not retriable, what asking again can't help, such as AuthenticationError
   */
  refresh({ newerThan = this.generation } = {}): Promise<void> {
    if (this.generation > newerThan) return Promise.resolve()
    this.refreshing ??= this.askAll().finally(() => {
      this.refreshing = undefined
    })
    return this.refreshing
  }

  /** Drops a topic that nobody sends to any more, so that refreshes leave it out. */
  forget(topic: string): void {
    this.topics.delete(topic)
    this.unanswered.delete(topic)
  }

  /** What a broker said of a partition's leader in answer to a Produce request (KIP-951); true where that was news. */
  learnLeader(
    topic: string,
    partition: number,
    leader: number,
    leaderEpoch: number,
    brokers: ReadonlyMap<number, BrokerAddress>,
  ): boolean {
    const known = this.topics.get(topic)
    const old = known?.partitions[partition]
    if (known === undefined || old === undefined || leaderEpoch <= old.leaderEpoch) return false
    if (!brokers.has(leader) && !this.brokers.has(leader)) return false
    this.learnBrokers(new Map([...this.brokers, ...brokers]))
    const partitions = [...known.partitions]
    partitions[partition] = { partition, leader, leaderEpoch, error: undefined }
    const updated = { ...known, partitions }
    this.topics.set(topic, updated)
    this.listener?.onTopics([updated], false)
    return true
  }

  close(): void {
    this.closed = true
    clearTimeout(this.timer)
  }

  private async askAll(): Promise<void> {
    await this.askUnanswered()
    const names = [...this.topics.keys()]
    if (names.length > 0) await this.ask(names, false)
  }

  private async askUnanswered(): Promise<void> {
    const names = [...this.unanswered]
    if (names.length > 0) await this.ask(names, this.options.allowAutoTopicCreation)
  }

  private async ask(names: readonly string[], mayCreate: boolean): Promise<void> {
    const failures: unknown[] = []
    const startedAt = performance.now()
    for (const candidate of this.candidates()) {
      const isTooLong =
        failures.length > 0 && !this.sessions.isNeeded && performance.now() - startedAt >= UNNEEDED_REFRESH_MS
      if (this.closed || isTooLong) break
      try {
        const session = await candidate()
        const response = await this.askOne(session, names, mayCreate)
        this.learn(response, names)
        return
      } catch (error) {
        debug('%s', (error as Error).message)
        failures.push(error)
      }
    }
    const failure = whatNoRetryHelps(failures)
    if (failure !== undefined) throw (this.lastFailure = failure)
    this.lastFailure = this.unavailable(failures.at(-1))
    throw this.lastFailure
  }

  private unavailable(failure: unknown): MetadataUnavailableError {
    const asked =
      this.brokers.size > 0 ? 'none of the known brokers and none of the bootstrap list' : 'none of the bootstrap list'
    return new MetadataUnavailableError(
      `${asked} answered: ${(failure as Error | undefined)?.message ?? 'the producer is closed'}`,
      { cause: failure },
    )
  }

  /**
   * Ways to a session, the most promising first: the one at hand, other brokers in random order, the bootstrap list; and
   * at last those that are throttling this client, when they have done with it.
   */
  private *candidates(): Iterable<() => Promise<BrokerSession>> {
    const { session, connecting } = this
    if (session?.connection.isOpen && this.throttleOf(session.connection.address) === 0)
      yield () => Promise.resolve(session)
    if (connecting !== undefined) yield () => connecting
    const throttling: BrokerAddress[] = []
    const seen = new Set<string>()
    for (const address of [...shuffled([...this.brokers.values()]), ...shuffled(this.options.bootstrap)]) {
      const name = formatAddress(address)
      if (seen.has(name)) continue
      seen.add(name)
      if (this.throttleOf(address) > 0) throttling.push(address)
      else yield () => this.connect(address)
    }
    throttling.sort((one, other) => this.throttleOf(one) - this.throttleOf(other))
    for (const address of throttling) yield () => this.afterThrottle(address)
  }

  /** For how many milliseconds a broker wants no question. */
  private throttleOf(address: BrokerAddress): number {
    return Math.max(0, (this.throttledUntil.get(formatAddress(address)) ?? 0) - performance.now())
  }

  private async afterThrottle(address: BrokerAddress): Promise<BrokerSession> {
    await sleep(this.throttleOf(address), undefined, { signal: this.sessions.signal, ref: false })
    const { session } = this
    const isThere = session?.connection.isOpen && formatAddress(session.connection.address) === formatAddress(address)
    return isThere ? session : this.connect(address)
  }

  private async connect(address: BrokerAddress): Promise<BrokerSession> {
    const connecting = this.sessions.open(address)
    this.connecting = connecting
    try {
      const session = await connecting
      const previous = this.session
      this.session = session
      if (previous?.connection.isOpen) void previous.connection.close(0)
      return session
    } finally {
      if (this.connecting === connecting) this.connecting = undefined
    }
  }

  private async askOne(
    { connection, versions }: BrokerSession,
    names: readonly string[],
    mayCreate: boolean,
  ): Promise<MetadataResponse> {
    const version = versions.highest(metadataApi)
    // Older brokers create every topic that is named: the question that must not do so names none and means all.
    const namesTopics = mayCreate || version >= NO_AUTO_CREATION_FROM
    const question = {
      topics: namesTopics ? names.map((name) => ({ name, topicId: ZERO_UUID })) : null,
      allowAutoTopicCreation: mayCreate || !namesTopics,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
    }
    const timeoutMs = Math.min(this.options.requestTimeoutMs, ATTEMPT_TIMEOUT_MS)
    let response: MetadataResponse
    try {
      response = await connection.request(metadataApi, version, question, { timeoutMs })
      if (version >= CLIENT_THROTTLES_FROM && response.throttleTimeMs > 0) {
        this.throttledUntil.set(formatAddress(connection.address), performance.now() + response.throttleTimeMs)
      }
      if (response.errorCode !== ErrorCodes.NONE) throw brokerResponseError(response.errorCode, 'Metadata')
      if (response.brokers.length === 0)
        throw new MetadataUnavailableError(`${formatAddress(connection.address)} knows no broker yet`)
    } catch (error) {
      // Whatever it was, the next question starts elsewhere.
      void connection.close(0)
      if ((error as Partial<BrokerResponseError>).errorCode === REBOOTSTRAP_REQUIRED) this.brokers.clear()
      throw error
    }
    return response
  }

  private learn(response: MetadataResponse, asked: readonly string[]): void {
    this.generation++
    this.answeredAt = performance.now()
    this.lastFailure = undefined
    this.learnBrokers(new Map(response.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }])))
    const answers = new Map(response.topics.map((topic) => [topic.name, topic]))
    const updated: TopicMetadata[] = []
    for (const name of asked) {
      const topic = this.merge(name, answers.get(name))
      this.topics.set(name, topic)
      if (!failedToCreate(topic)) this.unanswered.delete(name)
      updated.push(topic)
    }
    this.listener?.onTopics(updated, true)
    this.scheduleRefresh()
  }

  private learnBrokers(brokers: Map<number, BrokerAddress>): void {
    this.brokers = brokers
    this.listener?.onBrokers(brokers)
  }

  /** A partition's older leader epoch is no news; a topic left out of the answer does not exist. */
  private merge(name: string, answer: MetadataTopic | undefined): TopicMetadata {
    const old = this.topics.get(name)
    const code = answer?.errorCode ?? ErrorCodes.UNKNOWN_TOPIC_OR_PARTITION
    const partitions =
      answer === undefined ? [] : [...answer.partitions].sort((a, b) => a.partitionIndex - b.partitionIndex)
    const hasGap = partitions.some(({ partitionIndex }, position) => partitionIndex !== position)
    if (answer === undefined || code !== ErrorCodes.NONE || hasGap || partitions.length === 0) {
      const error = topicError(code === ErrorCodes.NONE ? ErrorCodes.LEADER_NOT_AVAILABLE : code, name)
      return { topic: name, id: null, partitions: [], error }
    }
    const id = answer.topicId.equals(ZERO_UUID) ? null : answer.topicId
    const oldId = old?.id ?? null
    const isSameTopic = oldId === null || id === null || oldId.equals(id)
    return {
      topic: name,
      id,
      error: undefined,
      partitions: partitions.map(({ partitionIndex, leaderId, leaderEpoch, errorCode }) => {
        const known = isSameTopic ? old?.partitions[partitionIndex] : undefined
        if (known !== undefined && leaderEpoch >= 0 && leaderEpoch < known.leaderEpoch) return known
        // Errors such as REPLICA_NOT_AVAILABLE (9) say nothing about the leader.
        const error =
          leaderId < 0
            ? brokerResponseError(
                errorCode || ErrorCodes.LEADER_NOT_AVAILABLE,
                `partition ${partitionIndex} of '${name}'`,
              )
            : undefined
        return { partition: partitionIndex, leader: leaderId, leaderEpoch, error }
      }),
    }
  }

  private scheduleRefresh(): void {
    const { metadataRefreshIntervalMs } = this.options
    clearTimeout(this.timer)
    if (metadataRefreshIntervalMs <= 0 || this.closed) return
    this.timer = setTimeout(() => {
      this.refresh().catch((error: KafkaProducerError) => {
        debug('periodic refresh: %s', error.message)
        this.scheduleRefresh()
      })
    }, metadataRefreshIntervalMs).unref()
  }
}

/**
 * Credentials are the cluster's: refused by one broker, they are refused. Anything else that is final ends it only if
 * no broker may do better next time.
 */
function whatNoRetryHelps(failures: readonly unknown[]): KafkaProducerError | undefined {
  const final = failures.filter(
    (failure) => failure instanceof KafkaProducerError && !failure.retriable,
  ) as KafkaProducerError[]
  const refused = final.find((failure) => failure instanceof AuthenticationError)
  return refused ?? (final.length === failures.length ? final[0] : undefined)
}

function shuffled<T>(items: readonly T[]): T[] {
  const result = [...items]
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1))
    ;[result[i], result[j]] = [result[j] as T, result[i] as T]
  }
  return result
}

/**
 * A broker that has lost its ZooKeeper, or knows too few others, fails to create a topic with whatever error that gives
 * (-1, 38): it may do so a little later.
 */
function topicError(code: number, topic: string): BrokerResponseError {
  const error = brokerResponseError(code, `metadata of topic '${topic}'`)
  return FINAL_TOPIC_ERRORS.has(code) ? error : new BrokerResponseError(code, error.code, error.message, true)
}

/** Whether the next question must try to create the topic again. */
function failedToCreate({ error }: TopicMetadata): boolean {
  return error !== undefined && !FINAL_TOPIC_ERRORS.has(error.errorCode) && !errorCode(error.errorCode).retriable
}
