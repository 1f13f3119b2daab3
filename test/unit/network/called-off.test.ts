import { PassThrough } from 'node:stream'
import { expect, it, vi } from 'vitest'
import { Secret } from '../../../src/network/secret.js'
import { SessionFactory, type SessionOptions } from '../../../src/network/session.js'
import type { SslOption } from '../../../src/network/tls.js'
import { turns } from '../../embedded/support/producers.js'

const address = { host: 'kafka-1.internal', port: 9092 }

function factory(options: Partial<SessionOptions>): SessionFactory {
  const fixed = {
    clientId: 'test',
    connectTimeoutMs: 10_000,
    requestTimeoutMs: 10_000,
    maxResponseBytes: 1e6,
    maxIdleMs: 60_000,
    softwareVersion: '0',
    legacyOnly: false,
  }
  return new SessionFactory({ ...fixed, ...options })
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
