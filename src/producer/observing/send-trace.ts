import { tracingChannel } from 'node:diagnostics_channel'
import type { KafkaProducerError } from '../../errors.js'
import type { BrokerAddress } from '../../network/streams/connect.js'
import { AddedHeaders } from '../../protocol/records/record.js'
import { fatesIn, type Replacement } from '../interceptors.js'
import { isList, type Given, type KeyedMessage } from '../messages/keyed-message.js'
import {
  hasHeader,
  hasOwnHeaders,
  headerPairs,
  sendablePairs,
  withHeaders,
  withLastingHeaders,
  withOtherHeaders,
  type HeaderPair,
  type HeaderValue,
} from '../messages/message-headers.js'
import type { RecordMetadata } from '../record-metadata.js'
import { tellUser } from './tell-user.js'

// The name is part of the public API: whoever traces subscribes to it before any producer is made.
const SEND = tracingChannel<unknown, object>('kafka-producer:send')
// Apart, since they are looked at in every send.
const { start, end, asyncStart, asyncEnd, error } = SEND

/** How a message ended: where it stands now, or why it does not. */
export type MessageEnd = RecordMetadata | KafkaProducerError

/**
 * What subscribers of `tracing:kafka-producer:send:*` are given: one object from start to end. Its methods, but `leaderOf`,
 * are for `start` alone, when nothing of the messages was read yet; later they do nothing.
 */
export interface SendTrace {
  /** The producer's `clientId`. */
  readonly clientId: string
  readonly type: 'sync' | 'async'
  /** As they were given to `send()`; not to be changed, and not checked yet: reading one may throw. */
  readonly messages: readonly KeyedMessage[]
  /** The headers of one of the messages, those included that were added; none where it has none that can be read. */
  headersOf(index: number): readonly HeaderPair[]
  /** Whether one of the messages has a header of any of these names: what costs less than to look through all of them. */
  hasHeader(index: number, names: readonly string[]): boolean
  /** Takes headers of these names out of one of the messages. */
  removeHeaders(index: number, names: readonly string[]): void
  /**
   * Adds headers to one of the messages, behind its own; those that no message may have are left out. A message that has none
   * of its own goes without them where its broker is older than Kafka 0.11, which has no headers.
   */
  addHeaders(index: number, headers: Readonly<Record<string, HeaderValue>>): void
  /**
   * Asks to be told how all messages ended, each in its place: once, when the last of them has ended. In sync mode that
   * is just before the promise settles, in async mode when the last was told to `onDelivery`, or refused.
   */
  onEnds(listener: (ends: readonly MessageEnd[]) => void): void
  /**
   * Where the broker is that leads a partition, by all that the producer knows at this moment: its address as the cluster
   * tells it to clients. Nothing where it knows no leader. It is for listeners of `onEnds`, and asks nobody.
   */
  leaderOf(topic: string, partition: number): BrokerAddress | undefined
  /** From `asyncStart` on: what the promise resolves with; in async mode nothing, and it says "queued". */
  readonly result?: unknown
  /** From `error` on: what the promise rejects with. */
  readonly error?: unknown
}

/** What a trace tells of the producer that sends. */
interface Sender {
  readonly clientId: string
  readonly type: 'sync' | 'async'
  readonly leaders: Pick<SendTrace, 'leaderOf'>
}

/** Shows the sends of a producer to subscribers, who may add headers and ask for their messages' ends. */
export class SendTracing {
  private readonly sender: Sender

  constructor({ clientId, type }: Omit<Sender, 'leaders'>, leaders: Sender['leaders']) {
    this.sender = { clientId, type, leaders }
  }

  /** Asked once for each call, before anything is made to tell. What Bun's tracing channels do not tell of themselves. */
  get isWatched(): boolean {
    return start.hasSubscribers || isEndWatched()
  }

  /**
   * Gives the trace to send under; nothing where those that saw it begin leave it as it is, as most tracing does with what is
   * not sampled: then it is sent as if nobody had looked.
   */
  begin(given: Given<unknown, unknown>): TracedSend | undefined {
    const trace = new TracedSend(this.sender, given)
    if (hasStores(start) || isEndWatched()) return trace
    start.publish(trace)
    return trace.begin() ? trace : undefined
  }
}

/** Whether anybody wants more of sends than to see them begin. */
function isEndWatched(): boolean {
  return end.hasSubscribers || arePromisesWatched()
}

function arePromisesWatched(): boolean {
  return asyncStart.hasSubscribers || asyncEnd.hasSubscribers || error.hasSubscribers
}

/**
 * Whether a store is bound to a channel. Node documents no way to ask; to run something within no store costs several times
 * what it does to publish, most on Node 26. Where the field is not there stores are taken to be bound.
 */
function hasStores(channel: object): boolean {
  return (channel as { readonly _stores?: { readonly size?: number } })._stores?.size !== 0
}

/** A `send()` under the eyes of subscribers. */
export class TracedSend implements SendTrace {
  declare readonly result?: unknown
  declare readonly error?: unknown
  /** With headers added; undefined as long as there are none. */
  #changed: KeyedMessage[] | undefined
  #ends: MessageEnds | undefined
  #hasBegun = false
  #given: Given<unknown, unknown>
  readonly #leaders: Sender['leaders']
  readonly clientId: string
  readonly type: 'sync' | 'async'

