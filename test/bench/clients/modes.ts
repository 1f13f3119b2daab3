import { monitorEventLoopDelay } from 'node:perf_hooks'

/**
 * What a client under test does, the same for all. A client is a module that exports `connect(bootstrap)`, which gives
 * the ways to send that it has.
 */
export interface BenchClient {
  /** Resolves when all these values are acknowledged. */
  sendBatch(values: readonly Buffer[]): Promise<unknown>
  /** Resolves when this value is acknowledged. */
  sendOne(value: Buffer): Promise<unknown>
  /** Only clients that have such a way: queues a value, and counts what is acknowledged later. */
  readonly queued?: {
    readonly send: (value: Buffer) => Promise<unknown>
    readonly acknowledged: () => number
  }
  close(): Promise<unknown>
}

export type Mode = 'batch' | 'single' | 'async'

export const TOPIC = 'bench'
const BATCH_MESSAGES = 1_000
const BATCHES_IN_FLIGHT = 5
const SINGLES_IN_FLIGHT = 1_000

export interface Measured {
  /** Milliseconds. */
  readonly elapsed: number
  /** Milliseconds of processor time of this process. */
  readonly cpu: number
  /** Of a sample of sends, milliseconds; null where nobody waits for them. */
  readonly p50: number | null
  readonly p99: number | null
  readonly rss: number
  /** Of the event loop's delay, milliseconds. */
  readonly loopP99: number
}

/** Sends `count` messages of `size` bytes. */
export async function run(client: BenchClient, mode: Mode, count: number, size: number): Promise<Measured> {
  const value = Buffer.alloc(size, 'x')
  const batch = Array.from({ length: BATCH_MESSAGES }, () => value)
  const latencies: number[] = []
  const sampled = async (send: () => Promise<unknown>) => {
    const start = performance.now()
    await send()
    latencies.push(performance.now() - start)
  }
  let left = mode === 'batch' ? count / BATCH_MESSAGES : count
  const worker = async () => {
    while (left-- > 0) {
      const isSample = mode === 'batch' || left % 97 === 0
      const send = mode === 'batch' ? () => client.sendBatch(batch) : () => client.sendOne(value)
      if (isSample) await sampled(send)
      else await send()
    }
  }
  const loop = monitorEventLoopDelay({ resolution: 1 })
  loop.enable()
  const cpuBefore = process.cpuUsage()
  const start = performance.now()
  if (mode === 'async') await queueAll(client, count, value)
  else await Promise.all(Array.from({ length: mode === 'batch' ? BATCHES_IN_FLIGHT : SINGLES_IN_FLIGHT }, worker))
  const elapsed = performance.now() - start
  const { user, system } = process.cpuUsage(cpuBefore)
  loop.disable()
  latencies.sort((a, b) => a - b)
  const quantile = (q: number) => latencies[Math.floor(latencies.length * q)] ?? null
  return {
    elapsed,
    cpu: (user + system) / 1000,
    p50: quantile(0.5),
    p99: quantile(0.99),
    rss: process.memoryUsage.rss(),
    loopP99: loop.percentile(99) / 1e6,
  }
}

async function queueAll(client: BenchClient, count: number, value: Buffer): Promise<void> {
  const { queued } = client
  if (queued === undefined) throw new Error('this client has no async mode')
  const before = queued.acknowledged()
  for (let i = 0; i < count; i++) await queued.send(value)
  while (queued.acknowledged() - before < count) await new Promise((resolve) => setImmediate(resolve))
}
