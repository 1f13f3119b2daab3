import { describe, expect, it } from 'vitest'
import { oidcToken, Producer, ProducerConfig, TransactionalProducer } from '../../../src/index.js'

const brokers = 'localhost:1'
const message = { topic: 't', value: 'x' }

/** By callers without types. */
type Call = (producer: Producer) => Promise<unknown>
const given = (options: unknown) => options as undefined

const thrower = () => {
  throw new Error('boom')
}
const unreadable = () => given(new Proxy({}, { get: thrower, has: thrower, ownKeys: thrower, getPrototypeOf: thrower }))

describe('the options of a call', () => {
  it.each<[string, Call, RegExp]>([
    [
      'send(): timeout',
      (p) => p.send(message, given({ timeout: 5 })),
      /no option 'timeout' of this call; it has signal/,
    ],
    ['send() of a list', (p) => p.send([message], given({ abortSignal: AbortSignal.abort() })), /'abortSignal'/],
    ['send(signal)', (p) => p.send(message, given(new AbortController().signal)), /given was an object \(AbortSignal\), allowed is an object with signal/], // prettier-ignore
    [
      'send() with a callback',
      (p) =>
        p.send(
          [message],
          given(() => undefined),
        ),
      /given was a function/,
    ],
    ['send(null)', (p) => p.send(message, given(null)), /given was null, allowed is an object with signal/],
    ['send() within map()', (p) => p.send(message, given(0)), /given was 0,/],
    ['send() with what can’t be read', (p) => p.send(message, given({ get signal() { throw new Error('no') } })), /can't be read/], // prettier-ignore
    ['sendAll(): topics', async (p) => p.sendAll([], given({ topics: 't' })), /'topics' of this call; it has topic, inFlight, signal/], // prettier-ignore
    ['sendAll(null)', async (p) => p.sendAll([], given(null)), /given was null/],
    ['writable(): signal', async (p) => p.writable(given({ signal: new AbortController().signal })), /it has topic, inFlight/], // prettier-ignore
    ['writable(null)', async (p) => p.writable(given(null)), /given was null/],
    ['flush(): timeout', (p) => p.flush(given({ timeout: 5 })), /'timeout' of this call; it has timeoutMs/],
    ['connect(): timeout', (p) => p.connect(given({ timeout: 5 })), /it has timeoutMs, signal/],
    ['close(): timeout', (p) => p.close(given({ timeout: 5 })), /'timeout'/],
    [
      'send(): a signal',
      (p) => p.send(message, given(new AbortController().signal)),
      /given was an object \(AbortSignal\)/,
    ],
    ['send(): a promise', (p) => p.send(message, given(Promise.resolve({}))), /given was an object \(Promise\)/],
    ['send(): a Map', (p) => p.send([message], given(new Map([['signal', 1]]))), /given was an object \(Map\)/],
    ['flush(): a promise', (p) => p.flush(given(Promise.resolve({ timeoutMs: 1 }))), /given was an object \(Promise\)/],
    ['connect(): a signal', (p) => p.connect(given(new AbortController().signal)), /AbortSignal/],
    ['close(): a list', (p) => p.close(given([])), /given was an object \(Array\)/],
    [
      'sendAll(): signl',
      (p) => p.sendAll([], given({ signl: 1 })),
      /'signl' of this call; it has topic, inFlight, signal/,
    ],
    ['sendAll(): null', (p) => p.sendAll([], given(null)), /given was null/],
    ['sendAll(): a topic alone', (p) => p.sendAll([], given('orders')), /given was 'orders'/],
    ['writable(): null', async (p) => p.writable(given(null)), /given was null/],
    [
      'writable(): signal',
      async (p) => p.writable(given({ signal: 1 })),
      /'signal' of this call; it has topic, inFlight/,
    ],
    ['flush() with what can’t be read', (p) => p.flush(given({ get timeoutMs() { return thrower() } })), /^options: what was given can't be read/], // prettier-ignore
    ['flush(): a proxy that throws', (p) => p.flush(unreadable()), /can't be read/],
    ['connect(): a proxy that throws', (p) => p.connect(unreadable()), /can't be read/],
    ['close(): a proxy that throws', (p) => p.close(unreadable()), /can't be read/],
    ['writable(): a proxy that throws', async (p) => p.writable(unreadable()), /can't be read/],
    ['sendAll(): a proxy that throws', (p) => p.sendAll([], unreadable()), /can't be read/],
    ['writable(): a topic that there can’t be', async (p) => p.writable({ topic: 'all orders' }), /^topic: given was 'all orders', allowed are 1 to 249/], // prettier-ignore
    ['sendAll(): a topic that is none', (p) => p.sendAll([], given({ topic: 5 })), /^topic: given was the number 5/],
    ['sendAll(): null for a topic', (p) => p.sendAll([], given({ topic: null })), /^topic: given was null/],
    ['flush(100)', (p) => p.flush(given(100)), /given was 100, allowed is an object/],
    ['flush(null)', (p) => p.flush(given(null)), /given was null/],
    ['connect(null)', (p) => p.connect(given(null)), /given was null/],
    ['close(null)', (p) => p.close(given(null)), /given was null/],
  ])('are no others than those it has: %s', async (_, call, text) => {
    for (const type of ['sync', 'async'] as const) {
      const producer = new Producer({ brokers, type }) as unknown as Producer
      const refusal = { code: 'INVALID_CONFIG', message: expect.stringMatching(text) }
      await expect(call(producer)).rejects.toMatchObject(refusal)
      await producer.close()
    }
  })

  it('of a transactional producer are alike', async () => {
    const producer = new TransactionalProducer({ brokers, transactionalId: 'tx' })
    await expect(producer.close(given(null))).rejects.toMatchObject({ code: 'INVALID_CONFIG' })
    await expect(producer.connect(given(null))).rejects.toMatchObject({ code: 'INVALID_CONFIG' })
    await producer.close()
  })

  it('of a producer are told by what is wrong, were it that nothing of them can be looked at', () => {
    const refusal = { code: 'INVALID_CONFIG', message: expect.stringMatching(/can't be read: what reads it threw$/) }
    for (const make of [
      () => new Producer(unreadable() as never),
      () => new TransactionalProducer(unreadable() as never),
      () => new ProducerConfig(unreadable() as never),
      () => ProducerConfig.fromProperties(unreadable() as never),
      () => ProducerConfig.fromProperties({ get acks() { return thrower() } }), // prettier-ignore
      () => ProducerConfig.fromProperties({}, unreadable()),
      () => oidcToken(unreadable() as never),
      () => oidcToken({ tokenEndpoint: Symbol('url') as never, clientId: 'a', clientSecret: 'b' }),
    ])
      expect(make).toThrow(expect.objectContaining(refusal))
  })

  it('that are undefined are not given, and what a signal came with is no option', async () => {
    const producer = new Producer({ brokers })
    const controller = new AbortController()
    controller.abort()
    await expect(producer.send([], given({ signal: undefined, timeout: undefined }))).resolves.toEqual([])
    // Its signal is there, though not as a property of its own.
    await expect(producer.send(message, controller)).rejects.toMatchObject({ code: 'ABORTED' })
    await producer.flush({ timeoutMs: undefined })
    await producer.close(undefined)
  })
})
