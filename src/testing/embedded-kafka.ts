import { inspect, type InspectOptions } from 'node:util'
import { ASYNC_DISPOSE, DISPOSE } from '../dispose-symbols.js'
import { SYSTEM, type Surroundings } from '../surroundings.js'
import {
  BrokerSet,
  type BrokerStatus,
  type ConnectionStatus,
  type StartBrokerOptions,
  type StopBrokerOptions,
} from './broker-set.js'
import { checkBytes, fields, invalid, milliseconds, partitionCount, text, wholeNumber } from './checks.js'
import { checkSubscription, type ClientMetricsSubscription, type ReceivedMetrics } from './client-metrics.js'
import { Cluster } from './cluster.js'
import { makeDecompress } from './decompress.js'
import { codeOf } from './error-names.js'
import { EmbeddedKafkaError } from './errors.js'
import {
  Faults,
  checkAppend,
  checkOrder,
  type Behaviour,
  type Fault,
  type FaultMoment,
  type FaultTarget,
  type Spoiling,
} from './faults.js'
import type { CommittedOffset } from './groups/group-offsets.js'
import type { GroupState } from './groups/group.js'
import { makeHandlers } from './handlers/index.js'
import { Journal, checkFilter, type ReceivedRequest, type RequestFilter, type WaitOptions } from './journal.js'
import { listenOnSockets, type Listen } from './listener.js'
import { frozenView, type MetadataView } from './metadata-view.js'
import {
  checkTopic,
  resolveOptions,
  type EmbeddedBrokerOptions,
  type EmbeddedKafkaOptions,
  type EmbeddedTopicOptions,
  type ResolvedOptions,
} from './options.js'
import { checkRecords, countRecords, storedRecords, type RecordsOptions, type StoredRecord } from './records.js'
import { RequestServer } from './request-server.js'
import { SaslServer, type Authentication } from './security/sasl-server.js'
import type { TransactionState } from './transactions/transaction.js'
import { mustNotBeStopped, newLifetime, waitFor } from './waiting.js'

/** A transactional id as it is at present. */
export interface TransactionStatus {
  readonly id: string
  readonly producerId: number
  readonly producerEpoch: number
  readonly state: TransactionState
}

/** A consumer group as it is at present. */
export interface GroupStatus {
  readonly id: string
  readonly state: GroupState
  readonly generationId: number
  /** Their member ids. */
  readonly members: readonly string[]
}

const checkWait = fields<WaitOptions>({ timeoutMs: milliseconds })

const checkWaitForRequest = fields<WaitOptions & { count?: number | undefined }>({
  timeoutMs: milliseconds,
  count: wholeNumber(1),
})

/** Something that lasts until it is released. */
export interface Lasting {
  release(): void
  [Symbol.dispose](): void
}

/** What a cluster has of the world around it: time and chance, and where connections come from, sockets by default. */
interface EmbeddedWorld extends Surroundings {
  readonly listen?: Listen
  /** The id that its first producer gets. */
  readonly firstProducerId?: bigint
}

/** As many topics are printed of a cluster. */
const MAX_SHOWN = 10

/** As a size it is far beyond what any answer has. */
const NOISE: Uint8Array = Buffer.alloc(64, 0x7e)

/** Errors that Kafka answers after it has appended the records: 7 and 20. */
const AFTER_APPEND: readonly number[] = [7, 20]

/** As by plain JavaScript, which knows nothing of private constructors. */
function neverStarted(): never {
  throw new EmbeddedKafkaError('INVALID_OPTION', 'an embedded Kafka is made by `await EmbeddedKafka.start(options)`')
}

/**
 * A Kafka cluster inside this process, on real sockets of the loopback interface: for tests of whatever speaks to
 * Kafka, and for demos. It keeps everything in memory, and misbehaves on demand.
 *
 * ```ts
 * const kafka = await EmbeddedKafka.start({ brokers: 3, topics: { orders: { partitions: 6 } } })
 * kafka.fail({ api: 'Produce', topic: 'orders' }, 'NOT_LEADER_OR_FOLLOWER')
 * // … let the code under test produce to kafka.bootstrap …
 * const records = await kafka.waitForRecords('orders', 1)
 * await kafka.stop()
 * ```
 *
 * Instances share nothing; as many as you like can run side by side.
 */
