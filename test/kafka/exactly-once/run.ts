/**
 * That every message is there exactly once, on three real brokers, whatever befalls them:
 *
 *   npm run test:exactly-once -- --release R [--messages 1000000] [--senders 200] [--rate messages a second]
 *     [--transactions producers of them] [--transaction-version 1] [--codec none] [--seed S]
 *   npm run test:exactly-once -- --release R --kills 50 [--seed S]
 *
 * The second is consume, transform, produce: a program that is killed at random points so often, and started again. A
 * violation is exit code 1; the log of what befell them is in `.reports/exactly-once/`.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { EventLog } from '../../chaos/event-log.js'
import { Dice } from '../../simulation/dice.js'
import { ensureKcat } from '../support/kcat.js'
import { findRelease } from '../support/releases.js'
import { reportsDir } from '../support/results.js'
import { BROKER_FAULTS, NETWORK_FAULTS, prove, startCluster } from './proof.js'
import { killAndRestart } from './transformer.js'

const { values } = parseArgs({
  options: {
    release: { type: 'string', default: '4' },
    messages: { type: 'string', default: '1000000' },
    senders: { type: 'string', default: '200' },
    rate: { type: 'string', default: '5000' },
    transactions: { type: 'string', default: '4' },
    'transaction-version': { type: 'string' },
    codec: { type: 'string', default: 'none' },
    kills: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
})

await ensureKcat()
const release = findRelease(values.release)
const log = new EventLog()
const dir = join(reportsDir, 'exactly-once')
await mkdir(dir, { recursive: true })
const events = join(dir, `${release.version}-${values.seed}.log`)
log.writeTo(events)
const write = (line: string): void => log.write(line)
const dice = new Dice(Number(values.seed))
const cluster = await startCluster(release, write)
try {
  const { kafka } = cluster
  const level = values['transaction-version']
  if (level !== undefined) {
    const feature = ['downgrade', '--feature', `transaction.version=${level}`]
    await kafka.tool('org.apache.kafka.tools.FeatureCommand', ['--bootstrap-server', kafka.bootstrap, ...feature])
  }
  console.log(
    `Kafka ${release.version}${level === undefined ? '' : `, transaction.version ${level}`}, seed ${values.seed}`,
  )
  const findings =
    values.kills === undefined ? await everything() : await killAndRestart(kafka, Number(values.kills), dice)
  for (const finding of findings) console.log(`  ${finding}`)
  console.log(findings.length === 0 ? 'exactly once' : `NOT exactly once; what befell them is in ${events}`)
  if (findings.length > 0) process.exitCode = 1
} finally {
  await cluster.stop()
  await log.close()
}

async function everything(): Promise<string[]> {
  const plan = {
    messages: Number(values.messages),
    senders: Number(values.senders),
    perSecond: Number(values.rate),
    transactionalProducers: Number(values.transactions),
    compression: values.codec,
  }
  const { faults, findings, summary } = await prove(cluster, plan, dice, write)
  console.log(summary)
  const missing = [...BROKER_FAULTS, ...NETWORK_FAULTS].filter((name) => !faults.has(name))
  return [...findings, ...missing.map((name) => `all was sent before it came to: ${name}`)]
}
