/**
 * Whether anything grows, however long it goes on:
 *
 *   npm run soak -- --minutes 30 [--seed S] [--every-ms 1000]
 *
 * Producers in this process send at half of the speed that they are first measured at, to three embedded brokers in
 * another, where one fault follows the other (test/soak/faults.ts). What they hold is looked at all along, and after they
 * are closed; the process must end by itself then. Whatever grew, is left, or was told wrong makes the exit code 1.
 * Samples and counts go to `.reports/soak.json`.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { HeldWatch, type Held } from './held.js'
import { grown, LIMITS } from './verdict.js'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    'every-ms': { type: 'string', default: '1000' },
  },
})
const MINUTES = Number(values.minutes)
const SAMPLES = 60
/** By how many messages full speed is measured. */
const FULL_SPEED_MESSAGES = 200_000
const MB = 1e6

const watch = new HeldWatch()
const { startSenders, TOPICS } = await import('./senders.js')

interface Counts {
  readonly faults: Readonly<Record<string, number>>
  readonly written: Readonly<Record<string, number>>
}

function shown({ rss, heap, buffers, sockets, timers, listeners }: Held): string {
  const mb = (bytes: number) => (bytes / MB).toFixed(1)
  return `RSS ${mb(rss)} MB, heap ${mb(heap)} MB, buffers ${mb(buffers)} MB, ${sockets} sockets, ${timers} timers, ${listeners} listeners`
}

async function main(): Promise<string[]> {
  const brokers = fork(
    fileURLToPath(new URL('./brokers.ts', import.meta.url)),
    [values.seed, values['every-ms'], ...TOPICS],
    { execArgv: ['--import', 'tsx'] },
  )
  const [{ bootstrap }] = (await once(brokers, 'message')) as [{ bootstrap: string }]
  const resources = process.getActiveResourcesInfo()
  const senders = startSenders(bootstrap, watch)

  senders.goAt(Infinity)
  const acknowledged = () => TOPICS.reduce((sum, topic) => sum + senders.fates[topic].acknowledged, 0)
  const startedAt = performance.now()
  while (acknowledged() < FULL_SPEED_MESSAGES) await delay(10)
  const full = (acknowledged() / (performance.now() - startedAt)) * 1_000
  console.log(`full speed: ${Math.round(full)} messages/s; from here on half of it, and faults; seed ${values.seed}`)
  senders.goAt(full / 2)
  brokers.send('start')

  const samples: Held[] = []
  const began = performance.now()
  const before = acknowledged()
  for (let i = 1; i <= SAMPLES; i++) {
    await delay(began + (MINUTES * 60_000 * i) / SAMPLES - performance.now())
    const held = watch.look()
    samples.push(held)
    console.log(`${((performance.now() - began) / 60_000).toFixed(1)} min: ${shown(held)}`)
  }
  const rate = ((acknowledged() - before) / (performance.now() - began)) * 1_000

  brokers.send('end')
  await once(brokers, 'message')
  await senders.close()
  brokers.send('counts')
  const [{ faults, written }] = (await once(brokers, 'message')) as [Counts]
  brokers.disconnect()
  await once(brokers, 'exit')
  const left = watch.look()

  const violations = grown(samples)
  if (left.sockets + left.timers + left.listeners > 0) violations.push(`left after close(): ${shown(left)}`)
  const after = process.getActiveResourcesInfo().filter((name) => !resources.includes(name))
  if (after.length > 0) violations.push(`keeps the process alive after close(): ${after.join(', ')}`)
  for (const topic of TOPICS) {
    const { given, acknowledged, failed } = senders.fates[topic]
    if (given !== acknowledged + failed) violations.push(`${topic}: ${given} given, ${acknowledged + failed} told`)
    const found = written[topic] ?? 0
    if (found < acknowledged) violations.push(`${topic}: ${acknowledged} acknowledged, ${found} written`)
  }
  const count = Object.values(faults).reduce((sum, times) => sum + times, 0)
  const result = { minutes: MINUTES, seed: values.seed, node: process.version, full, rate, faults, fates: senders.fates, written, samples, left, violations } // prettier-ignore
  mkdirSync('.reports', { recursive: true })
  writeFileSync('.reports/soak.json', `${JSON.stringify(result, null, 2)}\n`)
  console.log(`after close(): ${shown(left)}`)
  console.log(
    `${count} faults; ${Math.round(rate)} messages/s; ${JSON.stringify(senders.fates)}; written ${JSON.stringify(written)}; ${violations.length} violations (${LIMITS})`,
  )
  return violations
}

const violations = await main()
for (const violation of violations) console.error(`VIOLATION: ${violation}`)
if (violations.length > 0) process.exitCode = 1
setTimeout(() => {
  console.error(`VIOLATION: the process does not end by itself: ${process.getActiveResourcesInfo().join(', ')}`)
  process.exit(1)
}, 5_000).unref()
