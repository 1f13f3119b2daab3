import { expect, it } from 'vitest'
import { startKafka } from '../support/cluster.js'
import { errorOf } from '../support/producers.js'
import { BATCH_BYTES, LARGE } from '../support/sequences.js'
import { committed, startTransactional } from '../support/transactional.js'

it.each(['0.11', '1.1', '2.8', '3.9', '4'] as const)(
  'Kafka %s: a message that is refused aborts its transaction, and with others behind it the next one goes on, too',
  async (release) => {
    const kafka = await startKafka({ release, topics: { orders: { config: { 'max.message.bytes': '50000' } } } })
    const producer = startTransactional(kafka, BATCH_BYTES)
    const large = (number: number) => ({ topic: 'orders', value: `${number} ${LARGE}` })
    await producer.transaction((tx) => tx.send(large(1)))
    const tx = await producer.begin()
    await tx.send(large(2))
    const tooLarge = errorOf(tx.send({ topic: 'orders', value: LARGE.repeat(4) }))
    const behind = Promise.allSettled([3, 4, 5].map((number) => tx.send(large(number))))
    expect(await tooLarge).toMatchObject({ code: 'MESSAGE_TOO_LARGE', mayHaveBeenWritten: false })
    for (const { reason } of (await behind).filter((one) => one.status === 'rejected'))
      expect(reason).toMatchObject({ code: 'TRANSACTION_ABORTED', mayHaveBeenWritten: false })
    const cause = { code: 'MESSAGE_TOO_LARGE' }
    expect(await errorOf(tx.commit())).toMatchObject({ code: 'TRANSACTION_ABORTED', cause })
    await producer.transaction((next) => Promise.all([6, 7, 8].map((number) => next.send(large(number)))))
    expect(committed(kafka, 'orders').map((value) => parseInt(value ?? ''))).toEqual([1, 6, 7, 8])
  },
)
