import { Socket } from 'node:net'
import { expect, it } from 'vitest'
import { SessionFactory } from '../../../../src/network/session/session.js'
import { Slots } from '../../../../src/network/streams/slots.js'
import { SyncProducer } from '../../../../src/producer/brokers/sync-producer.js'
import { turns } from '../../../embedded/support/producers.js'
import { Dice } from '../../../simulation/dice.js'
import { VirtualClock } from '../../../simulation/virtual-clock.js'

const CLIENTS = 100
const OUTAGE_MS = 30_000
const TIMES = {
  requestTimeoutMs: 30_000,
  deliveryTimeoutMs: 120_000,
  retryBackoffMs: 100,
  retryBackoffMaxMs: 1_000,
}

/** A connection that is refused. */
function refused(): Socket {
  const socket = new Socket()
  process.nextTick(() => socket.destroy(new Error('connect ECONNREFUSED')))
  return socket
}

it('a hundred producers whose broker is away try it no more often than they wait, and never all at once', async () => {
  const time = new VirtualClock()
  const attempts: number[] = []
  const connect = () => {
    attempts.push(time.now)
    return refused()
  }
  const producers = Array.from({ length: CLIENTS }, (_, seed) => {
    const surroundings = { clock: time.for('test'), random: new Dice(seed), connect }
    const sessions = new SessionFactory(
      {
        clientId: 'test',
        connectTimeoutMs: 10_000,
        requestTimeoutMs: TIMES.requestTimeoutMs,
        maxResponseBytes: 1_000_000,
        maxIdleMs: 60_000,
        softwareVersion: '1.0.0',
        legacyOnly: false,
      },
      surroundings,
    )
    sessions.retain()
    return new SyncProducer(1, { host: '127.0.0.1', port: 9092 }, sessions, new Slots(1), TIMES, surroundings)
  })
  const trying = producers.map(async (producer) => {
    while (!producer.isRetired) await producer.connect().catch(() => undefined)
  })
  while (time.now < OUTAGE_MS) {
    await turns(3)
    time.step()
  }
  for (const producer of producers) producer.retire()
  await turns()
  await Promise.all(trying)

  // Four while the waits double, and then one in 800 ms at the most, and in 1,200 ms at the least.
  expect(attempts.length).toBeLessThanOrEqual(CLIENTS * (5 + OUTAGE_MS / 800))
  expect(attempts.length).toBeGreaterThanOrEqual(CLIENTS * (OUTAGE_MS / 1_200))
  const ofMoment = new Map<number, number>()
  for (const at of attempts.filter((at) => at > OUTAGE_MS / 2)) {
    const moment = Math.floor(at / 100)
    ofMoment.set(moment, (ofMoment.get(moment) ?? 0) + 1)
  }
  // Ten on average: without chance all hundred come in the same tenth of a second.
  expect(Math.max(...ofMoment.values())).toBeLessThan(CLIENTS / 3)
})
