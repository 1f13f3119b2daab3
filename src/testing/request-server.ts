import type { Clock } from '../clock.js'
import { ByteReader } from '../protocol/byte-reader.js'
import { readRequestHeader, readRequestHeaderEnd, type RequestHeader } from '../protocol/header.js'
import type { Decompress } from '../protocol/records/record.js'
import type { ApiName } from './api-names.js'
import type { Cluster, ClusterNode } from './cluster.js'
import type { Faults, RequestFaults } from './faults.js'
import { HangUp, NO_ANSWER, type OpenedRequest, type RequestContext, type ServedApi } from './handler.js'
import { unknownApiVersion } from './handlers/api-versions.js'
import type { Journal, JournalEntry } from './journal.js'
import { liveView, type MetadataView } from './metadata-view.js'
import type { SaslSession } from './security/sasl-server.js'
import { spoil } from './spoil.js'
import { sleep, type Gate } from './waiting.js'

const API_VERSIONS_KEY = 18

/** What a connection does with a request that was served. */
export interface Reply {
  readonly bytes?: Buffer
  /** Close the connection then. */
  readonly hangUp?: boolean
  /** Milliseconds in which nothing more is read then. */
  readonly muteMs?: number
}

/** What may happen while a request is served. */
export interface ServeSignals {
  /** Aborted when its connection is gone. */
  readonly gone: AbortSignal
  /** Aborted when the broker stops; nothing is carried out then. */
  readonly stopped: AbortSignal
  /** Closed while the broker is paused; nothing is carried out then either. */
  readonly running: Gate
}

/** A request that is to be served when its turn comes. */
export interface PendingRequest {
  /** Rejects once a signal is aborted that it waits with. */
  serve(signals: ServeSignals): Promise<Reply>
}

/** The connection a request came on. */
export interface RequestSource {
  readonly id: number
  clientId: string | null
  /** Where its listener wants SASL. */
  readonly sasl: SaslSession | undefined
}

/** A request that was decoded, and what of it the answer depends on. */
interface Received {
  readonly api: ApiName
  /** Of the journal; a bare token has none. */
  readonly entry: JournalEntry | undefined
  readonly opened: OpenedRequest
  readonly version: number
  readonly correlationId: number
  readonly clientId: string | null
  readonly broker: ClusterNode
  readonly sasl: SaslSession | undefined
}

export interface RequestServerParts {
  readonly cluster: Cluster
  readonly handlers: ReadonlyMap<number, ServedApi>
  readonly faults: Faults
  readonly journal: Journal
  readonly decompress: Decompress
  /** Metadata views of brokers that were frozen, by broker id. */
  readonly frozenViews: ReadonlyMap<number, MetadataView>
}

/** Turns the frames that a broker receives into answers. */
export class RequestServer {
  constructor(private readonly parts: RequestServerParts) {}

  /** Decodes and records a request; one that no broker would understand is answered by hanging up. */
  receive(frame: Buffer, broker: ClusterNode, connection: RequestSource): PendingRequest {
    const reader = new ByteReader(frame)
    const header = readRequestHeader(reader)
    const hangUp = (why: string, its: RequestHeader = header): PendingRequest =>
      broker.release.forgets(its.apiKey) ? FORGOTTEN : this.hangUp(its, frame, broker, connection, why)
    if (reader.invalid) return hangUp(reader.problem() ?? '', NO_HEADER)
    const { apiKey, apiVersion, correlationId, clientId } = header
    if (apiKey === API_VERSIONS_KEY) {
      if (broker.release.apiVersions !== 'answers') return hangUp(`Kafka ${broker.release.name} has no such request`)
      const special = withoutApiVersions(broker, header)
      if (special !== undefined) return special
    }
    const api = this.parts.handlers.get(apiKey)
    const version = broker.release.servedVersion(apiKey, apiVersion)
    if (api === undefined || version === undefined || !hasCodec(api, version)) {
      return hangUp(whyNotServed(api, broker, apiKey))
    }
    readRequestHeaderEnd(reader, api.info, version)
    const opened = api.open(reader, version, this.parts.cluster)
    if (reader.invalid) return hangUp(reader.problem() ?? '')
    const { topics, acks } = opened
    connection.clientId = clientId
    const entry = this.parts.journal.add({ ...this.entryOf(header, frame, broker, connection), acks, topics })
    return {
      serve: (signals) =>
        this.serve(
          { api: api.name, entry, opened, version, correlationId, clientId, broker, sasl: connection.sasl },
          signals,
        ),
    }
  }

  /** What came is not served, whatever it is: it is recorded, and the connection closed when its turn comes. */
  refuse(frame: Buffer, broker: ClusterNode, connection: RequestSource, why: string): PendingRequest {
    const reader = new ByteReader(frame)
    const header = readRequestHeader(reader)
    return this.hangUp(reader.invalid ? NO_HEADER : header, frame, broker, connection, why)
  }

  private hangUp(
    header: RequestHeader,
    frame: Buffer,
    broker: ClusterNode,
    connection: RequestSource,
    why: string,
  ): PendingRequest {
    const { journal } = this.parts
    const request = this.entryOf(header, frame, broker, connection)
    journal.hungUp(journal.add({ ...request, acks: undefined, topics: [] }), why)
    return { serve: () => Promise.resolve({ hangUp: true }) }
  }

