import { Dice } from './dice.js'
import { withOddities } from './odd-scenario.js'
import { plainScenario } from './plain-scenario.js'
import type { Scenario } from './scenario.js'
import { transactionalScenario } from './transactional-scenario.js'

/** So many of the seeds are about transactions. */
const TRANSACTIONAL = 0.25

/** The scenario that a seed stands for. */
export function scenarioOf(seed: number): Scenario {
  const dice = new Dice(seed)
  const scenario = plainScenario(seed, dice)
  return withOddities(dice.isLucky(TRANSACTIONAL) ? transactionalScenario(scenario, dice) : scenario)
}
