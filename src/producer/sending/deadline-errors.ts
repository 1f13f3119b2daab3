import { DeliveryTimeoutError } from '../../errors.js'
import { withReasons } from '../../network/stage.js'
import { Batch } from '../queues/batch.js'
import type { OutgoingMessage } from '../queues/outgoing-message.js'
import type { WaitReasons } from './wait-reasons.js'

/**
 * Why messages had no acknowledgement at their deadline: what they waited for then, of whom and since when, and what
 * failed last. Made for those whose deadlines pass at one moment: what waits together fails with one error.
 */
export class DeadlineErrors {
  private readonly made = new Map<Batch | string, DeliveryTimeoutError>()

  constructor(
    private readonly deliveryTimeoutMs: number,
    private readonly reasons: WaitReasons,
  ) {}

  /** @param at where the message is: before its batch, or in it */
  of(at: Batch | OutgoingMessage): DeliveryTimeoutError {
    const together = at instanceof Batch ? at : `${at.topic} ${at.isAdmitted}`
    let error = this.made.get(together)
    if (error === undefined) this.made.set(together, (error = this.make(at)))
    return error
  }

  private make(at: Batch | OutgoingMessage): DeliveryTimeoutError {
    const reason = this.reasons.of(at)
    return new DeliveryTimeoutError(
      withReasons(`not acknowledged within ${this.deliveryTimeoutMs} ms`, reason),
      reason.lastFailure === undefined ? {} : { cause: reason.lastFailure },
    )
  }
}
