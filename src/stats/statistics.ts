import { SerializationError } from '../errors.js'
import { ownCopy } from '../topic-name.js'
import { wasCalledOff } from './called-off.js'
import { Histogram, type HistogramSnapshot } from './histogram.js'
import { Meter, type MeterSnapshot } from './meter.js'
import type { BatchBegin, BatchEnd, ObservedEvent, Observer, OnEnd, RequestBegin, RequestEnd } from './observer.js'

/** Topics and brokers that have figures of their own: names may come from anywhere. */
const MAX_TOPICS = 1_000
const MAX_BROKERS = 200
/** Where there are that many, those make way for others that nothing was sent to for so long. */
const IDLE_MS = 3_600_000
/** How often it is looked for these. */
const IDLE_CHECK_MS = 60_000
/** Under this name are those of all others; no topic has it. */
const OTHERS = '*'

/** Of one topic or of all. */
export interface TopicStatistics {
  /** Messages that went out, each once, however often it was sent again. */
  readonly messages: MeterSnapshot
  /** Bytes of their batches before compression. */
  readonly bytes: MeterSnapshot
  /** Messages refused for want of room. */
  readonly dropped: MeterSnapshot
}

/** Of one broker or of all: their Produce requests. */
export interface BrokerStatistics {
  readonly requests: MeterSnapshot
  /** Milliseconds from a request to its answer. */
  readonly requestTimeMs: HistogramSnapshot
  /** Bytes of a request. */
  readonly requestBytes: HistogramSnapshot
}

/** What of ProducerStats is seen from batches, requests and connections. */
export interface Statistics {
  readonly allTopics: TopicStatistics
  /**
   * By name; beyond 1,000 topics those of all others are under `'*'`. One that nothing was sent to for an hour then makes
   * way for another.
   */
  readonly topics: Readonly<Record<string, TopicStatistics>>
  readonly allBrokers: BrokerStatistics
  /** By host and port; the same beyond 200 brokers: where addresses change, the figures are those of the brokers there are. */
  readonly brokers: Readonly<Record<string, BrokerStatistics>>
  /** Batches that were to be sent again, and how many by what they failed with. */
  readonly retries: MeterSnapshot
  readonly retriesByCode: Readonly<Record<string, number>>
  /** Batches in requests whose messages had been in one before. */
  readonly resends: number
  /** Messages that failed, but for those that their caller aborted, were dropped, or could not be encoded. */
  readonly failedSends: MeterSnapshot
  /** What a batch comes to, each time that it is sent. */
  readonly batchMessages: HistogramSnapshot
  readonly batchBytes: HistogramSnapshot
  /** Bytes of all batches before compression, and in requests, each time that they are sent. */
  readonly plainBytes: number
  readonly wireBytes: number
  /** Bytes of all batches in requests by their bytes before compression: 0.25 is a quarter; 1 where none was sent. */
  readonly compressionRatio: number
  /** Milliseconds from the `send()` of a batch's first message to its first request. */
  readonly queueTimeMs: HistogramSnapshot
  /** Milliseconds from the `send()` of a batch's first message to its acknowledgement. */
  readonly ageMs: HistogramSnapshot
  /** For how many milliseconds a broker was left alone since it asked for that, each time; no time counts twice. */
  readonly throttleTimeMs: HistogramSnapshot
  readonly connections: {
    readonly opened: number
    /** Attempts that came to nothing; not those that nobody wanted any more: another broker answered first, or `close()`. */
    readonly failed: number
    /** Of those that were opened: what is left of these is open. */
    readonly closed: number
  }
}

/** Figures by name, of so many names: names change over the months. */
class Named<Meters extends TopicMeters | BrokerMeters> {
  private readonly all = new Map<string, Meters>()
  private checkedAt = -Infinity

  constructor(
    private readonly limit: number,
    private readonly make: new (now: number) => Meters,
  ) {}

  /** Those of this name, to be added to now. */
  of(name: string, now: number): Meters {
    const meters = this.all.get(name) ?? this.add(name, now)
    meters.usedAt = now
    return meters
  }

  private add(name: string, now: number): Meters {
    if (this.all.size >= this.limit) this.dropIdle(now)
    const key = this.all.size < this.limit ? ownCopy(name) : OTHERS
    let meters = this.all.get(key)
    if (meters === undefined) this.all.set(key, (meters = new this.make(now)))
    return meters
  }

  private dropIdle(now: number): void {
    if (now - this.checkedAt < IDLE_CHECK_MS) return
    this.checkedAt = now
    for (const [name, { usedAt }] of this.all) if (now - usedAt >= IDLE_MS) this.all.delete(name)
  }

  snapshot(now: number): Record<string, ReturnType<Meters['snapshot']>> {
    const entries = Array.from(this.all, ([name, meters]) => [name, meters.snapshot(now)] as const)
    return Object.fromEntries(entries) as Record<string, ReturnType<Meters['snapshot']>>
  }
}

class TopicMeters {
  usedAt = 0
  readonly messages: Meter
  readonly bytes: Meter
  readonly dropped: Meter

  constructor(now: number) {
    this.messages = new Meter(now)
    this.bytes = new Meter(now)
    this.dropped = new Meter(now)
  }

  snapshot(now: number): TopicStatistics {
    const { messages, bytes, dropped } = this
    return { messages: messages.snapshot(now), bytes: bytes.snapshot(now), dropped: dropped.snapshot(now) }
  }
}

