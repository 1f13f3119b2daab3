import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { Producer, type PartitionContext } from '../../../src/index.js'
import type { MetadataResponse } from '../../../src/protocol/apis/metadata.js'
import type { EmbeddedKafka } from '../../../src/testing/index.js'
import { startKafka } from '../support/cluster.js'
import {
  deadAddress,
  deliveryErrorOf,
  errorOf,
  expectNothingHeld,
  failureOf,
  outcomes,
  plainServer,
  portOf,
  requestsOf,
  startProducer,
  stored,
  turns,
  until,
  watched,
} from '../support/producers.js'
import {
  partitionAnswer,
  ScriptedBroker,
  topicMetadata,
  withPartitions,
  type Script,
} from '../support/scripted-broker.js'

function metadataCount(kafka: EmbeddedKafka): number {
  return requestsOf(kafka, 'Metadata').length
}

describe('how often metadata is asked for', () => {
  it('once for a first send', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    await producer.send({ topic: 'orders', value: 'x' })
    await producer.send({ topic: 'orders', value: 'y' })
    expect(metadataCount(kafka)).toBe(1)
  })

  it('once for the topics of all calls of one turn', async () => {
    const kafka = await startKafka({ topics: { a: {}, b: {}, c: {} } })
    const producer = startProducer(kafka)
    await Promise.all(['a', 'b', 'c', 'a'].map((topic) => producer.send({ topic, value: 'x' })))
    expect(requestsOf(kafka, 'Metadata').map(({ topics }) => topics.map(({ topic }) => topic).sort())).toEqual([
      ['a', 'b', 'c'],
    ])
  })

  it('once for many failures of the same moment', async () => {
    const kafka = await startKafka({ brokers: 3, topics: { orders: { partitions: 60 } } })
    const producer = startProducer(kafka)
    const messages = Array.from({ length: 60 }, (_, partition) => ({ topic: 'orders', partition, value: 'x' }))
    await producer.send(messages)
    const before = metadataCount(kafka)
    kafka.fail({ api: 'Produce', times: 3 }, 'NOT_ENOUGH_REPLICAS')
    await producer.send(messages)
    // Three brokers answered, at three moments at the most.
    expect(metadataCount(kafka) - before).toBeGreaterThanOrEqual(1)
    expect(metadataCount(kafka) - before).toBeLessThanOrEqual(3)
  })

  it('metadataRefreshIntervalMs > 0: on the interval, without need', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { metadataRefreshIntervalMs: 20 })
    await producer.send({ topic: 'orders', value: 'x' })
    await kafka.waitForRequest({ api: 'Metadata' }, { count: 4 })
  })

  it('metadataRefreshIntervalMs > 0: goes on after a refresh that nobody answered', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { metadataRefreshIntervalMs: 20 })
    await producer.send({ topic: 'orders', value: 'x' })
    kafka.cut({ api: 'Metadata', times: 6 })
    await kafka.waitForRequest({ api: 'Metadata' }, { count: 12 })
  })

  it('metadataRefreshIntervalMs 0: after each send', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { metadataRefreshIntervalMs: 0 })
    for (let i = 1; i <= 4; i++) {
      await producer.send({ topic: 'orders', value: 'x' })
      await kafka.waitForRequest({ api: 'Metadata' }, { count: i + 1 })
      await turns()
    }
    expect(metadataCount(kafka)).toBe(5)
  })

  it('metadataRefreshIntervalMs -1: only on failure', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { metadataRefreshIntervalMs: -1 })
    for (let i = 0; i < 5; i++) await producer.send({ topic: 'orders', value: 'x' })
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(metadataCount(kafka)).toBe(1)
    kafka.fail({ api: 'Produce' }, 'NOT_LEADER_OR_FOLLOWER')
    await producer.send({ topic: 'orders', value: 'x' })
    expect(metadataCount(kafka)).toBe(2)
  })

  it('a failure that tells nothing about the leader asks too, but the retry does not wait for the answer', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    await producer.send({ topic: 'orders', value: 'warm' })
    const stall = kafka.stall({ api: 'Metadata' })
    kafka.fail({ api: 'Produce' }, 'NOT_ENOUGH_REPLICAS')
    await producer.send({ topic: 'orders', value: 'x' })
    await stall.hit()
  })
})

