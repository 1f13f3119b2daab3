import type { ApiName } from '../../src/testing/index.js'
import type { Action, CodeOf, Scenario, Step } from './scenario.js'

/** Answers to a question for a topic that may be otherwise a little later. */
const PASSING_ERRORS: readonly (string | number)[] = [
  ...['INVALID_REPLICATION_FACTOR', 'REQUEST_TIMED_OUT', 'NOT_CONTROLLER', 'LEADER_NOT_AVAILABLE'],
]
const USES: readonly string[] = ['flush', 'abort', 'ask', 'connect', 'browse', 'health', 'subscribe']

/** What clients are asked for, and push, of their metrics. */
export const OF_METRICS: readonly ApiName[] = ['GetTelemetrySubscriptions', 'PushTelemetry']

/** What a program does within a transaction is done by then, whatever it waits for. */
const AMPLE_MS = 20_000

/** Whether neither the network, nor the cluster, nor code of the user's does anything wrong. */
export function isPeaceful(scenario: Scenario): boolean {
  const { actions, partitioner, codec, onDelivery, release, options, ownConnections, intercepts } = scenario
  const isGood = (code: CodeOf | 'none' | 'pool') => ['none', 'at once', 'late', 'thenable', 'pool'].includes(code)
  return (
    release !== '0.9' &&
    !['throws', 'promises'].includes(partitioner) &&
    isGood(codec) &&
    onDelivery !== 'close' &&
    intercepts !== 'close' &&
    ownConnections !== 'promises' &&
    actions.every((action) =>
      action.do === 'send' || action.do === 'stream'
        ? isGood(action.code ?? 'none') && !('then' in action && action.then === 'close')
        : USES.includes(action.do) ||
          (action.do === 'retain' && tellsLogStart(release)) ||
          isOfMetrics(action) ||
          (options.retries === undefined && (action.do === 'move' || passesSoon(action, options))),
    )
  )
}

/** The same of transactions: each that its program commits is committed. */
export function isPeacefulForTransactions(scenario: Scenario): boolean {
  const { actions, partitioner, codec, release, options, transactionTimeoutMs = 0, config, ownConnections } = scenario
  const isRoomy = options.queueMessages > 100 && options.queueBytes > 10_000 && config === undefined
  const isGoodCode = partitioner === 'by key' && (codec === 'none' || codec === 'at once')
  const isGood = (step: Step) =>
    step.do !== 'send' || ((step.code ?? 'at once') === 'at once' && Object.hasOwn(scenario.topics, step.topic))
  return (
    isRoomy &&
    isGoodCode &&
    transactionTimeoutMs >= AMPLE_MS &&
    ownConnections !== 'promises' &&
    actions.every((action) =>
      action.do === 'transact'
        ? action.rival !== true && action.end !== 'leave' && action.steps.every(isGood)
        : ['connect', 'ask', 'health', 'subscribe'].includes(action.do) ||
          isOfMetrics(action) ||
          (action.do === 'retain' && tellsLogStart(release)),
    )
  )
}

/** A broker refuses metrics, which is no concern of messages. */
function isOfMetrics(action: Action): boolean {
  return action.do === 'fail' && OF_METRICS.includes(action.api)
}

/** Whether brokers say where a log begins, from which it is known why they have forgotten a producer (Kafka 1.0). */
function tellsLogStart(release: string): boolean {
  return release !== '0.11'
}

/** A question for metadata goes wrong a few times, which messages outlive. */
function passesSoon(action: Action, { deliveryTimeoutMs }: Scenario['options']): boolean {
  if (deliveryTimeoutMs < 20_000 || (action.do !== 'fail' && action.do !== 'cut')) return false
  const isPassing = action.do === 'cut' || PASSING_ERRORS.includes(action.error)
  return isPassing && action.api === 'Metadata' && action.times <= 3
}
