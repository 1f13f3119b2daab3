import { expect, it, onTestFinished, vi } from 'vitest'
import { startKafka } from '../support/cluster.js'
import { startAsync, startProducer } from '../support/producers.js'

/* Users' tests fake the time, as docs/embedded-broker.md says that they may. */

it.each([{ toFake: ['Date' as const] }, { shouldAdvanceTime: true }])('under fake timers with %o', async (options) => {
  const kafka = await startKafka()
  const producer = startProducer(kafka)
  vi.useFakeTimers(options)
  onTestFinished(() => void vi.useRealTimers())
  vi.setSystemTime(Date.UTC(2020, 0, 1))
  const [{ timestamp }] = await producer.send({ topic: 'orders', value: '1' })
  expect(new Date(timestamp).getUTCFullYear()).toBe(2020)
})

it.each([{}, { shouldAdvanceTime: true }])(
  'goes on when a test is through with fake timers with %o',
  async (options) => {
    const kafka = await startKafka()
    const producer = startProducer(kafka)
    const queueing = startAsync(kafka, { lingerMs: 0 })
    onTestFinished(async () => void (await queueing.close({ timeoutMs: 0 })))
    onTestFinished(() => void vi.useRealTimers())
    const send = async () => {
      await producer.send({ topic: 'orders', value: '1' })
      await queueing.send({ topic: 'orders', value: '2' })
      await queueing.flush()
    }
    await send()
    for (let count = 0; count < 3; count += 1) {
      vi.useFakeTimers(options)
      await send()
      vi.useRealTimers()
      await send()
    }
    expect(kafka.records('orders')).toHaveLength(14)
  },
)

it('comes when a test that has loaded it under fake timers is through with these', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  vi.resetModules()
  const { systemClock } = await import('../../../src/clock.js')
  const told: string[] = []
  systemClock.setImmediate(() => told.push('under them'))
  vi.advanceTimersByTime(1)
  vi.useRealTimers()
  await new Promise<void>((resolve) => systemClock.setImmediate(resolve))
  expect(told).toEqual(['under them'])
})

it('comes where the timers among the globals alone were faked when it was loaded, as Jest does it for all tests', async () => {
  vi.stubGlobal('setImmediate', () => undefined)
  onTestFinished(() => void vi.unstubAllGlobals())
  vi.resetModules()
  const { systemClock } = await import('../../../src/clock.js')
  await new Promise<void>((resolve) => systemClock.setImmediate(resolve))
})
