import { describe, expect, it } from 'vitest'
import type { EmbeddedKafka } from '../../../src/testing/index.js'
import { startKafka } from '../support/cluster.js'
import { committed, startTransactional } from '../support/transactional.js'

const RELEASES = ['0.11', '1.1', '2.8', '3.9', '4'] as const
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
  return { kafka, producer, tx, stall }
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
