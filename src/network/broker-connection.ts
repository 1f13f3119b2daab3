import { inspect } from 'node:util'
import Denque from 'denque'
import { systemClock, type Clock } from '../clock.js'
import { createDebug } from '../debug.js'
import {
  ConnectionClosedError,
  MalformedResponseError,
  RequestTimeoutError,
  type KafkaProducerError,
} from '../errors.js'
import { foreignText } from '../foreign-text.js'
import { kindOf } from '../kind-of.js'
import { maxResponseBytes, type Api, type RequestEncoder } from '../protocol/api.js'
import { decodeResponseFrame, encodeRequest, FrameSplitter, GatheringBound } from '../protocol/frame.js'
import { Observers, type OnEnd, type RequestEnd } from '../stats/observer.js'
import { streamError } from '../thrown-message.js'
import { formatAddress, type BrokerAddress } from './connect.js'
import { EarliestTimer } from './earliest-timer.js'
import { HEAD_BYTES, notKafka } from './foreign-protocol.js'
import { IdleWatch } from './idle-watch.js'
import { bufferOf, destroyStream, reset, type Stream } from './stream.js'
import { tlsProblem } from './tls-errors.js'
import { UnansweredRequests } from './unanswered-requests.js'

const debug = createDebug('kafka-producer:connection')

/** A response has a correlation id at the least. */
const MIN_RESPONSE_BYTES = 4
/** Of the answer to a bare token. */
const MAX_TOKEN_BYTES = 1024 * 1024
/** For the rest of an answer that has begun and that no request waits for; of others the request's own time goes on. */
const REST = { since: 0, timeoutMs: 30_000 }
const EMPTY = Buffer.alloc(0)

/** From this size on a request that was hung up on may have been too large: no broker is known that takes less. */
export const LARGE_REQUEST_BYTES = 500_000
const MAY_BE_TOO_LARGE =
  '; brokers hang up on requests above their `socket.request.max.bytes` (Azure Event Hubs: 1,046,528): `maxRequestBytes` and `batchBytes` bound them'

export interface ConnectionTerms {
  readonly clientId: string
  /** Of one answer. */
  readonly maxResponseBytes: number
  readonly maxIdleMs: number
  /** Shared by all connections that together may hold no more of answers that are not whole yet; by default its own. */
  readonly gathering?: GatheringBound
  readonly clock?: Clock
  /** False where nobody can say when a stream is done with what was written: `onTaken` is not called then. Default: true. */
  readonly tellsTaken?: boolean
  readonly observers?: Observers
}

export interface RequestOptions {
  /** How long the broker may take, from the later of "written" and "previous answer". */
  readonly timeoutMs: number
  /** A guess at the size of the body in bytes: an exact one saves growing the buffer. */
  readonly capacity?: number
  /** True for a step of authentication: it goes out while other requests are held back for it. */
  readonly authentication?: boolean
  /** Where it is aborted while the request is held back, that is never written, and fails with the reason. */
  readonly signal?: AbortSignal
  /** Called when it goes to the socket: from then on the broker may act on it. Until then it may be held back. */
  readonly onWritten?: () => void
  /** Called when the system has taken its bytes, which nobody reads from then on. It may never be. */
  readonly onTaken?: () => void
}

/** A request written and not answered yet. */
interface InFlight {
  /** Undefined for a bare token, whose answer has none. */
  readonly correlationId: number | undefined
  readonly label: string
  /** Of the whole frame. */
  readonly bytes: number
  timeoutMs: number
  /** What is larger is not its answer. */
  readonly maxBytes: number
  since: number
  /** Whoever watches is told how it ended. */
  observed?: ObservedRequest | undefined
  readonly answer: (frame: Buffer) => void
  readonly fail: (error: KafkaProducerError) => void
}

/** A request that has no answer, until the system has taken its bytes. */
interface OneWay {
  readonly label: string
  readonly bytes: number
  timeoutMs: number
  readonly since: number
  readonly observed: ObservedRequest | undefined
  readonly fail: (error: KafkaProducerError) => void
}

/** A request that somebody watches. */
interface ObservedRequest {
  readonly startedAt: number
  readonly onEnd: OnEnd<RequestEnd>
}

/** A request that waits for an authentication to end. */
interface Held {
  write(): void
  fail(error: KafkaProducerError): void
}

