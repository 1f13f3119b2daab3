/**
 * Real Kafka brokers on loopback, for tests and for the command line:
 *
 *   const kafka = await RealKafka.start({ release: '4', brokers: 3, topics: { orders: { partitions: 6 } } })
 *   kafka.bootstrap                          // '127.0.0.1:21001,127.0.0.1:21002,127.0.0.1:21003'
 *   await kafka.moveLeader('orders', 0, 2)
 *   await kafka.stop()
 *
 * The brokers die with the process that started them, however it ends, unless it asks for `detached`. Data and logs are in
 * `.kafka/run/<id>/`; the data go when the cluster stops, the logs stay.
 */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { install, installTools, kafkaDir, withLock } from './install.js'
import { JvmServer, runJava, type JavaVersion } from './jvm.js'
import { loggingFlags } from './logging.js'
import { findRelease, type Release } from './releases.js'
import {
  brokerProperties,
  controllerProperties,
  toText,
  zookeeperProperties,
  type Advertise,
  type ClusterPlan,
  type Listeners,
  type Node,
  type Properties,
} from './server-properties.js'
import * as wire from './wire.js'

export interface TopicOptions {
  partitions?: number
  replicationFactor?: number
  config?: Record<string, string>
  /** The broker that has the only copy of its only partition; by default that is Kafka's to choose. */
  on?: number | undefined
}

export interface StartOptions {
  /** '0.8.2', '4', '4.4.0': see releases.ts. */
  release: string
  brokers?: 1 | 3
  /** Server properties on top of those in server-properties.ts, for every broker. */
  config?: Record<string, string>
  java?: JavaVersion
  topics?: Record<string, TopicOptions>
  /** Keep running when this process ends; `npm run kafka -- stop` ends it. */
  detached?: boolean
  /** On further ports, besides PLAINTEXT: see bootstrapOf. */
  listeners?: Listeners
  /** By default where it listens. */
  advertise?: Advertise
  /** Folders of classes that brokers have besides Kafka's own, such as plug-ins. */
  classPath?: readonly string[]
  /** More flags for the brokers' JVMs, such as a JAAS file or a larger heap. */
  jvmFlags?: string[]
}

export interface BrokerInfo {
  readonly id: number
  readonly port: number
  readonly pid: number
  readonly state: 'running' | 'paused' | 'stopped'
}

/** In the folder of a detached run, holding its bootstrap list: it is nobody's but the command line's to list and stop. */
export const detachedMarker = 'detached'

const startTimeoutMs = 90_000
const notController = 41
/** Whatever coordinates: ZooKeeper, or the KRaft controller where it is a process apart. */
const coordinatorId = 100
/** For formatting alone: it is in none of the files that are kept of that. */
const anyClusterId = 'a2Fma2EtcHJvZHVjZXItdA'

export class RealKafka {
  readonly bootstrap: string
  readonly #servers = new Map<number, JvmServer>()
  #started = false
  #clusterId = randomId()

  private constructor(
    readonly id: string,
    readonly release: Release,
    readonly dir: string,
    private readonly libs: string,
    private readonly plan: ClusterPlan,
    private readonly options: StartOptions,
  ) {
    this.bootstrap = plan.brokers.map((broker) => `127.0.0.1:${broker.port}`).join(',')
  }

