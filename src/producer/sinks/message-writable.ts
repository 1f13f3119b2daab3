import { AsyncLocalStorage } from 'node:async_hooks'
import { Writable } from 'node:stream'
import { InvalidConfigError, InvalidMessageError } from '../../errors.js'
import { isTopicName } from '../../topic-name.js'
import { shown } from '../../wording/shown.js'
import type { RawData } from '../encoder.js'
import {
  atPlace,
  checkIsObject,
  FieldNames,
  checkIsOneMessage,
  unreadable,
  valueMissing,
  wrongTopic,
  type KeyedMessage,
} from '../messages/keyed-message.js'
import { isBareValue, withOwnBytes } from '../messages/own-message.js'

/** What may be written: a message; with a `topic` set for the stream one without its own, or its value alone, if that is text or bytes. */
export type WritableMessage<K = RawData, V = RawData> =
  KeyedMessage<K, V> | Omit<KeyedMessage<K, V>, 'topic'> | (V & RawData)

/** The same; and text and bytes whatever values are, since Node's types let no stream be piped into that does not take these. */
type Chunk<K, V> = WritableMessage<K, V> | string | Uint8Array

type OnWritten = (error?: Error | null) => void

export interface WritableOptions {
  /** For messages that don't name theirs. */
  readonly topic?: string | undefined
  /** How many messages may be on their way before the stream holds back whoever writes; 10,000 by default. */
  readonly inFlight?: number | undefined
}

export const WRITABLE_OPTIONS: readonly (keyof WritableOptions)[] = ['topic', 'inFlight']

/** What a stream needs of its producer. */
export interface MessageSink<K, V> {
  /** Whether callers may change the bytes that they gave at once. */
  readonly copyBytes: boolean
  /** @param before how many the stream was given before these */
  send(messages: KeyedMessage<K, V>[], before: number): Promise<unknown>
  flush(): Promise<unknown>
  /** The stream was ended, and takes no more: a `close()` waits for what it still has. */
  ended(): void
  /** It is through with that, or has failed. */
  destroyed(): void
  /** Whether messages wait to be taken in: the queue is full, or the share of it for topics without metadata; or it is others' turn. */
  hasLine(): boolean
  /** Calls back in the next turn, and says so, where they wait for that and not for room. */
  awaitTurn(goOn: () => void): boolean
}

const DEFAULT_IN_FLIGHT = 10_000

/** Messages taken while it holds back, as Node's own streams of objects have it: of large ones a thousand would be gigabytes. */
const READ_AHEAD = 16

/**
 * An object-mode stream into Kafka. What is written goes on at once, many messages at a time; once `inFlight` of them
 * are on their way, or the producer's queue is full, `write()` answers false until some have arrived: that is waited for as
 * long as the messages have, whatever `enqueueTimeoutMs` says. `finish` comes when all have. The first message that fails destroys the stream with the error of `send()`, which names its messages; those on
 * their way go on.
 *
 * In async mode "arrived" means queued: the back-pressure is the queue's, and failures are told to `onDelivery`.
 */
export class MessageWritable<K = unknown, V = unknown> extends Writable {
  private onTheirWay = 0
  /** How many messages were looked at: errors name one by its place among all. */
  private looked = 0
  private readonly fieldNames = new FieldNames()
  private waiting: (() => void) | undefined
  private isTurnAwaited = false
  private finishing: (() => void) | undefined
  /** Whether it is in the midst of `write()` or `end()`, whose caller's context it is. */
  private isBeingWritten = false
  /** Runs something in the one that it was made in: what is held back goes on when others' messages have arrived, in theirs. */
  private readonly inOwnContext = AsyncLocalStorage.snapshot()
  private readonly topic: string | undefined
  private readonly inFlight: number

  constructor(
    private readonly sink: MessageSink<K, V>,
    { topic, inFlight = DEFAULT_IN_FLIGHT }: WritableOptions,
  ) {
    if (!(Number.isInteger(inFlight) && inFlight > 0)) {
      throw new InvalidConfigError(`inFlight: given was ${shown(inFlight)}, allowed is a whole number from 1`)
    }
    // Of a stream to which nothing is written nobody would hear that.
    if (topic !== undefined && !isTopicName(topic)) throw new InvalidConfigError(wrongTopic(topic).message)
    super({ objectMode: true, highWaterMark: Math.min(inFlight, READ_AHEAD) })
    this.topic = topic
    this.inFlight = inFlight
  }

