import { createServer, type Socket } from 'node:net'
import { parseArgs } from 'node:util'
import type { Api } from '../../src/protocol/api.js'
import { apiVersions } from '../../src/protocol/apis/api-versions.js'
import { metadata, OPERATIONS_NOT_REQUESTED } from '../../src/protocol/apis/metadata.js'
import { produce, type DecodedProduceRequest } from '../../src/protocol/apis/produce.js'
import { ByteReader } from '../../src/protocol/byte-reader.js'
import { ZERO_UUID } from '../../src/protocol/byte-writer.js'
import { encodeResponseFrame, FrameSplitter } from '../../src/protocol/frame.js'
import { readRequestHeader, readRequestHeaderEnd } from '../../src/protocol/header.js'
import { decodeBatches } from '../../src/protocol/records/decode.js'

/**
 * A null broker in a process of its own: it takes every batch, counts its records, throws it away and answers. It
 * leads all partitions of whatever topic it is asked for. With `--check` it decodes every record and compares every
 * checksum; with `--delay-ms` it answers later, each request on its own.
 */

const { values } = parseArgs({
  options: {
    partitions: { type: 'string', default: '6' },
    brokers: { type: 'string', default: '1' },
    'delay-ms': { type: 'string', default: '0' },
    check: { type: 'boolean', default: false },
  },
})
const partitions = Number(values.partitions)
const delayMs = Number(values['delay-ms'])
const RECORD_COUNT_AT = 57

const SERVED: readonly Api<never, never>[] = [produce, metadata, apiVersions] as never
/** As Kafka 3.9 has them; clients that know only older ones find a common one. */
const RANGES = [
  { apiKey: 0, minVersion: 0, maxVersion: 11 },
  { apiKey: 3, minVersion: 0, maxVersion: 12 },
  { apiKey: 18, minVersion: 0, maxVersion: 4 },
]

const counts = { records: 0, bytes: 0, requests: 0, offsets: new Map<string, bigint>() }
const ports: number[] = []

function serve(socket: Socket): void {
  socket.setNoDelay(true)
  const splitter = new FrameSplitter(8, 512 * 1024 * 1024)
  socket.on('data', (chunk: Buffer) => splitter.push(chunk, (frame) => answer(socket, frame)))
  socket.on('error', () => socket.destroy())
}

function answer(socket: Socket, frame: Buffer): void {
  const reader = new ByteReader(frame)
  const { apiKey, apiVersion, correlationId } = readRequestHeader(reader)
  const api = SERVED.find(({ key }) => key === apiKey)
  const range = RANGES.find((row) => row.apiKey === apiKey)
  if (api === undefined || range === undefined) return void socket.destroy()
  if (apiKey === apiVersions.key && apiVersion > range.maxVersion) {
    return send(socket, encodeResponseFrame(apiVersions, 0, correlationId, { ...versions, errorCode: 35 }))
  }
  readRequestHeaderEnd(reader, api, apiVersion)
  if (apiKey === apiVersions.key) send(socket, encodeResponseFrame(apiVersions, apiVersion, correlationId, versions))
  else if (apiKey === metadata.key) {
    const { topics } = metadata.decodeRequest(reader, apiVersion)
    send(socket, encodeResponseFrame(metadata, apiVersion, correlationId, cluster((topics ?? []).map(({ name }) => name ?? ''))))
  } else {
    const request = produce.decodeRequest(reader, apiVersion)
    const response = take(request, frame.length)
    if (request.acks !== 0) send(socket, encodeResponseFrame(produce, apiVersion, correlationId, response))
  }
}

function send(socket: Socket, frame: Buffer): void {
  if (delayMs === 0) socket.write(frame)
  else setTimeout(() => socket.write(frame), delayMs)
}

function take(request: DecodedProduceRequest, bytes: number) {
  counts.requests++
  counts.bytes += bytes
  return {
    throttleTimeMs: 0,
    nodeEndpoints: [],
    responses: request.topicData.map(({ name, topicId, partitionData }) => ({
      name,
      topicId,
      partitionResponses: partitionData.map(({ index, records }) => {
        const count = countRecords(records)
        counts.records += count
        const place = `${name}-${index}`
        const baseOffset = counts.offsets.get(place) ?? 0n
        counts.offsets.set(place, baseOffset + BigInt(count))
        return {
          index,
          errorCode: 0,
          baseOffset,
          logAppendTimeMs: -1,
          logStartOffset: 0n,
          recordErrors: [],
          errorMessage: null,
          currentLeader: { leaderId: -1, leaderEpoch: -1 },
        }
      }),
    })),
  }
}

/** Every client here sends record batches. */
function countRecords(records: Buffer | null): number {
  if (records === null) return 0
  if (values.check) return decodeBatches(records).reduce((sum, batch) => sum + batch.records.length, 0)
  let count = 0
  for (let at = 0; at < records.length; at += 12 + records.readInt32BE(at + 8)) count += records.readInt32BE(at + RECORD_COUNT_AT)
  return count
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
}
process.on('message', (message) => {
  if (message === 'counts') process.send?.({ records: counts.records, bytes: counts.bytes, requests: counts.requests })
  if (message === 'reset') {
    counts.records = counts.bytes = counts.requests = 0
    process.send?.('reset')
  }
})
process.on('disconnect', () => process.exit())
process.send?.({ bootstrap: ports.map((port) => `127.0.0.1:${port}`).join(',') })
