import { Dice } from './dice.js'
import { LARGEST, LIES, type Liar } from './lies.js'
import type { Action, Oddity, Scenario } from './scenario.js'

/** So many of the seeds have what only broken or hostile peers do, or users who don't keep to what was agreed. */
const ODD = 0.4
const LOST_COUNT = ['OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID', 'INVALID_PRODUCER_EPOCH'] as const
const IN_DOUBT = ['REQUEST_TIMED_OUT', 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'UNKNOWN_SERVER_ERROR'] as const
/** Nobody knows what it means. */
const UNKNOWN_ERROR = 999

/**
 * The same with something that is unusual, for some of the seeds. It has dice of its own, so that all else of a seed is as
 * it is without.
 */
export function withOddities(scenario: Scenario): Scenario {
  const dice = new Dice(scenario.seed ^ 0x0dd17135)
  if (!dice.isLucky(ODD)) return scenario
  const isPlain = scenario.transactionTimeoutMs === undefined
  const kind = dice.weighed([
    [6, lies],
    [isPlain ? 5 : 0, oddMessages],
    [isPlain ? 3 : 0, bumps],
    [isPlain ? 4 : 0, severalInFlight],
    [isPlain ? 0.7 : 0, pingPong],
    [1, throttled],
    [isPlain ? 1.5 : 0, crowd],
    [1, unknownErrors],
    [isPlain ? 1 : 0, promises],
    [0.5, noTimer],
    [1, thenables],
    [isPlain ? 1 : 0, idleConnections],
    [isPlain && scenario.autoCreateTopics ? 1.5 : 0, creations],
  ])
  const odd = kind(scenario, dice)
  return { ...odd, actions: [...odd.actions].sort((a, b) => a.at - b.at) }
}

function spanOf({ actions }: Scenario): number {
  return Math.max(300, ...actions.map(({ at }) => at))
}

function having(scenario: Scenario, ...actions: readonly Action[]): Scenario {
  return { ...scenario, actions: [...scenario.actions, ...actions] }
}

/** Sends are as they are told to be. */
function sendsAs(scenario: Scenario, change: (send: Action & { readonly do: 'send' }) => Action): Scenario {
  return { ...scenario, actions: scenario.actions.map((action) => (action.do === 'send' ? change(action) : action)) }
}

function lies(scenario: Scenario, dice: Dice): Scenario {
  const isPlain = scenario.transactionTimeoutMs === undefined
  const span = spanOf(scenario)
  const told = Array.from({ length: dice.between(2, 8) }, (): Action => {
    const api = dice.weighed<Liar>([
      [6, 'Produce'],
      [5, 'Metadata'],
      [isPlain ? 2 : 0, 'InitProducerId'],
      [1, 'ApiVersions'],
    ])
    const at = dice.isLucky(0.3) ? 0 : dice.below(span)
    return { at, do: 'lie', api, how: dice.pick(LIES[api]), times: dice.pick([1, 1, 3, 20]) }
  })
  return having(scenario, ...told)
}

function oddMessages(scenario: Scenario, dice: Dice): Scenario {
  const close: Action[] = dice.isLucky(0.3) ? [{ at: dice.below(spanOf(scenario)), do: 'close', timeoutMs: 0 }] : []
  return sendsAs(having(scenario, ...close), (send) => {
    if (dice.isLucky(0.4)) return send
    const odd = dice.weighed<Oddity>([
      [3, 'nulls'],
      // Other partitioners take none that are bytes.
      [scenario.partitioner === 'by key' ? 4 : 0, 'partition key'],
      [3, 'detached'],
      [2, 'invalid'],
      [1, 'wrong signal'],
      [3, 'mixed'],
      [2, 'ahead'],
    ])
    if (odd === 'mixed') return { ...send, odd, list: true, code: dice.pick(['late', 'never settles']) }
    // Whoever takes bytes away changes none of them.
    const changes = odd === 'detached' ? false : send.changes === true || odd === 'partition key'
    return { ...send, odd, changes }
  })
}

