import { gzipSync, gunzipSync } from 'node:zlib'
import type { Clock } from '../../src/clock.js'
import {
  DeliveryError,
  JavaHashPartitioner,
  Murmur2Partitioner,
  RoundRobinPartitioner,
  StickyByBytes,
  type Codec,
  type ConnectOptions,
  type ProducerHealth,
  type ProducerOptions,
  type RecordMetadata,
} from '../../src/index.js'
import type { KeyedMessage } from '../../src/producer/messages/keyed-message.js'
import { murmur2 } from '../../src/producer/partitioners/murmur2.js'
import type { ProducerStats } from '../../src/stats/producer-stats.js'
import type { Dice } from './dice.js'
import { Counting } from './interceptor.js'
import { Violation, type Entry, type Fate, type Ledger } from './ledger.js'
import { CROWD_PORTS } from './lies.js'
import { poolOfThreads } from './pool-of-threads.js'
import { Readings } from './readings.js'
import type { CodeOf, Given, Scenario, UserAction } from './scenario.js'
import { GROWN_TO } from './world.js'

/** A value before it is encoded. */
export interface Value {
  readonly bytes: Buffer
  readonly code: CodeOf
}

export type Key = string | Buffer
export type Message = KeyedMessage<Key, Value>

/** Of an error's message. */
const MAX_TEXT = 4_000
const UNPRINTABLE = /\p{Cc}/u
/** Some day in 2049, which is not yet. */
const FAR_AHEAD = 2_500_000_000_000
/** How long what is late takes. */
const LATE_MS = 150

/** How long it waits unless it is told. */
const CONNECT_TIMEOUT_MS = 10_000

interface Connectable {
  connect(options: ConnectOptions): Promise<void>
}

interface CallError {
  readonly code?: string
  readonly message?: string
  readonly results?: readonly (RecordMetadata | DeliveryError)[]
  readonly refused?: readonly number[]
}

/** A producer, as it is looked at. */
export interface Seen {
  stats(): ProducerStats
  health(): ProducerHealth
}

/** A program that has producers: the code it gives them, the messages, and what it is told of these. */
export abstract class UserCode {
  readonly signals = [new AbortController(), new AbortController(), new AbortController()]
  /** Promises that have to settle, and by when. */
  readonly pending = new Map<object, { readonly what: string; readonly dueAt: number }>()
  readonly counting = new Counting<Key, Value>(
    (message) => this.sameAs(message),
    () => this.heard(),
  )
  readonly readings: Readings
  closing: Promise<unknown> | undefined
  closedAt = Infinity
  /** Until then there are no credentials. */
  lockedUntil = 0
  /** Whether there is such a topic. */
  exists: (topic: string) => boolean = () => false
  protected readonly ids = new WeakMap<object, number>()
  /** Producers that were closed. */
  protected readonly closed = new WeakSet<object>()

  protected constructor(
    protected readonly scenario: Scenario,
    protected readonly ledger: Ledger,
    protected readonly clock: Clock,
    protected readonly told: (violation: unknown) => void,
  ) {
    this.readings = new Readings(clock, told)
  }

  abstract readonly producers: readonly Seen[]

  isOpen(producer: Seen): boolean {
    return !this.closed.has(producer)
  }

  /** An interceptor has heard of a fate. */
  protected abstract heard(): unknown

  abstract perform(action: UserAction): void

  /** Closes all that it has, and begins nothing more. */
  abstract close(timeoutMs: number): Promise<unknown>

  /** A partitioner sends, in the midst of being asked. */
  protected abstract sendAmid(): void

  // What a producer calls.