  constructor({ clientId, type, leaders }: Sender, given: Given<unknown, unknown>) {
    this.clientId = clientId
    this.type = type
    this.#leaders = leaders
    this.#given = given
  }

  /** A list is made of one message when somebody looks at it. */
  get messages(): readonly KeyedMessage[] {
    if (isList(this.#given)) return this.#given
    const list = [this.#given]
    this.#given = list
    return list
  }

  headersOf(index: number): readonly HeaderPair[] {
    const message = this.#lastingAt(index)
    return message === undefined ? [] : headerPairs(message)
  }

  hasHeader(index: number, names: readonly string[]): boolean {
    const message = this.#at(index)
    if (this.#hasBegun || message === undefined) return false
    return hasHeader(message, names) ?? this.headersOf(index).some(([name]) => names.includes(name))
  }

  removeHeaders(index: number, names: readonly string[]): void {
    const pairs = this.headersOf(index)
    const left = pairs.filter(([name]) => !names.includes(name))
    if (left.length < pairs.length) this.#change(index, (message) => withOtherHeaders(message, left))
  }

  addHeaders(index: number, headers: Readonly<Record<string, HeaderValue>>): void {
    this.#change(index, (message) => {
      const changed = withHeaders(message, sendablePairs(headers))
      return changed === message || hasOwnHeaders(message)
        ? changed
        : withOtherHeaders(changed, AddedHeaders.from(headerPairs(changed)))
    })
  }

  #change(index: number, changed: (message: KeyedMessage) => KeyedMessage): void {
    const message = this.#lastingAt(index)
    if (message === undefined) return
    try {
      this.#put(index, changed(message))
    } catch {
      // It can't be read, which `send()` will say.
    }
  }

  onEnds(listener: (ends: readonly MessageEnd[]) => void): void {
    if (this.#hasBegun) return
    this.#ends ??= new MessageEnds(this.messages.length)
    this.#ends.listeners.push(listener)
  }

  leaderOf(topic: string, partition: number): BrokerAddress | undefined {
    return this.#leaders.leaderOf(topic, partition)
  }

  /** Nothing can be asked of it any more; whether anything was. */
  begin(): boolean {
    this.#hasBegun = true
    return this.#changed !== undefined || this.#ends !== undefined
  }

  /** @param send is given what goes in place of the messages, if anything does */
  run(send: (instead: Replacement | undefined) => Promise<unknown>): Promise<unknown> {
    // Its start was shown already.
    if (this.#hasBegun) return this.#send(send)
    const begin = (): Promise<unknown> => {
      this.begin()
      return this.#send(send)
    }
    // Who only wants to see it begin does not pay for promises that tell of its end.
    if (arePromisesWatched()) return SEND.tracePromise(begin, this)
    const sent = start.runStores(this, begin)
    end.publish(this)
    return sent
  }

  #send(send: (instead: Replacement | undefined) => Promise<unknown>): Promise<unknown> {
    const ends = this.#ends
    const messages = this.#changed ?? this.messages
    if (ends === undefined) return send(this.#changed === undefined ? undefined : { messages })
    const instead = { messages, acknowledged: this.type === 'async' ? ends.put : undefined }
    return ends.of(send(this.#changed === undefined && this.type === 'sync' ? undefined : instead))
  }

  #at(index: number): KeyedMessage | undefined {
    return (this.#changed ?? this.messages)[index]
  }

  /** For whoever reads its headers, which are read again afterwards. */
  #lastingAt(index: number): KeyedMessage | undefined {
    const message = this.#at(index)
    if (this.#hasBegun || message === undefined) return undefined
    const lasting = withLastingHeaders(message)
    if (lasting !== message) this.#put(index, lasting)
    return lasting
  }

  #put(index: number, message: KeyedMessage): void {
    this.#changed ??= this.messages.slice()
    this.#changed[index] = message
  }
}

/** How the messages of a send ended, gathered until all have. */
class MessageEnds {
  readonly listeners: ((ends: readonly MessageEnd[]) => void)[] = []
  private readonly ends: (MessageEnd | undefined)[]
  private left: number

  constructor(count: number) {
    this.ends = new Array<MessageEnd | undefined>(count)
    this.left = count
  }

  readonly put = (index: number, end: MessageEnd): void => {
    if (this.ends[index] !== undefined) return
    this.ends[index] = end
    if (--this.left === 0) this.tell()
  }

  /** Hears from the send's own promise what is not told message by message: in async mode which ones were refused. */
  async of<R>(sent: Promise<R>): Promise<R> {
    if (this.left === 0) this.tell()
    try {
      const result = await sent
      if (Array.isArray(result)) (result as MessageEnd[]).forEach((end, index) => this.put(index, end))
      return result
    } catch (error) {
      const endOf = fatesIn(error)
      for (let index = 0; index < this.ends.length; index++) {
        const end = endOf(index)
        if (end !== undefined) this.put(index, end)
      }
      throw error
    }
  }

  private tell(): void {
    const ends = this.ends as MessageEnd[]
    for (const listener of this.listeners)
      tellUser(listener, ends, (error) => {
        // As channels do with what their subscribers throw.
        process.nextTick(() => {
          throw error
        })
      })
  }
}