describe('one bad topic harms no other', () => {
  it('unknown: its messages wait for it, the others go', async () => {
    const kafka = await startKafka({ autoCreateTopics: false, topics: { good: {} } })
    const producer = startProducer(kafka, { deliveryTimeoutMs: 2_000 })
    const bad = watched(
      failureOf(
        producer.send([
          { topic: 'missing', value: '1' },
          { topic: 'good', value: '2' },
        ]),
      ),
    )
    for (let i = 0; i < 10; i++) await producer.send({ topic: 'good', value: String(i) })
    expect(bad.isSettled).toBe(false)
    expect(outcomes((await bad.promise).results)).toEqual(['DELIVERY_TIMEOUT', 0n])
    const [error] = (await bad.promise).results
    expect(error).toMatchObject({ mayHaveBeenWritten: false, attempts: 0, partition: undefined })
    expect((error as Error).message).toContain('UNKNOWN_TOPIC_OR_PARTITION')
    expectNothingHeld(producer)
  })

  it.each([
    ['TOPIC_AUTHORIZATION_FAILED', 29],
    ['INVALID_TOPIC_EXCEPTION', 17],
  ])('refused with %s: its messages fail at once, the others go', async (code, errorCode) => {
    const kafka = await startKafka({ topics: { good: {}, bad: {} } })
    kafka.fail({ api: 'Metadata', topic: 'bad', times: Infinity }, errorCode)
    const producer = startProducer(kafka)
    const failure = await failureOf(
      producer.send([
        { topic: 'bad', value: '1' },
        { topic: 'good', value: '2' },
      ]),
    )
    expect(outcomes(failure.results)).toEqual([code, 0n])
    expect(failure.results[0]).toMatchObject({ retriable: false, mayHaveBeenWritten: false })
    expectNothingHeld(producer)
    kafka.releaseFaults()
    await producer.send({ topic: 'bad', value: '3' })
    expect(stored(kafka, 'bad')).toEqual(['3'])
  })

  it('deleted while it is sent to: the others go on, and it is left alone by refreshes', async () => {
    const kafka = await startKafka({ topics: { good: {}, doomed: {} } })
    const producer = startProducer(kafka, { deliveryTimeoutMs: 1_500 })
    await producer.send([
      { topic: 'good', value: '1' },
      { topic: 'doomed', value: '1' },
    ])
    kafka.deleteTopic('doomed')
    const failing = deliveryErrorOf(producer.send({ topic: 'doomed', value: '2' }))
    await producer.send({ topic: 'good', value: '2' })
    expect((await failing).code).toBe('DELIVERY_TIMEOUT')
    await producer.send({ topic: 'good', value: '3' })
    expect(stored(kafka, 'good')).toEqual(['1', '2', '3'])
    expectNothingHeld(producer)
  })
})

describe('auto-creation', () => {
  const mayCreate = (broker: ScriptedBroker) => broker.asked.map(({ request }) => request.allowAutoTopicCreation)

  it('is asked for as long as a message waits for a topic that was never seen, and by no refresh', async () => {
    const broker = await ScriptedBroker.start({
      onMetadata: ({ index }, good) =>
        index < 3
          ? { ...good, topics: good.topics.map((topic) => ({ ...topic, errorCode: 5, partitions: [] })) }
          : good,
    })
    const producer = startProducer(broker.address, { metadataRefreshIntervalMs: 20 })
    await producer.send({ topic: 'orders', value: 'x' })
    await until(() => broker.asked.length >= 7, 'some refreshes')
    expect(mayCreate(broker).slice(0, 7)).toEqual([true, true, true, true, false, false, false])
  })

  it('is not asked for where the option says so', async () => {
    const broker = await ScriptedBroker.start()
    await startProducer(broker.address, { allowAutoTopicCreation: false }).send({ topic: 'orders', value: 'x' })
    expect(mayCreate(broker)).toEqual([false])
  })

  it.each(['0.8.2', '0.10.2', '4'])('Kafka %s: a topic is not created where the option says so', async (release) => {
    const kafka = await startKafka({ release, topics: { other: {} } })
    const producer = startProducer(kafka, { allowAutoTopicCreation: false, deliveryTimeoutMs: 300 })
    expect((await deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))).code).toBe('DELIVERY_TIMEOUT')
    expect(() => kafka.records('orders')).toThrow('no topic')
  })

  it('before Metadata v4 a refresh names no topic, since a broker would create it', async () => {
    const broker = await ScriptedBroker.start({
      metadataVersions: [0, 3],
      onMetadata: ({ request }, good) =>
        request.topics === null ? { ...good, topics: [topicMetadata('orders', 1)] } : good,
    })
    const producer = startProducer(broker.address, { metadataRefreshIntervalMs: 20 })
    await producer.send({ topic: 'orders', value: 'x' })
    await until(() => broker.asked.length >= 4, 'some refreshes')
    expect(broker.asked.map(({ request }) => request.topics?.map(({ name }) => name) ?? 'all').slice(0, 4)).toEqual([
      ['orders'],
      'all',
      'all',
      'all',
    ])
    expect(broker.asked[0]?.version).toBe(3)
  })

  it.each(['0.8.2', '0.10.2', '2.8', '4'])(
    'Kafka %s: a topic that was deleted does not come back by a refresh',
    async (release) => {
      const kafka = await startKafka({ release, topics: { other: {} } })
      const producer = startProducer(kafka)
      await producer.send([
        { topic: 'orders', value: '1' },
        { topic: 'other', value: '1' },
      ])
      kafka.deleteTopic('orders')
      kafka.clearRequests()
      // A message under way makes the producer ask for the topic again and again.
      const failing = deliveryErrorOf(producer.send({ topic: 'orders', value: '2' }))
      await kafka.waitForRequest({ api: 'Metadata' }, { count: 4 })
      const asked = kafka.waitForRequest({ api: 'Metadata' }, { count: metadataCount(kafka) + 1 })
      kafka.fail({ api: 'Produce', topic: 'other' }, 'NOT_LEADER_OR_FOLLOWER')
      await producer.send({ topic: 'other', value: '2' })
      await asked
      await producer.close({ timeoutMs: 0 })
      expect((await failing).code).toBe('PRODUCER_CLOSED')
      expect(() => kafka.records('orders')).toThrow('no topic')
      // A send that begins anew is a first look-up again.
      const recreating = startProducer(kafka)
      await recreating.send({ topic: 'orders', value: '3' })
      expect(stored(kafka, 'orders')).toEqual(['3'])
    },
  )

  it('while a topic is gone its messages use up no attempts, and go when it is back', async () => {
    const kafka = await startKafka({ autoCreateTopics: false, topics: { orders: {} } })
    const producer = startProducer(kafka, { retries: 2 })
    await producer.send({ topic: 'orders', value: '1' })
    kafka.deleteTopic('orders')
    kafka.clearRequests()
    const sending = producer.send({ topic: 'orders', value: '2' })
    await kafka.waitForRequest({ api: 'Metadata' }, { count: 8 })
    kafka.createTopic('orders')
    await sending
    expect(stored(kafka, 'orders')).toEqual(['2'])
  })

  it('a topic that was deleted and nobody waits for is created by the next send', async () => {
    const kafka = await startKafka()
    const producer = startProducer(kafka, { deliveryTimeoutMs: 1_500 })
    await producer.send({ topic: 'orders', value: '1' })
    kafka.deleteTopic('orders')
    await deliveryErrorOf(producer.send({ topic: 'orders', value: '2' }))
    await producer.send({ topic: 'orders', value: '3' })
    expect(stored(kafka, 'orders')).toEqual(['3'])
  })
})

