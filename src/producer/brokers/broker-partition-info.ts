import { createDebug } from '../../debug.js'
import { BrokerResponseError, MetadataUnavailableError, type KafkaProducerError } from '../../errors.js'
import { formatAddress, type BrokerAddress } from '../../network/connect.js'
import type { BrokerSession, SessionFactory } from '../../network/session.js'
import { metadata as metadataApi, type MetadataResponse, type MetadataTopic } from '../../protocol/apis/metadata.js'
import { ZERO_UUID } from '../../protocol/byte-writer.js'
import { brokerResponseError, errorCode, ErrorCodes } from '../../protocol/error-codes.js'
import { AnyBroker } from './any-broker.js'

const debug = createDebug('kafka-producer:metadata')

/** A broker that is stalled must not hold up what any other could answer. */
const ATTEMPT_TIMEOUT_MS = 10_000
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
 * The cache of which partitions a topic has and who leads them (Kafka 0.8's BrokerPartitionInfo).
 *
 * Every answer is a new generation. Whoever fails says which generation it relied on: a thousand failures of the same
 * one cause a single refresh.
 */
export class BrokerPartitionInfo {
  /** How many answers there were. */
  generation = 0
  /** When the last one came, on the clock of `performance.now()`. */
  answeredAt = -Infinity
  private readonly anyBroker: AnyBroker
  private readonly topics = new Map<string, TopicMetadata>()
  /** Topics asked for and not answered yet: the question for these may create them. */
  private readonly unanswered = new Set<string>()
  private refreshing: Promise<void> | undefined
  private lookingUp: Promise<void> | undefined
  private timer: NodeJS.Timeout | undefined
  private closed = false
  private listener: MetadataListener | undefined

  constructor(
    sessions: SessionFactory,
    private readonly options: BrokerPartitionInfoOptions,
  ) {
    this.anyBroker = new AnyBroker(sessions, options.bootstrap)
  }

  /** Who is told of every answer; set once, by the event handler. */
  listen(listener: MetadataListener): void {
    this.listener = listener
  }

  /** Why the last question had no answer; undefined once one has. */
  get lastFailure(): KafkaProducerError | undefined {
    return this.anyBroker.lastFailure
  }

  /** Who is being asked, and since when; undefined while nobody is. */
  get stage(): string | undefined {
    return this.anyBroker.stage
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
    if (!brokers.has(leader) && !this.anyBroker.brokers.has(leader)) return false
    this.learnBrokers(new Map([...this.anyBroker.brokers, ...brokers]))
    const partitions = [...known.partitions]
    partitions[partition] = { partition, leader, leaderEpoch, error: undefined }
    const updated = { ...known, partitions }
    this.topics.set(topic, updated)
    this.listener?.onTopics([updated], false)
    return true
  }

  close(): void {
    this.closed = true
    this.anyBroker.close()
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
    this.learn(await this.anyBroker.ask((session) => this.askOne(session, names, mayCreate)), names)
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
      wanted: names,
      allowAutoTopicCreation: mayCreate || !namesTopics,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
    }
    const timeoutMs = Math.min(this.options.requestTimeoutMs, ATTEMPT_TIMEOUT_MS)
    const response = await connection.request(metadataApi, version, question, { timeoutMs })
    if (version >= CLIENT_THROTTLES_FROM && response.throttleTimeMs > 0)
      this.anyBroker.throttle(connection.address, response.throttleTimeMs)
    if (response.errorCode === REBOOTSTRAP_REQUIRED) this.anyBroker.forgetBrokers()
    if (response.errorCode !== ErrorCodes.NONE) throw brokerResponseError(response.errorCode, 'Metadata')
    if (response.brokers.length === 0)
      throw new MetadataUnavailableError(`${formatAddress(connection.address)} knows no broker yet`)
    return response
  }

  private learn(response: MetadataResponse, asked: readonly string[]): void {
    this.generation++
    this.answeredAt = performance.now()
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

  private learnBrokers(brokers: ReadonlyMap<number, BrokerAddress>): void {
    this.anyBroker.learn(brokers)
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
