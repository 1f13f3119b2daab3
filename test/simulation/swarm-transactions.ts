import type { Dice } from './dice.js'
import type { Action, Scenario, Step, TransactionEnd } from './scenario.js'
import { many, NUMBERED, opted, SMALL } from './swarm-parts.js'

/* A few things that are rare, many times: those that befall transactions. */

function transactional(scenario: Scenario, dice: Dice, releases: readonly string[]): Scenario {
  const brokers = dice.between(2, 3)
  return { ...scenario, brokers, release: dice.pick(releases), topics: { t1: 1, t2: 3 }, transactionTimeoutMs: 4_000 }
}

interface StepChoice {
  readonly end: TransactionEnd
  readonly topics?: readonly string[]
  readonly manual?: boolean
  /** Behind the first. */
  readonly waitMs?: number
  /** A partition. */
  readonly offsetsOf?: number
}

function transact(
  at: number,
  id: number,
  dice: Dice,
  { end, topics = ['t1', 't1', 't2'], manual = dice.isLucky(0.5), waitMs, offsetsOf }: StepChoice,
): Action {
  const steps = Array.from({ length: dice.between(1, 3) }, (_, i): Step => {
    const awaits = dice.isLucky(0.4)
    const given = { count: dice.pick([1, 3]), list: true, topic: dice.pick(topics), keys: 1, size: SMALL }
    return { do: 'send', id: id + i * 10, ...given, awaits }
  })
  if (waitMs !== undefined) steps.splice(1, 0, { do: 'wait', ms: waitMs })
  if (offsetsOf !== undefined)
    steps.splice(dice.between(0, steps.length), 0, { do: 'offsets', partition: offsetsOf, awaits: false })
  return { at, do: 'transact', id, manual, steps, end }
}

/** The coordinator ends a transaction, and whoever asked it for that does not hear of it. */
export function lostCommits(scenario: Scenario, dice: Dice): Scenario {
  const made = opted(transactional(scenario, dice, NUMBERED), { deliveryTimeoutMs: 4_000, requestTimeoutMs: 500 })
  const from = dice.below(1_000)
  const lost: Action = dice.isLucky(0.6)
    ? { at: from, do: 'cut', api: 'EndTxn', moment: 'after', times: 100 }
    : { at: from, do: 'stall', api: 'EndTxn', moment: 'after', ms: 20_000 }
  const actions = many(4, (i) => transact(i * 400, 100 + i * 100, dice, { end: 'commit' }))
  // All is well again only when it was given up.
  return { ...made, actions: [lost, ...actions, { at: 9_000, do: 'connect' }] }
}

/** Leaders find sequences missing. */
export function gaps(scenario: Scenario, dice: Dice): Scenario {
  const made = transactional(scenario, dice, ['1.1', '2.8', '2.8', '3.9', '4'])
  const lost = many(dice.between(1, 3), (): Action => {
    const error = dice.pick([
      'OUT_OF_ORDER_SEQUENCE_NUMBER',
      'UNKNOWN_PRODUCER_ID',
      'NOT_ENOUGH_REPLICAS',
      'INVALID_RECORD',
    ])
    return { at: dice.below(2_500), do: 'fail', api: 'Produce', error, times: 1 }
  })
  const actions = many(8, (i) => transact(i * 300, 100 + i * 100, dice, { end: 'commit' }))
  return { ...made, actions: [...lost, ...actions] }
}

/** A message's time is over while it is on its way, its transaction is aborted, and the next one begins. */
export function overtakenAborts(scenario: Scenario, dice: Dice): Scenario {
  const made = opted(transactional(scenario, dice, ['0.11', '1.1', '2.8', '2.8', '3.9']), {
    requestTimeoutMs: 3_000,
    deliveryTimeoutMs: 4_000,
  })
  const to = (topic: string): StepChoice => ({ topics: [topic], end: 'commit' })
  const actions: Action[] = [
    transact(0, 100, dice, to('t1')),
    // It goes out late, and is written when nobody waits for it any more.
    { at: 999, do: 'delay', api: 'Metadata', ms: dice.between(2_500, 2_900), times: 2 },
    { at: 999, do: 'delay', api: 'Produce', ms: dice.between(1_000, 2_800), times: 1 },
    transact(1_000, 200, dice, to('t2')),
    ...[1, 2, 3].map((i) => transact(1_500 + i * 100, 200 + i * 100, dice, to('t2'))),
  ]
  return { ...made, actions: [...actions, { at: 10_000, do: 'connect' }] }
}