  override write(chunk: Chunk<K, V>, callback?: OnWritten): boolean
  override write(chunk: Chunk<K, V>, encoding?: BufferEncoding, callback?: OnWritten): boolean
  override write(chunk: unknown, encoding?: BufferEncoding | OnWritten, callback?: OnWritten): boolean {
    this.isBeingWritten = true
    try {
      return super.write(this.kept(chunk), encoding as BufferEncoding, callback)
    } finally {
      this.isBeingWritten = false
    }
  }

  override end(callback?: () => void): this
  override end(chunk: Chunk<K, V>, callback?: () => void): this
  override end(chunk: Chunk<K, V>, encoding?: BufferEncoding, callback?: () => void): this
  override end(chunk?: unknown, encoding?: BufferEncoding | (() => void), callback?: () => void): this {
    this.isBeingWritten = true
    try {
      return super.end(this.kept(chunk), encoding as BufferEncoding, callback)
    } finally {
      this.isBeingWritten = false
      if (!this.destroyed) this.sink.ended()
    }
  }

  /** Not the event 'close': whoever has the stream may take all listeners off it. */
  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.sink.destroyed()
    callback(error)
  }

  /** What is held back is sent later than it was given. */
  private kept(chunk: unknown): unknown {
    const isHeldBack = this.writableLength > 0 || this.writableCorked > 0
    return isHeldBack && this.sink.copyBytes ? withOwnBytes(chunk) : chunk
  }

  override _write(chunk: unknown, _encoding: string, callback: (error?: Error | null) => void): void {
    this.sendAll([chunk], callback)
  }

  override _writev(chunks: { chunk: unknown }[], callback: (error?: Error | null) => void): void {
    this.sendAll(
      chunks.map(({ chunk }) => chunk),
      callback,
    )
  }

  private sendAll(chunks: readonly unknown[], callback: (error?: Error | null) => void): void {
    const before = this.looked
    let messages: KeyedMessage<K, V>[]
    try {
      messages = chunks.map((chunk) => this.toMessage(chunk))
    } catch (error) {
      callback(atPlace(this.looked - 1, error) as Error)
      return
    }
    this.onTheirWay += messages.length
    const { sink } = this
    const sent = this.isBeingWritten
      ? sink.send(messages, before)
      : this.inOwnContext(() => sink.send(messages, before))
    sent.then(
      () => this.arrived(messages.length),
      (error: Error) => {
        // First, or what is held back would go on.
        this.destroy(error)
        this.arrived(messages.length)
      },
    )
    this.waiting = callback
    this.goOn()
  }

  /**
   * Those beyond the queue's room would only be held in memory. One at least is on its way: others may leave no room for as
   * long as they like, and nothing tells when there is some.
   */
  private mayGoOn(): boolean {
    return this.onTheirWay === 0 || (this.onTheirWay < this.inFlight && !this.sink.hasLine())
  }

  private goOn(): void {
    const { waiting } = this
    if (waiting === undefined) return
    if (this.mayGoOn()) {
      this.waiting = undefined
      waiting()
    } else if (!this.isTurnAwaited) {
      this.isTurnAwaited = this.sink.awaitTurn(() => {
        this.isTurnAwaited = false
        this.goOn()
      })
    }
  }

  private arrived(count: number): void {
    this.onTheirWay -= count
    if (this.onTheirWay === 0) this.finishing?.()
    this.goOn()
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.finishing = () => {
      this.sink.flush().then(() => callback(), callback)
    }
    if (this.onTheirWay === 0) this.finishing()
  }

  private toMessage(chunk: unknown): KeyedMessage<K, V> {
    this.looked++
    // What the encoder takes is checked by the encoder.
    if (isBareValue(chunk)) return { topic: this.ownTopic(), value: chunk as V }
    try {
      checkIsObject(chunk)
      const { topic } = chunk as Partial<KeyedMessage<K, V>>
      if ((topic ?? undefined) !== undefined) return chunk as KeyedMessage<K, V>
      // One by one: an instance of a class may have accessors, which a copy of its own properties leaves behind.
      const { value, key, partitionKey, partition, headers, timestamp } = chunk as KeyedMessage<K, V>
      // Here, since of the copy nobody could tell what it has in its place.
      if ((value as unknown) === undefined) {
        checkIsOneMessage(chunk)
        throw valueMissing(chunk, this.ownTopic())
      }
      // The copy has no others.
      this.fieldNames.check(chunk)
      return { topic: this.ownTopic(), value, key, partitionKey, partition, headers, timestamp }
    } catch (cause) {
      throw cause instanceof InvalidMessageError ? cause : unreadable(chunk, cause)
    }
  }

  private ownTopic(): string {
    if (this.topic !== undefined) return this.topic
    throw new InvalidMessageError('a message written to a stream without a topic of its own must name one')
  }
}