/** Brokers lose count again and again, in several partitions at once, and epochs come to their end. */
function bumps(scenario: Scenario, dice: Dice): Scenario {
  const span = spanOf(scenario)
  const lost = Array.from({ length: dice.between(2, 8) }, (): Action => {
    return {
      at: dice.below(span),
      do: 'fail',
      api: 'Produce',
      error: dice.pick(LOST_COUNT),
      times: dice.pick([1, 2, 3]),
    }
  })
  const unclear = Array.from({ length: dice.between(0, 3) }, (): Action => {
    const at = dice.below(span)
    return dice.isLucky(0.5)
      ? { at, do: 'cut', api: 'Produce', moment: 'after', times: dice.pick([1, 2]) }
      : { at, do: 'fail', api: 'Produce', error: 'REQUEST_TIMED_OUT', times: 1 }
  })
  const last: Action[] = dice.isLucky(0.7)
    ? [{ at: 0, do: 'lie', api: 'InitProducerId', how: 'last epoch', times: dice.pick([1, 2, 20]) }]
    : []
  return having(scenario, ...last, ...lost, ...unclear)
}

/** Batches of one partition go out behind each other, and something befalls those in the midst. */
function severalInFlight(scenario: Scenario, dice: Dice): Scenario {
  const [topic] = Object.keys(scenario.topics) as [string]
  const span = dice.pick([500, 2_000])
  const slow: Action = { at: 0, do: 'delay', api: 'Produce', ms: dice.pick([20, 60, 200]), times: 200 }
  const sends = Array.from({ length: dice.between(5, 30) }, (_, i): Action => {
    const signal = dice.isLucky(0.2) ? { signal: dice.below(3) } : {}
    const send = {
      do: 'send',
      topic,
      partition: 0,
      keys: 0,
      size: dice.pick([10, 300]),
      list: true,
      ...signal,
    } as const
    return { at: dice.below(span), ...send, id: 700_000 + 20 * i, count: dice.pick([1, 2, 10]) }
  })
  const befalls = Array.from({ length: dice.between(1, 4) }, (): Action => {
    const at = dice.between(span / 4, span)
    const times = dice.pick([1, 1, 2])
    return dice.weighed<Action>([
      [2, { at, do: 'fail', api: 'Produce', error: dice.pick(LOST_COUNT), times }],
      [3, { at, do: 'fail', api: 'Produce', error: dice.pick(IN_DOUBT), times }],
      [2, { at, do: 'fail', api: 'Produce', error: 'NOT_LEADER_OR_FOLLOWER', whileWaiting: dice.isLucky(0.5), times }],
      [3, { at, do: 'cut', api: 'Produce', moment: dice.pick(['before', 'after']), times }],
      [2, { at, do: 'stall', api: 'Produce', moment: dice.pick(['before', 'after']), ms: dice.pick([1_500, 6_000]) }],
      [1, { at, do: 'reset', broker: 1 }],
      [1, { at, do: 'abort', signal: dice.below(3) }],
      [1, { at, do: 'fail', api: 'Produce', error: 'MESSAGE_TOO_LARGE', times: 1 }],
      [1, { at, do: 'restart', broker: 1, ms: dice.pick([20, 300]), electionMs: 0 }],
    ])
  })
  const { options } = scenario
  return {
    ...scenario,
    // The first two have no sessions that end.
    release: dice.pick(['0.11', '1.1', '2.8', '3.9', '4', '4'].slice(scenario.sessionLifetimeMs === undefined ? 0 : 2)),
    options: {
      ...options,
      acks: -1,
      batchBytes: dice.pick([200, 500, 2_000]),
      maxRequestBytes: dice.pick([2_000, 20_000]),
      maxInFlight: 5,
      queueMessages: 100_000,
      queueBytes: 10_000_000,
      requestTimeoutMs: dice.pick([500, 3_000]),
      deliveryTimeoutMs: dice.pick([1_500, 4_000, 10_000]),
    },
    actions: [...scenario.actions.filter((action) => action.do !== 'restart'), slow, ...sends, ...befalls],
  }
}

/** A broker tells of many others, and leads messages to them. */
function crowd(scenario: Scenario, dice: Dice): Scenario {
  const [topic] = Object.keys(scenario.topics) as [string]
  const at = dice.below(spanOf(scenario))
  const send = { do: 'send', count: 120, list: dice.isLucky(0.5), topic, keys: 100, size: 10 } as const
  return having(
    scenario,
    { at, do: 'lie', api: 'Metadata', how: 'crowd', times: dice.pick([1, 3, 20]) },
    { at, do: 'restart', broker: 1, ms: 20, electionMs: 0 },
    { at: at + 300, ...send, id: 500_000 },
    { at: at + 600, ...send, id: 500_200 },
  )
}

