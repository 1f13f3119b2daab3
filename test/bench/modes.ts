import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import type { BenchClient } from './clients/bench-client.js'
import { BATCH_MESSAGES, BATCHES_IN_FLIGHT, type Job, type Measured } from './job.js'
import type { Payload } from './payloads.js'

/** How many sends go by between two looks at the clock; every such send's time is taken, too. */
const STRIDE = 64

/** Sends by a job's mode, for so long and as `payloads` go round. */
class Sending {
  messages = 0
  valueBytes = 0
  readonly latencies = new Latencies()
  private next = 0
  private ended = false

  constructor(
    private readonly client: BenchClient,
    private readonly job: Job,
    private readonly payloads: readonly Payload[],
    private readonly endsAt: number,
  ) {}

  async run(): Promise<void> {
    switch (this.job.mode) {
      case 'batch':
      case 'corpus':
        return this.together(BATCHES_IN_FLIGHT, () => this.batches())
      case 'single':
        return this.together(this.job.outstanding, () => this.singles())
      case 'lone':
        return this.lone()
      case 'async':
        return this.queueAll()
    }
  }

  private async together(count: number, worker: () => Promise<void>): Promise<void> {
    await Promise.all(Array.from({ length: count }, worker))
  }

  private async batches(): Promise<void> {
    const send = needed(this.client.sendBatch)
    const once = this.job.mode === 'corpus'
    while (once ? this.next < this.payloads.length : performance.now() < this.endsAt) {
      if (this.next >= this.payloads.length) this.next = 0
      const batch = this.payloads.slice(this.next, (this.next += BATCH_MESSAGES))
      this.messages += batch.length
      for (const { value } of batch) this.valueBytes += value.length
      const start = performance.now()
      await send(batch)
      this.latencies.add(performance.now() - start)
    }
  }

  private async singles(): Promise<void> {
    const send = needed(this.client.sendOne)
    while (!this.ended) {
      const payload = this.take()
      if (this.messages % STRIDE !== 0) {
        await send(payload)
        continue
      }
      const start = performance.now()
      this.ended ||= start >= this.endsAt
      await send(payload)
      this.latencies.add(performance.now() - start)
    }
  }

  private async lone(): Promise<void> {
    const send = needed(this.client.sendOne)
    for (let start = performance.now(); start < this.endsAt;) {
      await send(this.take())
      const end = performance.now()
      this.latencies.add(end - start)
      start = end
    }
  }

  private async queueAll(): Promise<void> {
    const { send, acknowledged } = needed(this.client.queue)
    const before = acknowledged()
    while (this.messages % STRIDE !== 0 || performance.now() < this.endsAt) await send(this.take())
    while (acknowledged() - before < this.messages) await delay(1)
  }

  private take(): Payload {
    if (this.next >= this.payloads.length) this.next = 0
    const payload = this.payloads[this.next++] as Payload
    this.messages++
    this.valueBytes += payload.value.length
    return payload
  }
}

/** The last so many, in memory that does not grow while memory is watched. */
class Latencies {
  private readonly kept = new Float64Array(100_000)
  private count = 0

  add(ms: number): void {
    this.kept[this.count++ % this.kept.length] = ms
  }

  /** Null where there are none. */
  quantile(q: number): number | null {
    const sorted = this.kept.slice(0, this.count).sort()
    return sorted[Math.floor(sorted.length * q)] ?? null
  }
}

function needed<T>(way: T | undefined): T {
  if (way === undefined) throw new Error('this client has no such mode')
  return way
}

/** Sends by a job's mode for so long; returns how many messages that were, all of which have ended. */
export async function sendFor(
  ms: number,
  client: BenchClient,
  job: Job,
  payloads: readonly Payload[],
): Promise<number> {
  const sending = new Sending(client, job, payloads, performance.now() + ms)
  await sending.run()
  return sending.messages
}

/** Runs a job: warms up, then measures. */
export async function measure(client: BenchClient, job: Job, payloads: readonly Payload[]): Promise<Measured> {
  const warmUp = new Sending(
    client,
    { ...job, mode: job.mode === 'corpus' ? 'batch' : job.mode },
    payloads,
    performance.now() + job.warmUpSeconds * 1_000,
  )
  await warmUp.run()

  const start = performance.now()
  const sending = new Sending(client, job, payloads, start + job.seconds * 1_000)
  const memory = new MemoryWatch(start + (job.seconds * 1_000) / 5)
  const loop = monitorEventLoopDelay({ resolution: 1 })
  loop.enable()
  const cpuBefore = process.cpuUsage()
  await sending.run()
  const elapsed = performance.now() - start
  const { user, system } = process.cpuUsage(cpuBefore)
  // A timer that is late by now is counted only when it is called.
  await delay(10)
  loop.disable()
  memory.stop()

  return {
    messages: sending.messages,
    warmUpMessages: warmUp.messages,
    elapsed,
    cpu: (user + system) / 1_000,
    valueBytes: warmUp.valueBytes + sending.valueBytes,
    p50: sending.latencies.quantile(0.5),
    p99: sending.latencies.quantile(0.99),
    loopP99: loop.percentile(99) / 1e6,
    loopMax: loop.max / 1e6,
    rssEarly: memory.early,
    rssLate: memory.late,
    rssPeak: process.resourceUsage().maxRSS * 1_024,
  }
}

/** The most memory before and after a point in time. */
class MemoryWatch {
  early = 0
  late = 0
  private readonly timer = setInterval(() => this.look(), 100)

  constructor(private readonly until: number) {
    this.look()
  }

  stop(): void {
    clearInterval(this.timer)
    this.look()
  }

  private look(): void {
    const rss = process.memoryUsage.rss()
    if (performance.now() < this.until) this.early = Math.max(this.early, rss)
    else this.late = Math.max(this.late, rss)
  }
}
