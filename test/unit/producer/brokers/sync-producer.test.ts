import { expect, it } from 'vitest'
import type { BrokerSession, SessionFactory } from '../../../../src/network/session/session.js'
import { Slots } from '../../../../src/network/streams/slots.js'
import { SyncProducer } from '../../../../src/producer/brokers/sync-producer.js'
import { LEGACY_VERSIONS, ServedVersions } from '../../../../src/protocol/versions.js'
import { turns } from '../../../embedded/support/producers.js'
import { Dice } from '../../../simulation/dice.js'
import { VirtualClock } from '../../../simulation/virtual-clock.js'

const TIMES = { requestTimeoutMs: 1_000, deliveryTimeoutMs: 1_000, retryBackoffMs: 1, retryBackoffMaxMs: 1 }
const REQUEST = { transactionalId: null, acks: 1, timeoutMs: 1_000, topicData: [] }
const nothing = () => undefined

it('a retired one ends its connection when all that is on it has its answer, and not before', async () => {
  const answers: (() => void)[] = []
  let closings = 0
  const connection = {
    isOpen: true,
    request: () => new Promise<void>((resolve) => answers.push(resolve)),
    close: async () => void closings++,
  }
  const session = { connection, versions: LEGACY_VERSIONS } as unknown as BrokerSession
  const sessions = { open: async () => session } as unknown as SessionFactory
  const producer = new SyncProducer(1, { host: 'kafka', port: 9092 }, sessions, new Slots(1), TIMES)
  await producer.connect()
  const sent = [1, 2].map(() => producer.send(session, 0, REQUEST, nothing, nothing))
  producer.retire()
  for (const i of [0, 1]) {
    expect(closings).toBe(0)
    answers[i]?.()
    await sent[i]
  }
  expect(closings).toBe(1)
})

const OF_TODAY = new ServedVersions(new Map(), 'a test')

it.each([
  ['acknowledgements that are gathered in time', { acks: 1 }, OF_TODAY, 1_000, 5_000, 2_000],
  ['nobody who waits any more', { acks: 1 }, OF_TODAY, 60_000, 3_000, 4_000],
  ['a broker that gathers none', { acks: 0 }, OF_TODAY, 1_000, 5_000, 1_000],
  ['nobody who waits any more, and no answer', { acks: 0 }, OF_TODAY, 60_000, 3_000, 4_000],
  ['one of Kafka 0.8, which answers in time or never', { acks: 1 }, LEGACY_VERSIONS, 1_000, 5_000, 1_000],
  ['one of Kafka 0.8, and nobody who waits any more', { acks: 1 }, LEGACY_VERSIONS, 60_000, 3_000, 4_000],
])(
  'an answer may take as long as it needs for %s',
  async (_, acks, versions, requestTimeoutMs, deliveryTimeoutMs, ms) => {
    const given: number[] = []
    const note = async (...[, , , options]: readonly [unknown, unknown, unknown, { timeoutMs: number }]) =>
      void given.push(options.timeoutMs)
    const connection = { isOpen: true, request: note, sendOneWay: note }
    const session = { connection, versions } as unknown as BrokerSession
    const sessions = { open: async () => session } as unknown as SessionFactory
    const times = { ...TIMES, requestTimeoutMs, deliveryTimeoutMs }
    const producer = new SyncProducer(1, { host: 'kafka', port: 9092 }, sessions, new Slots(1), times)
    await producer.send(session, 0, { ...REQUEST, ...acks }, nothing, nothing)
    expect(given).toEqual([ms])
  },
)

it('one that is retired as its connection has just been opened ends that', async () => {
  let closings = 0
  const connection = { isOpen: true, close: async () => void closings++ }
  let opened: (session: BrokerSession) => void = nothing
  const sessions = {
    open: () => new Promise<BrokerSession>((resolve) => (opened = resolve)),
  } as unknown as SessionFactory
  const producer = new SyncProducer(1, { host: 'kafka', port: 9092 }, sessions, new Slots(1), TIMES)
  const connecting = producer.connect()
  await turns(1)
  opened({ connection, versions: OF_TODAY } as unknown as BrokerSession)
  producer.retire()
  await connecting
  expect(closings).toBe(1)
})

it('a broker that is lost again after it was connected to is tried again after the shortest wait', async () => {
  const time = new VirtualClock()
  const connection = { isOpen: true }
  const attempts: number[] = []
  let isAway = true
  const sessions = {
    open: async () => {
      attempts.push(time.now)
      if (isAway) throw new Error('away')
      connection.isOpen = true
      return { connection, versions: OF_TODAY }
    },
  } as unknown as SessionFactory
  const times = { ...TIMES, retryBackoffMs: 100, retryBackoffMaxMs: 10_000 }
  const surroundings = { clock: time.for('test'), random: new Dice(1) }
  const producer = new SyncProducer(1, { host: 'kafka', port: 9092 }, sessions, new Slots(1), times, surroundings)
  const connect = async () => {
    const before = attempts.length
    const connecting = producer.connect().catch(nothing)
    while (attempts.length === before) {
      await turns(1)
      time.step()
    }
    await connecting
  }
  const lastWait = () => (attempts.at(-1) as number) - (attempts.at(-2) as number)
  for (let i = 0; i < 6; i++) await connect()
  expect(lastWait()).toBeGreaterThan(1_000)
  isAway = false
  await connect()
  connection.isOpen = false
  isAway = true
  await connect()
  await connect()
  expect(lastWait()).toBeLessThan(150)
})