it.each(['0.8.2', '2.8', '4'])(
  'Kafka %s: a topic deleted and created anew gets the messages that follow',
  async (release) => {
    const kafka = await startKafka({ release, topics: { orders: {} } })
    const producer = startProducer(kafka)
    for (let i = 0; i < 3; i++) await producer.send({ topic: 'orders', value: `old ${i}` })
    kafka.recreateTopic('orders')
    const [metadata] = await producer.send({ topic: 'orders', value: 'new' })
    expect(metadata?.offset).toBe(0n)
    expect(stored(kafka, 'orders')).toEqual(['new'])
  },
)

it('a topic created anew is believed although its leader epoch is lower', async () => {
  const kafka = await startKafka({ brokers: 2, topics: { orders: {} } })
  const producer = startProducer(kafka)
  await producer.send({ topic: 'orders', value: 'old' })
  for (let i = 0; i < 6; i++) kafka.moveLeader('orders', 0, 1 + (i % 2))
  await producer.partitionsFor('orders')
  kafka.recreateTopic('orders')
  kafka.moveLeader('orders', 0, kafka.leaderOf('orders', 0))
  await producer.send({ topic: 'orders', value: 'new' })
  expect(stored(kafka, 'orders')).toEqual(['new'])
})

it('a topic that has grown is used in full after a refresh', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka)
  await producer.send({ topic: 'orders', value: '0' })
  kafka.setPartitions('orders', 3)
  await producer.partitionsFor('orders')
  const [metadata] = await producer.send({ topic: 'orders', partition: 2, value: '2' })
  expect(metadata?.partition).toBe(2)
})

