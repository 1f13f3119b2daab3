import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { EventLog } from '../../src/producer/observing/event-log.js'
import { CALLER_MUTANTS } from './caller-mutants.js'
import { Violation } from './ledger.js'
import { MUTANTS } from './mutants.js'
import { ODD_MUTANTS } from './odd-mutants.js'
import { scenarioOf } from './scenario-of.js'
import { PLAIN, type Scenario } from './scenario.js'
import { asCode, shrink } from './shrink.js'
import { simulate } from './simulation.js'
import { STREAM_MUTANTS } from './stream-mutants.js'
import { VirtualClock } from './virtual-clock.js'
import { WORLD_MUTANTS } from './world-mutants.js'

describe('the simulator', () => {
  it('plays the same seed the same way, to the last byte and millisecond', async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const one = await simulate(scenarioOf(seed), { keepsTrace: true })
      const other = await simulate(scenarioOf(seed), { keepsTrace: true })
      expect(other.trace).toEqual(one.trace)
      expect(other.digest).toBe(one.digest)
      expect(one.trace.length).toBeGreaterThan(1)
    }
  })

  it('plays another seed another way', async () => {
    const [one, other] = [await simulate(scenarioOf(1)), await simulate(scenarioOf(2))]
    expect(one.digest).not.toBe(other.digest)
  })

  it('finds nothing wrong in its first seeds', async () => {
    for (let seed = 1; seed <= 40; seed++) expect((await simulate(scenarioOf(seed))).violation).toBeUndefined()
  })

  it('shrinks a scenario to what it takes', async () => {
    const scenario: Scenario = {
      ...scenarioOf(4),
      options: { ...PLAIN.options, type: 'async', maxInFlight: 2 },
      actions: [
        { at: 1, do: 'flush' },
        { at: 2, do: 'reset', broker: 1 },
        { at: 3, do: 'send', id: 1, count: 20, list: true, topic: 't1', keys: 0, size: 10, headers: true },
        { at: 4, do: 'jump', ms: 5 },
      ],
    }
    const { scenario: least } = await shrink(scenario, 'a rule', ({ actions, options }) => {
      const isIt = actions.some((action) => action.do === 'send') && actions.some((action) => action.do === 'reset')
      return Promise.resolve({ violation: isIt && options.type === 'async' ? new Violation('a rule', '') : undefined })
    })
    expect(least.actions).toEqual([
      { at: 2, do: 'reset', broker: 1 },
      { at: 3, do: 'send', id: 1, count: 1, list: true, topic: 't1', keys: 0, size: 10 },
    ])
    expect(asCode({ ...PLAIN, options: { ...PLAIN.options, type: 'async' }, actions: least.actions.slice(0, 1) })).toBe(
      "await simulate({\n  ...PLAIN,\n  options: { ...PLAIN.options, type: 'async' },\n  actions: [ { at: 2, do: 'reset', broker: 1 } ],\n})",
    )
  })

  it('shrinks what is done within a transaction', async () => {
    const message = { do: 'send', list: true, topic: 't1', keys: 0, size: 10, awaits: true } as const
    const scenario: Scenario = {
      ...PLAIN,
      transactionTimeoutMs: 1_000,
      actions: [
        {
          at: 1,
          do: 'transact',
          id: 1,
          manual: true,
          steps: [
            { do: 'wait', ms: 1 },
            { ...message, id: 1, count: 20 },
            { do: 'offsets', awaits: true },
          ],
          end: 'commit',
          rival: true,
        },
      ],
    }
    const { scenario: least } = await shrink(scenario, 'a rule', ({ actions: [action] }) => {
      const isIt = action?.do === 'transact' && action.steps.some((step) => step.do === 'send')
      return Promise.resolve({ violation: isIt ? new Violation('a rule', '') : undefined })
    })
    expect(least.actions).toEqual([
      { at: 1, do: 'transact', id: 1, manual: true, steps: [{ ...message, id: 1, count: 1 }], end: 'commit' },
    ])
  })

  it.each([...MUTANTS, ...ODD_MUTANTS, ...WORLD_MUTANTS, ...STREAM_MUTANTS, ...CALLER_MUTANTS])(
    'could be tried on today’s sources with: $fault',
    ({ file, find, replace }) => {
      const source = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')
      expect(source.split(find)).toHaveLength(2)
      expect(source.replace(find, () => replace)).not.toBe(source)
    },
  )
})

