import { SerializationError } from '../errors.js'
import { ownCopy } from '../topic-name.js'
import { wasCalledOff } from './called-off.js'
import { Histogram, type HistogramSnapshot } from './histogram.js'
import { Meter, type MeterSnapshot } from './meter.js'
import type { BatchBegin, BatchEnd, ObservedEvent, Observer, OnEnd, RequestBegin, RequestEnd } from './observer.js'

/** Topics and brokers that have figures of their own: names may come from anywhere. */
const MAX_TOPICS = 1_000
const MAX_BROKERS = 200
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

/** What of {@link ProducerStats} is seen from batches, requests and connections. */
export interface Statistics {
  readonly allTopics: TopicStatistics
  /** By name; beyond 1,000 topics those of all others are under `'*'`. */
  readonly topics: Readonly<Record<string, TopicStatistics>>
  readonly allBrokers: BrokerStatistics
  /** By host and port; beyond 200 brokers those of all others are under `'*'`. */
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
  /** For how many milliseconds brokers wanted no requests, each time that they said so. */
  readonly throttleTimeMs: HistogramSnapshot
  readonly connections: {
    readonly opened: number
    /** Attempts that came to nothing; not those that nobody wanted any more: another broker answered first, or `close()`. */
    readonly failed: number
    /** Of those that were opened: what is left of these is open. */
    readonly closed: number
  }
}

class TopicMeters {
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
  private readonly topics = new Map<string, TopicMeters>()
  private readonly allBrokers: BrokerMeters
  private readonly brokers = new Map<string, BrokerMeters>()
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
      for (const meters of [this.allTopics, this.ofTopic(topic, now)]) {
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
    const meters = this.ofBroker(broker, now)
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
        return this.ofTopic(event.topic, now).dropped.mark(1, now)
      case 'throttled':
        return this.throttleTimeMs.record(event.throttleMs)
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

  private ofTopic(topic: string, now: number): TopicMeters {
    const known = this.topics.get(topic)
    if (known !== undefined) return known
    return added(this.topics, this.topics.size < MAX_TOPICS ? ownCopy(topic) : OTHERS, () => new TopicMeters(now))
  }

  private ofBroker(broker: string, now: number): BrokerMeters {
    const name = this.brokers.has(broker) || this.brokers.size < MAX_BROKERS ? broker : OTHERS
    return added(this.brokers, name, () => new BrokerMeters(now))
  }

  snapshot(): Statistics {
    const now = this.now()
    const all = <T>(meters: ReadonlyMap<string, { snapshot(now: number): T }>): Record<string, T> =>
      Object.fromEntries([...meters].map(([name, one]) => [name, one.snapshot(now)]))
    return {
      allTopics: this.allTopics.snapshot(now),
      topics: all(this.topics),
      allBrokers: this.allBrokers.snapshot(now),
      brokers: all(this.brokers),
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

function added<T>(map: Map<string, T>, name: string, make: () => T): T {
  let item = map.get(name)
  if (item === undefined) map.set(name, (item = make()))
  return item
}
