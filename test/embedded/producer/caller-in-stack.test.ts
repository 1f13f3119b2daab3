import { inspect } from 'node:util'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  AuthenticationError,
  DeliveryError,
  FailedToSendMessageError,
  MetadataUnavailableError,
  Producer,
  ProducerConfig,
  ProducerFencedError,
  TransactionalProducer,
  type KeyedMessage,
  type RawData,
  type Transaction,
} from '../../../src/index.js'
import { startKafka } from '../support/cluster.js'
import { errorOf, startProducer, turns } from '../support/producers.js'

const BAD: KeyedMessage = { topic: 'orders', value: 'bad', partition: 99 }
const FORMS = [
  ['one message', BAD],
  ['a list', [BAD, BAD]],
] as const

it.each(FORMS)(
  'who awaits a send() is in the stack of its error, and the depths of the producer are not: %s',
  async (_, given) => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    async function placeOrder() {
      await producer.send(given)
    }
    const { stack } = await errorOf(placeOrder())
    expect(stack).toMatch(/at (async )?placeOrder \(.*caller-in-stack\.test\.ts/)
    expect(stack).not.toContain('/src/producer/')
  },
)

it('also of one that waits for several, and of messages that fail together', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  kafka.fail({ api: 'Produce' }, 'MESSAGE_TOO_LARGE')
  const producer = startProducer(kafka)
  const order = { topic: 'orders', value: 'x' }
  async function placeFirst() {
    await producer.send(order)
  }
  async function placeOthers() {
    await Promise.all([producer.send(BAD), producer.send({ ...BAD, partition: 98 })])
  }
  const [first, others] = await Promise.all([errorOf(placeFirst()), errorOf(placeOthers())])
  expect(first.stack).toMatch(/at (async )?placeFirst/)
  expect(others.stack).toMatch(/at async Promise\.all .*\n.*at (async )?placeOthers/)
})

it('in async mode of a message that was not taken in', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  await using producer = new Producer({
    brokers: kafka.bootstrap,
    type: 'async',
    queueMessages: 1,
    onDelivery: () => 0,
  })
  const stall = kafka.stall({ api: 'Produce' })
  await producer.send({ topic: 'orders', value: 'x' })
  const controller = new AbortController()
  async function logClick() {
    await producer.send({ topic: 'orders', value: 'y' }, { signal: controller.signal })
  }
  const failing = errorOf(logClick())
  controller.abort()
  const error = await failing
  expect(error).toMatchObject({ code: 'ABORTED' })
  expect(error.stack).toMatch(/at (async )?logClick/)
  stall.release()
})

it.each([
  ['one message', BAD],
  ['a list of one', [BAD]],
  ['a list', [BAD, BAD]],
])('in async mode where there is no room, and none is waited for: %s', async (_, given) => {
  const kafka = await startKafka({ topics: { orders: {} } })
  await using producer = new Producer({
    brokers: kafka.bootstrap,
    type: 'async',
    queueMessages: 1,
    enqueueTimeoutMs: 0,
    onDelivery: () => 0,
  })
  const stall = kafka.stall({ api: 'Produce' })
  await producer.send({ topic: 'orders', value: 'x' })
  async function logClick() {
    await producer.send(given)
  }
  expect(inspect(await errorOf(logClick()))).toMatch(/^QueueFullError: .*\n {4}at (async )?logClick /)
  stall.release()
})

it('an error is printed in a few lines, with the line that called', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka)
  async function placeOrder() {
    await producer.send([BAD, BAD])
  }
  const lines = inspect(await errorOf(placeOrder())).split('\n')
  expect(lines.length).toBeLessThan(9)
  expect(lines[0]).toMatch(/^FailedToSendMessageError: 2 messages failed; the first with INVALID_PARTITION: /)
  expect(lines[1]).toMatch(/at (async )?placeOrder/)
})

const CALLER = /\n {4}at .*caller-in-stack\.test\.ts/

