import type { Dice } from './dice.js'
import type { Action, CodeOf, Reaction, Scenario, Undated } from './scenario.js'

const RELEASES = ['0.8.2', '0.9', '0.10.2', '0.11', '1.1', '2.8', '2.8', '3.9', '4', '4', '4'] as const
const LEGACY: readonly string[] = ['0.8.2', '0.9']
/** Brokers since Kafka 2.2 end sessions, and say when they will (KIP-368). */
const ENDING_SESSIONS: readonly string[] = ['2.8', '3.9', '4']
const WRITTEN_ERRORS = ['REQUEST_TIMED_OUT', 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'UNKNOWN_SERVER_ERROR'] as const
const PRODUCE_ERRORS = [
  ...['NOT_LEADER_OR_FOLLOWER', 'NOT_LEADER_OR_FOLLOWER', 'LEADER_NOT_AVAILABLE', 'UNKNOWN_TOPIC_OR_PARTITION'],
  ...['NOT_ENOUGH_REPLICAS', 'MESSAGE_TOO_LARGE', 'CORRUPT_MESSAGE', 'INVALID_TIMESTAMP', 'INVALID_RECORD'],
  ...['TOPIC_AUTHORIZATION_FAILED', 'KAFKA_STORAGE_ERROR', 'NETWORK_EXCEPTION', 'UNKNOWN_TOPIC_ID'],
  ...['FENCED_LEADER_EPOCH', 'UNKNOWN_LEADER_EPOCH', 'INVALID_REQUIRED_ACKS', 'RECORD_LIST_TOO_LARGE'],
  ...['OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID', 'INVALID_PRODUCER_EPOCH'],
  ...WRITTEN_ERRORS,
]
const METADATA_ERRORS = [
  ...['LEADER_NOT_AVAILABLE', 'UNKNOWN_TOPIC_OR_PARTITION', 'TOPIC_AUTHORIZATION_FAILED', 'UNKNOWN_SERVER_ERROR'],
  ...['INVALID_REPLICATION_FACTOR', 'REQUEST_TIMED_OUT', 'INVALID_TOPIC_EXCEPTION', 'NOT_CONTROLLER'],
]
const REACTIONS: readonly (readonly [number, Reaction])[] = [
  [8, 'nothing'],
  [2, 'send'],
  [1, 'flush'],
  [2, 'abort'],
  [1, 'throw'],
  [1, 'reject'],
  [0.2, 'close'],
]
export const CODES: readonly (readonly [number, CodeOf])[] = [
  [14, 'at once'],
  [3, 'late'],
  [1, 'throws'],
  [1, 'rejects'],
  [0.5, 'never settles'],
  [0.5, 'garbage'],
]