describe('a message that names a partition beyond those known', () => {
  it('goes to it where the topic has been given more since; those for other partitions do not wait', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    await producer.send({ topic: 'orders', value: '0' })
    kafka.setPartitions('orders', 3)
    using stall = kafka.stall({ api: 'Metadata' })
    const sending = ['a', 'b', 'c'].map((value) => producer.send({ topic: 'orders', partition: 2, value }))
    await stall.hit()
    await producer.send({ topic: 'orders', partition: 0, value: '1' })
    stall.release()
    expect((await Promise.all(sending)).map(([metadata]) => metadata?.offset)).toEqual([0n, 1n, 2n])
    expect(stored(kafka, 'orders', 2)).toEqual(['a', 'b', 'c'])
  })

  it('goes to it where the broker that is asked hears of it a moment later', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    await producer.send({ topic: 'orders', value: '0' })
    using late = kafka.freezeMetadata()
    kafka.setPartitions('orders', 3)
    const sending = ['a', 'b'].map((value) => producer.send({ topic: 'orders', partition: 2, value }))
    await kafka.waitForRequest({ api: 'Metadata' }, { count: 2 })
    late.release()
    await Promise.all(sending)
    expect(stored(kafka, 'orders', 2)).toEqual(['a', 'b'])
  })

  it('also where it has lingered for longer than that', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    let tell: (fate: unknown) => void
    const fate = new Promise((resolve) => (tell = resolve))
    await using producer = new Producer({
      brokers: kafka.bootstrap,
      type: 'async',
      lingerMs: 1_100,
      onDelivery: ({ error, metadata }) => tell(error?.code ?? metadata?.partition),
    })
    await producer.partitionsFor('orders')
    using late = kafka.freezeMetadata()
    kafka.setPartitions('orders', 3)
    const asked = kafka.waitForRequest({ api: 'Metadata' }, { count: metadataCount(kafka) + 1 })
    await producer.send({ topic: 'orders', partition: 2, value: 'a' })
    await asked
    // The first answer has no such partition; the next one has it, however late it is.
    using stall = kafka.stall({ api: 'Metadata' })
    await Promise.race([stall.hit(), fate])
    late.release()
    stall.release()
    expect(await fate).toBe(2)
  })

  it('fails once the brokers have said for a moment that there is none, without waiting for its deadline', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { retryBackoffMs: 200, retryBackoffMaxMs: 200 })
    await producer.send({ topic: 'orders', value: '0' })
    const before = metadataCount(kafka)
    kafka.setPartitions('orders', 3)
    const failing = Array.from({ length: 100 }, () =>
      deliveryErrorOf(producer.send({ topic: 'orders', partition: 3, value: 'x' })),
    )
    for (const error of await Promise.all(failing)) {
      expect(error).toMatchObject({ code: 'INVALID_PARTITION', attempts: 0, mayHaveBeenWritten: false })
      expect(error.message).toContain('partitions 0 to 2')
    }
    // However many there are, they wait together.
    expect(metadataCount(kafka) - before).toBeLessThan(20)
    expectNothingHeld(producer)
  })

  it('is told by its deadline, too, that there is no such partition, where that comes first', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, {
      deliveryTimeoutMs: 1_000,
      retryBackoffMs: 30_000,
      retryBackoffMaxMs: 30_000,
    })
    await producer.send({ topic: 'orders', value: '0' })
    kafka.setPartitions('orders', 3)
    const failing = [3, 4].map((partition) =>
      deliveryErrorOf(producer.send({ topic: 'orders', partition, value: 'x' })),
    )
    for (const [index, error] of (await Promise.all(failing)).entries()) {
      expect(error).toMatchObject({ code: 'DELIVERY_TIMEOUT', partition: index + 3, mayHaveBeenWritten: false })
      expect(error.message).toMatch(/it waited for the partition that it names: 'orders' has the partitions 0 to 2$/)
    }
  })

  it('is not failed by what an answer to other messages tells of a leader', async () => {
    let partitions = 2
    let answerProduce: () => void = () => undefined
    const broker = await ScriptedBroker.start({
      produceVersions: [3, 10],
      onMetadata: async ({ index }, good) => {
        if (index === 1) await new Promise<void>((resolve) => (answerMetadata = resolve))
        return { ...good, topics: good.topics.map(({ name }) => topicMetadata(name ?? '', partitions)) }
      },
      onProduce: async ({ index }, good) => {
        if (index > 0) return good
        await new Promise<void>((resolve) => (answerProduce = resolve))
        return withPartitions(good, () => [
          partitionAnswer(0, { errorCode: 6, currentLeader: { leaderId: 1, leaderEpoch: 1 } }),
        ])
      },
    })
    let answerMetadata: () => void = () => undefined
    const producer = startProducer(broker.address)
    const first = producer.send({ topic: 'orders', partition: 0, value: 'first' })
    await until(() => broker.produced.length === 1, 'the first is on its way')
    const sending = producer.send({ topic: 'orders', partition: 2, value: 'x' })
    await until(() => broker.asked.length === 2, 'the metadata is asked for')
    answerProduce()
    await first
    partitions = 3
    answerMetadata()
    await sending
  })

  it('does not have the brokers asked as fast as such messages come', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { retryBackoffMs: 50, retryBackoffMaxMs: 50 })
    await producer.send({ topic: 'orders', value: '0' })
    const before = metadataCount(kafka)
    const started = performance.now()
    for (let i = 0; i < 5; i++) {
      await deliveryErrorOf(producer.send({ topic: 'orders', partition: 1, value: 'x' }))
      await turns()
    }
    // One at once, and the others 40 ms or more after the one before.
    expect(metadataCount(kafka) - before).toBeLessThanOrEqual(1 + (performance.now() - started) / 40)
  })

  it('fails at its deadline where no broker answers, and at close', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { deliveryTimeoutMs: 1_000 })
    await producer.send({ topic: 'orders', value: '0' })
    kafka.stall({ api: 'Metadata', times: Infinity })
    const send = () => deliveryErrorOf(producer.send({ topic: 'orders', partition: 1, value: 'x' }))
    expect((await send()).code).toBe('DELIVERY_TIMEOUT')
    const failing = send()
    await producer.close({ timeoutMs: 0 })
    expect((await failing).code).toBe('PRODUCER_CLOSED')
    expectNothingHeld(producer)
  })
})

