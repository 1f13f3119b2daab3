import type { Held } from './held.js'

/** By how much the middle of the last fifth of a run may be above that of its first. */
const GROWTH = 1.1
/** What a few bytes, or a connection that is just being opened, make of nothing. */
const SLACK: Readonly<Record<keyof Held, number>> = {
  rss: 10e6,
  heap: 3e6,
  buffers: 5e6,
  sockets: 4,
  timers: 10,
  listeners: 10,
}
export const LIMITS = 'the median of the last fifth against that of the first: a tenth more at the most, and some slack'

/** What grew over a run, in words. */
export function grown(samples: readonly Held[]): string[] {
  const fifth = Math.ceil(samples.length / 5)
  const middle = (part: readonly Held[], of: keyof Held) => {
    const sorted = part.map((held) => held[of]).sort((a, b) => a - b)
    return sorted[sorted.length >> 1] ?? 0
  }
  return (Object.keys(SLACK) as (keyof Held)[]).flatMap((of) => {
    const [first, last] = [middle(samples.slice(0, fifth), of), middle(samples.slice(-fifth), of)]
    return last <= first * GROWTH + SLACK[of] ? [] : [`${of} grew from ${first} to ${last}`]
  })
}
