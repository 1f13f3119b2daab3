import { pbkdf2 } from 'node:crypto'
import { connect } from 'node:net'
import { promisify } from 'node:util'
import { expect, it, vi } from 'vitest'
import type { KeyedMessage } from '../../../src/index.js'
import type { EmbeddedKafka, FaultTarget } from '../../../src/testing/index.js'
import { startKafka } from '../support/cluster.js'
import { startProducer } from '../support/producers.js'
import { committed, startTransactional } from '../support/transactional.js'

/* This process stands still, as one that is frozen between two calls of a cloud's function, for longer than is waited for an answer. */

const STILL_MS = 2_000
const WAIT_MS = 1_500

function standStill(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STILL_MS)
}

/** Once the broker has answered the next such request, which is with the system then, and not read. */
function standStillOnceAnswered(kafka: EmbeddedKafka, api: FaultTarget['api']): void {
  kafka.clearRequests()
  void kafka.waitForRequest({ api }).then(() => setImmediate(standStill))
}

it('a transaction whose commit was answered meanwhile is committed', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startTransactional(kafka, { deliveryTimeoutMs: WAIT_MS })
  const tx = await producer.begin()
  await tx.send({ topic: 'orders', value: 'x' })
  standStillOnceAnswered(kafka, 'EndTxn')
  await tx.commit()
  expect(committed(kafka, 'orders')).toEqual(['x'])
})

it('offsets that were committed meanwhile abort no transaction', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startTransactional(kafka, { deliveryTimeoutMs: WAIT_MS })
  const tx = await producer.begin()
  await tx.sendOffsets({ groupId: 'g' }, [{ topic: 'orders', partition: 0, offset: 1 }])
  standStillOnceAnswered(kafka, 'TxnOffsetCommit')
  await tx.sendOffsets({ groupId: 'g' }, [{ topic: 'orders', partition: 0, offset: 2 }])
  await tx.commit()
  expect(kafka.committedOffsets('g').map(({ offset }) => offset)).toEqual([2n])
})

it('close({ timeoutMs }) gives back no message that was acknowledged meanwhile', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka)
  await producer.send({ topic: 'orders', value: 'warm' })
  standStillOnceAnswered(kafka, 'Produce')
  const sent = producer.send({ topic: 'orders', value: 'x' })
  expect(await producer.close({ timeoutMs: WAIT_MS })).toEqual({ failed: 0, unsent: [] })
  expect(await sent).toHaveLength(1)
})

it('flush({ timeoutMs }) is in time for what was acknowledged meanwhile', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka)
  await producer.send({ topic: 'orders', value: 'warm' })
  standStillOnceAnswered(kafka, 'Produce')
  const sent = producer.send({ topic: 'orders', value: 'x' })
  expect(await producer.flush({ timeoutMs: WAIT_MS })).toEqual({ failed: 0 })
  expect(await sent).toHaveLength(1)
})

it('connect({ timeoutMs }) hears the broker that has answered meanwhile', async () => {
  const kafka = await startKafka()
  const producer = startProducer(kafka)
  await producer.connect()
  standStillOnceAnswered(kafka, 'Metadata')
  await producer.connect({ timeoutMs: WAIT_MS })
})

it('a message that waits for room has that of those that were acknowledged meanwhile', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka, { queueMessages: 1, enqueueTimeoutMs: WAIT_MS })
  await producer.send({ topic: 'orders', value: 'warm' })
  standStillOnceAnswered(kafka, 'Produce')
  const sent = ['x', 'y'].map((value) => producer.send({ topic: 'orders', value }))
  expect(await Promise.all(sent)).toHaveLength(2)
})

it('what a function of the user’s was waiting for, and came meanwhile, is taken', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const createConnection = vi.fn(({ host, port }: { host: string; port: number }) => {
    const came = promisify(pbkdf2)('password', 'salt', 1, 16, 'sha256')
    if (createConnection.mock.calls.length === 1) standStill()
    return came.then(() => connect(port, host))
  })
  const producer = startProducer(kafka, { createConnection, connectTimeoutMs: WAIT_MS })
  await producer.connect()
})

it.each<[string, Partial<KeyedMessage>, (kafka: EmbeddedKafka) => void]>([
  ['a topic', { topic: 'new' }, (kafka) => kafka.createTopic('new')],
  ['a partition', { topic: 'orders', partition: 1 }, (kafka) => kafka.setPartitions('orders', 2)],
])('%s that was made meanwhile fails no message, though brokers had been asked for it before', async (_, to, make) => {
  const kafka = await startKafka({ autoCreateTopics: false, topics: { orders: {} } })
  const producer = startProducer(kafka, { unknownTopicTimeoutMs: WAIT_MS })
  await producer.send({ topic: 'orders', value: 'warm' })
  const { topic = '' } = to
  kafka.clearRequests()
  const sent = producer.send({ topic, value: 'x', ...to })
  await kafka.waitForRequest({ api: 'Metadata', topic })
  kafka.clearRequests()
  void kafka.waitForRequest({ api: 'Metadata', topic }).then(() =>
    setImmediate(() => {
      make(kafka)
      standStill()
    }),
  )
  await sent
})
