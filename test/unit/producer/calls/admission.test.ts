import { describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../../../src/clock.js'
import { Admission } from '../../../../src/producer/calls/admission.js'
import type { MessageOwner, OutgoingMessage } from '../../../../src/producer/queues/outgoing-message.js'
import { Room } from '../../../../src/producer/queues/room.js'
import { VirtualClock } from '../../../simulation/virtual-clock.js'
import { Owner, outgoingMessage } from '../outgoing.js'
import { ManualTurn } from './admission-support.js'

function admission({
  maxMessages = 10_000,
  maxBytes = 1_000_000,
  enqueueTimeoutMs = 0,
  onAdmit = (_name: string): void => undefined,
  isEnding = (_owner: MessageOwner): boolean => false,
  clock = systemClock,
} = {}) {
  const admitted: string[] = []
  const refused: string[] = []
  /** How often it was told that somebody waits. */
  const waiting = { told: 0 }
  /** How often it was asked whether there is metadata of a topic. */
  const looks = { count: 0 }
  const turn = new ManualTurn()
  const room = new Room(maxMessages, maxBytes, () => undefined)
  const line: Admission = new Admission({
    clock,
    room,
    turn,
    isEnding,
    enqueueTimeoutMs,
    topics: { knowsAny: true, isUnknown: (topic) => ++looks.count > 0 && topic.startsWith('unknown') },
    admit: (messages, from, to) => {
      for (const { value } of messages.slice(from, to)) {
        admitted.push(String(value))
        onAdmit(String(value))
      }
    },
    refuse: ({ value, owner, index }, cause) => {
      refused.push(String(value))
      owner.settle(index, cause as never, 0)
    },
    onWaiting: () => waiting.told++,
  })
  return { line, room, turn, admitted, refused, waiting, looks }
}

function call(count: number, name: string, topic = 'orders', key: Uint8Array | null = null): OutgoingMessage[] {
  const owner = new Owner()
  return Array.from({ length: count }, (_, i) => outgoingMessage(owner, i, { topic, key, value: `${name}${i}` }))
}

describe('admission', () => {
  it('lets in nobody who is being told that he has ended, and those behind him', () => {
    const ending = new Set<MessageOwner>()
    const { line, turn, admitted } = admission({ isEnding: (owner) => ending.has(owner) })
    turn.spent = true
    line.submit(call(600, 'a'))
    const late = call(3, 'b')
    line.submit(late)
    line.submit(call(1, 'c'))
    ending.add((late[0] as OutgoingMessage).owner)
    while (!line.isEmpty) turn.next()
    expect(admitted).toHaveLength(601)
    expect(admitted.at(-1)).toBe('c0')
  })

  it('lets in nobody once it is closed', () => {
    const { line, turn, admitted, refused } = admission()
    turn.spent = true
    line.submit(call(600, 'a'))
    const { length } = admitted
    line.close()
    line.submit(call(1, 'b'))
    turn.next()
    line.pump()
    expect(admitted).toHaveLength(length)
    expect(refused).toEqual([])
  })

  it('refuses nobody who waits for a turn and not for room, though enqueueTimeoutMs is 0', () => {
    const { line, turn, admitted, refused } = admission()
    turn.spent = true
    line.submit(call(1_000, 'a'))
    line.submit(call(1, 'b'))
    line.submit(call(1, 'c'))
    expect(refused).toEqual([])
    expect(admitted.length).toBeLessThan(1_000)
    while (!line.isEmpty) turn.next()
    expect(admitted.slice(-2)).toEqual(['b0', 'c0'])
    expect(admitted).toHaveLength(1_002)
    expect(refused).toEqual([])
  })

  it('refuses at once who finds no room, where enqueueTimeoutMs is 0', () => {
    const { line, admitted, refused } = admission({ maxMessages: 2 })
    line.submit(call(3, 'a'))
    line.submit(call(1, 'b'))
    expect(admitted).toEqual(['a0', 'a1'])
    expect(refused).toEqual(['a2', 'b0'])
    expect(line.isEmpty).toBe(true)
  })

  it.each(['orders', 'unknown'])('refuses very many for %s in several turns, each once and in their order', (topic) => {
    const { line, room, turn, admitted, refused } = admission({ maxMessages: 1 })
    line.submit(call(1, 'inside', topic))
    turn.next()
    turn.spent = true
    line.submit(call(1_000, 'a', topic))
    line.submit(call(1, 'b', topic))
    expect(refused.length).toBeLessThan(500)
    expect(line.isEmpty).toBe(true)
    // Those that have not been told yet are out all the same.
    room.release({ messages: 1, bytes: 0 })
    line.pump()
    while (refused.length < 1_001) turn.next()
    const all = Array.from({ length: 1_000 }, (_, i) => `a${i}`)
    expect(refused).toEqual([...all, 'b0'])
    expect(admitted).toEqual(['inside0'])
  })

  it('takes in who was behind a message that found no room, when that is refused', () => {
    const { line, turn, admitted, refused } = admission({ maxBytes: 10_000 })
    turn.spent = true
    line.submit(call(512, 'a'))
    line.submit(call(1, 'large', 'orders', new Uint8Array(9_000)))
    line.submit(call(1, 'small', 'orders', new Uint8Array(1)))
    turn.next()
    expect(refused).toEqual(['large0'])
    expect(admitted.at(-1)).toBe('small0')
  })

  it('takes in what is left of a call ahead of what was given from within it', () => {
    const { line, room, admitted } = admission({
      maxMessages: 2,
      enqueueTimeoutMs: -1,
      onAdmit: (name) => {
        if (name === 'a0') line.submit(call(1, 'b'))
      },
    })
    const given = call(4, 'a')
    line.submit(given)
    for (const message of given) {
      room.leave(message)
      line.pump()
    }
    expect(admitted).toEqual(['a0', 'a1', 'a2', 'a3', 'b0'])
  })

  it('keeps a call that is being taken in whole when another is given from within it', () => {
    const { line, turn, admitted, refused } = admission({
      onAdmit: (name) => {
        if (name === 'b0') line.submit(call(1, 'c'))
      },
    })
    turn.spent = true
    line.submit(call(1_000, 'a'))
    line.submit(call(200, 'b'))
    while (!line.isEmpty) turn.next()
    expect(refused).toEqual([])
    expect(admitted).toHaveLength(1_201)
    expect(admitted.at(-1)).toBe('c0')
  })

  it('holds up nobody else with messages for a topic that is not known, beyond half of the room', () => {
    const { line, admitted, refused } = admission({ maxMessages: 8 })
    line.submit(call(6, 'u', 'unknown'))
    line.submit(call(3, 'k'))
    expect(admitted).toEqual(['u0', 'u1', 'u2', 'u3', 'k0', 'k1', 'k2'])
    expect(refused).toEqual(['u4', 'u5'])
  })

  it('looks at topics that wait apart when their share is given back, and not for whatever else is', () => {
    const { line, room, admitted, looks } = admission({ maxMessages: 10, enqueueTimeoutMs: -1 })
    const unknown = call(5, 'u', 'unknown')
    line.submit(unknown)
    for (let i = 0; i < 1_000; i++) line.submit(call(1, `apart ${i} `, `unknown ${i}`))
    looks.count = 0
    for (let i = 0; i < 10; i++) {
      const known = call(1, 'k')
      line.submit(known)
      room.leave(known[0] as OutgoingMessage)
      line.onRoom()
    }
    expect(looks.count).toBeLessThan(100)
    room.leave(unknown[0] as OutgoingMessage)
    line.onRoom()
    expect(admitted.at(-1)).toBe('apart 0 0')
  })

  it.each(['orders', 'unknown'])('refuses nobody who is patient, and in their time those behind: %s', async (topic) => {
    const { line, room, refused, admitted } = admission({ maxMessages: 1, enqueueTimeoutMs: 1 })
    const inside = call(1, 'inside', topic)
    line.submit(inside)
    const given = ['patient', 'a', 'b', 'patient too', 'c'].map((name) => call(1, name, topic)[0] as OutgoingMessage)
    for (const message of given) {
      ;(message.owner as Owner).isPatient = String(message.value).startsWith('patient')
      line.submit([message])
    }
    await vi.waitFor(() => expect(refused).toHaveLength(3))
    expect(refused).toEqual(['a0', 'b0', 'c0'])
    expect(admitted).toEqual(['inside0'])
    for (const message of [...inside, ...given]) {
      room.leave(message)
      line.onRoom()
    }
    expect(admitted).toEqual(['inside0', 'patient0', 'patient too0'])
    expect(line.isEmpty).toBe(true)
  })

  it('tells once of each that waits apart, since those that have the share may only linger', () => {
    const { line, waiting } = admission({ maxMessages: 8, enqueueTimeoutMs: -1 })
    line.submit(call(4, 'u', 'unknown'))
    expect(waiting.told).toBe(0)
    line.submit(call(1, 'v', 'unknown too'))
    expect(waiting.told).toBe(1)
    line.pump()
    expect(waiting.told).toBe(1)
  })

  it.each(['orders', 'unknown'])(
    'refuses nothing of a call for %s that still gets in, however long it takes',
    (topic) => {
      const time = new VirtualClock()
      const clock = time.for('test')
      const pass = (ms: number): void => {
        let isOver = false
        clock.setTimeout(() => (isOver = true), ms)
        while (!isOver) time.step()
      }
      const { line, room, turn, admitted, refused } = admission({ maxMessages: 8, enqueueTimeoutMs: 100, clock })
      const given = call(20, 'a', topic)
      const late = call(1, 'b', topic)
      line.submit(given)
      line.submit(late)
      for (const message of given.slice(0, 3)) {
        pass(60)
        room.leave(message)
        line.onRoom()
        turn.next()
      }
      // Who stood behind it got nothing in.
      expect(refused).toEqual(['b0'])
      const inside = admitted.length
      pass(60)
      expect(refused).toEqual(['b0'])
      pass(60)
      expect(refused).toHaveLength(1 + given.length - inside)
      expect(line.isEmpty).toBe(true)
    },
  )
})