describe('leaders', () => {
  it('metadata with an older leader epoch is ignored', async () => {
    let epoch = 5
    const stale: Script['onMetadata'] = (_question, good) => {
      const leader = epoch === 5 ? { leaderId: 1, leaderEpoch: 5 } : { leaderId: 2, leaderEpoch: 4 }
      const brokers = [first, second].map(({ port }, i) => ({ nodeId: i + 1, host: '127.0.0.1', port, rack: null }))
      return { ...good, brokers, topics: good.topics.map(({ name }) => topicMetadata(name ?? '', 1, leader)) }
    }
    const second = await ScriptedBroker.start({ onMetadata: stale })
    const first: ScriptedBroker = await ScriptedBroker.start({ onMetadata: stale })
    const producer = startProducer(first.address)
    await producer.send({ topic: 'orders', value: '1' })
    epoch = 4
    const [partition] = await producer.partitionsFor('orders')
    expect(partition).toMatchObject({ leader: 1, leaderEpoch: 5 })
    await producer.send({ topic: 'orders', value: '2' })
    expect([first.values.length, second.values.length]).toEqual([2, 0])
  })

  it('an answer that tells the new leader is followed at once, without asking for metadata (KIP-951)', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { orders: {} } })
    const producer = startProducer(kafka, { retryBackoffMs: 5_000, retryBackoffMaxMs: 5_000, deliveryTimeoutMs: 4_000 })
    await producer.send({ topic: 'orders', value: '1' })
    const before = metadataCount(kafka)
    kafka.moveLeader('orders', 0, kafka.leaderOf('orders', 0) === 1 ? 2 : 1)
    await producer.send({ topic: 'orders', value: '2' })
    expect(metadataCount(kafka)).toBe(before)
    expect(stored(kafka, 'orders')).toEqual(['1', '2'])
  })

  it('a broker with the id 0 is one like the others', async () => {
    const topics = { orders: { partitions: 2, replicationFactor: 2 } }
    const kafka = await startKafka({ brokers: [{ id: 0 }, { id: 1 }], topics })
    for (const partition of [0, 1]) kafka.moveLeader('orders', partition, 0)
    const offered: (readonly number[])[] = []
    const partitioner = {
      partition: () => 0,
      partitionKeyless({ available }: PartitionContext) {
        offered.push(available)
        return 0
      },
    }
    const producer = startProducer(kafka, { partitioner })
    await producer.send({ topic: 'orders', value: 'a' })
    expect(offered).toEqual([[0, 1]])
    const asked = metadataCount(kafka)
    kafka.moveLeader('orders', 0, 1)
    await producer.send({ topic: 'orders', value: 'b' })
    kafka.moveLeader('orders', 0, 0)
    await producer.send({ topic: 'orders', value: 'c' })
    expect(stored(kafka, 'orders')).toEqual(['a', 'b', 'c'])
    // Each old leader tells of the new one.
    expect(metadataCount(kafka)).toBe(asked)
    expect((await producer.partitionsFor('orders'))[0]).toMatchObject({ leader: 0, error: undefined })
  })

  it('what one answer tells of many leaders is taken over once, not once for each partition', async () => {
    const partitions = 200
    const kafka = await startKafka({ brokers: 2, topics: { orders: { partitions, replicationFactor: 2 } } })
    for (let partition = 0; partition < partitions; partition++) kafka.moveLeader('orders', partition, 1)
    let updates = 0
    const partitioner = { partition: () => 0, onMetadataRefresh: () => void updates++ }
    const producer = startProducer(kafka, { partitioner })
    const toEach = () =>
      Array.from({ length: partitions }, (_, partition) => ({ topic: 'orders', partition, value: 'x' }))
    await producer.send(toEach())
    for (let partition = 0; partition < partitions; partition++) kafka.moveLeader('orders', partition, 2)
    updates = 0
    kafka.clearRequests()
    await producer.send(toEach())
    const refused = requestsOf(kafka, 'Produce').filter(({ broker }) => broker === 1).length
    expect(refused).toBeGreaterThan(0)
    expect(updates).toBeLessThanOrEqual(refused)
    expect(producer.stats().retries.count).toBe(partitions)
  })

  it('an answer that tells a leader of an older epoch is no news', async () => {
    const broker = await ScriptedBroker.start({
      produceVersions: [3, 10],
      onMetadata: (_question, good) => ({
        ...good,
        topics: good.topics.map(({ name }) => topicMetadata(name ?? '', 1, { leaderEpoch: 5 })),
      }),
      onProduce: ({ index }, good) =>
        index > 0
          ? good
          : {
              ...withPartitions(good, () => [
                partitionAnswer(0, { errorCode: 6, currentLeader: { leaderId: 7, leaderEpoch: 5 } }),
              ]),
              nodeEndpoints: [{ nodeId: 7, host: '127.0.0.1', port: 1, rack: null }],
            },
    })
    await startProducer(broker.address).send({ topic: 'orders', value: 'x' })
    expect(broker.values).toEqual([['x'], ['x']])
  })

  it('an answer that tells a leader without an address is not followed', async () => {
    const broker = await ScriptedBroker.start({
      produceVersions: [3, 10],
      onProduce: ({ index }, good) =>
        index > 0
          ? good
          : withPartitions(good, () => [
              partitionAnswer(0, { errorCode: 6, currentLeader: { leaderId: 7, leaderEpoch: 9 } }),
            ]),
    })
    await startProducer(broker.address, { retries: 1 }).send({ topic: 'orders', value: 'x' })
    expect(broker.values).toEqual([['x'], ['x']])
  })

  it.each(['0.8.2', '1.1', '4'])('Kafka %s: metadata is refreshed on failover', async (release) => {
    const kafka = await startKafka({ release, brokers: 3, topics: { orders: { partitions: 3 } } })
    const producer = startProducer(kafka)
    const messages = (value: string) => [0, 1, 2].map((partition) => ({ topic: 'orders', partition, value }))
    await producer.send(messages('before'))
    await kafka.stopBroker(1)
    await producer.send(messages('after'))
    expect(stored(kafka, 'orders').filter((value) => value === 'after')).toHaveLength(3)
  })

  it('a leader election takes a while: the messages wait for it', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { orders: {} } })
    const producer = startProducer(kafka)
    await producer.send({ topic: 'orders', value: '1' })
    await kafka.stopBroker(kafka.leaderOf('orders', 0), { electionMs: Infinity })
    kafka.clearRequests()
    const sending = producer.send({ topic: 'orders', value: '2' })
    await kafka.waitForRequest({ api: 'Metadata' }, { count: 4 })
    kafka.electLeaders()
    await sending
    expect(stored(kafka, 'orders')).toEqual(['1', '2'])
  })

  it('a partition without a leader holds up no other partition', async () => {
    const kafka = await startKafka({ topics: { orders: { partitions: 2 } } })
    kafka.moveLeader('orders', 0, -1)
    const producer = startProducer(kafka)
    const waiting = producer.send({ topic: 'orders', partition: 0, value: '0' })
    await producer.send({ topic: 'orders', partition: 1, value: '1' })
    kafka.electLeaders()
    await waiting
  })

  it('a leader that the metadata gives no address of is asked for again', async () => {
    const broker = await ScriptedBroker.start({
      onMetadata: ({ index }, good) => ({
        ...good,
        topics: good.topics.map(({ name }) =>
          topicMetadata(name ?? '', 1, { leaderId: index < 2 ? 9 : 1, leaderEpoch: index }),
        ),
      }),
    })
    await startProducer(broker.address).send({ topic: 'orders', value: 'x' })
    expect(broker.asked.length).toBeGreaterThanOrEqual(3)
  })

  it('other errors of a partition say nothing about its leader', async () => {
    const kafka = await startKafka({ release: '0.8.2', brokers: 2, topics: { orders: {} } })
    await kafka.stopBroker(kafka.leaderOf('orders', 0) === 1 ? 2 : 1)
    // Version 0 of Metadata now answers 9 (REPLICA_NOT_AVAILABLE).
    await startProducer(kafka).send({ topic: 'orders', value: 'x' })
    expect(stored(kafka, 'orders')).toEqual(['x'])
  })
})

