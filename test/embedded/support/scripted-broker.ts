import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { apiVersions } from '../../../src/protocol/apis/api-versions.js'
import { initProducerId } from '../../../src/protocol/apis/init-producer-id.js'
import { UNKNOWN_LEADER } from '../../../src/protocol/apis/leader-hints.js'
import {
  metadata,
  type MetadataRequest,
  type MetadataResponse,
  type MetadataTopic,
} from '../../../src/protocol/apis/metadata.js'
import {
  produce,
  type DecodedProduceRequest,
  type ProducePartitionResponse,
  type ProduceResponse,
} from '../../../src/protocol/apis/produce.js'
import { ByteReader } from '../../../src/protocol/byte-reader.js'
import { ZERO_UUID } from '../../../src/protocol/byte-writer.js'
import { encodeResponseFrame, FrameSplitter } from '../../../src/protocol/frame.js'
import { readRequestHeader, readRequestHeaderEnd } from '../../../src/protocol/header.js'
import { decodeBatches, type DecodedBatch } from '../../../src/protocol/records/decode.js'

export interface ProduceQuestion {
  readonly version: number
  readonly request: DecodedProduceRequest
  /** Counts the Produce requests from 0. */
  readonly index: number
}

export interface MetadataQuestion {
  readonly version: number
  readonly request: MetadataRequest
  readonly index: number
}

/** No transaction is open that another producer has prepared. */
const NOT_PREPARED = { ongoingTxnProducerId: -1n, ongoingTxnProducerEpoch: -1 }

type Answer<T> = T | 'hang up' | 'silence'

/** What a scripted broker answers; everything has a default that makes it a good broker of one topic. */
export interface Script {
  /** Partitions of every topic asked for. */
  partitions?: number
  produceVersions?: readonly [number, number]
  metadataVersions?: readonly [number, number]
  /** Whether it tells a client that asks for a newer ApiVersions than it has which ones it has (KIP-511); true by default. */
  tellsApiVersionsRange?: boolean
  /** Whether it tells such a client the versions of everything, as Redpanda does; false by default. */
  tellsAllRanges?: boolean
  /** Whether it goes on when the other side has ended a connection; false by default. */
  ignoresEnd?: boolean
  /** Who it says each producer is that asks, one after the other; without them it has no InitProducerId. */
  identities?: readonly { readonly producerId: bigint; readonly producerEpoch: number }[]
  onProduce?: (
    question: ProduceQuestion,
    good: ProduceResponse,
  ) => Answer<ProduceResponse> | Promise<Answer<ProduceResponse>>
  onMetadata?: (
    question: MetadataQuestion,
    good: MetadataResponse,
  ) => Answer<MetadataResponse> | Promise<Answer<MetadataResponse>>
}

/**
 * A broker that answers what the test says, for answers that no Kafka would give: the embedded broker is too well
 * behaved for them.
 */
export class ScriptedBroker {
  readonly produced: ProduceQuestion[] = []
  readonly asked: MetadataQuestion[] = []
  /** The versions of the ApiVersions requests. */
  readonly versionsAsked: number[] = []
  connections = 0
  private identified = 0
  private readonly sockets = new Set<Socket>()
  private readonly server: Server
  port = 0

  private constructor(private readonly script: Script) {
    this.server = createServer({ allowHalfOpen: script.ignoresEnd === true }, (socket) => this.accept(socket))
  }

  static async start(script: Script = {}): Promise<ScriptedBroker> {
    const broker = new ScriptedBroker(script)
    await new Promise<void>((resolve) => broker.server.listen(0, '127.0.0.1', resolve))
    broker.port = (broker.server.address() as AddressInfo).port
    onTestFinished(() => broker.stop())
    return broker
  }

  /** How many connections are open now. */
  get openConnections(): number {
    return this.sockets.size
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    await new Promise((resolve) => this.server.close(resolve))
  }

  /** The values of the messages that came, per request. */
  get values(): (string | null)[][] {
    return this.produced.map(({ request }) => valuesIn(request))
  }