/**
 * One connection to one broker: requests go out at once, in the order given, and are answered in that order.
 *
 *     open ──close()──▶ ending ──▶ closed          (FIN first, so that what was written arrives)
 *       └──error, time-out, bad answer, FIN of the peer──▶ closed
 *
 * The first thing that goes wrong closes the connection and fails all requests in flight, each once: from then on
 * nobody can tell which of them the broker still served. It is reset then, so that the system delivers no more of what
 * has failed.
 *
 * It keeps the process alive only while it ends. Whoever waits for an answer does that: the messages' deadlines.
 */
export class BrokerConnection {
  private readonly clientId: string
  private readonly maxResponseBytes: number
  private readonly clock: Clock
  private readonly tellsTaken: boolean
  private readonly observers: Observers
  private state: 'open' | 'ending' | 'closed' = 'open'
  /** Not to be walked to: it leads to the key that TLS was opened with. */
  readonly #socket: Stream
  /** Nor these, which lead to what was written, with others' bytes around it in memory. */
  readonly #inFlight = new Denque<InFlight>()
  /** Requests without an answer whose bytes the system has not taken yet, in the order they were written. */
  private readonly notTaken = new Denque<OneWay>()
  private lastTakenAt = 0
  readonly #oneWay = new UnansweredRequests()
  readonly #splitter: FrameSplitter
  private nextCorrelationId = 0
  private asked = false
  private lastAnswerAt = 0
  /** When the first byte came of the answer that is being gathered. */
  private gatheringSince = 0
  /** When the oldest request has had its time. */
  private readonly deadlines: EarliestTimer
  private readonly idle: IdleWatch
  private readonly closeListeners = new Set<() => void>()
  private readonly goneController = new AbortController()
  /** How many need it for something else than a request on its way. */
  private users = 0
  /** There while requests wait for an authentication to end. */
  private held: Held[] | undefined
  /** Until there is a session it is part of an attempt, of whose end nothing else is told. */
  private hasSession = false
  /** The first bytes that came, until an answer was read. */
  private head: Buffer = EMPTY
  private isEndedByBroker = false
  /** Called before each request: the session may have to be renewed. */
  beforeRequest: (() => void) | undefined
  /** What may be wrong if the broker hangs up before it has answered anything that needs a session. */
  hint: string | undefined

  constructor(
    socket: Stream,
    readonly address: BrokerAddress,
    { clientId, maxResponseBytes, maxIdleMs, gathering, clock, tellsTaken, observers }: ConnectionTerms,
  ) {
    this.clientId = clientId
    this.maxResponseBytes = maxResponseBytes
    this.clock = clock ?? systemClock
    this.tellsTaken = tellsTaken ?? true
    this.observers = observers ?? new Observers()
    this.deadlines = new EarliestTimer(this.clock, () => this.checkTimeout())
    this.idle = new IdleWatch(
      this.clock,
      maxIdleMs,
      () => this.isAtWork,
      () => this.onIdle(maxIdleMs),
    )
    this.#socket = socket
    // Bare tokens may be empty; that others have a correlation id is looked at with each.
    this.#splitter = new FrameSplitter(0, () => this.sizeOfNext(), gathering ?? new GatheringBound(maxResponseBytes))
    socket.unref?.()
    socket.on('data', (chunk: unknown) => this.onData(chunk))
    // One that the user gave may have been paused.
    socket.resume()
    socket.on('end', () => this.fail(this.closedByPeer('closed the connection')))
    socket.on('error', (given: unknown) => {
      const cause = streamError(given)
      this.fail(
        tlsProblem(cause, this.name, true, this.hint) ??
          this.closedByPeer(`broke the connection: ${foreignText(cause.message)}`, cause),
      )
    })
    socket.on('close', () => this.fail(new ConnectionClosedError(`the connection to ${this.name} is closed`)))
    // It may have ended before anybody listened.
    if (socket.destroyed) this.fail(new ConnectionClosedError(`the connection to ${this.name} is closed`))
  }

  private get name(): string {
    return formatAddress(this.address)
  }

  /** Whether requests can be sent. */
  get isOpen(): boolean {
    return this.state === 'open'
  }

  /** Whether nothing is left of it that has to close. */
  get isDestroyed(): boolean {
    return this.#socket.destroyed
  }

  /** It counts as opened from now on: its end is told. */
  opened(): void {
    this.hasSession = true
    if (this.state !== 'open') this.tellDisconnected(this.gone.reason as KafkaProducerError)
  }

