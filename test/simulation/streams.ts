import { pipeline } from 'node:stream/promises'
import type { Clock } from '../../src/clock.js'
import type { Producer } from '../../src/producer/producer.js'
import { Violation, type Entry, type Ledger } from './ledger.js'
import type { Reaction, StreamAction } from './scenario.js'
import type { Key, Message, Value } from './user-code.js'
import { without } from './without.js'

type Made = Producer<Key, Value, 'sync' | 'async'>
type Sink = ReturnType<Made['writable']>
type Chunk = Parameters<Sink['write']>[0]
type Send = (given: Message | readonly Message[], options?: object) => Promise<unknown>

/** Node's streams of objects read ahead so many, of which as many more may be on their way from the source. */
const READ_AHEAD = 16
/** What is aborted, or closed, ends at once; as soon as timers allow. */
const SOON_MS = 20

/** What streams need of the user who has them. */
export interface StreamUser {
  readonly producer: Made
  readonly clock: Clock
  readonly ledger: Ledger
  readonly signals: readonly AbortController[]
  /** Whether no encoder holds up a line. */
  readonly encodesAtOnce: boolean
  /** A message, and its entry, which is not in the ledger yet. */
  readonly make: (id: number, action: StreamAction) => { readonly message: Message; readonly entry: Entry }
  readonly react: (reaction: Reaction) => unknown
  readonly idOf: (message: Message) => number
  /** It was given to `send()`, with all that is to be told of it. */
  readonly sent: (ids: readonly number[], sent: Promise<unknown>) => void
  /** When close() was called, and until when it waits. */
  readonly closing: () => { readonly since: number; readonly until: number }
  readonly watch: (what: string, withinMs: number, promise: Promise<unknown>) => void
  readonly told: (violation: unknown) => void
}

/** A stream, or an iterable that is sent, and what became of it. */
interface Stream {
  readonly action: StreamAction
  readonly entries: Entry[]
  /** What is thrown, or destroys it. */
  readonly ownError: Error
  /** How many of its messages were sent, and of how many sends nothing was told. */
  sent: number
  onTheirWay: number
  /** What its sends have failed with. */
  readonly failures: Set<unknown>
  /** Nothing more is written to it. */
  isEnded: boolean
  endedAt: number
  isDestroyed: boolean
  /** The iterable stands where it has yielded a message, and was not closed. */
  isYielding: boolean
  isSourceOver: boolean
  outcome: 'finished' | 'failed' | undefined
}

/** Whether it is that, or messages have failed with it. */
function hasCode(error: unknown, code: string): boolean {
  const told = (error ?? {}) as { readonly code?: string; readonly results?: readonly { readonly code?: string }[] }
  return told.code === code || told.results?.some((result) => result.code === code) === true
}

function placeOfWrong({ count }: StreamAction): number {
  return Math.floor(count / 2)
}

/** Streams into Kafka: writes to them, ends them or not, and holds against them what they have told of their messages. */
export class Streams {
  private readonly all: Stream[] = []
  private readonly byId = new Map<number, Stream>()

  constructor(private readonly user: StreamUser) {
    const { producer } = user
    const send = producer.send.bind(producer) as Send
    // A stream tells of its messages as a whole: what becomes of each is heard where it sends them.
    Object.assign(producer, {
      send: (given: Message | readonly Message[], options?: object) => this.send(send, given, options),
    })
  }

  perform(action: StreamAction): void {
    const stream: Stream = {
      action,
      entries: [],
      ownError: new Error('code of the user ends the stream'),
      sent: 0,
      onTheirWay: 0,
      failures: new Set(),
      isEnded: false,
      endedAt: Infinity,
      isDestroyed: false,
      isYielding: false,
      isSourceOver: false,
      outcome: undefined,
    }
    this.all.push(stream)
    switch (action.by) {
      case 'write':
        return this.write(stream)
      case 'pipeline':
        return this.pipe(stream)
      case 'sendAll':
        return this.sendAll(stream)
    }
  }

