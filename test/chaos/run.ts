/**
 * Real brokers, real networks, real time:
 *
 *   npm run chaos -- --minutes N --seed S [--release R] [--rate messages a second, in all] [--round minutes] [--keep]
 *
 * Three brokers, each behind a proxy; producers in processes of their own, on Node 22, 24 and 26; faults drawn from the
 * seed. In rounds: at the end of each everything is read back with kcat, and compared with what callers were told. The last
 * line adds up. A violation is exit code 1, and `.reports/chaos/` has a trace of it.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ensureKcat } from '../kafka/support/kcat.js'
import { findRelease } from '../kafka/support/releases.js'
import { reportsDir } from '../kafka/support/results.js'
import { Dice } from '../simulation/dice.js'
import { headline } from './check/trace.js'
import { EventLog } from './event-log.js'
import { ADDRESSES, NAME } from './network/addresses.js'
import { startProxied } from './proxied-cluster.js'
import { playRound } from './round.js'
import { Sum } from './sum.js'

const SHOWN = 10

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    release: { type: 'string', default: '4' },
    rate: { type: 'string', default: '600' },
    round: { type: 'string', default: '5' },
    // Journals and logs of rounds without a violation, too.
    keep: { type: 'boolean', default: false },
  },
})

await ensureKcat()
const release = findRelease(values.release)
const dice = new Dice(Number(values.seed))
const log = new EventLog()
const dir = join(reportsDir, 'chaos', `${release.version}-${values.seed}`)
await mkdir(dir, { recursive: true })
const hasListeners = release.name !== '0.8.2'
const cluster = await startProxied({
  release,
  host: hasListeners ? NAME : ADDRESSES[0],
  isUnderTest: (clientId) => clientId.startsWith('chaos-'),
  log: (line) => log.write(line),
  config: {
    'auto.create.topics.enable': 'false',
    'unclean.leader.election.enable': 'false',
    'min.insync.replicas': '2',
    'default.replication.factor': '3',
    ...(hasListeners && { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': '2000' }),
  },
})
const { kafka, proxies, bootstrap } = cluster
const sum = new Sum()
const brokeOff = false
try {
  const until = Date.now() + Number(values.minutes) * 60_000
  for (let round = 1; Date.now() < until; round++) {
    const ms = Math.min(until - Date.now(), Number(values.round) * 60_000)
    const result = await playRound(
      { kafka, proxies, bootstrap, log, dir, messagesPerSecond: Number(values.rate), keepsAll: values.keep },
      dice.fork(),
      round,
      ms,
    )
    sum.add(result)
    console.log(`round ${round}: ${sum.line()}`)
    for (const finding of result.findings.filter(({ isViolation }) => isViolation).slice(0, SHOWN))
      console.log(`  ${headline(finding)}`)
  }
} finally {
  await cluster.stop()
}
console.log(sum.byFault())
if (sum.violations > 0) console.log(`What happened is in ${dir}`)
console.log(`Kafka ${release.version}, seed ${values.seed}, ${values.minutes} minutes: ${sum.line()}`)
process.exitCode = sum.violations > 0 || brokeOff ? 1 : 0
