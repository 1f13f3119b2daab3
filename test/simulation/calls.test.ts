import { describe, expect, it } from 'vitest'
import type { ProducerStats } from '../../src/stats/producer-stats.js'
import { callerScenario, isCalling } from './caller-scenario.js'
import { Dice } from './dice.js'
import { SimNetwork } from './network.js'
import { lateConnections } from './own-connections.js'
import { Readings } from './readings.js'
import { scenarioOf } from './scenario-of.js'
import { PLAIN, type Action, type Scenario } from './scenario.js'
import { simulate } from './simulation.js'
import { VirtualClock } from './virtual-clock.js'

const SEND = { do: 'send', id: 1, count: 3, list: true, topic: 't1', keys: 1, size: 10 } as const

async function brokenBy(scenario: Partial<Scenario>): Promise<string | undefined> {
  return (await simulate({ ...PLAIN, ...scenario })).violation?.message
}

function stats(acknowledged: number, failed: number): ProducerStats {
  return { acknowledged, failed, queueMessages: 0 } as ProducerStats
}

describe('what else is called', () => {
  it('is what some seeds play, and each of it is played by some', () => {
    const made = Array.from({ length: 1_500 }, (_, i) => i + 1)
      .filter(isCalling)
      .map((seed) => callerScenario(seed, scenarioOf))
    const does = (is: (action: Action) => boolean) => made.some(({ actions }) => actions.some(is))
    expect(does((action) => action.do === 'flush' && action.timeoutMs !== undefined)).toBe(true)
    expect(does((action) => action.do === 'connect' && action.timeoutMs !== undefined)).toBe(true)
    expect(does((action) => action.do === 'connect' && action.signal !== undefined)).toBe(true)
    expect(does((action) => action.do === 'health')).toBe(true)
    expect(does((action) => action.do === 'subscribe')).toBe(true)
    expect(does((action) => action.do === 'recreate' && action.partitions !== undefined)).toBe(true)
    expect(made.some(({ ownConnections }) => ownConnections === 'promises')).toBe(true)
    expect(made.some(({ transactionTimeoutMs, intercepts }) => transactionTimeoutMs && intercepts)).toBe(true)
    expect(made.some(({ options }) => options.metadataMaxIdleMs !== undefined)).toBe(true)
    expect(made.some(({ promptMs }) => promptMs !== undefined)).toBe(true)
  })

  it('keeps its promises where nothing is wrong', async () => {
    const actions: Action[] = [
      { at: 1, ...SEND },
      { at: 1, do: 'flush', timeoutMs: 0 },
      { at: 2, do: 'flush', timeoutMs: 1_000 },
      { at: 2, do: 'connect', timeoutMs: 0 },
      { at: 3, do: 'connect', signal: 0 },
      { at: 3, do: 'abort', signal: 0 },
      { at: 4, do: 'health', everyMs: 1, times: 10 },
      { at: 50, do: 'recreate', topic: 't1', partitions: 1 },
    ]
    const wantsMetrics = { intervalMs: 100, metrics: [''], maxBytes: 1_000_000 }
    for (const intercepts of ['send', 'flush', 'throw', 'reject'] as const)
      expect(
        await brokenBy({ topics: { t1: 2 }, actions, intercepts, statsIntervalMs: 20, wantsMetrics }),
      ).toBeUndefined()
  })

  it('finds streams to brokers that are given late, and those that never are', async () => {
    const actions = [0, 100, 200].map((at): Action => ({ ...SEND, at, id: 1 + at }))
    for (let seed = 1; seed <= 5; seed++)
      expect(await brokenBy({ seed, actions, ownConnections: 'promises' })).toBeUndefined()
  })
})

describe('a way to brokers of the user’s own', () => {
  it('takes its time and fails, until all is well', async () => {
    const clock = new VirtualClock()
    const network = new SimNetwork(clock.for('network'), new Dice(1), { delayMs: 1, splits: 0 }, () => undefined)
    let isWell = false
    const connect = lateConnections(network.connect, clock.for('user'), new Dice(2), () => isWell)
    const seen = new Set<string>()
    for (let i = 0; i < 200; i++) {
      try {
        const given = connect({ host: 'b', port: 1 })
        seen.add(given instanceof Promise ? 'later' : 'at once')
        if (given instanceof Promise) given.catch(() => seen.add('fails later'))
      } catch {
        seen.add('throws')
      }
    }
    while (clock.step()) await new Promise((resolve) => setImmediate(resolve))
    expect([...seen].sort()).toEqual(['at once', 'fails later', 'later', 'throws'])
    isWell = true
    for (let i = 0; i < 50; i++) expect(connect({ host: 'b', port: 1 })).not.toBeInstanceOf(Promise)
  })
})

describe('readings of figures', () => {
  function readings() {
    const clock = new VirtualClock()
    const broken: string[] = []
    const its = new Readings(clock.for('user'), (violation) => void broken.push(String(violation)))
    const wait = (ms: number) => {
      clock.for('user').setTimeout(() => undefined, ms)
      clock.step()
    }
    return { its, broken, wait }
  }

  it('only ever grow', () => {
    const { its, broken } = readings()
    const reader = its.newReader()
    reader(stats(1, 0))
    reader(stats(2, 0))
    expect(broken).toEqual([])
    reader(stats(1, 0))
    expect(broken).toHaveLength(1)
  })

  it('come in time from whoever is open', () => {
    const { its, broken, wait } = readings()
    its.newReader()
    wait(101)
    its.checkTime(100, () => false)
    expect(broken).toEqual([])
    its.checkTime(100, () => true)
    expect(broken).toHaveLength(1)
  })

  it('end with what it came to', () => {
    const { its, broken } = readings()
    const reader = its.newReader()
    reader(stats(2, 1))
    its.checkEnd([{ stats: () => stats(2, 1) }])
    expect(broken).toEqual([])
    its.checkEnd([{ stats: () => stats(3, 1) }])
    expect(broken).toHaveLength(1)
  })
})
