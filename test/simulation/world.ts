import type { Surroundings } from '../../src/surroundings.js'
import {
  type ClientMetricsSubscription,
  EmbeddedKafka,
  EmbeddedKafkaError,
  type EmbeddedKafkaOptions,
  type ReceivedMetrics,
  type StoredRecord,
} from '../../src/testing/index.js'
import type { Listen } from '../../src/testing/listener.js'
import { Violation, type Incarnation } from './ledger.js'
import { FORGETTING, type MetricsWanted, type Scenario, type WorldAction } from './scenario.js'

/** What clusters have around them. */
export interface Around extends Surroundings {
  readonly listen: Listen
  /** All that anything was ever sent to. */
  readonly topics: () => readonly string[]
  readonly trace: (what: string) => void
  readonly broke: (error: unknown) => void
}

/** Partitions of a topic that has grown. */
export const GROWN_TO = 25
/** Where there are as many brokers. */
const REPLICAS = 3
/** A cluster made anew gives ids from here on, so that one of the cluster before shows. */
const IDS_ANEW = 2_000
/** One that was to start was being started already, or its cluster has ended, or it has left. */
const OVERTAKEN = ['WRONG_STATE', 'STOPPED', 'UNKNOWN_BROKER']

/**
 * The cluster that is there, which may be another one by and by, and all that its logs ever held: what was deleted, taken
 * by retention, lost by an election, or in a cluster before.
 */
export class World {
  /** When topics last lost what nobody is to lose: deleted, made anew, truncated. */
  readonly remadeAt = new Map<string, number>()
  /** One cluster has ended, and the next one is there only a little later. */
  isBeingMade = false
  /** Settles when a cluster that is being made is there. */
  made: Promise<unknown> | undefined
  isAnew = false
  private hasOtherIds = false
  /** What is in no log any more. */
  private readonly gone: Incarnation[] = []
  /** What retention has taken of logs that go on. */
  private taken: Incarnation[] = []
  /** Of what is gone, what readers of committed messages had seen. */
  private readonly committedBefore: StoredRecord[] = []
  private readonly left = new Set<number>()
  /** Of clusters before, what they were pushed. */
  private readonly pushedBefore: ReceivedMetrics[] = []

  private constructor(
    readonly scenario: Scenario,
    private readonly around: Around,
    public kafka: EmbeddedKafka,
  ) {}

  static async start(scenario: Scenario, around: Around): Promise<World> {
    return new World(scenario, around, await EmbeddedKafka.start(optionsOf(scenario), around))
  }

  hasTopic(topic: string, partition = 0): boolean {
    try {
      this.kafka.leaderOf(topic, partition)
      return true
    } catch {
      return false
    }
  }

  isAlive(broker: number): boolean {
    const found = this.kafka.brokers.find(({ id }) => id === broker)
    return found !== undefined && found.state !== 'stopped'
  }

  meet(action: WorldAction): void {
    const { kafka, around } = this
    switch (action.do) {
      case 'delete':
        if (!this.hasTopic(action.topic)) return
        this.loseTopic(action.topic)
        return kafka.deleteTopic(action.topic)
      case 'recreate': {
        if (!this.hasTopic(action.topic)) return
        this.loseTopic(action.topic)
        const replicationFactor = Math.min(REPLICAS, kafka.brokers.length)
        return kafka.recreateTopic(action.topic, { replicationFactor, partitions: action.partitions })
      }
      case 'subscribe':
        return kafka.subscribeMetrics(wantedBy(action.to))
      case 'grow':
        if (this.hasTopic(action.topic)) this.attempt(() => kafka.setPartitions(action.topic, GROWN_TO))
        return
      case 'retain':
        if (this.hasTopic(action.topic)) this.retain(action.topic)
        return
      case 'truncate':
        if (this.hasTopic(action.topic)) this.truncate(action)
        return
      case 'anew':
        // Once is enough: what was lost is told of by its cluster.
        if (!this.isAnew) this.made = this.makeAnew(action).catch(around.broke)
        return
      case 'join':
        if (!kafka.brokers.some(({ id }) => id === action.broker)) this.join(action.broker)
        return
      case 'leave':
        if (this.isAlive(action.broker)) {
          this.left.add(action.broker)
          kafka.removeBroker(action.broker).catch(around.broke)
        }
    }
  }