  /** What it takes of every producer. */
  protected commonOptions(dice: Dice) {
    const {
      codec,
      sessionLifetimeMs,
      autoCreateTopics,
      idempotent,
      intercepts = false,
      statsIntervalMs,
    } = this.scenario
    return {
      brokers: '127.0.0.1:9001',
      allowAutoTopicCreation: autoCreateTopics,
      encoder: { encode: (value: Value | Buffer) => (Buffer.isBuffer(value) ? value : this.encode(value)) },
      keyEncoder: { encode: (key: Key) => (typeof key === 'string' ? Buffer.from(key) : key) },
      partitioner: this.partitioner(dice),
      ...(codec === 'pool' && { compression: 'mine', codecs: [poolOfThreads(this.clock, dice.fork())] }),
      ...(idempotent !== undefined && { idempotent }),
      ...(intercepts !== false && { interceptors: [this.counting.interceptor] }),
      ...(statsIntervalMs !== undefined && { statsIntervalMs, onStats: this.readings.newReader() }),
      ...(codec !== 'none' && codec !== 'pool' && { compression: 'mine', codecs: [this.codec(codec)] }),
      ...(sessionLifetimeMs !== undefined && {
        sasl: { mechanism: 'plain', username: 'u', password: () => this.password() } as const,
      }),
    }
  }

  /** Another one, of which nobody can tell. */
  private sameAs<M extends object>(message: M): M {
    const other = { ...message }
    const id = this.ids.get(message)
    if (id !== undefined) this.ids.set(other, id)
    return other
  }

  private password(): string {
    if (this.clock.now() < this.lockedUntil) throw new Error('the vault is closed')
    return 'p'
  }

