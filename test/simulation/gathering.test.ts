import { describe, expect, it } from 'vitest'
import { Producer } from '../../src/producer/producer.js'
import { EmbeddedKafka } from '../../src/testing/index.js'
import { Dice } from './dice.js'
import { SimNetwork } from './network.js'
import { VirtualClock } from './virtual-clock.js'

/* How what is sent by many at different times comes together again: on a virtual clock, so that it is the same each time. */

const GROUPS = 5
const ROUNDS = 30
const ignore = (): void => undefined

interface Load {
  /** Of each group: it has a partition of its own, and begins apart from the others. */
  readonly lanes: number
  readonly bytes: number
  /** One way. */
  readonly delayMs: number
}

/** How many Produce requests it takes where whoever has his answer sends his next message. */
async function requestsFor({ lanes, bytes, delayMs }: Load): Promise<number> {
  const clock = new VirtualClock()
  const network = new SimNetwork(clock.for('network'), new Dice(1), { delayMs, splits: 0 }, ignore)
  const surroundings = { clock: clock.for('cluster'), random: new Dice(2), listen: network.listen }
  const kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: GROUPS } } }, surroundings)
  const producer = new Producer(
    { brokers: '127.0.0.1:9001' },
    { clock: clock.for('producer'), random: new Dice(3), connect: network.connect },
  )
  const value = 'x'.repeat(bytes)
  const lane = async (partition: number) => {
    for (let round = 0; round < ROUNDS; round++) await producer.send({ topic: 'logs', partition, value })
  }
  const play = async (isOver: () => boolean) => {
    while (!isOver()) {
      clock.step()
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const acknowledged = (count: number) => play(() => producer.stats().acknowledged === count)
  // Leaders are known, and connected to.
  const first = Array.from({ length: GROUPS }, (_, partition) => producer.send({ topic: 'logs', partition, value }))
  await acknowledged(GROUPS)
  const all: Promise<unknown>[] = first
  for (let group = 0; group < GROUPS; group++)
    clock.for('user').setTimeout(
      () => {
        for (let i = 0; i < lanes; i++) all.push(lane(group))
      },
      1 + (group * 2 * delayMs) / GROUPS,
    )
  await acknowledged(GROUPS * (lanes * ROUNDS + 1))
  await Promise.all(all)
  const { length } = kafka.requests.filter(({ api }) => api === 'Produce')
  let isClosed = false
  void Promise.all([producer.close(), kafka.stop()]).then(() => (isClosed = true))
  await play(() => isClosed)
  return length
}

describe('what groups send that began apart', () => {
  it('comes together where there is much of it: two or three requests are on their way, and not one for each group', async () => {
    const requests = await requestsFor({ lanes: 60, bytes: 1_000, delayMs: 3 })
    // Apart from each other it would be one for each group in each round.
    expect(requests).toBeLessThan(3.5 * ROUNDS)
  })

  it.each([
    ['there is little of it', { lanes: 1, bytes: 100, delayMs: 3 }],
    ['the broker takes its time', { lanes: 60, bytes: 1_000, delayMs: 20 }],
  ])('goes at once where %s', async (_, load) => {
    expect(await requestsFor(load)).toBeGreaterThan((GROUPS - 1) * ROUNDS)
  })
})
