import { callerScenario, isCalling } from './caller-scenario.js'
import { Dice } from './dice.js'
import { withOddities } from './odd-scenario.js'
import { plainScenario } from './plain-scenario.js'
import type { Scenario } from './scenario.js'
import { isStreaming, streamScenario } from './stream-scenario.js'
import { swarmScenario } from './swarm-scenario.js'
import { transactionalScenario } from './transactional-scenario.js'
import { isWorldly, worldScenario } from './world-scenario.js'

/** So many of the seeds play a few things many times. */
const SWARM = 0.35
/** So many of the others are about transactions. */
const TRANSACTIONAL = 0.25

/** The scenario that a seed stands for. */
export function scenarioOf(seed: number): Scenario {
  if (isWorldly(seed)) return worldScenario(seed, usualScenario)
  if (isStreaming(seed)) return streamScenario(seed, usualScenario)
  return isCalling(seed) ? callerScenario(seed, usualScenario) : usualScenario(seed)
}

function usualScenario(seed: number): Scenario {
  // Dice of their own, so that all else of the other seeds is as it is without.
  const swarmDice = new Dice(seed ^ 0x5a43)
  if (swarmDice.isLucky(SWARM)) return swarmScenario(seed, swarmDice)
  const dice = new Dice(seed)
  const scenario = plainScenario(seed, dice)
  return withOddities(dice.isLucky(TRANSACTIONAL) ? transactionalScenario(scenario, dice) : scenario)
}
