import { expect, it } from 'vitest'
import { systemClock } from '../../../src/clock.js'
import { ProducerSendLoop } from '../../../src/producer/producer-send-loop.js'
import type { OutgoingMessage } from '../../../src/producer/queues/outgoing-message.js'
import { ManualTurn } from './calls/admission-support.js'
import { Owner, outgoingMessage } from './outgoing.js'

it('the send loop neither measures nor releases what was ended while it waited for room', () => {
  const measured: OutgoingMessage[] = []
  const released: OutgoingMessage[] = []
  const loop = new ProducerSendLoop(
    { lingerMs: 0, batchMessages: 2, batchBytes: 1_000 },
    new ManualTurn(),
    (messages, from, to) => released.push(...messages.slice(from, to)),
    (message) => measured.push(message),
    systemClock,
  )
  const messages = ['a', 'b', 'c'].map((value, index) => outgoingMessage(new Owner(), index, { value }))
  const [first, , last] = messages
  for (const message of [first, last]) (message as OutgoingMessage).room = 1
  loop.put(messages, 0, 3)
  expect(measured).toEqual([first, last])
  expect(released).toEqual([first, last])
})
