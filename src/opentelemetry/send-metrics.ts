import type { Attributes, Counter, Histogram, Meter } from '@opentelemetry/api'
import { BoundedMap } from '../bounded-map.js'
import type { MessageEnd, SendTrace } from '../index.js'
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
import { commonTopic, errorType, hasFailed, topicOf, wasAttempted } from './messages.js'

/** How long each `send()` takes until its messages have ended, and how many messages were attempted to be sent. */
export class SendMetrics {
  private readonly duration: Histogram
  private readonly sent: Counter
  private readonly known = new BoundedMap<string, Attributes>()

  constructor(
    meter: Meter,
    private readonly conventions: Conventions,
  ) {
    this.duration = meter.createHistogram(DURATION.name, DURATION.options)
    this.sent = meter.createCounter(SENT_MESSAGES.name, SENT_MESSAGES.options)
  }

  ended({ messages }: SendTrace, ends: readonly MessageEnd[], seconds: number): void {
    const failed = ends.find(hasFailed)
    const topic = commonTopic(messages)
    const attributes = this.attributes(topic, failed && errorType(failed))
    this.duration.record(seconds, attributes)
    if (failed === undefined && topic !== undefined) return this.sent.add(ends.length, attributes)
    // Of many messages most end alike.
    const counts = new Map<Attributes, number>()
    ends.forEach((end, index) => {
      if (!wasAttempted(end)) return
      const key = this.attributes(topicOf(messages[index]), hasFailed(end) ? errorType(end) : undefined)
      counts.set(key, (counts.get(key) ?? 0) + 1)
    })
    for (const [attributes, count] of counts) this.sent.add(count, attributes)
  }

  private attributes(topic: string | undefined, error: string | undefined): Attributes {
    const key = `${topic ?? ''} ${error ?? ''}`
    let attributes = this.known.get(key)
    if (attributes === undefined) {
      attributes = {
        [OPERATION_NAME]: SEND,
        [OPERATION_TYPE]: SEND,
        ...this.conventions.system,
        ...(topic === undefined ? {} : { [DESTINATION_NAME]: topic }),
        ...(error === undefined ? {} : { [ERROR_TYPE]: error }),
      }
      this.known.set(key, attributes)
    }
    return attributes
  }
}
