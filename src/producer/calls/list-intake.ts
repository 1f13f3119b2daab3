import type { Clock } from '../../clock.js'
import { ProducerClosedError } from '../../errors.js'
import type { Failures } from '../../stats/failures.js'
import type { TurnBudget } from '../../turn-budget.js'
import type { KeyedMessage } from '../messages/keyed-message.js'
import type { OutgoingMessage } from '../queues/outgoing-message.js'
import { TRACED, withoutStackTraces } from '../queues/stack-traces.js'
import type { CallSerializer } from './call-serializer.js'
import type { EarlyEnds } from './early-ends.js'
import type { EncoderLine } from './encoder-line.js'
import type { ListCall } from './list-call.js'
import type { OutstandingCalls } from './outstanding-calls.js'
import { handled } from './serializer.js'

/** The clock is read once for so many messages that can't be encoded. */
const FAILURES_RUN = 64

type MaybeEncoded = OutgoingMessage[] | Promise<OutgoingMessage[]>

export interface ListIntakeParts {
  readonly clock: Clock
  readonly turn: TurnBudget
  readonly failures: Failures
  readonly calls: OutstandingCalls
  readonly line: EncoderLine
  readonly earlyEnds: EarlyEnds
  readonly serializer: Pick<CallSerializer<unknown, unknown>, 'whenReady'>
  /** Checks and encodes all messages of a call. */
  readonly serialize: (call: ListCall) => MaybeEncoded
  readonly isClosed: () => boolean
}

/** Takes in the calls of lists: those whose encoders have time, may fail on some of the messages, or end the call. */
export class ListIntake {
  constructor(private readonly parts: ListIntakeParts) {}

  /** @throws InvalidMessageError, SerializationError, ProducerClosedError */
  takeInAll(call: ListCall): void {
    const { earlyEnds, serialize } = this.parts
    // Before the encoders, one of which may abort it.
    if (call.signal !== undefined) earlyEnds.heed(call.signal, call)
    try {
      this.takeIn(call, serialize(call))
    } catch (error) {
      // An encoder has aborted it before: nobody is to hear of both.
      if (call.hasBegunToEnd) return
      call.withdraw()
      throw error
    }
  }

  /** @throws ProducerClosedError */
  takeIn(call: ListCall, encoded: MaybeEncoded): void {
    const { calls, line, serializer } = this.parts
    // An encoder is the user's: it may have closed the producer, or aborted the signal.
    if (!Array.isArray(encoded)) void handled(encoded)
    if (this.parts.isClosed() && !call.hasBegunToEnd) throw new ProducerClosedError()
    if (call.isDone) return
    calls.add(call)
    if (Array.isArray(encoded)) {
      line.pass(encoded)
      this.tellFailures(call)
    } else {
      const ready = serializer.whenReady(call, encoded)
      line.wait(topicsOf(call.sent), ready)
      // After the others were handed on: what hears of it and sends comes behind them.
      void ready.then(() => this.tellFailures(call))
    }
  }

  /** Some are told at once, the others in later turns: an encoder may fail on all of a long list. */
  private tellFailures(call: ListCall, isFirst = true): void {
    const { clock, failures, turn } = this.parts
    let count = 0
    const tell = (goesOn: () => boolean) =>
      call.tellFailures(clock.now(), (error, cause) => failures.add(error, cause), goesOn)
    if (isFirst && tell(() => ++count < TRACED)) return
    const areAllTold = withoutStackTraces(() => tell(() => ++count % FAILURES_RUN > 0 || !turn.isSpent))
    if (!areAllTold) turn.inNextTurn(() => this.tellFailures(call, false))
  }
}

/** As far as they can be read: of a long list not all are checked yet, and a getter may answer but once. */
export function topicsOf(messages: readonly KeyedMessage[]): Set<string> {
  const topics = new Set<string>()
  for (const message of messages) {
    try {
      topics.add(message.topic)
    } catch {
      // It is refused, for this, when it is its turn to be checked; or it was read before.
    }
  }
  return topics
}
