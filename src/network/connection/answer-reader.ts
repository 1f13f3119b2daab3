import type { Clock } from '../../clock.js'
import { MalformedResponseError, RequestTimeoutError, type KafkaProducerError } from '../../errors.js'
import { FrameSplitter, type GatheringBound } from '../../protocol/frame.js'
import { kindOf } from '../../wording/kind-of.js'
import { bufferOf } from '../streams/stream.js'
import { EarliestTimer } from './earliest-timer.js'
import { HEAD_BYTES, notKafka } from './foreign-protocol.js'
import type { InFlight, RequestsUnderWay } from './requests-under-way.js'
import { UnansweredRequests } from './unanswered-requests.js'

/** A response has a correlation id at the least. */
const MIN_RESPONSE_BYTES = 4
/** For the rest of an answer that has begun and that no request waits for; of others the request's own time goes on. */
const REST_MS = 30_000
const EMPTY = Buffer.alloc(0)

/** What is told of the answers. */
export interface AnswerEvents {
  /** One was read, of a request that waits for it or of one that wants none. */
  readonly answered: () => void
  /** What came, or did not, can't go on: the connection is of no use any more. */
  readonly failed: (error: KafkaProducerError) => void
}

/**
 * Reads the answers on one connection out of the bytes as they come, and gives each to the request that it belongs to: the
 * first one in flight, or one that wanted none and is answered all the same.
 */
export class AnswerReader {
  private readonly splitter: FrameSplitter
  private readonly wantNone = new UnansweredRequests()
  /** When the first byte came of the answer that is being gathered. */
  private gatheringSince = 0
  private readonly rest: EarliestTimer
  /** The first bytes that came, until an answer was read. */
  private head: Buffer = EMPTY

  constructor(
    private readonly broker: string,
    private readonly clock: Clock,
    private readonly requests: RequestsUnderWay,
    gathering: GatheringBound,
    private readonly events: AnswerEvents,
  ) {
    // Bare tokens may be empty; that others have a correlation id is looked at with each.
    this.splitter = new FrameSplitter(0, () => this.sizeOfNext(), gathering)
    this.rest = new EarliestTimer(clock, () => this.checkRest())
  }

  /** A request that wants no answer was written; one of so many bytes may come all the same. */
  mayCome(correlationId: number, maxBytes: number): void {
    this.wantNone.add(correlationId, maxBytes)
  }

  read(given: unknown): void {
    const chunk = bufferOf(given)
    if (chunk === undefined)
      return this.events.failed(
        new MalformedResponseError(`the stream to ${this.broker} gave ${kindOf(given)}, allowed are bytes`),
      )
    if (!this.requests.hasAnswered && this.head.length < HEAD_BYTES)
      this.head = Buffer.concat([this.head, chunk.subarray(0, HEAD_BYTES)])
    try {
      this.splitter.push(chunk, (frame) => this.onFrame(frame))
      if (this.splitter.isGathering && this.requests.first === undefined) this.rest.arm(REST_MS)
    } catch (error) {
      const foreign = this.requests.hasAnswered ? undefined : notKafka(this.broker, this.head)
      this.events.failed(foreign ?? (error as KafkaProducerError))
    }
  }

  /** Nothing more is read. */
  stop(): void {
    this.rest.clear()
    this.splitter.clear()
  }

  /** How large the answer that has begun may be; nothing is begun that nobody asked for. */
  private sizeOfNext(): number {
    const { first } = this.requests
    this.gatheringSince = this.clock.now()
    if (first !== undefined) return Math.max(first.maxBytes, this.wantNone.maxBytes)
    if (!this.wantNone.isEmpty) return this.wantNone.maxBytes
    throw new MalformedResponseError(`${this.broker} sent bytes that nothing asked for`)
  }

  private onFrame(frame: Buffer): void {
    const { first } = this.requests
    if (first === undefined || first.correlationId !== undefined) {
      const correlationId = this.correlationIdOf(frame)
      if (correlationId !== first?.correlationId) {
        if (!this.wantNone.answered(correlationId)) throw this.unexpected(correlationId, first)
        this.requests.noteAnswer()
        this.answered()
        return
      }
    }
    if (frame.length > first.maxBytes)
      throw new MalformedResponseError(
        `${this.broker} answered ${first.label} with ${frame.length} bytes, allowed are ${first.maxBytes}`,
      )
    // Decoded before it leaves the queue: an answer that can't be read fails its request along with the connection.
    first.answer(frame)
    this.requests.answered(frame.length)
    this.answered()
  }

  private answered(): void {
    this.head = EMPTY
    this.events.answered()
  }

  private correlationIdOf(frame: Buffer): number {
    if (frame.length >= MIN_RESPONSE_BYTES) return frame.readInt32BE(0)
    throw new MalformedResponseError(
      `${this.broker} answered a frame of ${frame.length} bytes, allowed are ${MIN_RESPONSE_BYTES} at the least`,
    )
  }

  private unexpected(correlationId: number, first: InFlight | undefined): MalformedResponseError {
    const expected = first === undefined ? 'none' : `${first.correlationId} (${first.label})`
    return new MalformedResponseError(
      `${this.broker} answered correlation id ${correlationId}, expected was ${expected}`,
    )
  }

  private checkRest(): void {
    if (this.requests.first !== undefined || !this.splitter.isGathering) return
    const left = this.gatheringSince + REST_MS - this.clock.now()
    if (left > 0) return this.rest.arm(left)
    this.events.failed(
      new RequestTimeoutError(`${this.broker} did not finish an answer that it began within ${REST_MS} ms`),
    )
  }
}
