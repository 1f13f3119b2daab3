import { diag, type Attributes, type Counter, type Histogram, type Meter } from '@opentelemetry/api'
import { BoundedMap } from '../bounded-map.js'
import type { BrokerAddress, MessageEnd, SendTrace } from '../index.js'
import { ownCopy } from '../topic-name.js'
import {
  DESTINATION_NAME,
  DURATION,
  ERROR_TYPE,
  OPERATION_NAME,
  OPERATION_TYPE,
  SEND,
  SENT_MESSAGES,
  type Conventions,
} from './conventions.js'
import { commonTopicAtEnd, errorType, errorTypeOfAll, hasFailed, topicAtEnd, wasAttempted } from './messages.js'
import { commonServer, serverAtEnd, serverAttributes, type Share } from './servers.js'

/** How long each `send()` takes until its messages have ended, and how many messages were attempted to be sent. */
export class SendMetrics {
  private readonly duration: Histogram
  private readonly sent: Counter
  private readonly known = new BoundedMap<string, Attributes>()
  /** Messages that are not counted yet, by what is said of them. */
  private readonly uncounted = new Map<Attributes, number>()

  constructor(
    meter: Meter,
    private readonly conventions: Conventions,
  ) {
    this.duration = meter.createHistogram(DURATION.name, DURATION.options)
    this.sent = meter.createCounter(SENT_MESSAGES.name, SENT_MESSAGES.options)
  }

  /** @param shares which brokers the messages went to */
  ended(send: SendTrace, ends: readonly MessageEnd[], shares: readonly Share[], seconds: number): void {
    const { messages } = send
    const failed = errorTypeOfAll(ends)
    const topic = commonTopicAtEnd(ends, messages)
    const attributes = this.attributes(topic, failed, commonServer(shares))
    this.duration.record(seconds, attributes)
    if (failed === undefined && topic !== undefined) {
      if (shares.length === 1) this.count(attributes, ends.length)
      else for (const share of shares) this.count(this.attributes(topic, undefined, share.server), share.messages)
      return
    }
    ends.forEach((end, index) => {
      if (!wasAttempted(end)) return
      const error = hasFailed(end) ? errorType(end) : undefined
      this.count(this.attributes(topicAtEnd(end, messages[index]), error, serverAtEnd(send, end)), 1)
    })
  }

  /**
   * Of many messages most end alike, and many in one moment: they are added up, since a counter takes longer to find what it
   * counts than a message takes to be sent. Whoever waits for one of them finds it counted.
   */
  private count(attributes: Attributes, messages: number): void {
    if (this.uncounted.size === 0) queueMicrotask(this.tellCounts)
    this.uncounted.set(attributes, (this.uncounted.get(attributes) ?? 0) + messages)
  }

  private readonly tellCounts = (): void => {
    const counts = [...this.uncounted]
    this.uncounted.clear()
    try {
      for (const [attributes, count] of counts) this.sent.add(count, attributes)
    } catch (error) {
      // Nobody has called this who could be told; and a counter that throws must not end the process.
      diag.error('kafka-producer: a counter threw', error)
    }
  }

  private attributes(
    topic: string | undefined,
    error: string | undefined,
    server: BrokerAddress | undefined,
  ): Attributes {
    const key = `${topic ?? ''} ${error ?? ''} ${server?.host ?? ''} ${server?.port ?? ''}`
    let attributes = this.known.get(key)
    if (attributes === undefined) {
      attributes = {
        [OPERATION_NAME]: SEND,
        [OPERATION_TYPE]: SEND,
        ...this.conventions.system,
        ...(topic === undefined ? {} : { [DESTINATION_NAME]: ownCopy(topic) }),
        ...(error === undefined ? {} : { [ERROR_TYPE]: error }),
        ...serverAttributes(server),
      }
      this.known.set(ownCopy(key), attributes)
    }
    return attributes
  }
}
