import { createServer, type Server, type Socket } from 'node:net'
import { parseArgs } from 'node:util'
import type { ResponseEncoder } from '../../../src/protocol/api.js'
import { apiVersions } from '../../../src/protocol/apis/api-versions.js'
import { fetch } from '../../../src/protocol/apis/fetch.js'
import { findCoordinator } from '../../../src/protocol/apis/find-coordinator.js'
import { initProducerId } from '../../../src/protocol/apis/init-producer-id.js'
import { metadata, OPERATIONS_NOT_REQUESTED } from '../../../src/protocol/apis/metadata.js'
import { produce } from '../../../src/protocol/apis/produce.js'
import { ByteReader } from '../../../src/protocol/byte-reader.js'
import { ZERO_UUID } from '../../../src/protocol/byte-writer.js'
import { encodeResponseFrame } from '../../../src/protocol/frame.js'
import { readRequestHeader, readRequestHeaderEnd } from '../../../src/protocol/header.js'
import { decodeBatches } from '../../../src/protocol/records/decode.js'
import { makeDecompress } from '../../../src/testing/decompress.js'
import { ByteStream } from './byte-stream.js'
import { encodeProduceResponse, PRODUCE, readProduce } from './produce.js'

/**
 * A null broker in a process of its own: it takes every batch, counts its records, throws it away and answers. It
 * leads all partitions of whatever topic it is asked for. With `--check` it decodes every record and compares every
 * checksum; with `--delay-ms` it answers Produce later, each request on its own; with `--old` it is of Kafka 0.10.
 */

const { values } = parseArgs({
  options: {
    partitions: { type: 'string', default: '6' },
    brokers: { type: 'string', default: '1' },
    'delay-ms': { type: 'string', default: '0' },
    check: { type: 'boolean', default: false },
    old: { type: 'boolean', default: false },
  },
})
const partitions = Number(values.partitions)
const delayMs = Number(values['delay-ms'])
const HEADER_BYTES = 8
const decompress = makeDecompress()

/** As Kafka 0.10 has them. */
const OLD_RANGES = [
  { apiKey: PRODUCE, minVersion: 0, maxVersion: 2 },
  { apiKey: metadata.key, minVersion: 0, maxVersion: 1 },
  { apiKey: apiVersions.key, minVersion: 0, maxVersion: 0 },
]

/** As Kafka 3.9 has them; clients that know only older ones find a common one. */
const NEW_RANGES = [
  { apiKey: PRODUCE, minVersion: 0, maxVersion: 11 },
  { apiKey: metadata.key, minVersion: 0, maxVersion: 12 },
  { apiKey: apiVersions.key, minVersion: 0, maxVersion: 4 },
  { apiKey: initProducerId.key, minVersion: 0, maxVersion: 5 },
  // Never called by a producer, but librdkafka writes format 2 only for brokers that have this Fetch, and lz4 only for
  // those that have FindCoordinator.
  { apiKey: fetch.key, minVersion: 0, maxVersion: 12 },
  { apiKey: findCoordinator.key, minVersion: 0, maxVersion: 4 },
]

const RANGES = values.old ? OLD_RANGES : NEW_RANGES

const counts = { records: 0, bytes: 0, requests: 0 }
/** Of each topic, the next offset of each partition. */
const offsets = new Map<string, number[]>()
const ports: number[] = []
const servers: Server[] = []
const sockets = new Set<Socket>()

function serve(socket: Socket): void {
  socket.setNoDelay(true)
  sockets.add(socket)
  socket.on('close', () => sockets.delete(socket))
  const stream = new ByteStream()
  let size = -1
  socket.on('data', (chunk: Buffer) => {
    stream.push(chunk)
    for (;;) {
      if (size < 0) {
        if (stream.available < 4) return
        size = stream.i32()
      }
      if (stream.available < size) return
      answer(socket, stream, size)
      size = -1
    }
  })
  socket.on('error', () => socket.destroy())
}

/** Reads one request, all of it. */
function answer(socket: Socket, stream: ByteStream, size: number): void {
  const end = stream.available - size
  const header = stream.take(HEADER_BYTES)
  const apiKey = header.readInt16BE(0)
  const version = header.readInt16BE(2)
  const correlationId = header.readInt32BE(4)
  if (apiKey !== PRODUCE) return answerOther(socket, Buffer.concat([header, stream.take(size - HEADER_BYTES)]))
  let body = stream
  let checked: number | undefined
  if (values.check) {
    const bytes = stream.take(size - HEADER_BYTES)
    checked = decodeAll(Buffer.concat([header, bytes]))
    body = new ByteStream()
    body.push(bytes)
  }
  const request = readProduce(body, version)
  if (stream.available !== end || (body !== stream && body.available !== 0))
    throw new Error('a Produce request that is longer or shorter than it says')
  const before = counts.records
  const response = encodeProduceResponse(request, version, correlationId, nextOffset)
  if (checked !== undefined && checked !== counts.records - before)
    throw new Error('a batch that has other records than it says')
  counts.requests++
  counts.bytes += size
  if (request.acks === 0) return
  if (delayMs === 0) socket.write(response)
  else setTimeout(() => socket.write(response), delayMs)
}

