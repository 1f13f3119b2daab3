import type { KafkaProducerError } from '../errors.js'

/** Told, once, when what was begun has ended. */
export type OnEnd<End> = (end: End) => void

/** A `send()` and its messages. */
export interface SendBegin {
  readonly messages: number
}

/** In sync mode all of them have their fate; in async mode they are queued. */
export interface SendEnd {
  readonly error: unknown
}

/** One attempt of a batch: it goes into a request. */
export interface BatchBegin {
  readonly topic: string
  readonly partition: number
  /** The id of the partition's leader. */
  readonly brokerId: number
  /** 1 for the first; an attempt to connect that failed is one, too. */
  readonly attempt: number
  /** Whether its messages have been in no request before. */
  readonly isFirst: boolean
  readonly messages: number
  /** Bytes of the batch before compression, and in the request. */
  readonly plainBytes: number
  readonly wireBytes: number
  /** Milliseconds since the `send()` of its first message. */
  readonly queuedMs: number
}

export interface BatchEnd {
  /** Why it was not acknowledged; undefined where it was. */
  readonly error: KafkaProducerError | undefined
  /** Whether it goes out again, whole or in parts. */
  readonly isRetried: boolean
  /** Milliseconds from its request on. */
  readonly latencyMs: number
  /** Milliseconds since the `send()` of its first message. */
  readonly ageMs: number
}

/** A request, of whatever kind, that is written. */
export interface RequestBegin {
  /** Host and port. */
  readonly broker: string
  /** What is asked, such as `'Produce'`, and by which version. */
  readonly api: string
  readonly version: number
  readonly correlationId: number
  readonly bytes: number
}

/** It was answered; or, where it has no answer, the system has taken it; or the connection ended before. */
export interface RequestEnd {
  readonly latencyMs: number
  readonly responseBytes: number
  readonly error: KafkaProducerError | undefined
}

/** A connection that is being opened, TLS and authentication included. */
export interface ConnectBegin {
  readonly broker: string
}

export interface ConnectEnd {
  readonly latencyMs: number
  readonly error: KafkaProducerError | undefined
}

/** A question for metadata, whichever brokers it is put to. */
export interface MetadataBegin {
  readonly topics: readonly string[]
}

export interface MetadataEnd {
  readonly latencyMs: number
  readonly error: KafkaProducerError | undefined
}

interface OfBatch {
  readonly topic: string
  /** Undefined for messages that failed before they had one. */
  readonly partition: number | undefined
  /** The id of the broker that it was sent to, before that of the leader, -1 for none; undefined where no answer failed it. */
  readonly brokerId: number | undefined
  readonly messages: number
  readonly attempts: number
  readonly error: KafkaProducerError
}

interface OfBroker {
  /** Host and port. */
  readonly broker: string
}

/** What happens once and has no end. */
export type ObservedEvent =
  /** A batch is to be sent again. */
  | ({ readonly type: 'retry' } & OfBatch)
  /** Messages of one partition are told that they failed: a batch, or those that failed alike by themselves. */
  | ({ readonly type: 'failed' } & OfBatch)
  | {
      readonly type: 'leader-changed'
      readonly topic: string
      readonly partition: number
      readonly from: number
      readonly to: number
    }
  /** What a broker asked for, and how much longer it is left alone for that: answers on their way ask for the same time. */
  | ({ readonly type: 'throttled'; readonly throttleMs: number; readonly addedMs: number } & OfBroker)
  /** A connection that was opened has ended, whoever ended it; with how many requests that had no answer. */
  | ({ readonly type: 'disconnected'; readonly requests: number; readonly error: KafkaProducerError } & OfBroker)
  /** The SASL session goes on. */
  | ({ readonly type: 'renewed' } & OfBroker)
  | ({ readonly type: 'renewal-failed'; readonly error: KafkaProducerError } & OfBroker)
  /** The coordinator of a transaction, or of a group whose offsets go with it, is asked again. */
  | {
      readonly type: 'coordinator-retry'
      readonly coordinator: 'transaction' | 'group'
      readonly error: KafkaProducerError
    }
  /** A transaction can only be aborted, or its producer can't go on; not what its own program aborts or closes. */
  | { readonly type: 'transaction-failed'; readonly error: KafkaProducerError }
  /** Messages wait for room, beside so many that have it. */
  | { readonly type: 'queue-full'; readonly messages: number; readonly bytes: number }
  /** A message was refused for want of room. */
  | { readonly type: 'dropped'; readonly topic: string; readonly error: KafkaProducerError }

/** Watches one kind of thing; gives who is told of the end, if anybody is. */
export type Watch<Begin, End> = (begin: Begin) => OnEnd<End> | undefined

/**
 * Who wants to know what a producer does. Each kind can be left out, and costs nothing then.
 *
 * It is told in the midst of things: it may not throw, and what is the user's it calls later, when the step is complete.
 */
export interface Observer {
  readonly send?: Watch<SendBegin, SendEnd>
  readonly batch?: Watch<BatchBegin, BatchEnd>
  readonly request?: Watch<RequestBegin, RequestEnd>
  readonly connect?: Watch<ConnectBegin, ConnectEnd>
  readonly metadata?: Watch<MetadataBegin, MetadataEnd>
  readonly event?: (event: ObservedEvent) => void
}

/** What begins and ends, and who watches it. */
export class Watched<Begin, End> {
  private readonly watches: Watch<Begin, End>[] = []

  /** Asked before anything is made to tell. */
  get isWatched(): boolean {
    return this.watches.length > 0
  }

  add(watch: Watch<Begin, End> | undefined): void {
    if (watch !== undefined) this.watches.push(watch)
  }

  begin(what: Begin): OnEnd<End> {
    const { watches } = this
    if (watches.length === 1) return watches[0]?.(what) ?? ignore
    const ends = watches.map((watch) => watch(what))
    return (end) => {
      for (const onEnd of ends) onEnd?.(end)
    }
  }
}

const ignore = (): void => undefined

/**
 * The one place where what a producer does is seen from: sends, batches, requests, connections and questions for metadata
 * as they begin and end, and what happens in between. Never single messages.
 */
export class Observers {
  readonly sends = new Watched<SendBegin, SendEnd>()
  readonly batches = new Watched<BatchBegin, BatchEnd>()
  readonly requests = new Watched<RequestBegin, RequestEnd>()
  readonly connects = new Watched<ConnectBegin, ConnectEnd>()
  readonly questions = new Watched<MetadataBegin, MetadataEnd>()
  private readonly listeners: ((event: ObservedEvent) => void)[] = []

  add({ send, batch, request, connect, metadata, event }: Observer): void {
    this.sends.add(send)
    this.batches.add(batch)
    this.requests.add(request)
    this.connects.add(connect)
    this.questions.add(metadata)
    if (event !== undefined) this.listeners.push(event)
  }

  /** Whether anybody wants to hear of events; asked before one is made. */
  get wantsEvents(): boolean {
    return this.listeners.length > 0
  }

  happened(event: ObservedEvent): void {
    for (const listener of this.listeners) listener(event)
  }
}
