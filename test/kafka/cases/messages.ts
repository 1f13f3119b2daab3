/** What a message holds comes out of Kafka byte for byte, whoever must acknowledge it. */
import { expect, test } from 'vitest'
import { DeliveryError, FailedToSendMessageError } from '../../../src/index.js'
import { newTopic, needs, needsLackOf, type Cluster } from '../support/fixture.js'
import { expectSame, expectStored, readBack, type Message } from '../support/read-back.js'

const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))

/** Keys, values and their absence, in every combination that Kafka knows. */
function everyKind(topic: string): Message[] {
  return [
    { topic, key: null, value: 'a value without a key' },
    { topic, key: 'key', value: 'value' },
    { topic, key: 'tombstone', value: null },
    { topic, key: null, value: null },
    { topic, key: 'empty value', value: '' },
    { topic, key: '', value: 'empty key' },
    { topic, key: '', value: '' },
    { topic, key: 'schlüssel 🔑', value: 'wert ☃ \u{10ffff} \0' },
    { topic, key: everyByte, value: everyByte },
    { topic, key: Uint8Array.of(0, 255), value: Buffer.alloc(300_000, 'large ') },
  ]
}

export function messageCases(cluster: Cluster): void {
  test.each([1, -1] as const)(
    'acks %i: null, empty, keyed, tombstone and large messages are stored byte for byte',
    async (acks) => {
      const messages = everyKind(newTopic('kinds'))
      const metadata = await cluster.producer({ acks }).send(messages)
      await expectStored(cluster.kafka, messages, metadata)
    },
  )

  test('acks 0: null, empty, keyed, tombstone and large messages are stored byte for byte', async () => {
    const topic = newTopic('unacknowledged')
    // A leader that does not know yet that it is one refuses, and with acks 0 nobody hears of it.
    await cluster.producer().send({ topic, partition: 0, value: 'first' })
    const messages = everyKind(topic).map((message) => ({ ...message, partition: 0 }))
    const metadata = await cluster.producer({ acks: 0 }).send(messages)
    for (const { offset, acknowledged } of metadata)
      expect({ offset, acknowledged }).toEqual({ offset: -1n, acknowledged: false })
    const [, ...records] = await readBack(cluster.kafka, topic, { count: messages.length + 1 })
    expect(records).toHaveLength(messages.length)
    for (const [index, record] of records.entries()) expectSame(record, messages[index] as Message)
  })

  test('Kafka’s own consumer reads the same bytes, offsets and timestamps', async () => {
    const messages = everyKind(newTopic('java'))
    const metadata = await cluster.producer().send(messages)
    await expectStored(cluster.kafka, messages, metadata, { reader: 'java' })
  })

  test('headers are stored: null and empty values, any bytes, one name several times, in order', async (context) => {
    needs(context, 'headers')
    const topic = newTopic('headers')
    const messages: Message[] = [
      { topic, value: 'none' },
      {
        topic,
        value: 'several',
        headers: [
          ['b', '1'],
          ['a', everyByte],
          ['b', '2'],
          ['null', null],
          ['empty', ''],
          ['', 'no name'],
        ],
      },
      { topic, value: 'by name', headers: { größe: 'ü', list: ['1', null, '3'] } },
      { topic, key: 'k', value: null, headers: { of: 'a tombstone' } },
      { topic, value: 'many', headers: Array.from({ length: 200 }, (_, index) => [`h${index}`, `${index}`] as const) },
    ]
    const metadata = await cluster.producer().send(messages)
    await expectStored(cluster.kafka, messages, metadata, { reader: 'java' })
  })

  test('headers fail where the broker cannot store them, for their message alone', async (context) => {
    needsLackOf(context, 'headers')
    const topic = newTopic('no-headers')
    const good: Message[] = [
      { topic, partition: 0, value: 'before' },
      { topic, partition: 0, value: 'after', headers: {} },
    ]
    const [before, after] = good as [Message, Message]
    const error = await rejection(
      cluster.producer().send([before, { topic, partition: 0, value: 'x', headers: { a: '1' } }, after]),
    )
    expect(error.results.map((result) => ('code' in result ? result.code : 'stored'))).toEqual([
      'stored',
      'UNSUPPORTED_BY_FORMAT',
      'stored',
    ])
    expect(error.message).toMatch(/headers need Kafka 0\.11/)
    expect((await readBack(cluster.kafka, topic)).map((record) => record.value?.toString())).toEqual([
      'before',
      'after',
    ])
  })

  test('timestamps are stored: the message’s own, as number and as Date, and the time of send() without one', async (context) => {
    needs(context, 'timestamps')
    const topic = newTopic('timestamps')
    const began = Date.now()
    const messages: Message[] = [
      { topic, value: 'own', timestamp: 1_500_000_000_123 },
      { topic, value: 'date', timestamp: new Date('2001-02-03T04:05:06.789Z') },
      { topic, value: 'first', timestamp: 0 },
      { topic, value: 'back in time', timestamp: 1 },
      { topic, value: 'none' },
    ]
    const metadata = await cluster.producer().send(messages)
    expect(metadata[4]?.timestamp).toBeGreaterThanOrEqual(began)
    expect(metadata[4]?.timestamp).toBeLessThanOrEqual(Date.now())
    await expectStored(cluster.kafka, messages, metadata, { reader: 'java' })
  })

  test('the broker’s timestamps are told where the topic has them (LogAppendTime)', async (context) => {
    needs(context, 'timestamps')
    const topic = newTopic('append-time')
    await cluster.kafka.createTopic(topic, { config: { 'message.timestamp.type': 'LogAppendTime' } })
    const messages: Message[] = [
      { topic, value: 'own', timestamp: 1_500_000_000_123 },
      { topic, value: 'none' },
    ]
    const metadata = await cluster.producer().send(messages)
    const records = await readBack(cluster.kafka, topic, { reader: 'java' })
    expect(records.map((record) => record.timestampType)).toEqual(['LogAppendTime', 'LogAppendTime'])
    expect(metadata.map(({ timestamp }) => timestamp)).toEqual(records.map(({ timestamp }) => timestamp))
    expect(metadata[0]?.timestamp).toBeGreaterThan(1_500_000_000_123)
  })

  test('a timestamp of its own fails where the broker cannot store it, for its message alone', async (context) => {
    needsLackOf(context, 'timestamps')
    const topic = newTopic('no-timestamps')
    const error = await rejection(
      cluster.producer().send([
        { topic, partition: 0, value: 'before' },
        { topic, partition: 0, value: 'x', timestamp: 1 },
        { topic, partition: 0, value: 'after' },
      ]),
    )
    expect(error.results.map((result) => ('code' in result ? result.code : result.timestamp))).toEqual([
      -1,
      'UNSUPPORTED_BY_FORMAT',
      -1,
    ])
    expect((await readBack(cluster.kafka, topic)).map((record) => record.value?.toString())).toEqual([
      'before',
      'after',
    ])
  })
}

/** What the `send()` of a list rejects with. */
export async function rejection(
  promise: Promise<unknown>,
): Promise<FailedToSendMessageError<{ timestamp: number; offset: bigint; partition: number }>> {
  const error: unknown = await promise.catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(FailedToSendMessageError)
  return error as FailedToSendMessageError<{ timestamp: number; offset: bigint; partition: number }>
}

/** The own error of the one message of a `send()`. */
export async function ownError(promise: Promise<unknown>): Promise<DeliveryError> {
  const error: unknown = await promise.catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(DeliveryError)
  return error as DeliveryError
}
