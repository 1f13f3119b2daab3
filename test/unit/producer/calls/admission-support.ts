import { TurnBudget } from '../../../../src/turn-budget.js'

/** A turn of the event loop that a test ends. */
export class ManualTurn extends TurnBudget {
  spent = false
  private later: (() => void)[] = []

  override get isSpent(): boolean {
    return this.spent
  }

  override inNextTurn(goOn: () => void): void {
    this.later.push(goOn)
  }

  next(): void {
    this.spent = false
    for (const goOn of this.later.splice(0)) goOn()
  }
}
