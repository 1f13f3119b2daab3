import { expect, it } from 'vitest'
import { systemClock } from '../../../../src/clock.js'
import { EarlyEnds } from '../../../../src/producer/calls/early-ends.js'
import type { Endings } from '../../../../src/producer/calls/endings.js'
import type { MessageCall } from '../../../../src/producer/calls/message-call.js'
import { SendCall } from '../../../../src/producer/calls/send-call.js'

it('a signal ends the calls that there are at its event, and none that comes while they are ended', () => {
  const ended: Iterable<MessageCall>[] = []
  const endings: Pick<Endings, 'end' | 'done'> = {
    end: (calls) => void ended.push(calls),
    done: () => Promise.resolve(),
  }
  const earlyEnds = new EarlyEnds({
    clock: systemClock,
    endings: endings as Endings,
    deliveryTimeoutMs: 60_000,
    causesOfDelay: () => {
      throw new Error('of no concern')
    },
  })
  const { signal } = new AbortController()
  const call = () => {
    const moment = { timestamp: 0, at: performance.now() }
    const made = new SendCall([{ topic: 'orders', value: 'v' }], false, moment, signal, () => undefined)
    earlyEnds.heed(signal, made)
    return made
  }
  const first = call()
  // Anybody may dispatch it: the signal is not aborted.
  signal.dispatchEvent(new Event('abort'))
  const second = call()
  expect(ended.map((calls) => [...calls])).toEqual([[first]])
  expect([first, second].map((one) => earlyEnds.isEnding(one))).toEqual([true, false])
})
