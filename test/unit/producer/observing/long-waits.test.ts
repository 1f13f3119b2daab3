import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { systemClock } from '../../../../src/clock.js'
import { RequestTimeoutError } from '../../../../src/errors.js'
import { SingleCall } from '../../../../src/producer/calls/single-call.js'
import { LongWaits } from '../../../../src/producer/observing/long-waits.js'
import { OutgoingMessage } from '../../../../src/producer/queues/outgoing-message.js'
import type { WaitReason } from '../../../../src/producer/sending/wait-reasons.js'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const cause = new RequestTimeoutError('nobody is there')
const TROUBLE: WaitReason = { topic: 't', stage: 'connecting to a:1 for 3 ms', lastFailure: cause, isTrouble: true }
const NONE: WaitReason = { ...TROUBLE, isTrouble: false }

/** One call after the other, the oldest first, and what is told of them. */
function start(reasons: Record<string, WaitReason>) {
  const told: [string, unknown][] = []
  const calls: SingleCall[] = []
  const waits = new LongWaits({
    clock: systemClock,
    oldest: () => calls[0],
    reasonOf: (at) => reasons[(at as OutgoingMessage).topic] as WaitReason,
    warn: (message, error) => void told.push([message, error]),
  })
  const send = (topic: string) => {
    const message = new OutgoingMessage(topic, null, 'x', null, 1, 1, null, null)
    const sentAt = { at: performance.now(), wall: 0 } as never
    const call = new SingleCall({ topic, value: 'x' }, false, message, sentAt, () => undefined)
    const newest = calls.at(-1)
    if (newest !== undefined) newest.newer = call
    calls.push(call)
    waits.watch()
  }
  return { told, calls, send, waits }
}

it('tells after two seconds what is wrong, and then every half minute', () => {
  const { told, send } = start({ t: TROUBLE })
  send('t')
  vi.advanceTimersByTime(1_900)
  expect(told).toEqual([])
  vi.advanceTimersByTime(200)
  const text =
    "a message for 't' is not acknowledged after 2000 ms, and goes on waiting; connecting to a:1 for 3 ms; the last failure: nobody is there"
  expect(told).toEqual([[text, cause]])
  vi.advanceTimersByTime(29_000)
  expect(told).toHaveLength(1)
  vi.advanceTimersByTime(2_000)
  expect(told).toHaveLength(2)
})

it('tells nothing where nothing is wrong, or nothing waits so long', () => {
  const { told, send, calls } = start({ t: NONE, u: TROUBLE })
  send('t')
  vi.advanceTimersByTime(60_000)
  calls.shift()
  for (let i = 0; i < 10; i++) {
    send('u')
    vi.advanceTimersByTime(1_900)
    calls.shift()
  }
  expect(told).toEqual([])
})

it('looks past what only waits its turn', () => {
  const { told, send } = start({ t: NONE, u: TROUBLE })
  send('t')
  send('u')
  vi.advanceTimersByTime(2_100)
  expect(told).toHaveLength(1)
})

it('has no timer while nothing is outstanding, or once it is closed', () => {
  const { send, calls, waits } = start({ t: TROUBLE })
  send('t')
  calls.shift()
  vi.advanceTimersByTime(2_000)
  expect(vi.getTimerCount()).toBe(0)
  send('t')
  expect(vi.getTimerCount()).toBe(1)
  waits.close()
  expect(vi.getTimerCount()).toBe(0)
})
