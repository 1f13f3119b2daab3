import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../../../src/clock.js'
import { DeliveryTimeoutError } from '../../../../src/errors.js'
import { Endings } from '../../../../src/producer/calls/endings.js'
import type { MessageCall } from '../../../../src/producer/calls/message-call.js'
import { OutstandingCalls } from '../../../../src/producer/calls/outstanding-calls.js'
import { SendCall } from '../../../../src/producer/calls/send-call.js'
import { Failures } from '../../../../src/stats/failures.js'
import { Observers } from '../../../../src/stats/observer.js'
import { StatsCounters } from '../../../../src/stats/producer-stats.js'
import { ManualTurn } from './admission-support.js'

const CAUSE = new DeliveryTimeoutError('late')

function callOf(count: number, onDone: (call: MessageCall) => void = () => undefined): SendCall {
  const messages = Array.from({ length: count }, () => ({ topic: 'orders', value: 'v' }))
  const call = new SendCall(messages, true, { timestamp: 0, at: performance.now() }, undefined, onDone)
  call.promise.catch(() => undefined)
  return call
}

describe('outstanding calls', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance'] }))
  afterEach(() => vi.useRealTimers())

  function outstanding() {
    const expired: MessageCall[] = []
    const retained: string[] = []
    const connections = { retain: () => retained.push('retain'), release: () => retained.push('release') }
    const calls = new OutstandingCalls(100, connections, (late) => expired.push(...late), systemClock)
    const add = () => {
      const call = callOf(1)
      calls.add(call)
      return call
    }
    return { calls, add, expired, retained }
  }

  it('resolve a flush when every call before it is done, in whatever order, and wait for none behind it', async () => {
    const { calls, add } = outstanding()
    const resolved: string[] = []
    const [a, b] = [add(), add()]
    void calls.settledSoFar().then(() => resolved.push('first'))
    const c = add()
    void calls.settledSoFar().then(() => resolved.push('second'))
    const d = add()
    for (const [call, told] of [
      [b, []],
      [d, []],
      [a, ['first']],
      [c, ['first', 'second']],
    ] as const) {
      calls.done(call)
      await Promise.resolve()
      expect(resolved).toEqual(told)
    }
    await calls.settledSoFar()
  })

  it('expire in the order they came, each at its deadline, but for those that are done', () => {
    const { calls, add, expired, retained } = outstanding()
    const a = add()
    vi.advanceTimersByTime(30)
    const b = add()
    const c = add()
    vi.advanceTimersByTime(30)
    const d = add()
    calls.done(b)
    vi.advanceTimersByTime(45)
    expect(expired).toEqual([a])
    calls.done(a)
    vi.advanceTimersByTime(60)
    expect(expired).toEqual([a, c, d])
    calls.done(c)
    calls.done(d)
    expect(retained).toEqual(['retain', 'release'])
    expect(calls.first).toBeUndefined()
    calls.close()
  })

  it('that come while others are being ended expire at their own deadlines', () => {
    const taken: Iterator<MessageCall>[] = []
    const connections = { retain: () => undefined, release: () => undefined }
    const calls = new OutstandingCalls(100, connections, (late) => taken.push(late[Symbol.iterator]()), systemClock)
    const [a, b, c] = [callOf(1), callOf(1), callOf(1)]
    for (const call of [a, b, c]) calls.add(call)
    vi.advanceTimersByTime(60)
    const d = callOf(1)
    calls.add(d)
    vi.advanceTimersByTime(41)
    // Each is taken when it is its turn; one that has its fate by then is passed over.
    expect(taken[0]?.next().value).toBe(a)
    calls.done(a)
    calls.done(b)
    const e = callOf(1)
    calls.add(e)
    expect(taken[0]?.next().value).toBe(c)
    expect(taken[0]?.next().done).toBe(true)
    vi.advanceTimersByTime(60)
    expect(taken[1]?.next().value).toBe(d)
    expect(taken[1]?.next().done).toBe(true)
    vi.advanceTimersByTime(60)
    expect(taken[2]?.next().value).toBe(e)
    calls.close()
  })

  it('can be gone through while they come and go: those made later, and those that have their fate, are left out', () => {
    const { calls, add } = outstanding()
    const [a, b, c, d] = [add(), add(), add(), add()]
    const all = calls.all()
    const e = add()
    const walk = all[Symbol.iterator]()
    expect(walk.next().value).toBe(a)
    calls.done(b)
    calls.done(a)
    expect(walk.next().value).toBe(c)
    expect([...calls.all()]).toEqual([c, d, e])
    calls.done(d)
    expect(walk.next().done).toBe(true)
    calls.close()
  })
})

describe('endings', () => {
  it('tell some at once and the others in later turns, each once', async () => {
    const turn = new ManualTurn()
    const counters = new StatsCounters()
    const endings = new Endings({
      clock: systemClock,
      failures: new Failures(counters, new Observers()),
      turn,
      thin: () => undefined,
      dropped: () => undefined,
      onEnded: () => undefined,
    })
    const calls = [callOf(100), callOf(1), callOf(50)]
    turn.spent = true
    endings.end(calls, () => CAUSE)
    // Whatever is to end meanwhile waits for the turn of the others.
    endings.end(calls, () => CAUSE)
    const some = counters.failed
    expect(some).toBeGreaterThan(0)
    expect(some).toBeLessThan(100)
    let isDone = false
    const done = endings.done().then(() => (isDone = true))
    await Promise.resolve()
    expect(isDone).toBe(false)
    turn.next()
    await done
    expect(counters.failed).toBe(151)
    expect(calls.every((call) => call.isDone)).toBe(true)
    await endings.done()
  })

  it('leave out those that have their fate', () => {
    const counters = new StatsCounters()
    const endings = new Endings({
      clock: systemClock,
      failures: new Failures(counters, new Observers()),
      turn: new ManualTurn(),
      thin: () => undefined,
      dropped: () => undefined,
      onEnded: () => undefined,
    })
    const call = callOf(2)
    call.failUnserialized(0, CAUSE, 0)
    endings.end([call, call], () => CAUSE)
    expect(counters.failed).toBe(1)
    expect(call.isDone).toBe(true)
  })
})
