import { setTimeout as sleep } from 'node:timers/promises'
import type { ApiInfo } from '../../../src/protocol/api.js'
import { apiVersions } from '../../../src/protocol/apis/api-versions.js'
import { fetch, HIGH_WATERMARK_NOT_TOLD, type FetchRequest } from '../../../src/protocol/apis/fetch.js'
import { listOffsets } from '../../../src/protocol/apis/list-offsets.js'
import { metadata } from '../../../src/protocol/apis/metadata.js'
import { ZERO_UUID } from '../../../src/protocol/byte-writer.js'
import { errorCode } from '../../../src/protocol/error-codes.js'
import { decodeBatches, type DecodedBatch } from '../../../src/protocol/records/decode.js'
import type { DecodedRecord } from '../../../src/protocol/records/record.js'
import { RawClient } from '../../embedded/support/raw-client.js'

/** Versions beyond these name topics by id, or add nothing that is needed here. */
const CAPS: ReadonlyMap<ApiInfo, number> = new Map<ApiInfo, number>([
  [fetch, 12],
  [listOffsets, 6],
  [metadata, 8],
])
const LATEST = -1
const MAX_BYTES = 4 * 1024 * 1024
/** A broker older than Kafka 0.10 does not answer ApiVersions; any other does so at once. */
const ASK_VERSIONS_MS = 3_000
const PATIENCE_MS = 30_000

interface Broker {
  readonly client: RawClient
  version(api: ApiInfo): number
}

/** Offset per partition. */
export type Offsets = ReadonlyMap<number, bigint>

/**
 * The smallest consumer that can check what a producer wrote: it knows one topic, keeps nothing, and shares no code with
 * the producer but the codecs. What fails is asked again with new metadata, for half a minute.
 */
export class TopicReader {
  private readonly brokers = new Map<string, Promise<Broker>>()
  private leaders = new Map<number, string>()

  constructor(
    private readonly bootstrap: string,
    private readonly topic: string,
  ) {}

  /** The partitions, each with the offset that its next message will get. */
  async endOffsets(): Promise<Offsets> {
    return this.persist(async () => {
      await this.findLeaders()
      const ends = new Map<number, bigint>()
      for (const partition of this.leaders.keys()) ends.set(partition, await this.endOffset(partition))
      return ends
    })
  }

  /** The records of a partition in `[from, to)`, in their order. */
  async *records(partition: number, from: bigint, to: bigint): AsyncGenerator<DecodedRecord> {
    for (let next = from; next < to;) {
      const start = next
      const batches = await this.persist(() => this.fetchFrom(partition, start))
      for (const { control, records, lastOffset } of batches) {
        // A batch comes whole, so it may begin before what was asked for, and end after it.
        if (!control) yield* records.filter(({ offset }) => offset >= start && offset < to)
        if (lastOffset >= next) next = lastOffset + 1n
      }
    }
  }

  async close(): Promise<void> {
    const opened = await Promise.allSettled([...this.brokers.values()])
    this.brokers.clear()
    await Promise.all(opened.flatMap((broker) => (broker.status === 'fulfilled' ? [broker.value.client.close()] : [])))
  }

  private async endOffset(partition: number): Promise<bigint> {
    const broker = await this.leader(partition)
    const version = broker.version(listOffsets)
    const asked = { partitionIndex: partition, currentLeaderEpoch: -1, timestamp: LATEST, maxNumOffsets: 1 }
    const request = {
      replicaId: -1,
      isolationLevel: 0,
      timeoutMs: 5_000,
      topics: [{ name: this.topic, partitions: [asked] }],
    }
    const response = await broker.client.call(listOffsets, version, request)
    const answer = response.topics[0]?.partitions[0]
    refuse(answer?.errorCode)
    return version === 0 ? (answer?.oldStyleOffsets[0] ?? 0n) : (answer?.offset ?? 0n)
  }

  private async fetchFrom(partition: number, offset: bigint): Promise<readonly DecodedBatch[]> {
    const broker = await this.leader(partition)
    const response = await broker.client.call(fetch, broker.version(fetch), this.fetchRequest(partition, offset))
    refuse(response.errorCode)
    const answer = response.responses[0]?.partitions[0]
    refuse(answer?.errorCode)
    const batches = decodeBatches(answer?.records ?? Buffer.alloc(0), { partialTail: true })
    if (!batches.some(({ lastOffset }) => lastOffset >= offset))
      throw new Error(`${this.topic}-${partition} has nothing from offset ${offset} on`)
    return batches
  }

