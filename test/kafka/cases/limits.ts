/** What a broker refuses, and what becomes of the messages beside it. */
import { expect, test } from 'vitest'
import { newTopic, type Cluster } from '../support/fixture.js'
import { expectStored, readBack, type Message } from '../support/read-back.js'
import { SocketWatch } from '../support/sockets.js'
import { rejection } from './messages.js'

const limit = 10_000

export function limitCases(cluster: Cluster): void {
  test('acks 1: a message over the broker’s limit fails alone, its batch mates arrive', async () => {
    const topic = newTopic('too-large')
    await cluster.kafka.createTopic(topic, { config: { 'max.message.bytes': String(limit) } })
    const producer = cluster.producer({ acks: 1 })
    const { results } = await rejection(
      producer.send([
        { topic, value: 'before' },
        { topic, value: Buffer.alloc(limit * 2) },
        { topic, value: 'after' },
        { topic, value: Buffer.alloc(limit - 500) },
      ]),
    )
    expect(results.map((result) => ('code' in result ? result.code : result.offset))).toEqual([
      0n,
      'MESSAGE_TOO_LARGE',
      1n,
      2n,
    ])
    expect(results[1]).toMatchObject({ mayHaveBeenWritten: false, retriable: false })
    const records = await readBack(cluster.kafka, topic)
    expect(records.map(({ value }) => value?.length)).toEqual([6, 5, limit - 500])
  })

  test('acks 0: after a message over the limit the broker hangs up; the next send notices and arrives', async () => {
    const topic = newTopic('too-large-unacknowledged')
    await cluster.kafka.createTopic(topic, { config: { 'max.message.bytes': String(limit) } })
    const producer = cluster.producer({ acks: 0 })
    using watch = new SocketWatch()
    const [metadata] = await producer.send({ topic, value: Buffer.alloc(limit * 2) })
    expect(metadata).toMatchObject({ offset: -1n, acknowledged: false })
    const closedBefore = watch.closed
    await watch.until(() => watch.closed > closedBefore)
    await producer.send({ topic, value: 'next' })
    expect((await readBack(cluster.kafka, topic, { count: 1 })).map(({ value }) => value?.toString())).toEqual(['next'])
  })

  test('a message of nearly the broker’s default limit goes alone among small ones', async () => {
    const topic = newTopic('large')
    const messages: Message[] = [
      { topic, partition: 0, value: 'small' },
      { topic, partition: 0, value: Buffer.alloc(999_900, 'x') },
      { topic, partition: 0, value: 'small' },
    ]
    await expectStored(cluster.kafka, messages, await cluster.producer().send(messages))
  })
}