  /** Whether all that are to end have. */
  get areThrough(): boolean {
    return this.all.every(
      ({ action: { ends }, outcome }) => outcome !== undefined || ends === 'leave' || ends === 'hang',
    )
  }

  /** With the producer closed there is nothing left for those that were ended, nor for what `sendAll()` was given. */
  checkEnd(): void {
    for (const { action, isEnded, outcome, entries, sent } of this.all)
      if (outcome === undefined && (isEnded || action.by === 'sendAll'))
        throw new Violation('a stream that was ended ends', `${action.id}: ${sent} of ${entries.length} were sent`)
  }

  // What it writes.

  /** The next chunk, which the stream has as soon as this has returned. */
  private chunk(stream: Stream): { readonly chunk: Chunk; readonly bytes: Buffer } {
    const { action, entries } = stream
    const id = action.id + entries.length
    const isWrong = action.wrong !== undefined && entries.length === placeOfWrong(action)
    const { message, entry } = this.user.make(id, action)
    entries.push(isWrong ? { ...entry, odd: 'invalid' } : entry)
    this.byId.set(id, stream)
    const { bytes } = message.value as Value
    const chunks = { message, 'without topic': without(message, 'topic'), bare: bytes }
    return { bytes, chunk: isWrong ? this.wrong(message, action) : chunks[action.shape] }
  }

  private wrong(message: Message, { wrong }: StreamAction): Chunk {
    switch (wrong) {
      case 'list':
        return [message] as unknown as Chunk
      case 'no value':
        return without(message, 'topic', 'value') as unknown as Chunk
      case 'null':
        return null as unknown as Chunk
      default:
        return { ...message, headers: { a: 5 as unknown as string } }
    }
  }

  /** Whether one that is wrong is given beside it. */
  hasWrong(id: number): boolean {
    return this.byId.get(id)?.action.wrong !== undefined
  }

  private isDone({ action, entries }: Stream): boolean {
    return entries.length >= action.count
  }

  private optionsOf({ topic, inFlight, shape }: StreamAction) {
    return { ...(shape !== 'message' && { topic }), ...(inFlight !== undefined && { inFlight }) }
  }

  private write(stream: Stream): void {
    const { action } = stream
    const sink = this.open(stream)
    if (action.corks === true) sink.cork()
    const next = () => {
      while (!this.isDone(stream)) {
        if (sink.destroyed) return
        const { chunk, bytes } = this.chunk(stream)
        const mayGoOn = sink.write(chunk)
        // Where it takes a copy it has one by now.
        if (action.changes === true && chunk === bytes && this.user.producer.config.copyBytes) bytes.fill('!')
        if (!mayGoOn && this.heeds(action)) return void sink.once('drain', next)
        if (action.everyMs > 0) return void this.user.clock.setTimeout(next, action.everyMs)
      }
      if (action.corks === true) sink.uncork()
      this.end(stream, sink)
    }
    next()
  }

  private end(stream: Stream, sink: Sink): void {
    if (sink.destroyed) return
    switch (stream.action.ends) {
      case 'end':
        this.noteEnd(stream)
        return void sink.end()
      case 'end, then destroy':
        this.noteEnd(stream)
        sink.end()
        return this.destroy(stream, sink)
      case 'throw':
        return this.destroy(stream, sink)
      case 'leave':
      case 'hang':
    }
  }

  private destroy(stream: Stream, sink: Sink): void {
    stream.isDestroyed = true
    sink.destroy(stream.ownError)
  }

  private heeds({ by, heeds, corks }: StreamAction): boolean {
    return by !== 'write' || (heeds === true && corks !== true)
  }

  private open(stream: Stream): Sink {
    const sink = this.user.producer.writable(this.optionsOf(stream.action))
    let error: unknown
    sink.on('error', (cause) => (error = cause))
    sink.once('finish', () => this.finished(stream))
    sink.once('close', () => {
      if (stream.outcome === undefined) this.failed(stream, error)
    })
    return sink
  }