  /** Topics are there again, with their partitions, and each of these has a leader. */
  heal(): void {
    const { kafka } = this
    for (const { id, state } of kafka.brokers) {
      if (state === 'paused') kafka.resumeBroker(id)
      if (state === 'stopped') this.starting(kafka.startBroker(id))
    }
    kafka.electLeaders()
    const all = Object.entries(this.scenario.topics)
    for (const [topic, partitions] of all)
      if (!this.hasTopic(topic)) kafka.createTopic(topic, { partitions })
      // It may have been created on demand.
      else if (!this.hasTopic(topic, partitions - 1)) kafka.setPartitions(topic, partitions)
    const isLed = all.every(([topic, count]) =>
      Array.from({ length: count }).every((_, i) => kafka.leaderOf(topic, i) >= 0),
    )
    // Who has left has taken what it alone had.
    if (!isLed) for (const broker of this.left) this.join(broker)
  }

  starting(started: Promise<unknown>): void {
    started.catch((error: unknown) => {
      if (!(error instanceof EmbeddedKafkaError && OVERTAKEN.includes(error.code))) this.around.broke(error)
    })
  }

  /** What can't be done at this moment is left. */
  attempt(change: () => void): void {
    try {
      change()
    } catch (error) {
      this.around.trace(`not done: ${(error as Error).message}`)
    }
  }

  private join(broker: number): void {
    this.left.delete(broker)
    this.starting(this.kafka.addBroker({ id: broker }))
  }

  /** Retention takes all that was written so far; the log goes on. */
  private retain(topic: string): void {
    const records = this.kafka.records(topic)
    const committed = this.kafka.records(topic, { isolation: 'read_committed' })
    if (!this.kafka.emptyTopic(topic)) return
    this.committedBefore.push(...committed)
    // Where a broker does not know of what it had any more, what is sent again may be written again: it is not held against it.
    const forgets = this.kafka.brokers.some(({ release }) => FORGETTING.has(release))
    if (forgets) this.gone.push({ topic, records })
    else this.taken.push({ topic, records })
  }

  /** A broker leads that was not in sync, and has not all that was written. */
  private truncate({ topic, count, at }: WorldAction & { readonly do: 'truncate' }): void {
    const { kafka } = this
    const before = kafka.records(topic)
    kafka.truncateTopic(topic, count)
    const place = ({ partition, offset }: StoredRecord) => `${partition} ${offset}`
    const still = new Set(kafka.records(topic).map(place))
    this.gone.push({ topic, records: before.filter((record) => !still.has(place(record))) })
    this.remadeAt.set(topic, this.around.clock.now())
    const alive = kafka.brokers.filter(({ state }) => state !== 'stopped')
    for (let partition = 0; this.hasTopic(topic, partition); partition++) {
      const next = alive[(partition + at) % alive.length]
      if (next !== undefined) this.attempt(() => kafka.moveLeader(topic, partition, next.id))
    }
  }

