import { describe, expect, it } from 'vitest'
import type { EmbeddedKafka } from '../../../src/testing/index.js'
import { startKafka } from '../support/cluster.js'
import { errorOf, turns } from '../support/producers.js'
import { committed, startTransactional } from '../support/transactional.js'

/*
 * A request that was given up may be carried out when its transaction has ended. Before part two of KIP-890 the transactions
 * of a producer have the same epoch, and it would become part of the next one.
 */

/** Asked again it answers, however long a busy machine takes for that. */
const ASKS_AGAIN = { requestTimeoutMs: 200, deliveryTimeoutMs: 20_000 }
/** Asked again it does not. */
const GIVES_UP = { requestTimeoutMs: 200, deliveryTimeoutMs: 2_000 }
/** Before Kafka 2.5 no producer can have another epoch; since 4.0 each transaction has its own. */
const RELEASES = ['2.8', '3.9', '4'] as const
const TOPICS = { one: {}, two: {}, in: { partitions: 2 } }

const isOpen = (kafka: EmbeddedKafka) => kafka.transactions.some(({ state }) => state === 'Ongoing')

describe.each(RELEASES)('on Kafka %s', (release) => {
  it('a coordinator that does not answer one request in time holds up no later transaction for requestTimeoutMs', async () => {
    const kafka = await startKafka({ release, topics: TOPICS })
    const producer = startTransactional(kafka, { requestTimeoutMs: 600_000, deliveryTimeoutMs: 3_000 })
    const a = await producer.begin()
    await a.send({ topic: 'one', value: 'a' })
    // What comes behind it on its connection is held, too.
    const held = kafka.stall({ api: 'EndTxn' })
    await a.abort()
    expect(held.hits).toBe(1)
    await producer.transaction((tx) => tx.send({ topic: 'one', value: 'b' }))
    expect(committed(kafka, 'one')).toEqual(['b'])
  })

  it.each([
    ['commit', 'abort'],
    ['abort', 'commit'],
  ] as const)('an EndTxn that comes late ends nothing else: %s, then %s', async (first, second) => {
    const kafka = await startKafka({ release, topics: TOPICS })
    const producer = startTransactional(kafka, ASKS_AGAIN)
    const a = await producer.begin()
    await a.send({ topic: 'one', value: 'a' })
    const late = kafka.stall({ api: 'EndTxn' })
    await a[first]()
    const b = await producer.begin()
    await b.send({ topic: 'one', value: 'b1' })
    late.release()
    await turns(20)
    await b.send({ topic: 'two', value: 'b2' })
    await b[second]()
    expect([committed(kafka, 'one'), committed(kafka, 'two')]).toEqual(
      first === 'commit' ? [['a'], []] : [['b1'], ['b2']],
    )
  })

  it.each(['commit', 'abort'] as const)('offsets that come late are not those of the next one: %s', async (end) => {
    const kafka = await startKafka({ release, topics: TOPICS })
    const producer = startTransactional(kafka, ASKS_AGAIN)
    const a = await producer.begin()
    const late = kafka.stall({ api: 'TxnOffsetCommit' })
    const given = a.sendOffsets({ groupId: 'g' }, [{ topic: 'in', partition: 0, offset: 100 }])
    await late.hit()
    if (end === 'commit') await given
    await a[end]()
    const b = await producer.begin()
    // The group has heard nothing of it yet, though the coordinator has; or it has, and the late ones would count.
    const held = end === 'abort' ? kafka.stall({ api: 'TxnOffsetCommit' }) : undefined
    const sent = b.sendOffsets({ groupId: 'g' }, [{ topic: 'in', partition: end === 'abort' ? 1 : 0, offset: 200 }])
    await (held?.hit() ?? sent)
    late.release()
    await turns(20)
    held?.release()
    await sent
    await b.commit()
    expect(kafka.committedOffsets('g')).toMatchObject([{ partition: end === 'abort' ? 1 : 0, offset: 200n }])
  })

  it('partitions that are added late open nothing', async () => {
    const kafka = await startKafka({ release, topics: TOPICS })
    const producer = startTransactional(kafka, ASKS_AGAIN)
    const late = release === '4' ? undefined : kafka.stall({ api: 'AddPartitionsToTxn' })
    const a = await producer.begin()
    await a.send({ topic: 'one', value: 'a' })
    await a.commit()
    await (await producer.begin()).commit()
    late?.release()
    await turns(20)
    expect(isOpen(kafka)).toBe(false)
  })

  it.each([
    ['is as it was', () => undefined],
    ['is gone', (kafka: EmbeddedKafka) => kafka.deleteTopic('two')],
    [
      'may not be written to any more',
      (kafka: EmbeddedKafka) =>
        void kafka.fail({ api: 'AddPartitionsToTxn', topic: 'two', times: Infinity }, 'TOPIC_AUTHORIZATION_FAILED'),
    ],
  ])(
    'a message that is written late is in no later one, where another topic of its transaction %s',
    async (_, change) => {
      const kafka = await startKafka({ release, topics: TOPICS, autoCreateTopics: false })
      const producer = startTransactional(kafka, ASKS_AGAIN)
      const a = await producer.begin()
      await a.send({ topic: 'two', value: 'a1' })
      await a.send({ topic: 'one', value: 'a2' })
      const late = kafka.stall({ api: 'Produce', topic: 'one' })
      const sent = errorOf(a.send({ topic: 'one', value: 'late' }))
      await late.hit()
      const aborted = a.abort()
      change(kafka)
      await aborted
      await sent
      const b = await producer.begin()
      const held = kafka.stall({ api: 'Produce', topic: 'one' })
      const given = b.send({ topic: 'one', value: 'b' })
      await held.hit()
      late.release()
      await turns(20)
      held.release()
      await given
      await b.commit()
      expect(committed(kafka, 'one')).toEqual(['b'])
    },
  )
})

