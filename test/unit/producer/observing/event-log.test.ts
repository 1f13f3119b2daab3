import { expect, it } from 'vitest'
import { systemClock } from '../../../../src/clock.js'
import { ConnectionClosedError } from '../../../../src/errors.js'
import { EventLog, type LogEvent, type LogFields } from '../../../../src/producer/observing/event-log.js'

it('a connection that is had again is told, however many others were lost for good before', async () => {
  const events: LogEvent[] = []
  const at = (_: string, { event }: LogFields) => void events.push(event)
  const log = new EventLog({ debug: at, info: at, warn: at, error: at }, 'shop', systemClock, () => undefined)
  const lose = (broker: string) =>
    log.event({ type: 'disconnected', broker, requests: 0, error: new ConnectionClosedError('lost') })
  // As those of brokers that are given another address each time that they are started.
  for (let i = 0; i < 1_000; i++) lose(`10.0.${i >> 8}.${i & 255}:9092`)
  lose('kafka-1:9092')
  log.connect({ broker: 'kafka-1:9092' })({ latencyMs: 1, error: undefined })
  log.close()
  await Promise.resolve()
  expect(events).toContain('reconnected')
  expect(events).not.toContain('connected')
})
