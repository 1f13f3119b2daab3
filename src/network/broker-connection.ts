import type { Socket } from 'node:net'
import type { Api, RequestEncoder } from '../protocol/api.js'
import createDebug from 'debug'
import Denque from 'denque'
import { ConnectionClosedError, MalformedResponseError, RequestTimeoutError, type KafkaProducerError } from '../errors.js'
import { decodeResponseFrame, encodeRequestFrame, FrameSplitter } from '../protocol/frame.js'
import { formatAddress, type BrokerAddress } from './connect.js'

const debug = createDebug('kafka-producer:connection')

/** A response has a correlation id at the least. */
const MIN_RESPONSE_BYTES = 4
/** The longest delay that Node's timers keep; with a longer one they fire at once. */
const MAX_TIMER_MS = 0x7fffffff

export interface RequestOptions {
  /** How long the broker may take, from the later of "written" and "previous answer". */
  readonly timeoutMs: number
  /** A guess at the size of the body in bytes: an exact one saves growing the buffer. */
  readonly capacity?: number
}

/** A request written and not answered yet. */
interface InFlight {
  readonly correlationId: number
  readonly label: string
  readonly timeoutMs: number
  since: number
  readonly answer: (frame: Buffer) => void
  readonly fail: (error: KafkaProducerError) => void
}

/**
 * One connection to one broker: requests go out at once, in the order given, and are answered in that order.
 *
 *     open ──close()──▶ ending ──▶ closed          (FIN first, so that what was written arrives)
 *       └──error, time-out, bad answer, FIN of the peer──▶ closed
 *
 * The first thing that goes wrong closes the connection and fails all requests in flight, each once: from then on
 * nobody can tell which of them the broker still served.
 *
 * It keeps the process alive only while it ends. Whoever waits for an answer does that: the messages' deadlines.
 */
export class BrokerConnection {
  private state: 'open' | 'ending' | 'closed' = 'open'
  private readonly inFlight = new Denque<InFlight>()
  private readonly splitter: FrameSplitter
  private nextCorrelationId = 0
  private lastAnswerAt = 0
  private timer: NodeJS.Timeout | undefined
  private timerDue = 0
  private lastUsedAt = performance.now()
  private idleTimer: NodeJS.Timeout | undefined
  private readonly closeListeners: (() => void)[] = []

  constructor(
    private readonly socket: Socket,
    readonly address: BrokerAddress,
    private readonly clientId: string,
    maxResponseBytes: number,
    maxIdleMs: number,
  ) {
    this.splitter = new FrameSplitter(MIN_RESPONSE_BYTES, maxResponseBytes)
    socket.unref()
    socket.on('data', (chunk: Buffer) => this.onData(chunk))
    socket.on('end', () => this.fail(new ConnectionClosedError(`${this.name} closed the connection`)))
    socket.on('error', (cause: Error) => {
      this.fail(new ConnectionClosedError(`connection to ${this.name}: ${cause.message}`, { cause }))
    })
    socket.on('close', () => this.fail(new ConnectionClosedError(`the connection to ${this.name} is closed`)))
    this.watchIdle(maxIdleMs)
  }

  private get name(): string {
    return formatAddress(this.address)
  }

  /** Whether requests can be sent. */
  get isOpen(): boolean {
    return this.state === 'open'
  }

  /** Whether any request was answered on it. */
  get hasAnswered(): boolean {
    return this.lastAnswerAt > 0
  }

  /** Calls `listener` once, when the connection is no longer open for requests. */
  onClose(listener: () => void): void {
    this.closeListeners.push(listener)
  }

