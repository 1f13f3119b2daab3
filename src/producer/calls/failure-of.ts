import { DeliveryError, FailedToSendMessageError, QueueFullError, type KafkaProducerError } from '../../errors.js'
import type { KeyedMessage } from '../messages/keyed-message.js'
import type { Fate } from '../queues/outgoing-message.js'

/**
 * What a `send()` in sync mode rejects with, some of whose messages failed.
 *
 * @param inList whether they were given as a list: else it is the own error of the one message
 */
export function failureOf(
  results: readonly Fate[],
  messages: readonly KeyedMessage[],
  inList: boolean,
): KafkaProducerError {
  const [first] = results
  // Where no message at all was taken in for want of room, that is the error, and not one of many.
  if (isRefused(first) && results.every(isRefused)) return new QueueFullError(first.message, [...results.keys()], [])
  if (!inList && first instanceof DeliveryError) return ownErrorOf(first)
  return new FailedToSendMessageError(results, messages)
}

/** The messages of a batch fail with one error. Whoever gets it as his own gets it alone. */
export function ownErrorOf(error: DeliveryError): DeliveryError {
  return new DeliveryError(error.cause as KafkaProducerError, error)
}

function isRefused(fate: Fate | undefined): fate is DeliveryError {
  return fate instanceof DeliveryError && fate.cause instanceof QueueFullError
}