  static async start(options: StartOptions): Promise<RealKafka> {
    const release = findRelease(options.release)
    const libs = await install(release)
    const count = options.brokers ?? 1
    const id = `${release.version}-${randomBytes(4).toString('hex')}`
    const dir = join(kafkaDir, 'run', id)
    await mkdir(join(dir, 'logs'), { recursive: true })
    const listeners = options.listeners ?? {}
    const names = Object.keys(listeners)
    const ports = await freePorts(count * (1 + names.length) + 1)
    const nextPort = (): number => ports.pop() ?? 0
    const node = (nodeId: number, name: string, further: readonly string[] = []): Node => ({
      id: nodeId,
      port: nextPort(),
      furtherPorts: new Map(further.map((listener) => [listener, nextPort()])),
      dataDir: join(dir, 'data', name),
    })
    const plan: ClusterPlan = {
      release,
      brokers: Array.from({ length: count }, (_, index) => node(index + 1, `broker-${index + 1}`, names)),
      coordinator: node(coordinatorId, 'coordinator'),
      combined: release.coordination === 'kraft' && count === 1,
      listeners,
      advertise: options.advertise ?? ((_broker, _listener, port) => `127.0.0.1:${port}`),
      config: options.config ?? {},
    }
    const kafka = new RealKafka(id, release, dir, libs, plan, options)
    // Before anything is started: what is started must be found again even if this process is killed meanwhile.
    if (options.detached === true) await writeFile(join(dir, detachedMarker), kafka.bootstrap)
    try {
      await kafka.#boot()
      for (const [name, topic] of Object.entries(options.topics ?? {})) await kafka.createTopic(name, topic)
      kafka.#started = true
    } catch (error) {
      await kafka.stop()
      throw error
    }
    return kafka
  }

  bootstrapOf(listener: string): string {
    return this.plan.brokers.map((broker) => `127.0.0.1:${broker.furtherPorts.get(listener) ?? 0}`).join(',')
  }

  /** Its address, for tools that want one; KRaft has none. */
  get zookeeper(): string | undefined {
    return this.release.coordination === 'zookeeper' ? `127.0.0.1:${this.plan.coordinator.port}` : undefined
  }

  get brokers(): readonly BrokerInfo[] {
    return this.plan.brokers.map(({ id, port }) => {
      const server = this.#servers.get(id)
      const state = server?.running !== true ? 'stopped' : server.frozen ? 'paused' : 'running'
      return { id, port, pid: server?.pid ?? 0, state }
    })
  }

  /** Everything that the cluster consists of, ZooKeeper or the controller included. */
  get pids(): readonly number[] {
    return [...this.#servers.values()].filter((server) => server.running).map((server) => server.pid)
  }

  /** Resolves when every running broker knows the topic and its leaders. */
  async createTopic(
    name: string,
    { partitions = 1, replicationFactor = 1, config = {}, on }: TopicOptions = {},
  ): Promise<void> {
    const version = this.release.createTopicsVersion
    if (version === undefined) {
      await this.#createByTool(name, { partitions, replicationFactor, config, on })
    } else {
      await this.#askController(`create topic ${name}`, (port) =>
        wire.createTopic(port, version, name, { partitions, replicationFactor, config, on }),
      )
    }
    await this.#everyoneKnows(name, partitions)
  }