  /** Another cluster listens at the addresses of the one before. */
  private async makeAnew({ ms, otherIds }: WorldAction & { readonly do: 'anew' }): Promise<void> {
    const { kafka: old, around, scenario } = this
    this.isBeingMade = true
    this.isAnew = true
    this.hasOtherIds = otherIds === true
    for (const topic of around.topics()) {
      if (!this.hasTopic(topic)) continue
      this.committedBefore.push(...old.records(topic, { isolation: 'read_committed' }))
      this.loseTopic(topic)
    }
    const brokers = old.brokers.map(({ id, port }) => (port > 0 ? { id, port } : { id }))
    this.pushedBefore.push(...old.receivedMetrics)
    await old.stop()
    await new Promise<void>((resolve) => void around.clock.setTimeout(resolve, Math.max(1, ms)))
    this.kafka = await EmbeddedKafka.start(
      { ...optionsOf(scenario), brokers },
      { ...around, ...(this.hasOtherIds && { firstProducerId: BigInt(IDS_ANEW) }) },
    )
    this.left.clear()
    this.isBeingMade = false
    around.trace('made anew')
  }

  private loseTopic(topic: string): void {
    this.gone.push(this.incarnation(topic))
    this.taken = this.taken.filter((one) => one.topic !== topic)
    this.remadeAt.set(topic, this.around.clock.now())
  }

  /** A topic with all that it has had, since it was made. */
  private incarnation(topic: string): Incarnation {
    const before = this.taken.filter((one) => one.topic === topic).flatMap(({ records }) => records)
    return { topic, records: [...before, ...this.kafka.records(topic)] }
  }

  /** Metrics that clients have pushed: none behind their last ones. @returns whether anybody has pushed the last ones */
  checkPushed(): boolean {
    const ended = new Set<string>()
    for (const { clientInstanceId, terminating } of [...this.pushedBefore, ...this.kafka.receivedMetrics]) {
      if (ended.has(clientInstanceId)) throw new Violation('nothing is pushed behind the end', clientInstanceId)
      if (terminating) ended.add(clientInstanceId)
    }
    return ended.size > 0
  }

  /** What was ever there, of topics that are gone and of those that are there. */
  everWritten(): Incarnation[] {
    const topics = this.around.topics()
    const there = topics.filter((topic) => this.hasTopic(topic)).map((topic) => this.incarnation(topic))
    this.checkWriters(there)
    return [...this.gone, ...there]
  }

  /** What readers of committed messages have seen. */
  committed(): StoredRecord[] {
    const topics = this.around.topics().filter((topic) => this.hasTopic(topic))
    const there = topics.flatMap((topic) => this.kafka.records(topic, { isolation: 'read_committed' }))
    return [...this.committedBefore, ...there]
  }

  /** Who wrote it: nobody from a cluster before, and with sequences where these were asked for. */
  private checkWriters(there: readonly Incarnation[]): void {
    const { idempotent } = this.scenario
    for (const { topic, records } of there)
      for (const { sequence, producerId, partition, offset } of records) {
        const isNumbered = sequence >= 0
        const place = `${topic}-${partition}, ${offset}`
        if (idempotent !== undefined && isNumbered !== idempotent)
          throw new Violation('idempotent is as the user says', `sequence ${sequence} at ${place}`)
        if (this.hasOtherIds && isNumbered && producerId < IDS_ANEW)
          throw new Violation('another cluster gives another id', `${producerId} at ${place}`)
      }
  }
}

/** Without a codec: those that Node has work on threads, whose time is not the one that is played. */
function wantedBy(wanted: MetricsWanted): ClientMetricsSubscription {
  return { ...wanted, compression: [] }
}

function optionsOf({
  brokers,
  release,
  topics,
  autoCreateTopics,
  sessionLifetimeMs,
  config,
  wantsMetrics,
}: Scenario): EmbeddedKafkaOptions {
  const made = Object.entries(topics).map(([name, partitions]) => [name, { partitions, ...(config && { config }) }])
  return {
    brokers,
    release,
    topics: Object.fromEntries(made) as EmbeddedKafkaOptions['topics'],
    autoCreateTopics,
    ...(wantsMetrics !== undefined && { clientMetrics: wantedBy(wantsMetrics) }),
    ...(sessionLifetimeMs !== undefined && { sasl: { users: { u: 'p' }, sessionLifetimeMs } }),
  }
}
