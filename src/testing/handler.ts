import type { Api, ApiInfo, ResponseEncoder } from '../protocol/api.js'
import type { ByteReader } from '../protocol/byte-reader.js'
import { encodeResponseFrame } from '../protocol/frame.js'
import type { Decompress } from '../protocol/records/record.js'
import type { ApiName } from './api-names.js'
import type { Cluster, ClusterNode } from './cluster.js'
import type { RequestFaults } from './faults.js'
import type { RequestedTopic } from './journal.js'
import type { MetadataView } from './metadata-view.js'
import type { SaslSession } from './security/sasl-server.js'

/** What a handler returns where there is nothing to answer. */
export const NO_ANSWER: unique symbol = Symbol('no answer')
/** What a handler returns where Kafka closes the connection. */
export class HangUp {
  /** @param why what Kafka would write to its log at most: it tells the client nothing */
  constructor(readonly why: string) {}
}

/** What a handler needs to know of the request besides its body. */
export interface RequestContext {
  readonly cluster: Cluster
  /** The broker that was asked. */
  readonly broker: ClusterNode
  readonly version: number
  readonly clientId: string | null
  readonly faults: RequestFaults
  /** What the answer tells the client of throttling, in milliseconds. */
  readonly throttleTimeMs: number
  readonly decompress: Decompress
  /** Of the connection, where its listener wants SASL. */
  readonly sasl: SaslSession | undefined
  /** What this broker believes of the cluster. */
  readonly metadata: () => MetadataView
  /** Aborted when the connection is gone. */
  readonly signal: AbortSignal
}

type Answer<Response> = Response | typeof NO_ANSWER | HangUp

/** One request of the protocol as the embedded broker serves it, in all versions. */
export interface Handler<Request, Response extends object> {
  readonly api: ApiInfo & Pick<Api<Request, unknown>, 'decodeRequest'> & ResponseEncoder<Response>
  /** The topics it has to do with, for faults and the record of requests. */
  topics?(request: Request, cluster: Cluster): readonly RequestedTopic[]
  /** Of a Produce. */
  acks?(request: Request): number
  answer(request: Request, context: RequestContext): Answer<Response> | Promise<Answer<Response>>
}

/** A request that was decoded. */
export interface OpenedRequest {
  readonly topics: readonly RequestedTopic[]
  readonly acks: number | undefined
  answer(context: RequestContext, correlationId: number): Promise<Answer<Buffer>>
}

/** A handler whose types nobody needs to know any more. */
export interface ServedApi {
  readonly info: ApiInfo
  readonly name: ApiName
  /** The reader says afterwards whether the body could be read; like Kafka, bytes after its end are nobody's business. */
  open(reader: ByteReader, version: number, cluster: Cluster): OpenedRequest
}

export function serve<Request, Response extends object>(name: ApiName, handler: Handler<Request, Response>): ServedApi {
  return {
    info: handler.api,
    name,
    open(reader, version, cluster) {
      const request = handler.api.decodeRequest(reader, version)
      const readable = !reader.invalid
      return {
        topics: readable ? (handler.topics?.(request, cluster) ?? []) : [],
        acks: readable ? handler.acks?.(request) : undefined,
        async answer(context, correlationId) {
          const response = await handler.answer(request, context)
          if (typeof response === 'symbol' || response instanceof HangUp) return response
          return encodeResponseFrame(handler.api, version, correlationId, response)
        },
      }
    },
  }
}
