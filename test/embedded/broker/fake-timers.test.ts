import { expect, it, onTestFinished, vi } from 'vitest'
import { startKafka } from '../support/cluster.js'
import { startProducer } from '../support/producers.js'

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
