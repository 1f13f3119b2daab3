import { describe, expect, it } from 'vitest'
import type { EmbeddedKafka } from '../../../src/testing/index.js'
import { startKafka } from '../support/cluster.js'
import { deliveryErrorOf, expectNothingHeld, startProducer, stored, until } from '../support/producers.js'

/* A leader that stands still, as a virtual machine that is being moved, or a process that was stopped. */

function addressOf(kafka: EmbeddedKafka, id: number): string {
  const broker = kafka.brokers.find((one) => one.id === id)
  return `${broker?.host}:${broker?.port}`
}

async function startWithFrozenLeader(partitions = 1) {
  const topic = { partitions, replicationFactor: 2 }
  const kafka = await startKafka({ brokers: 2, topics: { orders: topic } })
  for (let partition = 0; partition < partitions; partition++) kafka.moveLeader('orders', partition, 1)
  return kafka
}

/**
 * What the new leader may have. Where brokers take more than a moment to answer, what comes next may be on its way behind what
 * was lost: then both go again, in their order.
 */
const logsWith = (next: string) => [
  ['before', next],
  ['before', 'lost', next],
]

describe('deliveryTimeoutMs below requestTimeoutMs, and a leader that stands still', () => {
  it('when no message waits for its answer any more the new leader is asked for, and takes what comes next', async () => {
    const kafka = await startWithFrozenLeader()
    const producer = startProducer(kafka, { deliveryTimeoutMs: 3_000, requestTimeoutMs: 60_000 })
    await producer.send({ topic: 'orders', value: 'before' })
    kafka.pauseBroker(1)
    const first = deliveryErrorOf(producer.send({ topic: 'orders', value: 'lost' }))
    kafka.moveLeader('orders', 0, 2)
    expect(await first).toMatchObject({ code: 'DELIVERY_TIMEOUT', mayHaveBeenWritten: true, attempts: 1 })
    await producer.send({ topic: 'orders', value: 'after' })
    expect(logsWith('after')).toContainEqual(stored(kafka, 'orders'))
    await until(() => producer.stats().queueBytes === 0, 'the room of what was lost is given back')
    expectNothingHeld(producer)
  })

  it('what waits behind the request goes to the new leader, if its own time is not up', async () => {
    const kafka = await startWithFrozenLeader()
    const producer = startProducer(kafka, { deliveryTimeoutMs: 5_000, requestTimeoutMs: 60_000 })
    await producer.send({ topic: 'orders', value: 'before' })
    kafka.pauseBroker(1)
    const first = deliveryErrorOf(producer.send({ topic: 'orders', value: 'lost' }))
    kafka.moveLeader('orders', 0, 2)
    // The time between the two is the subject: the second has so much of its own left for all the rest.
    await new Promise((resolve) => setTimeout(resolve, 4_000))
    const second = producer.send({ topic: 'orders', value: 'behind' })
    await first
    await second
    expect(logsWith('behind')).toContainEqual(stored(kafka, 'orders'))
  })

  it('also where several requests are on their way to it', async () => {
    const kafka = await startWithFrozenLeader(3)
    const producer = startProducer(kafka, { deliveryTimeoutMs: 3_000, requestTimeoutMs: 60_000 })
    const each = (value: string) => [0, 1, 2].map((partition) => ({ topic: 'orders', partition, value }))
    await producer.send(each('before'))
    kafka.pauseBroker(1)
    const sending = each('under way').map(async (message) => {
      await new Promise((resolve) => setTimeout(resolve, message.partition * 100))
      await producer.send(message)
    })
    for (const partition of [0, 1, 2]) kafka.moveLeader('orders', partition, 2)
    // The first waits for as long as there is; the others may have some time left when it has none.
    const [first] = await Promise.allSettled(sending)
    expect(first).toMatchObject({ status: 'rejected', reason: { code: 'DELIVERY_TIMEOUT' } })
    await producer.send(each('after'))
    expect(stored(kafka, 'orders').filter((value) => value === 'after')).toHaveLength(3)
  })

  it('acks 0: also where it takes no more bytes', async () => {
    const kafka = await startKafka({
      brokers: 2,
      topics: { orders: { replicationFactor: 2 } },
      messageMaxBytes: 50_000_000,
    })
    kafka.moveLeader('orders', 0, 1)
    const producer = startProducer(kafka, { acks: 0, deliveryTimeoutMs: 3_000, requestTimeoutMs: 60_000 })
    await producer.send({ topic: 'orders', value: 'before' })
    await kafka.waitForRecords('orders', 1)
    kafka.pauseBroker(1)
    const first = deliveryErrorOf(producer.send({ topic: 'orders', value: Buffer.alloc(20_000_000) }))
    kafka.moveLeader('orders', 0, 2)
    await first
    await producer.send({ topic: 'orders', value: 'after' })
    await kafka.waitForRecords('orders', 2)
    expect(stored(kafka, 'orders')).toContain('after')
  })

  it('the error names the broker, what it was asked and since when; of what waited behind it too', async () => {
    const kafka = await startWithFrozenLeader()
    const producer = startProducer(kafka, { deliveryTimeoutMs: 1_000, requestTimeoutMs: 60_000 })
    await producer.send({ topic: 'orders', value: 'before' })
    kafka.pauseBroker(1)
    const lost = deliveryErrorOf(producer.send({ topic: 'orders', value: 'lost' }))
    await until(() => producer.stats().queueMessages === 1, 'the first is taken in')
    await new Promise((resolve) => setTimeout(resolve, 50))
    const behind = deliveryErrorOf(producer.send({ topic: 'orders', value: 'behind' }))
    const stage = new RegExp(`broker 1 at ${addressOf(kafka, 1)} has not answered Produce v\\d+ for \\d+ ms`)
    expect((await lost).message).toMatch(stage)
    expect((await behind).message).toContain(addressOf(kafka, 1))
  })
})
