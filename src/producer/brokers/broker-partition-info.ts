import { sleep, type Timer } from '../../clock.js'
import { createDebug } from '../../debug.js'
import { ProducerClosedError, type KafkaProducerError } from '../../errors.js'
import type { SessionFactory } from '../../network/session/session.js'
import type { BrokerAddress } from '../../network/streams/connect.js'
import type { MetadataResponse } from '../../protocol/apis/metadata.js'
import { ErrorCodes } from '../../protocol/error-codes.js'
import { Observers } from '../../stats/observer.js'
import type { Surroundings } from '../../surroundings.js'
import { timerDelay } from '../../timer-delay.js'
import { ownCopy } from '../../topic-name.js'
import type { AnyBroker } from './any-broker.js'
import { KnownTopics, type ToldLeader } from './known-topics.js'
import { MetadataQuestion } from './metadata-question.js'
import type { PartitionMetadata, TopicMetadata } from './topic-metadata.js'

const debug = createDebug('kafka-producer:metadata')

/** Topics are looked through for idle ones so many times within `metadataMaxIdleMs`. */
const IDLE_CHECKS = 4

export interface BrokerPartitionInfoOptions {
  readonly requestTimeoutMs: number
  /** The least time between one refresh and the next, and before a look-up after one that was refused. */
  readonly retryBackoffMs: number
  /** 0: after each send; negative: only on failure. */
  readonly metadataRefreshIntervalMs: number
  /** After how long a topic that nobody sends to is forgotten. */
  readonly metadataMaxIdleMs: number
  readonly allowAutoTopicCreation: boolean
}

export interface MetadataListener {
  onBrokers(brokers: ReadonlyMap<number, BrokerAddress>): void
  /** They are of another cluster than those before. */
  onOtherCluster(): void
  /** @param askedAt when a broker was asked for them; undefined for what an answer to messages told besides */
  onTopics(topics: readonly TopicMetadata[], askedAt: number | undefined): void
  /** Time to forget the topics that nobody has sent to since then, by the clock that it was given. */
  onIdleCheck(idleSince: number): void
  isInUse(topic: string): boolean
}

/** Topics of a question that has no answer yet. */
interface Question {
  readonly topics: Set<string>
  readonly answer: Promise<ReadonlyMap<string, TopicMetadata>>
}

/**
 * Which partitions a topic has and who leads them (Kafka 0.8's BrokerPartitionInfo): when that is asked for, and who is
 * told of it. What was told is {@link KnownTopics}.
 *
 * Every answer is a new generation of the topics in it. Whoever fails says which generation it relied on: a thousand
 * failures of the same one cause a single refresh, and an answer about other topics does not stand in for it.
 */
export class BrokerPartitionInfo {
  private readonly known: KnownTopics
  /** Look-ups that go out at the end of this turn, by whether they may create topics. */
  private readonly lookUps = new Map<boolean, Question>()
  /** The refresh that waits until it is due, and the one that is under way. */
  private dueRefresh: Question | undefined
  private refreshing: Question | undefined
  /** When the last refresh ended. */
  private refreshedAt = -Infinity
  /** When the last question failed, or messages did by what was answered of their topic. */
  private refusedAt = -Infinity
  /** The question whether anybody answers, while it is under way. */
  private reaching: Promise<void> | undefined
  private refreshTimer: Timer | undefined
  private idleTimer: Timer | undefined
  private closed = false
  private listener: MetadataListener | undefined
  private readonly question: MetadataQuestion

  constructor(
    private readonly sessions: SessionFactory,
    private readonly anyBroker: AnyBroker,
    private readonly options: BrokerPartitionInfoOptions,
    private readonly surroundings: Surroundings,
    private readonly observers = new Observers(),
  ) {
    this.known = new KnownTopics(observers)
    this.question = new MetadataQuestion(options.requestTimeoutMs, () => anyBroker.forgetBrokers())
  }

  /** Who is told of every answer; set once, by the event handler. */
  listen(listener: MetadataListener): void {
    this.listener = listener
  }

  /** Why the last question had no answer; undefined once one has. */
  get lastFailure(): KafkaProducerError | undefined {
    return this.anyBroker.lastFailure
  }

  /** Whether the last question was answered; false as long as none was asked. */
  get isReached(): boolean {
    return this.anyBroker.hasAnswered && this.anyBroker.lastFailure === undefined
  }

  /** Who is being asked, and since when; undefined while nobody is. */
  get stage(): string | undefined {
    return this.anyBroker.stage
  }

  /** Which cluster the last answer was of; null where brokers don't tell. */
  get clusterId(): string | null {
    return this.anyBroker.clusterId
  }

  /** How many answers there were about topics. */
  get generation(): number {
    return this.known.generation
  }

  /** Whether any topic is known. */
  get knowsAny(): boolean {
    return this.known.isAny
  }

  topic(name: string): TopicMetadata | undefined {
    return this.known.get(name)
  }

  /** Where the broker is that leads a partition; undefined where no leader is known, or no address of it. */
  leaderOf(topic: string, partition: number): BrokerAddress | undefined {
    const leader = this.topic(topic)?.partitions[partition]?.leader
    return leader === undefined ? undefined : this.anyBroker.brokers.get(leader)
  }