class BrokerMeters {
  usedAt = 0
  readonly requests: Meter
  readonly requestTimeMs = new Histogram(1_000)
  readonly requestBytes = new Histogram()

  constructor(now: number) {
    this.requests = new Meter(now)
  }

  snapshot(now: number): BrokerStatistics {
    return {
      requests: this.requests.snapshot(now),
      requestTimeMs: this.requestTimeMs.snapshot(),
      requestBytes: this.requestBytes.snapshot(),
    }
  }
}

/** Kafka 0.8's statistics of a producer, and more: an observer that measures, a batch or a request at a time. */
export class StatisticsObserver implements Observer {
  private readonly allTopics: TopicMeters
  private readonly topics = new Named(MAX_TOPICS, TopicMeters)
  private readonly allBrokers: BrokerMeters
  private readonly brokers = new Named(MAX_BROKERS, BrokerMeters)
  private readonly retries: Meter
  private readonly retriesByCode = new Map<string, number>()
  private readonly failedSends: Meter
  private readonly batchMessages = new Histogram()
  private readonly batchBytes = new Histogram()
  private readonly queueTimeMs = new Histogram(1_000)
  private readonly ageMs = new Histogram(1_000)
  private readonly throttleTimeMs = new Histogram()
  private resends = 0
  private plainBytes = 0
  private wireBytes = 0
  private opened = 0
  private failed = 0
  private closed = 0

  /** @param now tells the time, in milliseconds */
  constructor(private readonly now: () => number) {
    const startedAt = now()
    this.allTopics = new TopicMeters(startedAt)
    this.allBrokers = new BrokerMeters(startedAt)
    this.retries = new Meter(startedAt)
    this.failedSends = new Meter(startedAt)
  }

  readonly batch = ({
    topic,
    isFirst,
    messages,
    plainBytes,
    wireBytes,
    queuedMs,
  }: BatchBegin): OnEnd<BatchEnd> | undefined => {
    this.batchMessages.record(messages)
    this.batchBytes.record(plainBytes)
    this.plainBytes += plainBytes
    this.wireBytes += wireBytes
    if (!isFirst) this.resends++
    else {
      const now = this.now()
      this.queueTimeMs.record(queuedMs)
      for (const meters of [this.allTopics, this.topics.of(topic, now)]) {
        meters.messages.mark(messages, now)
        meters.bytes.mark(plainBytes, now)
      }
    }
    return this.onBatchEnd
  }

  private readonly onBatchEnd = ({ error, ageMs }: BatchEnd): void => {
    if (error === undefined) this.ageMs.record(ageMs)
  }

  readonly request = ({ api, broker, bytes }: RequestBegin): OnEnd<RequestEnd> | undefined => {
    if (api !== 'Produce') return undefined
    const now = this.now()
    const meters = this.brokers.of(broker, now)
    for (const { requests, requestBytes } of [this.allBrokers, meters]) {
      requests.mark(1, now)
      requestBytes.record(bytes)
    }
    return ({ error, latencyMs }) => {
      if (error !== undefined) return
      this.allBrokers.requestTimeMs.record(latencyMs)
      meters.requestTimeMs.record(latencyMs)
    }
  }

  readonly connect = () => this.onConnectEnd

  private readonly onConnectEnd = ({ error }: { readonly error: unknown }): void => {
    if (error === undefined) this.opened++
    else if (!wasCalledOff(error)) this.failed++
  }

  readonly event = (event: ObservedEvent): void => {
    const now = this.now()
    switch (event.type) {
      case 'retry': {
        const { code } = event.error
        this.retries.mark(1, now)
        this.retriesByCode.set(code, (this.retriesByCode.get(code) ?? 0) + 1)
        return
      }
      case 'failed':
        // As with Kafka 0.8, what could not be encoded is counted apart.
        if (!(event.error instanceof SerializationError)) this.failedSends.mark(event.messages, now)
        return
      case 'dropped':
        this.allTopics.dropped.mark(1, now)
        return this.topics.of(event.topic, now).dropped.mark(1, now)
      case 'throttled':
        return this.throttleTimeMs.record(event.addedMs)
      case 'disconnected':
        this.closed++
        return
      case 'leader-changed':
      case 'renewed':
      case 'renewal-failed':
      case 'queue-full':
      case 'coordinator-retry':
      case 'transaction-failed':
    }
  }

  get connectionsOpened(): number {
    return this.opened
  }

  snapshot(): Statistics {
    const now = this.now()
    return {
      allTopics: this.allTopics.snapshot(now),
      topics: this.topics.snapshot(now),
      allBrokers: this.allBrokers.snapshot(now),
      brokers: this.brokers.snapshot(now),
      retries: this.retries.snapshot(now),
      retriesByCode: Object.fromEntries(this.retriesByCode),
      resends: this.resends,
      failedSends: this.failedSends.snapshot(now),
      batchMessages: this.batchMessages.snapshot(),
      batchBytes: this.batchBytes.snapshot(),
      plainBytes: this.plainBytes,
      wireBytes: this.wireBytes,
      compressionRatio: this.plainBytes === 0 ? 1 : this.wireBytes / this.plainBytes,
      queueTimeMs: this.queueTimeMs.snapshot(),
      ageMs: this.ageMs.snapshot(),
      throttleTimeMs: this.throttleTimeMs.snapshot(),
      connections: { opened: this.opened, failed: this.failed, closed: this.closed },
    }
  }
}