  /** Resolves when no running broker knows the topic any more. A client that asks for it may bring it back. */
  async deleteTopic(name: string): Promise<void> {
    if (this.release.adminOnTheWire)
      await this.#askController(`delete topic ${name}`, (port) => wire.deleteTopic(port, name))
    else await this.#zookeeperTool('kafka.admin.TopicCommand', ['--delete', '--topic', name])
    await waitFor(`every broker to forget ${name}`, 30_000, async () =>
      (await this.#views()).every((view) => !view.topics.has(name)),
    )
    if (this.release.coordination === 'kraft') return
    // The controller still has to take the name out of ZooKeeper, and until then it cannot be used again.
    await waitFor(`ZooKeeper to forget ${name}`, 30_000, async () => {
      const names = (await this.#zookeeperTool('kafka.admin.TopicCommand', ['--list'])).split('\n')
      return !names.some((line) => line === name || line.startsWith(`${name} - marked for deletion`))
    })
  }

  /** Resolves when every running broker knows the new partitions and their leaders. */
  async addPartitions(name: string, total: number): Promise<void> {
    if (this.release.adminOnTheWire)
      await this.#askController(`extend topic ${name}`, (port) => wire.addPartitions(port, name, total))
    else
      await this.#zookeeperTool('kafka.admin.TopicCommand', ['--alter', '--topic', name, '--partitions', String(total)])
    await this.#everyoneKnows(name, total)
  }

  /** Resolves when it is stored; each broker acts on it a few milliseconds later, and none of them tells when. */
  async alterTopicConfig(name: string, config: Record<string, string>): Promise<void> {
    if (this.release.adminOnTheWire) {
      await this.#askController(`configure topic ${name}`, (port) => wire.alterConfig(port, 'topic', name, config))
    } else {
      await this.#zookeeperTool('kafka.admin.TopicCommand', ['--alter', '--topic', name, ...asFlags(config)])
    }
  }

  /** Deletes what is in the log of a partition, as retention does in its time. Since Kafka 0.11. */
  async deleteRecords(topic: string, partition: number): Promise<void> {
    const leader = await this.leaderOf(topic, partition)
    const port = this.brokers.find(({ id }) => id === leader)?.port
    const code = port === undefined ? -1 : await wire.deleteRecords(port, topic, partition)
    if (code !== 0) throw new Error(`Could not delete records of ${topic}-${partition}: error ${code}.`)
  }

  /** What each client may send to a broker; undefined: no limit. Since Kafka 2.6; brokers act on it a little later. */
  async limitProducers(bytesPerSecond: number | undefined): Promise<void> {
    await this.#askController('set a quota', (port) => wire.limitProducers(port, bytesPerSecond))
  }

  /** Subscribes to metrics of clients (KIP-714): `metrics`, prefixes of names, and `interval.ms`. */
  async subscribe(name: string, config: Record<string, string>): Promise<void> {
    await this.#askController(`subscribe ${name}`, (port) => wire.alterConfig(port, 'client-metrics', name, config))
  }

  /** The leader's broker id as the first running broker sees it; -1 without a leader or without the partition. */
  async leaderOf(topic: string, partition: number): Promise<number> {
    return (await this.partitionState(topic, partition))?.leader ?? -1
  }

  /** As the first running broker sees it; 0 for a topic that is not there. */
  async partitionCount(topic: string): Promise<number> {
    return (await this.#view())?.topics.get(topic)?.length ?? 0
  }

  /** Whether every partition of every topic has all its replicas in sync, as every running broker sees it. */
  async isWhole(): Promise<boolean> {
    const views = await this.#views()
    return views.every((view) =>
      [...view.topics.values()]
        .flat()
        .every(({ leader, replicas, isr }) => leader >= 0 && isr.length === replicas.length),
    )
  }

  async partitionState(topic: string, partition: number): Promise<wire.PartitionState | undefined> {
    return (await this.#view())?.topics.get(topic)?.find((state) => state.partition === partition)
  }

  /** Resolves when every running broker sees the new leader. A broker without a copy gets one in place of the old leader's. */
  async moveLeader(topic: string, partition: number, toBroker: number): Promise<void> {
    const before = await this.partitionState(topic, partition)
    if (before === undefined) throw new Error(`There is no partition ${topic}-${partition}.`)
    const others = before.replicas.filter((id) => id !== toBroker)
    const replicas = [
      toBroker,
      ...(before.replicas.includes(toBroker) ? others : others.filter((id) => id !== before.leader)),
    ]
    // Before 2.4 the metadata do not tell of a change that is one of order only: the order that they show may be an older one.
    if (!this.release.adminOnTheWire || replicas.join() !== before.replicas.join()) {
      await this.reassign(topic, partition, replicas)
    }
    await waitFor(`broker ${toBroker} to lead ${topic}-${partition}`, 60_000, async () => {
      const views = await this.#views()
      if (views.every((view) => view.topics.get(topic)?.[partition]?.leader === toBroker)) return true
      // Asked again and again: a broker outside the ISR is refused, and the ISR in the metadata of 0.8 is out of date.
      await this.#electPreferred(topic, partition)
      return false
    })
  }

  /** Resolves when these brokers have copies, and no others; the first is the preferred leader. */
  async reassign(topic: string, partition: number, replicas: readonly number[]): Promise<void> {
    await this.#reassign(topic, partition, replicas)
    await waitFor(
      `${topic}-${partition} to be copied to brokers ${replicas.join(', ')}`,
      60_000,
      async () =>
        (await this.partitionState(topic, partition))?.replicas.toSorted().join() === replicas.toSorted().join(),
    )
  }

  /** Where a broker keeps its partitions, a folder for each. */
  dataOf(broker: number): string {
    return join(this.dir, 'data', `broker-${broker}`)
  }

  /** In order: the broker hands its partitions over first. */
  async stopBroker(id: number): Promise<void> {
    await this.#server(id).stop(20_000)
  }

  /** SIGKILL: the others notice when its session ends, after some four seconds. */
  async killBroker(id: number): Promise<void> {
    await this.#server(id).kill()
  }

  /** Same port, same data. Resolves when it answers and all running brokers know of each other. */
  async startBroker(id: number): Promise<void> {
    const { running, killedAt } = this.#server(id)
    if (running) throw new Error(`Broker ${id} is running.`)
    // A controller that comes back before its old session ends takes itself for elected and never is (seen on 0.8.2).
    if (this.release.coordination === 'zookeeper' && killedAt !== undefined)
      await delay(Math.max(0, killedAt + 6000 - Date.now()))
    await this.#spawnBroker(this.plan.brokers.find((broker) => broker.id === id) as Node)
    await this.#ready([id])
  }

  /** SIGSTOP: its connections stay open and are not served. */
  pauseBroker(id: number): void {
    this.#server(id).freeze()
  }

  resumeBroker(id: number): void {
    this.#server(id).thaw()
  }

  async logs(id: number): Promise<string> {
    return readFile(this.#logFile(`broker-${id}`), 'utf8')
  }

  /** The data are not wanted any more, so nothing is shut down in order. */
  async stop(): Promise<void> {
    const [broker] = this.#running
    if (this.#started && broker !== undefined) await this.#server(broker.id).archiveClasses()
    await Promise.all([...this.#servers.values()].map((server) => server.kill()))
    await rm(join(this.dir, 'data'), { recursive: true, force: true })
  }

  /** Another cluster at the same addresses, which has nothing of this one. */
  async makeAnew(): Promise<void> {
    await this.stop()
    this.#servers.clear()
    this.#clusterId = randomId()
    await this.#boot()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** One of Kafka's own tools, by its main class (they move between packages); resolves with its stdout. */
  async tool(main: string, args: readonly string[]): Promise<Buffer> {
    return this.#run(await installTools(this.release), main, args)
  }

  async #run(libs: string, main: string, args: readonly string[]): Promise<Buffer> {
    return runJava({ java: this.#java, libs, main, args, flags: loggingFlags(this.release, 'tool') })
  }

  get #java(): JavaVersion {
    return this.options.java ?? '17'
  }

  async #boot(): Promise<void> {
    const { plan } = this
    if (this.release.coordination === 'zookeeper') {
      const properties = await this.#write('zookeeper.properties', zookeeperProperties(plan))
      await this.#spawn(
        coordinatorId,
        'zookeeper',
        'org.apache.zookeeper.server.quorum.QuorumPeerMain',
        [properties],
        plan.coordinator,
      )
    } else if (!plan.combined) {
      await this.#format(plan.coordinator)
      const properties = await this.#write('controller.properties', controllerProperties(plan))
      await this.#spawn(coordinatorId, 'controller', 'kafka.Kafka', [properties], plan.coordinator)
    }
    for (const broker of plan.brokers) await this.#spawnBroker(broker)
    if (this.release.name === '0.8.2') await this.#introduceBrokers()
    await this.#ready([...this.#servers.keys()])
  }

  async #spawnBroker(node: Node): Promise<void> {
    const properties = await this.#write(`broker-${node.id}.properties`, brokerProperties(this.plan, node))
    if (this.release.coordination === 'kraft' && !existsSync(node.dataDir)) await this.#format(node)
    const { jvmFlags, classPath } = this.options
    await this.#spawn(node.id, `broker-${node.id}`, 'kafka.Kafka', [properties], node, jvmFlags, classPath)
  }

  async #spawn(
    id: number,
    name: string,
    main: string,
    args: string[],
    node: Node,
    flags: readonly string[] = [],
    classPath: readonly string[] = [],
  ): Promise<void> {
    await mkdir(node.dataDir, { recursive: true })
    this.#servers.set(
      id,
      new JvmServer({
        java: this.#java,
        libs: this.libs,
        classPath,
        main,
        args,
        flags: ['-Xmx256m', '-Xms64m', ...loggingFlags(this.release, 'server'), ...flags],
        log: this.#logFile(name),
        dataDir: join(this.dir, 'data'),
        detached: this.options.detached ?? false,
      }),
    )
  }

  /**
   * Formatting by StorageTool takes as long as half a start, and its result differs between nodes only in meta.properties:
   * it is done once per release.
   */
  async #format(node: Node): Promise<void> {
    const home = join(kafkaDir, this.release.version)
    const formatted = join(home, 'formatted')
    if (!existsSync(formatted)) {
      await withLock(join(home, 'format.lock'), async () => {
        if (existsSync(formatted)) return
        const dataDir = join(home, 'formatted.unfinished')
        await rm(dataDir, { recursive: true, force: true })
        const properties = await this.#write(
          'format.properties',
          controllerProperties({ ...this.plan, config: {}, coordinator: { ...this.plan.coordinator, dataDir } }),
        )
        await this.#run(this.libs, 'kafka.tools.StorageTool', [
          'format',
          '--cluster-id',
          anyClusterId,
          '--config',
          properties,
        ])
        await rename(dataDir, formatted)
      })
    }
    await cp(formatted, node.dataDir, { recursive: true })
    await writeFile(
      join(node.dataDir, 'meta.properties'),
      toText({
        version: '1',
        'cluster.id': this.#clusterId,
        'node.id': String(node.id),
        'directory.id': randomId(),
      }),
    )
  }

