import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { Producer } from '../../../src/index.js'
import { RetryPolicy } from '../../../src/producer/queues/retry-policy.js'
import { SYSTEM } from '../../../src/surroundings.js'
import { Timers } from '../../../src/testing/timers.js'
import { waitFor } from '../../../src/testing/waiting.js'
import { timerDelay } from '../../../src/timer-delay.js'
import { startKafka } from '../support/cluster.js'

const MAX = 0x7fffffff

it.each([
  [1.2, 2],
  [0, 0],
  [-5, 0],
  [NaN, 0],
  [MAX - 0.5, MAX],
  [MAX + 0.0000002, MAX],
  [MAX * 1.2, MAX],
  [Infinity, MAX],
])('a delay of %d ms is a timer’s %d', (ms, delay) => {
  expect(timerDelay(ms)).toBe(delay)
})

describe('no timer is set for longer than Node keeps one, which would let it go off at once', () => {
  const warnings: string[] = []
  const onWarning = (warning: Error) => warnings.push(warning.name)
  beforeEach(() => {
    warnings.length = 0
    process.on('warning', onWarning)
  })
  afterEach(() => {
    process.off('warning', onWarning)
    expect(warnings).toEqual([])
  })

  it('the wait before a retry, with its jitter', async () => {
    const random = vi.spyOn(Math, 'random').mockReturnValue(0.999)
    onTestFinished(() => random.mockRestore())
    const policy = new RetryPolicy({ retries: Infinity, retryBackoffMs: MAX, retryBackoffMaxMs: MAX }, SYSTEM)
    let attempts = 0
    const ended = policy.retryAfter(new Error('x'), 1, async () => void attempts++)
    await sleep(50)
    policy.close()
    expect([await ended, attempts]).toEqual([false, 0])
  })

  it('all times of a producer at their longest, and a broker that fails', async () => {
    const random = vi.spyOn(Math, 'random').mockReturnValue(0.999)
    onTestFinished(() => random.mockRestore())
    const kafka = await startKafka({ topics: { t: {} } })
    const producer = new Producer({
      brokers: kafka.bootstrap,
      requestTimeoutMs: MAX,
      deliveryTimeoutMs: MAX,
      retryBackoffMs: MAX,
      retryBackoffMaxMs: MAX,
      metadataRefreshIntervalMs: MAX,
      enqueueTimeoutMs: MAX,
      connectTimeoutMs: MAX,
      connectionsMaxIdleMs: MAX,
      queueMessages: 1,
    })
    await producer.send({ topic: 't', value: 'x' })
    kafka.fail({ api: 'Produce', times: Infinity }, 'NOT_ENOUGH_REPLICAS')
    kafka.clearRequests()
    const failed = producer.send({ topic: 't', value: 'x' }).catch((error: unknown) => error)
    const waiting = producer.send({ topic: 't', value: 'no room' }).catch((error: unknown) => error)
    await kafka.waitForRequest({ api: 'Produce' })
    await sleep(100)
    expect(kafka.requests.filter(({ api }) => api === 'Produce')).toHaveLength(1)
    await producer.close({ timeoutMs: 0 })
    await Promise.all([failed, waiting])
  })

  it('the embedded broker: waits without an end', async () => {
    const timers = new Timers(SYSTEM.clock)
    let fired = false
    timers.after(Infinity, () => (fired = true))
    const lifetime = new AbortController()
    const changes = { next: (signal: AbortSignal) => sleep(MAX, undefined, { signal }) }
    const waiting = waitFor(() => undefined, {
      clock: SYSTEM.clock,
      changes: changes as never,
      timeoutMs: Infinity,
      lifetime: lifetime.signal,
      missing: () => 'nothing',
    }).catch((error: unknown) => error)
    await sleep(50)
    lifetime.abort()
    timers.stop()
    await waiting
    expect(fired).toBe(false)
  })
})
