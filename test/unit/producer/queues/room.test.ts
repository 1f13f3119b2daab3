import { describe, expect, it } from 'vitest'
import { Room } from '../../../../src/producer/queues/room.js'
import type { Data } from '../../../../src/protocol/records/record.js'
import { Owner, outgoingMessage } from '../outgoing.js'

function room() {
  const told: number[] = []
  const it: Room = new Room(10, 1_000, () => told.push(it.messages))
  const owner = new Owner()
  const messages = Array.from({ length: 3 }, (_, i) => outgoingMessage(owner, i, { topic: 't', key: null, value: 'v' }))
  for (const message of messages) it.take(message, false)
  return { it, told, messages }
}

describe('room that is given back', () => {
  it('is told once, when the step is over, whoever gave it back', async () => {
    const { it, told, messages } = room()
    for (const message of messages.slice(1)) it.leave(message)
    it.release({ messages: 1, bytes: messages[0]?.room as number })
    expect(told).toEqual([])
    await Promise.resolve()
    expect(told).toEqual([0])
    await Promise.resolve()
    expect(told).toEqual([0])
  })

  it('is told at once by whose step is over, and not again', async () => {
    const { it, told, messages } = room()
    it.tell()
    expect(told).toEqual([])
    for (const message of messages) it.leave(message)
    it.tell()
    expect(told).toEqual([0])
    await Promise.resolve()
    expect(told).toEqual([0])
  })
})

describe('room', () => {
  it('is given back once, by what has it', () => {
    const { it, messages } = room()
    const [message] = messages
    for (let i = 0; i < 2; i++) if (message !== undefined) it.leave(message)
    it.leave(outgoingMessage(new Owner(), 0, { value: 'never let in' }))
    expect([it.messages, it.bytes]).toEqual([2, 6])
  })

  it('is empty when the last that was held is given back, and not before', async () => {
    const { it, messages } = room()
    let isEmpty = false
    const emptied = it.emptied().then(() => (isEmpty = true))
    for (const message of messages) {
      expect(isEmpty).toBe(false)
      it.leave(message)
      it.tell()
      await Promise.resolve()
    }
    await emptied
    await it.emptied()
  })
})

describe('room that is taken', () => {
  const bound = () => new Room(10, 100, () => undefined)
  const message = (value: Data) => outgoingMessage(new Owner(), 0, { value })

  it('is that of the bytes that a text comes to, where the most that it could come to finds none', () => {
    const it = bound()
    expect(it.take(message(Buffer.alloc(60)), false)).toBe(true)
    // 120 bytes at the most.
    const text = message('x'.repeat(40))
    expect(it.hasRoomFor(text, false)).toBe(true)
    expect(it.take(text, false)).toBe(true)
    expect([it.bytes, text.room]).toEqual([100, 40])
    const more = message('x')
    expect([it.hasRoomFor(more, false), it.take(more, false), it.bytes]).toEqual([false, false, 100])
  })

  it('is half of it for topics without metadata, to the last byte', () => {
    const it = bound()
    it.take(message(Buffer.alloc(20)), true)
    expect([30, 31].map((bytes) => it.hasShareFor(message(Buffer.alloc(bytes))))).toEqual([true, false])
  })

  it('is no more than that half for one alone of these, and what it comes to for those beside it', () => {
    const it = bound()
    expect(it.take(message(Buffer.alloc(80)), true)).toBe(true)
    expect([it.bytes, it.unknownBytes]).toEqual([50, 50])
    expect(it.take(message(Buffer.alloc(60)), true)).toBe(false)
  })

  it('is as much less for those alone that are measured', () => {
    const it = bound()
    const [known, unknown] = [message('x'.repeat(10)), message('x'.repeat(10))]
    it.take(known, false)
    it.take(unknown, true)
    expect([it.bytes, it.unknownBytes]).toEqual([60, 30])
    it.measure(known)
    expect([it.bytes, it.unknownBytes]).toEqual([40, 30])
    it.measure(unknown)
    expect([it.bytes, it.unknownBytes]).toEqual([20, 10])
  })
})
