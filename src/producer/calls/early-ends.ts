import type { Clock } from '../../clock.js'
import { DeliveryTimeoutError, type KafkaProducerError, type ProducerClosedError } from '../../errors.js'
import type { KeyedMessage } from '../messages/keyed-message.js'
import { abortedBy } from '../queues/abortion.js'
import type { MessageOwner } from '../queues/outgoing-message.js'
import type { Endings } from './endings.js'
import type { ListCall } from './list-call.js'
import type { MessageCall, Whereabouts } from './message-call.js'
import { SignalListeners } from './signal-listeners.js'

/** Why messages are not acknowledged by their deadline, for those whose deadlines pass at one moment. */
export interface CausesOfDelay {
  of(at: Exclude<Whereabouts, undefined>): KafkaProducerError
}

export interface EarlyEndsParts {
  readonly clock: Clock
  readonly endings: Endings
  readonly deliveryTimeoutMs: number
  readonly causesOfDelay: () => CausesOfDelay
}

/**
 * What ends messages ahead of any answer, and how far: a deadline all that has no fate; a signal what is in no closed batch;
 * the abort of a transaction what is not under way; and close() whatever is left.
 */
export class EarlyEnds {
  private readonly signals = new SignalListeners<ListCall>((calls, signal) => this.abort(calls, signal))

  constructor(private readonly parts: EarlyEndsParts) {}

  /** The deadlines of calls have passed. */
  expire(calls: Iterable<MessageCall>): void {
    const causes = this.parts.causesOfDelay()
    this.parts.endings.end(calls, (at) => {
      if (at !== undefined) return causes.of(at)
      return new DeliveryTimeoutError(`an encoder did not finish within ${this.parts.deliveryTimeoutMs} ms`)
    })
  }

  /**
   * Ends a call when its signal is aborted.
   *
   * @throws InvalidConfigError for a signal that can't be listened to
   */
  heed(signal: AbortSignal, call: ListCall): void {
    call.onEnd = this.signals.add(signal, call)
  }

  private abort(calls: Iterable<ListCall>, signal: AbortSignal): void {
    // Those that there are now: the event may have been dispatched by anybody, and others may come.
    const ended = [...calls]
    for (const call of ended) call.beginToEnd()
    let cause: KafkaProducerError | undefined
    this.parts.endings.end(ended, () => (cause ??= abortedBy(signal)), { spares: (batch) => batch.wasSent })
  }

  /** Whether it is about to be told that it has ended: what ends together is told in several turns. */
  isEnding({ sentAt, isBeingEnded }: MessageOwner): boolean {
    return isBeingEnded || sentAt.at + this.parts.deliveryTimeoutMs <= this.parts.clock.now()
  }

  /** Ends what is not written yet, and will not be, with this cause; what is under way goes on to its true fate. */
  takeOut(calls: Iterable<MessageCall>, cause: KafkaProducerError): void {
    this.parts.endings.end(calls, () => cause, { spares: (batch) => batch.isInFlight, goesOn: false })
  }

  /** Ends whatever is left, and resolves with the messages that it ended: a message may get its own fate before its turn comes. */
  async close<M extends KeyedMessage>(calls: Iterable<MessageCall>, cause: ProducerClosedError): Promise<M[]> {
    const unsent: M[] = []
    this.parts.endings.end(
      calls,
      (_at, call, index) => {
        // The messages are those that this producer's types let in.
        if (call.isUntold(index)) unsent.push(call.messageAt(index) as M)
        return cause
      },
      { goesOn: false },
    )
    await this.parts.endings.done()
    return unsent
  }
}
