import { describe, expect, it } from 'vitest'
import { systemClock, type Clock, type Timer } from '../../../../src/clock.js'
import { RetryPolicy, type RetrySettings } from '../../../../src/producer/queues/retry-policy.js'
import { systemRandom } from '../../../../src/random.js'

const cause = new Error('no answer')

/** A policy whose waits are over at once and noted, or are never over. */
function policyOf(settings: Partial<RetrySettings> = {}, { dice = 0.5, isFrozen = false } = {}) {
  const waits: number[] = []
  const cleared: (Timer | undefined)[] = []
  const clock: Clock = {
    ...systemClock,
    setTimeout: (callback, ms) => {
      waits.push(ms)
      const timer: Timer = { ref: () => timer, unref: () => timer }
      if (!isFrozen) queueMicrotask(callback)
      return timer
    },
    clearTimeout: (timer) => cleared.push(timer),
  }
  const policy = new RetryPolicy(
    { retries: Infinity, retryBackoffMs: 100, retryBackoffMaxMs: 1_000, ...settings },
    { clock, random: { ...systemRandom, number: () => dice } },
  )
  return { policy, waits, cleared }
}

/** Fails so many times, and then succeeds. */
function failing(times: number) {
  const attempt = () => (++attempt.count > times ? Promise.resolve() : Promise.reject(cause))
  attempt.count = 0
  return attempt
}

describe('waits between attempts', () => {
  it('double from retryBackoffMs to retryBackoffMaxMs, and stay there', async () => {
    const { policy, waits } = policyOf()
    const attempt = failing(5)
    expect(await policy.retryAfter(cause, 1, attempt)).toBe(true)
    expect(attempt.count).toBe(6)
    expect(waits).toEqual([100, 200, 400, 800, 1_000, 1_000])
  })

  it.each([
    [0, 80],
    [1 - Number.EPSILON, 120],
  ])('differ by a fifth either way: dice of %s', async (dice, wait) => {
    const { policy, waits } = policyOf({}, { dice })
    await policy.retryAfter(cause, 1, failing(0))
    expect(waits).toEqual([expect.closeTo(wait, 6)])
  })

  it('differ at the cap as well', async () => {
    const { policy, waits } = policyOf({}, { dice: 0 })
    await policy.retryAfter(cause, 10, failing(0))
    expect(waits).toEqual([800])
  })

  it('begin where the failures before have brought them, however many these were', async () => {
    const { policy, waits } = policyOf()
    await policy.retryAfter(cause, 3, failing(1))
    await policy.retryAfter(cause, 1_000_000, failing(0))
    expect(waits).toEqual([400, 800, 1_000])
  })
})

describe('what is to be done until it succeeds', () => {
  it('is done at once where the last was long ago', async () => {
    const { policy, waits } = policyOf()
    const attempt = failing(0)
    expect(await policy.retryUntilDone(attempt, 100)).toBe(true)
    expect([attempt.count, waits]).toEqual([1, []])
  })

  it('waits first where the last was just now', async () => {
    const { policy, waits } = policyOf()
    const attempt = failing(0)
    expect(await policy.retryUntilDone(attempt, 99)).toBe(true)
    expect([attempt.count, waits]).toEqual([1, [100]])
  })

  it('waits from retryBackoffMs on where it fails', async () => {
    const { policy, waits } = policyOf()
    expect(await policy.retryUntilDone(failing(2), 100)).toBe(true)
    expect(waits).toEqual([100, 200])
  })

  it('goes on after a bug, which is no reason to wait for ever', async () => {
    const { policy } = policyOf()
    expect(await policy.retryUntilDone(() => Promise.reject(new TypeError('bug')), 1_000)).toBe(true)
  })
})

it('any number of waits at a time is no reason for a warning', async () => {
  const warnings: string[] = []
  const note = ({ name }: Error) => warnings.push(name)
  process.on('warning', note)
  const { policy, waits } = policyOf({}, { isFrozen: true })
  const ended = Array.from({ length: 20 }, () => policy.retryAfter(cause, 1, failing(0)))
  await new Promise((resolve) => setImmediate(resolve))
  expect(waits).toHaveLength(20)
  policy.close()
  await Promise.all(ended)
  // Node tells of them in a turn of their own.
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', note)
  expect(warnings).not.toContain('MaxListenersExceededWarning')
})

describe('close', () => {
  it('ends every wait, and leaves no timer behind', async () => {
    const { policy, waits, cleared } = policyOf({}, { isFrozen: true })
    const attempt = failing(0)
    const ended = [policy.retryAfter(cause, 1, attempt), policy.retryAfter(cause, 2, attempt)]
    await new Promise((resolve) => setImmediate(resolve))
    expect(waits).toEqual([100, 200])
    policy.close()
    expect(await Promise.all(ended)).toEqual([false, false])
    expect([attempt.count, cleared.length]).toEqual([0, 2])
  })

  it('lets nothing begin any more', async () => {
    const { policy, waits } = policyOf()
    policy.close()
    const attempt = failing(0)
    expect(await policy.retryAfter(cause, 1, attempt)).toBe(false)
    expect([attempt.count, waits]).toEqual([0, []])
  })
})

it.each([
  [0, [false, false]],
  [1, [true, false]],
  [Infinity, [true, true]],
])('retries %s: a batch that was attempted once, and twice, may be again: %s', (retries, [once, twice]) => {
  const { policy } = policyOf({ retries })
  expect([policy.allowsAttemptAfter(1), policy.allowsAttemptAfter(2)]).toEqual([once, twice])
})