  /**
   * A controller of 0.8 sends its list of brokers along with the state of partitions only: there must be a topic, and it must
   * be created when the last broker is registered, which is a little later than when it first answers.
   */
  async #introduceBrokers(): Promise<void> {
    const topic = '_ready'
    const replicationFactor = this.plan.brokers.length
    await this.#answering([...this.#servers.keys()])
    await waitFor('Kafka 0.8 to create its first topic', startTimeoutMs, async () => {
      await this.#createByTool(topic, { replicationFactor })
      return true
    })
  }

  /** Every running broker sees every other running one, and there is a controller. */
  async #ready(started: readonly number[]): Promise<void> {
    await this.#answering(started, (views) =>
      views.every(
        (view) =>
          this.#running.every(({ id }) => view.brokers.some((broker) => broker.id === id)) &&
          (this.release.metadataVersion === 0 || view.controller >= 0),
      ),
    )
  }

  async #answering(
    started: readonly number[],
    satisfied: (views: readonly wire.ClusterState[]) => boolean = () => true,
  ): Promise<void> {
    await waitFor(
      `the brokers of Kafka ${this.release.version} to answer and to know each other`,
      startTimeoutMs,
      async () => {
        const dead = started.filter((id) => !this.#server(id).running)
        if (dead.length > 0)
          throw new HopelessError(
            `Server ${dead.join(', ')} of Kafka ${this.release.version} ended while starting; see ${join(this.dir, 'logs')}.`,
          )
        return satisfied(await this.#views())
      },
    )
  }

  async #everyoneKnows(topic: string, partitions: number): Promise<void> {
    await waitFor(`every broker to know the leaders of ${topic}`, 30_000, async () => {
      const views = await this.#views()
      return views.every((view) => {
        const states = view.topics.get(topic) ?? []
        return states.length === partitions && states.every((state) => state.leader >= 0)
      })
    })
  }

  get #running(): readonly BrokerInfo[] {
    return this.brokers.filter((broker) => broker.state === 'running')
  }

  /** The cluster as the first running broker sees it. */
  async #view(): Promise<wire.ClusterState | undefined> {
    const [broker] = this.#running
    return broker === undefined ? undefined : wire.metadata(broker.port, this.release.metadataVersion)
  }

  /** The cluster as each running broker sees it. */
  async #views(): Promise<wire.ClusterState[]> {
    return Promise.all(this.#running.map((broker) => wire.metadata(broker.port, this.release.metadataVersion)))
  }

  /** The controller may move while it is asked; under KRaft any broker passes the request on. */
  async #askController(what: string, ask: (port: number) => Promise<number>): Promise<void> {
    let code = 0
    await waitFor(`the controller to ${what}`, 30_000, async () => {
      const [view] = await this.#views()
      const controller = view?.brokers.find((broker) => broker.id === view.controller)
      if (controller === undefined) return false
      code = await ask(controller.port)
      return code !== notController
    })
    if (code !== 0) throw new Error(`Could not ${what}: Kafka answered with error ${code}.`)
  }

  async #createByTool(
    name: string,
    { partitions = 1, replicationFactor = 1, config = {}, on }: TopicOptions,
  ): Promise<void> {
    const counts =
      on === undefined
        ? ['--partitions', String(partitions), '--replication-factor', String(replicationFactor)]
        : ['--replica-assignment', String(on)]
    await this.#zookeeperTool('kafka.admin.TopicCommand', ['--create', '--topic', name, ...counts, ...asFlags(config)])
  }

  async #reassign(topic: string, partition: number, replicas: readonly number[]): Promise<void> {
    if (this.release.adminOnTheWire) {
      await this.#askController(`reassign ${topic}-${partition}`, (port) =>
        wire.reassign(port, topic, partition, replicas),
      )
    } else {
      const plan = await this.#write(
        'reassignment.json',
        JSON.stringify({ version: 1, partitions: [{ topic, partition, replicas }] }),
      )
      await this.#zookeeperTool('kafka.admin.ReassignPartitionsCommand', [
        '--reassignment-json-file',
        plan,
        '--execute',
      ])
    }
  }

  async #electPreferred(topic: string, partition: number): Promise<void> {
    if (this.release.adminOnTheWire) {
      await this.#askController(`elect a leader for ${topic}-${partition}`, (port) =>
        wire.electPreferred(port, topic, partition),
      )
    } else {
      const partitions = await this.#write('election.json', JSON.stringify({ partitions: [{ topic, partition }] }))
      await this.#zookeeperTool('kafka.admin.PreferredReplicaLeaderElectionCommand', [
        '--path-to-json-file',
        partitions,
      ])
    }
  }

  async #zookeeperTool(main: string, args: readonly string[]): Promise<string> {
    return (await this.#run(this.libs, main, ['--zookeeper', this.zookeeper ?? '', ...args])).toString()
  }

  #server(id: number): JvmServer {
    const server = this.#servers.get(id)
    if (server === undefined) throw new Error(`There is no broker ${id}.`)
    return server
  }

  #logFile(name: string): string {
    return join(this.dir, 'logs', `${name}.log`)
  }

  async #write(name: string, content: string | Properties): Promise<string> {
    const file = join(this.dir, name)
    await writeFile(file, typeof content === 'string' ? content : toText(content))
    return file
  }
}