  /** Whether any request was written that has an answer. */
  get hasAsked(): boolean {
    return this.asked
  }

  /** Whether any request was answered on it. */
  get hasAnswered(): boolean {
    return this.lastAnswerAt > 0
  }

  private closedByPeer(how: string, cause?: Error): ConnectionClosedError {
    if (this.state === 'open') this.isEndedByBroker = true
    const unanswered = this.#inFlight.peekFront()
    const open = unanswered ?? this.notTaken.peekFront()
    const verb = unanswered === undefined ? 'taken' : 'answered'
    const asked = open === undefined ? '' : `, and had not ${verb} ${open.label} of ${open.bytes} bytes`
    const isLarge = open !== undefined && open.bytes >= LARGE_REQUEST_BYTES
    const hint = isLarge ? MAY_BE_TOO_LARGE : this.hint === undefined ? '' : `; ${this.hint}`
    return new ConnectionClosedError(`${this.name} ${how}${asked}${hint}`, cause === undefined ? {} : { cause })
  }

  /** Sockets of TLS show the key they were opened with. */
  [inspect.custom](): string {
    return `BrokerConnection { ${this.name}, ${this.state} }`
  }

  /** Whether it was the broker that ended it. */
  get wasHungUpOn(): boolean {
    return this.isEndedByBroker
  }

  /** Aborted, with the reason, when the connection is no longer open for requests. */
  get gone(): AbortSignal {
    return this.goneController.signal
  }

  /** The connection is not idle while the work for it goes on: credentials are asked for, a batch is compressed. */
  async whileUsed<T>(work: Promise<T>): Promise<T> {
    this.users++
    try {
      return await work
    } finally {
      this.users--
      this.idle.used()
    }
  }

  /** Calls `listener` once, when the connection is no longer open for requests. */
  onClose(listener: () => void): () => void {
    this.closeListeners.add(listener)
    return () => this.closeListeners.delete(listener)
  }

