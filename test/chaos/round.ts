/** One round: topics and producers of its own, faults while they are at work, and then the check. */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isBefore } from '../kafka/support/features.js'
import type { RealKafka } from '../kafka/support/real-kafka.js'
import type { Dice } from '../simulation/dice.js'
import { check, type Checked } from './check/check.js'
import { traceOf } from './check/trace.js'
import type { Finding } from './check/verdict.js'
import { Crew } from './crew.js'
import type { EventLog } from './event-log.js'
import type { Lane } from './faults/lane.js'
import { lanesFor } from './faults/lanes.js'
import { FLEETING } from './faults/topics.js'
import type { Proxy } from './network/proxy.js'
import { drawRoles, type Topics } from './roles.js'
import { settle } from './settle.js'
import type { Stage } from './stage.js'

const STEADY = { replicationFactor: 3, config: { 'min.insync.replicas': '2' } }
const REREADS = 3
const REREAD_MS = 2_000

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
  readonly lanes: readonly Lane[]
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
  const lanes = lanesFor(release)
  const timer = setTimeout(() => over.abort(), ms)
  const note = (line: string): void => log.write(line)
  await Promise.all(lanes.map((lane) => lane.play(stage, dice.fork(), note, over.signal)))
  clearTimeout(timer)
  log.write('all is well again; the producers are to end')
  await crew.stop()
  const transactional = roles.filter(({ manner }) => manner === 'transactional')
  await settle(
    kafka,
    transactional.map(({ transactionalId }) => transactionalId),
  )
  const rules = { isReliable: !isBefore(release, '0.11') }
  const all = [...topics.steady, topics.ledger, topics.fleeting]
  let checked = await check(crew.all, all, kafka.bootstrap, release, rules)
  // Readers may be shown less than there is until followers have told their leader how far they are.
  for (let again = 0; again < REREADS && checked.findings.some(isMissing); again++) {
    await delay(REREAD_MS)
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
  if (violations.length > 0) await traceOf(violations, dir, 'violations.txt')
  if (violations.length > 0 || setting.keepsAll)
    await traceOf(
      findings.filter(({ isViolation }) => !isViolation),
      dir,
      'allowed.txt',
    )
  if (violations.length === 0 && !setting.keepsAll) await rm(dir, { recursive: true })
  for (const topic of all) await kafka.deleteTopic(topic)
  return { ...checked, findings, lanes }
}

function isMissing({ kind, isViolation }: Finding): boolean {
  return isViolation && (kind === 'lost' || kind === 'committed and lost')
}
