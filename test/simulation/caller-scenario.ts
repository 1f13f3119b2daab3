import { Dice } from './dice.js'
import { plainScenario } from './plain-scenario.js'
import { isOfUser, PLAIN, type Action, type MetricsWanted, type Reaction, type Scenario } from './scenario.js'
import { many, opted, send, sends } from './swarm-parts.js'
import { transactionalScenario } from './transactional-scenario.js'
import { without } from './without.js'

/** So many of the seeds make use of all else that a producer has. */
const CALLING = 0.1
/** Nothing befalls anybody. */
const QUIET = 0.4
const REACTIONS = ['send', 'send', 'flush', 'abort', 'throw', 'reject', 'close'] as const
/** Of these: partitions without a leader, topics that don't exist, producers that nobody uses, and short patience with idle ones. */
const LEADERLESS = 0.1
const STRANGERS = 0.05
const WATCHED = 0.05
const HASTY = 0.05
/** One of each that differs in what it says of leaders. */
const ANY = ['0.10.2', '1.1', '2.8', '4'] as const
/** In transactions. */
const HARMLESS = ['nothing', 'throw', 'reject'] as const
/** Brokers that may want metrics. */
const WANTING = ['3.9', '4', '4'] as const
const REFUSALS = [
  ...['UNKNOWN_SUBSCRIPTION_ID', 'UNKNOWN_SUBSCRIPTION_ID', 'TELEMETRY_TOO_LARGE', 'UNSUPPORTED_COMPRESSION_TYPE'],
  ...['THROTTLING_QUOTA_EXCEEDED', 'UNKNOWN_SERVER_ERROR', 'INVALID_REQUEST', 'INVALID_RECORD'],
]

/** Whether a seed plays that. It is told by dice of their own, so that all other seeds are as they are without. */
export function isCalling(seed: number): boolean {
  return diceOf(seed).isLucky(CALLING)
}

function diceOf(seed: number): Dice {
  return new Dice(seed ^ 0x0ca11e5)
}

/**
 * What else there is to call, and to be called by: flush() and connect() with times and signals, health(), onStats,
 * interceptors that do something when they hear of fates, streams to brokers that are given late, or never; topics that are
 * forgotten since nobody sends to them, and made anew with fewer partitions; clusters that want metrics.
 */
export function callerScenario(seed: number, usual: (seed: number) => Scenario): Scenario {
  const dice = diceOf(seed).fork()
  const rare = dice.number()
  if (rare < LEADERLESS) return leaderless(seed, dice)
  if (rare < LEADERLESS + STRANGERS) return strangers(seed, dice)
  if (rare < LEADERLESS + STRANGERS + WATCHED) return watched(seed, dice)
  if (rare < LEADERLESS + STRANGERS + WATCHED + HASTY) return hasty(seed, dice)
  const make = dice.weighed<() => Scenario>([
    [2, () => usual(seed)],
    [2, () => plainScenario(seed, dice.fork())],
    [2, () => transactionalScenario(plainScenario(seed, dice.fork()), dice.fork())],
  ])
  const made = make()
  const isQuiet = dice.isLucky(QUIET)
  const uses = made.actions.filter((action) => isOfUser(action) && action.do !== 'lock')
  const scenario = ofCluster(ofUser({ ...made, actions: isQuiet ? uses : made.actions }, dice), dice, isQuiet)
  return { ...without(scenario, 'promptMs'), actions: [...scenario.actions].sort((a, b) => a.at - b.at) }
}

/** A question comes while partitions have no leader and nothing to send; they are sent to when they have one. */
function leaderless(seed: number, dice: Dice): Scenario {
  const brokers = dice.between(2, 3)
  const topics = { t1: dice.pick([2, 6]) }
  const made = opted(
    { ...PLAIN, seed, brokers, topics, release: dice.pick(ANY), network: { delayMs: dice.pick([0.2, 2]), splits: 0 } },
    { type: dice.pick(['sync', 'async']), acks: dice.pick([-1, 1]) },
  )
  const stop: Action = { at: 1_000, do: 'restart', broker: dice.between(2, brokers), ms: 5_000, electionMs: 300 }
  const asks = many(3, () => ({ at: 1_000 + dice.between(1, 290), do: 'ask', topic: 't1' }))
  const after = many(topics.t1, (partition) => send(1_301 + dice.below(1_500), { id: 10 + partition, partition }))
  // All is well again only when that is over.
  const actions: Action[] = [send(0, { id: 1, count: 3 }), stop, ...asks, ...after, { at: 6_500, do: 'connect' }]
  return { ...made, promptMs: 2_000, actions: actions.sort((a, b) => a.at - b.at) }
}

/** Many topics are sent to that don't exist, one after the other: all of them wait, and are asked for together. */
function strangers(seed: number, dice: Dice): Scenario {
  const made = opted(
    { ...PLAIN, seed, autoCreateTopics: false, release: dice.pick(ANY) },
    { type: dice.pick(['sync', 'async']), retryBackoffMs: dice.pick([50, 100]), retryBackoffMaxMs: 100 },
  )
  const lost = many(40, (i) => send(dice.below(1_000), { id: 10 + i, topic: `nowhere${i}` }))
  return { ...made, actions: [send(0, { id: 1 }), ...lost].sort((a, b) => a.at - b.at) }
}