  private fetchRequest(partition: number, fetchOffset: bigint): FetchRequest {
    const asked = {
      partition,
      currentLeaderEpoch: -1,
      fetchOffset,
      lastFetchedEpoch: -1,
      logStartOffset: -1n,
      partitionMaxBytes: MAX_BYTES,
      replicaDirectoryId: ZERO_UUID,
      highWatermark: HIGH_WATERMARK_NOT_TOLD,
    }
    return {
      clusterId: null,
      replicaId: -1,
      replicaEpoch: -1n,
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: MAX_BYTES,
      isolationLevel: 0,
      sessionId: 0,
      sessionEpoch: -1,
      topics: [{ topic: this.topic, topicId: ZERO_UUID, partitions: [asked] }],
      forgottenTopicsData: [],
      rackId: '',
    }
  }

  /** Tries again, with everything found out anew, while brokers fail and leaders move. */
  private async persist<T>(attempt: () => Promise<T>): Promise<T> {
    const deadline = Date.now() + PATIENCE_MS
    for (;;) {
      try {
        return await attempt()
      } catch (error) {
        if (Date.now() > deadline) throw error
      }
      await sleep(100)
      await this.close()
      this.leaders.clear()
    }
  }

  private async leader(partition: number): Promise<Broker> {
    if (this.leaders.size === 0) await this.findLeaders()
    const address = this.leaders.get(partition)
    if (address === undefined) throw new Error(`${this.topic}-${partition} has no leader`)
    return this.broker(address)
  }

  /** Asks the bootstrap list, one after another; a topic that does not exist yet is created where brokers do so. */
  private async findLeaders(): Promise<void> {
    let failure: unknown = new Error('no brokers given')
    for (const address of this.bootstrap.split(',')) {
      try {
        const broker = await this.broker(address.trim())
        const response = await broker.client.call(metadata, broker.version(metadata), {
          topics: [{ name: this.topic, topicId: ZERO_UUID }],
          allowAutoTopicCreation: true,
          includeClusterAuthorizedOperations: false,
          includeTopicAuthorizedOperations: false,
        })
        const addresses = new Map(response.brokers.map(({ nodeId, host, port }) => [nodeId, `${host}:${port}`]))
        const found = response.topics[0]
        refuse(found?.errorCode)
        this.leaders = new Map()
        for (const { partitionIndex, leaderId } of found?.partitions ?? []) {
          const leader = addresses.get(leaderId)
          if (leader === undefined) throw new Error(`${this.topic}-${partitionIndex} has no leader`)
          this.leaders.set(partitionIndex, leader)
        }
        return
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }

  private broker(address: string): Promise<Broker> {
    let broker = this.brokers.get(address)
    if (broker === undefined) {
      broker = openBroker(address)
      broker.catch(() => this.brokers.delete(address))
      this.brokers.set(address, broker)
    }
    return broker
  }
}

async function openBroker(address: string): Promise<Broker> {
  const asked = await RawClient.connect(address, 'demo-reader')
  const question = { clientSoftwareName: 'demo', clientSoftwareVersion: '1', clusterId: null, nodeId: -1 }
  const silence = sleep(ASK_VERSIONS_MS, undefined, { ref: false })
  const answer = await Promise.race([asked.call(apiVersions, 0, question).catch(() => undefined), silence])
  const ranges = new Map(answer?.apiKeys.map((range) => [range.apiKey, range.maxVersion]))
  const version = (api: ApiInfo): number => Math.min(ranges.get(api.key) ?? 0, CAPS.get(api) ?? 0)
  if (answer !== undefined) return { client: asked, version }
  await asked.close()
  return { client: await RawClient.connect(address, 'demo-reader'), version }
}

function refuse(code: number | undefined): void {
  if (code === undefined) throw new Error('the answer says nothing of the partition')
  if (code !== 0) throw new Error(`the broker answered ${errorCode(code).name}`)
}
