/** Messages for several brokers, while all of them stand. */
import { expect, test } from 'vitest'
import { newTopic, type Cluster } from '../support/fixture.js'
import { expectSame, expectStored, readBack, type Message } from '../support/read-back.js'
import { autoPartitions } from './partitions.js'

export function brokerCases(cluster: Cluster): void {
  const messagesFor = (topics: readonly string[], count: number): Message[] =>
    Array.from({ length: count }, (_, index) => ({
      topic: topics[index % topics.length] as string,
      partition: index % autoPartitions,
      key: `k${index}`,
      value: `v${index}`,
    }))

  test.each([1, -1] as const)(
    'acks %i over three brokers: several topics and partitions in one send()',
    async (acks) => {
      const topics = [newTopic('spread'), newTopic('spread')]
      const messages = messagesFor(topics, 600)
      const metadata = await cluster.producer({ acks }).send(messages)
      await expectStored(cluster.kafka, messages, metadata, { replicated: acks === -1 })
      const leaders = await Promise.all(
        Array.from({ length: autoPartitions }, async (_, partition) =>
          cluster.kafka.leaderOf(topics[0] ?? '', partition),
        ),
      )
      expect(new Set(leaders)).toEqual(new Set([1, 2, 3]))
    },
  )

  test('acks 0 over three brokers: several topics and partitions in one send()', async () => {
    const topics = [newTopic('spread-unacknowledged'), newTopic('spread-unacknowledged')]
    const first = messagesFor(topics, 12)
    // A leader that does not know yet that it is one refuses, and with acks 0 nobody hears of it.
    await cluster.producer().send(first)
    const messages = messagesFor(topics, 600)
    await cluster.producer({ acks: 0 }).send(messages)
    for (const topic of topics) {
      const sent = [...first, ...messages]
        .filter((message) => message.topic === topic)
        .sort((a, b) => (a.partition ?? 0) - (b.partition ?? 0))
      const records = await readBack(cluster.kafka, topic, { count: sent.length })
      expect(records).toHaveLength(sent.length)
      for (const [index, record] of records.entries()) expectSame(record, sent[index] as Message)
    }
  })

  test('one living bootstrap entry of many is enough to find all brokers', async () => {
    const messages = messagesFor([newTopic('one-entry')], 60)
    const alive = cluster.kafka.bootstrap.split(',')[1] ?? ''
    await expectStored(
      cluster.kafka,
      messages,
      await cluster.producer({ brokers: ['127.0.0.1:1', '127.0.0.1:2', alive] }).send(messages),
    )
  })
}
