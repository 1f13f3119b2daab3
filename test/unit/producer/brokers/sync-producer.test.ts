import { expect, it } from 'vitest'
import type { BrokerSession, SessionFactory } from '../../../../src/network/session.js'
import { Slots } from '../../../../src/network/slots.js'
import { SyncProducer } from '../../../../src/producer/brokers/sync-producer.js'
import { LEGACY_VERSIONS } from '../../../../src/protocol/versions.js'

const TIMES = { requestTimeoutMs: 1_000, deliveryTimeoutMs: 1_000, retryBackoffMs: 1, retryBackoffMaxMs: 1 }
const REQUEST = { transactionalId: null, acks: 1, timeoutMs: 1_000, topicData: [] }
const nothing = () => undefined

it('a retired one ends its connection when all that is on it has its answer, and not before', async () => {
  const answers: (() => void)[] = []
  let closings = 0
  const connection = {
    isOpen: true,
    request: () => new Promise<void>((resolve) => answers.push(resolve)),
    close: async () => void closings++,
  }
  const session = { connection, versions: LEGACY_VERSIONS } as unknown as BrokerSession
  const sessions = { open: async () => session } as unknown as SessionFactory
  const producer = new SyncProducer(1, { host: 'kafka', port: 9092 }, sessions, new Slots(1), TIMES)
  await producer.connect()
  const sent = [1, 2].map(() => producer.send(session, 0, REQUEST, nothing, nothing))
  producer.retire()
  for (const i of [0, 1]) {
    expect(closings).toBe(0)
    answers[i]?.()
    await sent[i]
  }
  expect(closings).toBe(1)
})
