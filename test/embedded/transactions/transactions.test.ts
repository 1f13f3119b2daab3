import { describe, expect, it } from 'vitest'
import {
  TransactionAbortedError,
  TransactionEndedError,
  TransactionTimeoutError,
  type KafkaProducerError,
} from '../../../src/index.js'
import { startKafka } from '../support/cluster.js'
import { deliveryErrorOf, errorOf, requestsOf, startProducer, stored, until, watched } from '../support/producers.js'
import { committed, startTransactional } from '../support/transactional.js'

const RELEASES = ['0.11', '1.1', '2.8', '3.9', '4'] as const
const TOPICS = { orders: { partitions: 3 }, payments: {} }

describe.each(RELEASES)('Kafka %s: a transaction', (release) => {
  it('is seen as a whole when it is committed, and not before', async () => {
    const kafka = await startKafka({ brokers: 3, release, topics: TOPICS })
    const producer = startTransactional(kafka)
    const result = await producer.transaction(async (tx) => {
      await tx.send([
        { topic: 'orders', partition: 0, value: 'a' },
        { topic: 'orders', partition: 1, value: 'b' },
        { topic: 'payments', value: 'c' },
      ])
      expect(stored(kafka, 'orders')).toEqual(['a', 'b'])
      expect(committed(kafka, 'orders')).toEqual([])
      return 'done'
    })
    expect(result).toBe('done')
    expect(committed(kafka, 'orders')).toEqual(['a', 'b'])
    expect(committed(kafka, 'payments')).toEqual(['c'])
  })

  it('is never seen when it is aborted, and the next one is', async () => {
    const kafka = await startKafka({ brokers: 3, release, topics: TOPICS })
    const producer = startTransactional(kafka)
    const why = new Error('not today')
    const aborted = producer.transaction(async (tx) => {
      await tx.send({ topic: 'orders', partition: 0, value: 'a' })
      throw why
    })
    await expect(aborted).rejects.toBe(why)
    await producer.transaction((tx) => tx.send({ topic: 'orders', partition: 0, value: 'b' }))
    expect(committed(kafka, 'orders')).toEqual(['b'])
    expect(stored(kafka, 'orders')).toEqual(['a', 'b'])
  })

  it('waits at its commit for what was sent and not awaited', async () => {
    const kafka = await startKafka({ release, topics: TOPICS })
    const producer = startTransactional(kafka)
    await producer.transaction((tx) => {
      for (let i = 0; i < 10; i++) void tx.send({ topic: 'orders', partition: i % 3, value: String(i) })
    })
    expect(committed(kafka, 'orders').sort()).toEqual([...'0123456789'])
  })

  it('commits the offsets of a group with it, or neither', async () => {
    const kafka = await startKafka({ brokers: 3, release, topics: TOPICS })
    const producer = startTransactional(kafka)
    const offsets = (offset: number) => [{ topic: 'orders', partition: 0, offset }]
    await producer.transaction(async (tx) => {
      await tx.send({ topic: 'payments', value: 'a' })
      await tx.sendOffsets({ groupId: 'readers' }, offsets(5))
    })
    expect(kafka.committedOffsets('readers')).toMatchObject([{ topic: 'orders', partition: 0, offset: 5n }])
    const tx = await producer.begin()
    await tx.sendOffsets({ groupId: 'readers' }, offsets(9))
    await tx.abort()
    expect(kafka.committedOffsets('readers')).toMatchObject([{ offset: 5n }])
  })

  it('sendOffsets alone: of offsets and nothing else it is committed, or aborted', async () => {
    const kafka = await startKafka({ brokers: 3, release, topics: TOPICS })
    const producer = startTransactional(kafka)
    const offsets = (offset: number) => [{ topic: 'orders', partition: 0, offset }]
    await producer.transaction((tx) => tx.sendOffsets({ groupId: 'readers' }, offsets(5)))
    const aborted = await producer.begin()
    await aborted.sendOffsets({ groupId: 'readers' }, offsets(9))
    await aborted.abort()
    expect(kafka.committedOffsets('readers')).toMatchObject([{ topic: 'orders', partition: 0, offset: 5n }])
    expect(requestsOf(kafka, 'EndTxn')).toHaveLength(2)
    expect(requestsOf(kafka, 'AddPartitionsToTxn')).toEqual([])
    expect(requestsOf(kafka, 'Produce')).toEqual([])
  })

  it('many of them in a row are seen whole, each or not at all', async () => {
    const kafka = await startKafka({ brokers: 3, release, topics: TOPICS })
    const producer = startTransactional(kafka)
    const expected: string[] = []
    for (let i = 0; i < 20; i++) {
      const tx = await producer.begin()
      const values = [0, 1, 2].map((partition) => `${i}-${partition}`)
      const sent = values.map((value, partition) => tx.send({ topic: 'orders', partition, value }))
      if (i % 3 === 0) {
        await tx.abort()
        await Promise.allSettled(sent)
      } else {
        await tx.commit()
        expected.push(...values)
      }
    }
    expect(committed(kafka, 'orders').sort()).toEqual(expected.sort())
  })
})

