import { describe, expect, it } from 'vitest'
import { startKafka } from '../support/cluster.js'
import { errorOf } from '../support/producers.js'
import { committed, startTransactional } from '../support/transactional.js'

const REFUSED = { code: 'PRODUCER_UNUSABLE', kind: 'invalid-configuration' }
const CAUSE = { code: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED' }

describe('a transactionalId that may not be used', () => {
  // Brokers that check permissions refuse to tell its coordinator: nothing else is ever asked.
  it.each(['FindCoordinator', 'InitProducerId'] as const)(
    'says so to begin(), and may be given later: %s',
    async (api) => {
      const kafka = await startKafka({ topics: { orders: {} } })
      const producer = startTransactional(kafka)
      const lacking = kafka.fail({ api, times: Infinity }, CAUSE.code)
      expect(await errorOf(producer.begin())).toMatchObject({ ...REFUSED, cause: CAUSE })
      expect(await errorOf(producer.transaction(() => undefined))).toMatchObject({ ...REFUSED, cause: CAUSE })
      lacking.release()
      await producer.transaction((tx) => tx.send({ topic: 'orders', value: 'a' }))
      expect(committed(kafka, 'orders')).toEqual(['a'])
    },
  )

  it.each(['2.8', '4'])(
    'Kafka %s: says so to the begin() after the transaction that it was taken away in',
    async (release) => {
      const kafka = await startKafka({ release, topics: { orders: {} } })
      const producer = startTransactional(kafka, { deliveryTimeoutMs: 1_000 })
      const tx = await producer.begin()
      await tx.send({ topic: 'orders', value: 'a' })
      kafka.fail({ api: 'FindCoordinator', times: Infinity }, CAUSE.code)
      kafka.dropConnections(1)
      await tx.abort()
      expect(await errorOf(producer.begin())).toMatchObject({ ...REFUSED, cause: CAUSE })
    },
  )
})

it('credentials that are refused are that, as connect() has it', async () => {
  const kafka = await startKafka({ sasl: { users: { alice: 'wonderland' } } })
  const sasl = { mechanism: 'scram-sha-256', username: 'alice', password: 'looking-glass' } as const
  const producer = startTransactional(kafka, { sasl })
  expect(await errorOf(producer.begin())).toMatchObject({ code: 'AUTHENTICATION_FAILED' })
})
