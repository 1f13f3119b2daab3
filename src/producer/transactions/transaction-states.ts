/** What a transactional producer is at, as Kafka's own has it (TransactionManager.State). */
export type TransactionState =
  /** It has no id and epoch, or none that it may go on with. */
  | 'uninitialized'
  /** It asks for them. */
  | 'initializing'
  | 'ready'
  | 'in transaction'
  | 'committing'
  /** Something of the transaction failed. */
  | 'to be aborted'
  | 'aborting'
  /** It has been fenced, or what it knows and what the brokers know can't be brought together. */
  | 'unusable'

/** From each state, those that may come next: a producer can't be in a state that nobody drew. */
export const MOVES: Readonly<Record<TransactionState, readonly TransactionState[]>> = {
  uninitialized: ['initializing'],
  initializing: ['ready', 'uninitialized', 'unusable'],
  ready: ['in transaction', 'initializing', 'unusable'],
  'in transaction': ['committing', 'to be aborted', 'unusable'],
  committing: ['ready', 'to be aborted', 'unusable'],
  'to be aborted': ['aborting', 'unusable'],
  aborting: ['ready', 'initializing', 'uninitialized', 'unusable'],
  unusable: [],
}

export class TransactionStates {
  private state: TransactionState = 'uninitialized'

  get current(): TransactionState {
    return this.state
  }

  is(...states: readonly TransactionState[]): boolean {
    return states.includes(this.state)
  }

  go(next: TransactionState): void {
    if (!MOVES[this.state].includes(next))
      throw new Error(`a transactional producer that is ${this.state} can't be ${next}`)
    this.state = next
  }
}