function unknownErrors(scenario: Scenario, dice: Dice): Scenario {
  const failures = Array.from({ length: dice.between(1, 3) }, (): Action => {
    const api = dice.pick(['Produce', 'Metadata', 'InitProducerId'] as const)
    return { at: dice.below(spanOf(scenario)), do: 'fail', api, error: UNKNOWN_ERROR, times: dice.pick([1, 3]) }
  })
  return having(scenario, ...failures)
}

function promises(scenario: Scenario): Scenario {
  return { ...scenario, partitioner: 'promises' }
}

/** Waits that no timer can keep, for a topic that has no leader. */
function noTimer(scenario: Scenario): Scenario {
  const [topic] = Object.keys(scenario.topics) as [string]
  const options = { ...scenario.options, retryBackoffMs: LARGEST, retryBackoffMaxMs: LARGEST }
  return having(
    { ...scenario, options },
    { at: 0, do: 'fail', api: 'Metadata', error: 'LEADER_NOT_AVAILABLE', topic, times: 1_000 },
  )
}

/** A broker wants to be left alone for 24 days. */
function throttled(scenario: Scenario, dice: Dice): Scenario {
  const api = dice.pick(['Produce', 'Produce', 'Metadata'] as const)
  return having(
    { ...scenario, options: { ...scenario.options, connectionsMaxIdleMs: 180_000 } },
    { at: dice.below(spanOf(scenario)), do: 'lie', api, how: 'throttles', times: dice.pick([1, 3]) },
  )
}

/** Two brokers name each other as the leader, for as long as they are asked. */
function pingPong(scenario: Scenario): Scenario {
  const send = { do: 'send', id: 1, count: 3, list: true, topic: 't1', keys: 0, size: 10 } as const
  return {
    ...scenario,
    brokers: 2,
    release: '4',
    topics: { t1: 1 },
    network: { delayMs: 0.2, splits: 0 },
    options: { ...scenario.options, acks: -1, retryBackoffMs: 100, retryBackoffMaxMs: 1_000 },
    actions: [
      { at: 1, ...send },
      { at: 1_000, do: 'lie', api: 'Produce', how: 'hints', times: 5_000 },
      { at: 1_001, ...send, id: 10 },
      { at: 3_000, do: 'flush' },
    ],
  }
}

function thenables(scenario: Scenario, dice: Dice): Scenario {
  const odd =
    scenario.transactionTimeoutMs === undefined
      ? sendsAs(scenario, (send) => ({ ...send, code: 'thenable' }))
      : scenario
  return { ...odd, ...(dice.isLucky(0.5) && { codec: 'thenable' }) }
}

/** Topics are asked for while the first messages to them make them. */
function creations(scenario: Scenario, dice: Dice): Scenario {
  const made = Array.from({ length: dice.between(1, 4) }, (_, i): Action[] => {
    const at = dice.below(spanOf(scenario))
    const topic = `made${i}`
    const send = { do: 'send', id: 600_000 + i, count: 1, list: false, topic, keys: 1, size: 10 } as const
    return [
      // It takes the cluster some time.
      { at: Math.max(0, at - 1), do: 'fail', api: 'Metadata', error: 'UNKNOWN_TOPIC_OR_PARTITION', topic, times: 4 },
      { at, ...send },
      { at: at + dice.between(1, 5), do: 'ask', topic },
    ]
  })
  const isQuiet = ({ do: what }: Action) => what === 'send' || what === 'ask' || what === 'flush'
  const options = { ...scenario.options, type: 'sync', queueMessages: 100_000, queueBytes: 10_000_000 } as const
  return having({ ...scenario, options, actions: scenario.actions.filter(isQuiet) }, ...made.flat())
}

/** Connections are given up as idle sooner than a codec is done. */
function idleConnections(scenario: Scenario): Scenario {
  const { codec, options } = scenario
  return {
    ...scenario,
    codec: codec === 'none' ? 'late' : codec,
    options: { ...options, connectionsMaxIdleMs: 100, retries: 0 },
  }
}