describe('what is wrong with a call is printed with the line that called:', () => {
  const wrong = { topic: 'orders' } as unknown as KeyedMessage
  const started = (type: 'sync' | 'async') =>
    new Producer<RawData, RawData, 'sync' | 'async'>({ brokers: 'localhost:1', type, onDelivery: () => 0 })

  it.each<[string, KeyedMessage | KeyedMessage[], object]>([
    ['one message', wrong, {}],
    ['a list of one', [wrong], {}],
    ['a list', [BAD, wrong], {}],
    ['options that there are not', BAD, { timeoutMs: 5 }],
    ['no signal', BAD, { signal: 'x' as never }],
    ['a signal that was aborted before', BAD, { signal: AbortSignal.abort() }],
  ])('send() of %s', async (_, given, options) => {
    for (const type of ['sync', 'async'] as const) {
      await using producer = started(type)
      async function placeOrder() {
        await producer.send(given, options)
      }
      expect(inspect(await errorOf(placeOrder()))).toMatch(/\n {4}at (async )?placeOrder /)
    }
  })

  it('send() where that is not on the stack, as in Bun, whose engine leaves out calls in the place of a tail', async () => {
    await using producer = started('sync')
    const send = producer.send.bind(producer)
    vi.spyOn(Producer.prototype, 'send')
    onTestFinished(() => void vi.restoreAllMocks())
    async function placeOrder() {
      await send(wrong)
    }
    expect(inspect(await errorOf(placeOrder()))).toMatch(CALLER)
  })

  it.each<[string, () => unknown]>([
    ['is none of text', () => ({ frames: [] })],
    [
      'fails',
      () => {
        throw new Error('no frames')
      },
    ],
  ])('send() with an Error.prepareStackTrace() that %s: it rejects, and does not throw', async (_, prepare) => {
    await using producer = started('sync')
    const before: unknown = Reflect.get(Error, 'prepareStackTrace')
    let sending: Promise<unknown>
    Error.prepareStackTrace = prepare
    try {
      sending = producer.send(wrong)
    } finally {
      Reflect.set(Error, 'prepareStackTrace', before)
    }
    expect(await errorOf(sending)).toMatchObject({ code: 'INVALID_MESSAGE' })
  })

  it('after close()', async () => {
    const producer = started('sync')
    await producer.close()
    async function placeOrder() {
      await producer.send(BAD)
    }
    expect(inspect(await errorOf(placeOrder()))).toMatch(/\n {4}at (async )?placeOrder /)
  })

  it.each([
    ['flush()', (producer: Producer) => producer.flush({ timeout: 5 } as object)],
    ['close()', (producer: Producer) => producer.close({ timeoutMs: -1 })],
    ['sendAll()', (producer: Producer) => producer.sendAll([], { signals: 5 } as object)],
    ['sendAll() of a message that is wrong', (producer: Producer) => producer.sendAll([wrong])],
    ['connect()', (producer: Producer) => producer.connect({ signal: 'x' } as object)],
  ])('%s', async (_, call) => {
    await using producer: Producer = started('sync') as Producer
    async function shutDown() {
      await call(producer)
    }
    expect(inspect(await errorOf(shutDown()))).toMatch(CALLER)
  })

  it.each([
    ['a producer', () => new Producer({ brokers: 'localhost', timeout: 5 } as { brokers: string })],
    ['a producer with an option that is wrong', () => new Producer({ brokers: 'localhost', retries: -1 })],
    ['options', () => new ProducerConfig({ brokers: 'localhost:x' })],
    ['options that do not go together', () => new ProducerConfig({ brokers: 'a', acks: 0, idempotent: true })],
    ['a transactional producer', () => new TransactionalProducer({ brokers: 'a', transactionalId: '' })],
  ])('%s', async (_, make) => {
    const error = await errorOf(Promise.resolve().then<unknown>(make))
    expect(inspect(error)).toMatch(CALLER)
  })
})

describe('what fails in a transaction is printed with the line that called:', () => {
  it.each<[string, (tx: Transaction) => Promise<unknown>]>([
    ['send() of a message that is wrong', (tx) => tx.send({ topic: 'orders' } as unknown as KeyedMessage)],
    ['send() of a value that its encoder does not take', (tx) => tx.send({ topic: 'orders', value: 5 })],
    ['send() of a message that fails', (tx) => tx.send(BAD)],
    ['send() of a list that fails', (tx) => tx.send([BAD, BAD])],
    ['sendOffsets()', (tx) => tx.sendOffsets({} as { groupId: string }, [])],
  ])('%s', async (_, call) => {
    const kafka = await startKafka({ topics: { orders: {} } })
    await using producer = new TransactionalProducer({ brokers: kafka.bootstrap, transactionalId: 'orders' })
    const tx = await producer.begin()
    async function placeOrder() {
      await call(tx)
    }
    expect(inspect(await errorOf(placeOrder()))).toMatch(CALLER)
    await tx.abort()
    expect(inspect(await errorOf(placeOrder()))).toMatch(CALLER)
  })

  it('sendOffsets() that the brokers refuse', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    kafka.fail({ api: 'TxnOffsetCommit' }, 'GROUP_AUTHORIZATION_FAILED')
    await using producer = new TransactionalProducer({ brokers: kafka.bootstrap, transactionalId: 'orders' })
    const tx = await producer.begin()
    async function takeOver() {
      await tx.sendOffsets({ groupId: 'readers' }, [{ topic: 'orders', partition: 0, offset: 1n }])
    }
    const error = await errorOf(takeOver())
    expect(error).toMatchObject({ code: 'TRANSACTION_ABORTED', cause: { code: 'GROUP_AUTHORIZATION_FAILED' } })
    expect(inspect(error)).toMatch(/\n {4}at (async )?takeOver /)
  })

  it('nobody need look at it: the commit tells of it', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    await using producer = new TransactionalProducer({ brokers: kafka.bootstrap, transactionalId: 'orders' })
    const tx = await producer.begin()
    void tx.send(BAD)
    void tx.send({ topic: 'orders' } as unknown as KeyedMessage)
    expect(await errorOf(tx.commit())).toMatchObject({ code: 'TRANSACTION_ABORTED' })
    void tx.send(BAD)
    await turns()
  })
})

