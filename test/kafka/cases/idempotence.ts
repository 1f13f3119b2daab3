/** Sequences that real brokers refuse for the format that a topic is kept in. */
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
}