  /**
   * Asks for topics, known or not; those asked for in the same turn go in one question. It goes at once, unless the last
   * one was refused or failed just now: however many unknown topics are sent to, brokers are not asked as often.
   *
   * @param forMessages whether messages wait for them: then they are created, where the option allows it
   * @throws like {@link refresh}
   */
  lookUp(names: Iterable<string>, forMessages: boolean): Promise<ReadonlyMap<string, TopicMetadata>> {
    const mayCreate = forMessages && this.options.allowAutoTopicCreation
    let question = this.lookUps.get(mayCreate)
    if (question === undefined) {
      const topics = new Set<string>()
      const ask = async () => {
        await this.untilPast(this.refusedAt + this.options.retryBackoffMs)
        this.lookUps.delete(mayCreate)
        return this.ask(topics, mayCreate)
      }
      question = { topics, answer: ask() }
      this.lookUps.set(mayCreate, question)
    }
    for (const name of names) question.topics.add(ownCopy(name))
    return question.answer
  }

  /**
   * The partitions of a topic, asked for now. A topic that is being created is asked for again until then.
   *
   * @param giveUpAt by the clock that it was given
   * @param isCreating whether one that the brokers don't know yet is being created all the same
   * @throws BrokerResponseError where there is no such topic; and like {@link refresh}
   */
  async partitionsOf(name: string, giveUpAt: number, isCreating: () => boolean): Promise<readonly PartitionMetadata[]> {
    for (;;) {
      const { error, partitions } = (await this.lookUp([name], false)).get(name) as TopicMetadata
      if (error === undefined) return partitions
      const isUnknown = error.errorCode === ErrorCodes.UNKNOWN_TOPIC_OR_PARTITION
      if (!error.retriable || (isUnknown && !isCreating()) || this.surroundings.clock.now() >= giveUpAt) throw error
      await this.untilPast(Math.min(giveUpAt, this.surroundings.clock.now() + this.options.retryBackoffMs))
    }
  }

  /**
   * Asks for these topics, and all that are known, unless there is an answer about each of these that is newer than
   * `newerThan`. Joins a refresh under way; the next one goes out `retryBackoffMs` after the last, at the earliest.
   *
   * @param isDue it goes out now
   * @throws MetadataUnavailableError; or, not retriable, what asking again can't help, such as AuthenticationError
   */
  async refresh({
    topics = [],
    newerThan = this.generation,
    isDue = false,
  }: { topics?: readonly string[]; newerThan?: number; isDue?: boolean } = {}): Promise<void> {
    if (topics.length > 0 && topics.every((name) => this.known.generationOf(name) > newerThan)) return
    const { refreshing } = this
    if (refreshing !== undefined && topics.every((name) => refreshing.topics.has(name))) {
      await refreshing.answer
      return
    }
    await this.nextRefresh(topics, isDue).answer
  }

  /** The refresh that goes out next, these topics in it. */
  private nextRefresh(names: readonly string[], isDue = false): Question {
    this.dueRefresh ??= this.planRefresh(isDue)
    for (const name of names) this.dueRefresh.topics.add(name)
    return this.dueRefresh
  }

  private planRefresh(isDue: boolean): Question {
    const { refreshing } = this
    const topics = new Set<string>()
    const ask = async () => {
      await refreshing?.answer.catch(() => undefined)
      await this.untilPast(isDue ? 0 : this.refreshedAt + this.options.retryBackoffMs)
      this.refreshing = question
      this.dueRefresh = undefined
      for (const name of this.known.names()) topics.add(name)
      try {
        return await this.ask(topics, false)
      } finally {
        this.refreshing = undefined
        this.refreshedAt = this.surroundings.clock.now()
        this.scheduleRefresh()
      }
    }
    const question: Question = { topics, answer: Promise.resolve().then(ask) }
    return question
  }

  /**
   * Asks which brokers there are, and for no topic. Who wants to know meanwhile shares the question.
   *
   * @throws like {@link refresh}
   */
  reach(): Promise<void> {
    const ask = async () => {
      const none = new Set<string>()
      const onEnd = this.observe(none)
      try {
        const answer = await this.anyBroker.ask((session, patienceMs) =>
          this.question.put(session, none, false, patienceMs),
        )
        onEnd?.(undefined)
        this.learnBrokers(answer)
      } catch (error) {
        onEnd?.(error as KafkaProducerError)
        throw error
      }
    }
    this.reaching ??= ask().finally(() => {
      this.reaching = undefined
    })
    return this.reaching
  }

  /** Messages for a topic failed by what was answered: whoever sends more of them at once is not to have it asked as often. */
  noteRefused(): void {
    this.refusedAt = this.surroundings.clock.now()
  }

  /** Drops a topic that nobody sends to any more, so that refreshes leave it out. */
  forget(topic: string): void {
    this.known.forget(topic)
  }

  /** A partition's leader refused, or could not be reached: what is known of it may be wrong. */
  doubtLeader(topic: string, partition: number): void {
    this.known.doubtLeader(topic, partition)
  }

