import { Dice } from './dice.js'
import { CODES, plainScenario } from './plain-scenario.js'
import { isOfUser, type Action, type Scenario, type StreamAction } from './scenario.js'
import { many } from './swarm-parts.js'
import { without } from './without.js'

/** So many of the seeds write to streams. */
const STREAMING = 0.1
/** Ids of those that are added. */
const FIRST_ID = 1_500_000
/** What takes its time between two is short. */
const MOST_SLOWLY = 20
/** Beside what is sent, nothing befalls anybody. */
const QUIET = 0.35

const WRONG = ['list', 'no value', 'headers'] as const
const REACTIONS = ['send', 'send', 'flush', 'flush', 'abort', 'close'] as const

/** Whether a seed plays that. It is told by dice of their own, so that all other seeds are as they are without. */
export function isStreaming(seed: number): boolean {
  return diceOf(seed).isLucky(STREAMING)
}

function diceOf(seed: number): Dice {
  return new Dice(seed ^ 0x57e4a3)
}

/**
 * Streams and iterables: some of what the seed sends otherwise is written to a stream, which ends or does not; there is little
 * room, and codecs work on threads.
 */
export function streamScenario(seed: number, usual: (seed: number) => Scenario): Scenario {
  const dice = diceOf(seed).fork()
  const found = dice.isLucky(0.5) ? usual(seed) : plainScenario(seed, dice.fork())
  const scenario = found.transactionTimeoutMs === undefined ? found : plainScenario(seed, dice.fork())
  const isQuiet = dice.isLucky(QUIET)
  const kept = isQuiet
    ? scenario.actions.filter((action) => isOfUser(action) && action.do !== 'lock')
    : scenario.actions
  const actions = [...kept.map((action) => streamed(action, dice)), ...added(scenario, dice)]
  const { options } = scenario
  const queueMessages = dice.isLucky(0.3) ? dice.pick([3, 10, 30]) : options.queueMessages
  const batchMessages =
    options.batchMessages === undefined ? {} : { batchMessages: Math.min(options.batchMessages, queueMessages) }
  return {
    ...without(scenario, 'promptMs'),
    ...(dice.isLucky(0.3) && { codec: 'pool' }),
    ...(dice.isLucky(0.2) && { intercepts: true }),
    ...(dice.isLucky(0.5) && { watchesCalls: true }),
    options: { ...options, queueMessages, ...batchMessages },
    actions: actions.sort((a, b) => a.at - b.at),
  }
}

function streamed(action: Action, dice: Dice): Action {
  if (action.do !== 'send' || !dice.isLucky(0.5)) return action
  const { at, id, count, topic, partition, keys, size, headers, timestamp, signal, code, changes } = action
  const given = { at, do: 'stream', id, count, topic, keys, size } as const
  const ones = {
    ...(partition !== undefined && { partition }),
    ...(headers !== undefined && { headers }),
    ...(timestamp !== undefined && { timestamp }),
    ...(signal !== undefined && { signal }),
    ...(code !== undefined && { code }),
    ...(changes !== undefined && { changes }),
  }
  return written({ ...given, ...ones }, dice)
}

function added({ topics, actions }: Scenario, dice: Dice): Action[] {
  const span = Math.max(300, ...actions.map(({ at }) => at))
  const aborts = dice.isLucky(0.3) ? [{ at: dice.below(span), do: 'abort', signal: 0 } as const] : []
  const streams = many(dice.between(0, 4), (i) => {
    const topic = dice.isLucky(0.05) ? 'unheard-of' : dice.pick(Object.keys(topics))
    const given = {
      at: dice.below(span),
      do: 'stream',
      id: FIRST_ID + 1_000 * i,
      topic,
      keys: dice.pick([0, 1, 10]),
    } as const
    const size = dice.pick([10, 10, 300, 6_000])
    const code = dice.isLucky(0.1) ? { code: dice.weighed(CODES) } : {}
    const signal = aborts.length > 0 ? { signal: 0 } : {}
    return written({ ...given, size, ...code, ...signal, count: dice.pick([1, 5, 50, 50, 300]) }, dice)
  })
  // One that has time enough for all that streams hold back.
  const closes = dice.isLucky(0.15)
    ? [{ at: dice.between(Math.floor(span / 2), span), do: 'close', timeoutMs: 20_000 } as const]
    : []
  return [...streams, ...aborts, ...closes]
}

type Given = Omit<StreamAction, 'by' | 'shape' | 'everyMs' | 'ends'>

/** What is to be sent, by way of a stream. */
function written(given: Given, dice: Dice): StreamAction {
  const shape = dice.pick(['message', 'without topic', 'bare'] as const)
  const by = dice.pick(['write', 'pipeline', 'sendAll'] as const)
  const bare = shape === 'bare' ? { keys: 0, changes: dice.isLucky(0.5) } : {}
  const ofMessage = shape === 'bare' ? without(given, 'partition', 'headers', 'timestamp', 'code') : given
  return {
    // A signal is of sendAll() alone.
    ...(by === 'sendAll' ? ofMessage : without(ofMessage, 'signal')),
    ...bare,
    by,
    shape,
    everyMs: given.count > MOST_SLOWLY ? dice.pick([0, 0, 1]) : dice.pick([0, 0, 1, 20, 150]),
    ...(dice.isLucky(0.6) && { inFlight: dice.pick([1, 2, 16, 40]) }),
    ...(dice.isLucky(0.5) && { heeds: true }),
    ...(dice.isLucky(0.15) && { corks: true }),
    ...(dice.isLucky(0.1) && { wrong: dice.pick(by === 'sendAll' ? [...WRONG, 'null' as const] : WRONG) }),
    ...(dice.isLucky(0.2) && { then: dice.pick(REACTIONS) }),
    ends: dice.weighed<StreamAction['ends']>([
      [8, 'end'],
      [1, 'end, then destroy'],
      [1, 'throw'],
      [1, 'leave'],
      [1, 'hang'],
    ]),
  }
}
