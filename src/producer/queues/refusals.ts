import Denque from 'denque'
import type { KafkaProducerError } from '../../errors.js'
import type { TurnBudget } from '../../turn-budget.js'
import type { OutgoingMessage } from './outgoing-message.js'
import { TRACED, withoutStackTraces } from './stack-traces.js'

/** It is asked after so many messages whether it is others' turn. */
const RUN = 64

/** Messages that fail for one cause. */
interface Refusal {
  readonly messages: readonly OutgoingMessage[]
  /** The next one to be told. */
  next: number
  readonly cause: KafkaProducerError
}

/**
 * Tells messages that fail together before they had a batch. However many they are, the event loop gets its turn in between;
 * a message that has got another fate by then is left out.
 */
export class Refusals {
  private readonly untold = new Denque<Refusal>()
  private isTelling = false

  /** @param refuse tells one of them; not called for one that has its fate by then */
  constructor(
    private readonly turn: TurnBudget,
    private readonly refuse: (message: OutgoingMessage, cause: KafkaProducerError) => void,
  ) {}

  /** Notes messages, from this place on: {@link tell} tells them. */
  add(messages: readonly OutgoingMessage[], from: number, cause: KafkaProducerError): void {
    if (from < messages.length) this.untold.push({ messages, next: from, cause })
  }

  /** Some are told at once, the others in later turns. */
  tell(): void {
    if (!this.isTelling && !this.untold.isEmpty()) this.tellSome()
  }

  private readonly tellSome = (): void => {
    const isFirst = !this.isTelling
    this.isTelling = true
    if (isFirst) this.tellNext(TRACED)
    withoutStackTraces(() => this.tellNext(Infinity))
    this.isTelling = !this.untold.isEmpty()
    if (this.isTelling) this.turn.inNextTurn(this.tellSome)
  }

  private tellNext(most: number): void {
    let count = 0
    for (let first = this.untold.peekFront(); first !== undefined; first = this.untold.peekFront()) {
      while (first.next < first.messages.length) {
        if (++count > most || (count % RUN === 0 && this.turn.isSpent)) return
        const message = first.messages[first.next++] as OutgoingMessage
        if (!message.isSettled) this.refuse(message, first.cause)
      }
      this.untold.shift()
    }
  }

  /** Everything here has its fate by now. */
  clear(): void {
    this.untold.clear()
  }
}