  private entryOf(
    { apiKey, apiVersion, correlationId, clientId }: RequestHeader,
    frame: Buffer,
    broker: ClusterNode,
    connection: RequestSource,
  ) {
    const api = this.parts.handlers.get(apiKey)?.name
    const where = { receivedAt: this.parts.cluster.clock.timestamp(), broker: broker.id, connection: connection.id }
    return { ...where, apiKey, api, apiVersion, clientId, correlationId, sizeBytes: frame.length }
  }

  /** A token that came bare, as after SaslHandshake v0: to faults it is a SaslAuthenticate. */
  receiveToken(token: Buffer, sasl: SaslSession, broker: ClusterNode, { clientId }: RequestSource): PendingRequest {
    const opened: OpenedRequest = {
      topics: [],
      acks: undefined,
      answer: ({ faults }) =>
        Promise.resolve(sasl.bareToken(token, faults.errorFor() !== undefined) ?? new HangUp('the token was refused')),
    }
    return {
      serve: (signals) =>
        this.serve(
          { api: 'SaslAuthenticate', entry: undefined, opened, version: 0, correlationId: 0, clientId, broker, sasl },
          signals,
        ),
    }
  }

  private async serve(received: Received, { gone, stopped, running }: ServeSignals): Promise<Reply> {
    const { api, opened, correlationId, clientId, broker } = received
    const faults = this.parts.faults.meet({ api, broker: broker.id, clientId, topics: opened.topics })
    await holdBefore(this.parts.cluster.clock, faults, stopped)
    await running.pass(stopped)
    for (const { behaviour } of faults.of('cut')) if (behaviour.moment === 'before') return { hangUp: true }
    const { throttleTimeMs } = faults
    const context = this.contextOf(received, faults, gone)
    const answer = await opened.answer(context, correlationId)
    if (answer instanceof HangUp) {
      if (received.entry !== undefined) this.parts.journal.hungUp(received.entry, answer.why)
      return { hangUp: true }
    }
    await holdAfter(faults, stopped)
    if (throttleTimeMs > 0 && !broker.release.answersBeforeThrottling)
      await sleep(this.parts.cluster.clock, throttleTimeMs, gone)
    const muteMs = broker.release.answersBeforeThrottling ? throttleTimeMs : 0
    return { muteMs, ...(answer === NO_ANSWER ? {} : respond(answer, faults)) }
  }

  private contextOf(
    { version, clientId, broker, sasl }: Received,
    faults: RequestFaults,
    signal: AbortSignal,
  ): RequestContext {
    const { cluster, decompress, frozenViews } = this.parts
    const { throttleTimeMs } = faults
    const metadata = (): MetadataView => frozenViews.get(broker.id) ?? liveView(cluster)
    return { cluster, broker, version, clientId, faults, throttleTimeMs, decompress, sasl, metadata, signal }
  }
}

/** Nothing comes of it. */
const FORGOTTEN: PendingRequest = { serve: () => Promise.resolve({}) }

/** Of bytes too few to be a request. */
const NO_HEADER: RequestHeader = { apiKey: -1, apiVersion: -1, correlationId: -1, clientId: null }

function whyNotServed(api: ServedApi | undefined, { release }: ClusterNode, apiKey: number): string {
  const range = release.served(apiKey)
  if (range === undefined) return `Kafka ${release.name} has no such request`
  if (api === undefined) return 'the embedded broker has no such request'
  return `Kafka ${release.name} has versions ${range.min} to ${Math.min(range.max, api.info.maxVersion)}`
}

function hasCodec({ info }: ServedApi, version: number): boolean {
  return version >= info.minVersion && version <= info.maxVersion
}

/** An ApiVersions request that this release does not take like any other. */
function withoutApiVersions({ release }: ClusterNode, header: RequestHeader): PendingRequest | undefined {
  const range = release.served(API_VERSIONS_KEY)
  if (range !== undefined && header.apiVersion >= range.min && header.apiVersion <= range.max) return undefined
  return { serve: () => Promise.resolve({ bytes: unknownApiVersion(release, header.correlationId) }) }
}

async function holdBefore(clock: Clock, faults: RequestFaults, signal: AbortSignal): Promise<void> {
  for (const { behaviour, released } of faults.of('delay')) await released.passWithin(clock, behaviour.ms, signal)
  for (const { behaviour, released } of faults.of('stall'))
    if (behaviour.moment === 'before') await released.pass(signal)
}

async function holdAfter(faults: RequestFaults, signal: AbortSignal): Promise<void> {
  for (const { behaviour, released } of faults.of('stall'))
    if (behaviour.moment === 'after') await released.pass(signal)
}

function respond(answer: Buffer, faults: RequestFaults): Reply {
  let bytes = answer
  for (const { behaviour } of faults.of('spoil')) bytes = spoil(bytes, behaviour.how)
  for (const { behaviour } of faults.of('cut')) {
    if (behaviour.moment === 'after') return { hangUp: true }
    if (behaviour.moment === 'mid-response')
      return { bytes: bytes.subarray(0, Math.ceil(bytes.length / 2)), hangUp: true }
  }
  return { bytes }
}
