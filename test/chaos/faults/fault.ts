import type { Dice } from '../../simulation/dice.js'
import type { Stage } from '../stage.js'

/** Something that happens to a cluster, and passes. */
export interface Fault {
  readonly name: string
  /** How often it is drawn, beside others. */
  readonly weight: number
  /** The first release that it can be done to. */
  readonly since?: string
  /** Draws what it will be, at once; resolves when it is over. */
  begin(stage: Stage, dice: Dice): Begun
}

export interface Begun {
  /** Whom it is done to, and how. */
  readonly what: string
  readonly over: Promise<void>
}

/** Draws a fault of one of these kinds. */
export function draw(faults: readonly Fault[], dice: Dice): Fault {
  return dice.weighed(faults.map((fault) => [fault.weight, fault] as const))
}
