import { describe, expect, it } from 'vitest'
import type { EmbeddedKafka } from '../../../src/testing/index.js'
import { startKafka } from '../support/cluster.js'
import { errorOf, requestsOf, turns } from '../support/producers.js'
import { committed, startTransactional } from '../support/transactional.js'

const RELEASES = ['0.11', '1.1', '2.8', '3.9', '4'] as const
/** Before Kafka 2.5 no producer can ask for another epoch, by which leaders know what comes late. */
const WITH_CLAIMS = ['2.8', '3.9', '4'] as const
const TOPICS = { orders: { partitions: 2 } }

const states = (kafka: EmbeddedKafka) => kafka.transactions.map(({ state }) => state)

/** A transaction with a message that is there and one that its leader is silent about. */
async function stalled(release: (typeof RELEASES)[number]) {
  const kafka = await startKafka({ release, topics: TOPICS })
  const producer = startTransactional(kafka)
  const tx = await producer.begin()
  await tx.send({ topic: 'orders', partition: 0, value: 'a' })
  const stall = kafka.stall({ api: 'Produce' })
  const sent = tx.send({ topic: 'orders', partition: 1, value: 'b' })
  await stall.hit()
  sent.catch(() => undefined)
  return { kafka, producer, tx, stall, sent }
}

describe.each(RELEASES)('Kafka %s: close()', (release) => {
  it('lets a commit that waits for its messages be one', async () => {
    const { kafka, producer, tx, stall } = await stalled(release)
    const done = tx.commit()
    const closed = producer.close()
    stall.release()
    await done
    await closed
    expect(committed(kafka, 'orders')).toEqual(['a', 'b'])
  })

  it('lets an abort be one', async () => {
    const { kafka, producer, tx, stall } = await stalled(release)
    const done = tx.abort()
    const closed = producer.close()
    stall.release()
    await done
    await closed
    expect(states(kafka)).toEqual(['CompleteAbort'])
  })
})

it('a producer that closes is healthy no more, and neither connects nor tells of topics', async () => {
  const { producer, tx, stall } = await stalled('4')
  const done = tx.commit()
  const closed = producer.close()
  expect(producer.health()).toMatchObject({ healthy: false, problem: { code: 'PRODUCER_CLOSED' } })
  expect(await errorOf(producer.connect())).toMatchObject({ code: 'PRODUCER_CLOSED' })
  expect(await errorOf(producer.partitionsFor('orders'))).toMatchObject({ code: 'PRODUCER_CLOSED' })
  stall.release()
  await done
  await closed
})

describe.each(WITH_CLAIMS)('Kafka %s: close() that waits no longer for a message', (release) => {
  it.each([0, 200])('leaves no transaction open, and nothing comes into it late (timeoutMs %i)', async (timeoutMs) => {
    const { kafka, producer, tx, stall, sent } = await stalled(release)
    const failure = errorOf(sent)
    await producer.close({ timeoutMs })
    expect(states(kafka)).toEqual(['CompleteAbort'])
    expect(await failure).toMatchObject({ code: 'PRODUCER_CLOSED', mayHaveBeenWritten: true })
    await expect(tx.commit()).rejects.toMatchObject({ code: 'TRANSACTION_ABORTED', cause: { code: 'PRODUCER_CLOSED' } })
    stall.release()
    await turns()
    expect(states(kafka)).toEqual(['CompleteAbort'])
    const heir = startTransactional(kafka)
    await heir.transaction((its) => its.send({ topic: 'orders', partition: 1, value: 'c' }))
    expect(committed(kafka, 'orders')).toEqual(['c'])
  })

  it('aborts what waits for its commit', async () => {
    const { kafka, producer, tx, sent } = await stalled(release)
    const outcomes = [errorOf(sent), errorOf(tx.commit())]
    await producer.close({ timeoutMs: 100 })
    expect(await Promise.all(outcomes)).toMatchObject([{ code: 'PRODUCER_CLOSED' }, { code: 'TRANSACTION_ABORTED' }])
    expect(states(kafka)).toEqual(['CompleteAbort'])
  })
})

it('Kafka 1.1: a transaction that waits for a message is left to its time-out', async () => {
  const { kafka, producer, sent } = await stalled('1.1')
  const failure = errorOf(sent)
  await producer.close({ timeoutMs: 0 })
  expect(await failure).toMatchObject({ code: 'PRODUCER_CLOSED' })
  expect(states(kafka)).toEqual(['Ongoing'])
  expect(requestsOf(kafka, 'EndTxn')).toEqual([])
})

it('a message that close() did not wait for tells how long that waited', async () => {
  const { producer, sent } = await stalled('4')
  const failure = errorOf(sent)
  await producer.close({ timeoutMs: 120 })
  expect((await failure).message).toContain('did not wait longer than 120 ms')
})

it('a commit whose answer close() did not wait for may have been carried out', async () => {
  const kafka = await startKafka({ topics: TOPICS })
  const producer = startTransactional(kafka)
  const tx = await producer.begin()
  await tx.send({ topic: 'orders', partition: 0, value: 'a' })
  const stall = kafka.stall({ api: 'EndTxn' }, 'after')
  const outcome = errorOf(tx.commit())
  await stall.hit()
  await producer.close({ timeoutMs: 50 })
  expect(await outcome).toMatchObject({ code: 'OUTCOME_UNKNOWN' })
  expect(committed(kafka, 'orders')).toEqual(['a'])
})
