import { gzipSync, gunzipSync } from 'node:zlib'
import type { Clock } from '../../src/clock.js'
import {
  DeliveryError,
  JavaHashPartitioner,
  Murmur2Partitioner,
  RoundRobinPartitioner,
  StickyByBytes,
  type Codec,
  type DeliveryReport,
  type ProducerOptions,
  type RecordMetadata,
} from '../../src/index.js'
import type { KeyedMessage } from '../../src/producer/keyed-message.js'
import type { Producer } from '../../src/producer/producer.js'
import type { Dice } from './dice.js'
import { Violation, type Entry, type Fate, type Ledger } from './ledger.js'
import type { Action, CodeOf, Reaction, Scenario } from './scenario.js'

/** A value before it is encoded. */
interface Value {
  readonly bytes: Buffer
  readonly code: CodeOf
}

/** How long what is late takes. */
const LATE_MS = 150
/** What reactions send has ids from here on. */
const REACTION_IDS = 1_000_000
/** So often the user reacts; or two reactions would go on for ever. */
const MAX_REACTIONS = 50

interface CallError {
  readonly code?: string
  readonly message?: string
  readonly results?: readonly (RecordMetadata | DeliveryError)[]
  readonly refused?: readonly number[]
}

/** Whoever has the producer: gives messages, hears of fates, and does everything that code of users does. */
export class User {
  readonly signals = [new AbortController(), new AbortController(), new AbortController()]
  readonly producer: Producer<string, Value, 'sync' | 'async'>
  private reactionsLeft = MAX_REACTIONS
  private nextReactionId = REACTION_IDS
  /** Promises that have to settle, and since when they are there. */
  readonly pending = new Map<object, { readonly what: string; readonly dueAt: number }>()
  closing: Promise<unknown> | undefined
  closedAt = Infinity
  /** Until then there are no credentials. */
  lockedUntil = 0

  constructor(
    private readonly scenario: Scenario,
    private readonly ledger: Ledger,
    private readonly clock: Clock,
    make: (options: ProducerOptions<string, Value, 'sync' | 'async'>) => Producer<string, Value, 'sync' | 'async'>,
    private readonly told: (violation: unknown) => void,
    dice: Dice,
  ) {
    this.producer = make(this.options(dice))
    // Or they would be printed.
    this.producer.on('warning', () => undefined)
  }

  private options(dice: Dice): ProducerOptions<string, Value, 'sync' | 'async'> {
    const { options, codec, sessionLifetimeMs, autoCreateTopics } = this.scenario
    return {
      ...options,
      brokers: '127.0.0.1:9001',
      allowAutoTopicCreation: autoCreateTopics,
      encoder: { encode: (value) => this.encode(value) },
      keyEncoder: { encode: (key) => Buffer.from(key) },
      partitioner: this.partitioner(dice),
      ...(codec !== 'none' && { compression: 'mine', codecs: [this.codec(codec)] }),
      ...(sessionLifetimeMs !== undefined && {
        sasl: { mechanism: 'plain', username: 'u', password: () => this.password() },
      }),
      ...(options.type === 'async' && {
        onDelivery: (report: DeliveryReport<string, Value>) => this.onDelivery(report),
      }),
    }
  }

  // What the producer calls.

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

