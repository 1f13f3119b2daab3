/** What the network does to the connections to a broker at present. */

/** One direction of the way. */
export interface Wind {
  /** Bytes arrive so much later. */
  readonly delayMs?: number
  /** Nothing arrives; what was sent meanwhile arrives when that is over, as TCP sends again what was lost. */
  readonly isLost?: boolean
  /** No more than so much in a second, in small pieces. */
  readonly bytesPerSecond?: number
}

export interface Weather {
  readonly toBroker?: Wind
  readonly toClient?: Wind
  /** The next answer to a Produce request is swallowed, and its connection reset: what it acknowledged was written. */
  readonly swallowsAnswers?: boolean
  /** Only connections of this client; by default of all those that are under test. */
  readonly clientId?: string
}

export const CALM: Weather = {}
const STILL: Wind = {}

export function windOf(weather: Weather, direction: 'toBroker' | 'toClient'): Wind {
  return weather[direction] ?? STILL
}