export class EmbeddedKafka {
  private readonly cluster: Cluster
  private readonly lifetime = newLifetime()
  private readonly faults: Faults
  private readonly journal: Journal
  private readonly frozenViews = new Map<number, MetadataView>()
  private readonly brokerSet: BrokerSet
  private readonly failures: unknown[] = []
  private readonly decompress = makeDecompress()
  private readonly sasl: SaslServer | undefined

  private constructor(
    private readonly options: ResolvedOptions,
    world: EmbeddedWorld = neverStarted(),
  ) {
    const { clock } = world
    this.faults = new Faults(this.lifetime.signal, clock)
    this.sasl = options.sasl === undefined ? undefined : new SaslServer(options.sasl, options.requestHistory, world)
    this.cluster = new Cluster(options, world)
    this.journal = new Journal(
      options.requestHistory,
      this.lifetime.signal,
      (request) => this.tellHangUp(request),
      clock,
    )
    const server = new RequestServer({
      cluster: this.cluster,
      handlers: makeHandlers(),
      faults: this.faults,
      journal: this.journal,
      decompress: this.decompress,
      frozenViews: this.frozenViews,
    })
    this.brokerSet = new BrokerSet({
      cluster: this.cluster,
      options,
      server,
      listen: world.listen ?? listenOnSockets(options.ssl),
      sasl: this.sasl,
      lifetime: this.lifetime.signal,
      failed: (error) => this.failures.push(error),
    })
  }

  /**
   * Starts a cluster; resolves when all its brokers listen.
   *
   * @throws EmbeddedKafkaError `INVALID_OPTION`, `UNKNOWN_RELEASE`, `CANNOT_LISTEN`.
   */
  static async start(options?: EmbeddedKafkaOptions): Promise<EmbeddedKafka>
  /** @internal */
  static async start(options: EmbeddedKafkaOptions, world: EmbeddedWorld): Promise<EmbeddedKafka>
  static async start(options: EmbeddedKafkaOptions = {}, world: EmbeddedWorld = SYSTEM): Promise<EmbeddedKafka> {
    const resolved = resolveOptions(options)
    const kafka = new EmbeddedKafka(resolved, world)
    try {
      await kafka.brokerSet.begin(resolved.brokers)
      for (const [name, topic] of Object.entries(resolved.topics)) kafka.createTopic(name, topic)
    } catch (error) {
      await kafka.stop()
      throw error
    }
    return kafka
  }

  /** Addresses of all brokers, stopped ones too: `'127.0.0.1:51001,127.0.0.1:51002'`, or `'[::1]:51001'`. */
  get bootstrap(): string {
    // One that is about to start for the first time has no port yet.
    const started = [...this.cluster.nodes.values()].filter(({ port }) => port !== 0)
    const addresses = started.map(({ host, port }) => {
      // The colons of IPv6 are no place for a port.
      return `${host.includes(':') ? `[${host}]` : host}:${port}`
    })
    return addresses.join(',')
  }

  get brokers(): BrokerStatus[] {
    return this.brokerSet.statuses()
  }

  /**
   * Breaks all connections and frees the ports, for good. Twice is harmless.
   *
   * @throws EmbeddedKafkaError `INTERNAL` where the embedded Kafka itself failed while it ran: a fault of its own, not
   * of a client.
   */
  async stop(): Promise<void> {
    this.lifetime.abort()
    this.cluster.timers.stop()
    await this.brokerSet.stopAll()
    const failures = this.failures.splice(0)
    if (failures.length > 0) {
      throw new EmbeddedKafkaError('INTERNAL', `the embedded Kafka failed: ${String(failures[0])}`, {
        cause: failures[0],
      })
    }
  }

  async [ASYNC_DISPOSE](): Promise<void> {
    await this.stop()
  }

  /** What it is at present, as a logger shows it: all that is in it would be pages, users' passwords among them. */
  toJSON(): Readonly<Record<string, string>> {
    const brokers = this.brokers.map(({ id, release, state }) => `${id} (${release}, ${state})`)
    const topics = [...this.cluster.topics.values()].map(({ name, partitions }) => `${name} (${partitions.length})`)
    return { bootstrap: this.bootstrap, brokers: brokers.join(', '), topics: someOf(topics) }
  }

