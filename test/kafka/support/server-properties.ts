/**
 * What the servers of a test cluster are configured with: quick to start, to stop and to notice that a broker is gone.
 */
import type { Release } from './releases.js'

export type Properties = Readonly<Record<string, string>>

/** What a broker may speak on further ports (0.9 and later); the keys and mechanisms are the caller's `config`. */
export type ListenerProtocol = 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL'

/** By their names, which for one of a kind may be the protocol's; others need Kafka 0.10.2 (KIP-103). */
export type Listeners = Readonly<Record<string, ListenerProtocol>>

/** Where clients are told that a listener of a broker is, as host:port; asked whenever the broker starts. */
export type Advertise = (broker: number, listener: string, port: number) => string

export interface Node {
  readonly id: number
  readonly port: number
  /** Of the cluster's listeners. */
  readonly furtherPorts: ReadonlyMap<string, number>
  readonly dataDir: string
}

export interface ClusterPlan {
  readonly release: Release
  readonly brokers: readonly Node[]
  /** Where ZooKeeper or the controller listens. */
  readonly coordinator: Node
  /** One lone KRaft broker is its own controller; of several, each may be stopped, so the controller is a process apart. */
  readonly combined: boolean
  /** Besides PLAINTEXT. */
  readonly listeners: Listeners
  readonly advertise: Advertise
  readonly config: Properties
}

export function toText(properties: Properties): string {
  return Object.entries(properties)
    .map(([key, value]) => `${key}=${value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n`)
    .join('')
}

export function zookeeperProperties(plan: ClusterPlan): Properties {
  return {
    dataDir: plan.coordinator.dataDir,
    clientPort: String(plan.coordinator.port),
    clientPortAddress: '127.0.0.1',
    maxClientCnxns: '0',
    // Sessions may be as short as two ticks.
    tickTime: '1000',
    // ZooKeeper 3.5 and later would open port 8080.
    'admin.enableServer': 'false',
  }
}

export function brokerProperties(plan: ClusterPlan, node: Node): Properties {
  return {
    ...common(plan),
    ...addresses(plan, node),
    'log.dirs': node.dataDir,
    ...(plan.release.coordination === 'zookeeper'
      ? underZookeeper(plan, node)
      : underKraft(plan, node, plan.combined ? 'broker,controller' : 'broker')),
    ...plan.config,
  }
}

export function controllerProperties(plan: ClusterPlan): Properties {
  const node = plan.coordinator
  return {
    ...common(plan),
    listeners: `CONTROLLER://127.0.0.1:${node.port}`,
    'log.dirs': node.dataDir,
    ...underKraft(plan, node, 'controller'),
    ...plan.config,
  }
}

function common(plan: ClusterPlan): Properties {
  const copies = String(plan.brokers.length)
  return {
    'num.network.threads': '2',
    'num.io.threads': '2',
    'num.recovery.threads.per.data.dir': '1',
    'background.threads': '2',
    'auto.create.topics.enable': 'true',
    'delete.topic.enable': 'true',
    // Leaders move when a test moves them.
    'auto.leader.rebalance.enable': 'false',
    'group.initial.rebalance.delay.ms': '0',
    'offsets.topic.num.partitions': '1',
    'offsets.topic.replication.factor': copies,
    'transaction.state.log.num.partitions': '1',
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': plan.brokers.length === 1 ? '1' : '2',
    'share.coordinator.state.topic.num.partitions': '1',
    'share.coordinator.state.topic.replication.factor': copies,
    'share.coordinator.state.topic.min.isr': '1',
    // The default buffer takes half of a small heap.
    'log.cleaner.dedupe.buffer.size': String(4 << 20),
    'controlled.shutdown.max.retries': '3',
    'controlled.shutdown.retry.backoff.ms': '500',
  }
}

function addresses(plan: ClusterPlan, node: Node): Properties {
  const port = String(node.port)
  // 0.8 has no listeners; later releases have dropped host.name.
  if (plan.release.name === '0.8.2') {
    const [host = '', at = ''] = plan.advertise(node.id, 'PLAINTEXT', node.port).split(':')
    return { 'host.name': '127.0.0.1', port, 'advertised.host.name': host, 'advertised.port': at }
  }
  const all = [['PLAINTEXT', node.port] as const, ...node.furtherPorts]
  const own = all.map(([name, at]) => `${name}://127.0.0.1:${at}`).join(',')
  const told = all.map(([name, at]) => `${name}://${plan.advertise(node.id, name, at)}`).join(',')
  const areNamed = Object.entries(plan.listeners).some(([name, protocol]) => name !== protocol)
  return {
    ...(areNamed ? { 'listener.security.protocol.map': protocolMap(plan) } : {}),
    listeners: plan.combined ? `${own},CONTROLLER://127.0.0.1:${plan.coordinator.port}` : own,
    'advertised.listeners': told,
  }
}

function protocolMap({ listeners, release }: ClusterPlan): string {
  const controller = release.coordination === 'kraft' ? { CONTROLLER: 'PLAINTEXT' } : {}
  return Object.entries({ ...controller, PLAINTEXT: 'PLAINTEXT', ...listeners })
    .map((pair) => pair.join(':'))
    .join(',')
}

function underZookeeper(plan: ClusterPlan, node: Node): Properties {
  return {
    'broker.id': String(node.id),
    'zookeeper.connect': `127.0.0.1:${plan.coordinator.port}`,
    // The brokers start together with ZooKeeper and wait for it.
    'zookeeper.connection.timeout.ms': '30000',
    'zookeeper.session.timeout.ms': '4000',
    // A broker that hangs is only taken for gone when the controller's last request to it and the followers' last fetches
    // from it are over, one after the other: with the default of 30 s a fail-over would take a minute.
    'controller.socket.timeout.ms': '3000',
    'request.timeout.ms': '3000',
    'replica.socket.timeout.ms': '3000',
  }
}

function underKraft(plan: ClusterPlan, node: Node, roles: string): Properties {
  return {
    'process.roles': roles,
    'node.id': String(node.id),
    'controller.listener.names': 'CONTROLLER',
    'controller.quorum.voters': `${plan.combined ? node.id : plan.coordinator.id}@127.0.0.1:${plan.coordinator.port}`,
    'listener.security.protocol.map': protocolMap(plan),
    'broker.heartbeat.interval.ms': '500',
    'broker.session.timeout.ms': '4000',
  }
}