  private later<T>(value: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.clock.setTimeout(() => {
        try {
          resolve(value())
        } catch (error) {
          reject(error)
        }
      }, LATE_MS)
    })
  }

  private act<T>(code: CodeOf, good: () => T): T | Promise<T> {
    switch (code) {
      case 'at once':
        return good()
      case 'late':
        return this.later(good)
      case 'throws':
        throw new Error('code of the user throws')
      case 'rejects':
        return this.later(() => {
          throw new Error('code of the user rejects')
        })
      case 'never settles':
        return new Promise(() => undefined)
      case 'garbage':
        return 42 as T
      case 'thenable':
        // As Knex and others have them: no Promise, and to be awaited all the same.
        return {
          then: (resolve: (value: T) => void) => void this.clock.setTimeout(() => resolve(good()), 1),
        } as unknown as Promise<T>
    }
  }

  private encode({ bytes, code }: Value): Buffer | Promise<Buffer> {
    return this.act(code, () => bytes)
  }

  private codec(code: CodeOf): Codec {
    return {
      name: 'mine',
      id: 1,
      compress: (input) => this.act(code, () => gzipSync(input, { level: 1 })),
      decompress: (input) => gunzipSync(input),
    }
  }

  private partitioner(dice: Dice): ProducerOptions<Key>['partitioner'] {
    const random = dice.fork().number
    const keyless = new StickyByBytes({ random })
    switch (this.scenario.partitioner) {
      case 'by key':
        return new Murmur2Partitioner({ keyless })
      case 'round robin':
        return new RoundRobinPartitioner({ random })
      case 'promises':
        return {
          partition: (key, count) => {
            if (key !== 'k1') return Math.floor(random() * count)
            return Promise.reject(new Error('a partitioner of the user rejects')) as unknown as number
          },
          partitionKeyless: ({ partitionCount }) => Math.floor(random() * partitionCount),
        }
      case 'hook throws': {
        const inner = new JavaHashPartitioner({ keyless })
        return {
          partition: (key, context) => inner.partition(key, context),
          partitionKeyless: (context, bytes) => keyless.partitionKeyless(context, bytes),
          onMetadataRefresh: () => {
            throw new Error('a hook of the user throws')
          },
        }
      }
      default: {
        const choose = (count: number): number => {
          if (random() < 0.1) {
            if (this.scenario.partitioner === 'throws') throw new Error('a partitioner of the user throws')
            this.sendAmid()
          }
          return Math.floor(random() * count)
        }
        return {
          partition: (_, count) => choose(count),
          partitionKeyless: ({ partitionCount }) => choose(partitionCount),
        }
      }
    }
  }

  // What it gives, and is told.

  protected message(id: number, given: Given, by: number): Message {
    const { message, entry } = this.drafted(id, given, by)
    this.ledger.given(entry)
    return message
  }

  /** The same, of which the ledger does not know yet. */
  protected drafted(
    id: number,
    { topic, partition, keys, size, headers, timestamp, code = 'at once', odd, signal }: Omit<Given, 'list'>,
    by: number,
  ): { readonly message: Message; readonly entry: Entry } {
    const value = `#${id}#${(id % 7 === 0 ? 'é' : 'x').repeat(size)}`
    const key = keys === 0 ? null : `k${id % keys}`
    // Those beside it are as they should be.
    const isAhead = odd === 'ahead' && id % 2 === 0
    const ownTimestamp = isAhead ? FAR_AHEAD + id : timestamp === true ? 1_500_000_000_000 + id : undefined
    const sentAt = this.clock.now()
    const partitionKey = odd === 'partition key' ? `p${id % 50}` : undefined
    const entry: Entry = {
      id,
      by,
      topic,
      partition,
      key,
      value,
      hasHeaders: headers === true,
      timestamp: ownTimestamp,
      places: partition === undefined ? this.placesOf(partitionKey ?? key, topic) : undefined,
      odd: odd === 'ahead' && !isAhead ? undefined : odd,
      signal,
      sentAt,
      fate: undefined,
    }
    const message: Message = {
      ...(odd === 'nulls' && { key: null, partitionKey: null, partition: null, headers: null, timestamp: null }),
      topic,
      value: { bytes: odd === 'detached' ? apart(value) : Buffer.from(value), code },
      ...(partitionKey !== undefined && { partitionKey: Buffer.from(partitionKey) }),
      ...(key !== null && { key }),
      ...(partition !== undefined && { partition }),
      ...(headers === true && { headers: { trace: String(id) } }),
      ...(ownTimestamp !== undefined && { timestamp: ownTimestamp }),
    }
    this.ids.set(message, id)
    return { message, entry }
  }

  /** Where murmur2 puts it among as many partitions as the topic may have had, as anybody told. */
  private placesOf(chooser: string | null, topic: string): ReadonlySet<number> | undefined {
    if (chooser === null || this.scenario.partitioner !== 'by key') return undefined
    const hash = murmur2(chooser) & 0x7fffffff
    // One that is created on demand has one.
    const remade = this.scenario.actions.map((action) => ('partitions' in action ? (action.partitions ?? 1) : 1))
    const counts = [1, GROWN_TO, CROWD_PORTS.length, this.scenario.topics[topic] ?? 1, ...remade]
    return new Set(counts.map((count) => hash % count))
  }

  protected tell(id: number, fate: Fate): void {
    try {
      this.ledger.tell(id, fate)
    } catch (violation) {
      // Not to be caught by whoever called back.
      this.told(violation)
    }
  }

  protected tellAcknowledged(ids: readonly number[], metadata: readonly RecordMetadata[]): void {
    ids.forEach((id, i) => this.tell(id, { kind: 'acknowledged', metadata: metadata[i] as RecordMetadata }))
  }

  protected tellErrors(ids: readonly number[], error: CallError, isAsync: boolean): void {
    if (typeof error.code !== 'string')
      this.told(new Violation('errors have codes', `send of ${ids[0]}: ${error.message ?? 'no error'}`))
    const code = error.code ?? 'none'
    const { results, refused } = error
    this.checkText(error)
    for (const result of results ?? []) if (result instanceof DeliveryError) this.checkText(result)
    if (refused !== undefined) {
      for (const index of refused) this.tell(ids[index] as number, { kind: 'refused', code })
    } else if (results !== undefined) {
      ids.forEach((id, i) => this.tell(id, fateOf(results[i] as RecordMetadata | DeliveryError)))
    } else {
      for (const id of ids)
        this.tell(id, !isAsync && error instanceof DeliveryError ? fateOf(error) : { kind: 'refused', code })
    }
  }

  /** What others said does not get into it as it is. */
  protected checkText({ message = '' }: CallError): void {
    if (message.length > MAX_TEXT || UNPRINTABLE.test(message))
      this.told(new Violation('errors can be printed', JSON.stringify(message.slice(0, 200))))
  }

  protected watch(what: string, withinMs: number, promise: Promise<unknown>): void {
    const key = {}
    this.pending.set(key, { what, dueAt: this.clock.now() + withinMs })
    const settled = () => void this.pending.delete(key)
    promise.then(settled, settled)
  }

  protected watchAsk(topic: string, asked: Promise<unknown>): void {
    const { enqueueTimeoutMs, retryBackoffMs } = this.scenario.options
    const isCreating = this.isCreating(topic)
    asked.then(
      (partitions) => {
        if (!Array.isArray(partitions) || partitions.length === 0)
          this.told(new Violation('a topic has partitions', `${topic}: ${JSON.stringify(partitions)}`))
      },
      ({ code }: CallError) => {
        // Not where the deadline of the message came first.
        if (isCreating && this.isCreating(topic) && code === 'UNKNOWN_TOPIC_OR_PARTITION' && !this.exists(topic))
          this.told(new Violation('who asks for a topic that is being created waits for it', topic))
      },
    )
    // Nobody is asked before the back-off is over, were it weeks.
    const withinMs = enqueueTimeoutMs + retryBackoffMs + 40_000
    if (enqueueTimeoutMs >= 0) this.watch(`partitionsFor ${topic}`, withinMs, asked)
  }

  /** Whether a message waits for it that creates it, and nothing can keep it from that. */
  protected isCreating(_topic: string): boolean {
    return false
  }

  /** Connects, within a time or until a signal says otherwise. */
  protected connect(producer: Connectable, { timeoutMs, signal }: UserAction & { readonly do: 'connect' }): void {
    const controller = signal === undefined ? undefined : (this.signals[signal] as AbortController)
    const connected = producer.connect({
      ...(timeoutMs !== undefined && { timeoutMs }),
      ...(controller !== undefined && { signal: controller.signal }),
    })
    const wrong = (detail: string) => this.told(new Violation('connect() says what is so', detail))
    connected.catch(({ code, message }: CallError) => {
      if (code === undefined) wrong(`an error without a code: ${message}`)
      if (code === 'ABORTED' && controller?.signal.aborted !== true) wrong('ABORTED, which nobody has')
      if (code === 'PRODUCER_CLOSED' && !this.closed.has(producer)) wrong('PRODUCER_CLOSED, which nobody has')
    })
    this.watch('connect', (timeoutMs ?? CONNECT_TIMEOUT_MS) + 1_000, connected)
    const hears = () => this.watch('connect, aborted', 0, connected)
    controller?.signal.addEventListener('abort', hears, { once: true })
    if (controller?.signal.aborted) hears()
  }

  /** A probe looks, again and again. */
  protected probe(producer: () => Seen, everyMs: number, times: number): void {
    if (times === 0) return
    const looked = producer()
    const { healthy, problem } = looked.health()
    if (healthy !== (problem === undefined) || (healthy && this.closed.has(looked)))
      this.told(new Violation('health() says what is so', `${healthy}, ${problem?.code}`))
    this.clock.setTimeout(() => this.probe(producer, everyMs, times - 1), everyMs)
  }
}

/** Bytes in a buffer of their own, which can be taken away. */
function apart(text: string): Buffer {
  const bytes = new TextEncoder().encode(text)
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function fateOf(result: RecordMetadata | DeliveryError): Fate {
  if (!(result instanceof DeliveryError)) return { kind: 'acknowledged', metadata: result }
  const { code, mayHaveBeenWritten, attempts } = result
  return { kind: 'failed', code, mayHaveBeenWritten, attempts }
}