  /** The same, in a line. */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    return `EmbeddedKafka ${inspect(this.toJSON(), { ...options, breakLength: Infinity })}`
  }

  // Topics.

  /** @throws EmbeddedKafkaError `TOPIC_EXISTS`, `INVALID_OPTION`, `STOPPED`. */
  createTopic(name: string, options: EmbeddedTopicOptions = {}): void {
    text('name', name)
    checkTopic('options', options)
    this.mustNotBeStopped()
    this.cluster.createTopic(name, options)
  }

  /** Its messages are gone. */
  deleteTopic(name: string): void {
    text('name', name)
    this.mustNotBeStopped()
    this.cluster.deleteTopic(name)
  }

  /** Deletes the topic and creates it anew: empty, with a new topic id, and with as many partitions unless told otherwise. */
  recreateTopic(name: string, options: EmbeddedTopicOptions = {}): void {
    text('name', name)
    checkTopic('options', options)
    this.mustNotBeStopped()
    this.cluster.recreateTopic(name, options)
  }

  /** Grows a topic to `count` partitions in all. */
  setPartitions(name: string, count: number): void {
    text('name', name)
    const topic = this.cluster.topic(name)
    partitionCount('count', count)
    if (count < topic.partitions.length) {
      throw new EmbeddedKafkaError(
        'INVALID_OPTION',
        `topic '${name}' has ${topic.partitions.length} partitions already`,
      )
    }
    this.mustNotBeStopped()
    this.cluster.growTopic(topic, count)
  }

  /** Id of the broker that leads the partition; -1 where none does. */
  leaderOf(topic: string, partition: number): number {
    text('topic', topic)
    wholeNumber(0)('partition', partition)
    return this.cluster.partition(topic, partition).leader
  }

  /** Lets another broker lead the partition, which must have a replica of it; -1: none. */
  moveLeader(topic: string, partition: number, broker: number): void {
    text('topic', topic)
    wholeNumber(0)('partition', partition)
    wholeNumber(-1)('broker', broker)
    this.mustNotBeStopped()
    this.cluster.moveLeader(topic, partition, broker)
  }

  /**
   * Retention takes what the topic holds, if no transaction in it is open: whether it has.
   *
   * @internal
   */
  emptyTopic(name: string): boolean {
    const { partitions } = this.cluster.topic(name)
    const [node] = this.cluster.nodes.values()
    if (node === undefined || partitions.some(({ transactions }) => transactions.firstOpenOffset !== undefined))
      return false
    for (const partition of partitions) partition.empty(node.release)
    return true
  }

  /**
   * The newest writes to each partition of the topic are lost, as many as said: a broker leads that was not in sync.
   *
   * @internal
   */
  truncateTopic(name: string, count: number): void {
    for (const partition of this.cluster.topic(name).partitions) partition.truncate(count)
  }

  /** Gives all partitions without a leader one, where a replica in sync lives. */
  electLeaders(): void {
    this.cluster.electLeaders()
  }

  // Brokers.

  /** Breaks its connections and refuses new ones; other brokers in sync lead what it led. */
  async stopBroker(id: number, options: StopBrokerOptions = {}): Promise<void> {
    await this.brokerSet.stop(id, options)
  }

  /** Starts a stopped broker; it is in sync at once, and leads what has no leader. Throws `CANNOT_LISTEN`. */
  async startBroker(id: number, options: StartBrokerOptions = {}): Promise<void> {
    await this.brokerSet.start(id, options)
  }

  /** Stops a broker and starts it on the same port as another Kafka release, as in a rolling upgrade. */
  async upgradeBroker(id: number, release: string): Promise<void> {
    await this.brokerSet.upgrade(id, release)
  }

  /** Adds a broker that has no replica yet; resolves with its id. Where it can't listen (`CANNOT_LISTEN`) there is no such broker. */
  async addBroker(options: EmbeddedBrokerOptions = {}): Promise<number> {
    return this.brokerSet.add(options)
  }

  /** Stops a broker for good. Partitions keep naming it as a replica. */
  async removeBroker(id: number): Promise<void> {
    await this.brokerSet.remove(id)
  }

  /** The broker still accepts connections but reads nothing and answers nothing, like a process that was stopped. */
  pauseBroker(id: number): void {
    this.mustNotBeStopped()
    this.brokerSet.get(id).pause()
  }

  resumeBroker(id: number): void {
    this.brokerSet.get(id).resume()
  }

  /** Breaks the broker's connections; new ones are welcome. */
  dropConnections(id: number): void {
    this.brokerSet.get(id).dropConnections()
  }

  /** Sends bytes that are no answer to anything on all connections that the broker has open. Default: 64 bytes of noise. */
  babble(id: number, bytes: Uint8Array = NOISE): void {
    checkBytes('bytes', bytes)
    this.mustNotBeStopped()
    for (const connection of this.brokerSet.get(id).connections) connection.babble(bytes)
  }

  /** New connections are refused until released; those that are open go on. */
  refuseConnections(id: number): Lasting {
    this.mustNotBeStopped()
    const release = this.brokerSet.get(id).refuseConnections()
    return { release, [DISPOSE]: release }
  }

  /** Until released the broker (default: each) tells of leaders, topics and brokers as they are now. */
  freezeMetadata(id?: number): Lasting {
    this.mustNotBeStopped()
    const ids = id === undefined ? this.brokerSet.ids : [this.brokerSet.get(id).node.id]
    const view = frozenView(this.cluster)
    for (const frozen of ids) this.frozenViews.set(frozen, view)
    const release = (): void => {
      for (const frozen of ids) if (this.frozenViews.get(frozen) === view) this.frozenViews.delete(frozen)
    }
    return { release, [DISPOSE]: release }
  }

  // Misbehaviour of single requests. All of these meet the next request that matches, unless `times` says more.

  /**
   * Answers with an error, given by Kafka's name or number; of a topic or partition where the target names one.
   *
   * @param options append: whether records are appended all the same; by default only with REQUEST_TIMED_OUT and
   * NOT_ENOUGH_REPLICAS_AFTER_APPEND, as with Kafka.
   */
  fail(target: FaultTarget, error: string | number, options: { append?: boolean | undefined } = {}): Fault {
    checkAppend('options', options)
    const code = codeOf(error)
    return this.order(target, { kind: 'error', code, append: options.append ?? AFTER_APPEND.includes(code) })
  }

  /** Serves the request `ms` milliseconds later, and what follows it on its connection too. */
  delay(target: FaultTarget, ms: number): Fault {
    return this.order(target, { kind: 'delay', ms })
  }

  /** Holds the request (`'before'`, the default), or its answer (`'after'`), until the fault is released. */
  stall(target: FaultTarget, moment: FaultMoment = 'before'): Fault {
    return this.order(target, { kind: 'stall', moment })
  }

  /** Breaks the connection before the request is acted on, after that but without an answer, or within the answer. */
  cut(target: FaultTarget, moment: FaultMoment | 'mid-response' = 'before'): Fault {
    return this.order(target, { kind: 'cut', moment })
  }

  /** Acts on the request and spoils the answer. */
  spoil(target: FaultTarget, how: Spoiling): Fault {
    return this.order(target, { kind: 'spoil', how })
  }

  /** Answers that the client is throttled for `ms` milliseconds, and keeps it waiting so long as its release does. */
  throttle(target: FaultTarget, ms: number): Fault {
    return this.order(target, { kind: 'throttle', ms })
  }

  /** Ends all faults of single requests. */
  releaseFaults(): void {
    this.faults.releaseAll()
  }

  // Looking in.

  /**
   * The messages of a topic, partition by partition in the order of their offsets; decoded, decompressed, copied.
   *
   * @throws EmbeddedKafkaError `UNKNOWN_TOPIC`; `UNREADABLE` where a batch is compressed with zstd and this Node, older
   * than 22.15 or 23.8, can't undo that.
   */
  records(topic: string, options: RecordsOptions = {}): StoredRecord[] {
    text('topic', topic)
    checkRecords('options', options)
    return storedRecords(this.cluster.topic(topic), this.decompress, options)
  }

  /** Resolves with all messages of the topic as soon as there are `count`; the topic need not exist yet. */
  async waitForRecords(topic: string, count: number, options: WaitOptions = {}): Promise<StoredRecord[]> {
    text('topic', topic)
    wholeNumber(0)('count', count)
    checkWait('options', options)
    const { timeoutMs = 10_000 } = options
    const present = (): number => {
      const found = this.cluster.topics.get(topic)
      return found === undefined ? 0 : countRecords(found)
    }
    await waitFor(() => (present() >= count ? true : undefined), {
      clock: this.cluster.clock,
      changes: this.cluster.changes,
      timeoutMs,
      lifetime: this.lifetime.signal,
      missing: () => `topic '${topic}' has ${present()} of ${count} records`,
    })
    return this.records(topic)
  }

  /** The requests that all brokers received, oldest first; as many as `requestHistory`. */
  get requests(): readonly ReceivedRequest[] {
    return this.journal.newest()
  }

  /** Forgets the requests received so far. */
  clearRequests(): void {
    this.journal.clear()
  }

  /**
   * Resolves with the `count`-th request (default: the first) that matches, of those in {@link requests} and those to
   * come. They count when they have arrived, whether served yet or not.
   */
  async waitForRequest(
    filter: RequestFilter,
    options: WaitOptions & { count?: number | undefined } = {},
  ): Promise<ReceivedRequest> {
    if (typeof filter !== 'function') checkFilter('filter', filter)
    checkWaitForRequest('options', options)
    const { count = 1, ...wait } = options
    return this.journal.wait(filter, count, wait)
  }

  /** What clients have pushed of their metrics, oldest first; as much as `requestHistory`. See the option `clientMetrics`. */
  get receivedMetrics(): readonly ReceivedMetrics[] {
    return this.cluster.clientMetrics.received.all()
  }

  /** Wants other metrics of clients from now on: they are told so when they push the next time. */
  subscribeMetrics(subscription: ClientMetricsSubscription): void {
    checkSubscription('subscription', subscription)
    this.mustNotBeStopped()
    this.cluster.clientMetrics.subscribe(subscription)
  }

  /** The connections that clients have open. */
  get connections(): ConnectionStatus[] {
    return this.brokerSet.connections()
  }

  /** The consumer groups, of which each has had a member or offsets. */
  get groups(): GroupStatus[] {
    return this.cluster.groups
      .all()
      .map(({ id, state, generationId, memberIds }) => ({ id, state, generationId, members: memberIds }))
  }

  /** How far a consumer group has read; offsets of transactions that have not ended are left out. */
  committedOffsets(group: string): CommittedOffset[] {
    text('group', group)
    return this.cluster.groups.get(group)?.offsets.all() ?? []
  }

  /** The transactional ids that producers have used. */
  get transactions(): TransactionStatus[] {
    return this.cluster.transactions.all().map(({ id, producerId, producerEpoch, state }) => ({
      id,
      producerId: Number(producerId),
      producerEpoch,
      state,
    }))
  }

  /** The attempts of clients to authenticate, oldest first; as many as `requestHistory`. Of listeners that want it. */
  get authentications(): readonly Authentication[] {
    return this.sasl?.authentications.all() ?? []
  }

  /** How many connections were closed over a session that had ended. */
  get expiredConnections(): number {
    return this.sasl?.expiredConnections ?? 0
  }

  /** Gives a user a password, for whoever authenticates from now on; null: there is no such user any more. */
  setPassword(user: string, password: string | null): void {
    if (this.sasl === undefined)
      throw new EmbeddedKafkaError('WRONG_STATE', 'these brokers do not ask who a client is: start them with `sasl`')
    text('user', user)
    // Nothing of it is told.
    if (typeof password !== 'string' && password !== null)
      throw invalid('password: allowed is a text, or null where the user is to have none')
    this.mustNotBeStopped()
    if (password === null) this.sasl.users.delete(user)
    else this.sasl.users.set(user, password)
  }

  private tellHangUp(request: ReceivedRequest): void {
    try {
      this.options.onHangUp?.({ ...request })
    } catch (error) {
      this.failures.push(error)
    }
  }

  private order(target: FaultTarget, behaviour: Behaviour): Fault {
    checkOrder(target, behaviour)
    if (target.broker !== undefined) this.brokerSet.get(target.broker)
    this.mustNotBeStopped()
    return this.faults.add(target, behaviour)
  }

  private mustNotBeStopped(): void {
    mustNotBeStopped(this.lifetime.signal)
  }
}

/** The first ones, and how many there are beyond them. */
function someOf(texts: readonly string[]): string {
  const more = texts.length - MAX_SHOWN
  return [...texts.slice(0, MAX_SHOWN), ...(more > 0 ? [`${more} more`] : [])].join(', ')
}
