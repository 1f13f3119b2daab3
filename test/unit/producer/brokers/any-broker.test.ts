import { Socket } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { sleep } from '../../../../src/clock.js'
import { BrokerUnavailableError, RequestTimeoutError } from '../../../../src/errors.js'
import { KnownCluster } from '../../../../src/network/session/known-cluster.js'
import { SessionFactory } from '../../../../src/network/session/session.js'
import { AnyBroker } from '../../../../src/producer/brokers/any-broker.js'
import { Declined } from '../../../../src/producer/brokers/asking-round.js'
import { Observers } from '../../../../src/stats/observer.js'
import { StatisticsObserver } from '../../../../src/stats/statistics.js'
import { turns } from '../../../embedded/support/producers.js'
import { Dice } from '../../../simulation/dice.js'
import { VirtualClock } from '../../../simulation/virtual-clock.js'

/** A question to a hundred brokers that swallow what connects to them, and what is seen of it. */
function askSilentBrokers() {
  const time = new VirtualClock()
  const connectedAt: number[] = []
  const surroundings = {
    clock: time.for('test'),
    random: new Dice(1),
    connect: () => {
      connectedAt.push(time.now)
      return new Socket()
    },
  }
  const observers = new Observers()
  const statistics = new StatisticsObserver(() => time.now)
  observers.add(statistics)
  const sessions = new SessionFactory(
    {
      clientId: 'test',
      connectTimeoutMs: 600_000,
      requestTimeoutMs: 600_000,
      maxResponseBytes: 1_000_000,
      maxIdleMs: 600_000,
      softwareVersion: '1.0.0',
      legacyOnly: false,
    },
    surroundings,
    observers,
  )
  sessions.retain()
  const brokers = Array.from({ length: 100 }, (_, i) => ({ host: `127.0.0.${i + 1}`, port: 9092 }))
  const anyBroker = new AnyBroker(sessions, brokers, surroundings)
  anyBroker.ask(() => Promise.resolve()).catch(() => undefined)
  onTestFinished(() => sessions.close(0))
  const passUntil = async (at: number) => {
    while (time.now < at) {
      await turns(3)
      time.step()
    }
  }
  return { connectedAt, statistics, passUntil }
}

it('of a hundred silent brokers one a second is tried, also when as many are being tried as may be', async () => {
  const { connectedAt, passUntil } = askSilentBrokers()
  await passUntil(40_000)
  expect(connectedAt.length).toBeGreaterThan(30)
  for (let i = 1; i < connectedAt.length; i++)
    expect((connectedAt[i] as number) - (connectedAt[i - 1] as number)).toBeGreaterThanOrEqual(1_000)
})

it('one that was given up for others has failed to connect, which is told and counted', async () => {
  const { statistics, passUntil } = askSilentBrokers()
  await passUntil(15_000)
  expect(statistics.snapshot().connections.failed).toBe(0)
  await passUntil(20_000)
  expect(statistics.snapshot().connections.failed).toBeGreaterThan(0)
})

it('one that is connected to for two questions is not given up for the one that has its answer elsewhere', async () => {
  const time = new VirtualClock()
  const surroundings = { clock: time.for('test'), random: new Dice(1) }
  const brokers = ['kafka-1', 'kafka-2'].map((host) => ({ host, port: 9092 }))
  const connection = { address: brokers[1], isOpen: true, onClose: () => undefined, close: () => undefined }
  const signals: AbortSignal[] = []
  const sessions = {
    // Whoever is asked first is silent.
    open: (address: unknown, { signal }: { signal: AbortSignal }) =>
      signals.push(signal) < 2
        ? new Promise(() => undefined)
        : Promise.resolve({ connection: { ...connection, address }, throttle: { leftMs: 0 } }),
    isNeeded: true,
    signal: new AbortController().signal,
    cluster: new KnownCluster(),
    whyUnanswered: (_: unknown, error: unknown) => Promise.resolve(error),
  }
  const anyBroker = new AnyBroker(sessions as unknown as SessionFactory, brokers, surroundings)
  let isAnswered = false
  void anyBroker.ask(() => Promise.resolve()).then(() => (isAnswered = true))
  let hasDeclined = false
  const decline = () => {
    hasDeclined = true
    return Promise.reject(new Declined(new BrokerUnavailableError('not by this one')))
  }
  anyBroker.ask(decline).catch(() => undefined)
  while (!isAnswered || !hasDeclined) {
    await turns(3)
    time.step()
  }
  expect(signals.map(({ aborted }) => aborted)).toEqual([false, false])
})

it('those that are silent are left alone once another has answered', async () => {
  const time = new VirtualClock()
  const surroundings = { clock: time.for('test'), random: new Dice(1) }
  const session = {
    connection: {
      address: { host: 'kafka-3', port: 9092 },
      isOpen: true,
      onClose: () => undefined,
      close: () => undefined,
    },
    throttle: { leftMs: 0 },
  }
  const signals: AbortSignal[] = []
  // Whoever is asked third answers.
  const open = (_: unknown, { signal }: { signal: AbortSignal }) =>
    signals.push(signal) < 3 ? new Promise(() => undefined) : Promise.resolve(session)
  const sessions = {
    open,
    isNeeded: true,
    signal: new AbortController().signal,
    cluster: new KnownCluster(),
    whyUnanswered: (_: unknown, error: unknown) => Promise.resolve(error),
  }
  const brokers = ['kafka-1', 'kafka-2', 'kafka-3'].map((host) => ({ host, port: 9092 }))
  const anyBroker = new AnyBroker(sessions as unknown as SessionFactory, brokers, surroundings)
  let isAnswered = false
  void anyBroker.ask(() => Promise.resolve()).then(() => (isAnswered = true))
  while (!isAnswered) {
    expect(signals.some(({ aborted }) => aborted)).toBe(false)
    await turns(3)
    time.step()
  }
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, false])
})

it('where all are slow they are given longer each time, and once one has answered as late, no less', async () => {
  const time = new VirtualClock()
  const surroundings = { clock: time.for('test'), random: new Dice(1) }
  const session = {
    connection: {
      address: { host: 'kafka-1', port: 9092 },
      isOpen: true,
      onClose: () => undefined,
      close: () => undefined,
    },
    throttle: { leftMs: 0 },
  }
  // While nobody waits the broker is not asked beside itself on another connection.
  const sessions = {
    open: () => Promise.resolve(session),
    isNeeded: false,
    signal: new AbortController().signal,
    cluster: new KnownCluster(),
    whyUnanswered: (_: unknown, error: unknown) => Promise.resolve(error),
  }
  const anyBroker = new AnyBroker(sessions as unknown as SessionFactory, [session.connection.address], surroundings)
  const patience: number[] = []
  /** A question that has its answer after so long, where the broker may take as long. */
  const ask = (afterMs: number) =>
    anyBroker
      .ask(async (_, patienceMs) => {
        patience.push(patienceMs)
        await sleep(surroundings.clock, Math.min(afterMs, patienceMs), sessions.signal)
        if (patienceMs < afterMs) throw new RequestTimeoutError('late')
      })
      .catch(() => undefined)
  for (const afterMs of [25_000, 25_000, 25_000, 25_000, 1_000, 1_000]) {
    let isOver = false
    void ask(afterMs).then(() => (isOver = true))
    while (!isOver) {
      await turns(3)
      time.step()
    }
  }
  expect(patience).toEqual([10_000, 20_000, 40_000, 40_000, 40_000, 10_000])
})
