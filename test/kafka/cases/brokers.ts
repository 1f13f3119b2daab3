/** Messages for several brokers, while all of them stand. */
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { needs, newTopic, type Cluster } from '../support/fixture.js'
import { expectSame, expectStored, readBack, type Message } from '../support/read-back.js'
import { ownError } from './messages.js'
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

  test('a connection that reaches another broker than its address is of (KIP-1242) carries no message', async (context) => {
    needs(context, 'misroutedConnections')
    const topic = newTopic('misrouted')
    await cluster.kafka.createTopic(topic, { partitions: 3, replicationFactor: 3 })
    const [first = 0, ...others] = cluster.kafka.brokers.map(({ port }) => port)
    let isMisled = true
    const producerWith = (retries: number) =>
      cluster.producer({
        brokers: `seed.test:${first}`,
        retries,
        createConnection: ({ port }) =>
          connect({ host: '127.0.0.1', port: isMisled && others.includes(port) ? first : port }),
      })
    const states = await Promise.all([0, 1, 2].map((partition) => cluster.kafka.leaderOf(topic, partition)))
    const partition = states.findIndex((leader) => leader !== 1)
    const error = await ownError(producerWith(0).send({ topic, partition, value: 'misled' }))
    expect(error).toMatchObject({ code: 'CONNECTION_FAILED', mayHaveBeenWritten: false })
    expect(error.message).toMatch(/REBOOTSTRAP_REQUIRED/)
    const message: Message = { topic, partition, value: 'patient' }
    const patient = producerWith(1_000)
    const sending = patient.send([message])
    isMisled = false
    await expectStored(cluster.kafka, [message], await sending)
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