  /** The same of all that a broker leads. */
  doubtLeadersAt(brokerId: number): void {
    this.known.doubtLeadersAt(brokerId)
  }

  /** What a broker said of the leaders of partitions in answer to a Produce request (KIP-951). Gives what was news. */
  learnLeaders<Told extends ToldLeader>(
    told: readonly Told[],
    brokers: ReadonlyMap<number, BrokerAddress>,
  ): ReadonlySet<Told> {
    const { takesMore } = this.sessions.cluster
    const { brokers: known } = this.anyBroker
    const { news, topics } = this.known.learnLeaders(told, (id) => known.has(id) || (takesMore && brokers.has(id)))
    if (news.size === 0) return news
    // An answer may name any number of brokers besides.
    const leaders = new Map<number, BrokerAddress>()
    for (const { leader } of news) {
      const address = brokers.get(leader)
      if (address !== undefined) leaders.set(leader, address)
    }
    this.listener?.onBrokers(this.anyBroker.learnSome(leaders))
    this.listener?.onTopics(topics, undefined)
    return news
  }

  close(): void {
    this.closed = true
    this.surroundings.clock.clearTimeout(this.refreshTimer)
    this.surroundings.clock.clearInterval(this.idleTimer)
  }

  private async ask(topics: ReadonlySet<string>, mayCreate: boolean): Promise<ReadonlyMap<string, TopicMetadata>> {
    if (topics.size === 0) return new Map()
    const askedAt = this.surroundings.clock.now()
    const onEnd = this.observe(topics)
    try {
      const answer = await this.anyBroker.ask((session, patienceMs) =>
        this.question.put(session, topics, mayCreate, patienceMs),
      )
      onEnd?.(undefined)
      return this.learn(answer, topics, askedAt)
    } catch (error) {
      onEnd?.(error as KafkaProducerError)
      this.noteRefused()
      throw error
    }
  }

  private learn(
    response: MetadataResponse,
    asked: ReadonlySet<string>,
    askedAt: number,
  ): ReadonlyMap<string, TopicMetadata> {
    this.known.nextGeneration()
    this.learnBrokers(response)
    const { all, undecided } = this.known.learn(response.topics, asked, this.surroundings.clock.now())
    for (const { error } of all.values()) if (error !== undefined && !error.retriable) this.noteRefused()
    this.listener?.onTopics([...all.values()], askedAt)
    if (undecided.length > 0) this.nextRefresh(undecided).answer.catch(() => undefined)
    if (this.refreshTimer === undefined) this.scheduleRefresh()
    this.watchIdleTopics()
    return all
  }

  /** Gives whom to tell how a question came out; undefined where nobody watches. */
  private observe(topics: ReadonlySet<string>): ((error: KafkaProducerError | undefined) => void) | undefined {
    const { questions } = this.observers
    if (!questions.isWatched) return undefined
    const { clock } = this.surroundings
    const startedAt = clock.now()
    const onEnd = questions.begin({ topics: [...topics] })
    return (failure) => {
      // Nobody is to blame for what was called off.
      const error = failure !== undefined && this.closed ? new ProducerClosedError() : failure
      onEnd({ latencyMs: clock.now() - startedAt, error })
    }
  }

  private learnBrokers({ clusterId, brokers: all }: MetadataResponse): void {
    const brokers = new Map(all.map(({ nodeId, host, port }) => [nodeId, { host, port }]))
    const isOtherCluster = this.anyBroker.learn(clusterId, brokers)
    this.listener?.onBrokers(brokers)
    if (!isOtherCluster) return
    this.known.leaveCluster(this.isInUse)
    this.listener?.onOtherCluster()
    if (this.known.isAnyToldElsewhere) this.nextRefresh([]).answer.catch(() => undefined)
  }

  private readonly isInUse = (topic: string): boolean => this.listener?.isInUse(topic) === true

  /** Waits until then, at most; no longer once the producer is closed. */
  private async untilPast(time: number): Promise<void> {
    const wait = time - this.surroundings.clock.now()
    if (wait > 0) await sleep(this.surroundings.clock, timerDelay(wait), this.sessions.signal).catch(() => undefined)
  }

  private scheduleRefresh(): void {
    const { metadataRefreshIntervalMs } = this.options
    this.surroundings.clock.clearTimeout(this.refreshTimer)
    if (metadataRefreshIntervalMs <= 0 || this.closed) return
    this.refreshTimer = this.surroundings.clock
      .setTimeout(() => {
        this.refresh({ isDue: true }).catch((error: KafkaProducerError) => debug('periodic refresh: %s', error.message))
      }, metadataRefreshIntervalMs)
      .unref()
  }

  private watchIdleTopics(): void {
    const { metadataMaxIdleMs } = this.options
    if (this.closed) return
    this.idleTimer ??= this.surroundings.clock
      .setInterval(
        () => {
          const idleSince = this.surroundings.clock.now() - metadataMaxIdleMs
          this.listener?.onIdleCheck(idleSince)
          this.known.forgetIdle(idleSince, this.isInUse)
        },
        Math.ceil(metadataMaxIdleMs / IDLE_CHECKS),
      )
      .unref()
  }
}
