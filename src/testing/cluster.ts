import type { Clock } from '../clock.js'
import { given } from '../given.js'
import type { NodeEndpoint } from '../protocol/apis/leader-hints.js'
import type { Random } from '../random.js'
import type { Surroundings } from '../surroundings.js'
import { positive } from './checks.js'
import { ClientMetrics } from './client-metrics.js'
import { EmbeddedKafkaError } from './errors.js'
import { AllGroups } from './groups/all-groups.js'
import type { EmbeddedTopicOptions, ResolvedOptions } from './options.js'
import type { Release } from './releases.js'
import { Timers } from './timers.js'
import { Partition, Topic, TopicConfig } from './topic.js'
import { AllTransactions } from './transactions/all-transactions.js'
import { Changes } from './waiting.js'

/** What the cluster knows of one of its brokers. */
export interface ClusterNode {
  readonly id: number
  readonly host: string
  /** 0 before its first start. */
  port: number
  readonly rack: string | null
  release: Release
  alive: boolean
}

/** What users of the embedded Kafka do not choose of a topic, but requests and the cluster itself do. */
export interface TopicPlacement {
  /** Of each partition; the first leads. */
  readonly replicas?: readonly (readonly number[])[]
}

/** Kafka's own topics, which here keep nothing: groups and transactions belong to the cluster. */
const INTERNAL_TOPICS: ReadonlySet<string> = new Set([
  '__consumer_offsets',
  '__transaction_state',
  '__share_group_state',
])
const INTERNAL_PARTITIONS = 50

/**
 * What all brokers agree on: which of them live, and the topics with their leaders. Replication is instantaneous and
 * loses nothing; a broker is in sync exactly while it lives.
 */
export class Cluster {
  readonly id: string
  readonly nodes = new Map<number, ClusterNode>()
  readonly topics = new Map<string, Topic>()
  /** Tells of every append anywhere, and of new topics. */
  readonly changes = new Changes()
  private readonly topicsById = new Map<string, Topic>()

  private nextProducerId: bigint

  /** All of them; {@link Timers.stop} when the cluster stops. */
  readonly timers: Timers
  readonly groups: AllGroups
  readonly transactions = new AllTransactions(this)
  readonly clientMetrics: ClientMetrics

  readonly clock: Clock
  private readonly random: Random

  constructor(
    readonly options: ResolvedOptions,
    { clock, random, firstProducerId = 1000n }: Surroundings & { readonly firstProducerId?: bigint },
  ) {
    this.nextProducerId = firstProducerId
    this.clock = clock
    this.random = random
    this.id = random.bytes(16).toString('base64url')
    this.clientMetrics = new ClientMetrics(() => this.newId(), options.requestHistory)
    if (options.clientMetrics !== undefined) this.clientMetrics.subscribe(options.clientMetrics)
    this.timers = new Timers(clock)
    this.groups = new AllGroups(this.timers, random, options.initialRebalanceDelayMs)
  }

  /** Of a topic, or of a client that pushes metrics. */
  newId(): Buffer {
    return this.random.bytes(16)
  }

  newProducerId(): bigint {
    return this.nextProducerId++
  }

  /** The living broker of the lowest id; -1 where none lives. */
  get controllerId(): number {
    const lowest = Math.min(...this.livingIds())
    return lowest === Infinity ? -1 : lowest
  }

  node(id: number): ClusterNode {
    const node = this.nodes.get(id)
    if (node === undefined) {
      throw new EmbeddedKafkaError(
        'UNKNOWN_BROKER',
        `there is no broker ${id}; there are ${[...this.nodes.keys()].join(', ')}`,
      )
    }
    return node
  }

  topic(name: string): Topic {
    const topic = this.topics.get(name)
    if (topic === undefined) throw new EmbeddedKafkaError('UNKNOWN_TOPIC', `there is no topic '${name}'`)
    return topic
  }

  topicById(id: Buffer): Topic | undefined {
    return this.topicsById.get(id.toString('hex'))
  }

  partition(name: string, index: number): Partition {
    const { partitions } = this.topic(name)
    const partition = partitions[index]
    if (partition === undefined) {
      throw new EmbeddedKafkaError(
        'UNKNOWN_PARTITION',
        `topic '${name}' has partitions 0 to ${partitions.length - 1}, not ${index}`,
      )
    }
    return partition
  }

