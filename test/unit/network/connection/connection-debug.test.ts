import { Duplex } from 'node:stream'
import { format } from 'node:util'
import { expect, it, vi } from 'vitest'
import { RequestTimeoutError } from '../../../../src/errors.js'
import { BrokerConnection } from '../../../../src/network/connection/broker-connection.js'
import { produce } from '../../../../src/protocol/apis/produce.js'

const lines = vi.hoisted((): string[] => [])
vi.mock('../../../../src/debug.js', () => ({
  createDebug:
    () =>
    (text: string, ...values: unknown[]) =>
      void lines.push(format(text, ...values)),
}))

it('DEBUG tells how many requests were on a connection that ended, those without an answer included', async () => {
  // What is written to it is never taken.
  const stream = new Duplex({ read: () => undefined, write: () => undefined })
  const connection = new BrokerConnection(
    stream,
    { host: 'broker', port: 9092 },
    { clientId: 'test', maxResponseBytes: 10_000, maxIdleMs: 60_000 },
  )
  const request = { transactionalId: null, acks: 0, timeoutMs: 1_000, topicData: [] }
  const sent = [1, 2].map(() => connection.sendOneWay(produce, 3, request, { timeoutMs: 20_000 }))
  connection.abandon(new RequestTimeoutError('given up'))
  for (const one of sent) await expect(one).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT' })
  expect(lines).toEqual(['broker:9092: given up, 2 requests in flight'])
})
