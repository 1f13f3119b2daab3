import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { DecodedProduceRequest, ProduceResponse } from '../../../src/protocol/apis/produce.js'
import { startKafka } from '../support/cluster.js'
import {
  deliveryErrorOf,
  expectNothingHeld,
  failureOf,
  outcomes,
  requestsOf,
  startProducer,
  stored,
} from '../support/producers.js'
import { partitionAnswer, ScriptedBroker, topicMetadata, valuesIn, withPartitions } from '../support/scripted-broker.js'

/* Batches that a broker refuses, or hangs up on: what becomes of those that are not the reason, and what is told. */

const INVALID_TIMESTAMP = 32

function batchesIn(request: DecodedProduceRequest): number {
  return request.topicData.flatMap(({ partitionData }) => partitionData).length
}

function refused(good: ProduceResponse, errorCode: number): ProduceResponse {
  return withPartitions(good, (all) => all.map(({ index }) => partitionAnswer(index, { errorCode })))
}

/** Blocks this process, and all that is played in it. */
function freeze(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

it('Kafka before 2.4 says not which timestamp is wrong: only that message fails, whoever the others are of', async () => {
  const broker = await ScriptedBroker.start({
    produceVersions: [3, 7],
    onProduce: ({ request }, good) => (valuesIn(request).includes('bad') ? refused(good, INVALID_TIMESTAMP) : good),
  })
  const producer = startProducer(broker.address)
  const sends = ['1', '2', 'bad', '3', '4', '5'].map((value) => producer.send({ topic: 'orders', value }))
  const fates = await Promise.allSettled(sends)
  expect(fates.map(({ status }) => status === 'fulfilled')).toEqual([true, true, false, true, true, true])
  const bad = await deliveryErrorOf(sends[2] as Promise<unknown>)
  expect(bad).toMatchObject({ code: 'INVALID_TIMESTAMP', attempts: 1, mayHaveBeenWritten: false })
  const written = broker.values.filter((values) => !values.includes('bad')).flat()
  expect(written).toEqual(['1', '2', '3', '4', '5'])
  expectNothingHeld(producer)
})

it('a cluster that checks each message by rules of its own may say why in more words than Kafka has', async () => {
  const why = (offset: number) =>
    `Log record DefaultRecord(offset=${offset}, timestamp=1795812120899, key=9 bytes, value=15 bytes) is rejected by the record interceptor io.example.registry.validator.RecordSchemaValidator`
  const broker = await ScriptedBroker.start({
    onProduce: ({ request }, good) => {
      // On a slow machine they come in more than one request.
      const recordErrors = valuesIn(request).map((_, index) => ({
        batchIndex: index,
        batchIndexErrorMessage: why(index),
      }))
      return withPartitions(good, () => [partitionAnswer(0, { errorCode: 87, recordErrors })])
    },
  })
  const producer = startProducer(broker.address, { deliveryTimeoutMs: 10_000 })
  const list = Array.from({ length: 5_000 }, () => ({ topic: 'orders', value: 'no such schema' }))
  const { results } = await failureOf(producer.send(list))
  expect(new Set(outcomes(results))).toEqual(new Set(['INVALID_RECORD']))
  expect(broker.values.flat()).toHaveLength(list.length)
})

it('two brokers that name each other as the leader, with ever newer epochs, are not asked without a wait', async () => {
  let epoch = 1
  const brokers: ScriptedBroker[] = []
  for (const other of [1, 0]) {
    brokers.push(
      await ScriptedBroker.start({
        produceVersions: [3, 12],
        onMetadata: ({ request }, good) => ({
          ...good,
          brokers: brokers.map(({ port }, i) => ({ nodeId: i + 1, host: '127.0.0.1', port, rack: null })),
          topics: (request.topics ?? []).map(({ name }) => topicMetadata(name ?? '', 1, { leaderEpoch: epoch })),
        }),
        onProduce: (_, good) => ({
          ...withPartitions(good, (all) =>
            all.map(({ index }) =>
              partitionAnswer(index, { errorCode: 6, currentLeader: { leaderId: other + 1, leaderEpoch: ++epoch } }),
            ),
          ),
          nodeEndpoints: [
            { nodeId: other + 1, host: '127.0.0.1', port: (brokers[other] as ScriptedBroker).port, rack: null },
          ],
        }),
      }),
    )
  }
  const producer = startProducer((brokers[0] as ScriptedBroker).address, {
    deliveryTimeoutMs: 1_500,
    retryBackoffMs: 100,
    retryBackoffMaxMs: 100,
  })
  const error = await deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))
  expect(error.code).toBe('DELIVERY_TIMEOUT')
  const requests = brokers.reduce((sum, { produced }) => sum + produced.length, 0)
  expect(requests).toBeGreaterThan(3)
  // 1,500 ms in waits of 80 ms at the least, and the first hint followed at once.
  expect(requests).toBeLessThan(30)
})

