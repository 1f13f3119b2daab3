import { expect, it, onTestFinished, vi } from 'vitest'
import { Producer } from '../../../src/index.js'
import { startKafka } from '../support/cluster.js'
import { deadAddress } from '../support/producers.js'

const topics = { t: {} }

/** The process does nothing else for so long: what was due meanwhile is late. */
function stall(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

/** All delays that timers were given from here on. */
function delays(): unknown[] {
  const given: unknown[] = []
  for (const name of ['setTimeout', 'setInterval'] as const) {
    const original = globalThis[name]
    const spy = vi.spyOn(globalThis, name).mockImplementation((callback: () => void, ms?: number) => {
      given.push(ms)
      return original(callback, ms)
    })
    onTestFinished(() => spy.mockRestore())
  }
  return given
}

// New versions of Node warn of each, and Kafka clients have spun on them (kafkajs#1751, #1768).
it('no timer is given a negative time, or none: throttling, deadlines that have passed, a process that stood still', async () => {
  const kafka = await startKafka({ topics, requestHistory: 100 })
  const given = delays()
  const common = { retryBackoffMs: 1, retryBackoffMaxMs: 2, connectionsMaxIdleMs: 20 } as const
  const producer = new Producer({ brokers: kafka.bootstrap, ...common, deliveryTimeoutMs: 500, requestTimeoutMs: 60 })
  kafka.throttle({ api: 'Produce', times: 2 }, 30)
  kafka.throttle({ api: 'Metadata' }, 30)
  kafka.delay({ api: 'Produce', times: 2 }, 80)
  for (let i = 0; i < 6; i++) {
    const sending = producer.send({ topic: 't', value: 'v' }).catch(() => undefined)
    stall(40)
    await sending
  }
  const hopeless = new Producer({
    brokers: await deadAddress(),
    ...common,
    type: 'async',
    lingerMs: 5,
    deliveryTimeoutMs: 20,
    enqueueTimeoutMs: 1,
    queueMessages: 1,
    onDelivery: () => undefined,
  })
  for (let i = 0; i < 3; i++) {
    const send = () => hopeless.send({ topic: 't', value: 'v' }).catch(() => undefined)
    const sending = [send(), send(), send()]
    stall(30)
    sending.push(send())
    await Promise.all(sending)
  }
  await Promise.all([producer.close({ timeoutMs: 0 }), hopeless.close({ timeoutMs: 1 })])
  expect(given.length).toBeGreaterThan(20)
  expect(given.filter((ms) => typeof ms !== 'number' || !(ms >= 0))).toEqual([])
})
