import { Dice } from './dice.js'
import { plainScenario } from './plain-scenario.js'
import { BEFORE_SEQUENCES, type Action, type Scenario } from './scenario.js'
import { many } from './swarm-parts.js'
import { transactionalScenario } from './transactional-scenario.js'
import { without } from './without.js'

/** So many of the seeds play what befalls a cluster as a whole. */
const WORLDLY = 0.15
/** One of each that differs in what it says of logs that were cut. */
const CUT_LOGS = ['0.11', '1.1', '1.1', '1.1', '2.8', '4'] as const
/** Of a transaction, whatever is waited for in it. */
const AMPLE_MS = 20_000
const FORMATS = ['0.10.2', '0.9.0'] as const

/** Whether a seed plays that. It is told by dice of their own, so that all other seeds are as they are without. */
export function isWorldly(seed: number): boolean {
  return diceOf(seed).isLucky(WORLDLY)
}

function diceOf(seed: number): Dice {
  return new Dice(seed ^ 0x77aa11)
}

/**
 * A world that changes: retention takes what was written, elections lose it, another cluster is at the addresses, brokers
 * come and go, topics have limits. It changes what the seed would be otherwise, transactions, or messages that nothing else
 * befalls.
 */
export function worldScenario(seed: number, usual: (seed: number) => Scenario): Scenario {
  const dice = diceOf(seed).fork()
  const make = dice.weighed<() => Scenario>([
    [3, () => changing(usual(seed), dice)],
    [2, () => changing(plainScenario(seed, dice.fork()), dice)],
    [4, () => changing(transactionalScenario(plainScenario(seed, dice.fork()), dice.fork()), dice)],
    [3, () => unnoticed(plainScenario(seed, dice.fork()), dice)],
    [1, () => unnoticed(transactionalScenario(plainScenario(seed, dice.fork()), dice.fork()), dice)],
  ])
  const scenario = ofUser(ofTopics(make(), dice), dice)
  // It is some concern of everybody's.
  return { ...without(scenario, 'promptMs'), actions: [...scenario.actions].sort((a, b) => a.at - b.at) }
}

/** Retention is all that there is, and nobody is to notice it, though some have no second attempt. */
function unnoticed(scenario: Scenario, dice: Dice): Scenario {
  const { options, sessionLifetimeMs, transactionTimeoutMs } = scenario
  const release = sessionLifetimeMs === undefined ? dice.pick(CUT_LOGS) : scenario.release
  const retries = dice.pick([0, 0, 1, undefined])
  const isOne = ({ do: what }: Action) => what === 'send' || what === 'flush' || what === 'transact'
  const uses = scenario.actions.filter((action) => isOne(action) && !isAlien(action))
  return {
    ...scenario,
    release,
    ...(transactionTimeoutMs !== undefined && { transactionTimeoutMs: AMPLE_MS }),
    options: { ...without(options, 'retries'), acks: -1, ...(retries !== undefined && { retries }) },
    actions: [...uses, ...retained(scenario, dice)],
  }
}

/** Others fence the producer, or leave it waiting. */
function isAlien(action: Action): boolean {
  return action.do === 'transact' && (action.rival === true || action.end === 'leave')
}

function retained({ actions, topics }: Scenario, dice: Dice): Action[] {
  const topic = () => dice.pick(Object.keys(topics))
  return many(dice.between(1, 6), () => ({ at: dice.below(spanOf(actions)), do: 'retain', topic: topic() }))
}

function spanOf(actions: readonly Action[]): number {
  return Math.max(300, ...actions.map(({ at }) => at))
}

function changing(scenario: Scenario, dice: Dice): Scenario {
  const { actions, topics, brokers, transactionTimeoutMs } = scenario
  const span = spanOf(actions)
  const at = () => dice.below(span)
  const made: Action[] = dice.isLucky(0.5) ? retained(scenario, dice) : []
  // Of a transaction that lost a part of itself nobody can tell whether it was whole.
  if (transactionTimeoutMs === undefined && dice.isLucky(0.4))
    made.push(
      ...many(dice.between(1, 3), () => {
        const topic = dice.pick(Object.keys(topics))
        return { at: at(), do: 'truncate', topic, count: dice.pick([1, 2, 5, 100]) }
      }),
    )
  // Who gets the id there that a rival of the same name had before is taken for that one: nobody can tell them apart.
  const hasRival = actions.some((action) => action.do === 'transact' && action.rival === true)
  if (dice.isLucky(transactionTimeoutMs === undefined ? 0.5 : 0.7))
    made.push({ at: at(), do: 'anew', ms: dice.pick([0, 1, 50, 1_000]), otherIds: dice.isLucky(0.5) || hasRival })
  if (dice.isLucky(0.3)) made.push(...comings(dice, brokers, span))
  return { ...scenario, actions: [...actions, ...made] }
}

/** Brokers come that were not there before, and others go; one may be replaced by another one with its id. The first stays. */
function comings(dice: Dice, brokers: number, span: number): Action[] {
  return many(dice.between(1, 4), () => {
    const broker = dice.between(2, brokers + 2)
    return { at: dice.below(span), do: broker > brokers || dice.isLucky(0.4) ? 'join' : 'leave', broker }
  })
}

/** Topics have settings that refuse what others take. */
function ofTopics(scenario: Scenario, dice: Dice): Scenario {
  const largest = dice.isLucky(0.3) ? { 'max.message.bytes': dice.pick([200, 1_000, 4_000]) } : {}
  const isOld = scenario.transactionTimeoutMs === undefined && dice.isLucky(0.1)
  const format = isOld ? { 'message.format.version': dice.pick(FORMATS) } : {}
  const config = { ...largest, ...format }
  return Object.keys(config).length === 0 ? scenario : { ...scenario, config }
}

/** The user wants sequences, or none, and looks at his messages on their way. */
function ofUser(scenario: Scenario, dice: Dice): Scenario {
  if (scenario.transactionTimeoutMs !== undefined) return scenario
  const { release, options, actions, config } = scenario
  const isOther = actions.some((action) => action.do === 'restart' && action.release !== undefined)
  const isOld = BEFORE_SEQUENCES.has(release) || config?.['message.format.version'] !== undefined
  const mayBeNumbered = options.acks === -1 && !isOther && !isOld
  const chance = dice.number()
  const idempotent = chance < 0.05 ? false : chance < 0.25 && mayBeNumbered ? true : undefined
  return {
    ...scenario,
    ...(idempotent !== undefined && { idempotent }),
    ...(dice.isLucky(0.3) && { intercepts: true }),
  }
}