  /**
   * Sends a request and resolves with its answer.
   *
   * @throws what the encoder throws, before anything is written
   * @throws ConnectionClosedError, RequestTimeoutError, MalformedResponseError: the broker may have served it, if it was written
   */
  request<Request, Response>(
    api: Api<Request, Response>,
    version: number,
    request: Request,
    options: RequestOptions,
    decode: (frame: Buffer) => Response = (frame) => decodeResponseFrame(api, version, frame, request),
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      const correlationId = this.nextCorrelationId
      const { parts, bytes } = this.encode(api, version, request, options.capacity)
      const entry: InFlight = {
        correlationId,
        label: `${api.name} v${version}`,
        bytes,
        timeoutMs: options.timeoutMs,
        maxBytes: this.maxBytes(api, request, bytes),
        since: 0,
        answer: (frame) => resolve(decode(frame)),
        fail: reject,
      }
      const write = () => {
        if (options.signal?.aborted === true) return reject(options.signal.reason as Error)
        options.onWritten?.()
        entry.observed = this.observe(api.name, version, correlationId, bytes)
        this.writeInFlight(entry, parts, options.onTaken)
      }
      if (options.authentication === true) write()
      else this.writeOrHold({ write, fail: reject })
    })
  }

  /** Sends a token as SaslHandshake v0 wants it, bare: a size and the bytes; resolves with the token of the answer. */
  exchangeToken(token: Buffer, { timeoutMs }: Pick<RequestOptions, 'timeoutMs'>): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.writeInFlight(
        {
          correlationId: undefined,
          label: 'a token',
          bytes: token.length,
          timeoutMs,
          maxBytes: MAX_TOKEN_BYTES,
          since: 0,
          answer: (answer) => resolve(Buffer.from(answer)),
          fail: reject,
        },
        [this.frameOf(token)],
      )
    })
  }

  /** Sends a bare token that has no answer. */
  sendToken(token: Buffer): void {
    this.#socket.write(this.frameOf(token))
  }

  private frameOf(token: Buffer): Buffer {
    if (this.state !== 'open') throw new ConnectionClosedError(`the connection to ${this.name} is closed`)
    const size = Buffer.alloc(4)
    size.writeInt32BE(token.length)
    return Buffer.concat([size, token])
  }

  private writeInFlight(entry: InFlight, parts: readonly Uint8Array[], onTaken?: () => void): void {
    entry.since = this.clock.now()
    this.#inFlight.push(entry)
    this.asked = true
    this.deadlines.arm(entry.timeoutMs)
    this.write(parts, (error) => {
      entry.since = this.clock.now()
      // A socket that is destroyed calls back for the write it was at as if that had been done.
      if (!error && !this.#socket.destroyed && this.tellsTaken) onTaken?.()
    })
  }

  /** Writes what belongs together in one go. */
  private write(parts: readonly Uint8Array[], onEnd: (error: Error | null | undefined) => void): void {
    const last = parts.length - 1
    const socket = this.#socket
    try {
      if (last > 0) socket.cork()
      for (let i = 0; i < last; i++) socket.write(parts[i])
      socket.write(parts[last], onEnd)
      if (last > 0) socket.uncork()
    } catch (cause) {
      // A stream that the user gave may throw where a socket has an error.
      this.fail(this.closedByPeer('broke the connection', streamError(cause)))
    }
  }

  /**
   * Sends a request that the broker does not answer (Produce with acks 0); resolves when the system has taken the bytes.
   * Brokers that answer it all the same, such as Azure's Event Hubs, are let do so.
   *
   * @throws ConnectionClosedError, RequestTimeoutError: some of it may have been taken, perhaps all
   */
  sendOneWay<Request>(
    api: RequestEncoder<Request>,
    version: number,
    request: Request,
    options: RequestOptions,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const correlationId = this.nextCorrelationId
      const { parts, bytes } = this.encode(api, version, request, options.capacity)
      const maxBytes = this.maxBytes(api, request, bytes)
      const label = `${api.name} v${version}`
      const write = () => {
        options.onWritten?.()
        const observed = this.observe(api.name, version, correlationId, bytes)
        this.notTaken.push({
          label,
          bytes,
          timeoutMs: options.timeoutMs,
          since: this.clock.now(),
          observed,
          fail: reject,
        })
        this.deadlines.arm(options.timeoutMs)
        this.#oneWay.add(correlationId, maxBytes)
        this.write(parts, (error) => {
          // A socket that is destroyed calls back for the write it was at as if that had been done.
          if (error || this.#socket.destroyed) return this.failNotTaken(this.whyClosed(error))
          this.notTaken.shift()
          this.lastTakenAt = this.clock.now()
          this.tellEnded(observed, 0, undefined)
          if (this.tellsTaken) options.onTaken?.()
          resolve()
        })
      }
      this.writeOrHold({ write, fail: reject })
    })
  }

  private whyClosed(given: Error | null | undefined): ConnectionClosedError {
    const cause = given ? streamError(given) : undefined
    const what = cause === undefined ? 'is closed' : `broke: ${foreignText(cause.message)}`
    return new ConnectionClosedError(`the connection to ${this.name} ${what}`, cause === undefined ? {} : { cause })
  }

  private failNotTaken(error: KafkaProducerError): void {
    for (let entry = this.notTaken.shift(); entry !== undefined; entry = this.notTaken.shift()) {
      entry.fail(error)
      this.tellEnded(entry.observed, 0, error)
    }
  }

  private writeOrHold(request: Held): void {
    this.beforeRequest?.()
    if (this.held === undefined) request.write()
    else this.held.push(request)
  }

  /** From now on requests wait: between the steps of an authentication a broker takes no others. */
  holdRequests(): void {
    this.held ??= []
  }

  /** Lets them go, in their order. */
  releaseRequests(): void {
    const { held } = this
    this.held = undefined
    for (const request of held ?? []) {
      // A stream that throws on one of them closes the connection for those after it.
      if (this.state === 'open') request.write()
      else request.fail(this.gone.reason as KafkaProducerError)
    }
  }

  /** What was written must be answered so soon: nobody waits for it any more, but for what may come after it. */
  hurry(timeoutMs: number): void {
    for (let i = 0; i < this.#inFlight.length; i++) lower(this.#inFlight.peekAt(i), timeoutMs)
    for (let i = 0; i < this.notTaken.length; i++) lower(this.notTaken.peekAt(i), timeoutMs)
    this.deadlines.arm(0)
  }

  /** Closes the connection at once; all its requests fail with this error. */
  abandon(error: KafkaProducerError): void {
    this.fail(error)
  }

  private observe(api: string, version: number, correlationId: number, bytes: number): ObservedRequest | undefined {
    const { requests } = this.observers
    if (!requests.isWatched) return undefined
    const onEnd = requests.begin({ broker: this.name, api, version, correlationId, bytes })
    return { startedAt: this.clock.now(), onEnd }
  }

  private tellEnded(
    observed: ObservedRequest | undefined,
    responseBytes: number,
    error: KafkaProducerError | undefined,
  ): void {
    observed?.onEnd({ latencyMs: this.clock.now() - observed.startedAt, responseBytes, error })
  }

  private tellDisconnected(error: KafkaProducerError): void {
    const { observers } = this
    if (!this.hasSession || !observers.wantsEvents) return
    observers.happened({ type: 'disconnected', broker: this.name, requests: this.requestCount, error })
  }

  /** How many are on their way, without an answer or not taken yet. */
  private get requestCount(): number {
    return this.#inFlight.length + this.notTaken.length
  }

  private encode<Request>(
    api: RequestEncoder<Request>,
    version: number,
    request: Request,
    capacity?: number,
  ): { parts: readonly Uint8Array[]; bytes: number } {
    if (this.state !== 'open') throw new ConnectionClosedError(`the connection to ${this.name} is closed`)
    const parts = encodeRequest(api, version, this.nextCorrelationId, this.clientId, request, capacity)
    this.nextCorrelationId = (this.nextCorrelationId + 1) & 0x7fffffff
    this.idle.used()
    return { parts, bytes: parts.reduce((sum, part) => sum + part.length, 0) }
  }

  private maxBytes<Request>(api: RequestEncoder<Request>, request: Request, written: number): number {
    return Math.min(maxResponseBytes(api, request, written), this.maxResponseBytes)
  }

  /**
   * Ends the connection after what was written; requests in flight fail. Resolves when the socket is closed, at the
   * latest after `graceMs`, when a peer that does not answer the FIN is cut off; a stream that does not tell that it is
   * closed is given as long once more.
   */
  close(graceMs: number): Promise<void> {
    if (this.#socket.destroyed) return Promise.resolve()
    const cutOff = this.#inFlight.isEmpty() ? () => destroyStream(this.#socket) : () => reset(this.#socket)
    return new Promise((resolve) => {
      let timer = this.clock.setTimeout(() => {
        // The user's streams need not emit 'close'.
        if (this.#socket.destroyed) return resolve()
        cutOff()
        timer = this.clock.setTimeout(resolve, graceMs)
      }, graceMs)
      this.#socket.ref?.()
      this.#socket.once('close', () => {
        this.clock.clearTimeout(timer)
        resolve()
      })
      try {
        this.#socket.end()
      } catch {
        // One of the user's may throw: it is cut off when its time is over.
      }
      this.leaveOpen('ending', new ConnectionClosedError(`the connection to ${this.name} was closed by this client`))
    })
  }

  private onData(given: unknown): void {
    if (this.state !== 'open') return
    const chunk = bufferOf(given)
    if (chunk === undefined)
      return this.fail(
        new MalformedResponseError(`the stream to ${this.name} gave ${kindOf(given)}, allowed are bytes`),
      )
    if (!this.hasAnswered && this.head.length < HEAD_BYTES)
      this.head = Buffer.concat([this.head, chunk.subarray(0, HEAD_BYTES)])
    try {
      this.#splitter.push(chunk, (frame) => this.onFrame(frame))
      if (this.#splitter.isGathering && this.#inFlight.isEmpty()) this.deadlines.arm(REST.timeoutMs)
    } catch (error) {
      const foreign = this.hasAnswered ? undefined : notKafka(this.name, this.head)
      this.fail(foreign ?? (error as KafkaProducerError))
    }
  }

  /** How large the answer that has begun may be; nothing is begun that nobody asked for. */
  private sizeOfNext(): number {
    const entry = this.#inFlight.peekFront()
    this.gatheringSince = this.clock.now()
    if (entry !== undefined) return Math.max(entry.maxBytes, this.#oneWay.maxBytes)
    if (!this.#oneWay.isEmpty) return this.#oneWay.maxBytes
    throw new MalformedResponseError(`${this.name} sent bytes that nothing asked for`)
  }

  private onFrame(frame: Buffer): void {
    const entry = this.#inFlight.peekFront()
    if (entry?.correlationId !== undefined || entry === undefined) {
      const correlationId = this.correlationIdOf(frame)
      if (correlationId !== entry?.correlationId) {
        if (!this.#oneWay.answered(correlationId)) throw this.unexpected(correlationId, entry)
        this.noteAnswer()
        return
      }
    }
    if (frame.length > entry.maxBytes)
      throw new MalformedResponseError(
        `${this.name} answered ${entry.label} with ${frame.length} bytes, allowed are ${entry.maxBytes}`,
      )
    // Decoded before it leaves the queue: an answer that can't be read fails its request along with the connection.
    entry.answer(frame)
    this.#inFlight.shift()
    this.noteAnswer()
    this.tellEnded(entry.observed, frame.length, undefined)
  }

  private noteAnswer(): void {
    this.lastAnswerAt = this.clock.now()
    this.idle.used()
    this.head = EMPTY
    this.hint = undefined
  }

  private correlationIdOf(frame: Buffer): number {
    if (frame.length >= MIN_RESPONSE_BYTES) return frame.readInt32BE(0)
    throw new MalformedResponseError(
      `${this.name} answered a frame of ${frame.length} bytes, allowed are ${MIN_RESPONSE_BYTES} at the least`,
    )
  }

  private unexpected(correlationId: number, entry: InFlight | undefined): MalformedResponseError {
    const expected = entry === undefined ? 'none' : `${entry.correlationId} (${entry.label})`
    return new MalformedResponseError(`${this.name} answered correlation id ${correlationId}, expected was ${expected}`)
  }

  private checkTimeout(): void {
    if (this.state !== 'open') return
    const asked = this.#inFlight.peekFront()
    const toTake = this.notTaken.peekFront()
    if (asked !== undefined && this.isLate(asked, this.lastAnswerAt)) {
      this.fail(new RequestTimeoutError(`${this.name} did not answer ${asked.label} within ${asked.timeoutMs} ms`))
    } else if (toTake !== undefined && this.isLate(toTake, this.lastTakenAt)) {
      this.fail(new RequestTimeoutError(`${this.name} did not take ${toTake.label} within ${toTake.timeoutMs} ms`))
    } else if (asked === undefined && this.#splitter.isGathering && this.isLate(REST, this.gatheringSince)) {
      this.fail(
        new RequestTimeoutError(`${this.name} did not finish an answer that it began within ${REST.timeoutMs} ms`),
      )
    }
  }

  /** Whether a request has had its time, which begins when the one before it was done with; if not, looks again then. */
  private isLate({ since, timeoutMs }: Pick<InFlight, 'since' | 'timeoutMs'>, doneBeforeAt: number): boolean {
    const left = Math.max(since, doneBeforeAt) + timeoutMs - this.clock.now()
    if (left > 0) this.deadlines.arm(left)
    return left <= 0
  }

  private get isAtWork(): boolean {
    return !this.#inFlight.isEmpty() || !this.notTaken.isEmpty() || this.held !== undefined || this.users > 0
  }

  private onIdle(maxIdleMs: number): void {
    this.fail(new ConnectionClosedError(`the connection to ${this.name} was idle for ${maxIdleMs} ms`))
  }

  private fail(error: KafkaProducerError): void {
    if (this.state === 'closed') return
    // Of acks 0 the caller was told that the system has it: it may go on delivering that.
    if (this.#inFlight.isEmpty()) destroyStream(this.#socket)
    else reset(this.#socket)
    this.leaveOpen('closed', error)
  }

  private leaveOpen(state: 'ending' | 'closed', error: KafkaProducerError): void {
    const wasOpen = this.state === 'open'
    this.state = state
    this.deadlines.clear()
    this.idle.clear()
    // While there are requests that it ends for.
    if (wasOpen) {
      debug('%s: %s, %d requests in flight', this.name, error.message, this.requestCount)
      this.tellDisconnected(error)
    }
    // While it is ending, what was written is still being taken.
    if (state === 'closed') this.failNotTaken(error)
    if (!wasOpen) return
    this.#splitter.clear()
    for (let entry = this.#inFlight.shift(); entry !== undefined; entry = this.#inFlight.shift()) {
      entry.fail(error)
      this.tellEnded(entry.observed, 0, error)
    }
    for (const request of this.held ?? []) request.fail(error)
    this.held = undefined
    this.goneController.abort(error)
    for (const listener of this.closeListeners) listener()
  }
}

function lower(request: { timeoutMs: number } | undefined, timeoutMs: number): void {
  if (request !== undefined) request.timeoutMs = Math.min(request.timeoutMs, timeoutMs)
}
