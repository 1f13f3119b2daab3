import { once } from 'node:events'
import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { TransactionalProducer } from '../../../src/index.js'
import { startKafka } from '../support/cluster.js'
import { MovingName } from '../support/moving-name.js'
import { errorOf, portOf, startProducer, stored } from '../support/producers.js'
import { committed, startTransactional } from '../support/transactional.js'

const topics = { orders: { partitions: 1 } }

/** Sends each in a transaction, and gives those that it was told of as committed: the first may have begun elsewhere. */
async function committedOf(producer: TransactionalProducer, values: readonly string[]): Promise<string[]> {
  const told: string[] = []
  for (const value of values)
    await producer
      .transaction((tx) => void tx.send({ topic: 'orders', value }))
      .then(
        () => told.push(value),
        (error: unknown) => expect(error).toMatchObject({ kind: 'abortable' }),
      )
  return told
}

describe.each(['1.1', '2.8', '3.9', '4'] as const)('a cluster made anew, Kafka %s,', (release) => {
  it('between two transactions, with nobody who asks for metadata: they go on there', async () => {
    const kafka = await startKafka({ release, topics })
    const producer = startTransactional(kafka, { deliveryTimeoutMs: 5_000 })
    await producer.transaction((tx) => tx.send({ topic: 'orders', value: 'old' }))
    const ports = [portOf(kafka.bootstrap)]
    await kafka.stop()
    const anew = await startKafka({ release, topics, ports })
    // Meanwhile the producer has heard of the end of its connections.
    await startProducer(anew).send({ topic: 'orders', value: 'of another' })
    expect(await committedOf(producer, ['a', 'b'])).toEqual(['a', 'b'])
    expect(committed(anew, 'orders')).toEqual(['of another', 'a', 'b'])
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
    const told = await committedOf(producer, ['a', 'b'])
    expect(told).toContain('b')
    expect(committed(other, 'orders')).toEqual(told)
  })

  // The same one, as where both are young.
  describe.each(['the same', 'another'])('elsewhere, where its transactionalId has been before, and %s id', (which) => {
    async function moving() {
      const [kafka, other] = [await startKafka({ release, topics }), await startKafka({ release, topics })]
      if (which === 'another') await startProducer(other).send({ topic: 'orders', value: 'of another' })
      await startTransactional(other).transaction((tx) => tx.send({ topic: 'orders', value: 'before' }))
      const there = committed(other, 'orders')
      const name = new MovingName(kafka)
      const producer = startTransactional(kafka, { createConnection: name.connect })
      const move = async () => {
        name.moveTo(other)
        await Promise.all(name.sockets.map((socket) => (socket.destroy(), once(socket, 'close'))))
      }
      return { kafka, other, there, producer, move }
    }

    it('between two transactions: they go on there', async () => {
      const { other, there, producer, move } = await moving()
      await producer.transaction((tx) => tx.send({ topic: 'orders', value: 'old' }))
      await move()
      expect(await committedOf(producer, ['a', 'b'])).toEqual(['a', 'b'])
      expect(committed(other, 'orders')).toEqual([...there, 'a', 'b'])
    })

    it('within a transaction, one of whose messages has no answer: the next ones go on there', async () => {
      const { kafka, other, there, producer, move } = await moving()
      const tx = await producer.begin()
      await tx.send({ topic: 'orders', value: 'old' })
      const stalled = kafka.stall({ api: 'Produce' })
      const unanswered = errorOf(tx.send({ topic: 'orders', value: 'old' }))
      await stalled.hit()
      await move()
      expect(await unanswered).toMatchObject({ code: 'TRANSACTION_ABORTED' })
      expect(await errorOf(tx.commit())).toMatchObject({ code: 'TRANSACTION_ABORTED', kind: 'abortable' })
      expect(await committedOf(producer, ['a', 'b'])).toEqual(['a', 'b'])
      expect(committed(other, 'orders')).toEqual([...there, 'a', 'b'])
    })

    it('within a transaction: it is told as aborted, and the next ones go on there', async () => {
      const { other, there, producer, move } = await moving()
      const tx = await producer.begin()
      await tx.send({ topic: 'orders', value: 'old' })
      await move()
      expect(await errorOf(tx.commit())).toMatchObject({ code: 'TRANSACTION_ABORTED', kind: 'abortable' })
      expect(await committedOf(producer, ['a', 'b'])).toEqual(['a', 'b'])
      expect(committed(other, 'orders')).toEqual([...there, 'a', 'b'])
    })
  })
})

it.each(['2.8', '3.9', '4'] as const)(
  'Kafka %s, elsewhere, where a message has no answer: an abort ends nothing there, and the next transactions go on',
  async (release) => {
    const [kafka, other] = [await startKafka({ release, topics }), await startKafka({ release, topics })]
    await startProducer(other).send({ topic: 'orders', value: 'of another' })
    const name = new MovingName(kafka)
    const producer = startTransactional(kafka, { createConnection: name.connect })
    const tx = await producer.begin()
    await tx.send({ topic: 'orders', value: 'old' })
    const stalled = kafka.stall({ api: 'Produce' })
    const unanswered = errorOf(tx.send({ topic: 'orders', value: 'old' }))
    await stalled.hit()
    name.moveTo(other)
    const aborting = tx.abort()
    await Promise.all(name.sockets.map((socket) => (socket.destroy(), once(socket, 'close'))))
    await aborting
    expect(await unanswered).toMatchObject({ code: 'TRANSACTION_ABORTED' })
    expect(await committedOf(producer, ['a', 'b'])).toEqual(['a', 'b'])
    expect(committed(other, 'orders')).toEqual(['of another', 'a', 'b'])
  },
)

it.each(['2.8', '3.9'] as const)(
  'Kafka %s, elsewhere, while the coordinator of the one before is being connected to: what is committed is seen',
  async (release) => {
    const two = { orders: { partitions: 2 } }
    const kafka = await startKafka({ release, topics: two })
    const name = new MovingName(kafka)
    const other = await name.startNamesake({ release, topics: two })
    const producer = startTransactional(kafka, { createConnection: name.connect })
    await producer.transaction((tx) => tx.send({ topic: 'orders', partition: 0, value: 'old' }))
    const tx = await producer.begin()
    await tx.send({ topic: 'orders', partition: 0, value: 'old' })
    const stalled = kafka.stall({ api: 'Metadata' })
    const before = [...name.sockets]
    const coordinators = name.socketOf('EndTxn')
    coordinators?.destroy()
    await once(coordinators as Socket, 'close')
    const joining = tx.send({ topic: 'orders', partition: 1, value: 'a' }).catch(() => undefined)
    await stalled.hit()
    name.moveTo(other)
    for (const socket of before) socket.destroy()
    await errorOf(tx.send({ topic: 'orders', partition: 0, value: 'a' }))
    stalled.release()
    await errorOf(tx.commit())
    await joining
    const next = await producer.begin()
    await next.send({ topic: 'orders', partition: 0, value: 'b' })
    await next.commit()
    expect(committed(other, 'orders')).toEqual(['b'])
  },
)