/** What is asked goes unanswered for so long that it is given up; all of it is carried out in the end. */
function impatient(scenario: Scenario, dice: Dice): Scenario {
  const made = transactional(scenario, dice, ['2.8', '2.8', '3.9', '4'])
  const network = { delayMs: dice.pick([0.2, 2]), splits: 0 }
  return opted({ ...made, topics: { t1: 2, t2: 1 }, network }, { requestTimeoutMs: 300, deliveryTimeoutMs: 2_000 })
}

/** Ends of transactions are carried out when the next ones are open. */
export function lateEnds(scenario: Scenario, dice: Dice): Scenario {
  const made = impatient(scenario, dice)
  const late = many(3, (i): Action => {
    const api = dice.pick(['EndTxn', 'EndTxn', 'AddPartitionsToTxn'] as const)
    return { at: i * 900, do: 'delay', api, ms: dice.between(400, 1_800), times: dice.pick([1, 1, 2]) }
  })
  const actions = many(12, (i) => {
    const end = dice.pick(['commit', 'commit', 'abort'] as const)
    return transact(i * 250, 100 + i * 100, dice, { end, topics: ['t1'], waitMs: dice.pick([20, 100, 400]) })
  })
  return { ...made, actions: [...late, ...actions] }
}

/** Messages are written when their transaction was aborted, since that took too long. */
export function lateMessages(scenario: Scenario, dice: Dice): Scenario {
  return { ...impatient(scenario, dice), actions: carriedOutLate('Produce', dice) }
}

/** Offsets are committed when their transaction was aborted. */
export function lateOffsets(scenario: Scenario, dice: Dice): Scenario {
  return { ...impatient(scenario, dice), actions: carriedOutLate('TxnOffsetCommit', dice) }
}

/** A transaction that takes too long; the ones after it have to do with the same topic or group only a little later. */
function carriedOutLate(api: 'Produce' | 'TxnOffsetCommit', dice: Dice): Action[] {
  const isOffsets = api === 'TxnOffsetCommit'
  const offsetsOf = (partition: number) => (isOffsets ? { offsetsOf: partition } : {})
  return [0, 8_000].flatMap((at): Action[] => [
    // As often as it is tried.
    { at, do: 'delay', api, ms: dice.between(2_100, 3_000), times: isOffsets ? dice.between(4, 7) : 2 },
    transact(at + 1, at + 100, dice, { end: 'commit', topics: ['t1'], ...offsetsOf(1) }),
    // The end that shows the next epoch has no answer, either.
    { at: at + 1_000, do: 'delay', api: 'InitProducerId', ms: 200, times: 3 },
    {
      at: at + (isOffsets ? dice.between(2_050, 2_225) : dice.between(2_740, 2_930)),
      do: 'delay',
      api: 'EndTxn',
      ms: dice.between(400, 1_500),
      times: 1,
    },
    ...many(4, (i) =>
      transact(at + 2 + i, at + 200 + i * 100, dice, { end: 'commit', topics: ['t2'], waitMs: dice.pick([200, 400]) }),
    ),
    ...many(2, (i) =>
      transact(at + 6 + i, at + 600 + i * 100, dice, { end: 'commit', topics: ['t1'], ...offsetsOf(0) }),
    ),
  ])
}

/** Coordinators stop, and come back. */
export function coordinators(scenario: Scenario, dice: Dice): Scenario {
  const made = transactional(scenario, dice, NUMBERED)
  const restarts = many(dice.between(1, 3), (i): Action => {
    const broker = dice.between(1, made.brokers)
    return { at: 500 + i * 2_000 + dice.below(500), do: 'restart', broker, ms: dice.pick([300, 1_500]), electionMs: 0 }
  })
  const actions = many(15, (i) => transact(i * 400, 100 + i * 100, dice, { end: 'commit' }))
  return { ...made, actions: [...restarts, ...actions] }
}

/** A program ends amid a transaction. */
export function leftOpen(scenario: Scenario, dice: Dice): Scenario {
  const made = transactional(scenario, dice, NUMBERED)
  const actions = many(3, (i) =>
    transact(i * 300, 100 + i * 100, dice, { end: i === 2 ? 'leave' : 'commit', manual: true }),
  )
  return { ...made, transactionTimeoutMs: 40_000, actions }
}
