import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import type { Producer } from '../../../src/index.js'
import type { DecodedProduceRequest } from '../../../src/protocol/apis/produce.js'
import { startKafka } from '../support/cluster.js'
import { expectNothingHeld, requestsOf, startProducer } from '../support/producers.js'
import { ScriptedBroker } from '../support/scripted-broker.js'

/* How much goes into a batch is guessed by how well those before it were compressed. That a guess was wrong costs nothing. */

const BATCH_BYTES = 10_000
/** With what is around its batch a request is a little larger. */
const MOST_BYTES = BATCH_BYTES + 200
const PLAIN = 100
const RANDOM = 60

/** Many that a codec makes much smaller, so that batches get large, and then such as it can't. */
async function sendPlainThenRandom(producer: Producer) {
  for (let i = 0; i < PLAIN; i++) await producer.send({ topic: 'files', value: '{"a":1},'.repeat(100) })
  const random = Array.from({ length: RANDOM }, () => ({ topic: 'files', value: randomBytes(900) }))
  return producer.send(random)
}

it('with acks 0 nothing is lost for a batch that was compressed less than those before it', async () => {
  const topics = { files: { partitions: 1, config: { 'max.message.bytes': MOST_BYTES } } }
  const kafka = await startKafka({ topics })
  const producer = startProducer(kafka, { compression: 'gzip', batchBytes: BATCH_BYTES, acks: 0 })
  await sendPlainThenRandom(producer)
  await producer.close()
  expect(await kafka.waitForRecords('files', PLAIN + RANDOM)).toHaveLength(PLAIN + RANDOM)
})

it.each(['0.10.2', '1.1', '4'] as const)('Kafka %s: it is never written larger than batchBytes', async (release) => {
  const kafka = await startKafka({ release, topics: { files: { partitions: 1 } } })
  const producer = startProducer(kafka, { compression: 'gzip', batchBytes: BATCH_BYTES })
  const all = await sendPlainThenRandom(producer)
  expect(all.map(({ offset }) => Number(offset))).toEqual(Array.from({ length: RANDOM }, (_, i) => PLAIN + i))
  expect(Math.max(...requestsOf(kafka, 'Produce').map(({ sizeBytes }) => sizeBytes))).toBeLessThan(MOST_BYTES)
  // A half that nobody was sent before is on its first attempt.
  expect(producer.stats().resends).toBe(0)
  expectNothingHeld(producer)
})

it('a request of batches that were compressed less is not written larger than maxRequestBytes', async () => {
  const kafka = await startKafka({ topics: { files: { partitions: 4 } } })
  const bounds = { batchBytes: BATCH_BYTES, maxRequestBytes: BATCH_BYTES }
  const producer = startProducer(kafka, { compression: 'gzip', ...bounds })
  const toAll = (value: string | Buffer) => [0, 1, 2, 3].map((partition) => ({ topic: 'files', partition, value }))
  for (let i = 0; i < PLAIN; i++) await producer.send({ topic: 'files', value: '{"a":1},'.repeat(100) })
  await producer.send(toAll(randomBytes(9_000)))
  expect(Math.max(...requestsOf(kafka, 'Produce').map(({ sizeBytes }) => sizeBytes))).toBeLessThan(MOST_BYTES)
  expect(producer.stats().resends).toBe(0)
  expectNothingHeld(producer)
})

it('a broker that hangs up on large requests is not sent the same one until the deadline', async () => {
  const sizeOf = ({ topicData }: DecodedProduceRequest) =>
    topicData
      .flatMap(({ partitionData }) => partitionData)
      .reduce((sum, { records }) => sum + (records?.length ?? 0), 0)
  const broker = await ScriptedBroker.start({
    onProduce: ({ request }, good) => (sizeOf(request) > MOST_BYTES ? 'hang up' : good),
  })
  const producer = startProducer(broker.address, {
    compression: 'gzip',
    batchBytes: BATCH_BYTES,
    maxRequestBytes: BATCH_BYTES,
    deliveryTimeoutMs: 10_000,
  })
  expect(await sendPlainThenRandom(producer)).toHaveLength(RANDOM)
  expect(producer.stats().resends).toBe(0)
})
