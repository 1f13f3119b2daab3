import type { ProducerStats } from '../../src/stats/producer-stats.js'
import { Violation, type Fate } from './ledger.js'

interface Counted {
  readonly count: number
}

/** Not among `failedSends`: their caller took them out, there was no room, or they could not be encoded. */
const NOT_SENT: ReadonlySet<string> = new Set(['ABORTED', 'QUEUE_FULL', 'SERIALIZATION_FAILED'])

function sum(counts: readonly number[]): number {
  return counts.reduce((all, one) => all + one, 0)
}

/** The figures of a producer that was closed add up: with each other, and with what was told of its messages. */
export function checkFigures(
  stats: ProducerStats,
  fates: readonly (Fate | undefined)[],
  callbacksThrow: boolean,
): void {
  const { messages, acknowledged, failed, allTopics, allBrokers, connections } = stats
  const wrong = (what: string) => new Violation('figures add up', what)
  const same = (what: string, ...values: readonly number[]): void => {
    if (new Set(values).size > 1) throw wrong(`${what}: ${values.join(', ')}`)
  }
  const rising = (what: string, ...values: readonly number[]): void => {
    if (values.some((value, i) => value < (values[i - 1] ?? 0))) throw wrong(`${what}: ${values.join(' <= ')}`)
  }
  const over = <Of>(all: Readonly<Record<string, Of>>, of: (one: Of) => Counted): number =>
    sum(Object.values(all).map((one) => of(one).count))
  const codes = fates.map((fate) => (fate === undefined || fate.kind === 'acknowledged' ? '' : fate.code))
  const ended = fates.filter((fate) => fate?.kind === 'failed').length
  const sendable = (kinds: readonly string[]) =>
    fates.filter((fate, i) => kinds.includes(fate?.kind ?? '') && !NOT_SENT.has(codes[i] as string)).length
  rising('acknowledged, sent, taken in, ended', acknowledged, allTopics.messages.count, messages, acknowledged + failed)
  same(
    'messages of topics',
    allTopics.messages.count,
    over(stats.topics, (one) => one.messages),
  )
  same(
    'bytes of topics',
    allTopics.bytes.count,
    over(stats.topics, (one) => one.bytes),
  )
  const dropped = codes.filter((code) => code === 'QUEUE_FULL').length
  const ofTopics = over(stats.topics, (one) => one.dropped)
  same('dropped', dropped, allTopics.dropped.count, ofTopics, sum(Object.values(stats.dropped)))
  same('retries', stats.retries.count, sum(Object.values(stats.retriesByCode)))
  same('batches', stats.batchMessages.count, stats.batchBytes.count, stats.queueTimeMs.count + stats.resends)
  rising('batches that arrived', stats.ageMs.count, stats.batchMessages.count)
  same(
    'requests',
    allBrokers.requests.count,
    over(stats.brokers, (one) => one.requests),
    allBrokers.requestBytes.count,
  )
  rising('requests answered', allBrokers.requestTimeMs.count, allBrokers.requests.count)
  rising('failed sends', sendable(['failed']), stats.failedSends.count, sendable(['failed', 'refused']))
  rising('failures', ended, failed)
  same('connections that were opened, and closed', connections.opened, connections.closed)
  same('failures that nobody heard of', stats.unheardFailures, 0)
  if (!callbacksThrow) same('callbacks that threw', stats.throwingCallbacks, 0)
}
