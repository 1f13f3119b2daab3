import { ConnectionFailedError, ProducerClosedError } from '../errors.js'

/** Nobody wanted the connection any more before it was there. */
export class CalledOffError extends ConnectionFailedError {}

/** Whether connecting ended for no fault of the broker's: another one answered first, or is the leader now, or `close()`. */
export function wasCalledOff(error: unknown): boolean {
  return error instanceof CalledOffError || error instanceof ProducerClosedError
}
