import { describe, expect, it, onTestFinished } from 'vitest'
import { Producer } from '../../../src/index.js'
import { EmbeddedKafka } from '../../../src/testing/index.js'
import { startKafka } from '../support/cluster.js'
import {
  deadAddress,
  deliveryErrorOf,
  expectNothingHeld,
  portOf,
  requestsOf,
  startProducer,
  stored,
} from '../support/producers.js'
import { ScriptedBroker } from '../support/scripted-broker.js'

/** A broker on an address on which nobody listened before. */
async function startKafkaAt(address: string): Promise<EmbeddedKafka> {
  const kafka = await EmbeddedKafka.start({ ports: [portOf(address)] })
  onTestFinished(() => kafka.stop())
  return kafka
}

describe('a topic that could not be created at first is created as long as a message waits', () => {
  const releases = ['0.8.2', '0.10.2', '2.8', '4']
  const errors = [3, 5, 38, 41, 44, 89, -1]

  it.each(releases.flatMap((release) => errors.map((errorCode) => [release, errorCode] as const)))(
    'Kafka %s: after error %i',
    async (release, errorCode) => {
      const kafka = await startKafka({ release })
      kafka.fail({ api: 'Metadata', topic: 'orders', times: 3 }, errorCode)
      await startProducer(kafka).send({ topic: 'orders', value: 'x' })
      expect(stored(kafka, 'orders')).toEqual(['x'])
    },
  )

  it.each(releases)('Kafka %s: after questions that got lost', async (release) => {
    const kafka = await startKafka({ release })
    kafka.cut({ api: 'Metadata', times: 4 })
    await startProducer(kafka).send({ topic: 'orders', value: 'x' })
    expect(stored(kafka, 'orders')).toEqual(['x'])
  })

  it('messages that come while others wait are no different', async () => {
    const kafka = await startKafka()
    const fault = kafka.fail({ api: 'Metadata', topic: 'orders', times: Infinity }, 'INVALID_REPLICATION_FACTOR')
    const producer = startProducer(kafka)
    const sending = [producer.send({ topic: 'orders', value: '1' })]
    await fault.hit(3)
    sending.push(producer.send({ topic: 'orders', value: '2' }))
    await fault.hit(6)
    fault.release()
    await Promise.all(sending)
    expect(stored(kafka, 'orders')).toEqual(['1', '2'])
  })
})

describe('a momentary error of a Metadata answer as a whole is asked again', () => {
  it.each([-1, 7, 8, 13, 41, 129])('%i: the messages wait', async (errorCode) => {
    const broker = await ScriptedBroker.start({
      metadataVersions: [0, 13],
      onMetadata: ({ index }, good) => (index < 4 ? { ...good, errorCode } : good),
    })
    await startProducer(broker.address).send({ topic: 'orders', value: 'x' })
    expect(broker.values).toEqual([['x']])
    expect(broker.asked.length).toBeGreaterThan(4)
  })

  it('one that does not pass is what the messages fail with at their deadline', async () => {
    const broker = await ScriptedBroker.start({
      metadataVersions: [0, 13],
      onMetadata: (_question, good) => ({ ...good, errorCode: -1 }),
    })
    const producer = startProducer(broker.address, { deliveryTimeoutMs: 200 })
    const error = await deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))
    expect(error.code).toBe('DELIVERY_TIMEOUT')
    expect(error.message).toContain('UNKNOWN_SERVER_ERROR')
  })

  it.each([
    [31, 'CLUSTER_AUTHORIZATION_FAILED'],
    [42, 'INVALID_REQUEST'],
  ])('%i, which asking again can’t help, ends the messages at once', async (errorCode, code) => {
    const broker = await ScriptedBroker.start({
      metadataVersions: [0, 13],
      onMetadata: (_question, good) => ({ ...good, errorCode }),
    })
    const error = await deliveryErrorOf(startProducer(broker.address).send({ topic: 'orders', value: 'x' }))
    expect(error.code).toBe(code)
  })
})

describe('a topic whose first look-up failed is asked for again whenever somebody sends to it', () => {
  it('after an outage at the start that was longer than deliveryTimeoutMs', async () => {
    const address = await deadAddress()
    const producer = startProducer(address, { deliveryTimeoutMs: 200 })
    for (let i = 0; i < 2; i++)
      expect((await deliveryErrorOf(producer.send({ topic: 'orders', value: 'early' }))).code).toBe('DELIVERY_TIMEOUT')
    const kafka = await startKafkaAt(address)
    // A busy machine may miss a deadline that is so short.
    for (let i = 0; i < 20 && requestsOf(kafka, 'Produce').length === 0; i++)
      await producer.send({ topic: 'orders', value: 'late' }).catch(() => undefined)
    expect(stored(kafka, 'orders')).toContain('late')
    expectNothingHeld(producer)
  })

  it('in async mode too', async () => {
    const address = await deadAddress()
    const fates: (string | undefined)[] = []
    const producer = new Producer({
      brokers: address,
      type: 'async',
      deliveryTimeoutMs: 300,
      retryBackoffMs: 5,
      retryBackoffMaxMs: 20,
      onDelivery: ({ error }) => void fates.push(error?.code),
    })
    onTestFinished(async () => void (await producer.close({ timeoutMs: 0 })))
    await producer.send({ topic: 'orders', value: 'early' })
    await producer.flush()
    expect(fates).toEqual(['DELIVERY_TIMEOUT'])
    await startKafkaAt(address)
    for (let i = 0; i < 20 && fates.at(-1) !== undefined; i++) {
      await producer.send({ topic: 'orders', value: 'late' })
      await producer.flush()
    }
    expect(fates.at(-1)).toBeUndefined()
  })
})