describe('who is asked', () => {
  it('any broker that is known, when the one asked before is gone', async () => {
    const kafka = await startKafka({ brokers: 3, topics: { orders: { partitions: 3 } } })
    const [first = ''] = kafka.bootstrap.split(',')
    const producer = startProducer(first)
    await producer.send({ topic: 'orders', partition: 0, value: '1' })
    await kafka.stopBroker(1)
    for (const partition of [0, 1, 2]) await producer.send({ topic: 'orders', partition, value: '2' })
  })

  it('the bootstrap list again, when every broker that was known has moved', async () => {
    const kafka = await startKafka({ brokers: 1, topics: { orders: {} } })
    const seed = await plainServer((socket) => socket.destroy())
    expect(seed.connections()).toBe(0)
    // The bootstrap address leads to where the broker is now; the address in the metadata changes with each start.
    const relay = await relayTo(() => Number(kafka.bootstrap.split(':')[1]))
    const producer = startProducer(relay)
    await producer.send({ topic: 'orders', value: '1' })
    await kafka.stopBroker(1)
    await kafka.startBroker(1, { port: 'new' })
    await producer.send({ topic: 'orders', value: '2' })
    expect(stored(kafka, 'orders')).toEqual(['1', '2'])
  })

  it('the bootstrap list, when every broker that was known keeps silent (KIP-1102)', async () => {
    const kafka = await startKafka({ topics: { orders: {}, other: {} } })
    const later = await startKafka({ topics: { orders: {}, other: {} } })
    const silent = await plainServer(() => undefined)
    let isLost = false
    const producer = startProducer('seed.test:9092', {
      createConnection: ({ host }) => {
        const led = isLost ? later : kafka
        return connect({
          host: '127.0.0.1',
          port: portOf(isLost && host !== 'seed.test' ? silent.address : led.bootstrap),
        })
      },
    })
    await producer.send({ topic: 'orders', value: '1' })
    isLost = true
    kafka.dropConnections(1)
    await producer.partitionsFor('other')
    expect(requestsOf(later, 'Metadata')).toHaveLength(1)
  })

  it('the next one, where one accepts and never answers', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const silent = await plainServer(() => undefined)
    for (let i = 0; i < 3; i++) {
      const producer = startProducer(`${silent.address},${kafka.bootstrap}`, {
        requestTimeoutMs: 60,
        connectTimeoutMs: 500,
      })
      await producer.send({ topic: 'orders', value: 'x' })
    }
    expect(stored(kafka, 'orders')).toHaveLength(3)
  })

  it('another one, where one stalls on the question, after its time-out', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { orders: {}, other: {} } })
    const producer = startProducer(kafka, { requestTimeoutMs: 500 })
    await producer.send({ topic: 'orders', value: 'x' })
    kafka.stall({ api: 'Metadata' })
    const before = performance.now()
    await producer.partitionsFor('other')
    expect(performance.now() - before).toBeGreaterThanOrEqual(495)
  })

  it('another one, where one throttles this client', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { orders: {}, other: {}, third: {} } })
    const [first = ''] = kafka.bootstrap.split(',')
    const producer = startProducer(first)
    kafka.throttle({ api: 'Metadata', broker: 1 }, 3_600_000)
    for (const topic of ['orders', 'other', 'third']) await producer.partitionsFor(topic)
    expect(requestsOf(kafka, 'Metadata').map(({ broker }) => broker)).toEqual([1, 2, 2])
    // Nothing more is asked of the one before, whose connection would be kept for minutes.
    await until(() => kafka.connections.every(({ broker }) => broker === 2), 'one connection for questions is left')
  })

  it('the only one there is, when its throttling is over', async () => {
    const at: number[] = []
    const broker = await ScriptedBroker.start({
      onMetadata: ({ index }, good) => {
        at.push(performance.now())
        return index === 0 ? { ...good, throttleTimeMs: 300 } : good
      },
    })
    const producer = startProducer(broker.address)
    await producer.partitionsFor('orders')
    await producer.partitionsFor('other')
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThanOrEqual(299)
    expect(broker.connections).toBe(1)
  })

  it('one that throttles and is too old to leave that to its clients, at once', async () => {
    const broker = await ScriptedBroker.start({
      metadataVersions: [0, 5],
      onMetadata: (_question, good) => ({ ...good, throttleTimeMs: 3_600_000 }),
    })
    const producer = startProducer(broker.address)
    for (const topic of ['orders', 'other', 'third']) await producer.partitionsFor(topic)
  })

  it('nobody, once the producer is closed while a broker throttles it', async () => {
    const broker = await ScriptedBroker.start({
      onMetadata: (_question, good) => ({ ...good, throttleTimeMs: 3_600_000 }),
    })
    const producer = startProducer(broker.address)
    await producer.partitionsFor('orders')
    const asking = errorOf(producer.partitionsFor('other'))
    await turns()
    await producer.close()
    expect((await asking).code).toBe('PRODUCER_CLOSED')
    expect(broker.asked).toHaveLength(1)
  })

  it('another one, where one knows no broker yet', async () => {
    const broker = await ScriptedBroker.start({
      onMetadata: ({ index }, good) => (index < 2 ? { ...good, brokers: [] } : good),
    })
    await startProducer(broker.address).send({ topic: 'orders', value: 'x' })
    expect(broker.asked.length).toBeGreaterThanOrEqual(3)
  })

  it('the bootstrap list, after 129 (REBOOTSTRAP_REQUIRED): no broker that was known', async () => {
    const told = (port: number, good: MetadataResponse) => ({
      ...good,
      brokers: good.brokers.map((broker) => ({ ...broker, port })),
    })
    // It is in the metadata so often that it is asked, whatever the order, where any of these is.
    const other = await ScriptedBroker.start({ metadataVersions: [0, 13] })
    const others = Array.from({ length: 100 }, (_, i) => ({
      nodeId: i + 2,
      host: '127.0.0.1',
      port: other.port,
      rack: null,
    }))
    const member: ScriptedBroker = await ScriptedBroker.start({
      metadataVersions: [0, 13],
      onMetadata: ({ index }, good) =>
        index === 0 ? { ...good, brokers: [...good.brokers, ...others] } : { ...good, errorCode: 129 },
    })
    const seed = await ScriptedBroker.start({
      metadataVersions: [0, 13],
      onMetadata: ({ index }, good) => (index === 1 ? 'hang up' : told(member.port, good)),
    })
    const producer = startProducer(seed.address)
    await producer.partitionsFor('a')
    // The seed hangs up, so that the member is asked; and says at the next question that it must not be.
    await producer.partitionsFor('b')
    await producer.partitionsFor('c')
    expect([seed.asked.length, member.asked.length, other.connections]).toEqual([3, 2, 0])
  })

  it('none of those known before once more, after 129, while one of the bootstrap list is silent', async () => {
    const member: ScriptedBroker = await ScriptedBroker.start({
      metadataVersions: [0, 13],
      onMetadata: ({ index }, good) => (index === 1 ? { ...good, errorCode: 129 } : good),
    })
    const { port } = member
    let asked = 0
    const onMetadata: Script['onMetadata'] = (_, good) => {
      const index = asked++
      // Hung up on, the producer asks the member; told that it must not, whichever of the list comes first.
      if (index > 0 && index < 3) return index === 1 ? 'hang up' : 'silence'
      return { ...good, brokers: good.brokers.map((broker) => ({ ...broker, port })) }
    }
    const seeds = await Promise.all([1, 2].map(() => ScriptedBroker.start({ metadataVersions: [0, 13], onMetadata })))
    const producer = startProducer(seeds.map(({ address }) => address).join(','))
    await producer.partitionsFor('a')
    await producer.partitionsFor('b')
    await producer.partitionsFor('c')
    expect([asked, member.asked.length]).toEqual([4, 2])
  })

  it('on a connection of its own: it does not wait behind messages', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    using stall = kafka.stall({ api: 'Produce' })
    const sending = producer.send({ topic: 'orders', value: '1' })
    await stall.hit()
    expect(await producer.partitionsFor('orders')).toHaveLength(1)
    stall.release()
    await sending
    const connections = (api: 'Produce' | 'Metadata') =>
      new Set(requestsOf(kafka, api).map(({ connection }) => connection))
    expect([...connections('Metadata')].filter((id) => connections('Produce').has(id))).toEqual([])
  })
})

