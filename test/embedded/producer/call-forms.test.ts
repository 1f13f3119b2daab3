import { describe, expect, it } from 'vitest'
import {
  DeliveryError,
  FailedToSendMessageError,
  NotQueuedError,
  Producer,
  QueueFullError,
  RecordMetadata,
  type KeyedMessage,
} from '../../../src/index.js'
import { startKafka } from '../support/cluster.js'
import { errorOf, startProducer } from '../support/producers.js'

const BAD: KeyedMessage = { topic: 'orders', value: 'bad', partition: 99 }
const GOOD: KeyedMessage = { topic: 'orders', value: 'good' }

/** Each way in which one message goes through a producer: encoded at once or later, with a signal or without. */
const WAYS = [
  ['encoded at once', {}, undefined],
  ['with a signal', {}, { signal: new AbortController().signal }],
  ['encoded later', { encoder: { encode: (value: unknown) => Promise.resolve(String(value)) } }, undefined],
] as const

describe.each(WAYS)('a call of one message, %s', (_, options, sendOptions) => {
  it('resolves with a list of its metadata', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const sent = await startProducer(kafka, options).send(GOOD, sendOptions)
    expect(sent).toEqual([expect.any(RecordMetadata)])
  })

  it('rejects with its own error, whose code is that of the cause', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const error = await errorOf(startProducer(kafka, options).send(BAD, sendOptions))
    expect(error).toBeInstanceOf(DeliveryError)
    expect(error).toMatchObject({
      code: 'INVALID_PARTITION',
      topic: 'orders',
      partition: 99,
      mayHaveBeenWritten: false,
    })
    expect(error.cause).toMatchObject({ name: 'InvalidPartitionError', code: 'INVALID_PARTITION' })
  })

  it('rejects as a list where it is a list of one', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const error = await errorOf(startProducer(kafka, options).send([BAD], sendOptions))
    expect(error).toBeInstanceOf(FailedToSendMessageError)
    const { results, messages } = error as FailedToSendMessageError
    expect(messages).toEqual([BAD])
    expect(results).toEqual([expect.objectContaining({ name: 'DeliveryError', code: 'INVALID_PARTITION' })])
  })

  it('is refused with its place where it is a list of one, as any other list', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, options)
    const nested = [[GOOD]] as unknown as KeyedMessage[]
    expect((await errorOf(producer.send(nested, sendOptions))).message).toMatch(/^messages\[0\]: a message must be/)
    const noValue = { topic: 'orders' } as KeyedMessage
    expect((await errorOf(producer.send([noValue], sendOptions))).message).toMatch(/^messages\[0\]: value: missing/)
    expect((await errorOf(producer.send(noValue, sendOptions))).message).toMatch(/^value: missing/)
  })
})

it('messages that fail together are each told by an error of their own, that the others do not have', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka, { retries: 0 })
  await producer.send(GOOD)
  kafka.fail({ api: 'Produce' }, 'MESSAGE_TOO_LARGE')
  const errors = await Promise.all([errorOf(producer.send(GOOD)), errorOf(producer.send(BAD))])
  kafka.fail({ api: 'Produce' }, 'INVALID_REQUIRED_ACKS')
  errors.push(...(await Promise.all([errorOf(producer.send(GOOD)), errorOf(producer.send(GOOD))])))
  expect(errors.map(({ code }) => code)).toEqual([
    'MESSAGE_TOO_LARGE',
    'INVALID_PARTITION',
    'INVALID_REQUIRED_ACKS',
    'INVALID_REQUIRED_ACKS',
  ])
  expect(new Set(errors).size).toBe(4)
})

describe('a call that there is no room for', () => {
  it.each([
    ['one message', GOOD],
    ['a list', [GOOD]],
  ])('rejects with QueueFullError: %s', async (_, given) => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka, { queueMessages: 1, enqueueTimeoutMs: 0 })
    await producer.send(GOOD)
    const stall = kafka.stall({ api: 'Produce' })
    const first = producer.send(GOOD)
    await stall.hit()
    const error = await errorOf(producer.send(given))
    expect(error).toBeInstanceOf(QueueFullError)
    expect(error).toMatchObject({ code: 'QUEUE_FULL', refused: [0], taken: [] })
    stall.release()
    await first
  })
})

describe('in async mode, what was not taken in', () => {
  async function refusedWhileFull(given: KeyedMessage | readonly KeyedMessage[]) {
    const kafka = await startKafka({ topics: { orders: {} } })
    await using producer = new Producer({
      brokers: kafka.bootstrap,
      type: 'async',
      queueMessages: 1,
      enqueueTimeoutMs: -1,
      lingerMs: 0,
      onDelivery: () => undefined,
    })
    const stall = kafka.stall({ api: 'Produce' })
    await producer.send(GOOD)
    await stall.hit()
    const controller = new AbortController()
    const refused = errorOf(producer.send(given, { signal: controller.signal }))
    controller.abort()
    const error = await refused
    stall.release()
    return error
  }

  it('rejects with its own error where one message was given', async () => {
    const error = await refusedWhileFull(GOOD)
    expect(error).toBeInstanceOf(DeliveryError)
    expect(error).toMatchObject({ code: 'ABORTED', topic: 'orders', attempts: 0, mayHaveBeenWritten: false })
  })

  it('is named by its place where a list was given, be it of one', async () => {
    const error = await refusedWhileFull([GOOD])
    expect(error).toBeInstanceOf(NotQueuedError)
    expect(error).toMatchObject({ code: 'ABORTED', refused: [0], taken: [] })
  })
})