  private accept(socket: Socket): void {
    this.connections++
    this.sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => this.sockets.delete(socket))
    const splitter = new FrameSplitter(8, 0x7fffffff)
    let turn = Promise.resolve()
    socket.on('data', (chunk: Buffer) => {
      splitter.push(chunk, (frame) => {
        const copy = Buffer.from(frame)
        turn = turn.then(() => this.serve(socket, copy))
      })
    })
  }

  private async serve(socket: Socket, frame: Buffer): Promise<void> {
    const reader = new ByteReader(frame)
    const { apiKey, apiVersion: version, correlationId } = readRequestHeader(reader)
    if (apiKey === apiVersions.key) {
      const { produceVersions = [3, 9], metadataVersions = [0, 9] } = this.script
      const ranges = [
        { apiKey: 0, minVersion: produceVersions[0], maxVersion: produceVersions[1] },
        { apiKey: 3, minVersion: metadataVersions[0], maxVersion: metadataVersions[1] },
        { apiKey: 18, minVersion: 0, maxVersion: 3 },
        ...(this.script.identities === undefined ? [] : [{ apiKey: initProducerId.key, minVersion: 0, maxVersion: 1 }]),
      ]
      const known = version <= 3
      const { tellsApiVersionsRange = true, tellsAllRanges = false } = this.script
      const told = tellsAllRanges
        ? ranges
        : tellsApiVersionsRange
          ? ranges.filter((range) => range.apiKey === apiVersions.key)
          : []
      this.versionsAsked.push(version)
      socket.write(
        encodeResponseFrame(apiVersions, known ? version : 0, correlationId, {
          errorCode: known ? 0 : 35,
          apiKeys: known ? ranges : told,
          throttleTimeMs: 0,
          supportedFeatures: [],
          finalizedFeaturesEpoch: -1n,
          finalizedFeatures: [],
          zkMigrationReady: false,
        }),
      )
    } else if (apiKey === metadata.key) {
      readRequestHeaderEnd(reader, metadata, version)
      const question = { version, request: metadata.decodeRequest(reader, version), index: this.asked.length }
      this.asked.push(question)
      const good = this.goodMetadata(question)
      const answer = (await this.script.onMetadata?.(question, good)) ?? good
      if (answer === 'hang up') socket.destroy()
      else if (answer !== 'silence') socket.write(encodeResponseFrame(metadata, version, correlationId, answer))
    } else if (apiKey === initProducerId.key) {
      const identity = this.script.identities?.[this.identified++] ?? { producerId: -1n, producerEpoch: -1 }
      const answer = { throttleTimeMs: 0, errorCode: 0, ...identity, ...NOT_PREPARED }
      socket.write(encodeResponseFrame(initProducerId, version, correlationId, answer))
    } else {
      readRequestHeaderEnd(reader, produce, version)
      const question = { version, request: produce.decodeRequest(reader, version), index: this.produced.length }
      this.produced.push(question)
      const good = goodProduce(question)
      const answer = (await this.script.onProduce?.(question, good)) ?? good
      if (answer === 'hang up') socket.destroy()
      else if (answer !== 'silence') socket.write(encodeResponseFrame(produce, version, correlationId, answer))
    }
  }

  private goodMetadata({ request }: MetadataQuestion): MetadataResponse {
    return {
      throttleTimeMs: 0,
      brokers: [{ nodeId: 1, host: '127.0.0.1', port: this.port, rack: null }],
      clusterId: 'scripted',
      controllerId: 1,
      topics: (request.topics ?? []).map(({ name }) => topicMetadata(name ?? '', this.script.partitions ?? 1)),
      clusterAuthorizedOperations: -0x80000000,
      errorCode: 0,
    }
  }
}

export function topicMetadata(
  name: string,
  partitions: number,
  leader: { leaderId?: number; leaderEpoch?: number } = {},
): MetadataTopic {
  const { leaderId = 1, leaderEpoch = 0 } = leader
  return {
    errorCode: 0,
    name,
    topicId: ZERO_UUID,
    isInternal: false,
    partitions: Array.from({ length: partitions }, (_, partitionIndex) => ({
      errorCode: 0,
      partitionIndex,
      leaderId,
      leaderEpoch,
      replicaNodes: [1],
      isrNodes: [1],
      offlineReplicas: [],
    })),
    topicAuthorizedOperations: -0x80000000,
  }
}

export function partitionAnswer(index: number, more: Partial<ProducePartitionResponse> = {}): ProducePartitionResponse {
  return {
    index,
    errorCode: 0,
    baseOffset: 100n,
    logAppendTimeMs: -1,
    logStartOffset: 0n,
    recordErrors: [],
    errorMessage: null,
    currentLeader: UNKNOWN_LEADER,
    ...more,
  }
}

/** The good answer with every partition's part replaced. */
export function withPartitions(
  good: ProduceResponse,
  parts: (parts: readonly ProducePartitionResponse[]) => readonly ProducePartitionResponse[],
): ProduceResponse {
  return {
    ...good,
    responses: good.responses.map((topic) => ({ ...topic, partitionResponses: parts(topic.partitionResponses) })),
  }
}

function goodProduce({ request }: ProduceQuestion): ProduceResponse {
  return {
    responses: request.topicData.map(({ name, topicId, partitionData }) => ({
      name,
      topicId,
      partitionResponses: partitionData.map(({ index }) => partitionAnswer(index)),
    })),
    throttleTimeMs: 0,
    nodeEndpoints: [],
  }
}

export function valuesIn(request: DecodedProduceRequest): (string | null)[] {
  return batchesIn(request).flatMap(({ records }) => records.map(({ value }) => value?.toString() ?? null))
}

export function batchesIn(request: DecodedProduceRequest): DecodedBatch[] {
  const decompress = (): never => {
    throw new Error('not compressed')
  }
  return request.topicData.flatMap(({ partitionData }) =>
    partitionData.flatMap(({ records }) =>
      records === null ? [] : decodeBatches(Buffer.from(records), { decompress }),
    ),
  )
}