  /**
   * Sends a request and resolves with its answer.
   *
   * @throws what the encoder throws, before anything is written
   * @throws ConnectionClosedError, RequestTimeoutError, MalformedResponseError: the broker may have served it
   */
  request<Request, Response>(
    api: Api<Request, Response>,
    version: number,
    request: Request,
    options: RequestOptions,
    decode: (frame: Buffer) => Response = (frame) => decodeResponseFrame(api, version, frame),
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      const correlationId = this.nextCorrelationId
      const entry: InFlight = {
        correlationId,
        label: `${api.name} v${version}`,
        timeoutMs: options.timeoutMs,
        since: 0,
        answer: (frame) => resolve(decode(frame)),
        fail: reject,
      }
      const frame = this.encode(api, version, request, options.capacity)
      entry.since = performance.now()
      this.inFlight.push(entry)
      this.armTimer(entry.timeoutMs)
      this.socket.write(frame, () => {
        entry.since = performance.now()
      })
    })
  }

  /**
   * Sends a request that the broker does not answer (Produce with acks 0); resolves when the socket has taken the bytes.
   */
  sendOneWay<Request>(
    api: RequestEncoder<Request>,
    version: number,
    request: Request,
    options: Pick<RequestOptions, 'capacity'> = {},
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const frame = this.encode(api, version, request, options.capacity)
      this.socket.write(frame, (error) => {
        if (!error) resolve()
        else reject(new ConnectionClosedError(`connection to ${this.name}: ${error.message}`, { cause: error }))
      })
    })
  }

  private encode<Request>(api: RequestEncoder<Request>, version: number, request: Request, capacity?: number): Buffer {
    if (this.state !== 'open') throw new ConnectionClosedError(`the connection to ${this.name} is closed`)
    const frame = encodeRequestFrame(api, version, this.nextCorrelationId, this.clientId, request, capacity)
    this.nextCorrelationId = (this.nextCorrelationId + 1) & 0x7fffffff
    this.lastUsedAt = performance.now()
    return frame
  }

  /**
   * Ends the connection after what was written; requests in flight fail. Resolves when the socket is closed, at the
   * latest after `graceMs`, when a peer that does not answer the FIN is cut off.
   */
  close(graceMs: number): Promise<void> {
    if (this.socket.destroyed) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.socket.destroy(), graceMs)
      this.socket.ref()
      this.socket.once('close', () => {
        clearTimeout(timer)
        resolve()
      })
      this.socket.end()
      this.leaveOpen('ending', new ConnectionClosedError(`the connection to ${this.name} was closed by this client`))
    })
  }

  private onData(chunk: Buffer): void {
    if (this.state !== 'open') return
    try {
      this.splitter.push(chunk, (frame) => this.onFrame(frame))
    } catch (error) {
      this.fail(error as KafkaProducerError)
    }
  }

  private onFrame(frame: Buffer): void {
    const entry = this.inFlight.peekFront()
    const correlationId = frame.readInt32BE(0)
    if (entry === undefined || correlationId !== entry.correlationId) {
      const expected = entry === undefined ? 'none' : `${entry.correlationId} (${entry.label})`
      throw new MalformedResponseError(`${this.name} answered correlation id ${correlationId}, expected was ${expected}`)
    }
    // Decoded before it leaves the queue: an answer that can't be read fails its request along with the connection.
    entry.answer(frame)
    this.inFlight.shift()
    this.lastAnswerAt = this.lastUsedAt = performance.now()
  }

  /**
   * One timer for all requests: it looks at the oldest, and is set again for what that one has left. It may still be set
   * for a longer time, by a request that was answered since.
   */
  private armTimer(delayMs: number): void {
    const due = performance.now() + delayMs
    if (this.timer !== undefined && this.timerDue <= due) return
    clearTimeout(this.timer)
    this.timerDue = due
    this.timer = setTimeout(() => {
      // After a stall of this process the answer may be waiting in the socket: let it be read first.
      setImmediate(() => {
        this.timer = undefined
        this.checkTimeout()
      })
    }, Math.min(delayMs, MAX_TIMER_MS)).unref()
  }

  private checkTimeout(): void {
    const oldest = this.inFlight.peekFront()
    if (oldest === undefined || this.state !== 'open') return
    const left = Math.max(oldest.since, this.lastAnswerAt) + oldest.timeoutMs - performance.now()
    if (left > 0) this.armTimer(Math.ceil(left))
    else this.fail(new RequestTimeoutError(`${this.name} did not answer ${oldest.label} within ${oldest.timeoutMs} ms`))
  }

  /** Brokers close connections that are idle for ten minutes; closing first spares the next request a broken one. */
  private watchIdle(maxIdleMs: number): void {
    const check = () => {
      const idle = performance.now() - this.lastUsedAt
      if (this.inFlight.isEmpty() && idle >= maxIdleMs) {
        this.fail(new ConnectionClosedError(`the connection to ${this.name} was idle for ${maxIdleMs} ms`))
      } else {
        this.idleTimer = setTimeout(check, Math.max(maxIdleMs - idle, 1000)).unref()
      }
    }
    this.idleTimer = setTimeout(check, maxIdleMs).unref()
  }

  private fail(error: KafkaProducerError): void {
    if (this.state === 'closed') return
    this.socket.destroy()
    this.leaveOpen('closed', error)
  }

  private leaveOpen(state: 'ending' | 'closed', error: KafkaProducerError): void {
    const wasOpen = this.state === 'open'
    this.state = state
    clearTimeout(this.timer)
    clearTimeout(this.idleTimer)
    if (!wasOpen) return
    debug('%s: %s, %d requests in flight', this.name, error.message, this.inFlight.length)
    for (let entry = this.inFlight.shift(); entry !== undefined; entry = this.inFlight.shift()) entry.fail(error)
    for (const listener of this.closeListeners) listener()
  }
}
