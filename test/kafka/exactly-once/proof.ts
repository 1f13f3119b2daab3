/**
 * Many senders of one idempotent producer, and transactions beside them, while leaders move, brokers are stopped, killed and
 * paused one after the other, and the network loses answers to what was written; then all is read back.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { Producer, type CodecName, type RawData } from '../../../src/index.js'
import { readBack } from '../../chaos/check/read-back.js'
import { lanesInTurn } from '../../chaos/faults/lanes.js'
import { ADDRESSES } from '../../chaos/network/addresses.js'
import { startProxied, type ProxiedCluster } from '../../chaos/proxied-cluster.js'
import { settle } from '../../chaos/settle.js'
import type { Stage } from '../../chaos/stage.js'
import type { Dice } from '../../simulation/dice.js'
import type { Release } from '../support/releases.js'
import { Ledger } from './ledger.js'
import { send } from './senders.js'
import { checkSequences, type Sequences } from './sequences.js'
import { Sets } from './sets.js'

const KEYED = 'keyed'
const SETS = 'sets'
const CLIENT = 'exactly-once'
const TOPICS = { [KEYED]: 12, [SETS]: 4 }
/** Short, so that a paused broker is given up: what was on its way to it may have been written. */
const REQUEST_TIMEOUT_MS = 3_000
/** Longer than any fault: every message must be acknowledged in the end. */
const DELIVERY_TIMEOUT_MS = 600_000

export const BROKER_FAULTS = ['leader moves', 'kill', 'pause', 'restart'] as const
export const NETWORK_FAULTS = ['answers swallowed', 'resets'] as const

export interface Plan {
  readonly messages: number
  readonly senders: number
  readonly perSecond: number
  readonly transactionalProducers: number
  readonly compression: CodecName
}

export interface Proof {
  /** How often each has befallen them, by name. */
  readonly faults: ReadonlyMap<string, number>
  readonly findings: readonly string[]
  /** What happened, for people. */
  readonly summary: string
}

const SERVER_CONFIG = {
  'auto.create.topics.enable': 'false',
  'unclean.leader.election.enable': 'false',
  'min.insync.replicas': '2',
  'default.replication.factor': '3',
  // So that none of a transaction that nobody can end any more holds up the readers.
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': '2000',
  // A program that is killed leaves its group soon.
  'group.min.session.timeout.ms': '500',
}

/** @param log of what befalls them */
export async function startCluster(release: Release, log: (line: string) => void): Promise<ProxiedCluster> {
  const isUnderTest = (clientId: string): boolean => clientId.startsWith(CLIENT)
  return startProxied({ release, host: ADDRESSES[0], isUnderTest, log, config: SERVER_CONFIG })
}

export async function prove(
  cluster: ProxiedCluster,
  plan: Plan,
  dice: Dice,
  log: (line: string) => void,
): Promise<Proof> {
  const { kafka, proxies } = cluster
  for (const [topic, partitions] of Object.entries(TOPICS))
    await kafka.createTopic(topic, { partitions, replicationFactor: 3 })
  const options = { brokers: cluster.bootstrap(), requestTimeoutMs: REQUEST_TIMEOUT_MS, retryBackoffMaxMs: 500 }
  const producer = new Producer<RawData, RawData>({
    ...options,
    clientId: CLIENT,
    deliveryTimeoutMs: DELIVERY_TIMEOUT_MS,
    compression: plan.compression,
    idempotent: true,
  })
  producer.on('warning', (warning) => log(warning.message))
  const ledger = new Ledger()
  const sets = new Sets()
  const over = new AbortController()
  const stage: Stage = {
    kafka,
    proxies,
    topics: { steady: [KEYED], ledger: SETS, fleeting: '' },
    crew: { clientIds: [CLIENT], moved: () => undefined, replaceOne: () => CLIENT },
    hold: async (ms) => void (await delay(ms, undefined, { signal: over.signal }).catch(() => undefined)),
  }
  const began = performance.now()
  const lanes = lanesInTurn(BROKER_FAULTS, NETWORK_FAULTS)
  const befallen = lanes.map((lane) => lane.play(stage, dice.fork(), log, over.signal))
  const transactionalIds = Array.from({ length: plan.transactionalProducers }, (_, index) => `${CLIENT}-${index + 1}`)
  const transactions = transactionalIds.map((transactionalId) => {
    const its = { ...options, topic: SETS, clientId: transactionalId, transactionalId }
    return sets.send(its, () => over.signal.aborted, dice.fork(), log)
  })
  await send(producer, { topic: KEYED, ...plan }, ledger, dice.fork())
  const seconds = ((performance.now() - began) / 1000).toFixed(0)
  over.abort()
  await Promise.all(befallen)
  await Promise.all(transactions)
  await producer.close()
  await settle(kafka, transactionalIds)
  const { version } = kafka.release
  await readBack(kafka.bootstrap, KEYED, version, ({ key, value, partition, offset }) =>
    ledger.read({ key, number: Number(value.split(' ')[0]) }, { partition, offset }),
  )
  await readBack(kafka.bootstrap, SETS, version, ({ value }) => sets.read(value))
  const sequences: Sequences[] = []
  for (const { id } of kafka.brokers) sequences.push(await checkSequences(kafka, id, Object.keys(TOPICS)))
  const faults = new Map(lanes.flatMap(({ counts }) => [...counts]))
  const { given, acknowledged, failed, read } = ledger.counts
  const sum = (of: 'batches' | 'runs'): number => sequences.reduce((total, its) => total + its[of], 0)
  return {
    faults,
    findings: [...ledger.findings(), ...sets.findings(), ...sequences.flatMap(({ findings }) => findings)],
    summary: [
      `${given} messages of ${plan.senders} senders in ${seconds} s, ${acknowledged} acknowledged, ${failed} failed, ${read} read`,
      `transactions: ${sets.count('committed')} committed, ${sets.count('aborted')} aborted, ${sets.count('unknown')} of unknown outcome`,
      `on all three brokers ${sum('batches')} batches, in ${sum('runs')} runs of a producer id and epoch in a partition`,
      `faults: ${[...faults].map(([name, count]) => `${count} ${name}`).join(', ')}`,
    ].join('\n'),
  }
}
