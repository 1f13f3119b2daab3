import type { Clock } from '../../clock.js'
import { DeliveryError, QueueFullError, type KafkaProducerError } from '../../errors.js'
import type { Failures } from '../../stats/failures.js'
import type { Observers } from '../../stats/observer.js'
import type { StatsCounters } from '../../stats/producer-stats.js'
import type { OutgoingMessage } from '../queues/outgoing-message.js'

export interface UnplacedMessagesParts {
  readonly clock: Clock
  readonly counters: StatsCounters
  readonly observers: Observers
  readonly failures: Failures
}

/** How messages fail that have no place in a partition yet. */
export class UnplacedMessages {
  constructor(private readonly parts: UnplacedMessagesParts) {}

  /** There is no room for it. */
  refuse(message: OutgoingMessage, cause: KafkaProducerError): void {
    if (cause instanceof QueueFullError)
      this.parts.observers.happened({ type: 'dropped', topic: message.topic, error: cause })
    this.fail(message, cause)
  }

  fail(message: OutgoingMessage, cause: KafkaProducerError): void {
    const { clock, counters, failures } = this.parts
    const { topic, namedPartition: partition, owner, index } = message
    // Of what found no room it was told already.
    if (cause instanceof QueueFullError) counters.failed++
    else failures.add({ topic, partition, attempts: 0 }, cause)
    const error = new DeliveryError(cause, { topic, partition, attempts: 0, mayHaveBeenWritten: false })
    owner.settle(index, error, clock.now())
  }
}