  private pipe(stream: Stream): void {
    const sink = this.open(stream)
    pipeline(this.source(stream), sink).then(
      () => {
        if (stream.outcome !== 'finished')
          this.broke('a stream ends once', stream, `pipeline() resolves, ${stream.outcome}`)
      },
      () => {
        if (stream.outcome === 'finished') this.broke('a stream ends once', stream, 'pipeline() rejects')
      },
    )
  }

  private sendAll(stream: Stream): void {
    const { action } = stream
    const controller = action.signal === undefined ? undefined : this.user.signals[action.signal]
    const isPlain = action.everyMs === 0 && action.ends !== 'hang'
    const messages = isPlain && action.id % 2 === 0 ? this.plainSource(stream) : this.source(stream)
    const sent = this.user.producer.sendAll(messages as AsyncIterable<Message>, {
      ...this.optionsOf(action),
      ...(controller !== undefined && { signal: controller.signal }),
    })
    controller?.signal.addEventListener('abort', () => this.user.watch(`sendAll ${action.id}`, SOON_MS, sent))
    sent.then(
      () => this.finished(stream),
      (error: unknown) => this.failed(stream, error),
    )
  }

  private async *source(stream: Stream): AsyncGenerator<Chunk> {
    const { action } = stream
    try {
      while (!this.isDone(stream)) {
        if (action.everyMs > 0)
          await new Promise((resolve) => void this.user.clock.setTimeout(() => resolve(0), action.everyMs))
        yield* this.yielded(stream)
      }
      if (action.ends === 'hang' || action.ends === 'leave') await new Promise(() => undefined)
      this.sourceEnds(stream)
    } finally {
      stream.isSourceOver = true
    }
  }

  private *plainSource(stream: Stream): Generator<Chunk> {
    try {
      while (!this.isDone(stream)) yield* this.yielded(stream)
      this.sourceEnds(stream)
    } finally {
      stream.isSourceOver = true
    }
  }

  private *yielded(stream: Stream): Generator<Chunk> {
    const { chunk } = this.chunk(stream)
    stream.isYielding = true
    yield chunk
    stream.isYielding = false
  }

  private sourceEnds(stream: Stream): void {
    if (stream.action.ends === 'throw' || stream.action.ends === 'end, then destroy') {
      stream.isDestroyed = true
      throw stream.ownError
    }
    this.noteEnd(stream)
  }

  private noteEnd(stream: Stream): void {
    stream.isEnded = true
    stream.endedAt = this.user.clock.now()
  }

  // What it is told.

  /** The send of a stream, or anybody else's. */
  private send(send: Send, given: Message | readonly Message[], options?: object): Promise<unknown> {
    const first = Array.isArray(given) ? (given[0] as Message | undefined) : undefined
    const ids = first === undefined ? [] : (given as readonly Message[]).map((message) => this.user.idOf(message))
    const stream = this.byId.get(ids[0] ?? -1)
    if (stream === undefined) return send(given, options)
    this.noteSent(stream, ids)
    const sent = send(given, options)
    this.user.sent(ids, sent)
    sent.then(
      () => (stream.onTheirWay -= ids.length),
      (error: unknown) => {
        stream.onTheirWay -= ids.length
        if (stream.outcome === undefined) stream.failures.add(error)
        if (hasCode(error, 'QUEUE_FULL'))
          this.broke('a stream waits for room', stream, 'it was refused for want of room')
      },
    )
    return sent
  }

  private noteSent(stream: Stream, ids: readonly number[]): void {
    const { entries, sent, outcome, action, failures } = stream
    if (outcome !== undefined || failures.size > 0)
      this.broke('nothing is sent of a stream that is over', stream, `${ids.join()} are`)
    ids.forEach((id, i) => {
      const entry = entries[sent + i]
      if (entry?.id !== id) return this.broke('a stream keeps the order', stream, `${id} is the ${sent + i}th`)
      this.user.ledger.given({ ...entry, sentAt: this.user.clock.now() })
    })
    const { inFlight = Infinity } = action
    stream.sent += ids.length
    stream.onTheirWay += ids.length
    const most = this.mostOnTheirWay(action)
    if (stream.onTheirWay > most)
      this.broke('a stream holds back', stream, `${stream.onTheirWay} are on their way, ${inFlight} may be`)
    if (this.heeds(action) && entries.length - stream.sent > 2 * READ_AHEAD)
      this.broke('a stream holds back', stream, `${entries.length - stream.sent} were taken ahead`)
  }

