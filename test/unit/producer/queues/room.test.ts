import { describe, expect, it } from 'vitest'
import { Room } from '../../../../src/producer/queues/room.js'
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
