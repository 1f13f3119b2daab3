/** Transactions on real brokers: read back by kcat, which sees committed messages alone. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { TransactionalProducer, type Transaction, type TransactionalProducerOptions } from '../../../src/index.js'
import { findCoordinator } from '../../../src/protocol/apis/find-coordinator.js'
import { offsetFetch } from '../../../src/protocol/apis/offset-fetch.js'
import { ZERO_UUID } from '../../../src/protocol/byte-writer.js'
import { RawClient } from '../../embedded/support/raw-client.js'
import { Dice } from '../../simulation/dice.js'
import { killAndRestart } from '../exactly-once/transformer.js'
import { newTopic, release, needs, type Bytes, type Cluster } from '../support/fixture.js'
import { readTopic } from '../support/kcat.js'

const partitions = 3
/** `npm run test:exactly-once -- --kills 50` has more. */
const KILLS = 3

export function transactionCases(three: Cluster): void {
  const start = (id: string, options: Partial<TransactionalProducerOptions<Bytes, Bytes>> = {}) => {
    const producer = new TransactionalProducer<Bytes, Bytes>({
      brokers: three.kafka.bootstrap,
      transactionalId: id,
      ...options,
    })
    onTestFinished(async () => void (await producer.close({ timeoutMs: 5_000 })))
    return producer
  }
  /** A commit is answered before its markers stand; the next transaction begins after that. */
  const settled = async (producer: TransactionalProducer<Bytes, Bytes>) => {
    await producer.transaction((tx) => tx.send({ topic: 'tx-settled', value: null }))
  }
  const read = async (
    producer: TransactionalProducer<Bytes, Bytes>,
    topic: string,
    isolation: 'read_committed' | 'read_uncommitted' = 'read_committed',
  ) => {
    const { bootstrap } = three.kafka
    await settled(producer)
    const records = await readTopic({ bootstrap, topic, release: release.version, isolation })
    return records.map(({ value }) => value?.toString() ?? '')
  }
  const makeTopic = async (about: string, topic = newTopic(about)) => {
    await three.kafka.createTopic(topic, { partitions, replicationFactor: three.kafka.brokers.length })
    return topic
  }

  describe('transactions', () => {
    test('committed ones are seen whole, aborted ones never', async (context) => {
      needs(context, 'transactions')
      const topic = await makeTopic('tx')
      const producer = start(topic)
      const expected: string[] = []
      for (let i = 0; i < 30; i++) {
        const values = Array.from({ length: 10 }, (_, n) => `${i}/${n}`)
        const tx = await producer.begin()
        const sent = values.map((value, n) => tx.send({ topic, partition: n % partitions, value }))
        if (i % 3 === 1) {
          if (i % 2 === 0) await Promise.all(sent)
          await tx.abort()
        } else {
          await tx.commit()
          expected.push(...values)
        }
      }
      expect((await read(producer, topic)).sort()).toEqual(expected.sort())
      expect((await read(producer, topic, 'read_uncommitted')).length).toBeGreaterThan(expected.length)
    })

    test('many senders at a time, in the order of each', async (context) => {
      needs(context, 'transactions')
      const topic = await makeTopic('tx-many')
      const producer = start(topic)
      for (let round = 0; round < 5; round++) {
        await producer.transaction(async (tx) => {
          const sender = async (key: number) => {
            for (let n = 0; n < 20; n++) await tx.send({ topic, key: `k${key}`, value: `${key}/${round * 20 + n}` })
          }
          await Promise.all(Array.from({ length: 50 }, (_, key) => sender(key)))
        })
      }
      const seen = new Map<string, number[]>()
      for (const value of await read(producer, topic)) {
        const [key = '', n] = value.split('/')
        seen.set(key, [...(seen.get(key) ?? []), Number(n)])
      }
      expect(seen.size).toBe(50)
      for (const numbers of seen.values()) expect(numbers).toEqual(Array.from({ length: 100 }, (_, n) => n))
    })

    test('the offsets of a group go with them', async (context) => {
      needs(context, 'transactions')
      const topic = await makeTopic('tx-offsets')
      const producer = start(topic)
      const groupId = `${topic}-readers`
      const send = async (tx: Transaction<Bytes, Bytes>, offset: number) => {
        await tx.send({ topic, partition: 0, value: String(offset) })
        await tx.sendOffsets({ groupId }, [
          { topic, partition: 0, offset, metadata: 'so far' },
          { topic, partition: 1, offset: BigInt(offset) },
        ])
      }
      await producer.transaction((tx) => send(tx, 5))
      await settled(producer)
      expect(await committedOffsets(three, groupId, topic)).toEqual([5n, 5n])
      const tx = await producer.begin()
      await send(tx, 9)
      await tx.abort()
      await settled(producer)
      expect(await committedOffsets(three, groupId, topic)).toEqual([5n, 5n])
      await producer.transaction((its) => its.sendOffsets({ groupId }, [{ topic, partition: 1, offset: 7 }]))
      await settled(producer)
      expect(await committedOffsets(three, groupId, topic)).toEqual([5n, 7n])
      expect(await read(producer, topic)).toEqual(['5'])
    })

    test('a producer that comes after fences the one before', async (context) => {
      needs(context, 'transactions')
      const topic = await makeTopic('tx-fence')
      const zombie = start(topic)
      const tx = await zombie.begin()
      await tx.send({ topic, partition: 0, value: 'zombie' })
      const heir = start(topic)
      await heir.transaction((its) => its.send({ topic, partition: 0, value: 'heir' }))
      await tx.send({ topic, partition: 0, value: 'zombie again' }).catch(() => undefined)
      // Before Kafka 2.5 a broker may have found sequences missing before it looks at the epoch: final as well.
      const codes = parseFloat(release.version) < 2.5 ? /^PRODUCER_(FENCED|UNUSABLE)$/ : /^PRODUCER_FENCED$/
      const isFinal = { code: expect.stringMatching(codes) as string }
      await expect(tx.commit()).rejects.toMatchObject(isFinal)
      await expect(zombie.begin()).rejects.toMatchObject(isFinal)
      expect(await read(heir, topic)).toEqual(['heir'])
    })

    test('what a producer left open is aborted by the next one with its id', async (context) => {
      needs(context, 'transactions')
      const topic = await makeTopic('tx-heir')
      const first = start(topic)
      await (await first.begin()).send({ topic, partition: 0, value: 'left open' })
      const next = start(topic)
      await next.transaction((tx) => tx.send({ topic, partition: 0, value: 'next' }))
      expect(await read(next, topic)).toEqual(['next'])
    })

    test('a message that is too large aborts it, and the next one goes on', async (context) => {
      needs(context, 'transactions')
      const topic = await makeTopic('tx-large')
      const producer = start(topic)
      const tx = await producer.begin()
      await tx.send({ topic, partition: 0, value: 'before' })
      await tx.send({ topic, partition: 0, value: 'x'.repeat(3_000_000) }).catch(() => undefined)
      await expect(tx.commit()).rejects.toMatchObject({
        code: 'TRANSACTION_ABORTED',
        cause: { code: 'MESSAGE_TOO_LARGE' },
      })
      await producer.transaction((its) => its.send({ topic, partition: 0, value: 'after' }))
      expect(await read(producer, topic)).toEqual(['after'])
    })

    test('the same with others on their way behind it', async (context) => {
      needs(context, 'transactions')
      const topic = await makeTopic('tx-large-first')
      // Each message is a batch.
      const producer = start(topic, { batchBytes: 1 })
      const send = (tx: Transaction<Bytes, Bytes>, value: string) => tx.send({ topic, partition: 0, value })
      await producer.transaction((tx) => send(tx, 'before'))
      const tx = await producer.begin()
      await send(tx, 'first')
      const sent = await Promise.allSettled(['x'.repeat(3_000_000), '1', '2', '3'].map((value) => send(tx, value)))
      expect(sent[0]).toMatchObject({ reason: { code: 'MESSAGE_TOO_LARGE', mayHaveBeenWritten: false } })
      await expect(tx.commit()).rejects.toMatchObject({
        code: 'TRANSACTION_ABORTED',
        cause: { code: 'MESSAGE_TOO_LARGE' },
      })
      const after = ['4', '5', '6', '7']
      await producer.transaction((its) => Promise.all(after.map((value) => send(its, value))))
      expect(await read(producer, topic)).toEqual(['before', ...after])
    })

    test('what retention deletes: the next ones go on', async (context) => {
      needs(context, 'logStartOffset')
      const topic = await makeTopic('tx-retention')
      const producer = start(topic)
      const send = (values: readonly string[]) =>
        producer.transaction(async (tx) => {
          await Promise.all(values.map((value) => tx.send({ topic, partition: 0, value })))
        })
      await send(['before'])
      await settled(producer)
      for (const round of [1, 2]) {
        await three.kafka.deleteRecords(topic, 0)
        await send([`${round} a`, `${round} b`])
      }
      expect(await read(producer, topic)).toEqual(['2 a', '2 b'])
      await send(['after'])
      expect(await read(producer, topic)).toEqual(['2 a', '2 b', 'after'])
    })

    test('with each codec', async (context) => {
      needs(context, 'transactions')
      for (const compression of ['gzip', 'snappy', 'lz4'] as const) {
        const topic = await makeTopic(`tx-${compression}`)
        const producer = start(topic, { compression })
        const values = Array.from({ length: 100 }, (_, n) => `value number ${n}`)
        await producer.transaction((tx) => {
          for (const value of values) void tx.send({ topic, partition: 0, value })
        })
        expect(await read(producer, topic)).toEqual(values)
      }
    })

    test('a cluster that is downgraded and upgraded while a producer lives', async (context) => {
      needs(context, 'transactionVersion')
      const topic = await makeTopic('tx-version')
      const producer = start(topic)
      const expected: string[] = []
      const run = async (of: TransactionalProducer<Bytes, Bytes>, value: string) => {
        await of.transaction((tx) => tx.send({ topic, partition: 0, value }))
        const aborted = await of.begin()
        await aborted.send({ topic, partition: 0, value: `not ${value}` })
        await aborted.abort()
        expected.push(value)
      }
      await run(producer, 'at first')
      const bootstrap = ['--bootstrap-server', three.kafka.bootstrap]
      for (const [how, level] of [
        ['downgrade', 1],
        ['upgrade', 2],
      ] as const) {
        const feature = [...bootstrap, how, '--feature', `transaction.version=${level}`]
        await three.kafka.tool('org.apache.kafka.tools.FeatureCommand', feature)
        await run(producer, `${how}d`)
        // One whose connections are new, so that it is told.
        const another = start(`${topic}-${how}`)
        await run(another, `${how}d, with another one`)
        await run(producer, `${how}d, and again`)
        await settled(another)
      }
      expect(await read(producer, topic)).toEqual(expected)
    })

    test('consume, transform, produce: each result once, however often the program is killed', async (context) => {
      needs(context, 'transactions')
      expect(await killAndRestart(three.kafka, KILLS, new Dice(1))).toEqual([])
    })

    test('brokers that are killed and come back, one at a time: each transaction is whole or not there', async (context) => {
      needs(context, 'transactions')
      const topic = await makeTopic('tx-chaos')
      const producer = start(topic)
      const expected: string[] = []
      let isOver = false
      const running = (async () => {
        for (let i = 0; !isOver; i++) {
          const values = Array.from({ length: 9 }, (_, n) => `${i}/${n}`)
          await producer.transaction((tx) => {
            values.forEach((value, n) => void tx.send({ topic, partition: n % partitions, value }))
          })
          expected.push(...values)
        }
      })()
      for (const { id } of three.kafka.brokers) {
        await three.kafka.killBroker(id)
        await new Promise((resolve) => setTimeout(resolve, 1_000))
        await three.kafka.startBroker(id)
      }
      isOver = true
      await running
      expect((await read(producer, topic)).sort()).toEqual(expected.sort())
    })
  })
}

/** What a group has committed of the first two partitions. */
async function committedOffsets({ kafka }: Cluster, groupId: string, topic: string): Promise<bigint[]> {
  const { port } = kafka.brokers[0] ?? { port: 0 }
  const any = await RawClient.connect({ host: '127.0.0.1', port })
  const { coordinators } = await any.call(findCoordinator, 1, { keyType: 0, coordinatorKeys: [groupId] })
  await any.close()
  const client = await RawClient.connect({ host: '127.0.0.1', port: coordinators[0]?.port ?? 0 })
  try {
    const topics = [{ name: topic, topicId: ZERO_UUID, partitionIndexes: [0, 1] }]
    const groups = [{ groupId, memberId: null, memberEpoch: -1, topics }]
    const answer = await client.call(offsetFetch, 2, { groups, requireStable: false })
    return answer.groups.flatMap(({ topics }) =>
      topics.flatMap(({ partitions: all }) => all.map(({ committedOffset }) => committedOffset)),
    )
  } finally {
    await client.close()
  }
}
