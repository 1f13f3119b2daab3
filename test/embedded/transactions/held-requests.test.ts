import { expect, it } from 'vitest'
import { startKafka } from '../support/cluster.js'
import { errorOf, requestsOf } from '../support/producers.js'
import { committed, startTransactional } from '../support/transactional.js'

const sessionLifetimeMs = 500
const users = { alice: 'wonder' }
const sasl = { mechanism: 'SCRAM-SHA-256', username: 'alice', password: 'wonder' } as const

function startSecured() {
  return startKafka({ release: '2.8', topics: { orders: {} }, sasl: { users, sessionLifetimeMs } })
}

/** What is asked of a coordinator from now on is held for the renewal of a session that is over. */
async function sessionsOver(kafka: Awaited<ReturnType<typeof startSecured>>) {
  await new Promise((resolve) => setTimeout(resolve, sessionLifetimeMs))
  return kafka.stall({ api: 'SaslAuthenticate', times: Infinity })
}

it('a commit that is given up while it is held for a renewal of the session is not carried out after that', async () => {
  const kafka = await startSecured()
  const producer = startTransactional(kafka, { sasl, deliveryTimeoutMs: 2_000, requestTimeoutMs: 2_000 })
  const tx = await producer.begin()
  await tx.send({ topic: 'orders', value: 'a' })
  const renewal = await sessionsOver(kafka)
  const failure = await errorOf(tx.commit())
  renewal.release()
  // It has many more answers to wait for than the one behind which the commit was held.
  await startTransactional(kafka, { sasl }).begin()
  expect(failure).toMatchObject({ code: 'PRODUCER_UNUSABLE' })
  expect(requestsOf(kafka, 'EndTxn')).toEqual([])
  expect(committed(kafka, 'orders')).toEqual([])
})

it('partitions that were held for a renewal of the session are not added after the abort', async () => {
  const kafka = await startSecured()
  const producer = startTransactional(kafka, { sasl })
  await producer.transaction((first) => first.send({ topic: 'orders', value: 'first' }))
  const tx = await producer.begin()
  const renewal = await sessionsOver(kafka)
  const sent = errorOf(tx.send({ topic: 'orders', value: 'a' }))
  await renewal.hit()
  await tx.abort()
  expect(await sent).toMatchObject({ code: 'TRANSACTION_ABORTED' })
  renewal.release()
  await producer.transaction((next) => next.send({ topic: 'orders', value: 'b' }))
  expect(requestsOf(kafka, 'AddPartitionsToTxn')).toHaveLength(2)
  expect(committed(kafka, 'orders')).toEqual(['first', 'b'])
})