it.each(['2.8', '3.9'] as const)(
  'Kafka %s: a coordinator that does not answer what an abort called off holds up no later transaction either',
  async (release) => {
    const kafka = await startKafka({ release, topics: TOPICS })
    const producer = startTransactional(kafka, { requestTimeoutMs: 600_000, deliveryTimeoutMs: 2_000 })
    const a = await producer.begin()
    const held = kafka.stall({ api: 'AddOffsetsToTxn' })
    const given = errorOf(a.sendOffsets({ groupId: 'g' }, [{ topic: 'in', partition: 0, offset: 100 }]))
    await held.hit()
    await a.abort()
    expect(await given).toMatchObject({ code: 'TRANSACTION_ABORTED' })
    await producer.transaction((tx) => tx.send({ topic: 'one', value: 'b' }))
    expect(committed(kafka, 'one')).toEqual(['b'])
  },
)

it.each(['0.11', '1.1'] as const)(
  'Kafka %s, which has no other epoch to give: an abort waits for offsets that are on their way',
  async (release) => {
    const kafka = await startKafka({ release, topics: TOPICS })
    const producer = startTransactional(kafka)
    const a = await producer.begin()
    const late = kafka.stall({ api: 'TxnOffsetCommit' })
    const given = errorOf(a.sendOffsets({ groupId: 'g' }, [{ topic: 'in', partition: 0, offset: 100 }]))
    await late.hit()
    const aborted = a.abort()
    expect(await given).toMatchObject({ code: 'TRANSACTION_ABORTED' })
    await turns()
    expect(isOpen(kafka)).toBe(true)
    late.release()
    await aborted
    const b = await producer.begin()
    await b.sendOffsets({ groupId: 'g' }, [{ topic: 'in', partition: 1, offset: 200 }])
    await b.commit()
    expect(kafka.committedOffsets('g')).toMatchObject([{ partition: 1, offset: 200n }])
  },
)

it('while brokers are upgraded from Kafka 1.1 to 2.8: offsets that come late are not those of the next one', async () => {
  // The transaction has no other epoch, though the group's coordinator knows of them.
  const brokers = [
    { id: 0, release: '1.1' },
    { id: 1, release: '2.8' },
  ]
  const kafka = await startKafka({ brokers, topics: TOPICS })
  const producer = startTransactional(kafka, { requestTimeoutMs: 600_000, deliveryTimeoutMs: 1_500 })
  const a = await producer.begin()
  const late = kafka.stall({ api: 'TxnOffsetCommit' })
  const given = errorOf(a.sendOffsets({ groupId: 'g' }, [{ topic: 'in', partition: 0, offset: 100 }]))
  await late.hit()
  await given
  expect(kafka.requests.map(({ api, broker }) => [api, broker])).toEqual(
    expect.arrayContaining([
      ['InitProducerId', 0],
      ['TxnOffsetCommit', 1],
    ]),
  )
  const aborted = errorOf(a.abort())
  expect(await aborted).toMatchObject({ code: 'PRODUCER_UNUSABLE' })
  late.release()
  await turns(20)
  expect(kafka.committedOffsets('g')).toEqual([])
})

