import type { ApiName } from '../../src/testing/index.js'
import type { Dice } from './dice.js'
import { CODES, troubleOf } from './plain-scenario.js'
import type { Action, Scenario, Step, TransactionEnd, Undated } from './scenario.js'
import { without } from './without.js'

/** Kafka has transactions since 0.11; part two of KIP-890 since 4. */
const RELEASES = ['0.11', '1.1', '2.8', '3.9', '4', '4', '4'] as const
const APIS = [
  ...['InitProducerId', 'AddPartitionsToTxn', 'EndTxn', 'EndTxn', 'Produce', 'Produce'],
  ...['AddOffsetsToTxn', 'TxnOffsetCommit', 'FindCoordinator'],
] as readonly ApiName[]
const OF_COORDINATORS = [
  ...['COORDINATOR_LOAD_IN_PROGRESS', 'COORDINATOR_NOT_AVAILABLE', 'NOT_COORDINATOR', 'CONCURRENT_TRANSACTIONS'],
  ...['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED', 'INVALID_TXN_STATE', 'INVALID_PRODUCER_ID_MAPPING'],
  ...['UNKNOWN_SERVER_ERROR', 'REQUEST_TIMED_OUT', 'NETWORK_EXCEPTION', 'TRANSACTION_ABORTABLE', 'INVALID_REQUEST'],
  ...['TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 'GROUP_AUTHORIZATION_FAILED', 'TOPIC_AUTHORIZATION_FAILED'],
  ...['UNKNOWN_TOPIC_OR_PARTITION', 'ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'OPERATION_NOT_ATTEMPTED'],
]
const OF_LEADERS = [
  ...['OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID', 'INVALID_PRODUCER_EPOCH', 'INVALID_TXN_STATE'],
  ...['TRANSACTION_ABORTABLE', 'PRODUCER_FENCED', 'INVALID_PRODUCER_ID_MAPPING', 'CONCURRENT_TRANSACTIONS'],
  ...['NOT_LEADER_OR_FOLLOWER', 'NOT_ENOUGH_REPLICAS', 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'INVALID_RECORD'],
]

/** The same surroundings, and everything is sent in transactions. */
export function transactionalScenario(scenario: Scenario, dice: Dice): Scenario {
  const release = dice.pick(scenario.sessionLifetimeMs === undefined ? RELEASES : RELEASES.slice(2))
  return {
    ...scenario,
    release,
    onDelivery: 'nothing',
    options: { ...without(scenario.options, 'lingerMs', 'batchMessages'), type: 'sync', acks: -1 },
    transactionTimeoutMs: dice.pick([1_000, 4_000, 4_000, 20_000]),
    actions: actionsOf(dice.fork(), { ...scenario, release }),
  }
}

function actionsOf(dice: Dice, scenario: Scenario): Action[] {
  const spanMs = dice.pick([300, 3_000, 15_000])
  const trouble = dice.pick([0, 0.2, 0.5])
  const rivals = dice.pick([0, 0, 0.1, 0.3])
  const actions: Action[] = []
  let id = 1
  for (let i = dice.between(2, 25); i > 0; i--) {
    const at = dice.isLucky(0.1) ? 0 : dice.below(spanMs)
    if (dice.isLucky(trouble)) {
      const action = troubleFor(dice, scenario)
      if (action !== undefined) actions.push({ at, ...action })
      continue
    }
    const action = useOf(dice, scenario, id, rivals)
    if (action.do === 'transact') id += 100
    actions.push({ at, ...action })
  }
  return actions.sort((a, b) => a.at - b.at)
}

function troubleFor(dice: Dice, { topics, brokers, release }: Scenario): Undated<Action> | undefined {
  const times = dice.pick([1, 1, 2, 5])
  const api = dice.pick(APIS)
  if (dice.isLucky(0.35))
    return { do: 'fail', api, error: dice.pick(api === 'Produce' ? OF_LEADERS : OF_COORDINATORS), times }
  if (dice.isLucky(0.3)) return { do: 'cut', api, moment: dice.pick(['before', 'after', 'mid-response']), times }
  if (dice.isLucky(0.15)) return { do: 'delay', api, ms: dice.pick([20, 300, 2_000]), times }
  if (dice.isLucky(0.15))
    return { do: 'stall', api, moment: dice.pick(['before', 'after']), ms: dice.pick([300, 2_000, 8_000]) }
  const names = Object.keys(topics)
  // All brokers have the same transaction.version: it is raised when the last of them is upgraded.
  const releases = release === '4' ? ['4'] : ['1.1', '2.8', '3.9']
  const action = troubleOf(dice, names, topics, brokers, releases, false)
  // What a topic held in transactions is gone with it, and nobody can tell what was whole.
  return action.do === 'delete' || action.do === 'recreate' ? undefined : action
}

function useOf(dice: Dice, scenario: Scenario, id: number, rivals: number): Undated<Action> {
  const kind = dice.weighed([
    [20, 'transact'],
    [1, 'abort'],
    [0.1, 'close'],
    [0.5, 'ask'],
    [0.3, 'connect'],
  ] as const)
  switch (kind) {
    case 'transact':
      return {
        do: 'transact',
        id,
        manual: dice.isLucky(0.5),
        steps: stepsOf(dice, scenario, id),
        end: dice.weighed<TransactionEnd>([
          [10, 'commit'],
          [3, 'abort'],
          [1, 'leave'],
          [0.5, 'commit twice'],
          [0.5, 'commit, then abort'],
          [0.5, 'abort, then commit'],
        ]),
        ...(dice.isLucky(rivals) && { rival: true }),
        ...(dice.isLucky(0.1) && { late: true }),
      }
    case 'abort':
      return { do: 'abort', signal: dice.below(3) }
    case 'close':
      return { do: 'close', timeoutMs: dice.pick([0, 500, 20_000]) }
    case 'ask':
      return { do: 'ask', topic: dice.pick(Object.keys(scenario.topics)) }
    case 'connect':
      return { do: 'connect' }
  }
}

function stepsOf(dice: Dice, { topics }: Scenario, first: number): Step[] {
  const steps: Step[] = []
  let id = first
  for (let i = dice.between(0, 5); i > 0; i--) {
    const awaits = dice.isLucky(0.5)
    const kind = dice.weighed([
      [8, 'send'],
      [2, 'offsets'],
      [1, 'wait'],
    ] as const)
    if (kind === 'wait') steps.push({ do: 'wait', ms: dice.pick([1, 50, 600, 1_500]) })
    else if (kind === 'offsets') steps.push({ do: 'offsets', awaits })
    else {
      const topic = dice.isLucky(0.03) ? 'unheard-of' : dice.pick(Object.keys(topics))
      const count = dice.pick([1, 1, 2, 15])
      steps.push({
        do: 'send',
        id,
        count,
        list: dice.isLucky(0.5),
        topic,
        ...(dice.isLucky(0.3) && { partition: dice.below(topics[topic] ?? 1) }),
        keys: dice.pick([0, 1, 10]),
        size: dice.pick([10, 10, 300]),
        awaits,
        ...(dice.isLucky(0.1) && { headers: true }),
        ...(dice.isLucky(0.1) && { signal: dice.below(3) }),
        ...(dice.isLucky(0.08) && { code: dice.weighed(CODES) }),
      })
      id += count
    }
  }
  return steps
}
