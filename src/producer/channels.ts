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
} from '../stats/observer.js'
import type { KeyedMessage } from './keyed-message.js'
import { withHeaders, type HeaderValue } from './message-headers.js'

// The names are part of the public API: whoever traces subscribes to them before any producer is made.
const SEND = tracingChannel<unknown, object>('kafka-producer:send')
const BATCH = tracingChannel<unknown, object>('kafka-producer:batch')
const REQUEST = tracingChannel<unknown, object>('kafka-producer:request')
const CONNECT = tracingChannel<unknown, object>('kafka-producer:connect')
const METADATA = tracingChannel<unknown, object>('kafka-producer:metadata')

interface OfProducer {
  /** The producer's `clientId`. */
  readonly clientId: string
}

/** What subscribers of `tracing:kafka-producer:send:*` are given: one object from start to end. */
export interface SendTrace extends OfProducer {
  readonly type: 'sync' | 'async'
  /** As they were given to `send()`; not to be changed. */
  readonly messages: readonly KeyedMessage[]
  /** Adds headers to one of the messages, behind its own: in `start` alone, before anything of it is read. */
  addHeaders(index: number, headers: Readonly<Record<string, HeaderValue>>): void
  /** From `asyncStart` on: what the promise resolves with; in async mode nothing, and it says "queued". */
  readonly result?: unknown
  /** From `error` on: what the promise rejects with. */
  readonly error?: unknown
}

/** Of one attempt of a batch: `tracing:kafka-producer:batch:*`. What {@link BatchEnd} has is there from `asyncStart` on. */
export type BatchTrace = OfProducer & BatchBegin & Partial<BatchEnd>
/** Of a request of whatever kind: `tracing:kafka-producer:request:*`. */
export type RequestTrace = OfProducer & RequestBegin & Partial<RequestEnd>
/** Of a connection, TLS and authentication included: `tracing:kafka-producer:connect:*`. */
export type ConnectTrace = OfProducer & ConnectBegin & Partial<ConnectEnd>
/** Of a question for metadata: `tracing:kafka-producer:metadata:*`. */
export type MetadataTrace = OfProducer & MetadataBegin & Partial<MetadataEnd>

/** Asked once for each call, before anything is made to tell. */
export function isSendTraced(): boolean {
  return SEND.hasSubscribers
}

/**
 * A `send()` under the eyes of subscribers, who may add headers: these messages are new ones then.
 *
 * @param send begins with nothing of it read yet
 */
export function traceSend<K, V, R>(
  of: OfProducer & { readonly type: 'sync' | 'async' },
  messages: readonly KeyedMessage<K, V>[],
  send: (messages: readonly KeyedMessage<K, V>[]) => Promise<R>,
): Promise<R> {
  let sent = messages
  let hasStarted = false
  const trace: SendTrace = {
    clientId: of.clientId,
    type: of.type,
    messages,
    addHeaders: (index, headers) => {
      const message = sent[index]
      if (hasStarted || message === undefined) return
      try {
        const traced = withHeaders(message, headers)
        sent = sent.map((other, at) => (at === index ? traced : other))
      } catch {
        // It can't be read, which `send()` will say.
      }
    },
  }
  const start = (): Promise<R> => {
    hasStarted = true
    return send(sent)
  }
  return SEND.tracePromise(start, trace)
}

/** Tells the other channels; their subscribers run when the step that something began or ended in is complete. */
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
    if (!channel.hasSubscribers) return undefined
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