describe('a transaction', () => {
  it('of part two of KIP-890 has one question at its end alone', async () => {
    const kafka = await startKafka({ topics: TOPICS })
    const producer = startTransactional(kafka)
    await producer.transaction(async (tx) => {
      await tx.send({ topic: 'orders', partition: 0, value: 'a' })
      await tx.sendOffsets({ groupId: 'readers' }, [{ topic: 'orders', partition: 0, offset: 1n }])
    })
    expect(requestsOf(kafka, 'AddPartitionsToTxn')).toEqual([])
    expect(requestsOf(kafka, 'AddOffsetsToTxn')).toEqual([])
    expect(requestsOf(kafka, 'EndTxn').map(({ apiVersion }) => apiVersion)).toEqual([5])
    expect(requestsOf(kafka, 'TxnOffsetCommit').map(({ apiVersion }) => apiVersion)).toEqual([5])
    expect(requestsOf(kafka, 'Produce').every(({ apiVersion }) => apiVersion >= 12)).toBe(true)
    expect(kafka.transactions).toMatchObject([{ id: 'tx', producerEpoch: 1, state: 'CompleteCommit' }])
  })

  it('with several partitions adds those of one turn with one question', async () => {
    const kafka = await startKafka({ release: '3.9', topics: TOPICS })
    const producer = startTransactional(kafka)
    await producer.transaction(async (tx) => {
      await Promise.all([0, 1, 2, 0].map((partition) => tx.send({ topic: 'orders', partition, value: 'a' })))
      await tx.send({ topic: 'orders', partition: 1, value: 'b' })
    })
    expect(requestsOf(kafka, 'AddPartitionsToTxn')).toHaveLength(1)
    expect(requestsOf(kafka, 'Produce').every(({ apiVersion }) => apiVersion === 11)).toBe(true)
  })

  it('commit with an empty transaction: nobody is asked', async () => {
    const kafka = await startKafka({ topics: TOPICS })
    const producer = startTransactional(kafka)
    await producer.transaction(() => undefined)
    await producer.transaction((tx) => tx.send([]))
    expect(requestsOf(kafka, 'EndTxn')).toEqual([])
  })

  it('that a message of failed for is aborted by its commit, though the caller caught that', async () => {
    const kafka = await startKafka({ topics: TOPICS })
    const producer = startTransactional(kafka)
    const done = producer.transaction(async (tx) => {
      await tx.send({ topic: 'orders', partition: 0, value: 'a' })
      await errorOf(tx.send({ topic: 'orders', partition: 17, value: 'b' }))
    })
    const error = await errorOf(done)
    expect(error).toBeInstanceOf(TransactionAbortedError)
    expect(error.cause).toMatchObject({ code: 'INVALID_PARTITION' })
    expect(committed(kafka, 'orders')).toEqual([])
    await producer.transaction((tx) => tx.send({ topic: 'orders', partition: 0, value: 'c' }))
    expect(committed(kafka, 'orders')).toEqual(['c'])
  })

  it('with a message that fails for what can’t be read, such as a proxy that was revoked, is aborted by its commit', async () => {
    const kafka = await startKafka({ topics: TOPICS })
    const producer = startTransactional(kafka)
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    const tx = await producer.begin()
    await tx.send({ topic: 'orders', partition: 0, value: 'a' })
    const signal = AbortSignal.abort(proxy)
    expect(await errorOf(tx.send({ topic: 'orders', partition: 0, value: 'b' }, { signal }))).toHaveProperty(
      'code',
      'ABORTED',
    )
    const { code, cause } = await errorOf(tx.commit())
    expect([code, (cause as KafkaProducerError).code]).toEqual(['TRANSACTION_ABORTED', 'ABORTED'])
    expect(committed(kafka, 'orders')).toEqual([])
  })

  it('that has ended takes nothing more', async () => {
    const kafka = await startKafka({ topics: TOPICS })
    const producer = startTransactional(kafka)
    const tx = await producer.begin()
    await tx.commit()
    await expect(tx.send({ topic: 'orders', value: 'a' })).rejects.toThrow(TransactionEndedError)
    await expect(tx.sendOffsets({ groupId: 'readers' }, [])).rejects.toThrow(TransactionEndedError)
    const twice = await errorOf(tx.commit())
    expect(twice).toBeInstanceOf(TransactionEndedError)
    // Whoever runs again what is abortable would send it twice.
    expect(twice).not.toHaveProperty('kind')
    await expect(tx.abort()).rejects.toThrow(TransactionEndedError)
  })

  it('may be aborted again after it was aborted', async () => {
    const kafka = await startKafka({ topics: TOPICS })
    const producer = startTransactional(kafka)
    const tx = await producer.begin()
    await errorOf(tx.send({ topic: 'orders', partition: 17, value: 'b' }))
    await expect(tx.commit()).rejects.toThrow(TransactionAbortedError)
    await tx.abort()
    await tx.abort()
  })

  it('may be aborted again while it is aborted', async () => {
    const kafka = await startKafka({ topics: TOPICS })
    const producer = startTransactional(kafka)
    const tx = await producer.begin()
    await tx.send({ topic: 'orders', partition: 0, value: 'a' })
    await Promise.all([tx.abort(), tx.abort()])
    expect(committed(kafka, 'orders')).toEqual([])
  })

  it('commits the offset that was given last, though an earlier one is asked again', async () => {
    const kafka = await startKafka({ topics: TOPICS })
    const producer = startTransactional(kafka)
    kafka.fail({ api: 'TxnOffsetCommit' }, 'NOT_COORDINATOR')
    await producer.transaction((tx) => {
      for (const offset of [5, 6])
        void tx.sendOffsets({ groupId: 'readers' }, [{ topic: 'orders', partition: 0, offset }])
    })
    expect(kafka.committedOffsets('readers')).toMatchObject([{ offset: 6n }])
  })

  it('waits for the one before', async () => {
    const kafka = await startKafka({ topics: TOPICS })
    const producer = startTransactional(kafka)
    const first = await producer.begin()
    const second = watched(producer.begin())
    await first.send({ topic: 'orders', partition: 0, value: 'a' })
    expect(second.isSettled).toBe(false)
    await first.commit()
    await (await second.promise).commit()
  })

  it('within another one ends both waits when the outer one’s time is over', async () => {
    const kafka = await startKafka({ topics: TOPICS })
    const producer = startTransactional(kafka, { transactionTimeoutMs: 200 })
    const inner: Promise<unknown>[] = []
    // Nothing is sent in it: the broker counts, too, and might be the first to be through with it.
    const outer = producer.transaction(async () => {
      inner.push(producer.transaction((its) => its.send({ topic: 'orders', partition: 0, value: 'inner' })))
      await new Promise(() => undefined)
    })
    await expect(outer).rejects.toThrow(TransactionTimeoutError)
    await inner[0]
    expect(committed(kafka, 'orders')).toEqual(['inner'])
  })

  it('that took too long says so to whatever is done next', async () => {
    const kafka = await startKafka({ topics: TOPICS })
    const producer = startTransactional(kafka, { transactionTimeoutMs: 50 })
    const tx = await producer.begin()
    await (await producer.begin()).abort()
    await expect(tx.send({ topic: 'orders', value: 'b' })).rejects.toMatchObject({
      code: 'TRANSACTION_ENDED',
      cause: { code: 'TRANSACTION_TIMEOUT' },
    })
    await expect(tx.commit()).rejects.toThrow(TransactionTimeoutError)
    await tx.abort()
    expect(committed(kafka, 'orders')).toEqual([])
  })

  it('that is open when its producer closes is aborted', async () => {
    const kafka = await startKafka({ topics: TOPICS })
    const producer = startTransactional(kafka)
    const tx = await producer.begin()
    await tx.send({ topic: 'orders', partition: 0, value: 'a' })
    const waiting = errorOf(producer.begin())
    await producer.close()
    expect(await waiting).toMatchObject({ code: 'PRODUCER_CLOSED' })
    await expect(tx.commit()).rejects.toMatchObject({ code: 'TRANSACTION_ABORTED', cause: { code: 'PRODUCER_CLOSED' } })
    expect(kafka.transactions).toMatchObject([{ state: 'CompleteAbort' }])
    await expect(producer.begin()).rejects.toMatchObject({ code: 'PRODUCER_CLOSED' })
  })

  it('with `using` is aborted where it was not committed', async () => {
    const kafka = await startKafka({ topics: TOPICS })
    const producer = startTransactional(kafka)
    {
      await using tx = await producer.begin()
      await tx.send({ topic: 'orders', partition: 0, value: 'a' })
    }
    {
      await using tx = await producer.begin()
      await tx.send({ topic: 'orders', partition: 0, value: 'b' })
      await tx.commit()
    }
    expect(committed(kafka, 'orders')).toEqual(['b'])
  })

  it('with `using` that ends while it is committed ends as its commit does', async () => {
    const kafka = await startKafka({ topics: TOPICS })
    const producer = startTransactional(kafka)
    const run = async (value: string) => {
      await using tx = await producer.begin()
      await tx.send({ topic: 'orders', partition: 0, value })
      return tx.commit()
    }
    await run('a')
    expect(committed(kafka, 'orders')).toEqual(['a'])
    kafka.fail({ api: 'EndTxn' }, 120)
    await expect(run('b')).rejects.toThrow(TransactionAbortedError)
    await run('c')
    expect(committed(kafka, 'orders')).toEqual(['a', 'c'])
  })

  it('abort with messages still queued: they fail, what is under way is waited for', async () => {
    const kafka = await startKafka({ topics: TOPICS })
    const producer = startTransactional(kafka)
    const tx = await producer.begin()
    await tx.send({ topic: 'orders', partition: 0, value: 'a' })
    const stalled = kafka.stall({ api: 'Produce' })
    const underWay = watched(tx.send({ topic: 'orders', partition: 0, value: 'b' }))
    await stalled.hit()
    const queued = errorOf(tx.send({ topic: 'orders', partition: 0, value: 'c' }))
    const aborted = watched(tx.abort())
    expect(await queued).toMatchObject({ code: 'TRANSACTION_ABORTED', mayHaveBeenWritten: false })
    expect(aborted.isSettled).toBe(false)
    stalled.release()
    await underWay.promise
    await aborted.promise
    expect(committed(kafka, 'orders')).toEqual([])
    await producer.transaction((its) => its.send({ topic: 'orders', partition: 0, value: 'd' }))
    expect(committed(kafka, 'orders')).toEqual(['d'])
    expect(stored(kafka, 'orders')).toEqual(['a', 'b', 'd'])
  })

  it('abort waits for no leader: what was under way to one that is gone is not sent again', async () => {
    const kafka = await startKafka({ brokers: 3, topics: { orders: { partitions: 3, replicationFactor: 1 } } })
    const producer = startTransactional(kafka)
    await producer.transaction((tx) => tx.send({ topic: 'orders', partition: 0, value: 'a' }))
    const coordinator = requestsOf(kafka, 'EndTxn')[0]?.broker
    const partition = [0, 1, 2].find((one) => kafka.leaderOf('orders', one) !== coordinator) as number
    const tx = await producer.begin()
    const stalled = kafka.stall({ api: 'Produce' })
    const sent = deliveryErrorOf(tx.send({ topic: 'orders', partition, value: 'b' }))
    await stalled.hit()
    const aborted = tx.abort()
    await kafka.stopBroker(kafka.leaderOf('orders', partition))
    // And not since its time is over.
    expect(await sent).toMatchObject({ cause: { code: 'TRANSACTION_ABORTED' }, mayHaveBeenWritten: true })
    await aborted
    expect(kafka.transactions).toMatchObject([{ state: 'CompleteAbort' }])
  })

  it('goes unseen by a plain producer’s way: a topic may have both', async () => {
    const kafka = await startKafka({ topics: TOPICS })
    const producer = startTransactional(kafka)
    const plain = startProducer(kafka)
    await plain.send({ topic: 'orders', partition: 0, value: 'plain' })
    await producer.transaction((tx) => tx.send({ topic: 'orders', partition: 0, value: 'tx' }))
    expect(committed(kafka, 'orders')).toEqual(['plain', 'tx'])
  })
})

