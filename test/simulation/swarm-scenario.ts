import type { Dice } from './dice.js'
import { troubleOf } from './plain-scenario.js'
import { PLAIN, type Action, type Scenario, type Undated } from './scenario.js'
import { many, NUMBERED, opted, send, sends, type Kind } from './swarm-parts.js'
import {
  lostCommits,
  gaps,
  overtakenAborts,
  lateEnds,
  lateMessages,
  lateOffsets,
  coordinators,
  leftOpen,
} from './swarm-transactions.js'

const ANY = ['0.10.2', ...NUMBERED] as const
/** A leader that refuses tells no other one (before Kafka 3.7, KIP-951). */
const WITHOUT_HINTS = ['1.1', '2.8'] as const
/** So long a broker is waited for before another one is asked too. */
const HEAD_START_MS = 1_000
/** Before those of a series. */
const FIRST_ID = 90_000

/** What is refused with these is written all the same: by itself, or since the fault says so. */
const AFTER_APPEND: readonly Undated<Action & { readonly do: 'fail' }>[] = [
  { do: 'fail', api: 'Produce', error: 'REQUEST_TIMED_OUT', times: 1 },
  { do: 'fail', api: 'Produce', error: 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', times: 1 },
  { do: 'fail', api: 'Produce', error: 'UNKNOWN_SERVER_ERROR', appends: true, times: 1 },
  { do: 'fail', api: 'Produce', error: 'NOT_LEADER_OR_FOLLOWER', whileWaiting: true, times: 1 },
  { do: 'fail', api: 'Produce', error: 'KAFKA_STORAGE_ERROR', appends: true, times: 1 },
]

/**
 * A few things that are rare one by one, and together, many times: what takes several of them to go wrong is not left to
 * chance alone.
 */
export function swarmScenario(seed: number, dice: Dice, kind: Kind = dice.pick(SWARM)): Scenario {
  const network = { delayMs: dice.pick([0.2, 2, 40]), splits: dice.pick([0, 0.3]) }
  const scenario = kind({ ...PLAIN, seed, network }, dice)
  return { ...scenario, actions: [...scenario.actions].sort((a, b) => a.at - b.at) }
}

/** Brokers refuse what they have written, until it fails for good. */
function afterWriting(scenario: Scenario, dice: Dice): Scenario {
  const refused = many(dice.between(1, 4), () => ({
    ...dice.pick(AFTER_APPEND),
    at: dice.below(500),
    times: dice.pick([1, 2, 100]),
  }))
  const cut: Action[] = dice.isLucky(0.3)
    ? [{ at: dice.below(500), do: 'cut', api: 'Produce', moment: 'after', times: 2 }]
    : []
  const retries = dice.pick([0, 1, undefined])
  const made = opted(
    { ...scenario, release: dice.pick(ANY), brokers: dice.between(1, 2), topics: { t1: 1, t2: 2 } },
    { deliveryTimeoutMs: 4_000, acks: dice.pick([-1, -1, 1]), ...(retries !== undefined && { retries }) },
  )
  return { ...made, actions: [...refused, ...cut, ...sends(dice, made, 6, 600)] }
}

/** Many batches of one partition, several of them in flight, and a fault between them. */
function pipeline(scenario: Scenario, dice: Dice): Scenario {
  const faults = many(dice.between(1, 5), () => {
    const at = dice.isLucky(0.3) ? 0 : dice.below(800)
    return dice.weighed<() => Action>([
      [3, () => ({ ...dice.pick(AFTER_APPEND), at, times: dice.pick([1, 1, 2]) })],
      [2, () => ({ at, do: 'fail', api: 'Produce', error: 'NOT_ENOUGH_REPLICAS', times: 1 })],
      [
        2,
        () => ({
          at,
          do: 'fail',
          api: 'Produce',
          error: dice.pick(['INVALID_RECORD', 'TOPIC_AUTHORIZATION_FAILED']),
          times: 1,
        }),
      ],
      [3, () => ({ at, do: 'cut', api: 'Produce', moment: dice.pick(['before', 'after']), times: dice.pick([1, 2]) })],
      [3, () => ({ at, do: 'reset', broker: dice.between(1, 2) })],
      [1, () => ({ at, do: 'move', topic: 't1', partition: 0, broker: dice.between(1, 2) })],
    ])()
  })
  const retries = dice.pick([0, 1, undefined, undefined])
  const made = opted(
    {
      ...scenario,
      release: dice.pick(ANY),
      brokers: 2,
      topics: { t1: 1 },
      network: { delayMs: dice.pick([2, 40, 100, 100]), splits: 0 },
    },
    {
      acks: dice.pick([-1, -1, -1, 1]),
      batchBytes: dice.pick([100, 300]),
      maxRequestBytes: 1_000,
      maxInFlight: dice.pick([2, 5]),
      retryBackoffMs: dice.pick([20, 100]),
      ...(retries !== undefined && { retries }),
    },
  )
  return { ...made, actions: [...faults, ...sends(dice, made, 8, 800, { count: dice.pick([5, 20]), keys: 0 })] }
}

/** A batch fails that is written, and the answers to those behind it are lost. */
function lostBehind(scenario: Scenario, dice: Dice): Scenario {
  const made = opted(
    { ...scenario, release: dice.pick(NUMBERED), topics: { t1: 1 }, network: { delayMs: 100, splits: 0 } },
    { batchBytes: 100, maxRequestBytes: 1_000 },
  )
  const rounds = [1_000, 2_500, 4_000, 5_500].flatMap((at, i): Action[] => [
    { at, do: 'fail', api: 'Produce', error: 'UNKNOWN_SERVER_ERROR', appends: true, times: 1 },
    send(at + 1, { id: 100 + i * 100, count: 20, keys: 0 }),
    { at: at + dice.between(80, 250), do: dice.pick(['reset', 'halve'] as const), broker: 1 },
  ])
  return { ...made, actions: [send(0, { id: 1, count: 10, keys: 0 }), ...rounds] }
}

/** Messages that linger fill the queue: by their bytes, since as many as it holds don't linger. */
function lingering(scenario: Scenario, dice: Dice): Scenario {
  const queueBytes = 1_100_000
  const made = opted(
    { ...scenario, topics: { t1: 6 }, network: { delayMs: 0.2, splits: 0 } },
    {
      ...{ type: 'async', lingerMs: dice.pick([1_000, 5_000]), enqueueTimeoutMs: dice.pick([200, 60_000]) },
      ...{ queueBytes, batchBytes: queueBytes, maxRequestBytes: queueBytes },
    },
  )
  return { ...made, actions: sends(dice, made, dice.between(5, 10), 3_000, { count: 3, keys: 10, size: 100_000 }) }
}

/** Code of the user's sends in the midst of what lingers. */
function sendingAmid(scenario: Scenario, dice: Dice): Scenario {
  const made = opted(
    { ...scenario, topics: { t1: 1 }, partitioner: 'sends', network: { delayMs: 2, splits: 0 } },
    { type: 'async', lingerMs: 1_000, ...(dice.isLucky(0.3) && { batchMessages: 25 }) },
  )
  const flushes = many(6, (i): Action => ({ at: 300 + i * 150, do: 'flush' }))
  return { ...made, actions: [...sends(dice, made, 12, 1_200, { count: 20, list: true, keys: 1 }), ...flushes] }
}

/** Some topics don't exist, and there is little room. */
function missingTopics(scenario: Scenario, dice: Dice): Scenario {
  const made = opted(
    { ...scenario, topics: { t1: 2 }, autoCreateTopics: false, network: { delayMs: 2, splits: 0 } },
    { type: dice.pick(['sync', 'async']), queueMessages: 10, enqueueTimeoutMs: 200 },
  )
  const lost = many(dice.between(1, 2), (i) =>
    send(1_500 + dice.below(500), {
      id: 1_000 + i * 100,
      topic: 'unheard-of',
      count: dice.pick([5, 20]),
      list: dice.isLucky(0.5),
    }),
  )
  const found = many(4, (i) => send(1_600 + dice.below(2_000), { id: 2_000 + i * 100, count: 3 }))
  return { ...made, actions: [send(0, { id: 1 }), ...lost, ...found] }
}

/** A broker's format can't hold all that is given, and there is little room. */
function oldFormats(scenario: Scenario, dice: Dice): Scenario {
  const made = opted(
    { ...scenario, release: '0.10.2', topics: { t1: 1 }, network: { delayMs: 2, splits: 0 } },
    { type: dice.pick(['sync', 'async']), queueMessages: 10, enqueueTimeoutMs: dice.pick([-1, 60_000]) },
  )
  const actions = many(4, (i) =>
    send(dice.below(1_000), { id: 1 + i * 100, count: 20, list: dice.isLucky(0.7), headers: dice.isLucky(0.7) }),
  )
  return { ...made, actions }
}

/** Whoever waits for room waits behind others who get some little by little; and whoever closes closes on them. */
function waitingForRoom(scenario: Scenario, dice: Dice): Scenario {
  const made = opted(
    { ...scenario, topics: { t1: 1 }, network: { delayMs: 100, splits: 0 } },
    {
      type: dice.pick(['sync', 'async']),
      queueMessages: dice.pick([2, 10]),
      enqueueTimeoutMs: dice.pick([200, 200, 60_000]),
      ...(dice.isLucky(0.3) && { batchMessages: 1 }),
    },
  )
  const line = many(10, (i) => send(500 + dice.below(1_000), { id: 1_000 + i, signal: dice.pick([0, 1, 2]) }))
  const end: Action = dice.isLucky(0.3)
    ? { at: 1_000, do: 'close', timeoutMs: dice.pick([0, 500]) }
    : { at: 4_000, do: 'flush' }
  return { ...made, actions: [send(0, { id: 1 }), send(400, { id: 10, count: 300 }), ...line, end] }
}

/** Leaders move while another topic is asked for without end. */
function browsedLeaders(scenario: Scenario, dice: Dice): Scenario {
  const made = opted(
    {
      ...scenario,
      release: dice.pick(WITHOUT_HINTS),
      brokers: 2,
      topics: { t1: 2, t2: 1 },
      network: { delayMs: 2, splits: 0 },
    },
    { requestTimeoutMs: 500, deliveryTimeoutMs: 1_000, metadataRefreshIntervalMs: -1 },
  )
  const moves = [0, 1].map((partition): Action => {
    return { at: 500, do: 'move', topic: 't1', partition, broker: dice.between(1, 2) }
  })
  const browse: Action = { at: 450, do: 'browse', topic: 't2', everyMs: 2, times: 700 }
  const given = { topic: 't1', count: 10, keys: 10 }
  const after = many(4, (i) => send(501 + dice.below(200), { id: 100 + i * 20, ...given }))
  return { ...made, actions: [send(0, { id: 1, ...given }), browse, ...moves, ...after] }
}

/** The first questions for topics go wrong, one topic after the other; some of these are yet to be made. */
function firstQuestions(scenario: Scenario, dice: Dice): Scenario {
  const topics = { t1: 1, t2: 1, t3: 1 }
  const made = opted(
    { ...scenario, release: dice.pick(ANY), brokers: dice.between(1, 2), topics, network: { delayMs: 2, splits: 0 } },
    { deliveryTimeoutMs: 20_000 },
  )
  const names = [...Object.keys(topics), 'made1', 'made2']
  const actions = names.flatMap((topic, i): Action[] => {
    const at = i * dice.pick([300, 1_500])
    const times = dice.between(1, 3)
    const error = dice.pick([
      'INVALID_REPLICATION_FACTOR',
      'REQUEST_TIMED_OUT',
      'NOT_CONTROLLER',
      'LEADER_NOT_AVAILABLE',
    ])
    const fault: Action = dice.isLucky(0.7)
      ? { at, do: 'fail', api: 'Metadata', error, topic, times }
      : { at, do: 'cut', api: 'Metadata', moment: dice.pick(['before', 'after']), times }
    return [fault, send(at + 1, { id: 1 + i * 10, topic, count: dice.pick([1, 3]) })]
  })
  return { ...made, actions }
}

/** The broker that answered last says nothing any more, and has nothing that is sent to. */
function silentStranger(scenario: Scenario, dice: Dice): Scenario {
  const made = opted(
    { ...scenario, release: dice.pick(ANY), brokers: dice.between(2, 3), topics: { t1: 1, t2: 1, t3: 2 } },
    { requestTimeoutMs: 5_000, acks: dice.pick([-1, 1]), type: dice.pick(['sync', 'async']), lingerMs: 10 },
  )
  const away = Object.entries(made.topics).flatMap(([topic, partitions]) =>
    many(partitions, (partition) => ({ at: 0, do: 'move', topic, partition, broker: dice.between(2, made.brokers) })),
  )
  const silent: Action = { at: 500, do: dice.pick(['pause', 'silence'] as const), broker: 1, ms: 8_000 }
  const after = ['t2', 't3'].map((topic, i) => send(501 + dice.below(1_500), { id: 10 + i * 10, topic, count: 3 }))
  // All is well again only when that is over.
  const actions: Action[] = [...away, send(1, { id: 1 }), silent, ...after, { at: 9_000, do: 'connect' }]
  return { ...made, promptMs: HEAD_START_MS + 1_000, actions }
}

/** Many topics are asked for at once, and the broker hangs up on all of these questions before it has answered any. */
function hungUpOn(scenario: Scenario, dice: Dice): Scenario {
  const made: Scenario = { ...scenario, release: dice.pick(NUMBERED), network: { delayMs: 0.2, splits: 0 } }
  const actions: Action[] = [
    { at: 0, do: 'stall', api: 'Metadata', moment: 'before', ms: 500 },
    { at: 1, do: 'browse', everyMs: 2, times: dice.between(80, 120) },
    { at: 300, do: 'reset', broker: 1 },
    ...sends(dice, made, 3, 1_000),
  ]
  return { ...made, actions }
}

/** Bytes that choose the partition are the user's again at once, and looked at later. */
function copiedKeys(scenario: Scenario, dice: Dice): Scenario {
  const made = opted(
    { ...scenario, topics: { t1: 6, t2: 3 }, network: { delayMs: 2, splits: 0 } },
    { copyBytes: true, type: dice.pick(['sync', 'async']), queueMessages: dice.pick([20, 100_000]) },
  )
  const slow: Action = { at: 0, do: 'delay', api: 'Metadata', ms: dice.pick([100, 1_000]), times: 2 }
  const given = sends(dice, made, 8, 1_500, { count: 3 }).map((action): Action =>
    action.do === 'send' ? { ...action, odd: 'partition key', changes: true } : action,
  )
  return { ...made, actions: [slow, ...given] }
}

/** Nobody waits for answers, and the other side reads nothing. */
function unread(scenario: Scenario, dice: Dice): Scenario {
  const made = opted(
    { ...scenario, topics: { t1: 2 }, release: dice.pick(ANY) },
    { acks: 0, requestTimeoutMs: 500, deliveryTimeoutMs: 4_000, type: dice.pick(['sync', 'async']) },
  )
  const actions: Action[] = [
    send(0, { id: FIRST_ID }),
    { at: 300, do: dice.pick(['silence', 'pause'] as const), broker: 1, ms: 19_000 },
    ...sends(dice, made, 6, 300, { size: 6_000, count: 3 }).map((action) => ({ ...action, at: action.at + 301 })),
    { at: 20_000, do: 'flush' },
  ]
  return { ...made, actions }
}

/** A codec never ends with what it is given. */
function endlessCodec(scenario: Scenario, dice: Dice): Scenario {
  const made = opted(
    { ...scenario, topics: { t1: 2, t2: 1 }, codec: 'never settles', network: { delayMs: 2, splits: 0 } },
    { requestTimeoutMs: 500, acks: dice.pick([-1, 1, 0]) },
  )
  return { ...made, actions: sends(dice, made, 8, 3_000, { size: 300, count: 20 }) }
}

/** Sessions end while credentials are away. */
function endingSessions(scenario: Scenario, dice: Dice): Scenario {
  const made = opted(
    {
      ...scenario,
      release: dice.pick(['2.8', '3.9', '4']),
      brokers: dice.between(1, 2),
      topics: { t1: 2 },
      sessionLifetimeMs: 2_000,
    },
    { requestTimeoutMs: 500 },
  )
  const troubles = many(dice.between(1, 3), (): Action => {
    const at = dice.below(8_000)
    return dice.isLucky(0.6)
      ? { at, do: 'lock', ms: dice.pick([300, 2_000, 6_000]) }
      : { at, do: 'stall', api: 'SaslAuthenticate', moment: 'before', ms: 8_000 }
  })
  return { ...made, actions: [...troubles, ...sends(dice, made, 30, 9_000, { count: 1 })] }
}

/** Brokers want to be left alone. */
function quotas(scenario: Scenario, dice: Dice): Scenario {
  const made: Scenario = { ...scenario, release: dice.pick(NUMBERED), brokers: dice.between(1, 2), topics: { t1: 2 } }
  const throttles = many(3, (): Action => {
    const api = dice.pick(['Produce', 'Produce', 'Metadata'] as const)
    return { at: dice.below(3_000), do: 'throttle', api, ms: dice.pick([300, 2_000]), times: dice.pick([1, 5]) }
  })
  return { ...made, actions: [...throttles, ...sends(dice, made, 20, 3_000, { count: 1 })] }
}

/** Answers that are not to what was asked, while much is asked. */
function wrongAnswers(scenario: Scenario, dice: Dice): Scenario {
  const made = opted(
    { ...scenario, release: dice.pick(NUMBERED), topics: { t1: 6, t2: 1 }, network: { delayMs: 40, splits: 0 } },
    { maxInFlight: 5, acks: dice.pick([-1, 1]), batchBytes: dice.pick([300, 100_000]) },
  )
  const lies = many(3, (): Action => {
    const at = dice.below(1_500)
    return dice.isLucky(0.6)
      ? { at, do: 'lie', api: 'Produce', how: 'twice', times: 1 }
      : { at, do: 'spoil', api: 'Produce', how: 'wrong-correlation-id' }
  })
  return { ...made, actions: [...lies, ...sends(dice, made, 40, 1_500, { count: 3, list: false, keys: 0 })] }
}

/** Epochs of leaders go back. */
function olderEpochs(scenario: Scenario, dice: Dice): Scenario {
  const made: Scenario = { ...scenario, release: dice.pick(['2.8', '3.9', '4']), brokers: 3, topics: { t1: 3 } }
  const moves = many(4, (i): Action => {
    return { at: 1_200 + i * 300, do: 'move', topic: 't1', partition: dice.below(3), broker: dice.between(1, 3) }
  })
  const lie: Action = { at: dice.pick([0, 900]), do: 'lie', api: 'Metadata', how: 'epoch', times: dice.pick([1, 3]) }
  const restart: Action = { at: 1_000, do: 'restart', broker: dice.between(1, 3), ms: 300, electionMs: 0 }
  return { ...made, actions: [send(0, { id: FIRST_ID }), lie, restart, ...moves, ...sends(dice, made, 10, 3_000)] }
}

/** All partitions of a topic are refused, each at another time. */
function refusedApart(scenario: Scenario, dice: Dice): Scenario {
  const made = opted(
    { ...scenario, release: dice.pick(WITHOUT_HINTS), topics: { t1: 20 }, network: { delayMs: 0.2, splits: 0 } },
    { retryBackoffMs: 100, retryBackoffMaxMs: 100 },
  )
  const refusals: Action = {
    at: 200,
    do: 'fail',
    api: 'Produce',
    error: 'NOT_LEADER_OR_FOLLOWER',
    times: 400,
  }
  const actions = many(20, (partition) => send(201 + partition * dice.between(3, 6), { id: 10 + partition, partition }))
  return { ...made, actions: [send(0, { id: 1, partition: 0 }), refusals, ...actions, { at: 3_000, do: 'flush' }] }
}

/** One signal takes out many, who are told one after the other while others are sent. */
function abortedTogether(scenario: Scenario, dice: Dice): Scenario {
  const made = opted(
    {
      ...scenario,
      topics: { t1: dice.pick([1, 6]), t2: 1 },
      lookMs: 0.2,
      network: { delayMs: dice.pick([2, 40]), splits: 0 },
    },
    {
      type: dice.pick(['sync', 'async']),
      queueMessages: dice.pick([20, 100_000]),
      ...(dice.isLucky(0.5) && { batchBytes: 2_000, maxRequestBytes: 4_000 }),
    },
  )
  const actions = many(4, (i) =>
    send(300 + dice.below(300), { id: 100 + i * 400, count: 300, list: dice.isLucky(0.5), signal: 0, keys: 10 }),
  )
  const abort: Action = { at: 350 + dice.below(400), do: 'abort', signal: 0 }
  if (dice.isLucky(0.4)) return abortedUnplaced(scenario, dice)
  return { ...made, actions: [send(0, { id: 1 }), ...actions, abort] }
}

/** The same of a list that waits for room, while what came in of it waits for metadata and gives its room back. */
function abortedUnplaced(scenario: Scenario, dice: Dice): Scenario {
  const made = opted(
    { ...scenario, topics: { t1: 2 }, lookMs: 0.2, network: { delayMs: 40, splits: 0 } },
    { type: 'async', lingerMs: 50, batchMessages: dice.pick([1, 10]), queueMessages: dice.pick([100, 150]) },
  )
  const actions: Action[] = [
    { at: 15, do: 'cut', api: 'Metadata', moment: 'after', times: dice.pick([1, 2]) },
    send(478, { id: 26, count: 300, keys: 10, size: 6_000, signal: 1 }),
    { at: 500 + dice.below(700), do: 'abort', signal: 1 },
  ]
  return { ...made, actions }
}

/** Connections break while much is being written to them, and answers come before it is heard that all was written. */
function brokenWrites(scenario: Scenario, dice: Dice): Scenario {
  const made = opted(
    {
      ...scenario,
      release: dice.pick(ANY),
      brokers: 2,
      topics: { t1: 6, t2: 1 },
      network: { delayMs: dice.pick([0.2, 2]), splits: 0.1, lateTaken: 0.3 },
    },
    {
      acks: dice.pick([-1, 1, 0]),
      requestTimeoutMs: 500,
      ...(dice.isLucky(0.5) && { retries: 0 }),
      deliveryTimeoutMs: 4_000,
    },
  )
  const breaks = many(8, (): Action => {
    const at = dice.below(2_000)
    const broker = dice.between(1, 2)
    return dice.isLucky(0.5)
      ? { at, do: 'reset', broker }
      : { at, do: dice.pick(['silence', 'halve'] as const), broker, ms: 700 }
  })
  return { ...made, actions: [...breaks, ...sends(dice, made, 30, 2_500, { size: dice.pick([300, 6_000]) })] }
}

/** Whatever befalls one partition of many that several brokers lead, with several requests to each in flight. */
function busyBrokers(scenario: Scenario, dice: Dice): Scenario {
  const topics = { t1: 6, t2: 6 }
  const made = opted(
    { ...scenario, release: dice.pick(ANY), brokers: 3, topics, network: { delayMs: 40, splits: 0.1 } },
    { batchBytes: 300, maxRequestBytes: 600 },
  )
  const names = Object.keys(topics)
  const faults = many(6, () => ({ at: dice.below(2_000), ...troubleOf(dice, names, topics, 3, [made.release], false) }))
  return { ...made, actions: [...faults, ...sends(dice, made, 15, 2_000)] }
}

export const SWARM: readonly Kind[] = [
  ...[
    afterWriting,
    pipeline,
    lostBehind,
    lingering,
    sendingAmid,
    missingTopics,
    oldFormats,
    waitingForRoom,
    browsedLeaders,
    silentStranger,
    hungUpOn,
    copiedKeys,
  ],
  ...[firstQuestions, unread, endlessCodec, endingSessions, quotas, wrongAnswers, olderEpochs, refusedApart],
  ...[
    abortedTogether,
    brokenWrites,
    busyBrokers,
    lostCommits,
    gaps,
    overtakenAborts,
    lateEnds,
    lateMessages,
    lateOffsets,
  ],
  ...[coordinators, leftOpen],
]
