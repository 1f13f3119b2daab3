/**
 * A cluster to be asked the same questions whether it is real or embedded: by its addresses alone, with raw requests.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import type { ApiInfo } from '../../../src/protocol/api.js'
import { fetch } from '../../../src/protocol/apis/fetch.js'
import { findCoordinator } from '../../../src/protocol/apis/find-coordinator.js'
import { listOffsets } from '../../../src/protocol/apis/list-offsets.js'
import { metadata, type MetadataResponse } from '../../../src/protocol/apis/metadata.js'
import { produce } from '../../../src/protocol/apis/produce.js'
import { Release } from '../../../src/testing/releases.js'
import { RawClient } from '../../embedded/support/raw-client.js'
import {
  batchOf,
  messagesOf,
  metadataRequest,
  produceTo,
  type Message,
  type ProduceOptions,
} from '../../embedded/support/requests.js'

/** From these versions on topics have no name in the request. */
const namesUpTo = new Map([
  [produce.key, 12],
  [fetch.key, 12],
])
/** While a broker or coordinator comes up: 3, 5, 6, 9, 14 to 16, 51. */
const passing = new Set([3, 5, 6, 9, 14, 15, 16, 51])

/** The topics that every subject is started with; all others are made as they are needed. */
export const subjectTopics = {
  small: { replicationFactor: 1, config: { 'max.message.bytes': '500' } },
  strict: { replicationFactor: 1, config: { 'min.insync.replicas': '2' } },
  compacted: { replicationFactor: 1, config: { 'cleanup.policy': 'compact' } },
}

let topics = 0

export class Subject {
  readonly release: Release

  constructor(
    release: string,
    readonly bootstrap: string,
  ) {
    this.release = Release.named(release)
  }

  has(api: ApiInfo): boolean {
    return this.release.served(api.key) !== undefined
  }

  /** The newest version that both sides have and that names topics. */
  version(api: ApiInfo, atMost = Infinity): number {
    const range = this.release.served(api.key)
    if (range === undefined) throw new Error(`${this.release.name} has no ${api.name}`)
    return Math.min(range.max, api.maxVersion, namesUpTo.get(api.key) ?? Infinity, atMost)
  }

  async connect(address = this.bootstrap.split(',')[0] ?? ''): Promise<RawClient> {
    const client = await RawClient.connect(address, 'conformance')
    onTestFinished(() => client.close())
    return client
  }

  async metadata(
    topic: string,
    { create = true, client }: { create?: boolean; client?: RawClient } = {},
  ): Promise<MetadataResponse> {
    return (client ?? (await this.connect())).call(metadata, this.version(metadata), metadataRequest([topic], create))
  }

  /** A topic with one partition, whose leader is ready. */
  async topic(): Promise<string> {
    const name = `t-${Date.now()}-${++topics}`
    await this.leader(name)
    return name
  }

  /** A connection to the leader of partition 0, which knows that it leads. */
  async leader(topic: string): Promise<RawClient> {
    const client = await this.connect()
    const address = await until(async () => {
      const {
        brokers,
        topics: [found],
      } = await this.metadata(topic, { client })
      const leader = brokers.find(({ nodeId }) => nodeId === found?.partitions[0]?.leaderId)
      return leader && `${leader.host}:${leader.port}`
    })
    const leader = await this.connect(address)
    await until(async () => (passing.has((await this.offset(leader, topic, -1n)).errorCode) ? undefined : true))
    // It leads before it has heard of the topic.
    await this.known(topic, leader)
    return leader
  }

  /** Resolves when the broker has heard of the topic. */
  async known(topic: string, client: RawClient): Promise<void> {
    await until(async () => {
      const [found] = (await this.metadata(topic, { client })).topics
      return found?.errorCode === 0 ? true : undefined
    })
  }

  /** A connection to a broker that has no replica of the topic. */
  async outsider(topic: string): Promise<RawClient> {
    const {
      brokers,
      topics: [found],
    } = await this.metadata(topic)
    const other = brokers.find(({ nodeId }) => nodeId !== found?.partitions[0]?.leaderId)
    return this.connect(`${other?.host ?? ''}:${other?.port ?? 0}`)
  }

  /** A connection to the broker that takes what the controller does. */
  async controller(): Promise<RawClient> {
    const { brokers, controllerId } = await this.metadata('small')
    const controller = brokers.find(({ nodeId }) => nodeId === controllerId)
    return this.connect(controller && `${controller.host}:${controller.port}`)
  }

  async coordinator(key: string, keyType: 0 | 1): Promise<RawClient> {
    const client = await this.connect()
    const address = await until(async () => {
      const {
        coordinators: [found],
      } = await client.call(findCoordinator, this.version(findCoordinator), { keyType, coordinatorKeys: [key] })
      return found?.errorCode === 0 ? `${found.host}:${found.port}` : undefined
    })
    return this.connect(address)
  }

  /** In the newest format that the release has. */
  records(messages: readonly Message[]): Buffer {
    const { maxMagic } = this.release
    return maxMagic === 2 ? batchOf(messages) : messagesOf(messages, maxMagic)
  }

  async produce(client: RawClient, topic: string, records: Buffer, options: ProduceOptions = {}) {
    return produceTo(client, records, { version: this.version(produce), topic, ...options })
  }

  /** As ListOffsets tells it: -1 latest, -2 earliest, or of a timestamp. */
  async offset(client: RawClient, topic: string, timestamp: bigint, isolationLevel = 0) {
    const version = this.version(listOffsets)
    const response = await client.call(listOffsets, version, {
      replicaId: -1,
      isolationLevel: version >= 2 ? isolationLevel : 0,
      timeoutMs: 1000,
      topics: [
        {
          name: topic,
          partitions: [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: Number(timestamp), maxNumOffsets: 1 }],
        },
      ],
    })
    const partition = response.topics[0]?.partitions[0]
    if (partition === undefined) throw new Error('no partition in the answer')
    return {
      errorCode: partition.errorCode,
      timestamp: partition.timestamp,
      offset: partition.oldStyleOffsets[0] ?? partition.offset,
    }
  }
}

/** What a broker says of a partition that it has no replica of. */
export function foreign({ release }: Subject): number {
  return release.errorOfForeignPartition === 'NOT_LEADER_OR_FOLLOWER' ? 6 : 3
}

/**
 * The code, unless it is of a coordinator that is not ready, still busy with the last transaction, or too slow to have written
 * offsets within `offsets.commit.timeout.ms`, as on a busy machine.
 */
export function unlessPassing(code: number | undefined): number | undefined {
  return code === undefined || [7, 14, 15, 16, 51].includes(code) ? undefined : code
}

/** Asks again and again, as a client must while a broker is not ready yet. */
export async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; await delay(20)) {
    const answer = await ask()
    if (answer !== undefined) return answer
  }
  throw new Error('it did not happen within 30 s')
}
