import type { Random } from '../../src/random.js'

/** Chance that falls the same way again for the same seed (mulberry32). */
export class Dice implements Random {
  private state: number

  constructor(seed: number) {
    // Seeds that follow each other must not begin alike.
    this.state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) >>> 0
    this.number()
  }

  readonly number = (): number => {
    this.state = (this.state + 0x6d2b79f5) | 0
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000
  }

  readonly bytes = (count: number): Buffer => Buffer.from(Array.from({ length: count }, () => this.below(256)))

  /** A whole number from 0 up to but not including `end`. */
  below(end: number): number {
    return Math.floor(this.number() * end)
  }

  /** A whole number of both bounds and what is between. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  isLucky(chance: number): boolean {
    return this.number() < chance
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T
  }

  /** One of the values, each as often as its weight says. */
  weighed<T>(weights: readonly (readonly [weight: number, value: T])[]): T {
    let left = this.number() * weights.reduce((sum, [weight]) => sum + weight, 0)
    for (const [weight, value] of weights) if ((left -= weight) < 0) return value
    return (weights.at(-1) as readonly [number, T])[1]
  }

  /** Dice of their own, so that who throws more of these leaves the others' as they are. */
  fork(): Dice {
    return new Dice(this.below(2 ** 31))
  }
}