describe('what brokers answer, or do not, is printed with the line that called, of each who called:', () => {
  const printed = async (one: () => Promise<unknown>, another: () => Promise<unknown>) => {
    async function firstCaller() {
      await one()
    }
    async function secondCaller() {
      await another()
    }
    const [first, second] = (await Promise.all([errorOf(firstCaller()), errorOf(secondCaller())])).map((e) =>
      inspect(e),
    )
    expect(first).toMatch(/\n {4}at (async )?firstCaller .*caller-in-stack\.test\.ts/)
    expect(second).toMatch(/\n {4}at (async )?secondCaller .*caller-in-stack\.test\.ts/)
  }
  const twice = (call: () => Promise<unknown>) => printed(call, call)

  it('partitionsFor() of a topic that there is not, and of no broker; connect(), and once it is too late', async () => {
    const kafka = await startKafka({ autoCreateTopics: false })
    const producer = startProducer(kafka)
    await twice(() => producer.partitionsFor('orders'))
    // A port that nobody listens at any more may be somebody else's the next moment.
    const createConnection = () => Promise.reject(new Error('there is no way to it'))
    await using lonely = new Producer({ brokers: kafka.bootstrap, createConnection })
    await twice(() => lonely.partitionsFor('orders'))
    await twice(() => lonely.connect())
    expect(await errorOf(lonely.connect())).toMatchObject({
      constructor: MetadataUnavailableError,
      name: 'MetadataUnavailableError',
      code: 'METADATA_UNAVAILABLE',
      retriable: true,
      cause: { code: 'CONNECTION_FAILED' },
    })
    const silent = await startKafka()
    silent.pauseBroker(1)
    const waiting = startProducer(silent)
    await twice(() => waiting.connect({ timeoutMs: 10 }))
    const closing = [waiting.partitionsFor('orders'), waiting.connect()] as const
    const told = printed(
      () => closing[0],
      () => closing[1],
    )
    await waiting.close({ timeoutMs: 0 })
    await told
  })

  it('but an error of a class of the user’s is the one that was thrown, with its private fields', async () => {
    class NoToken extends AuthenticationError {
      readonly #vault = 'north'
      get vault() {
        return this.#vault
      }
    }
    const kafka = await startKafka({ sasl: { mechanisms: ['OAUTHBEARER'] } })
    const thrown = new NoToken('no token')
    const token = () => Promise.reject(thrown)
    await using producer = new Producer({ brokers: kafka.bootstrap, sasl: { mechanism: 'oauthbearer', token } })
    const error = await errorOf(producer.connect())
    expect(error).toBe(thrown)
    expect((error as unknown as NoToken).vault).toBe('north')
  })

  it('flush() that does not wait any longer', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer(kafka)
    const stall = kafka.stall({ api: 'Produce' })
    const sent = producer.send({ topic: 'orders', value: 'x' })
    await stall.hit()
    await twice(() => producer.flush({ timeoutMs: 1 }))
    stall.release()
    await sent
  })

  it('transactions that can’t begin, also since another one never ends, and those that their producer leaves', async () => {
    const kafka = await startKafka({ topics: { orders: {} }, sasl: { users: { alice: 'wonderland' } } })
    const sasl = { mechanism: 'plain', username: 'alice', password: 'wrong' } as const
    const options = { brokers: kafka.bootstrap, transactionalId: 'orders' }
    await using refused = new TransactionalProducer({ ...options, sasl })
    await printed(
      () => refused.begin(),
      () => refused.transaction(() => undefined),
    )
    const producer = new TransactionalProducer({ ...options, sasl: { ...sasl, password: 'wonderland' } })
    const tx = await producer.begin()
    const told = printed(
      () => producer.begin(),
      () => producer.transaction(() => undefined),
    )
    await producer.close()
    await told
    await twice(() => tx.commit())
    await twice(() => tx.send({ topic: 'orders', value: 'x' }))
  })

  it('transactions whose producer can’t go on', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    await using producer = new TransactionalProducer({ brokers: kafka.bootstrap, transactionalId: 'orders' })
    kafka.fail({ api: 'EndTxn' }, 'PRODUCER_FENCED')
    const tx = await producer.begin()
    await tx.send({ topic: 'orders', value: 'x' })
    const committing = tx.commit()
    await printed(
      () => committing,
      () => producer.begin(),
    )
    await printed(
      () => tx.commit(),
      () => producer.transaction(() => undefined),
    )
    expect(await errorOf(producer.begin())).toMatchObject({
      constructor: ProducerFencedError,
      code: 'PRODUCER_FENCED',
      kind: 'application-recoverable',
      cause: { code: 'PRODUCER_FENCED' },
    })
  })

  it('transactions that are open for too long', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const options = { brokers: kafka.bootstrap, transactionalId: 'orders', transactionTimeoutMs: 50 }
    await using producer = new TransactionalProducer(options)
    await twice(() => producer.transaction(() => new Promise(() => undefined)))
    const own = new Error('of the program')
    expect(await errorOf(producer.transaction(() => Promise.reject(own)))).toBe(own)
  })
})

