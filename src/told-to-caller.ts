import { AuthenticationError, KafkaProducerError } from './errors.js'

/**
 * What several may wait for fails with one error, made where nobody's call is seen: for each who called one of his own, with
 * his line in its stack. Not for errors with private fields, such as results, which belong to one call anyway.
 */
export function toldToCaller(error: unknown): unknown {
  if (!(error instanceof KafkaProducerError) || isOfUsersClass(error)) return error
  const { message, cause } = error
  const own = new Error(message, cause === undefined ? {} : { cause })
  Object.setPrototypeOf(Object.assign(own, error), Object.getPrototypeOf(error) as object)
  try {
    Error.captureStackTrace(own, toldToCaller)
  } catch {
    // What makes the stack may be the user's (`Error.prepareStackTrace`): the error is told all the same.
  }
  return own
}

/** What a token function threw, which is told as it is: a copy would lack the private fields that its class may have. */
function isOfUsersClass(error: KafkaProducerError): boolean {
  return error instanceof AuthenticationError && Object.getPrototypeOf(error) !== AuthenticationError.prototype
}
