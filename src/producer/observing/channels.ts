import { tracingChannel, type TracingChannel } from 'node:diagnostics_channel'
import type {
  BatchBegin,
  BatchEnd,
  ConnectBegin,
  ConnectEnd,
  MetadataBegin,
  MetadataEnd,
  Observer,
  RequestBegin,
  RequestEnd,
  Watch,
} from '../../stats/observer.js'

// The names are part of the public API: whoever traces subscribes to them before any producer is made.
const BATCH = tracingChannel<unknown, object>('kafka-producer:batch')
const REQUEST = tracingChannel<unknown, object>('kafka-producer:request')
const CONNECT = tracingChannel<unknown, object>('kafka-producer:connect')
const METADATA = tracingChannel<unknown, object>('kafka-producer:metadata')

interface OfProducer {
  /** The producer's `clientId`. */
  readonly clientId: string
}

/** Of one attempt of a batch: `tracing:kafka-producer:batch:*`. What {@link BatchEnd} has is there from `asyncStart` on. */
export type BatchTrace = OfProducer & BatchBegin & Partial<BatchEnd>
/** Of a request of whatever kind: `tracing:kafka-producer:request:*`. */
export type RequestTrace = OfProducer & RequestBegin & Partial<RequestEnd>
/** Of a connection, TLS and authentication included: `tracing:kafka-producer:connect:*`. */
export type ConnectTrace = OfProducer & ConnectBegin & Partial<ConnectEnd>
/** Of a question for metadata: `tracing:kafka-producer:metadata:*`. */
export type MetadataTrace = OfProducer & MetadataBegin & Partial<MetadataEnd>

/** Tells all channels but that of sends; their subscribers run when the step that something began or ended in is complete. */
export class ChannelObserver implements Observer {
  readonly batch: Watch<BatchBegin, BatchEnd>
  readonly request: Watch<RequestBegin, RequestEnd>
  readonly connect: Watch<ConnectBegin, ConnectEnd>
  readonly metadata: Watch<MetadataBegin, MetadataEnd>

  constructor(clientId: string) {
    this.batch = watchFor(BATCH, clientId)
    this.request = watchFor(REQUEST, clientId)
    this.connect = watchFor(CONNECT, clientId)
    this.metadata = watchFor(METADATA, clientId)
  }
}

function watchFor<Begin extends object, End extends { readonly error: unknown }>(
  channel: TracingChannel<unknown, object>,
  clientId: string,
): Watch<Begin, End> {
  return (begin) => {
    if (!hasSubscribers(channel)) return undefined
    const trace = { clientId, ...begin }
    queueMicrotask(() => {
      channel.start.publish(trace)
      channel.end.publish(trace)
    })
    return (end) => {
      queueMicrotask(() => {
        Object.assign(trace, end)
        if (end.error !== undefined) channel.error.publish(trace)
        channel.asyncStart.publish(trace)
        channel.asyncEnd.publish(trace)
      })
    }
  }
}

/** What Bun's tracing channels do not tell of themselves. */
function hasSubscribers({ start, end, asyncStart, asyncEnd, error }: TracingChannel<unknown, object>): boolean {
  return (
    start.hasSubscribers ||
    end.hasSubscribers ||
    asyncStart.hasSubscribers ||
    asyncEnd.hasSubscribers ||
    error.hasSubscribers
  )
}