describe('virtual time', () => {
  it('calls back in the order of time, and of the calls within it', () => {
    const all = new VirtualClock()
    const clock = all.for('test')
    const seen: string[] = []
    const note = (what: string) => () => void seen.push(`${all.now} ${what}`)
    const cleared = [5, 1, 9].map((ms) => clock.setTimeout(note(`cleared ${ms}`), ms))
    for (const ms of [30, 10, 20, 10]) clock.setTimeout(note(`timer ${ms}`), ms)
    const interval = clock.setInterval(note('interval'), 12)
    clock.setImmediate(note('immediate'))
    for (const timer of cleared) clock.clearTimeout(timer)
    for (let i = 0; i < 7; i++) all.step()
    clock.clearInterval(interval)
    expect(seen).toEqual([
      '0 immediate',
      '10 timer 10',
      '10 timer 10',
      '12 interval',
      '20 timer 20',
      '24 interval',
      '30 timer 30',
    ])
    expect(all.timersOf('test')).toBe(0)
    expect(all.step()).toBe(false)
  })
})

describe('what it has found', () => {
  it('a broker that was taken for one of Kafka 0.8, and is one of 0.9, is found out anew', async () => {
    const { violation } = await simulate({
      ...PLAIN,
      seed: 20604,
      release: '0.9',
      topics: { t2: 2, t1: 2 },
      actions: [
        { at: 469, do: 'send', id: 13, count: 1, list: true, topic: 't1', keys: 1, size: 300 },
        { at: 640, do: 'reset', broker: 1 },
        { at: 861, do: 'reset', broker: 1 },
        { at: 1012, do: 'restart', broker: 1, ms: 300, electionMs: 300 },
      ],
    })
    expect(violation).toBeUndefined()
  })

  it('what a closed producer logs leaves no timer behind', () => {
    const all = new VirtualClock()
    const log = new EventLog(undefined, 'test', all.for('producer'), () => undefined)
    log.close()
    log.event({ type: 'queue-full', messages: 1, bytes: 1 })
    expect(all.timersOf('producer')).toBe(0)
  })

  it('a producer whose connection is lost before it knows its id asks on another one', async () => {
    const { violation } = await simulate({
      ...PLAIN,
      seed: 10533,
      topics: { t3: 20, t1: 1 },
      network: { delayMs: 40, splits: 0.1 },
      options: { ...PLAIN.options, retryBackoffMs: 20 },
      actions: [
        { at: 0, do: 'send', id: 344, count: 1, list: false, topic: 't1', keys: 1, size: 10 },
        { at: 203, do: 'hang', ms: 2000 },
        { at: 426, do: 'send', id: 21, count: 1, list: true, topic: 't3', keys: 0, size: 300 },
      ],
    })
    expect(violation).toBeUndefined()
  })

  it('TLS on a stream that closes amid the handshake is an error of nobody else', async () => {
    const { violation } = await simulate({
      ...PLAIN,
      seed: 248,
      release: '0.9',
      options: { ...PLAIN.options, requestTimeoutMs: 500 },
      ownConnections: true,
      actions: [
        { at: 1684, do: 'send', id: 8, count: 1, list: true, topic: 't1', keys: 10, size: 10 },
        { at: 2387, do: 'restart', broker: 1, ms: 2000, electionMs: 300 },
        { at: 2517, do: 'send', id: 333, count: 1, list: true, topic: 't1', keys: 0, size: 10 },
      ],
    })
    expect(violation).toBeUndefined()
  })

  it('who was ended while he waited for room gives back none (async)', async () => {
    const { violation } = await simulate({
      ...PLAIN,
      seed: 4442,
      topics: { t1: 2 },
      network: { delayMs: 40, splits: 0 },
      // Many end together: some are told in a later turn, after others have come in.
      lookMs: 0.2,
      options: { ...PLAIN.options, type: 'async', lingerMs: 50, batchMessages: 1, queueMessages: 100 },
      actions: [
        { at: 15, do: 'cut', api: 'Metadata', moment: 'after', times: 1 },
        { at: 478, do: 'send', id: 26, count: 300, list: true, topic: 't1', keys: 10, size: 6000, signal: 1 },
        { at: 1125, do: 'abort', signal: 1 },
      ],
    })
    expect(violation).toBeUndefined()
  })

  it('close() gives back what it ends, and nothing that got another fate while it was at that', async () => {
    const { violation } = await simulate({
      ...PLAIN,
      seed: 60650,
      // Of many some are ended in a later turn: others are refused in between.
      lookMs: 0.2,
      options: {
        ...PLAIN.options,
        type: 'async',
        lingerMs: 1_000,
        batchBytes: 1_220,
        queueBytes: 5_000,
        enqueueTimeoutMs: 0,
      },
      actions: [
        {
          at: 17,
          do: 'send',
          id: 368,
          count: 3,
          list: true,
          topic: 't1',
          keys: 0,
          size: 10,
          odd: 'mixed',
          code: 'never settles',
        },
        { at: 168, do: 'send', id: 413, count: 300, list: false, topic: 't1', keys: 0, size: 300 },
        {
          at: 186,
          do: 'send',
          id: 62,
          count: 1,
          list: false,
          topic: 't1',
          keys: 1,
          size: 300,
          signal: 1,
          then: 'close',
        },
        { at: 188, do: 'abort', signal: 1 },
      ],
    })
    expect(violation).toBeUndefined()
  })

  it('a topic made anew while five batches are on their way: none gets the sequences of one that the new one took', async () => {
    const { violation } = await simulate({
      ...PLAIN,
      seed: 7563,
      release: '2.8',
      topics: { t3: 20, t2: 2, t1: 2 },
      options: { ...PLAIN.options, batchBytes: 2_000 },
      actions: [
        { at: 0, do: 'delay', api: 'Produce', ms: 20, times: 200 },
        { at: 10, do: 'send', id: 1, count: 1, list: false, topic: 't1', keys: 0, size: 10 },
        { at: 152, do: 'send', id: 85, count: 20, list: true, topic: 't1', keys: 0, size: 6_000 },
        { at: 191, do: 'delete', topic: 't1' },
        { at: 244, do: 'send', id: 152, count: 1, list: false, topic: 't1', keys: 1, size: 10 },
      ],
    })
    expect(violation).toBeUndefined()
  })

  it('what is sent again has nothing new behind it, or the broker would have forgotten it the next time', async () => {
    const message = { do: 'send', topic: 't2', partition: 0, keys: 0, size: 300, list: true } as const
    const { violation } = await simulate({
      ...PLAIN,
      seed: 41056,
      topics: { t2: 2, t1: 6 },
      network: { delayMs: 40, splits: 0.5 },
      options: { ...PLAIN.options, batchBytes: 500 },
      actions: [
        { at: 0, do: 'delay', api: 'Produce', ms: 60, times: 200 },
        { at: 225, ...message, id: 700_000, count: 1 },
        { at: 1_609, ...message, id: 700_160, count: 10 },
        { at: 1_610, do: 'fail', api: 'Produce', error: 'REQUEST_TIMED_OUT', times: 2 },
        { at: 1_991, do: 'fail', api: 'Produce', error: 'NOT_LEADER_OR_FOLLOWER', whileWaiting: true, times: 1 },
        { at: 2_555, do: 'move', topic: 't1', partition: 0, broker: 3 },
      ],
    })
    expect(violation).toBeUndefined()
  })

  it('who waits for room hears of what messages give back that the broker’s format can’t hold', async () => {
    const { violation } = await simulate({
      ...PLAIN,
      seed: 8989,
      release: '0.10.2',
      options: { ...PLAIN.options, queueMessages: 10 },
      actions: [
        { at: 917, do: 'send', id: 3, count: 20, list: true, topic: 't1', keys: 1, size: 10, headers: true },
        { at: 918, do: 'send', id: 30, count: 20, list: true, topic: 't1', keys: 1, size: 10 },
      ],
    })
    expect(violation).toBeUndefined()
  })

  it('the next commit is not that of a transaction whose abort the coordinator did not know what to do with', async () => {
    const message = { do: 'send', count: 1, list: true, topic: 't1', keys: 0, size: 10, awaits: true } as const
    const { violation } = await simulate({
      ...PLAIN,
      seed: 6102,
      transactionTimeoutMs: 4_000,
      actions: [
        { at: 1, do: 'fail', api: 'EndTxn', error: 'INVALID_TXN_STATE', times: 1 },
        { at: 2, do: 'transact', id: 1, manual: true, steps: [{ ...message, id: 1 }], end: 'abort' },
        { at: 500, do: 'transact', id: 2, manual: true, steps: [{ ...message, id: 2 }], end: 'commit' },
      ],
    })
    expect(violation).toBeUndefined()
  })

  it('many questions that go on to the next broker at once go to the same one', async () => {
    const { violation } = await simulate({
      ...PLAIN,
      seed: 5752,
      topics: { t3: 1, t2: 6, t1: 1 },
      actions: [
        { at: 53, do: 'lie', api: 'Metadata', how: 'crowd', times: 3 },
        { at: 88, do: 'send', id: 30, count: 1, list: false, topic: 't2', keys: 10, size: 300 },
        { at: 101, do: 'pause', broker: 1, ms: 2000 },
        { at: 159, do: 'halve', broker: 1 },
        { at: 239, do: 'browse', everyMs: 5, times: 300 },
        { at: 653, do: 'send', count: 1, list: false, topic: 't3', keys: 100, size: 10, id: 500200 },
      ],
    })
    expect(violation).toBeUndefined()
  })

  it('a topic without metadata keeps its sequences while a transactional producer goes on under the same epoch', async () => {
    const message = { do: 'send', count: 2, list: true, topic: 't1', partition: 0, keys: 1, size: 300 } as const
    const { violation } = await simulate({
      ...PLAIN,
      seed: 400855,
      release: '1.1',
      transactionTimeoutMs: 4_000,
      actions: [
        { at: 0, do: 'transact', id: 1, manual: true, steps: [{ ...message, id: 1, awaits: true }], end: 'commit' },
        { at: 202, do: 'fail', api: 'Metadata', error: 'NOT_CONTROLLER', times: 5 },
        { at: 1036, do: 'ask', topic: 't1' },
        { at: 1068, do: 'transact', id: 3, manual: false, steps: [{ ...message, id: 3, awaits: true }], end: 'abort' },
      ],
    })
    expect(violation).toBeUndefined()
  })

  it('what is written after its time is part of the transaction that was aborted for it, and not of the next one', async () => {
    const message = { do: 'send', count: 1, list: true, keys: 1, size: 10, awaits: true } as const
    const { violation } = await simulate({
      ...PLAIN,
      seed: 4,
      brokers: 3,
      release: '2.8',
      topics: { t1: 1, t2: 3 },
      network: { delayMs: 40, splits: 0.3 },
      options: { ...PLAIN.options, requestTimeoutMs: 3_000, deliveryTimeoutMs: 4_000 },
      transactionTimeoutMs: 4_000,
      actions: [
        { at: 0, do: 'transact', id: 100, manual: true, steps: [{ ...message, id: 110, topic: 't1' }], end: 'commit' },
        { at: 999, do: 'delay', api: 'Metadata', ms: 2_509, times: 2 },
        { at: 999, do: 'delay', api: 'Produce', ms: 1_694, times: 1 },
        {
          at: 1_000,
          do: 'transact',
          id: 200,
          manual: false,
          steps: [{ ...message, id: 220, topic: 't2' }],
          end: 'commit',
        },
        {
          at: 1_800,
          do: 'transact',
          id: 500,
          manual: false,
          steps: [{ ...message, id: 520, topic: 't2' }],
          end: 'commit',
        },
        { at: 10_000, do: 'connect' },
      ],
    })
    expect(violation).toBeUndefined()
  })

  it('what was written, is sent again and refused as a whole fails with what it was refused for', async () => {
    const send = { do: 'send', topic: 't1', size: 10 } as const
    const { violation } = await simulate({
      ...PLAIN,
      seed: 209747,
      brokers: 3,
      topics: { t1: 6, t2: 6 },
      network: { delayMs: 40, splits: 0.1 },
      options: { ...PLAIN.options, batchBytes: 300, maxRequestBytes: 600 },
      actions: [
        { ...send, at: 34, id: 5201, count: 1, list: false, keys: 0 },
        { ...send, at: 37, id: 1201, count: 20, list: true, keys: 0 },
        { ...send, at: 161, id: 3201, count: 20, list: false, topic: 't2', keys: 10 },
        { ...send, at: 187, id: 801, count: 3, list: false, keys: 10 },
        { at: 314, do: 'reset', broker: 3 },
        { at: 498, do: 'fail', api: 'Produce', error: 'INVALID_TIMESTAMP', times: 2 },
        { ...send, at: 521, id: 1, count: 1, list: false, keys: 1 },
      ],
    })
    expect(violation).toBeUndefined()
  })

  it('what is written late after an abort is part of no later transaction, before part two of KIP-890', async () => {
    const message = {
      do: 'send',
      id: 1303,
      count: 1,
      list: true,
      topic: 't1',
      keys: 0,
      size: 10,
      awaits: true,
    } as const
    const { violation } = await simulate({
      ...PLAIN,
      seed: 36785,
      release: '2.8',
      topics: { t2: 1, t1: 1 },
      options: { ...PLAIN.options, requestTimeoutMs: 500, retries: 0, batchBytes: 253 },
      transactionTimeoutMs: 4_000,
      actions: [
        { at: 467, do: 'delay', api: 'Produce', ms: 2_000, times: 2 },
        { at: 1_037, do: 'transact', id: 1301, manual: true, steps: [message], end: 'abort, then commit' },
        { at: 3_790, do: 'transact', id: 101, manual: true, steps: [], end: 'commit' },
      ],
    })
    expect(violation).toBeUndefined()
  })

  it('whoever waits apart since what only lingers has the share of topics without metadata makes that go', async () => {
    const send = { do: 'send', list: false, keys: 1, size: 10 } as const
    const { violation } = await simulate({
      ...PLAIN,
      seed: 24873,
      topics: { t1: 6, t2: 1, t3: 1 },
      options: {
        ...PLAIN.options,
        ...{ type: 'async', lingerMs: 1_000, batchMessages: 10, queueMessages: 10, enqueueTimeoutMs: -1 },
      },
      actions: [
        { ...send, at: 35, id: 1, count: 4, topic: 't1' },
        { ...send, at: 45, id: 6, count: 3, topic: 't2' },
        { at: 105, do: 'ask', topic: 't1' },
        { ...send, at: 195, id: 10, count: 1, topic: 't3' },
      ],
    })
    expect(violation).toBeUndefined()
  })

  it('a leader that has moved before a message is refused costs those beside it nothing', async () => {
    const { violation } = await simulate({
      ...PLAIN,
      seed: 16795,
      brokers: 4,
      topics: { t1: 2, t2: 2 },
      actions: [
        { at: 8, do: 'send', id: 1, count: 1, list: false, topic: 't2', keys: 0, size: 10 },
        { at: 1_175, do: 'move', topic: 't2', partition: 0, broker: 3 },
        {
          ...{ at: 1_447, do: 'send', id: 41, count: 3, list: false, topic: 't2', partition: 0 },
          ...{ keys: 0, size: 300, odd: 'ahead' },
        },
      ],
    })
    expect(violation).toBeUndefined()
  })

  it('hundreds of messages that are each too large may have their deadline before it is their turn to be refused', async () => {
    const { violation } = await simulate({
      ...PLAIN,
      seed: 7101477,
      topics: { t3: 6, t2: 2, t1: 1 },
      network: { delayMs: 2, splits: 0.5 },
      lookMs: 0.2,
      options: {
        ...PLAIN.options,
        ...{ deliveryTimeoutMs: 4_000, retryBackoffMs: 20, lingerMs: 50, batchMessages: 1, batchBytes: 1_992 },
      },
      actions: [
        { at: 2_933, do: 'send', id: 50, count: 300, list: true, topic: 't3', partition: 4, keys: 0, size: 6_000 },
      ],
      config: { 'max.message.bytes': 4_000 },
    })
    expect(violation).toBeUndefined()
  })
})