it('a begin() that could not show the new epoch is not the last that tries', async () => {
  const kafka = await startKafka({ release: '2.8', topics: TOPICS })
  const producer = startTransactional(kafka, GIVES_UP)
  const a = await producer.begin()
  await a.send({ topic: 'one', value: 'a' })
  const late = kafka.stall({ api: 'Produce' })
  const sent = errorOf(a.send({ topic: 'one', value: 'late' }))
  await late.hit()
  const away = kafka.fail({ api: 'AddPartitionsToTxn', times: Infinity }, 'COORDINATOR_NOT_AVAILABLE')
  await a.abort()
  await sent
  expect(await errorOf(producer.begin())).toMatchObject({ code: 'DELIVERY_TIMEOUT' })
  away.release()
  const b = await producer.begin()
  const held = kafka.stall({ api: 'Produce' })
  const given = b.send({ topic: 'one', value: 'b' })
  await held.hit()
  late.release()
  await turns(20)
  held.release()
  await given
  await b.commit()
  expect(committed(kafka, 'one')).toEqual(['b'])
})

it('groups that could not be shown the new epoch are shown it by the next begin()', async () => {
  const kafka = await startKafka({ release: '2.8', topics: TOPICS })
  const producer = startTransactional(kafka, GIVES_UP)
  const a = await producer.begin()
  await a.send({ topic: 'one', value: 'a' })
  const late = kafka.stall({ api: 'TxnOffsetCommit' })
  const given = errorOf(a.sendOffsets({ groupId: 'g' }, [{ topic: 'in', partition: 0, offset: 100 }]))
  await late.hit()
  const away = kafka.cut({ api: 'AddOffsetsToTxn', times: Infinity })
  await a.abort()
  await given
  away.release()
  const b = await producer.begin()
  const held = kafka.stall({ api: 'TxnOffsetCommit' })
  const sent = b.sendOffsets({ groupId: 'g' }, [{ topic: 'in', partition: 1, offset: 200 }])
  await held.hit()
  late.release()
  await turns(20)
  held.release()
  await sent
  await b.commit()
  expect(kafka.committedOffsets('g')).toMatchObject([{ partition: 1, offset: 200n }])
})

describe('close()', () => {
  it.each(RELEASES)('ends what an abort could not tell the coordinator (Kafka %s)', async (release) => {
    const kafka = await startKafka({ release, topics: TOPICS })
    const producer = startTransactional(kafka, GIVES_UP)
    const a = await producer.begin()
    await a.send({ topic: 'one', value: 'a' })
    const away = kafka.fail({ api: 'EndTxn', times: Infinity }, 'COORDINATOR_NOT_AVAILABLE')
    await a.abort()
    away.release()
    expect(isOpen(kafka)).toBe(true)
    await producer.close()
    expect(isOpen(kafka)).toBe(false)
  })

  it('ends what a begin() that it calls off has opened', async () => {
    const kafka = await startKafka({ release: '2.8', topics: TOPICS })
    const producer = startTransactional(kafka, GIVES_UP)
    const a = await producer.begin()
    await a.send({ topic: 'one', value: 'a' })
    const away = kafka.fail({ api: 'EndTxn', times: Infinity }, 'COORDINATOR_NOT_AVAILABLE')
    await a.abort()
    away.release()
    const shown = kafka.stall({ api: 'AddPartitionsToTxn' }, 'after')
    const begun = errorOf(producer.begin())
    await shown.hit()
    const closed = producer.close()
    shown.release()
    await closed
    expect(await begun).toMatchObject({ code: 'PRODUCER_CLOSED' })
    expect(isOpen(kafka)).toBe(false)
  })
})

it.each(['0.11', '1.1', ...RELEASES] as const)(
  'whoever was fenced hears that from a batch, too (Kafka %s)',
  async (release) => {
    const kafka = await startKafka({ release, topics: TOPICS })
    const first = startTransactional(kafka)
    const second = startTransactional(kafka)
    const a = await first.begin()
    await a.send({ topic: 'one', value: 'a1' })
    await second.transaction((tx) => tx.send({ topic: 'one', value: 'b' }))
    await errorOf(a.send({ topic: 'one', value: 'a2' }))
    expect(await errorOf(a.commit())).toMatchObject({ code: 'PRODUCER_FENCED' })
    expect(committed(kafka, 'one')).toEqual(['b'])
  },
)
