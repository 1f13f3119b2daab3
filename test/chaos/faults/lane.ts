import type { Dice } from '../../simulation/dice.js'
import type { Stage } from '../stage.js'
import type { Fault } from './fault.js'

/** Between the end of one fault and the next one. */
const GAP_MS = [1_000, 5_000] as const

/** Faults that come one after the other. */
export class Lane {
  /** How often each befell. */
  readonly counts = new Map<string, number>()
  /** That could not be done, or undone: they are no faults of anyone's but the test's, or the cluster's. */
  failures = 0

  /**
   * @param next gives the fault that comes next
   * @param heal puts an end to whatever a fault that failed has left
   */
  constructor(
    private readonly next: (dice: Dice) => Fault,
    private readonly heal: (stage: Stage) => Promise<void>,
  ) {}

  /** Until the signal is aborted; then all is well again. */
  async play(stage: Stage, dice: Dice, log: (line: string) => void, signal: AbortSignal): Promise<void> {
    for (;;) {
      await stage.hold(dice.between(...GAP_MS))
      if (signal.aborted) break
      const fault = this.next(dice)
      const { name } = fault
      const began = Date.now()
      const { what, over } = fault.begin(stage, dice)
      log(`fault begins: ${name}: ${what}`)
      try {
        await over
        this.counts.set(name, (this.counts.get(name) ?? 0) + 1)
        log(`fault is over: ${name}, after ${Date.now() - began} ms`)
      } catch (error) {
        this.failures++
        log(`fault did not work: ${name}: ${(error as Error).message}`)
        await this.heal(stage)
      }
    }
    await this.heal(stage)
  }
}
