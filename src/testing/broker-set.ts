import { shown } from '../wording/shown.js'
import { EmbeddedBroker } from './broker.js'
import { fields, milliseconds } from './checks.js'
import type { Cluster } from './cluster.js'
import { EmbeddedKafkaError } from './errors.js'
import type { Listen } from './listener.js'
import {
  checkBroker,
  checkPort,
  checkRelease,
  resolveBroker,
  type EmbeddedBrokerOptions,
  type ResolvedBrokerOptions,
  type ResolvedOptions,
} from './options.js'
import { Release } from './releases.js'
import type { RequestServer } from './request-server.js'
import type { SaslServer } from './security/sasl-server.js'
import { mustNotBeStopped, sleep } from './waiting.js'

/** A broker as it is at present. */
export interface BrokerStatus {
  readonly id: number
  readonly host: string
  readonly port: number
  /** Short name of the Kafka release it plays. */
  readonly release: string
  readonly state: 'running' | 'paused' | 'stopped'
}

/** A client's connection that is open. */
export interface ConnectionStatus {
  readonly id: number
  readonly broker: number
  /** Of its newest request; null before the first. */
  readonly clientId: string | null
  /** The client's port. */
  readonly remotePort: number
  /** Milliseconds since 1970. */
  readonly openedAt: number
}

export interface StopBrokerOptions {
  /**
   * Milliseconds for which what it led has no leader (-1 in Metadata). `Infinity`: until
   * {@link EmbeddedKafka.electLeaders}. Default: 0, other replicas lead at once.
   */
  electionMs?: number | undefined
}

export interface StartBrokerOptions {
  /** `'new'`: another one that the system chooses. Default: the same as before. */
  port?: number | 'new' | undefined
}

const checkStop = fields<StopBrokerOptions>({ electionMs: milliseconds })

const checkStart = fields<StartBrokerOptions>({
  port: (name, value) => {
    if (value !== 'new') checkPort(name, value)
  },
})

interface Parts {
  readonly cluster: Cluster
  readonly options: ResolvedOptions
  readonly server: RequestServer
  readonly listen: Listen
  readonly sasl: SaslServer | undefined
  /** Aborted when the cluster is stopped. */
  readonly lifetime: AbortSignal
  readonly failed: (error: unknown) => void
}

/** The brokers that a cluster has: which there are, and how they come, go, and come again. */
export class BrokerSet {
  private readonly byId = new Map<number, EmbeddedBroker>()
  private connectionCount = 0

  constructor(private readonly parts: Parts) {}

  get ids(): number[] {
    return [...this.byId.keys()]
  }

  /** @throws EmbeddedKafkaError `UNKNOWN_BROKER` */
  get(id: number): EmbeddedBroker {
    const broker = this.byId.get(id)
    if (broker === undefined) throw new EmbeddedKafkaError('UNKNOWN_BROKER', `there is no broker ${shown(id)}`)
    return broker
  }

  statuses(): BrokerStatus[] {
    return [...this.byId.values()].map(({ node, running }) => ({
      id: node.id,
      host: node.host,
      port: node.port,
      release: node.release.name,
      state: !node.alive ? 'stopped' : running.isOpen ? 'running' : 'paused',
    }))
  }

  connections(): ConnectionStatus[] {
    return [...this.byId.values()].flatMap(({ node, connections }) =>
      [...connections]
        .filter(({ ended }) => !ended)
        .map(({ id, clientId, remotePort, openedAt }) => ({
          id,
          broker: node.id,
          clientId,
          remotePort,
          openedAt,
        })),
    )
  }

  /** Those that the cluster begins with; all are known before the first one listens. */
  async begin(all: readonly ResolvedBrokerOptions[]): Promise<void> {
    for (const broker of all) this.make(broker)
    for (const { id, port } of all) await this.listen(id, port)
  }

