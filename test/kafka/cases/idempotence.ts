/** Sequences that real brokers refuse for the format that a topic is kept in, and those that they forget. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { Duplex, Transform } from 'node:stream'
import { expect, test } from 'vitest'
import { isBefore } from '../support/features.js'
import { leaveOutIf, needs, newTopic, release, type Cluster } from '../support/fixture.js'
import { readTopic } from '../support/kcat.js'

export function idempotenceCases(one: Cluster): void {
  test('a topic with an older message.format.version gets messages without sequences, the others with them', async (context) => {
    needs(context, 'transactions')
    leaveOutIf(
      context,
      isBefore(release.version, '3.0') ? undefined : 'the format is always the newest since Kafka 3.0',
    )
    const old = newTopic('old-format')
    await one.kafka.createTopic(old, { config: { 'message.format.version': '0.10.2' } })
    const plain = newTopic('own-format')
    const producer = one.producer()
    const warnings: string[] = []
    producer.on('warning', ({ code, message }) => warnings.push(`${code} ${message}`))

    const numbers = Array.from({ length: 200 }, (_, n) => String(n))
    await producer.send({ topic: plain, value: 'first' })
    await Promise.all(numbers.map((value) => producer.send({ topic: old, partition: 0, key: 'k', value })))
    await producer.send({ topic: plain, value: 'last' })
    const records = await readTopic({ bootstrap: one.kafka.bootstrap, topic: old, release: release.version })
    expect(records.map(({ value }) => value?.toString())).toEqual(numbers)
    expect(producer.stats()).toMatchObject({ idempotent: true, notIdempotentTopics: [old] })
    expect(warnings).toEqual([expect.stringMatching(new RegExp(`^KAFKA_PRODUCER_NOT_IDEMPOTENT .*'${old}'`))])

    // Where sequences were asked for it fails, and nothing is written.
    const insisting = one.producer({ idempotent: true }).send({ topic: old, partition: 0, value: '200' })
    await expect(insisting).rejects.toMatchObject({
      code: 'UNSUPPORTED_FOR_MESSAGE_FORMAT',
      mayHaveBeenWritten: false,
    })
    expect(await readTopic({ bootstrap: one.kafka.bootstrap, topic: old, release: release.version })).toHaveLength(200)
  })

  const DAY_MS = 86_400_000
  test.for([
    ['of today is there once', { ageMs: 0, type: 'CreateTime', copies: 1 }],
    // Longer ago than brokers remember a producer, by default a day, and a week before Kafka 3.4.
    ['of last month is there twice', { ageMs: 30 * DAY_MS, type: 'CreateTime', copies: 2 }],
    [
      'of last month that has the time of the append is there once',
      { ageMs: 30 * DAY_MS, type: 'LogAppendTime', copies: 1 },
    ],
  ] as const)(
    'sent again to a broker that has restarted, a message %s',
    { timeout: 120_000 },
    async ([, { ageMs, type, copies }], context) => {
      leaveOutIf(
        context,
        isBefore(release.version, '2.5') ? 'takes no sequence but 0 of a producer that it forgot' : undefined,
      )
      const topic = newTopic('aged')
      const { kafka } = one
      await kafka.createTopic(topic, { config: { 'message.timestamp.type': type, 'retention.ms': '-1' } })
      let isSwallowing = false
      const producer = one.producer({
        idempotent: true,
        createConnection: async ({ host, port }) => {
          const socket = connect(port, host)
          await once(socket, 'connect')
          const answers = new Transform({
            transform: (chunk, _encoding, done) => (isSwallowing ? done() : done(null, chunk)),
          })
          return Duplex.from({ readable: socket.pipe(answers), writable: socket })
        },
      })
      const message = { topic, timestamp: Date.now() - ageMs }
      await producer.send({ ...message, value: 'first' })
      isSwallowing = true
      const sent = producer.send({ ...message, value: 'second' })
      const there = { bootstrap: kafka.bootstrap, topic, release: release.version }
      await readTopic({ ...there, count: 2 })
      await kafka.stopBroker(1)
      isSwallowing = false
      await kafka.startBroker(1)
      await sent
      const values = (await readTopic(there)).map(({ value }) => value?.toString())
      expect(values).toEqual(['first', ...Array<string>(copies).fill('second')])
    },
  )
}