describe('a broker that hangs up on a request', () => {
  it.each([
    ['large: gets each alone', Buffer.alloc(200_000), [3, 1, 1, 1]],
    ['small: gets them together once more, since it may only have been stopped', 'small', [3, 3, 1, 1, 1]],
  ])('of several batches, and %s', async (_, value, batches) => {
    const broker = await ScriptedBroker.start({
      partitions: 3,
      onProduce: ({ request, index }, good) => (batchesIn(request) > 1 && index < 4 ? 'hang up' : good),
    })
    const producer = startProducer(broker.address)
    const messages = [0, 1, 2].map((partition) => ({ topic: 'orders', partition, value }))
    expect(await producer.send(messages)).toHaveLength(3)
    expect(broker.produced.map(({ request }) => batchesIn(request))).toEqual(batches)
    // What comes later has no part in it.
    await producer.send(messages)
    expect(batchesIn((broker.produced.at(-1) as { request: DecodedProduceRequest }).request)).toBe(3)
    expectNothingHeld(producer)
  })

  it('has its error tell what it was and how large, and nothing of SASL', async () => {
    const broker = await ScriptedBroker.start({ onProduce: () => 'hang up' })
    const producer = startProducer(broker.address, { retries: 0 })
    const { message } = await deliveryErrorOf(producer.send({ topic: 'orders', value: Buffer.alloc(600_000) }))
    expect(message).toMatch(/had not answered Produce v\d+ of 600\d\d\d bytes/)
    expect(message).toContain('socket.request.max.bytes')
    expect(message).not.toContain('sasl')
  })

  it('of few bytes has its error say nothing of limits', async () => {
    const broker = await ScriptedBroker.start({ onProduce: () => 'hang up' })
    const { message } = await deliveryErrorOf(
      startProducer(broker.address, { retries: 0 }).send({ topic: 'orders', value: 'x' }),
    )
    expect(message).toMatch(/had not answered Produce v\d+ of \d+ bytes/)
    expect(message).not.toContain('socket.request.max.bytes')
  })
})

describe('a message without a key for a compacted topic, before Kafka 2.4, which names none', () => {
  const compacted = { orders: { config: { 'cleanup.policy': 'compact' } } }

  it.each(['0.10.2', '0.11', '1.1'])(
    'Kafka %s: fails, and takes none beside it and behind it along',
    async (release) => {
      const kafka = await startKafka({ release, topics: compacted })
      const producer = startProducer(kafka)
      const list = [{ key: 'a' }, {}, { key: '' }, {}].map((key, index) => ({
        topic: 'orders',
        ...key,
        value: `${index}`,
      }))
      const failing = failureOf(producer.send(list))
      const [{ offset }] = await producer.send({ topic: 'orders', key: 'c', value: 'behind' })
      const failure = await failing
      expect(outcomes(failure.results)).toEqual([0n, 'CORRUPT_MESSAGE', 1n, 'CORRUPT_MESSAGE'])
      expect(failure.results[1]).toMatchObject({ mayHaveBeenWritten: false, attempts: 2 })
      expect((failure.results[1] as Error).message).toContain('has no key and the topic is compacted')
      expect(offset).toBe(2n)
      expect(stored(kafka, 'orders')).toEqual(['0', '2', 'behind'])
      expectNothingHeld(producer)
    },
  )

  it('fails by itself as soon as that was answered twice', async () => {
    const kafka = await startKafka({ release: '1.1', topics: compacted })
    const failure = await deliveryErrorOf(startProducer(kafka).send({ topic: 'orders', value: 'x' }))
    expect(failure).toMatchObject({ code: 'CORRUPT_MESSAGE', mayHaveBeenWritten: false, attempts: 2 })
    expect(requestsOf(kafka, 'Produce')).toHaveLength(2)
  })

  it('arrives where it was changed on its way, once', async () => {
    const kafka = await startKafka({ release: '1.1', topics: { orders: {} } })
    kafka.fail({ api: 'Produce', times: 1 }, 'CORRUPT_MESSAGE')
    expect(await startProducer(kafka).send({ topic: 'orders', value: 'x' })).toMatchObject([{ offset: 0n }])
  })

  it('is not what Kafka 2.4 and later mean: they are asked again', async () => {
    const kafka = await startKafka({ release: '2.8', topics: { orders: {} } })
    kafka.fail({ api: 'Produce', times: 3 }, 'CORRUPT_MESSAGE')
    expect(await startProducer(kafka).send({ topic: 'orders', value: 'x' })).toMatchObject([{ offset: 0n }])
  })
})

