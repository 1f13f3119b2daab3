import type { Dice } from './dice.js'
import type { Action, Scenario } from './scenario.js'

/* What scenarios are made of that play a few things many times. */

/** Not every release, but one of each that differs in what is played here. */
export const NUMBERED = ['0.11', '1.1', '2.8', '3.9', '4', '4'] as const
export const SMALL = 10

/** What is played: each makes a scenario of a plain one. */
export type Kind = (scenario: Scenario, dice: Dice) => Scenario

export type Options = Partial<Scenario['options']>

export function opted(scenario: Scenario, options: Options): Scenario {
  return { ...scenario, options: { ...scenario.options, ...options } }
}

export function many(count: number, make: (index: number) => Action): Action[] {
  return Array.from({ length: count }, (_, i) => make(i))
}

export interface SendOf {
  readonly id: number
  readonly topic?: string
  readonly count?: number
  readonly list?: boolean
  readonly size?: number
  readonly keys?: number
  readonly partition?: number
  readonly signal?: number
  readonly headers?: boolean
}

export function send(at: number, given: SendOf): Action {
  return { at, do: 'send', count: 1, list: true, topic: 't1', keys: 1, size: SMALL, ...given }
}

/** Sends to one topic or several, at times within a span. */
export function sends(
  dice: Dice,
  scenario: Scenario,
  count: number,
  spanMs: number,
  given: Partial<SendOf> = {},
): Action[] {
  const topics = Object.keys(scenario.topics)
  return many(count, (i) =>
    send(dice.below(spanMs), {
      id: 1 + i * 400,
      topic: dice.pick(topics),
      list: dice.isLucky(0.5),
      count: dice.pick([1, 3, 20]),
      keys: dice.pick([0, 1, 10]),
      ...given,
    }),
  )
}