/** A producer of one of the two modes, and what befalls it. */
export function plainScenario(seed: number, dice: Dice): Scenario {
  const brokers = dice.between(1, 4)
  const topics: Record<string, number> = {}
  for (let i = dice.between(1, 3); i > 0; i--)
    topics[`t${i}`] = dice.weighed([
      [3, 1],
      [3, 2],
      [2, 6],
      [1, 20],
    ])
  const isAsync = dice.isLucky(0.4)
  const isSecured = dice.isLucky(0.1)
  const releases = isSecured ? RELEASES.slice(2) : RELEASES
  const release = dice.pick(releases)
  // It takes seven seconds to find out that Kafka 0.9 answers no question for its versions.
  const deliveryTimeoutMs = release === '0.9' ? 20_000 : dice.pick([4_000, 10_000, 20_000])
  const isTiny = dice.isLucky(0.25)
  const batchBytes = isTiny ? dice.between(100, 2_000) : 100_000
  return {
    seed,
    brokers,
    release,
    topics,
    autoCreateTopics: dice.isLucky(0.7),
    ...(isSecured && { sessionLifetimeMs: ENDING_SESSIONS.includes(release) ? dice.pick([0, 2_000, 6_000]) : 0 }),
    network: { delayMs: dice.pick([0.2, 2, 2, 40]), splits: dice.pick([0, 0.1, 0.5]) },
    lookMs: dice.pick([0, 0, 0.001, 0.2]),
    options: {
      type: isAsync ? 'async' : 'sync',
      acks: dice.weighed<-1 | 0 | 1>([
        [6, -1],
        [1, 1],
        [1.5, 0],
      ]),
      requestTimeoutMs: dice.pick([500, 1_000, 3_000]),
      deliveryTimeoutMs,
      ...(dice.isLucky(0.3) && { retries: dice.pick([0, 1, 5]) }),
      retryBackoffMs: dice.pick([20, 100]),
      retryBackoffMaxMs: dice.pick([100, 1_000]),
      metadataRefreshIntervalMs: dice.pick([-1, 0, 1_000, 300_000, 300_000]),
      ...(isAsync && { lingerMs: dice.pick([0, 5, 50, 1_000, 1_000]) }),
      ...(isAsync && dice.isLucky(0.6) && { batchMessages: dice.pick([1, 10]) }),
      batchBytes,
      maxRequestBytes: batchBytes * dice.between(1, 4),
      queueMessages: dice.weighed([
        [2, 10],
        [1, 100],
        [3, 100_000],
      ]),
      queueBytes: Math.max(
        batchBytes,
        dice.weighed([
          [1, 5_000],
          [3, 10_000_000],
        ]),
      ),
      enqueueTimeoutMs: dice.pick([-1, 0, 200, 60_000, 60_000]),
      maxInFlight: dice.pick([1, 2, 5, 5]),
      connectTimeoutMs: dice.pick([300, 2_000]),
      connectionsMaxIdleMs: dice.pick([2_000, 180_000]),
      copyBytes: dice.isLucky(0.3),
    },
    partitioner: dice.weighed<Scenario['partitioner']>([
      [8, 'by key'],
      [2, 'round robin'],
      [1, 'throws'],
      [2, 'sends'],
      [1, 'hook throws'],
    ]),
    codec: dice.isLucky(0.7) ? 'none' : dice.weighed(CODES),
    onDelivery: dice.weighed(REACTIONS),
    ownConnections: dice.isLucky(0.2),
    actions: actionsOf(dice.fork(), Object.keys(topics), topics, brokers, releases, LEGACY.includes(release)),
  }
}

function actionsOf(
  dice: Dice,
  names: readonly string[],
  partitions: Readonly<Record<string, number>>,
  brokers: number,
  releases: readonly string[],
  isLegacy: boolean,
): Action[] {
  const spanMs = dice.pick([300, 3_000, 15_000])
  const trouble = dice.pick([0, 0.2, 0.5])
  // Leaders that move are no reason for any message to fail.
  const onlyMoves = dice.isLucky(0.3)
  const actions: Action[] = []
  let id = 1
  const count = dice.between(3, 40)
  for (let i = 0; i < count; i++) {
    const at = dice.isLucky(0.1) ? 0 : dice.below(spanMs)
    if (dice.isLucky(trouble)) {
      const action = onlyMoves
        ? moveOf(dice, names, partitions, brokers)
        : troubleOf(dice, names, partitions, brokers, releases, isLegacy)
      actions.push({ at, ...action })
    } else {
      const action = { at, ...useOf(dice, names, partitions, id) } as Action
      if (action.do === 'send') id += action.count
      actions.push(action)
    }
  }
  return actions.sort((a, b) => a.at - b.at)
}

function useOf(
  dice: Dice,
  names: readonly string[],
  partitions: Readonly<Record<string, number>>,
  id: number,
): Undated<Action> {
  const topic = dice.isLucky(0.05) ? 'unheard-of' : dice.pick(names)
  const kind = dice.weighed([
    [20, 'send'],
    [2.5, 'flush'],
    [1.5, 'abort'],
    [0.1, 'close'],
    [0.7, 'ask'],
    [0.3, 'connect'],
    [0.2, 'browse'],
  ] as const)
  switch (kind) {
    case 'browse':
      return { do: 'browse', everyMs: dice.pick([1, 5, 20]), times: dice.pick([20, 300]) }
    case 'send':
      return {
        do: 'send',
        id,
        count: dice.weighed([
          [5, 1],
          [3, 3],
          [2, 20],
          [0.5, 300],
        ]),
        list: dice.isLucky(0.5),
        topic,
        ...(dice.isLucky(0.2) && { partition: dice.below((partitions[topic] ?? 1) + (dice.isLucky(0.1) ? 1 : 0)) }),
        keys: dice.pick([0, 0, 1, 10]),
        size: dice.weighed([
          [5, 10],
          [3, 300],
          [1, 6_000],
        ]),
        ...(dice.isLucky(0.15) && { headers: true }),
        ...(dice.isLucky(0.1) && { timestamp: true }),
        ...(dice.isLucky(0.25) && { signal: dice.below(3) }),
        ...(dice.isLucky(0.15) && { code: dice.weighed(CODES) }),
        ...(dice.isLucky(0.3) && { changes: true }),
        ...(dice.isLucky(0.15) && { then: dice.weighed(REACTIONS) }),
      }
    case 'abort':
      return { do: 'abort', signal: dice.below(3) }
    case 'close':
      return { do: 'close', timeoutMs: dice.pick([0, 500, 20_000]) }
    case 'ask':
      return { do: 'ask', topic }
    default:
      return { do: kind }
  }
}