describe('a transaction that fails at the brokers', () => {
  it('fencing: the older producer is told so, and nothing of it is seen', async () => {
    const kafka = await startKafka({ topics: TOPICS })
    const zombie = startTransactional(kafka)
    const tx = await zombie.begin()
    await tx.send({ topic: 'orders', partition: 0, value: 'zombie' })
    const heir = startTransactional(kafka)
    await heir.transaction((its) => its.send({ topic: 'orders', partition: 0, value: 'heir' }))
    await expect(tx.commit()).rejects.toMatchObject({ code: 'PRODUCER_FENCED', kind: 'application-recoverable' })
    await expect(zombie.begin()).rejects.toMatchObject({ code: 'PRODUCER_FENCED' })
    expect(zombie.health()).toMatchObject({ healthy: false, problem: { code: 'PRODUCER_FENCED' } })
    expect(committed(kafka, 'orders')).toEqual(['heir'])
  })

  it.each(['2.8', '4'])('Kafka %s: fencing before a batch', async (release) => {
    const kafka = await startKafka({ release, topics: TOPICS })
    const zombie = startTransactional(kafka)
    const tx = await zombie.begin()
    await tx.send({ topic: 'orders', partition: 0, value: 'zombie' })
    const heir = startTransactional(kafka)
    await heir.transaction((its) => its.send({ topic: 'orders', partition: 0, value: 'heir' }))
    const refused = await errorOf(tx.send({ topic: 'orders', partition: 0, value: 'again' }))
    expect(refused).toMatchObject({ code: 'INVALID_PRODUCER_EPOCH', mayHaveBeenWritten: false })
    expect(refused.message).toContain('another producer may have begun with the same transactionalId')
    await errorOf(tx.send({ topic: 'orders', partition: 1, value: 'elsewhere' }))
    await expect(tx.commit()).rejects.toMatchObject({ code: 'PRODUCER_FENCED' })
    expect(committed(kafka, 'orders')).toEqual(['heir'])
  })

  it('fencing while committing: where an answer was lost before, nobody knows', async () => {
    const kafka = await startKafka({ release: '3.9', topics: TOPICS })
    const zombie = startTransactional(kafka)
    const tx = await zombie.begin()
    await tx.send({ topic: 'orders', partition: 0, value: 'a' })
    kafka.cut({ api: 'EndTxn' }, 'after')
    kafka.fail({ api: 'EndTxn', times: 2 }, 'PRODUCER_FENCED')
    await expect(tx.commit()).rejects.toMatchObject({
      code: 'OUTCOME_UNKNOWN',
      kind: 'application-recoverable',
      cause: { code: 'PRODUCER_FENCED' },
    })
  })

  it.each([
    ['an error that this client does not know', [200]],
    ['UNKNOWN_SERVER_ERROR', ['UNKNOWN_SERVER_ERROR']],
    ['REQUEST_TIMED_OUT, and is fenced when it is asked again', ['REQUEST_TIMED_OUT', 'PRODUCER_FENCED']],
  ])('a commit that is answered %s has an unknown outcome', async (_, errors) => {
    const kafka = await startKafka({ topics: TOPICS })
    const producer = startTransactional(kafka)
    const tx = await producer.begin()
    await tx.send({ topic: 'orders', partition: 0, value: 'a' })
    // Each is met by the first request, which has the error of the first.
    errors.forEach((error, i) => kafka.fail({ api: 'EndTxn', times: i + 1 }, error))
    await expect(tx.commit()).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN', kind: 'application-recoverable' })
  })

  it.each(RELEASES)('Kafka %s: a lost first response of a commit is asked for again', async (release) => {
    const kafka = await startKafka({ release, topics: TOPICS })
    const producer = startTransactional(kafka)
    for (const value of ['a', 'b']) {
      kafka.cut({ api: 'EndTxn' }, value === 'a' ? 'after' : 'before')
      await producer.transaction((tx) => tx.send({ topic: 'orders', partition: 0, value }))
    }
    expect(committed(kafka, 'orders')).toEqual(['a', 'b'])
  })

  it('a commit without an answer in time has an unknown outcome', async () => {
    const kafka = await startKafka({ topics: TOPICS })
    const producer = startTransactional(kafka, { deliveryTimeoutMs: 1_000, requestTimeoutMs: 10_000 })
    const tx = await producer.begin()
    await tx.send({ topic: 'orders', partition: 0, value: 'a' })
    const stalled = kafka.stall({ api: 'EndTxn', times: Infinity })
    await expect(tx.commit()).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN', cause: { code: 'DELIVERY_TIMEOUT' } })
    stalled.release()
    await expect(producer.begin()).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
  })

  it.each([
    ['InitProducerId', 'COORDINATOR_LOAD_IN_PROGRESS'],
    ['InitProducerId', 'CONCURRENT_TRANSACTIONS'],
    ['FindCoordinator', 'COORDINATOR_NOT_AVAILABLE'],
    ['AddPartitionsToTxn', 'CONCURRENT_TRANSACTIONS'],
    ['AddPartitionsToTxn', 'NOT_COORDINATOR'],
    ['AddOffsetsToTxn', 'COORDINATOR_LOAD_IN_PROGRESS'],
    ['TxnOffsetCommit', 'NOT_COORDINATOR'],
    ['TxnOffsetCommit', 'COORDINATOR_LOAD_IN_PROGRESS'],
    ['EndTxn', 'NOT_COORDINATOR'],
    ['EndTxn', 'CONCURRENT_TRANSACTIONS'],
  ] as const)('%s with %s is asked again', async (api, error) => {
    const kafka = await startKafka({ brokers: 3, release: '3.9', topics: TOPICS })
    const producer = startTransactional(kafka)
    const fault = kafka.fail({ api, times: 2 }, error)
    await producer.transaction(async (tx) => {
      await tx.send({ topic: 'orders', partition: 0, value: 'a' })
      await tx.sendOffsets({ groupId: 'readers' }, [{ topic: 'orders', partition: 0, offset: 1 }])
    })
    expect(fault.hits).toBe(2)
    expect(committed(kafka, 'orders')).toEqual(['a'])
    expect(kafka.committedOffsets('readers')).toHaveLength(1)
  })

  it.each(['3.9', '4'])('Kafka %s: a coordinator that moves at each step', async (release) => {
    const kafka = await startKafka({ brokers: 3, release, topics: TOPICS })
    const producer = startTransactional(kafka)
    let moves = 0
    const move = async () => {
      const [one] = requestsOf(kafka, 'InitProducerId')
      const id = (one?.broker ?? 1) === 1 ? 2 : 1
      if (moves++ % 2 === 0) await kafka.stopBroker(id)
      else await kafka.startBroker(id)
    }
    await move()
    const tx = await producer.begin()
    await move()
    await tx.send({ topic: 'orders', partition: 0, value: 'a' })
    await move()
    await tx.send({ topic: 'orders', partition: 1, value: 'b' })
    await move()
    await tx.sendOffsets({ groupId: 'readers' }, [{ topic: 'orders', partition: 0, offset: 1 }])
    await move()
    await tx.commit()
    expect(committed(kafka, 'orders').sort()).toEqual(['a', 'b'])
    expect(kafka.committedOffsets('readers')).toHaveLength(1)
  })

  it.each(RELEASES)('Kafka %s: a lost response to a batch is no second message', async (release) => {
    const kafka = await startKafka({ release, topics: TOPICS })
    const producer = startTransactional(kafka)
    kafka.cut({ api: 'Produce' }, 'after')
    await producer.transaction(async (tx) => {
      for (const value of ['a', 'b', 'c']) void tx.send({ topic: 'orders', partition: 0, value })
      await tx.send({ topic: 'orders', partition: 0, value: 'd' })
    })
    expect(committed(kafka, 'orders')).toEqual(['a', 'b', 'c', 'd'])
  })

  it.each(['2.8', '3.9', '4'])(
    'Kafka %s: a batch that is refused aborts it, and the next one goes on',
    async (release) => {
      const kafka = await startKafka({ release, topics: TOPICS })
      const producer = startTransactional(kafka)
      const tx = await producer.begin()
      await tx.send({ topic: 'orders', partition: 0, value: 'a' })
      kafka.fail({ api: 'Produce' }, 'TOPIC_AUTHORIZATION_FAILED')
      const error = await errorOf(tx.send({ topic: 'orders', partition: 0, value: 'b' }))
      expect(error).toMatchObject({ code: 'TOPIC_AUTHORIZATION_FAILED' })
      await expect(tx.send({ topic: 'orders', partition: 0, value: 'c' })).rejects.toThrow(TransactionAbortedError)
      await expect(tx.commit()).rejects.toMatchObject({ cause: { code: 'TOPIC_AUTHORIZATION_FAILED' } })
      await producer.transaction((its) => its.send({ topic: 'orders', partition: 0, value: 'd' }))
      expect(committed(kafka, 'orders')).toEqual(['d'])
    },
  )

  it.each(['Produce', 'TxnOffsetCommit'] as const)(
    'Kafka 4: whose id the brokers have forgotten, as %s tells, says so, and the next one goes on',
    async (api) => {
      const kafka = await startKafka({ topics: TOPICS })
      const producer = startTransactional(kafka)
      kafka.fail({ api }, 'INVALID_PRODUCER_ID_MAPPING')
      const forgotten = producer.transaction(async (tx) => {
        void tx.send({ topic: 'orders', value: 'a' })
        await tx.sendOffsets({ groupId: 'g' }, [{ topic: 'orders', partition: 0, offset: 1 }])
      })
      const error = await errorOf(forgotten)
      expect(error).toMatchObject({ code: 'TRANSACTION_ABORTED', cause: { code: 'INVALID_PRODUCER_ID_MAPPING' } })
      expect(error.message).toContain('transactional.id.expiration.ms')
      await producer.transaction((tx) => tx.send({ topic: 'orders', value: 'b' }))
      expect(committed(kafka, 'orders')).toEqual(['b'])
    },
  )

  it.each(['OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID', 'INVALID_PRODUCER_EPOCH'] as const)(
    'a batch with %s aborts it; the next one has another epoch',
    async (code) => {
      const kafka = await startKafka({ release: '2.8', topics: TOPICS })
      const producer = startTransactional(kafka)
      const tx = await producer.begin()
      await tx.send({ topic: 'orders', partition: 0, value: 'a' })
      kafka.fail({ api: 'Produce' }, code)
      const refused = { code, mayHaveBeenWritten: false }
      expect(await errorOf(tx.send({ topic: 'orders', partition: 0, value: 'b' }))).toMatchObject(refused)
      await expect(tx.commit()).rejects.toMatchObject({ code: 'TRANSACTION_ABORTED', cause: { code } })
      await producer.transaction((its) => its.send({ topic: 'orders', partition: 0, value: 'c' }))
      expect(committed(kafka, 'orders')).toEqual(['c'])
      expect(kafka.transactions).toMatchObject([{ producerEpoch: 1 }])
    },
  )

  it('a batch with a lost answer, which is then refused for its sequence, may have been written', async () => {
    const kafka = await startKafka({ topics: TOPICS })
    const producer = startTransactional(kafka)
    const tx = await producer.begin()
    await tx.send({ topic: 'orders', partition: 0, value: 'a' })
    const unanswered = kafka.stall({ api: 'Produce' }, 'after')
    const failure = errorOf(tx.send({ topic: 'orders', partition: 0, value: 'b' }))
    await unanswered.hit()
    kafka.fail({ api: 'Produce' }, 'OUT_OF_ORDER_SEQUENCE_NUMBER')
    kafka.dropConnections(1)
    expect(await failure).toMatchObject({ code: 'OUT_OF_ORDER_SEQUENCE_NUMBER', mayHaveBeenWritten: true })
    expect(stored(kafka, 'orders')).toEqual(['a', 'b'])
    await tx.abort()
    expect(committed(kafka, 'orders')).toEqual([])
  })

  it.each(['2.8', '3.9', '4'])(
    'Kafka %s: unknown producer id after retention: the transaction is aborted, with all that is in flight',
    async (release) => {
      const kafka = await startKafka({ release, topics: TOPICS })
      const producer = startTransactional(kafka)
      await producer.transaction((its) => its.send({ topic: 'orders', partition: 0, value: 'before' }))
      const tx = await producer.begin()
      await tx.send({ topic: 'orders', partition: 1, value: 'a' })
      kafka.fail({ api: 'Produce', partition: 0 }, 'UNKNOWN_PRODUCER_ID')
      const sent = await Promise.allSettled(
        [0, 1].map((partition) => tx.send({ topic: 'orders', partition, value: 'b' })),
      )
      expect(sent[0]).toMatchObject({ status: 'rejected', reason: { code: 'UNKNOWN_PRODUCER_ID' } })
      await expect(tx.commit()).rejects.toMatchObject({
        code: 'TRANSACTION_ABORTED',
        cause: { code: 'UNKNOWN_PRODUCER_ID' },
      })
      await producer.transaction((its) =>
        Promise.all([0, 1].map((partition) => its.send({ topic: 'orders', partition, value: 'after' }))),
      )
      expect(committed(kafka, 'orders').sort()).toEqual(['after', 'after', 'before'])
    },
  )

  it.each(['1.1', '2.8', '4'])('Kafka %s: it goes on where retention has deleted all before it', async (release) => {
    const kafka = await startKafka({ release, topics: { orders: { config: { 'retention.bytes': 1 } } } })
    // Each message is a batch.
    const producer = startTransactional(kafka, { batchBytes: 1 })
    const stranger = startProducer(kafka, { idempotent: false })
    await producer.transaction((tx) => tx.send({ topic: 'orders', value: 'before' }))
    for (let round = 0; round < 2; round++) {
      await stranger.send({ topic: 'orders', value: 'in its place' })
      expect(stored(kafka, 'orders')).toEqual(['in its place'])
      const offsets: number[] = []
      await producer.transaction(async (tx) => {
        const send = async (value: string) => {
          const [{ offset }] = await tx.send({ topic: 'orders', value })
          offsets.push(Number(offset))
        }
        await Promise.all(['a', 'b', 'c', 'd'].map(send))
      })
      const [first = NaN] = offsets
      expect(offsets).toEqual([first, first + 1, first + 2, first + 3])
    }
    expect(requestsOf(kafka, 'InitProducerId')).toHaveLength(1)
  })

  it('Kafka 1.1: so it does with retries: 0, since nothing was wrong with the message', async () => {
    const kafka = await startKafka({ release: '1.1', topics: { orders: { config: { 'retention.bytes': 1 } } } })
    const producer = startTransactional(kafka, { retries: 0 })
    await producer.transaction((tx) => tx.send({ topic: 'orders', value: 'before' }))
    await startProducer(kafka, { idempotent: false }).send({ topic: 'orders', value: 'in its place' })
    // Behind the end of the first transaction, and what was sent in its place.
    await expect(producer.transaction((tx) => tx.send({ topic: 'orders', value: 'after' }))).resolves.toMatchObject([
      { offset: 3n },
    ])
  })

  it('Kafka 1.1: a lost sequence is final, and a new producer with the same id goes on', async () => {
    const kafka = await startKafka({ release: '1.1', topics: TOPICS })
    const producer = startTransactional(kafka)
    const tx = await producer.begin()
    await tx.send({ topic: 'orders', partition: 0, value: 'a' })
    kafka.fail({ api: 'Produce' }, 'OUT_OF_ORDER_SEQUENCE_NUMBER')
    await errorOf(tx.send({ topic: 'orders', partition: 0, value: 'b' }))
    await expect(tx.commit()).rejects.toMatchObject({ code: 'PRODUCER_UNUSABLE' })
    const next = startTransactional(kafka)
    await next.transaction((its) => its.send({ topic: 'orders', partition: 0, value: 'c' }))
    expect(committed(kafka, 'orders')).toEqual(['c'])
  })

  it.each(['fails', 'is silent'] as const)(
    'a message whose partition was not added in time, since the coordinator %s, says so',
    async (how) => {
      const kafka = await startKafka({ release: '2.8', topics: TOPICS })
      const producer = startTransactional(kafka, { deliveryTimeoutMs: 1_000 })
      const tx = await producer.begin()
      // So that its time is over before that of the question.
      kafka.delay({ api: 'Metadata', topic: 'orders' }, 100)
      const target = { api: 'AddPartitionsToTxn', times: Infinity } as const
      if (how === 'fails') kafka.fail(target, 'COORDINATOR_LOAD_IN_PROGRESS')
      else kafka.stall(target)
      const failure = await errorOf(tx.send({ topic: 'orders', value: 'a' }))
      expect(failure).toMatchObject({ code: 'DELIVERY_TIMEOUT', mayHaveBeenWritten: false })
      expect(failure.message).toContain('it waited for its partition to be added to the transaction')
      expect(failure.message).toMatch(
        how === 'fails' ? /COORDINATOR_LOAD_IN_PROGRESS/ : /waiting for [\d.:]+ to answer AddPartitionsToTxn/,
      )
    },
  )

  it('an expired batch: it is aborted after the answer came, and the next one has another epoch', async () => {
    const kafka = await startKafka({ release: '3.9', topics: TOPICS })
    const producer = startTransactional(kafka, { deliveryTimeoutMs: 1_000 })
    const tx = await producer.begin()
    await tx.send({ topic: 'orders', partition: 0, value: 'a' })
    const stalled = kafka.stall({ api: 'Produce' })
    expect(await errorOf(tx.send({ topic: 'orders', partition: 0, value: 'b' }))).toMatchObject({
      code: 'DELIVERY_TIMEOUT',
      mayHaveBeenWritten: true,
    })
    const failed = watched(errorOf(tx.commit()))
    stalled.release()
    expect(await failed.promise).toMatchObject({ code: 'TRANSACTION_ABORTED' })
    await producer.transaction((its) => its.send({ topic: 'orders', partition: 0, value: 'c' }))
    expect(committed(kafka, 'orders')).toEqual(['c'])
  })

  it('topic made anew in a transaction', async () => {
    const kafka = await startKafka({ topics: TOPICS })
    const producer = startTransactional(kafka)
    const tx = await producer.begin()
    await tx.send({ topic: 'orders', partition: 0, value: 'a' })
    kafka.recreateTopic('orders', { partitions: 3 })
    const sent = await Promise.allSettled([tx.send({ topic: 'orders', partition: 0, value: 'b' })])
    const ended = await Promise.allSettled([tx.commit()])
    expect(ended[0].status).toBe(sent[0].status)
    const seen = committed(kafka, 'orders')
    expect(seen).toEqual(ended[0].status === 'fulfilled' ? ['b'] : [])
    await producer.transaction((its) => its.send({ topic: 'orders', partition: 0, value: 'c' }))
    expect(committed(kafka, 'orders')).toEqual([...seen, 'c'])
  })

  it('leaders that move and brokers that restart lose and double nothing', async () => {
    const kafka = await startKafka({ brokers: 3, topics: TOPICS })
    const producer = startTransactional(kafka)
    const expected: string[] = []
    for (let i = 0; i < 12; i++) {
      const values = [0, 1, 2].map((partition) => `${i}-${partition}`)
      const done = producer.transaction(async (tx) => {
        const sent = values.map((value, partition) => tx.send({ topic: 'orders', partition, value }))
        if (i % 4 === 1) kafka.moveLeader('orders', i % 3, (i % 3) + 1)
        if (i % 4 === 2) kafka.dropConnections((i % 3) + 1)
        await Promise.all(sent)
      })
      await done
      expected.push(...values)
    }
    expect(committed(kafka, 'orders').sort()).toEqual(expected.sort())
  })

  it('a consumer that is in its group no more: its offsets abort the transaction', async () => {
    const kafka = await startKafka({ topics: TOPICS })
    const producer = startTransactional(kafka)
    const tx = await producer.begin()
    await tx.send({ topic: 'orders', partition: 0, value: 'a' })
    const member = { groupId: 'readers', generationId: 3, memberId: 'gone' }
    const sent = errorOf(tx.sendOffsets(member, [{ topic: 'orders', partition: 0, offset: 1 }]))
    expect(await sent).toMatchObject({ code: 'TRANSACTION_ABORTED', cause: { code: 'ILLEGAL_GENERATION' } })
    await expect(tx.commit()).rejects.toThrow(TransactionAbortedError)
    expect(committed(kafka, 'orders')).toEqual([])
    await producer.transaction((its) =>
      its.sendOffsets({ groupId: 'readers' }, [{ topic: 'orders', partition: 0, offset: 1 }]),
    )
  })

  it.each(['2.8', '3.9'] as const)(
    'offsets of a group whose coordinator is Kafka %s, which does not add them by itself, are committed with it',
    async (release) => {
      const kafka = await startKafka({ brokers: [{ id: 1 }, { id: 2, release }], topics: TOPICS })
      // By these names broker 1 has the one, and broker 2 the other.
      const [transactionalId, groupId] = ['b', 'a']
      const producer = startTransactional(kafka, { transactionalId })
      const partition = [0, 1, 2].find((index) => kafka.leaderOf('orders', index) === 1) as number
      await producer.transaction(async (tx) => {
        await tx.send({ topic: 'orders', partition, value: 'a' })
        await tx.sendOffsets({ groupId }, [{ topic: 'orders', partition: 0, offset: 1 }])
      })
      expect(requestsOf(kafka, 'EndTxn')).toMatchObject([{ broker: 1, apiVersion: 5 }])
      expect(requestsOf(kafka, 'TxnOffsetCommit').at(-1)).toMatchObject({ broker: 2 })
      expect(kafka.committedOffsets(groupId)).toMatchObject([{ topic: 'orders', partition: 0 }])
    },
  )

  it('with retries: 0 waits for the end of the one before, which is no attempt', async () => {
    const kafka = await startKafka({ topics: TOPICS })
    const producer = startTransactional(kafka, { retries: 0 })
    const ending = kafka.fail({ api: 'Produce', times: 3 }, 'CONCURRENT_TRANSACTIONS')
    await producer.transaction((tx) => tx.send({ topic: 'orders', partition: 0, value: 'a' }))
    expect(ending.hits).toBe(3)
    expect(committed(kafka, 'orders')).toEqual(['a'])
  })

  it('counts what it wrote, in its log and errors, where the one before has no end', async () => {
    const kafka = await startKafka({ topics: TOPICS })
    const told: unknown[] = []
    const note = (...line: unknown[]) => told.push(...line)
    const logger = { debug: note, info: note, warn: note, error: note }
    const producer = startTransactional(kafka, { deliveryTimeoutMs: 1_000, requestTimeoutMs: 300, logger })
    kafka.fail({ api: 'Produce', times: Infinity }, 'CONCURRENT_TRANSACTIONS')
    const tx = await producer.begin()
    const error = await deliveryErrorOf(tx.send({ topic: 'orders', partition: 0, value: 'a' }))
    expect(error).toMatchObject({ code: 'DELIVERY_TIMEOUT', attempts: 1 })
    expect(told).toContainEqual(expect.objectContaining({ event: 'retry', attempts: 1 }))
    expect(told).not.toContainEqual(expect.objectContaining({ event: 'retry', attempts: 0 }))
    await tx.abort()
  })

  it('Kafka 1.1: has no place for the member of a group, and aborts', async () => {
    const kafka = await startKafka({ release: '1.1', topics: TOPICS })
    const producer = startTransactional(kafka)
    const tx = await producer.begin()
    const member = { groupId: 'readers', generationId: 3, memberId: 'm' }
    const sent = errorOf(tx.sendOffsets(member, [{ topic: 'orders', partition: 0, offset: 1 }]))
    expect(await sent).toMatchObject({ code: 'TRANSACTION_ABORTED', cause: { code: 'UNSUPPORTED_VERSION' } })
    await expect(tx.commit()).rejects.toThrow(TransactionAbortedError)
    await producer.transaction((its) => its.send({ topic: 'orders', partition: 0, value: 'a' }))
    expect(committed(kafka, 'orders')).toEqual(['a'])
  })

  it('a cluster that is restarted as another release between transactions', async () => {
    const kafka = await startKafka({ topics: TOPICS })
    const producer = startTransactional(kafka)
    await producer.transaction((tx) => tx.send({ topic: 'orders', partition: 0, value: 'a' }))
    await kafka.upgradeBroker(1, '3.9')
    await producer.transaction((tx) => tx.send({ topic: 'orders', partition: 0, value: 'b' }))
    expect(requestsOf(kafka, 'AddPartitionsToTxn')).toHaveLength(1)
    await kafka.upgradeBroker(1, '4')
    await producer.transaction((tx) => tx.send({ topic: 'orders', partition: 0, value: 'c' }))
    // The first may begin before the old connection is seen to be gone.
    const added = requestsOf(kafka, 'AddPartitionsToTxn').length
    await producer.transaction((tx) => tx.send({ topic: 'orders', partition: 0, value: 'd' }))
    expect(requestsOf(kafka, 'AddPartitionsToTxn')).toHaveLength(added)
    expect(committed(kafka, 'orders')).toEqual(['a', 'b', 'c', 'd'])
  })

  it.each(['0.8.2', '0.10.2'])('a broker of Kafka %s has none, and the error says so', async (release) => {
    const kafka = await startKafka({ release, topics: TOPICS })
    const producer = startTransactional(kafka)
    await expect(producer.begin()).rejects.toMatchObject({
      code: 'UNSUPPORTED_VERSION',
      message: expect.stringContaining('transactions need Kafka 0.11') as string,
    })
  })

  it('a begin that nobody answers may be tried again', async () => {
    const kafka = await startKafka({ topics: TOPICS })
    const producer = startTransactional(kafka, { deliveryTimeoutMs: 300, requestTimeoutMs: 10_000 })
    const stalled = kafka.stall({ api: 'InitProducerId' })
    await expect(producer.begin()).rejects.toMatchObject({ code: 'DELIVERY_TIMEOUT' })
    stalled.release()
    await until(() => requestsOf(kafka, 'InitProducerId').length === 1, 'it was asked')
    await producer.transaction((tx) => tx.send({ topic: 'orders', partition: 0, value: 'a' }))
    expect(committed(kafka, 'orders')).toEqual(['a'])
  })
})

