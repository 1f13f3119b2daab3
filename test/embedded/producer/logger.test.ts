import { describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  InvalidConfigError,
  Producer,
  type KafkaProducerError,
  type LogFields,
  type Logger,
} from '../../../src/index.js'
import { startKafka } from '../support/cluster.js'
import { errorOf, failureOf, plainServer, startProducer, turns, until } from '../support/producers.js'
import { startTransactional } from '../support/transactional.js'

/* The lines that the user's logger is given: what happened can be told apart by them, and nothing of a message is in them. */

interface Line {
  readonly level: string
  readonly text: string
  readonly fields: LogFields
}

/** As `console`: the text first. */
function consoleLike(): { logger: Logger; lines: Line[] } {
  const lines: Line[] = []
  const at = (level: string) => (text: string, fields: LogFields) => void lines.push({ level, text, fields })
  return { logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }, lines }
}

const SECRET = 'not-for-any-log'

describe('the log', () => {
  it('tells retries, a throttling, a moved leader and a lost broker apart, and nothing of the messages', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { orders: { replicationFactor: 2 } } })
    const { logger, lines } = consoleLike()
    const producer = startProducer(kafka, { logger, clientId: 'shop' })
    const message = { topic: 'orders', key: SECRET, value: SECRET, headers: { secret: SECRET } }
    const first = (await producer.partitionsFor('orders'))[0]?.leader as number
    kafka.fail({ api: 'Produce', times: 3 }, 'NOT_ENOUGH_REPLICAS')
    kafka.throttle({ api: 'Produce', times: 1 }, 30)
    await producer.send(message)
    kafka.moveLeader('orders', 0, 3 - first)
    await producer.send(message)
    const of = (event: string) => lines.filter(({ fields }) => fields.event === event)
    kafka.dropConnections(3 - first)
    await until(() => of('disconnected').length > 0, 'the lost connection is told')
    await producer.send(message)
    const retry = { topic: 'orders', partition: 0, brokerId: first, messages: 1, code: 'NOT_ENOUGH_REPLICAS' }
    expect(of('retry').slice(0, 3)).toMatchObject(
      [1, 2, 3].map((attempts) => ({ level: 'warn', fields: { clientId: 'shop', ...retry, attempts } })),
    )
    expect(of('throttled')).toMatchObject([{ level: 'warn', fields: { throttleMs: 30 } }])
    expect(of('leader-changed')).toMatchObject([{ level: 'info', fields: { from: first, to: 3 - first } }])
    expect(of('reconnected').length).toBeGreaterThan(0)
    expect(of('connected').every(({ level }) => level === 'debug')).toBe(true)
    expect(JSON.stringify(lines)).not.toContain(SECRET)
  })

  it.each(['2.8', '4'] as const)('Kafka %s: of a moved leader it names the broker that refused', async (release) => {
    const kafka = await startKafka({ release, brokers: 2, topics: { orders: { replicationFactor: 2 } } })
    const { logger, lines } = consoleLike()
    const producer = startProducer(kafka, { logger })
    kafka.moveLeader('orders', 0, 1)
    await producer.send({ topic: 'orders', value: '1' })
    kafka.moveLeader('orders', 0, 2)
    await producer.send({ topic: 'orders', value: '2' })
    const told = (wanted: string) => lines.map(({ fields }) => fields).filter(({ event }) => event === wanted)
    expect(told('retry')).toMatchObject([{ brokerId: 1, code: 'NOT_LEADER_OR_FOLLOWER' }])
    expect(told('leader-changed')).toMatchObject([{ from: 1, to: 2 }])
  })

  it('a renewal that is refused has the code of the refusal, and not of the connection that ends for it', async () => {
    const kafka = await startKafka({
      topics: { orders: {} },
      sasl: { users: { alice: 'right' }, sessionLifetimeMs: 500 },
    })
    const { logger, lines } = consoleLike()
    const sasl = { mechanism: 'scram-sha-256', username: 'alice', password: 'right' } as const
    const producer = startProducer(kafka, { logger, sasl })
    await producer.send({ topic: 'orders', value: '1' })
    kafka.setPassword('alice', 'another')
    const of = (event: string) => lines.filter(({ fields }) => fields.event === event)
    while (of('renewal-failed').length === 0) {
      await producer.send({ topic: 'orders', value: '2' }).catch(() => undefined)
      await turns()
    }
    const failed = { level: 'warn', fields: { broker: kafka.bootstrap, code: 'AUTHENTICATION_FAILED' } }
    expect(of('renewal-failed')[0]).toMatchObject(failed)
  })

  it('a storm of one kind is some lines, and then one that says how many there were', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const { logger, lines } = consoleLike()
    const producer = startProducer(kafka, { logger })
    kafka.fail({ api: 'Produce', times: 20 }, 'NOT_ENOUGH_REPLICAS')
    await producer.send({ topic: 'orders', value: '1' })
    await producer.close()
    const retries = lines.filter(({ fields }) => fields.event === 'retry')
    const counts = retries.map(({ fields }) => fields.count ?? 1)
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(20)
    expect(counts.slice(0, 5)).toEqual([1, 1, 1, 1, 1])
    expect(counts.length).toBeLessThan(20)
    expect(retries.at(-1)?.fields.attempts).toBe(20)
  })

  it('a warning that is told once does not go under in a storm of others', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `orders-${index}`)
    const old = { config: { 'message.format.version': '0.10.2' } }
    const kafka = await startKafka({ release: '2.8', topics: Object.fromEntries(names.map((name) => [name, old])) })
    const { logger, lines } = consoleLike()
    const stamping = {
      onSend: ({ topic }: { readonly topic: string }) => {
        if (topic === 'orders-10') throw new Error('no stamps left')
      },
    }
    const producer = startProducer(kafka, { logger, interceptors: [stamping] })
    for (const topic of names) await producer.send({ topic, value: '1' })
    await producer.close()
    const warnings = lines.filter(({ fields }) => fields.event === 'warning')
    const countOf = (code: string) =>
      warnings.reduce((sum, { fields }) => sum + (fields.code === code ? (fields.count ?? 1) : 0), 0)
    expect(countOf('KAFKA_PRODUCER_THROWING_CALLBACK')).toBe(1)
    expect(countOf('KAFKA_PRODUCER_NOT_IDEMPOTENT')).toBe(20)
  })

  it('a connection is neither lost nor had again where there was none', async () => {
    const kafka = await startKafka({ release: '0.8.2', topics: { orders: {} } })
    const { logger, lines } = consoleLike()
    await startProducer(kafka, { logger }).send({ topic: 'orders', value: '1' })
    expect(lines.map(({ fields }) => fields.event)).toEqual(['connected', 'connected'])
  })

  it('a connection that ends has no answer for what the system had not taken of it either', async () => {
    const kafka = await startKafka({ topics: { orders: {} }, messageMaxBytes: 50_000_000 })
    const { logger, lines } = consoleLike()
    const producer = startProducer(kafka, { logger, acks: 0, requestTimeoutMs: 100, retries: 0 })
    await producer.send({ topic: 'orders', value: '1' })
    kafka.pauseBroker(1)
    // More than the system keeps for a peer that reads nothing.
    const sending = errorOf(producer.send({ topic: 'orders', value: Buffer.alloc(20_000_000) }))
    expect((await sending).code).toBe('REQUEST_TIMEOUT')
    const ended = lines.filter(({ fields }) => fields.event === 'disconnected')
    expect(ended).toMatchObject([{ level: 'warn', fields: { requests: 1, code: 'REQUEST_TIMEOUT' } }])
  })

  it('a question that close() calls off is no failure of the brokers', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const { logger, lines } = consoleLike()
    const producer = startProducer(kafka, { logger })
    await producer.send({ topic: 'orders', value: '1' })
    kafka.stall({ api: 'Metadata', times: Infinity })
    const asking = errorOf(producer.partitionsFor('orders'))
    const waiting = errorOf(producer.send({ topic: 'other', value: '2' }))
    await turns()
    await producer.close({ timeoutMs: 0 })
    expect([(await asking).code, (await waiting).code]).toEqual(['PRODUCER_CLOSED', 'PRODUCER_CLOSED'])
    await turns()
    expect(lines.map(({ fields }) => fields.event)).not.toContain('metadata-failed')
  })

  it('neither is a connection that close() calls off', async () => {
    const silent = await plainServer((socket) => void socket.resume())
    const { logger, lines } = consoleLike()
    const producer = startProducer(silent.address, { logger })
    const sending = errorOf(producer.send({ topic: 'orders', value: '1' }))
    await until(() => silent.connections() > 0, 'it connects')
    await producer.close({ timeoutMs: 0 })
    expect((await sending).code).toBe('PRODUCER_CLOSED')
    await turns()
    expect(lines.map(({ fields }) => fields.event)).toEqual(['failed'])
  })

  it.each([
    ['DELIVERY_TIMEOUT', { deliveryTimeoutMs: 100 }, { topic: 'orders', partition: 0 }],
    ['UNKNOWN_TOPIC_OR_PARTITION', { unknownTopicTimeoutMs: 0, allowAutoTopicCreation: false }, { topic: 'none' }],
    ['INVALID_PARTITION', {}, { topic: 'orders', partition: 7 }],
    ['PRODUCER_CLOSED', {}, { topic: 'orders', partition: 0 }],
  ] as const)('what fails with %s is a line, however many messages fail so at once', async (code, options, where) => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const { logger, lines } = consoleLike()
    const producer = startProducer(kafka, { logger, ...options })
    kafka.stall({ api: 'Produce', times: Infinity })
    const sending = failureOf(producer.send([1, 2, 3].map((value) => ({ ...where, value: String(value) }))))
    if (code === 'PRODUCER_CLOSED') await producer.close({ timeoutMs: 100 })
    expect((await sending).results).toMatchObject([{ code }, { code }, { code }])
    await turns()
    const failed = lines.filter(({ fields }) => fields.event === 'failed')
    expect(failed.map(({ level, fields: { messages = 0 } }) => [level, messages])).toContainEqual(['error', 3])
    expect(failed[0]?.fields).toMatchObject({ code, ...where })
    expect(producer.stats().failedSends.count).toBe(3)
  })

  it.each([
    [10, ['warn queue-full', 'error dropped']],
    [0, ['error dropped']],
  ])('who finds no room within %d ms is one, and a line before where that is waited for', async (ms, expected) => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const { logger, lines } = consoleLike()
    const producer = startProducer(kafka, { logger, queueMessages: 1, enqueueTimeoutMs: ms })
    kafka.stall({ api: 'Produce' })
    const first = errorOf(producer.send({ topic: 'orders', value: '1' }))
    expect((await errorOf(producer.send({ topic: 'orders', value: '2' }))).code).toBe('QUEUE_FULL')
    await producer.close({ timeoutMs: 0 })
    expect((await first).code).toBe('PRODUCER_CLOSED')
    const told = lines.map(({ level, fields }) => `${level} ${fields.event}`)
    expect(told.filter((line) => expected.includes(line) || line.includes('queue-full'))).toEqual(expected)
  })

  it('what an encoder fails on in async mode is a line, and counted apart from failed sends', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const { logger, lines } = consoleLike()
    const encode = (value: unknown): string => {
      if (value === 'bad') throw new RangeError('no total')
      return String(value)
    }
    const options = { brokers: kafka.bootstrap, type: 'async', logger, encoder: { encode } } as const
    const producer = new Producer({ ...options, onDelivery: () => undefined })
    await producer.send(['bad', 'good', 'bad'].map((value) => ({ topic: 'orders', value })))
    await producer.send({ topic: 'orders', value: 'bad' })
    await producer.close()
    const failed = lines.filter(({ fields }) => fields.event === 'failed')
    expect(failed.reduce((sum, { fields }) => sum + (fields.messages ?? 0), 0)).toBe(3)
    const fields = { topic: 'orders', attempts: 0, code: 'SERIALIZATION_FAILED' }
    expect(failed[0]).toMatchObject({ level: 'error', fields })
    expect(failed[0]?.fields.reason).toContain("the encoder threw for 'orders': RangeError")
    const { failed: count, failedSends, serializationErrors } = producer.stats()
    expect([count, failedSends.count, serializationErrors]).toEqual([3, 0, 3])
  })

  it('what an abort takes out is none', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const { logger, lines } = consoleLike()
    const producer = startProducer(kafka, { logger })
    const abort = new AbortController()
    const sending = failureOf(producer.send([{ topic: 'orders', value: '1' }], { signal: abort.signal }))
    abort.abort()
    await sending
    await turns()
    expect(lines.filter(({ fields }) => fields.event === 'failed')).toEqual([])
    expect(producer.stats().failed).toBe(1)
  })

  it('neither is what the program of a transaction aborts', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const { logger, lines } = consoleLike()
    const producer = startTransactional(kafka, { logger })
    const why = new Error('not today')
    const ends: Promise<KafkaProducerError>[] = []
    const aborted = producer.transaction((tx) => {
      ends.push(errorOf(tx.send({ topic: 'orders', value: '1' })))
      throw why
    })
    await expect(aborted).rejects.toBe(why)
    expect((await Promise.all(ends)).map(({ code }) => code)).toEqual(['TRANSACTION_ABORTED'])
    await turns()
    const told = lines.filter(({ fields }) => fields.event === 'failed' || fields.event === 'transaction-failed')
    expect(told).toEqual([])
    const { failed, failedSends } = producer.stats()
    expect([failed, failedSends.count]).toEqual([1, 0])
  })

  it.each([
    ['EndTxn', 'INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED'],
    ['InitProducerId', 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 'PRODUCER_UNUSABLE'],
    ['AddPartitionsToTxn', 'TOPIC_AUTHORIZATION_FAILED', 'TRANSACTION_ABORTED'],
    ['Produce', 'TOPIC_AUTHORIZATION_FAILED', 'TRANSACTION_ABORTED'],
  ] as const)('a transaction whose %s is refused with %s is one, with %s', async (api, error, code) => {
    const kafka = await startKafka({ release: '2.8', topics: { orders: {} } })
    const { logger, lines } = consoleLike()
    const producer = startTransactional(kafka, { logger })
    kafka.fail({ api }, error)
    await errorOf(producer.transaction((tx) => tx.send({ topic: 'orders', value: '1' })))
    await producer.close()
    const failed = lines.filter(({ fields }) => fields.event === 'transaction-failed')
    expect(failed).toMatchObject([{ level: 'error', fields: { code } }])
  })

  it.each([
    ['FindCoordinator', 'COORDINATOR_NOT_AVAILABLE'],
    ['EndTxn', 'COORDINATOR_LOAD_IN_PROGRESS'],
    ['AddOffsetsToTxn', 'NOT_COORDINATOR'],
  ] as const)('a coordinator that is asked again is one, such as %s for %s', async (api, error) => {
    const kafka = await startKafka({ release: '2.8', topics: { orders: {} } })
    const { logger, lines } = consoleLike()
    const producer = startTransactional(kafka, { logger, retryBackoffMs: 1 })
    kafka.fail({ api, times: 2 }, error)
    await producer.transaction(async (tx) => {
      await tx.send({ topic: 'orders', value: '1' })
      await tx.sendOffsets({ groupId: 'billing' }, [{ topic: 'orders', partition: 0, offset: 1n }])
    })
    const retried = lines.filter(({ fields }) => fields.event === 'coordinator-retry')
    expect(retried).toHaveLength(2)
    for (const { level, fields } of retried)
      expect([level, fields]).toMatchObject(['warn', { reason: expect.stringContaining(error) as string }])
  })

  it('a pino is given the fields first', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const given: unknown[][] = []
    const method = (...line: unknown[]) => void given.push(line)
    const pino = { debug: method, info: method, warn: method, error: method, bindings: () => ({}) }
    const producer = startProducer(kafka, { logger: pino })
    await producer.send({ topic: 'orders', value: '1' })
    expect(given[0]).toEqual([{ event: 'connected', clientId: 'kafka-producer', broker: kafka.bootstrap }, 'connected'])
  })

  it('one that throws harms nothing, and is told of as other callbacks are', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const { logger } = consoleLike()
    const bad = { ...logger, debug: () => Promise.reject(new Error('the disk is full')) }
    const producer = startProducer(kafka, { logger: bad })
    const warned = new Promise<{ message: string }>((resolve) => producer.once('warning', resolve))
    await producer.send({ topic: 'orders', value: '1' })
    expect((await warned).message).toContain('the logger threw or rejected')
    expect(producer.stats().throwingCallbacks).toBeGreaterThan(0)
  })

  it('one whose methods were torn from their object tells nothing: where nobody listens the process is told of that', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const told: string[] = []
    const spy = vi.spyOn(process, 'emitWarning').mockImplementation((message) => void told.push(String(message)))
    onTestFinished(() => spy.mockRestore())
    const torn = (): never => {
      throw new TypeError('this[writeSym] is not a function')
    }
    const producer = startProducer(kafka, { logger: { debug: torn, info: torn, warn: torn, error: torn } })
    await producer.send({ topic: 'orders', value: '1' })
    await producer.close()
    await turns()
    expect(told).toEqual([expect.stringContaining('the logger threw or rejected: this[writeSym] is not a function')])
  })

  it('what is no logger is refused', () => {
    const logger = { info: () => undefined } as unknown as Logger
    expect(() => startProducer('127.0.0.1:9', { logger })).toThrow(InvalidConfigError)
    expect(() => startProducer('127.0.0.1:9', { logger: console })).not.toThrow()
  })
})