/** Nothing is sent, and whoever looks after it is the only one to ask; questions fail for a while. */
function watched(seed: number, dice: Dice): Scenario {
  const brokers = dice.between(1, 2)
  const actions: Action[] = [
    { at: 1, do: 'cut', api: 'Metadata', moment: dice.pick(['before', 'after'] as const), times: 300 },
    { at: 2, do: 'health', everyMs: 1, times: 1_500 },
    { at: dice.below(1_000), do: 'connect' },
    { at: 1_500, do: dice.pick(['refuse', 'pause'] as const), broker: 1, ms: 300 },
  ]
  const release = dice.pick(ANY)
  return { ...PLAIN, seed, brokers, release, actions: actions.sort((a, b) => a.at - b.at) }
}

/** Connections are given up as idle sooner than a codec is done. */
function hasty(seed: number, dice: Dice): Scenario {
  const made: Scenario = { ...PLAIN, seed, release: dice.pick(ANY), codec: 'late', topics: { t1: 1 } }
  const scenario = opted(made, { connectionsMaxIdleMs: 100, retries: 0, type: dice.pick(['sync', 'async']) })
  const actions = sends(dice, scenario, 12, 3_000)
  return { ...scenario, actions: actions.sort((a, b) => a.at - b.at) }
}

function spanOf({ actions }: Scenario): number {
  return Math.max(300, ...actions.map(({ at }) => at))
}

function ofUser(scenario: Scenario, dice: Dice): Scenario {
  const isPlain = scenario.transactionTimeoutMs === undefined
  const span = spanOf(scenario)
  const at = () => (dice.isLucky(0.15) ? 0 : dice.below(span))
  const calls = many(dice.between(2, 8), (): Action =>
    dice.weighed<() => Action>([
      [isPlain ? 4 : 0, () => ({ at: at(), do: 'flush', timeoutMs: dice.pick([0, 1, 50, 1_000, 20_000]) })],
      [2, () => ({ at: at(), do: 'connect', timeoutMs: dice.pick([0, 1, 50, 1_000, 20_000]) })],
      [1, () => ({ at: at(), do: 'connect', signal: dice.below(3) })],
      [1, () => ({ at: at(), do: 'abort', signal: dice.below(3) })],
      [2, () => ({ at: at(), do: 'health', everyMs: dice.pick([1, 20, 200]), times: dice.pick([20, 100]) })],
      [0.3, () => ({ at: at(), do: 'close', timeoutMs: dice.pick([0, 50, 5_000]) })],
    ])(),
  )
  const idle = dice.isLucky(0.4) ? { metadataMaxIdleMs: dice.pick([50, 400, 2_000]) } : {}
  return {
    ...scenario,
    ...(dice.isLucky(0.5) && { statsIntervalMs: dice.pick([20, 300, 60_000]) }),
    ...(dice.isLucky(0.2) && { ownConnections: 'promises' }),
    ...(dice.isLucky(0.5) && { intercepts: dice.pick<Reaction>(isPlain ? REACTIONS : HARMLESS) }),
    options: { ...scenario.options, ...idle },
    actions: [...scenario.actions, ...calls],
  }
}

function wanted(dice: Dice): MetricsWanted {
  return {
    intervalMs: dice.pick([100, 1_000, 5_000]),
    metrics: dice.pick([[''], [''], ['org.apache.kafka.producer.connection.'], []]),
    maxBytes: dice.pick([1_000_000, 1_000_000, 400]),
  }
}

function ofCluster(scenario: Scenario, dice: Dice, isQuiet: boolean): Scenario {
  const span = spanOf(scenario)
  const topics = Object.keys(scenario.topics)
  // Of a transaction that lost a part of itself nobody can tell whether it was whole.
  const isRemade = scenario.transactionTimeoutMs === undefined && !isQuiet && dice.isLucky(0.4)
  const remade = many(isRemade ? dice.between(1, 3) : 0, () => {
    return { at: dice.below(span), do: 'recreate', topic: dice.pick(topics), partitions: dice.pick([1, 1, 2, 8]) }
  })
  const actions = [...scenario.actions, ...remade]
  if (!dice.isLucky(0.4)) return { ...scenario, actions }
  const refusals = many(dice.isLucky(0.5) ? dice.between(1, 4) : 0, () => {
    const api = dice.pick(['GetTelemetrySubscriptions', 'PushTelemetry', 'PushTelemetry'] as const)
    return { at: dice.below(span), do: 'fail', api, error: dice.pick(REFUSALS), times: dice.pick([1, 1, 3]) }
  })
  const others = many(dice.isLucky(0.3) ? dice.between(1, 3) : 0, () => {
    return { at: dice.below(span), do: 'subscribe', to: wanted(dice) }
  })
  return {
    ...scenario,
    release: dice.pick(WANTING),
    wantsMetrics: wanted(dice),
    // Others in the same cluster want none.
    actions: [...actions, ...refusals, ...others].map((action) =>
      action.do === 'restart' ? without(action, 'release') : action,
    ),
  }
}