  async stop(id: number, options: StopBrokerOptions): Promise<void> {
    checkStop('options', options)
    const broker = this.get(id)
    if (!broker.node.alive) throw new EmbeddedKafkaError('WRONG_STATE', `broker ${id} is stopped already`)
    const { electionMs = 0 } = options
    this.parts.cluster.nodeDown(id, electionMs === 0)
    if (electionMs > 0 && electionMs !== Infinity) this.electLater(electionMs)
    await broker.stop()
  }

  async start(id: number, options: StartBrokerOptions = {}): Promise<void> {
    checkStart('options', options)
    const broker = this.get(id)
    const { node } = broker
    if (node.alive) throw new EmbeddedKafkaError('WRONG_STATE', `broker ${id} runs already`)
    mustNotBeStarting(broker)
    const { port = node.port } = options
    await this.listen(id, port === 'new' ? 0 : port)
  }

  async upgrade(id: number, release: string): Promise<void> {
    checkRelease('release', release)
    mustNotBeStopped(this.parts.lifetime)
    const broker = this.get(id)
    const { node } = broker
    mustNotBeStarting(broker)
    const next = Release.named(release, node.release.takesMetrics)
    if (node.alive) await this.stop(id, {})
    node.release = next
    await this.start(id)
  }

  /** Gives its id. */
  async add(options: EmbeddedBrokerOptions): Promise<number> {
    checkBroker('options', options)
    mustNotBeStopped(this.parts.lifetime)
    const resolved = resolveBroker(options, this.parts.options.release, this.ids)
    const { id, port } = resolved
    const broker = this.make(resolved)
    try {
      await this.listen(id, port)
    } catch (error) {
      this.forget(broker)
      throw error
    }
    return id
  }

  async remove(id: number): Promise<void> {
    const broker = this.get(id)
    if (broker.node.alive) this.parts.cluster.nodeDown(id, true)
    // Before it has stopped, which takes a moment: nobody starts it any more.
    this.forget(broker)
    await broker.stop()
  }

  /** With the cluster, for good. */
  async stopAll(): Promise<void> {
    const brokers = [...this.byId.values()]
    // Leaders stay what they were at the end.
    for (const { node } of brokers) node.alive = false
    await Promise.all(brokers.map((broker) => broker.stop()))
  }

  private make({ id, rack, release }: ResolvedBrokerOptions): EmbeddedBroker {
    const { cluster, options, server, listen, sasl, failed } = this.parts
    const node = { id, host: options.host, port: 0, rack, release, alive: false }
    cluster.addNode(node)
    const broker = new EmbeddedBroker({
      node,
      server,
      nextConnection: () => ++this.connectionCount,
      failed,
      clock: cluster.clock,
      listen,
      sasl,
    })
    this.byId.set(id, broker)
    return broker
  }

  private async listen(id: number, port: number): Promise<void> {
    const { cluster, lifetime } = this.parts
    mustNotBeStopped(lifetime)
    const broker = this.get(id)
    await broker.listen(port)
    // It has taken a moment, in which the cluster may have been stopped, or the broker removed.
    const isRemoved = this.byId.get(id) !== broker
    if (lifetime.aborted || isRemoved) await broker.stop()
    mustNotBeStopped(lifetime)
    if (isRemoved) throw new EmbeddedKafkaError('UNKNOWN_BROKER', `broker ${id} was removed while it started`)
    cluster.nodeUp(id)
  }

  /** Another one may have its id by now. */
  private forget(broker: EmbeddedBroker): void {
    const { id } = broker.node
    if (this.byId.get(id) !== broker) return
    this.byId.delete(id)
    this.parts.cluster.removeNode(id)
  }

  private electLater(ms: number): void {
    const { cluster, lifetime } = this.parts
    sleep(cluster.clock, ms, lifetime).then(
      () => cluster.electLeaders(),
      () => undefined,
    )
  }
}

/** @throws EmbeddedKafkaError `WRONG_STATE` */
function mustNotBeStarting({ node, isStarting }: EmbeddedBroker): void {
  if (isStarting) throw new EmbeddedKafkaError('WRONG_STATE', `broker ${node.id} is being started already`)
}