it('nobody who awaits it late, or not with await, goes without the error', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka)
  const chained: unknown = await producer.send(BAD).then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(chained).toBeInstanceOf(DeliveryError)
  const late = producer.send([BAD])
  late.catch(() => undefined)
  await producer.flush()
  await turns()
  expect(await errorOf(late)).toBeInstanceOf(FailedToSendMessageError)
})

it('a failure is heard of before a flush() that waited for it, and before a close()', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const heard: string[] = []
  const producer = startProducer(kafka)
  const send = (given: KeyedMessage | KeyedMessage[]) => {
    producer.send(given).catch(() => heard.push('failure'))
  }
  for (const end of [
    () => producer.flush(),
    () => producer.flush({ timeoutMs: 10_000 }),
    () => producer.close({ timeoutMs: 10_000 }),
  ]) {
    send(BAD)
    send([BAD, BAD])
    await end()
    heard.push('end')
  }
  expect(heard).toEqual(['failure', 'failure', 'end', 'failure', 'failure', 'end', 'failure', 'failure', 'end'])
})

it('of very many that fail together some have a stack trace, and all are heard of in their order', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka, { retries: 0 })
  await producer.send({ topic: 'orders', value: 'x' })
  kafka.fail({ api: 'Produce', times: Infinity }, 'INVALID_REQUIRED_ACKS')
  const { stackTraceLimit } = Error
  const heard: number[] = []
  const errors: Error[] = []
  async function place(index: number) {
    try {
      await producer.send({ topic: 'orders', value: String(index) })
    } catch (error) {
      heard.push(index)
      errors.push(error as Error)
    }
  }
  await Promise.all(Array.from({ length: 1_000 }, (_, i) => place(i)))
  expect(heard).toEqual(Array.from({ length: 1_000 }, (_, i) => i))
  expect(errors[0]?.stack).toMatch(/at (async )?place /)
  expect(errors.filter(({ stack }) => stack?.includes('    at ')).length).toBeLessThan(100)
  expect(Error.stackTraceLimit).toBe(stackTraceLimit)
})

it.each([
  ['name a partition that is not there', { partition: 9 }, {}],
  ['a partitioner chooses none for', { key: 'k' }, { partitioner: { partition: () => 9 } }],
] as const)('of a long list of messages that %s some have a stack trace', async (_, fields, options) => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka, options)
  const messages = Array.from({ length: 1_000 }, () => ({ topic: 'orders', value: 'x', ...fields }))
  const error = (await errorOf(producer.send(messages))) as FailedToSendMessageError
  const failures = error.results as readonly DeliveryError[]
  const traced = (all: readonly unknown[]) => all.filter((one) => (one as Error).stack?.includes('    at ')).length
  expect(failures).toHaveLength(1_000)
  expect(traced(failures.map(({ cause }) => cause))).toBe(0)
  expect(traced(failures)).toBeGreaterThan(0)
  expect(traced(failures)).toBeLessThan(500)
})
