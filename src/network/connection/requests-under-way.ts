import Denque from 'denque'
import type { Clock } from '../../clock.js'
import { RequestTimeoutError, type KafkaProducerError } from '../../errors.js'
import type { OnEnd, RequestEnd } from '../../stats/observer.js'
import { EarliestTimer } from './earliest-timer.js'

/** What was written for one request, as far as its end goes. */
export interface WrittenRequest {
  readonly label: string
  /** Of the whole frame. */
  readonly bytes: number
  /** From the later of "written" and "the one before it was done with". */
  timeoutMs: number
  since: number
  /** Whoever watches is told how it ended. */
  observed?: ObservedRequest | undefined
  readonly fail: (error: KafkaProducerError) => void
}

/** A request written and not answered yet. */
export interface InFlight extends WrittenRequest {
  /** Undefined for a bare token, whose answer has none. */
  readonly correlationId: number | undefined
  /** What is larger is not its answer. */
  readonly maxBytes: number
  readonly answer: (frame: Buffer) => void
}

/** A request that somebody watches. */
export interface ObservedRequest {
  readonly startedAt: number
  readonly onEnd: OnEnd<RequestEnd>
}

/**
 * What was written on one connection and is not done with: requests in flight, which are answered in their order, and those
 * without an answer (acks 0), until the system has taken their bytes. It minds the time that each may take.
 */
export class RequestsUnderWay {
  readonly #inFlight = new Denque<InFlight>()
  readonly #notTaken = new Denque<WrittenRequest>()
  private lastAnswerAt = 0
  private lastTakenAt = 0
  /** When the oldest request has had its time. */
  private readonly deadlines: EarliestTimer

  constructor(
    private readonly broker: string,
    private readonly clock: Clock,
    private readonly onLate: (error: RequestTimeoutError) => void,
  ) {
    this.deadlines = new EarliestTimer(clock, () => this.check())
  }

  /** How many there are, without an answer or not taken yet. */
  get count(): number {
    return this.#inFlight.length + this.#notTaken.length
  }

  /** The one whose answer comes next. */
  get first(): InFlight | undefined {
    return this.#inFlight.peekFront()
  }

  /** Of those without an answer, the one that is taken next. */
  get firstNotTaken(): WrittenRequest | undefined {
    return this.#notTaken.peekFront()
  }

  /** Whether any request was answered. */
  get hasAnswered(): boolean {
    return this.lastAnswerAt > 0
  }

  awaitAnswer(request: InFlight): void {
    this.#inFlight.push(request)
    this.deadlines.arm(request.timeoutMs)
  }

  awaitTaken(request: WrittenRequest): void {
    this.#notTaken.push(request)
    this.deadlines.arm(request.timeoutMs)
  }

  /** The system has taken the bytes of a request that is answered: its time begins. */
  written(request: InFlight): void {
    request.since = this.clock.now()
  }

  /** The first of those without an answer was taken. */
  taken(): void {
    const request = this.#notTaken.shift()
    this.lastTakenAt = this.clock.now()
    this.tellEnded(request, 0, undefined)
  }

  /** The first one was answered with so many bytes. */
  answered(bytes: number): void {
    const request = this.#inFlight.shift()
    this.noteAnswer()
    this.tellEnded(request, bytes, undefined)
  }

  /** The broker gave an answer, if only to a request that wants none: it is at work. */
  noteAnswer(): void {
    this.lastAnswerAt = this.clock.now()
  }

  /** They must be done with so soon: nobody waits for them any more, but for what may come after them. */
  hurry(timeoutMs: number): void {
    for (let i = 0; i < this.#inFlight.length; i++) lower(this.#inFlight.peekAt(i), timeoutMs)
    for (let i = 0; i < this.#notTaken.length; i++) lower(this.#notTaken.peekAt(i), timeoutMs)
    this.deadlines.arm(0)
  }

  /** Nobody waits for their time any more. */
  stopTiming(): void {
    this.deadlines.clear()
  }

  failUnanswered(error: KafkaProducerError): void {
    this.failAll(this.#inFlight, error)
  }

  failNotTaken(error: KafkaProducerError): void {
    this.failAll(this.#notTaken, error)
  }

  private failAll(requests: Denque<WrittenRequest>, error: KafkaProducerError): void {
    for (let request = requests.shift(); request !== undefined; request = requests.shift()) {
      request.fail(error)
      this.tellEnded(request, 0, error)
    }
  }

  private tellEnded(
    request: WrittenRequest | undefined,
    responseBytes: number,
    error: KafkaProducerError | undefined,
  ): void {
    const observed = request?.observed
    observed?.onEnd({ latencyMs: this.clock.now() - observed.startedAt, responseBytes, error })
  }

  private check(): void {
    const { first, firstNotTaken } = this
    if (first !== undefined && this.isLate(first, this.lastAnswerAt)) this.tellLate('did not answer', first)
    else if (firstNotTaken !== undefined && this.isLate(firstNotTaken, this.lastTakenAt))
      this.tellLate('did not take', firstNotTaken)
  }

  /** Whether a request has had its time, which begins when the one before it was done with; if not, looks again then. */
  private isLate({ since, timeoutMs }: WrittenRequest, doneBeforeAt: number): boolean {
    const left = Math.max(since, doneBeforeAt) + timeoutMs - this.clock.now()
    if (left > 0) this.deadlines.arm(left)
    return left <= 0
  }

  private tellLate(what: string, { label, timeoutMs }: WrittenRequest): void {
    this.onLate(new RequestTimeoutError(`${this.broker} ${what} ${label} within ${timeoutMs} ms`))
  }
}

function lower(request: WrittenRequest | undefined, timeoutMs: number): void {
  if (request !== undefined) request.timeoutMs = Math.min(request.timeoutMs, timeoutMs)
}