describe('an error tells', () => {
  it('MESSAGE_TOO_LARGE: the size, and which settings bound it', async () => {
    const kafka = await startKafka({ release: '1.1', topics: { orders: { config: { 'max.message.bytes': 1_000 } } } })
    const producer = startProducer(kafka)
    const failure = await failureOf(
      producer.send(['small', Buffer.alloc(5_000), 'small too'].map((value) => ({ topic: 'orders', value }))),
    )
    expect(outcomes(failure.results)).toEqual([0n, 'MESSAGE_TOO_LARGE', 1n])
    expect(failure.message).toMatch(/5\d\d\d bytes/)
    expect(failure.message).toContain('max.message.bytes')
  })

  it('CORRUPT_MESSAGE of a message without a key: that the topic may be compacted, which old brokers say so', async () => {
    const kafka = await startKafka({ release: '1.1', topics: { orders: {} } })
    const producer = startProducer(kafka, { retries: 0 })
    kafka.fail({ api: 'Produce', times: 2 }, 'CORRUPT_MESSAGE')
    const keyless = await deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))
    const keyed = await deliveryErrorOf(producer.send({ topic: 'orders', key: 'k', value: 'x' }))
    expect(keyless.message).toContain('or has no key and the topic is compacted')
    expect(keyed.message).not.toContain('compacted')
  })

  it('of brokers that are not Apache’s: that the codec may be none of theirs, and what they mean by a policy', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { acks: 1, topicCompression: { orders: 'snappy' } })
    kafka.fail({ api: 'Produce', topic: 'orders' }, 'UNSUPPORTED_FOR_MESSAGE_FORMAT')
    const unsupported = await deliveryErrorOf(producer.send({ topic: 'orders', value: 'x'.repeat(1_000) }))
    expect(unsupported.message).toMatch(/may not take compression 'snappy'.*'gzip'/)
    kafka.fail({ api: 'Produce', topic: 'orders' }, 'POLICY_VIOLATION')
    const throttled = await deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))
    expect(throttled.message).toMatch(/throttle for longer than `requestTimeoutMs`/)
  })

  it('UNSUPPORTED_FOR_MESSAGE_FORMAT: what the topic may lack, and nothing that it can’t be', async () => {
    const topics = { orders: { config: { 'message.format.version': '0.10.2' } } }
    const kafka = await startKafka({ release: '2.8', topics })
    const value = 'x'.repeat(1_000)
    const numbered = startProducer(kafka, { idempotent: true, compression: 'gzip' })
    const ofFormat = await deliveryErrorOf(numbered.send({ topic: 'orders', value }))
    expect(ofFormat).toMatchObject({ code: 'UNSUPPORTED_FOR_MESSAGE_FORMAT' })
    expect(ofFormat.message).toMatch(/message\.format\.version before 0\.11/)
    expect(ofFormat.message).not.toContain('compression')
    kafka.fail({ api: 'Produce' }, 'UNSUPPORTED_FOR_MESSAGE_FORMAT')
    const plain = startProducer(kafka, { acks: 1, compression: 'gzip' })
    const unknown = await deliveryErrorOf(plain.send({ topic: 'orders', value }))
    expect(unknown).toMatchObject({ code: 'UNSUPPORTED_FOR_MESSAGE_FORMAT' })
    expect(unknown.message).not.toMatch(/compression|message\.format\.version/)
    const either = startProducer(kafka, { idempotent: true, compression: 'snappy' })
    const { message } = await deliveryErrorOf(either.send({ topic: 'orders', value }))
    expect(message).toMatch(/message\.format\.version before 0\.11.*, or not take compression 'snappy'/)
  })

  it.each(['UNSUPPORTED_FOR_MESSAGE_FORMAT', 'UNSUPPORTED_COMPRESSION_TYPE'] as const)(
    'nothing where the codec is none of the broker’s (%s), and has a fallback: that stands in from then on',
    async (error) => {
      const kafka = await startKafka({ topics: { orders: {} } })
      const producer = startProducer(kafka, { compression: { type: 'snappy', fallback: 'gzip' } })
      kafka.fail({ api: 'Produce', topic: 'orders' }, error)
      for (const value of ['x', 'y']) await producer.send({ topic: 'orders', value: value.repeat(1_000) })
      expect(kafka.records('orders').map(({ codec }) => codec)).toEqual([1, 1])
      expect(producer.stats()).toMatchObject({ idempotent: true, notIdempotentTopics: [], failed: 0 })
      expect(requestsOf(kafka, 'Produce')).toHaveLength(3)
    },
  )

  it('nothing of the codec where the batch went without: that is tried later all the same, and no fallback', async () => {
    const kafka = await startKafka({ release: '2.8', topics: { orders: {} } })
    const producer = startProducer(kafka, { compression: { type: 'snappy', fallback: 'gzip' } })
    // Nothing is gained by the first, so that the second goes as it is.
    await producer.send({ topic: 'orders', value: randomBytes(1_000) })
    kafka.fail({ api: 'Produce', topic: 'orders' }, 'UNSUPPORTED_FOR_MESSAGE_FORMAT')
    await producer.send({ topic: 'orders', value: randomBytes(1_000) })
    expect(producer.stats().notIdempotentTopics).toEqual(['orders'])
    for (let i = 0; i < 8; i++) await producer.send({ topic: 'orders', value: 'x'.repeat(1_000) })
    expect(new Set(kafka.records('orders').map(({ codec }) => codec))).toEqual(new Set([0, 2]))
  })

  it('nothing of the codec where the fallback was refused as well, for the sequences: it is used again', async () => {
    const topics = { orders: { partitions: 2, config: { 'message.format.version': '0.10.2' } } }
    const kafka = await startKafka({ release: '2.8', topics })
    const producer = startProducer(kafka, { compression: { type: 'snappy', fallback: 'gzip' } })
    const both = [0, 1].map((partition) => ({ topic: 'orders', partition, value: 'x'.repeat(1_000) }))
    for (let i = 0; i < 2; i++) await producer.send(both)
    expect(producer.stats().notIdempotentTopics).toEqual(['orders'])
    expect(kafka.records('orders').map(({ codec }) => codec)).toEqual([2, 2, 2, 2])
  })

  it('of both, where a broker takes neither the codec nor sequences: it goes without, and with the fallback', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { compression: { type: 'snappy', fallback: 'gzip' } })
    // With the codec, with the fallback, and with the codec without sequences.
    kafka.fail({ api: 'Produce', topic: 'orders', times: 3 }, 'UNSUPPORTED_FOR_MESSAGE_FORMAT')
    for (const value of ['x', 'y']) await producer.send({ topic: 'orders', value: value.repeat(1_000) })
    expect(kafka.records('orders').map(({ codec }) => codec)).toEqual([1, 1])
    expect(producer.stats().notIdempotentTopics).toEqual(['orders'])
  })

  it('of a deadline: that the partition is no more, where the topic was made anew with fewer', async () => {
    const kafka = await startKafka({ topics: { orders: { partitions: 4 } } })
    const producer = startProducer(kafka, { deliveryTimeoutMs: 1_500 })
    await producer.send({ topic: 'orders', partition: 3, value: 'x' })
    kafka.recreateTopic('orders', { partitions: 2 })
    const gone = deliveryErrorOf(producer.send({ topic: 'orders', partition: 3, value: 'y' }))
    await producer.send({ topic: 'orders', partition: 1, value: 'z' })
    expect((await gone).message).toContain('partition 3 no more')
    expect(stored(kafka, 'orders')).toEqual(['z'])
  })
})

it('an answer that came while this process stood still beyond the deadline is read first', async () => {
  const broker = await ScriptedBroker.start({
    onProduce: ({ index }, good) => {
      // The answer is with the system before that, and the deadline passes meanwhile.
      if (index === 1) setImmediate(() => freeze(1_000))
      return good
    },
  })
  const producer = startProducer(broker.address, { deliveryTimeoutMs: 600 })
  await producer.send({ topic: 'orders', value: 'warm' })
  await producer.send({ topic: 'orders', value: 'x' })
})