/** Throws where a record can't be read or a checksum is wrong. */
function decodeAll(frame: Buffer): number {
  const reader = new ByteReader(frame)
  const { apiVersion } = readRequestHeader(reader)
  readRequestHeaderEnd(reader, produce, apiVersion)
  const { topicData } = produce.decodeRequest(reader, apiVersion)
  const batches = topicData.flatMap(({ partitionData }) =>
    partitionData.flatMap(({ records }) => (records === null ? [] : decodeBatches(records, { decompress }))),
  )
  return batches.reduce((sum, { records }) => sum + records.length, 0)
}

/** Counts the records, and gives the offset of their first. */
function nextOffset(topic: string, partition: number, records: number): number {
  counts.records += records
  let ofTopic = offsets.get(topic)
  if (ofTopic === undefined) offsets.set(topic, (ofTopic = Array<number>(partitions).fill(0)))
  const first = ofTopic[partition] as number
  ofTopic[partition] = first + records
  return first
}

function answerOther(socket: Socket, frame: Buffer): void {
  const reader = new ByteReader(frame)
  const { apiKey, apiVersion: version, correlationId } = readRequestHeader(reader)
  const respond = <Response>(api: ResponseEncoder<Response>, response: Response, as = version) =>
    void socket.write(encodeResponseFrame(api, as, correlationId, response))
  if (apiKey === apiVersions.key) {
    const known = RANGES.some((range) => range.apiKey === apiKey && version <= range.maxVersion)
    respond(apiVersions, { ...versions, errorCode: known ? 0 : 35 }, known ? version : 0)
  } else if (apiKey === metadata.key) {
    readRequestHeaderEnd(reader, metadata, version)
    const { topics } = metadata.decodeRequest(reader, version)
    respond(metadata, cluster((topics ?? []).map(({ name }) => name ?? '')))
  } else if (apiKey === initProducerId.key) {
    respond(initProducerId, {
      throttleTimeMs: 0,
      errorCode: 0,
      producerId: 1n,
      producerEpoch: 0,
      ongoingTxnProducerId: -1n,
      ongoingTxnProducerEpoch: -1,
    })
  } else socket.destroy()
}

const versions = {
  errorCode: 0,
  apiKeys: RANGES,
  throttleTimeMs: 0,
  supportedFeatures: [],
  finalizedFeaturesEpoch: -1n,
  finalizedFeatures: [],
  zkMigrationReady: false,
}

function cluster(names: readonly string[]) {
  return {
    throttleTimeMs: 0,
    brokers: ports.map((port, nodeId) => ({ nodeId, host: '127.0.0.1', port, rack: null })),
    clusterId: 'sink',
    controllerId: 0,
    clusterAuthorizedOperations: OPERATIONS_NOT_REQUESTED,
    errorCode: 0,
    topics: names.map((name) => ({
      errorCode: 0,
      name,
      topicId: ZERO_UUID,
      isInternal: false,
      topicAuthorizedOperations: OPERATIONS_NOT_REQUESTED,
      partitions: Array.from({ length: partitions }, (_, partitionIndex) => ({
        errorCode: 0,
        partitionIndex,
        leaderId: partitionIndex % ports.length,
        leaderEpoch: 0,
        replicaNodes: [partitionIndex % ports.length],
        isrNodes: [partitionIndex % ports.length],
        offlineReplicas: [],
      })),
    })),
  }
}

for (let i = 0; i < Number(values.brokers); i++) {
  const server = createServer(serve)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ports.push((server.address() as { port: number }).port)
  servers.push(server)
}

/** Breaks all connections and refuses new ones for so long. */
function leave(ms: number): void {
  for (const server of servers) server.close()
  for (const socket of sockets) socket.destroy()
  setTimeout(() => servers.forEach((server, i) => server.listen(ports[i], '127.0.0.1')), ms)
}

process.on('message', (what: 'counts' | { readonly leave: number }) => {
  if (what === 'counts') process.send?.(counts)
  else leave(what.leave)
})
process.on('disconnect', () => process.exit())
process.send?.({ bootstrap: ports.map((port) => `127.0.0.1:${port}`).join(',') })
