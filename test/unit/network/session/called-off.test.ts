import { PassThrough } from 'node:stream'
import { expect, it, vi } from 'vitest'
import { ProducerClosedError } from '../../../../src/errors.js'
import { Secret } from '../../../../src/network/secret.js'
import { SessionFactory, type SessionOptions } from '../../../../src/network/session/session.js'
import type { SslOption } from '../../../../src/network/streams/tls.js'
import { EventLog } from '../../../../src/producer/observing/event-log.js'
import { Observers } from '../../../../src/stats/observer.js'
import { StatisticsObserver } from '../../../../src/stats/statistics.js'
import { SYSTEM } from '../../../../src/surroundings.js'
import { turns } from '../../../embedded/support/producers.js'

const address = { host: 'kafka-1.internal', port: 9092 }

function factory(options: Partial<SessionOptions>, observers?: Observers): SessionFactory {
  const fixed = {
    clientId: 'test',
    connectTimeoutMs: 10_000,
    requestTimeoutMs: 10_000,
    maxResponseBytes: 1e6,
    maxIdleMs: 60_000,
    softwareVersion: '0',
    legacyOnly: false,
  }
  return new SessionFactory({ ...fixed, ...options }, SYSTEM, observers)
}

it('the user is asked for nothing more, whatever came too late', async () => {
  const asked: string[] = []
  let allow: ((answer: boolean) => void) | undefined
  const sessions = factory({
    allowBroker: () => {
      asked.push('allowBroker')
      return new Promise<boolean>((resolve) => (allow = resolve))
    },
    ssl: new Secret<SslOption>(() => {
      asked.push('ssl')
      return {}
    }),
    createConnection: () => {
      asked.push('createConnection')
      return new PassThrough()
    },
  })
  const opening = sessions.open(address)
  const failed = expect(opening).rejects.toThrow('called off')
  await vi.waitFor(() => expect(allow).toBeDefined())
  await sessions.close(0)
  await failed
  allow?.(true)
  await turns(10)
  expect(asked).toEqual(['allowBroker'])

  await expect(sessions.open(address)).rejects.toThrow('called off')
  await turns(10)
  expect(asked).toEqual(['allowBroker'])
})

it.each(['by whoever wanted it', 'by close()'])('%s: it is no failure, and warns of nothing', async (whose) => {
  const lines: unknown[][] = []
  const note =
    (level: string) =>
    (...args: unknown[]) =>
      void lines.push([level, ...args])
  const logger = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') }
  const statistics = new StatisticsObserver(Date.now)
  const observers = new Observers()
  observers.add(statistics)
  observers.add(new EventLog(logger, 'test', SYSTEM.clock, () => undefined))
  const ends: unknown[] = []
  observers.add({ connect: () => (end) => void ends.push(end.error) })
  const sessions = factory({ createConnection: () => new Promise<never>(() => undefined) }, observers)
  const callOff = new AbortController()
  const opening = expect(sessions.open(address, { signal: callOff.signal })).rejects.toThrow('called off')
  if (whose === 'by close()') await sessions.close(0)
  else callOff.abort()
  await opening
  expect(ends).toHaveLength(1)
  expect(ends[0] instanceof ProducerClosedError).toBe(whose === 'by close()')
  expect(statistics.snapshot().connections).toEqual({ opened: 0, failed: 0, closed: 0 })
  expect(lines.filter(([level]) => level !== 'debug')).toEqual([])

  // Nor do many of them keep back what is a failure, which a logger of level warn would have no line of then.
  for (let i = 0; i < 10; i++)
    await expect(sessions.open(address, { signal: AbortSignal.abort() })).rejects.toThrow('called off')
  await expect(factory({ createConnection: () => null as never }, observers).open(address)).rejects.toThrow('gave null')
  await turns()
  expect(statistics.snapshot().connections.failed).toBe(1)
  expect(lines.filter(([level]) => level === 'warn')).toHaveLength(1)
})
