/** Where messages go, and in which order. */
import { expect, test } from 'vitest'
import { newTopic, type Cluster } from '../support/fixture.js'
import { expectStored, readBack, type Message } from '../support/read-back.js'
import { ownError, rejection } from './messages.js'

/** Set by the brokers for topics that come into being by themselves. */
export const autoPartitions = 6

export function partitionCases(cluster: Cluster): void {
  test('several topics and partitions in one send(): results in the order given', async () => {
    const topics = [newTopic('first'), newTopic('second'), newTopic('third')]
    const messages: Message[] = Array.from({ length: 300 }, (_, index) => ({
      topic: topics[index % 3] as string,
      partition: index % autoPartitions,
      key: `k${index}`,
      value: `v${index}`,
    }))
    await expectStored(cluster.kafka, messages, await cluster.producer().send(messages))
  })

  test('keys choose partitions, one key always the same; keyless messages go anywhere', async () => {
    const topic = newTopic('keys')
    const producer = cluster.producer()
    const messages: Message[] = Array.from({ length: 200 }, (_, index) => ({
      topic,
      key: index % 4 === 0 ? null : `k${index % 50}`,
      value: `v${index}`,
    }))
    const metadata = await producer.send(messages)
    await expectStored(cluster.kafka, messages, metadata)
    const partitions = new Map<string, Set<number>>()
    for (const [index, { key }] of messages.entries()) {
      if (typeof key === 'string')
        partitions.set(key, (partitions.get(key) ?? new Set()).add(metadata[index]?.partition ?? -1))
    }
    expect([...partitions.values()].every((ofKey) => ofKey.size === 1)).toBe(true)
    expect(new Set([...partitions.values()].flatMap((ofKey) => [...ofKey])).size).toBe(autoPartitions)
  })

  test('a partitionKey chooses the partition and is not stored', async () => {
    const topic = newTopic('partition-key')
    const producer = cluster.producer()
    const [asKey] = await producer.send({ topic, key: 'chooser', value: '0' })
    const messages: Message[] = [
      { topic, partitionKey: 'chooser', value: '1' },
      { topic, partitionKey: 'chooser', key: 'stored', value: '2' },
    ]
    const metadata = await producer.send(messages)
    expect(metadata.map(({ partition }) => partition)).toEqual([asKey?.partition, asKey?.partition])
    const records = await readBack(cluster.kafka, topic)
    expect(records.map(({ key }) => key?.toString())).toEqual(['chooser', undefined, 'stored'])
  })

  test('a partition that the topic does not have fails its message alone', async () => {
    const topic = newTopic('out-of-range')
    const { results } = await rejection(
      cluster.producer().send([
        { topic, value: 'good' },
        { topic, value: 'bad', partition: autoPartitions },
      ]),
    )
    expect(results[1]).toMatchObject({ code: 'INVALID_PARTITION', mayHaveBeenWritten: false })
    expect((await readBack(cluster.kafka, topic)).map(({ value }) => value?.toString())).toEqual(['good'])
  })

  test('the first message creates its topic, where the broker does that', async () => {
    const topic = newTopic('auto-created')
    expect(await cluster.kafka.leaderOf(topic, 0)).toBe(-1)
    const messages: Message[] = [{ topic, value: 'first' }]
    await expectStored(cluster.kafka, messages, await cluster.producer().send(messages))
    expect(await cluster.producer().partitionsFor(topic)).toHaveLength(autoPartitions)
  })

  test('without allowAutoTopicCreation nothing is created, and the error says why', async () => {
    const topic = newTopic('not-created')
    const producer = cluster.producer({ allowAutoTopicCreation: false, deliveryTimeoutMs: 1000 })
    const error = await ownError(producer.send({ topic, value: 'x' }))
    expect(error.message).toMatch(/UNKNOWN_TOPIC_OR_PARTITION|not exist|unknown topic/i)
    expect(await cluster.kafka.partitionState(topic, 0)).toBeUndefined()
  })

  test('concurrent sends keep the order of each key', async () => {
    const topic = newTopic('concurrent')
    const producer = cluster.producer()
    const messages: Message[] = Array.from({ length: 2000 }, (_, index) => ({
      topic,
      key: `k${index % 17}`,
      value: String(index),
    }))
    const metadata = (await Promise.all(messages.map(async (message) => producer.send(message)))).flat()
    await expectStored(cluster.kafka, messages, metadata)
    const perKey = new Map<string, number>()
    for (const { key, value } of await readBack(cluster.kafka, topic)) {
      const name = key?.toString() ?? ''
      expect(Number(value)).toBeGreaterThan(perKey.get(name) ?? -1)
      perKey.set(name, Number(value))
    }
  })

  test('100,000 messages: each is there once, at its offset, in order', async () => {
    const topic = newTopic('bulk')
    const producer = cluster.producer()
    const count = 100_000
    const sent = []
    for (let at = 0; at < count; at += 5000) {
      sent.push(
        producer.send(
          Array.from({ length: 5000 }, (_, index) => ({
            topic,
            partition: (at + index) % autoPartitions,
            value: String(at + index),
          })),
        ),
      )
    }
    const metadata = (await Promise.all(sent)).flat()
    const records = await readBack(cluster.kafka, topic)
    expect(records).toHaveLength(count)
    const valueAt = new Map(
      records.map(({ partition, offset, value }) => [`${partition}:${offset}`, value?.toString()]),
    )
    const misplaced = metadata.findIndex(
      ({ partition, offset }, index) => valueAt.get(`${partition}:${offset}`) !== String(index),
    )
    expect(misplaced).toBe(-1)
    // Readers give records by partition and offset.
    const disordered = records.findIndex(
      ({ partition, value }, index) =>
        index > 0 && records[index - 1]?.partition === partition && Number(records[index - 1]?.value) >= Number(value),
    )
    expect(disordered).toBe(-1)
  })
}