describe('topics that nobody has sent to for long', () => {
  it('are not forgotten with their sequences, which the next transaction goes on with', async () => {
    const kafka = await startKafka({ release: '2.8', topics: TOPICS })
    const producer = startTransactional(kafka, { metadataMaxIdleMs: 40 })
    await producer.transaction((tx) => tx.send({ topic: 'orders', partition: 0, value: 'a' }))
    // Both are looked through for idle ones meanwhile.
    for (let i = 0; i < 5; i++) {
      await new Promise((resolve) => setTimeout(resolve, 40))
      await producer.transaction((tx) => tx.send({ topic: 'payments', value: 'b' }))
    }
    await producer.transaction((tx) => tx.send({ topic: 'orders', partition: 0, value: 'c' }))
    expect(committed(kafka, 'orders')).toEqual(['a', 'c'])
    expect(kafka.transactions).toMatchObject([{ producerEpoch: 0 }])
  })

  it('are forgotten on Kafka 4, where each transaction has an epoch of its own, and left out of what is asked for', async () => {
    const kafka = await startKafka({ topics: TOPICS })
    const producer = startTransactional(kafka, { metadataRefreshIntervalMs: 20, metadataMaxIdleMs: 200 })
    await producer.transaction((tx) => tx.send({ topic: 'orders', partition: 0, value: 'a' }))
    const lastAsked = () =>
      requestsOf(kafka, 'Metadata')
        .at(-1)
        ?.topics.map(({ topic }) => topic)
        .join()
    for (let sent = 0; lastAsked() !== 'payments' && sent < 500; sent++) {
      await producer.transaction((tx) => tx.send({ topic: 'payments', value: 'b' }))
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    expect(lastAsked()).toBe('payments')
    await producer.transaction((tx) => tx.send({ topic: 'orders', partition: 0, value: 'c' }))
    expect(committed(kafka, 'orders')).toEqual(['a', 'c'])
  })
})
