import { afterEach, expect, it, vi } from 'vitest'

afterEach(() => {
  vi.unstubAllGlobals()
  vi.resetModules()
})

/** A signal as a DOM's own, which nothing of Node takes for one of its. */
class DomSignal {
  aborted = false
  reason: unknown
  private readonly listeners = new Set<() => void>()

  addEventListener(_: string, listener: () => void): void {
    this.listeners.add(listener)
  }

  removeEventListener(_: string, listener: () => void): void {
    this.listeners.delete(listener)
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason
  }

  abort(reason: unknown): void {
    if (this.aborted) return
    this.aborted = true
    this.reason = reason
    for (const listener of [...this.listeners]) listener()
  }
}

class DomController {
  readonly signal = new DomSignal()

  abort(reason: unknown = new Error('aborted')): void {
    this.signal.abort(reason)
  }
}

it('where tests have the globals of a DOM (jsdom, happy-dom) messages are sent, and clusters run', async () => {
  vi.stubGlobal('window', {})
  vi.stubGlobal('AbortController', DomController)
  vi.stubGlobal('setImmediate', undefined)
  for (const name of ['setTimeout', 'setInterval'] as const) {
    const own = globalThis[name]
    vi.stubGlobal(name, (callback: () => void, ms: number) => Number(own(callback, ms)))
  }
  vi.resetModules()
  const { Producer, TransactionalProducer } = await import('../../../src/index.js')
  const { EmbeddedKafka } = await import('../../../src/testing/index.js')
  const kafka = await EmbeddedKafka.start({ brokers: 2, topics: { orders: {} } })
  const producer = new Producer({ brokers: kafka.bootstrap })
  await producer.connect()
  kafka.fail({ api: 'Produce' }, 'NOT_LEADER_OR_FOLLOWER')
  await producer.send({ topic: 'orders', value: 'one' })
  await producer.sendAll(['two'], { topic: 'orders' })
  await producer.close()
  const transactional = new TransactionalProducer({ brokers: kafka.bootstrap, transactionalId: 'orders' })
  await transactional.transaction((tx) => tx.send({ topic: 'orders', value: 'three' }))
  await transactional.close()
  const records = await kafka.waitForRecords('orders', 3)
  expect(records.map(({ value }) => String(value))).toEqual(['one', 'two', 'three'])
  await kafka.stop()
})
