import type { Socket } from 'node:net'
import { systemClock, type Clock } from './clock.js'
import { systemRandom, type Random } from './random.js'

/** What a producer, or a broker of tests, has of the world around it. */
export interface Surroundings {
  readonly clock: Clock
  readonly random: Random
  /** Opens a TCP connection to an address; the system's where there is none. */
  readonly connect?: ((to: { readonly host: string; readonly port: number }) => Socket) | undefined
}

export const SYSTEM: Surroundings = { clock: systemClock, random: systemRandom }
