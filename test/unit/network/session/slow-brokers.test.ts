import { Duplex } from 'node:stream'
import { expect, it } from 'vitest'
import { systemClock, type Clock } from '../../../../src/clock.js'
import { plainMechanism } from '../../../../src/network/sasl/plain.js'
import { Secret } from '../../../../src/network/secret.js'
import { SessionFactory } from '../../../../src/network/session/session.js'
import { SYSTEM } from '../../../../src/surroundings.js'

/** What it is told to wait for is there in a hundredth of the time. */
const hurried: Clock = { ...systemClock, setTimeout: (callback, ms) => systemClock.setTimeout(callback, ms / 100) }
const address = { host: 'kafka-1.internal', port: 9092 }

it('with SASL a broker that has not answered yet is given longer each time: it may be only slow, and as slow the next time', async () => {
  const sessions = new SessionFactory(
    {
      clientId: 'test',
      connectTimeoutMs: 10_000,
      requestTimeoutMs: 20_000,
      maxResponseBytes: 1e6,
      maxIdleMs: 60_000,
      softwareVersion: '0',
      legacyOnly: false,
      sasl: plainMechanism(new Secret({ username: 'alice', password: 'wonderland' })),
      createConnection: () => new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() }),
    },
    { ...SYSTEM, clock: hurried },
  )
  const failures: string[] = []
  for (let i = 0; i < 5; i++) await sessions.open(address).catch((error: Error) => failures.push(error.message))
  const waits = failures.map((message) => Number(/no answer to ApiVersions within (\d+) ms/.exec(message)?.[1]))
  expect(waits).toEqual([3_000, 6_000, 12_000, 20_000, 20_000])
  await sessions.close(0)
})