describe('partitionsFor', () => {
  it('tells the partitions and their leaders', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { orders: { partitions: 3 } } })
    kafka.moveLeader('orders', 2, -1)
    const partitions = await startProducer(kafka).partitionsFor('orders')
    expect(partitions.map(({ partition, leader }) => [partition, leader])).toEqual([
      [0, 1],
      [1, 2],
      [2, -1],
    ])
    expect(partitions[2]?.error?.code).toBe('LEADER_NOT_AVAILABLE')
  })

  it('of an unknown topic rejects', async () => {
    const kafka = await startKafka({ autoCreateTopics: false })
    expect((await errorOf(startProducer(kafka).partitionsFor('missing'))).code).toBe('UNKNOWN_TOPIC_OR_PARTITION')
  })

  it.each(['0.8.2', '0.10.2', '2.8', '4'])('Kafka %s: never creates the topic', async (release) => {
    const kafka = await startKafka({ release, topics: { other: {} } })
    const producer = startProducer(kafka)
    for (let i = 0; i < 3; i++)
      expect((await errorOf(producer.partitionsFor('missing'))).code).toBe('UNKNOWN_TOPIC_OR_PARTITION')
    expect(() => kafka.records('missing')).toThrow('no topic')
  })

  it('of a topic that was sent to and is deleted rejects', async () => {
    const kafka = await startKafka({ autoCreateTopics: false, topics: { orders: {} } })
    const producer = startProducer(kafka)
    await producer.send({ topic: 'orders', value: 'x' })
    kafka.deleteTopic('orders')
    for (let i = 0; i < 2; i++)
      expect((await errorOf(producer.partitionsFor('orders'))).code).toBe('UNKNOWN_TOPIC_OR_PARTITION')
  })

  it.each([5, 7, -1])('of a topic that is just being created (%i) waits for it', async (errorCode) => {
    const kafka = await startKafka({ topics: { orders: { partitions: 2 } } })
    kafka.fail({ api: 'Metadata', topic: 'orders', times: 3 }, errorCode)
    expect(await startProducer(kafka).partitionsFor('orders')).toHaveLength(2)
  })

  it('of a topic that this producer’s own messages create waits for it', async () => {
    const kafka = await startKafka()
    kafka.fail({ api: 'Metadata', topic: 'orders', times: 3 }, 'UNKNOWN_TOPIC_OR_PARTITION')
    const producer = startProducer(kafka)
    const sending = producer.send({ topic: 'orders', value: 'x' })
    expect(await producer.partitionsFor('orders')).toHaveLength(1)
    await sending
  })

  it('of a topic whose creation does not end rejects after enqueueTimeoutMs', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    kafka.fail({ api: 'Metadata', topic: 'orders', times: Infinity }, 'LEADER_NOT_AVAILABLE')
    const asking = startProducer(kafka, { enqueueTimeoutMs: 50 }).partitionsFor('orders')
    expect((await errorOf(asking)).code).toBe('LEADER_NOT_AVAILABLE')
    const impatient = startProducer(kafka, { enqueueTimeoutMs: 0 })
    kafka.clearRequests()
    expect((await errorOf(impatient.partitionsFor('orders'))).code).toBe('LEADER_NOT_AVAILABLE')
    expect(metadataCount(kafka)).toBe(1)
  })

  it('asked in vain leaves nothing behind: later refreshes leave the topic out', async () => {
    const kafka = await startKafka({ autoCreateTopics: false, topics: { orders: {} } })
    const producer = startProducer(kafka, { metadataRefreshIntervalMs: 20 })
    for (const topic of ['missing-1', 'missing-2']) await errorOf(producer.partitionsFor(topic))
    await producer.send({ topic: 'orders', value: 'x' })
    kafka.clearRequests()
    await kafka.waitForRequest({ api: 'Metadata' }, { count: 3 })
    for (const { topics } of requestsOf(kafka, 'Metadata')) expect(topics.map(({ topic }) => topic)).toEqual(['orders'])
  })

  it('without any broker rejects with the cause', async () => {
    const error = await errorOf(startProducer(await deadAddress()).partitionsFor('orders'))
    expect(error).toMatchObject({ code: 'METADATA_UNAVAILABLE', cause: { code: 'CONNECTION_FAILED' } })
  })

  it('after close rejects', async () => {
    const producer = startProducer(await deadAddress())
    await producer.close()
    expect((await errorOf(producer.partitionsFor('orders'))).code).toBe('PRODUCER_CLOSED')
  })
})

/** A server on an address that stays, which passes everything on to a port that may change. */
async function relayTo(port: () => number): Promise<string> {
  const { connect } = await import('node:net')
  const server = await plainServer((socket) => {
    const target = connect({ host: '127.0.0.1', port: port() })
    target.on('error', () => socket.destroy())
    target.on('close', () => socket.destroy())
    socket.on('close', () => target.destroy())
    socket.pipe(target)
    target.pipe(socket)
  })
  return server.address
}