export function troubleOf(
  dice: Dice,
  names: readonly string[],
  partitions: Readonly<Record<string, number>>,
  brokers: number,
  releases: readonly string[],
  isLegacy: boolean,
): Undated<Action> {
  // Brokers of Kafka before 0.10 in one cluster with later ones are a limit that the docs tell of.
  const others = releases.filter((release) => !LEGACY.includes(release))
  const broker = dice.between(1, brokers)
  const topic = dice.pick(names)
  const ms = dice.pick([20, 300, 2_000, 8_000])
  const times = dice.pick([1, 1, 2, 5, 100])
  const api = dice.weighed([
    [6, 'Produce'],
    [3, 'Metadata'],
    [1, 'ApiVersions'],
    [0.5, 'SaslAuthenticate'],
    [0.5, 'InitProducerId'],
  ] as const)
  const kind = dice.weighed([
    [8, 'fail'],
    [4, 'cut'],
    [2, 'delay'],
    [2, 'stall'],
    [1, 'spoil'],
    [1, 'throttle'],
    [2, 'pause'],
    [3, 'restart'],
    [4, 'move'],
    [0.5, 'delete'],
    [1, 'recreate'],
    [0.5, 'grow'],
    [1, 'freeze'],
    [1, 'refuse'],
    [1, 'deafen'],
    [2, 'silence'],
    [2, 'reset'],
    [1, 'halve'],
    [0.5, 'babble'],
    [0.5, 'jump'],
    [0.5, 'hang'],
    [0.5, 'lock'],
  ] as const)
  switch (kind) {
    case 'fail':
      return {
        do: 'fail',
        api,
        error: dice.pick(
          api === 'Produce' ? PRODUCE_ERRORS : api === 'Metadata' ? METADATA_ERRORS : ['UNKNOWN_SERVER_ERROR'],
        ),
        ...(dice.isLucky(0.6) && (api === 'Produce' || api === 'Metadata') && { topic }),
        ...(api === 'Produce' && dice.isLucky(0.3) && { whileWaiting: true }),
        times,
      }
    case 'cut':
      return { do: 'cut', api, moment: dice.pick(['before', 'after', 'mid-response']), times }
    case 'delay':
      return { do: 'delay', api, ms, times }
    case 'stall':
      return { do: 'stall', api, moment: dice.pick(['before', 'after']), ms }
    case 'spoil':
      return {
        do: 'spoil',
        api,
        how: dice.pick(['noise', 'wrong-correlation-id', 'huge-length', 'negative-length', 'short-body']),
      }
    case 'throttle':
      return { do: 'throttle', api, ms: Math.min(ms, 2_000), times }
    case 'restart':
      return {
        do: 'restart',
        broker,
        ms,
        electionMs: dice.pick([0, 0, 300]),
        // The first is who the user knows.
        ...(broker > 1 && dice.isLucky(0.3) && { elsewhere: true }),
        ...(!isLegacy && dice.isLucky(0.15) && { release: dice.pick(others) }),
      }
    case 'move':
      return moveOf(dice, names, partitions, brokers)
    case 'delete':
    case 'recreate':
    case 'grow':
      return { do: kind, topic }
    case 'reset':
    case 'halve':
    case 'babble':
      return { do: kind, broker }
    case 'jump':
      return { do: 'jump', ms: dice.pick([-3_600_000, -1, 5_000, 86_400_000]) }
    case 'hang':
      return { do: 'hang', ms: Math.min(ms, 2_000) }
    case 'lock':
      return { do: 'lock', ms }
    default:
      return { do: kind, broker, ms }
  }
}

function moveOf(
  dice: Dice,
  names: readonly string[],
  partitions: Readonly<Record<string, number>>,
  brokers: number,
): Undated<Action> {
  const topic = dice.pick(names)
  return { do: 'move', topic, partition: dice.below(partitions[topic] as number), broker: dice.between(1, brokers) }
}