  get defaultReplicationFactor(): number {
    return Math.min(this.options.defaultReplicationFactor, this.nodes.size)
  }

  /** One of these topics that shares its metrics' names with a topic of this name, since dots are underscores there. */
  colliding(name: string, topics: Iterable<string>): string | undefined {
    const metric = (topic: string): string => topic.replaceAll('.', '_')
    for (const topic of topics) if (topic !== name && metric(topic) === metric(name)) return topic
    return undefined
  }

  /** Throws `TOPIC_EXISTS` or `INVALID_OPTION`. */
  createTopic(name: string, options: EmbeddedTopicOptions = {}, placement: TopicPlacement = {}): Topic {
    if (this.topics.has(name)) throw new EmbeddedKafkaError('TOPIC_EXISTS', `there is a topic '${name}' already`)
    const problem = problemOfTopicName(name)
    if (problem !== undefined) throw new EmbeddedKafkaError('INVALID_OPTION', `no topic can have this name: ${problem}`)
    const topic = this.newTopic(name, options, placement)
    this.add(topic, partitionsOf(options, placement, this.options.defaultPartitions), placement)
    return topic
  }

  /** Throws `UNKNOWN_TOPIC` or `INVALID_OPTION`; the topic stays as it is then. */
  recreateTopic(name: string, options: EmbeddedTopicOptions): void {
    const { partitions, replicationFactor, config } = this.topic(name)
    const before = { replicationFactor, config: Object.fromEntries(config.entries) }
    const topic = this.newTopic(name, { ...before, ...given(options) })
    const count = partitionsOf(options, {}, partitions.length)
    this.deleteTopic(name)
    this.add(topic, count)
  }

  private newTopic(name: string, options: EmbeddedTopicOptions, { replicas }: TopicPlacement = {}): Topic {
    const factor = replicas?.[0]?.length ?? options.replicationFactor ?? this.defaultReplicationFactor
    this.mustHaveBrokersFor(positive('replicationFactor', factor))
    return new Topic(name, this.newId(), factor, TopicConfig.of(options.config ?? {}), INTERNAL_TOPICS.has(name))
  }

  private mustHaveBrokersFor(factor: number): void {
    if (factor > this.nodes.size)
      throw new EmbeddedKafkaError('INVALID_OPTION', `replicationFactor ${factor} with ${this.nodes.size} brokers`)
  }

  private add(topic: Topic, partitions: number, { replicas }: TopicPlacement = {}): void {
    this.topics.set(topic.name, topic)
    this.topicsById.set(topic.id.toString('hex'), topic)
    this.growTopic(topic, partitions, replicas)
  }

  /** Kafka makes its own topics when they are used first. */
  useInternalTopic(name: string): void {
    if (!this.topics.has(name)) this.createTopic(name, { partitions: INTERNAL_PARTITIONS })
  }

  /** A topic is asked for that there is not. */
  createOnDemand(name: string): void {
    if (INTERNAL_TOPICS.has(name)) this.useInternalTopic(name)
    else if (!this.topics.has(name)) this.createTopic(name)
  }

  /**
   * Adds partitions until there are `count`. Their replicas go round the brokers in the order of their ids. Throws
   * `INVALID_OPTION` where brokers were removed, and there are fewer than replicas of a partition.
   */
  growTopic(topic: Topic, count: number, placed?: readonly (readonly number[])[]): void {
    if (count > topic.partitions.length) this.mustHaveBrokersFor(topic.replicationFactor)
    const ids = [...this.nodes.keys()].sort((a, b) => a - b)
    const retention = topic.config.retentionBytes ?? this.options.retentionBytes
    for (let index = topic.partitions.length; index < count; index++) {
      const around = Array.from({ length: topic.replicationFactor }, (_, i) => ids[(index + i) % ids.length] as number)
      const partition = new Partition(topic.name, index, placed?.[index] ?? around, retention)
      const living = partition.replicas.filter((id) => this.nodes.get(id)?.alive)
      if (living.length > 0) partition.isr = living
      this.elect(partition)
      topic.partitions.push(partition)
    }
    this.changes.notify()
  }

