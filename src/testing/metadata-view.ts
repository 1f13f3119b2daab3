import type { Cluster } from './cluster.js'
import type { Topic } from './topic.js'

/** What a broker believes of the cluster: live, or as it was when its view was frozen. */
export interface MetadataView {
  readonly controllerId: number
  readonly brokers: readonly BrokerView[]
  readonly topicNames: readonly string[]
  topic(name: string): TopicView | undefined
  topicById(id: Buffer): TopicView | undefined
}

export interface BrokerView {
  readonly nodeId: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

export interface TopicView {
  readonly name: string
  readonly id: Buffer
  readonly isInternal: boolean
  readonly partitions: readonly PartitionView[]
}

export interface PartitionView {
  readonly index: number
  readonly leader: number
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
}

export function liveView(cluster: Cluster): MetadataView {
  return {
    controllerId: cluster.controllerId,
    brokers: brokersOf(cluster),
    get topicNames() {
      return [...cluster.topics.keys()]
    },
    topic: (name) => cluster.topics.get(name),
    topicById: (id) => cluster.topicById(id),
  }
}

export function frozenView(cluster: Cluster): MetadataView {
  const topics = new Map([...cluster.topics].map(([name, topic]) => [name, copyOf(topic)]))
  return {
    controllerId: cluster.controllerId,
    brokers: brokersOf(cluster),
    topicNames: [...topics.keys()],
    topic: (name) => topics.get(name),
    topicById: (id) => [...topics.values()].find((topic) => topic.id.equals(id)),
  }
}

function brokersOf(cluster: Cluster): BrokerView[] {
  return [...cluster.nodes.values()]
    .filter(({ alive }) => alive)
    .map(({ id, host, port, rack }) => ({ nodeId: id, host, port, rack }))
}

function copyOf({ name, id, isInternal, partitions }: Topic): TopicView {
  return {
    name,
    id,
    isInternal,
    partitions: partitions.map(({ index, leader, leaderEpoch, replicas, isr }) => ({
      index,
      leader,
      leaderEpoch,
      replicas,
      isr: [...isr],
    })),
  }
}