  /** Beside those that may be, a batch of what was read ahead. */
  private mostOnTheirWay(action: StreamAction): number {
    const { inFlight = Infinity, by } = action
    if (!this.heeds(action)) return Infinity
    // What is queued is not on its way any more, and where the queue is full one batch waits for room.
    const isOfQueue = this.user.producer.config.type === 'async' && by !== 'write' && this.user.encodesAtOnce
    return (isOfQueue ? Math.min(inFlight, READ_AHEAD) : inFlight) + READ_AHEAD
  }

  private finished(stream: Stream): void {
    const { entries, sent, failures, action } = stream
    const ofLedger = (id: number) => this.user.ledger.entries.get(id)
    if (stream.outcome !== undefined) this.broke('a stream ends once', stream, `finished, ${stream.outcome}`)
    stream.outcome = 'finished'
    if (sent < entries.length || entries.length < action.count)
      this.broke('a stream that has finished has sent all', stream, `${sent} of ${entries.length} were`)
    if (failures.size > 0) this.broke('a stream whose messages fail does not finish', stream, String([...failures][0]))
    const isAsync = this.user.producer.config.type === 'async'
    for (const { id } of entries) {
      const fate = ofLedger(id)?.fate
      const isEnded = isAsync ? fate !== undefined && fate.kind !== 'refused' : fate?.kind === 'acknowledged'
      if (!isEnded) this.broke('finished means that all have arrived', stream, `${id}: ${fate?.kind}`)
    }
    this.user.react(action.then ?? 'nothing')
  }

  private failed(stream: Stream, error: unknown): void {
    const { failures, action, isDestroyed, ownError } = stream
    if (stream.outcome !== undefined) this.broke('a stream ends once', stream, `failed, ${stream.outcome}`)
    stream.outcome = 'failed'
    const { code } = (error ?? {}) as { readonly code?: string }
    const isAborted = action.signal !== undefined && this.user.signals[action.signal]?.signal.aborted === true
    const isWhy =
      failures.has(error) ||
      this.namesWrong(stream, error) ||
      (isDestroyed && error === ownError) ||
      (code === 'ABORTED' && action.by === 'sendAll' && isAborted) ||
      (code === 'PRODUCER_CLOSED' && this.user.producer.toJSON()['state'] === 'closed')
    const { since, until } = this.user.closing()
    if (hasCode(error, 'PRODUCER_CLOSED') && stream.endedAt < since && this.user.clock.now() < until)
      this.broke('close waits for streams that were ended', stream, String(error))
    if (!isWhy) this.broke('a stream fails with what its messages failed with', stream, String(error))
    if (hasCode(error, 'INVALID_MESSAGE') && !this.namesWrong(stream, error))
      this.broke('a stream names what is wrong by its place', stream, String(error))
    if (stream.isYielding && !stream.isSourceOver) this.checkClosed(stream)
    this.user.react(action.then ?? 'nothing')
  }

  private namesWrong({ action, entries }: Stream, error: unknown): boolean {
    const place = placeOfWrong(action)
    if (action.wrong === undefined || entries.length <= place || !hasCode(error, 'INVALID_MESSAGE')) return false
    return (
      action.wrong === 'null' ||
      new RegExp(`^(after the interceptors: )?messages\\[${place}\\]: `).test((error as Error).message)
    )
  }

  /** Whoever waits with a message in hand hears that nobody wants more. */
  private checkClosed(stream: Stream): void {
    this.user.clock.setTimeout(() => {
      if (!stream.isSourceOver) this.broke('an iterable is closed with its stream', stream, 'it is not')
    }, SOON_MS)
  }

  private broke(rule: string, { action }: Stream, detail: string): void {
    this.user.told(new Violation(rule, `stream of ${action.id}: ${detail}`))
  }
}
