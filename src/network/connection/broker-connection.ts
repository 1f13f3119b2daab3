import { inspect } from 'node:util'
import { systemClock, type Clock } from '../../clock.js'
import { createDebug } from '../../debug.js'
import { ConnectionClosedError, type KafkaProducerError } from '../../errors.js'
import { maxResponseBytes, type Api, type RequestEncoder } from '../../protocol/api.js'
import { decodeResponseFrame, encodeRequest, GatheringBound } from '../../protocol/frame.js'
import { Observers } from '../../stats/observer.js'
import { foreignText } from '../../wording/foreign-text.js'
import { streamError } from '../../wording/thrown-message.js'
import { formatAddress, type BrokerAddress } from '../streams/connect.js'
import { destroyStream, reset, type Stream } from '../streams/stream.js'
import { tlsProblem } from '../streams/tls-errors.js'
import { AnswerReader } from './answer-reader.js'
import { IdleWatch } from './idle-watch.js'
import { RequestsUnderWay, type InFlight, type ObservedRequest } from './requests-under-way.js'

const debug = createDebug('kafka-producer:connection')

/** Of the answer to a bare token. */
const MAX_TOKEN_BYTES = 1024 * 1024

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

/** How long a broker that nobody waits for may be silent before its connection counts as lost. */
const UNNEEDED_ANSWER_MS = 1_000

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
  /** Nor these, which lead to what was written and read, with others' bytes around it in memory. */
  readonly #requests: RequestsUnderWay
  readonly #answers: AnswerReader
  private nextCorrelationId = 0
  private asked = false
  private readonly idle: IdleWatch
  private readonly closeListeners = new Set<() => void>()
  private readonly goneController = new AbortController()
  /** How many need it for something else than a request on its way. */
  private users = 0
  /** There while requests wait for an authentication to end. */
  private held: Held[] | undefined
  /** Until there is a session it is part of an attempt, of whose end nothing else is told. */
  private hasSession = false
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
    this.#requests = new RequestsUnderWay(this.name, this.clock, (error) => this.fail(error))
    this.#answers = new AnswerReader(
      this.name,
      this.clock,
      this.#requests,
      gathering ?? new GatheringBound(maxResponseBytes),
      {
        answered: () => {
          this.idle.used()
          this.hint = undefined
        },
        failed: (error) => this.fail(error),
      },
    )
    this.idle = new IdleWatch(
      this.clock,
      maxIdleMs,
      () => this.isAtWork,
      () => this.onIdle(maxIdleMs),
    )
    this.#socket = socket
    socket.unref?.()
    socket.on('data', (chunk: unknown) => {
      if (this.state === 'open') this.#answers.read(chunk)
    })
    // One that the user gave may have been paused.
    socket.resume()
    socket.on('end', () => this.fail(this.closedByPeer('closed the connection')))
    socket.on('error', (given: unknown) => {
      const cause = streamError(given)
      this.fail(
        tlsProblem(cause, this.name, this.hasAnswered ? 'answered' : 'open', this.hint) ??
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
    return this.#requests.hasAnswered
  }

  private closedByPeer(how: string, cause?: Error): ConnectionClosedError {
    if (this.state === 'open') this.isEndedByBroker = true
    const { first: unanswered, firstNotTaken } = this.#requests
    const open = unanswered ?? firstNotTaken
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
    if (this.state !== 'open') throw this.whyNotOpen()
    const size = Buffer.alloc(4)
    size.writeInt32BE(token.length)
    return Buffer.concat([size, token])
  }

  private writeInFlight(entry: InFlight, parts: readonly Uint8Array[], onTaken?: () => void): void {
    entry.since = this.clock.now()
    this.#requests.awaitAnswer(entry)
    this.asked = true
    this.write(parts, (error) => {
      this.#requests.written(entry)
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
        const { timeoutMs } = options
        this.#requests.awaitTaken({ label, bytes, timeoutMs, since: this.clock.now(), observed, fail: reject })
        this.#answers.mayCome(correlationId, maxBytes)
        this.write(parts, (error) => {
          // A socket that is destroyed calls back for the write it was at as if that had been done.
          if (error || this.#socket.destroyed) return this.#requests.failNotTaken(this.whyClosed(error))
          this.#requests.taken()
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

  /** For what comes too late. It may be the only one that is told: what the connection ended for had better be in it. */
  private whyNotOpen(): ConnectionClosedError {
    const why = this.gone.reason as KafkaProducerError
    const what = `the connection to ${this.name} is closed`
    return why instanceof ConnectionClosedError
      ? new ConnectionClosedError(what)
      : new ConnectionClosedError(`${what}: ${why.message}`, { cause: why })
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

  /** What was written must be answered soon: nobody waits for it any more, but for what may come after it. */
  hurry(): void {
    this.#requests.hurry(UNNEEDED_ANSWER_MS)
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

  private tellDisconnected(error: KafkaProducerError): void {
    const { observers } = this
    if (!this.hasSession || !observers.wantsEvents) return
    observers.happened({ type: 'disconnected', broker: this.name, requests: this.#requests.count, error })
  }

  private encode<Request>(
    api: RequestEncoder<Request>,
    version: number,
    request: Request,
    capacity?: number,
  ): { parts: readonly Uint8Array[]; bytes: number } {
    if (this.state !== 'open') throw this.whyNotOpen()
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
    const cutOff = this.#requests.first === undefined ? () => destroyStream(this.#socket) : () => reset(this.#socket)
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

  private get isAtWork(): boolean {
    return this.#requests.count > 0 || this.held !== undefined || this.users > 0
  }

  private onIdle(maxIdleMs: number): void {
    this.fail(new ConnectionClosedError(`the connection to ${this.name} was idle for ${maxIdleMs} ms`))
  }

  private fail(error: KafkaProducerError): void {
    if (this.state === 'closed') return
    // Of acks 0 the caller was told that the system has it: it may go on delivering that.
    if (this.#requests.first === undefined) destroyStream(this.#socket)
    else reset(this.#socket)
    this.leaveOpen('closed', error)
  }

  private leaveOpen(state: 'ending' | 'closed', error: KafkaProducerError): void {
    const wasOpen = this.state === 'open'
    this.state = state
    this.#requests.stopTiming()
    this.idle.clear()
    // While there are requests that it ends for.
    if (wasOpen) {
      debug('%s: %s, %d requests in flight', this.name, error.message, this.#requests.count)
      this.tellDisconnected(error)
    }
    // While it is ending, what was written is still being taken.
    if (state === 'closed') this.#requests.failNotTaken(error)
    if (!wasOpen) return
    this.#answers.stop()
    this.#requests.failUnanswered(error)
    for (const request of this.held ?? []) request.fail(error)
    this.held = undefined
    this.goneController.abort(error)
    for (const listener of this.closeListeners) listener()
  }
}
