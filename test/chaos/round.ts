/** One round: topics and producers of its own, faults while they are at work, and then the check. */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { TransactionalProducer } from '../../src/index.js'
import { isBefore } from '../kafka/support/features.js'
import type { RealKafka } from '../kafka/support/real-kafka.js'
import type { Dice } from '../simulation/dice.js'
import { check, type Checked } from './check/check.js'
import { traceOf } from './check/trace.js'
import type { Finding } from './check/verdict.js'
import { Crew } from './crew.js'
import type { EventLog } from './event-log.js'
import { brokerFaults } from './faults/brokers.js'
import { clientFaults } from './faults/clients.js'
import { draw, type Fault } from './faults/fault.js'
import { networkFaults } from './faults/network.js'
import { FLEETING, topicFaults } from './faults/topics.js'
import type { Proxy } from './network/proxy.js'
import { CALM } from './network/weather.js'
import { drawRoles, type Topics } from './roles.js'
import type { Stage } from './stage.js'

const STEADY = { replicationFactor: 3, config: { 'min.insync.replicas': '2' } }
/** Between the end of one fault and the next of its kind. */
const GAP_MS = [1_000, 5_000] as const
/** Kafka 0.8 tells of replicas that are in sync too late, or never. */
const WHOLE_MS = 30_000

export interface Setting {
  readonly kafka: RealKafka
  readonly proxies: ReadonlyMap<number, Proxy>
  /** Where clients find brokers, at present. */
  readonly bootstrap: () => string
  readonly log: EventLog
  readonly dir: string
  readonly messagesPerSecond: number
  /** Journals and logs stay, whatever comes of it. */
  readonly keepsAll: boolean
}

export interface RoundResult extends Checked {
  readonly faults: ReadonlyMap<string, number>
}

export async function playRound(setting: Setting, dice: Dice, round: number, ms: number): Promise<RoundResult> {
  const { kafka, proxies, log } = setting
  const dir = join(setting.dir, `round-${round}`)
  await mkdir(dir, { recursive: true })
  log.writeTo(join(dir, 'events.log'))
  const topics: Topics = {
    steady: [`steady-${round}-a`, `steady-${round}-b`],
    fleeting: `fleeting-${round}`,
    ledger: `ledger-${round}`,
  }
  const release = kafka.release.version
  for (const [index, topic] of [...topics.steady, topics.ledger].entries())
    await kafka.createTopic(topic, { ...STEADY, partitions: 3 + index })
  await kafka.createTopic(topics.fleeting, FLEETING)
  const roles = drawRoles(dice.fork(), release, round, topics, setting.messagesPerSecond)
  const crew = new Crew(setting.bootstrap, dir, (line) => log.write(line))
  for (const role of roles) crew.start(role, dice.below(2 ** 31))
  const over = new AbortController()
  const stage: Stage = {
    kafka,
    proxies,
    topics,
    crew,
    hold: async (holdMs) => {
      await delay(holdMs, undefined, { signal: over.signal }).catch(() => undefined)
    },
  }
  const faults = new Map<string, number>()
  const timer = setTimeout(() => over.abort(), ms)
  // What befalls brokers and partitions comes one after the other; the network has its own faults at the same time.
  await Promise.all(
    [
      [...brokerFaults, ...topicFaults],
      [...networkFaults, ...clientFaults],
    ].map(async (kinds) => {
      const possible = kinds.filter(({ since = '0' }) => !isBefore(release, since))
      const own = dice.fork()
      for (;;) {
        await stage.hold(own.between(...GAP_MS))
        if (over.signal.aborted) return
        await befall(draw(possible, own), stage, own, setting, faults)
      }
    }),
  )
  clearTimeout(timer)
  await heal(setting)
  log.write('all is well again; the producers are to end')
  await crew.stop()
  await untilWhole(setting)
  for (const { transactionalId, manner } of roles)
    if (manner === 'transactional') await endOpenTransaction(kafka, transactionalId)
  const rules = { isReliable: !isBefore(release, '0.11') }
  const all = [...topics.steady, topics.ledger, topics.fleeting]
  let checked = await check(crew.all, all, kafka.bootstrap, release, rules)
  // Readers may be shown less than there is until followers have told their leader how far they are.
  for (
    let again = 0;
    again < 3 && checked.findings.some(({ kind }) => kind === 'lost' || kind.endsWith('lost'));
    again++
  ) {
    await delay(2_000)
    checked = await check(crew.all, all, kafka.bootstrap, release, rules)
  }
  const findings: Finding[] = [
    ...checked.findings,
    ...crew.all
      .filter(({ hasEndedWell }) => !hasEndedWell)
      .map(({ role }): Finding => ({
        kind: 'broken',
        isViolation: true,
        worker: role.name,
        what: 'it did not end by itself',
      })),
  ]
  await log.close()
  const violations = findings.filter(({ isViolation }) => isViolation)
  if (violations.length > 0) await traceOf(violations, dir)
  else if (!setting.keepsAll) await rm(dir, { recursive: true })
  for (const topic of all) await kafka.deleteTopic(topic)
  return { ...checked, findings, faults }
}

async function befall(
  fault: Fault,
  stage: Stage,
  dice: Dice,
  setting: Setting,
  faults: Map<string, number>,
): Promise<void> {
  const began = Date.now()
  const { what, over } = fault.begin(stage, dice)
  setting.log.write(`fault begins: ${fault.name}: ${what}`)
  try {
    await over
    faults.set(fault.name, (faults.get(fault.name) ?? 0) + 1)
    setting.log.write(`fault is over: ${fault.name}, after ${Date.now() - began} ms`)
  } catch (error) {
    setting.log.write(`fault did not work: ${fault.name}: ${(error as Error).message}`)
    await heal(setting)
  }
}

/** Everything runs, and is reached. */
async function heal({ kafka, proxies }: Setting): Promise<void> {
  for (const { id, state } of kafka.brokers) {
    if (state === 'paused') kafka.resumeBroker(id)
    else if (state === 'stopped') await kafka.startBroker(id)
  }
  for (const proxy of proxies.values()) {
    proxy.weather = CALM
    await proxy.revive()
  }
}

async function untilWhole({ kafka, log }: Setting): Promise<void> {
  const deadline = Date.now() + WHOLE_MS
  while (!(await kafka.isWhole().catch(() => false))) {
    if (Date.now() > deadline) return log.write('not all replicas are in sync')
    await delay(200)
  }
}

/** Of a producer that could not end it itself: readers of committed messages see nothing behind it. */
async function endOpenTransaction(kafka: RealKafka, transactionalId: string): Promise<void> {
  const producer = new TransactionalProducer({ brokers: kafka.bootstrap, transactionalId })
  await producer.transaction(() => undefined)
  await producer.close()
}
