/** One overload in a process of its own: `overload-client.js <job as JSON>`; what was measured as JSON on stdout. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { Producer, type KeyedMessage, type ProducerOptions } from '../../src/index.js'
import { TOPIC } from './job.js'
import type { MeasuredOverload, OverloadJob, OverloadKind } from './overload-job.js'

const OUTSTANDING = 1_000
const MESSAGES = 200_000
/** Of large messages, as many as come to this. */
const BYTES = 400e6
const USUAL_BYTES = 100
/** How long messages are given beyond what a broker is away for. */
const AFTERWARDS_MS = 2_000

interface Load {
  readonly options?: Partial<ProducerOptions>
  readonly producers?: number
  readonly count?: number
  /** For so long, where it is not a number of messages. */
  readonly forMs?: number
  readonly outstanding?: number
  readonly bytes?: number
  readonly topics?: number
}

const LOADS: Readonly<Record<OverloadKind, (size: number) => Load>> = {
  slow: (seconds) => ({ forMs: seconds * 1_000, outstanding: 100_000, bytes: 1_000 }),
  away: (seconds) => ({ forMs: seconds * 1_000 + AFTERWARDS_MS, outstanding: 100_000, bytes: 1_000 }),
  topics: (topics) => ({ topics }),
  producers: (producers) => ({ producers, count: MESSAGES / 10 }),
  bytes: (bytes) => ({
    bytes,
    count: Math.min(MESSAGES, Math.ceil(BYTES / bytes)),
    outstanding: Math.min(OUTSTANDING, Math.ceil(BYTES / 10 / bytes)),
    options: { batchBytes: 100_000_100, maxRequestBytes: 100_000_100, queueBytes: 250_000_000 },
  }),
}

async function measure({ kind, size, bootstrap }: OverloadJob): Promise<MeasuredOverload> {
  const load = LOADS[kind](size)
  const { producers = 1, count = MESSAGES, forMs, outstanding = OUTSTANDING, bytes = USUAL_BYTES, topics = 1 } = load
  const value = Buffer.alloc(bytes, 'x')
  const all = Array.from({ length: producers }, () => new Producer({ brokers: bootstrap, enqueueTimeoutMs: -1, ...load.options })) // prettier-ignore
  // Connections are opened and topics are asked for before: what is measured is messages.
  const names = Array.from({ length: topics }, (_, i) => (topics === 1 ? TOPIC : `${TOPIC}-${i}`))
  await Promise.all(all.map((producer) => producer.send({ topic: names[0] as string, value: 'first' })))
  for (let from = 0; from < topics; from += 1_000)
    await all[0]?.send(names.slice(from, from + 1_000).map((topic) => ({ topic, value: 'first' })))
  const messages: readonly KeyedMessage[] = names.map((topic) => ({ topic, value }))

  let given = 0
  let heldPeak = 0
  const held = () => all.reduce((sum, producer) => sum + producer.stats().queueBytes, 0)
  const loop = monitorEventLoopDelay({ resolution: 1 })
  // Statistics are worth a look now and then; of a thousand producers they would be what is measured.
  const watch = setInterval(() => (heldPeak = Math.max(heldPeak, held())), producers > 10 ? 1_000 : 100)
  const startedAt = performance.now()
  const cpuBefore = process.cpuUsage()
  loop.enable()
  const isMore = () => (forMs === undefined ? given < count : performance.now() - startedAt < forMs)
  const sender = async () => {
    while (isMore()) {
      const n = given++
      await (all[n % producers] as Producer).send(messages[n % topics] as KeyedMessage)
    }
  }
  await Promise.all(Array.from({ length: outstanding }, sender))
  const elapsed = performance.now() - startedAt
  const { user, system } = process.cpuUsage(cpuBefore)
  await delay(10)
  loop.disable()
  clearInterval(watch)
  return {
    messages: given,
    elapsed,
    cpu: (user + system) / 1_000,
    valueBytes: given * bytes,
    loopMax: loop.max / 1e6,
    rssPeak: process.resourceUsage().maxRSS * 1_024,
    heldPeak,
  }
}

const measured = await measure(JSON.parse(process.argv[2] ?? '') as OverloadJob)
process.stdout.write(`${JSON.stringify(measured)}\n`, () => process.exit(0))
