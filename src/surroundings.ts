import { systemClock, type Clock } from './clock.js'
import { systemRandom, type Random } from './random.js'

/** What a producer, or a broker of tests, has of the world around it beside its connections. */
export interface Surroundings {
  readonly clock: Clock
  readonly random: Random
}

export const SYSTEM: Surroundings = { clock: systemClock, random: systemRandom }
