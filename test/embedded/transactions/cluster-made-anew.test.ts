import { describe, expect, it } from 'vitest'
import { startKafka } from '../support/cluster.js'
import { MovingName } from '../support/moving-name.js'
import { errorOf, portOf, startProducer, stored } from '../support/producers.js'
import { committed, startTransactional } from '../support/transactional.js'

const topics = { orders: { partitions: 1 } }

describe.each(['2.8', '3.9', '4'] as const)('a cluster made anew, Kafka %s,', (release) => {
  it('between two transactions, with nobody who asks for metadata: they go on there', async () => {
    const kafka = await startKafka({ release, topics })
    const producer = startTransactional(kafka, { deliveryTimeoutMs: 5_000 })
    await producer.transaction((tx) => tx.send({ topic: 'orders', value: 'old' }))
    const ports = [portOf(kafka.bootstrap)]
    await kafka.stop()
    const anew = await startKafka({ release, topics, ports })
    // Meanwhile the producer has heard of the end of its connections.
    await startProducer(anew).send({ topic: 'orders', value: 'of another' })
    const transact = (value: string) => producer.transaction((tx) => void tx.send({ topic: 'orders', value }))
    // On Kafka 4 the coordinator hears of the first one by its messages, and does not know the id that they have.
    const first = await transact('a').then(
      () => 'committed',
      ({ kind }: { readonly kind?: string }) => kind,
    )
    expect(first).toBe(release === '4' ? 'abortable' : 'committed')
    await transact('b')
    expect(committed(anew, 'orders')).toEqual(['of another', ...(release === '4' ? ['b'] : ['a', 'b'])])
  })

  it('within a transaction: it gets nothing of that, which nobody there could end, and whose id is of another there', async () => {
    const kafka = await startKafka({ release, topics })
    const producer = startTransactional(kafka)
    const tx = await producer.begin()
    await tx.send({ topic: 'orders', value: 'a1' })
    const ports = [portOf(kafka.bootstrap)]
    await kafka.stop()
    const anew = await startKafka({ release, topics, ports })
    const other = startProducer(anew)
    await other.send({ topic: 'orders', value: 'b1' })
    expect(await errorOf(tx.send({ topic: 'orders', value: 'a2' }))).toMatchObject({ mayHaveBeenWritten: false })
    expect(await errorOf(tx.commit())).toMatchObject({ code: 'TRANSACTION_ABORTED', kind: 'abortable' })
    await other.send({ topic: 'orders', value: 'b2' })
    await producer.transaction((its) => its.send({ topic: 'orders', value: 'a3' }))
    expect(stored(anew, 'orders')).toEqual(['b1', 'b2', 'a3'])
    expect(committed(anew, 'orders')).toEqual(['b1', 'b2', 'a3'])
  })

  it.each([
    ['coordinator', 'EndTxn'],
    ['leader', 'Produce'],
  ] as const)('elsewhere, while the %s of the one before is still there: what is committed is seen', async (_, api) => {
    const [kafka, other] = [await startKafka({ release, topics }), await startKafka({ release, topics })]
    const name = new MovingName(kafka)
    const producer = startTransactional(kafka, { createConnection: name.connect })
    await producer.transaction((tx) => tx.send({ topic: 'orders', value: 'old' }))
    const still = name.socketOf(api)
    // As where a name has moved: whatever is connected to from now on is the other one.
    name.moveTo(other)
    for (const socket of name.sockets) if (socket !== still) socket.destroy()
    const told: string[] = []
    // The first one may have begun with the one before.
    for (const value of ['a', 'b'])
      await producer
        .transaction((tx) => void tx.send({ topic: 'orders', value }))
        .then(
          () => told.push(value),
          (error: unknown) => expect(error).toMatchObject({ kind: 'abortable' }),
        )
    expect(told).toContain('b')
    expect(committed(other, 'orders')).toEqual(told)
  })
})