  deleteTopic(name: string): void {
    const topic = this.topic(name)
    this.topics.delete(name)
    this.topicsById.delete(topic.id.toString('hex'))
    for (const partition of topic.partitions) partition.changes.notify()
    for (const group of this.groups.all()) group.offsets.forgetTopic(name)
  }

  addNode(node: ClusterNode): void {
    this.nodes.set(node.id, node)
  }

  removeNode(id: number): void {
    this.nodes.delete(id)
  }

  /** The broker is in sync again, and leads what nobody leads. */
  nodeUp(id: number): void {
    this.node(id).alive = true
    for (const partition of this.partitions()) {
      if (!partition.replicas.includes(id)) continue
      if (partition.leader === -1 && !partition.isr.includes(id)) continue
      if (!partition.isr.includes(id)) partition.isr.push(id)
      this.elect(partition)
    }
  }

  /**
   * The broker is no longer in sync, unless it was the last. What it led is led by another in sync, or by none until
   * {@link electLeaders} where `elect` is false.
   */
  nodeDown(id: number, elect: boolean): void {
    this.node(id).alive = false
    for (const partition of this.partitions()) {
      if (partition.isr.length > 1) partition.isr = partition.isr.filter((replica) => replica !== id)
      if (partition.leader === id) partition.lead(elect ? (this.candidate(partition) ?? -1) : -1)
    }
  }

  /** Gives every partition without a leader the first replica that is in sync and lives. */
  electLeaders(): void {
    for (const partition of this.partitions()) this.elect(partition)
  }

  /** `leader` -1 takes the leader away. Throws where the broker has no replica or does not live. */
  moveLeader(topic: string, index: number, leader: number): void {
    const partition = this.partition(topic, index)
    if (leader !== -1) {
      if (!this.node(leader).alive) throw new EmbeddedKafkaError('WRONG_STATE', `broker ${leader} does not run`)
      if (!partition.replicas.includes(leader)) {
        throw new EmbeddedKafkaError(
          'WRONG_STATE',
          `broker ${leader} has no replica of ${topic}-${index}; ${partition.replicas.join(', ')} have`,
        )
      }
      if (!partition.isr.includes(leader)) partition.isr.push(leader)
    }
    partition.lead(leader)
  }

  /** The broker that coordinates a group or a transactional id; -1 where none lives. */
  coordinatorOf(key: string): number {
    const ids = this.livingIds().sort((a, b) => a - b)
    let hash = 0
    for (let at = 0; at < key.length; at++) hash = (hash * 31 + key.charCodeAt(at)) >>> 0
    return ids[hash % ids.length] ?? -1
  }

  livingIds(): number[] {
    return [...this.nodes.values()].filter(({ alive }) => alive).map(({ id }) => id)
  }

  /** Where those of the brokers are reached that live. */
  endpointsOf(ids: readonly number[]): NodeEndpoint[] {
    return [...new Set(ids)].flatMap((id) => {
      const node = this.nodes.get(id)
      return node?.alive ? [{ nodeId: id, host: node.host, port: node.port, rack: node.rack }] : []
    })
  }

  private elect(partition: Partition): void {
    if (partition.leader !== -1) return
    const candidate = this.candidate(partition)
    if (candidate === undefined) return
    partition.isr = partition.isr.filter((id) => this.nodes.get(id)?.alive)
    partition.lead(candidate)
  }

  private candidate({ replicas, isr }: Partition): number | undefined {
    return replicas.find((id) => isr.includes(id) && this.nodes.get(id)?.alive)
  }

  private *partitions(): Iterable<Partition> {
    for (const topic of this.topics.values()) yield* topic.partitions
  }
}

function partitionsOf({ partitions }: EmbeddedTopicOptions, { replicas }: TopicPlacement, byDefault: number): number {
  return positive('partitions', replicas?.length ?? partitions ?? byDefault)
}

/** What Kafka says of names that no topic can have; undefined where a topic can have it. */
export function problemOfTopicName(name: string): string | undefined {
  if (name === '') return 'the empty string is not allowed'
  if (name === '.' || name === '..') return `'${name}' is not allowed`
  if (name.length > 249) return `the length of '${name}' is longer than the max allowed length 249`
  if (/^[a-zA-Z0-9._-]+$/.test(name)) return undefined
  return `'${name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'`
}
