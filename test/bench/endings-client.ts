import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import { Producer, type KeyedMessage, type ProducerOptions } from '../../src/index.js'
import { ENDINGS, type EndingName, type MeasuredEnding } from './ending-names.js'
import { TOPIC } from './job.js'
import { payloads } from './payloads.js'

const DEADLINE_MS = 3_000

interface Ending {
  readonly count: number
  readonly options?: Partial<ProducerOptions>
  readonly code: string | undefined
  /** What ends the messages, and what else is to be waited for; called in the turn that the messages are given in. */
  readonly end: (producer: Producer, abort: AbortController) => Promise<unknown>
  /** Whether messages are given before the measurement, or are part of it. */
  readonly isGivenBefore: boolean
  /** After each message. */
  readonly each?: (producer: Producer) => Promise<unknown>
}

const CASES: Record<EndingName, Ending> = {
  deadlines: {
    count: 100_000,
    options: { deliveryTimeoutMs: DEADLINE_MS, requestTimeoutMs: DEADLINE_MS },
    code: 'DELIVERY_TIMEOUT',
    isGivenBefore: true,
    end: async () => undefined,
  },
  abort: {
    count: 40_000,
    code: 'ABORTED',
    isGivenBefore: true,
    end: async (_, abort) => abort.abort(),
  },
  close: {
    count: 200_000,
    code: 'PRODUCER_CLOSED',
    isGivenBefore: true,
    end: (producer) => producer.close({ timeoutMs: 0 }),
  },
  flush: {
    count: 8_000,
    code: undefined,
    isGivenBefore: false,
    end: async () => undefined,
    each: (producer) => producer.flush(),
  },
}

async function measureEnding(name: EndingName, bootstrap: string): Promise<MeasuredEnding> {
  const { count: expected, options, code, isGivenBefore, end, each } = CASES[name]
  const producer = new Producer({ brokers: bootstrap, enqueueTimeoutMs: -1, ...options })
  // So that the metadata is there, and nothing but the messages is waited for.
  await producer.partitionsFor(TOPIC)
  const messages = payloads('real', 100).map((payload) => ({ topic: TOPIC, ...payload }))
  const abort = new AbortController()
  const signal = name === 'abort' ? { signal: abort.signal } : undefined
  let count = 0
  const check = (error?: { readonly code?: string }) => void (error?.code === code && count++)
  const give = () => {
    const promises: Promise<unknown>[] = []
    for (let i = 0; i < expected; i++) {
      promises.push(producer.send(messages[i % messages.length] as KeyedMessage, signal).then(() => check(), check)) // prettier-ignore
      if (each !== undefined) promises.push(each(producer))
    }
    return Promise.all(promises)
  }

  const loop = monitorEventLoopDelay({ resolution: 1 })
  const began = performance.now()
  let given = isGivenBefore ? give() : undefined
  // A process that was busy for so long finds that they have all passed.
  if (name === 'deadlines') while (performance.now() - began < DEADLINE_MS + 1_000);
  const start = performance.now()
  const cpuBefore = process.cpuUsage()
  if (name === 'deadlines') await nextTurn()
  loop.enable()
  given ??= give()
  if (name === 'flush') {
    // Giving them is the caller's own work.
    loop.disable()
    await nextTurn()
    loop.enable()
  }
  await Promise.all([given, end(producer, abort)])
  const told = performance.now() - start
  const { user, system } = process.cpuUsage(cpuBefore)
  await delay(10)
  loop.disable()
  return {
    told,
    cpu: (user + system) / 1_000,
    loopMax: loop.max / 1e6,
    count,
    expected,
    rssPeak: process.resourceUsage().maxRSS * 1_024,
  }
}

/**
 * Many messages that end together, in a process of its own: `endings-client.js <what> <bootstrap>`. The broker
 * answers Produce so late that nothing is acknowledged, but for `flush`.
 */
const [name = '', bootstrap = ''] = process.argv.slice(2)
if (!(name in ENDINGS)) throw new Error(`There is no ending '${name}'`)
const measured = await measureEnding(name as EndingName, bootstrap)
process.stdout.write(`${JSON.stringify(measured)}\n`, () => process.exit(0))