  private partitioner(dice: Dice): ProducerOptions<string>['partitioner'] {
    const random = dice.fork().number
    const keyless = new StickyByBytes({ random })
    switch (this.scenario.partitioner) {
      case 'by key':
        return new Murmur2Partitioner({ keyless })
      case 'round robin':
        return new RoundRobinPartitioner({ random })
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
            this.react('send')
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

  private onDelivery({ message, metadata, error, attempts }: DeliveryReport<string, Value>): unknown {
    const id = this.ids.get(message) as number
    this.tell(
      id,
      metadata === undefined
        ? { kind: 'failed', code: error.code, mayHaveBeenWritten: error.mayHaveBeenWritten, attempts }
        : { kind: 'acknowledged', metadata, attempts },
    )
    return this.react(this.scenario.onDelivery)
  }

  private readonly ids = new WeakMap<object, number>()

  private tell(id: number, fate: Fate): void {
    try {
      this.ledger.tell(id, fate)
    } catch (violation) {
      // Not to be caught by whoever called back.
      this.told(violation)
    }
  }

  private react(reaction: Reaction): unknown {
    if (reaction === 'nothing' || this.reactionsLeft-- <= 0) return undefined
    switch (reaction) {
      case 'send':
        this.send({
          at: 0,
          do: 'send',
          id: this.nextReactionId++,
          count: 1,
          list: false,
          topic: this.someTopic,
          keys: 1,
          size: 10,
        })
        return undefined
      case 'flush':
        return this.flush()
      case 'abort':
        return this.signals[0]?.abort()
      case 'close':
        return this.close(500)
      case 'throw':
        throw new Error('a callback of the user throws')
      case 'reject':
        return Promise.reject(new Error('a callback of the user rejects'))
    }
  }

  private get someTopic(): string {
    return Object.keys(this.scenario.topics)[0] as string
  }

  // What the user calls.

  private watch(what: string, withinMs: number, promise: Promise<unknown>): void {
    const key = {}
    this.pending.set(key, { what, dueAt: this.clock.now() + withinMs })
    const settled = () => void this.pending.delete(key)
    promise.then(settled, settled)
  }

  send(action: Action & { readonly do: 'send' }): void {
    const { id, count, list, signal, then = 'nothing' } = action
    const options = signal === undefined ? {} : { signal: (this.signals[signal] as AbortController).signal }
    const give = (of: number) => this.message(of, action)
    const ids = Array.from({ length: count }, (_, i) => id + i)
    if (list) {
      const messages = ids.map(give)
      this.call(messages, messages, options, then, action.changes === true)
      return
    }
    for (const one of ids) {
      const message = give(one)
      this.call(message, [message], options, then, action.changes === true)
    }
  }

  private message(
    id: number,
    { topic, partition, keys, size, headers, timestamp, code = 'at once' }: Action & { readonly do: 'send' },
  ): KeyedMessage<string, Value> {
    const value = `#${id}#${(id % 7 === 0 ? 'é' : 'x').repeat(size)}`
    const key = keys === 0 ? null : `k${id % keys}`
    const ownTimestamp = timestamp === true ? 1_500_000_000_000 + id : undefined
    const sentAt = this.clock.now()
    const entry: Entry = {
      id,
      topic,
      partition,
      key,
      value,
      hasHeaders: headers === true,
      timestamp: ownTimestamp,
      sentAt,
      fate: undefined,
    }
    this.ledger.given(entry)
    const message: KeyedMessage<string, Value> = {
      topic,
      value: { bytes: Buffer.from(value), code },
      ...(key !== null && { key }),
      ...(partition !== undefined && { partition }),
      ...(headers === true && { headers: { trace: String(id) } }),
      ...(ownTimestamp !== undefined && { timestamp: ownTimestamp }),
    }
    this.ids.set(message, id)
    return message
  }

  private call(
    given: KeyedMessage<string, Value> | KeyedMessage<string, Value>[],
    messages: readonly KeyedMessage<string, Value>[],
    options: { signal?: AbortSignal },
    then: Reaction,
    changes: boolean,
  ): void {
    const ids = messages.map((message) => this.ids.get(message) as number)
    const isAsync = this.scenario.options.type === 'async'
    const sent = this.producer.send(given, options) as Promise<RecordMetadata[] | undefined>
    const { deliveryTimeoutMs } = this.scenario.options
    this.watch(`send of ${ids[0]}`, deliveryTimeoutMs, sent)
    const scribble = () => {
      // The encoder's bytes: whoever gives them to the producer gives them until then.
      if (changes) for (const { value } of messages) (value as Value).bytes.fill('!')
    }
    sent
      .then(
        (metadata) => {
          if (!isAsync)
            ids.forEach((id, i) =>
              this.tell(id, { kind: 'acknowledged', metadata: (metadata as RecordMetadata[])[i] as RecordMetadata }),
            )
        },
        (error: CallError) => this.tellErrors(ids, error, isAsync),
      )
      .then(() => {
        if (!isAsync) scribble()
        return this.react(then)
      })
      .catch(() => undefined)
  }

  private tellErrors(ids: readonly number[], error: CallError, isAsync: boolean): void {
    if (typeof error.code !== 'string')
      this.told(new Violation('errors have codes', `send of ${ids[0]}: ${error.message ?? 'no error'}`))
    const code = error.code ?? 'none'
    const { results, refused } = error
    if (refused !== undefined) {
      for (const index of refused) this.tell(ids[index] as number, { kind: 'refused', code })
    } else if (results !== undefined) {
      ids.forEach((id, i) => this.tell(id, fateOf(results[i] as RecordMetadata | DeliveryError)))
    } else {
      for (const id of ids)
        this.tell(id, !isAsync && error instanceof DeliveryError ? fateOf(error) : { kind: 'refused', code })
    }
  }

  flush(): Promise<unknown> {
    const flushed = this.producer.flush()
    this.watch('flush', this.scenario.options.deliveryTimeoutMs, flushed)
    flushed.catch(() => undefined)
    return flushed
  }

  close(timeoutMs: number): Promise<unknown> {
    if (this.closing !== undefined) return this.closing
    this.closedAt = this.clock.now()
    this.closing = this.producer.close({ timeoutMs })
    // What is left then has its fate at once, and sockets a second to close.
    this.watch('close', timeoutMs + 1_500, this.closing)
    this.closing.catch(() => undefined)
    return this.closing
  }

  ask(topic: string): void {
    const { enqueueTimeoutMs } = this.scenario.options
    const asked = this.producer.partitionsFor(topic)
    asked.catch(() => undefined)
    if (enqueueTimeoutMs >= 0) this.watch('partitionsFor', enqueueTimeoutMs + 40_000, asked)
  }

  connect(): void {
    const connected = this.producer.connect()
    connected.catch(() => undefined)
    this.watch('connect', 11_000, connected)
  }
}

function fateOf(result: RecordMetadata | DeliveryError): Fate {
  if (!(result instanceof DeliveryError)) return { kind: 'acknowledged', metadata: result }
  const { code, mayHaveBeenWritten, attempts } = result
  return { kind: 'failed', code, mayHaveBeenWritten, attempts }
}
