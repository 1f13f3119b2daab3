import { expect, it, onTestFinished, vi } from 'vitest'
import { systemClock } from '../../../../src/clock.js'
import type { Coordination } from '../../../../src/producer/transactions/coordinator.js'
import { TransactionRequests } from '../../../../src/producer/transactions/transaction-requests.js'

it('a step that takes long is told of, and half a minute later what still does, whatever step it is by then', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const told: string[] = []
  const coordinator = { stage: 'waiting for a test' } as Coordination
  const requests = new TransactionRequests({
    transactionalId: 'tx',
    transactionTimeoutMs: 60_000,
    stepTimeoutMs: 60_000,
    clock: systemClock,
    coordinator,
    groupCoordinator: () => coordinator,
    needed: { retain: () => undefined, release: () => undefined },
    warn: (message) => void told.push(message),
  })
  const takes = (ms: number) => () => new Promise((resolve) => systemClock.setTimeout(() => resolve(ms), ms))
  const stepped = (async () => {
    for (const name of ['a', 'b', 'c']) await requests.within(name, takes(20_000), { waitsFor: coordinator })
  })()
  await vi.advanceTimersByTimeAsync(60_000)
  await stepped
  expect(told).toEqual([
    expect.stringMatching(/^a for the transactionalId 'tx' takes longer than 2000 ms, .*waiting for a test/),
    expect.stringMatching(/^b /),
  ])
  expect(vi.getTimerCount()).toBe(0)
})