function asFlags(config: Record<string, string>): string[] {
  return Object.entries(config).flatMap(([key, value]) => ['--config', `${key}=${value}`])
}

/** Waiting on would not help. */
class HopelessError extends Error {}

/** What throws is not there yet; the last reason is told if it never comes. */
/** A random UUID in base64; the first byte keeps clear of a leading '-', which Kafka does not make either. */
function randomId(): string {
  return Buffer.concat([Buffer.of(1), randomBytes(15)]).toString('base64url')
}

async function waitFor(what: string, timeoutMs: number, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + timeoutMs
  let reason: unknown
  for (;;) {
    try {
      if (await isSo()) return
      reason = undefined
    } catch (error) {
      if (error instanceof HopelessError) throw error
      reason = error
    }
    if (Date.now() > deadline) throw new Error(`Waited ${timeoutMs / 1000} s in vain for ${what}.`, { cause: reason })
    await delay(50)
  }
}

/**
 * Below the range that the system gives to outgoing connections: a stopped broker's port must still be free when it
 * starts again.
 */
async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>()
  while (found.size < count) {
    const port = 15_000 + Math.floor(Math.random() * 17_000)
    if (await isFree(port)) found.add(port)
  }
  return [...found]
}

async function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => {
      resolve(false)
    })
    server.listen(port, '127.0.0.1', () =>
      server.close(() => {
        resolve(true)
      }),
    )
  })
}
