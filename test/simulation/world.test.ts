import { describe, expect, it } from 'vitest'
import { Producer } from '../../src/producer/producer.js'
import { Dice } from './dice.js'
import { SimNetwork } from './network.js'
import { PLAIN, type WorldAction } from './scenario.js'
import { VirtualClock } from './virtual-clock.js'
import { World } from './world.js'

/** A world with one broker, and a producer in it that sends one message after the other. */
async function started() {
  const clock = new VirtualClock()
  const network = new SimNetwork(clock.for('network'), new Dice(1), { delayMs: 0.2, splits: 0 }, () => undefined)
  const play = async <T>(promise: Promise<T>): Promise<T> => {
    let isSettled = false
    const settle = () => (isSettled = true)
    promise.then(settle, settle)
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve))
      if (isSettled) return promise
      clock.step()
    }
  }
  const world = await play(
    World.start(PLAIN, {
      clock: clock.for('cluster'),
      random: new Dice(2),
      listen: network.listen,
      topics: () => ['t1'],
      trace: () => undefined,
      broke: (error) => {
        throw error
      },
    }),
  )
  const producer = new Producer(
    { brokers: '127.0.0.1:9001' },
    { clock: clock.for('producer'), random: new Dice(3), connect: network.connect },
  )
  const send = async (value: string) => Number((await play(producer.send({ topic: 't1', value })))[0].offset)
  const there = () => world.kafka.records('t1').map(({ value, offset }) => `${String(value)} at ${offset}`)
  const written = () => world.everWritten().map(({ records }) => records.map(({ value }) => String(value)).join())
  const meet = async (action: WorldAction) => {
    world.meet(action)
    await play(world.made ?? Promise.resolve())
  }
  const end = async () => {
    await play(producer.close())
    await play(world.kafka.stop())
  }
  return { world, send, there, written, meet, end }
}

describe('a world that changes', () => {
  it('has logs that retention empties: offsets go on, and what was written is one log with what comes', async () => {
    const { send, there, written, meet, end } = await started()
    for (const value of ['a', 'b']) await send(value)
    await meet({ at: 1, do: 'retain', topic: 't1' })
    expect(there()).toEqual([])
    expect(await send('c')).toBe(2)
    expect(there()).toEqual(['c at 2'])
    expect(written()).toEqual(['a,b,c'])
    await end()
  })

  it('has elections that lose the newest writes, whose offsets are given again', async () => {
    const { send, there, written, meet, end } = await started()
    for (const value of ['a', 'b', 'c']) await send(value)
    await meet({ at: 1, do: 'truncate', topic: 't1', count: 2 })
    expect(there()).toEqual(['a at 0'])
    expect(await send('d')).toBe(1)
    expect(written()).toEqual(['b,c', 'a,d'])
    await end()
  })

  it('has another cluster at its addresses, with empty topics and producer ids of its own', async () => {
    const { world, send, there, written, meet, end } = await started()
    await send('a')
    const before = world.kafka
    await meet({ at: 1, do: 'anew', ms: 50, otherIds: true })
    expect(world.kafka).not.toBe(before)
    expect(world.kafka.bootstrap).toBe(before.bootstrap)
    expect(await send('b')).toBe(0)
    expect(there()).toEqual(['b at 0'])
    expect(written()).toEqual(['a', 'b'])
    expect(world.kafka.records('t1').map(({ producerId }) => producerId)).toEqual([2_000])
    await end()
  })

  it('has brokers that come, and go for good', async () => {
    const { world, meet, end } = await started()
    const ids = () => world.kafka.brokers.map(({ id }) => id)
    await meet({ at: 1, do: 'join', broker: 2 })
    expect(ids()).toEqual([1, 2])
    await meet({ at: 2, do: 'leave', broker: 1 })
    expect(ids()).toEqual([2])
    // It alone had what the topic has.
    world.heal()
    expect(ids()).toEqual([2, 1])
    await end()
  })
})
