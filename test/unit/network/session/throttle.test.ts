import { expect, it } from 'vitest'
import { systemClock } from '../../../../src/clock.js'
import { Throttle } from '../../../../src/network/session/throttle.js'

it('answers that were on their way together and ask for the same quiet are told as that, and not each as one of its own', () => {
  let now = 1_000
  const told: [askedMs: number, addedMs: number][] = []
  const throttle = new Throttle(30_000, { ...systemClock, now: () => now }, (asked, added) => told.push([asked, added]))
  for (let i = 0; i < 5; i++) {
    throttle.heed(1_000)
    now += 10
  }
  expect(told).toEqual([
    [1_000, 1_000],
    [1_000, 10],
    [1_000, 10],
    [1_000, 10],
    [1_000, 10],
  ])
  now += 5_000
  // More than is heeded; and what asks for no wait.
  throttle.heed(60_000)
  throttle.heed(0)
  expect(told.at(-1)).toEqual([60_000, 30_000])
})
