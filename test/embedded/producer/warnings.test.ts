import { once } from 'node:events'
import { inspect } from 'node:util'
import debug from 'debug'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  Producer,
  KafkaProducerWarning,
  TransactionalProducer,
  type ProducerOptions,
  type RawData,
} from '../../../src/index.js'
import { blackHole } from '../support/black-hole.js'
import { CertificateAuthority, type KeyPair } from '../support/certificates.js'
import { startKafka } from '../support/cluster.js'
import { deadAddress, deliveryErrorOf, plainServer, until } from '../support/producers.js'

let authority: CertificateAuthority
let server: KeyPair

beforeAll(() => {
  authority = new CertificateAuthority()
  server = authority.issue()
})
afterAll(() => authority.remove())

function startProducer(options: ProducerOptions): Producer {
  const producer = new Producer(options)
  onTestFinished(async () => void (await producer.close({ timeoutMs: 0 })))
  return producer
}

function startAsync(options: Omit<ProducerOptions<RawData, RawData, 'async'>, 'type'>) {
  const producer = new Producer({ type: 'async', ...options })
  onTestFinished(async () => void (await producer.close({ timeoutMs: 0 })))
  return producer
}

/** What the process is told from here on, in place of printing it. */
function processWarnings(): { message: string; code: string }[] {
  const told: { message: string; code: string }[] = []
  const spy = vi.spyOn(process, 'emitWarning').mockImplementation(((message: string, { code }: { code: string }) => {
    told.push({ message, code })
  }) as never)
  onTestFinished(() => spy.mockRestore())
  return told
}

async function warningOf(producer: Producer): Promise<KafkaProducerWarning> {
  const [warning] = (await once(producer, 'warning')) as [KafkaProducerWarning]
  return warning
}

it('messages that wait since something is wrong: it is told what, long before their deadline', async () => {
  const plain = await startKafka({ autoCreateTopics: false, topics: { orders: {} } })
  const secure = await startKafka({ ssl: server })
  const withUsers = await startKafka({ sasl: { users: { alice: 's3cret' } } })
  const silent = await plainServer(() => undefined)
  const hungUp = await plainServer((socket) => void socket.once('data', () => socket.destroy()))
  const { address: hole } = await blackHole()
  const dead = await deadAddress()
  const cases: [RegExp, ProducerOptions][] = [
    [/can't connect to .*ECONNREFUSED/, { brokers: dead }],
    [/can't connect to kafka\.invalid/, { brokers: 'kafka.invalid' }],
    [/it waited for metadata, connecting to 127\.0\.0\.1:\d+ for \d+ ms/, { brokers: hole }],
    [/it waited for metadata, waiting for .* to answer ApiVersions for \d+ ms/, { brokers: silent.address }],
    [/closed the connection.*if it expects TLS on this port, give `ssl`/, { brokers: hungUp.address }],
    [
      /does not speak TLS on this port.*leave `ssl` out/,
      { brokers: plain.bootstrap, ssl: true, retryAuthenticationErrors: true },
    ],
    [/speaks TLS on this port: give `ssl/, { brokers: secure.bootstrap, retryAuthenticationErrors: true }],
    [
      /wants SASL on this port, by PLAIN.*give `sasl`/,
      { brokers: withUsers.bootstrap, retryAuthenticationErrors: true },
    ],
    [/topic 'ordres'.*UNKNOWN_TOPIC_OR_PARTITION/, { brokers: plain.bootstrap }],
    [/allowBroker/, { brokers: plain.bootstrap.replace('127.0.0.1', 'localhost'), allowBroker: () => false }],
  ]
  const told = cases.map(async ([text, options]) => {
    const producer = startProducer(options)
    const warning = warningOf(producer)
    // What takes several connections to find out, such as that a port speaks TLS, is found out before a message waits.
    if (/give|leave/.test(text.source)) await producer.connect().catch(() => undefined)
    const topic = text.source.includes('allowBroker') ? 'orders' : 'ordres'
    producer.send({ topic, value: 'waits' }).catch(() => undefined)
    expect(await warning).toBeInstanceOf(KafkaProducerWarning)
    expect(await warning).toMatchObject({ name: 'KafkaProducerWarning', code: 'KAFKA_PRODUCER_MESSAGES_WAIT' })
    expect((await warning).message).toMatch(text)
    expect((await warning).message).toMatch(`a message for '${topic}' is not acknowledged after `)
  })
  await Promise.all(told)
})

it('brokers that have no id for this producer: what they answered is told, long before the deadline, and with it', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  kafka.fail({ api: 'InitProducerId', times: Infinity }, 'COORDINATOR_LOAD_IN_PROGRESS')
  const producer = startProducer({ brokers: kafka.bootstrap, deliveryTimeoutMs: 2_600 })
  const warning = warningOf(producer)
  const sending = deliveryErrorOf(producer.send({ topic: 'orders', value: 'waits' }))
  const told = /waiting for 127\.0\.0\.1:\d+ to answer InitProducerId .*InitProducerId.*COORDINATOR_LOAD_IN_PROGRESS/
  const error = await sending
  expect(error).toMatchObject({ code: 'DELIVERY_TIMEOUT', cause: { cause: { errorCode: 14 } } })
  expect(error.message).toMatch(told)
  expect((await warning).message).toMatch(told)
})

it('a transaction that waits for its coordinator: it is told what, long before its deadline', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const silent = await plainServer((socket) => void socket.resume())
  const cases: [text: RegExp, brokers: string, prepare: (producer: TransactionalProducer) => Promise<unknown>][] = [
    [/FindCoordinator|InitProducerId .*ECONNREFUSED/, await deadAddress(), async () => undefined],
    [/InitProducerId .*waiting for .* to answer ApiVersions for/, silent.address, async () => undefined],
    [
      /EndTxn .*waiting for .* to answer EndTxn for/,
      kafka.bootstrap,
      async (producer) => {
        const tx = await producer.begin()
        await tx.send({ topic: 'orders', value: 'x' })
        kafka.stall({ api: 'EndTxn' })
        tx.commit().catch(() => undefined)
      },
    ],
  ]
  const told = cases.map(async ([text, brokers, prepare], index) => {
    const producer = new TransactionalProducer({ brokers, transactionalId: `tx-${index}`, deliveryTimeoutMs: 2_600 })
    onTestFinished(async () => void (await producer.close({ timeoutMs: 0 })))
    const warning = once(producer, 'warning') as Promise<[KafkaProducerWarning]>
    await prepare(producer)
    const begun = producer.transaction(() => undefined).catch((error: unknown) => error)
    const [{ code, message }] = await warning
    expect(code).toBe('KAFKA_PRODUCER_MESSAGES_WAIT')
    expect(message).toMatch(text)
    return [message, await begun]
  })
  const [, [, late] = []] = await Promise.all(told)
  // The reason is in the error, too.
  expect(late).toMatchObject({ code: 'DELIVERY_TIMEOUT', message: expect.stringMatching(/; waiting for .* to answer/) })
})

it('where nobody listens the process is told, with what to do', async () => {
  const told = processWarnings()
  const producer = startProducer({ brokers: await deadAddress() })
  producer.send({ topic: 'orders', value: 'waits' }).catch(() => undefined)
  await until(() => told.length > 0, 'the warning')
  expect(told).toMatchObject([
    { code: 'KAFKA_PRODUCER_MESSAGES_WAIT', message: expect.stringContaining('ECONNREFUSED') },
  ])
})

it('a logger is told, and the process is not', async () => {
  const told = processWarnings()
  const lines: unknown[] = []
  const line = (text: string, fields: unknown) => void lines.push([text, fields])
  const ignored = () => undefined
  const producer = startAsync({
    brokers: await deadAddress(),
    deliveryTimeoutMs: 20,
    logger: { debug: ignored, info: ignored, warn: line, error: ignored },
  })
  await producer.send({ topic: 'logs', value: 'lost' })
  await producer.flush()
  const code = 'KAFKA_PRODUCER_UNHEARD_FAILURE'
  const text = expect.stringMatching(/a message for 'logs' is lost and nobody listens/) as string
  await until(() => lines.some((one) => JSON.stringify(one).includes(code)), 'the line')
  expect(lines).toContainEqual([text, { event: 'warning', clientId: 'kafka-producer', code }])
  expect(told).toEqual([])
})

describe('async mode: a message that is lost and that nobody listens for', () => {
  it('is told once', async () => {
    const told = processWarnings()
    const kafka = await startKafka({ topics: { logs: {} } })
    kafka.fail({ api: 'Produce', topic: 'logs', times: 3 }, 'INVALID_TIMESTAMP')
    const producer = startAsync({ brokers: kafka.bootstrap, lingerMs: 0 })
    for (let i = 0; i < 3; i++) {
      await producer.send({ topic: 'logs', value: 'lost' })
      await producer.flush()
    }
    expect(told).toHaveLength(1)
    expect(told[0]?.code).toBe('KAFKA_PRODUCER_UNHEARD_FAILURE')
    expect(told[0]?.message).toMatch(
      /a message for 'logs' is lost and nobody listens: .*INVALID_TIMESTAMP.*`onDelivery`/,
    )
    expect(producer.stats().unheardFailures).toBe(3)
  })

  it('is none of those that their caller took out, or was given back', async () => {
    const producer = startAsync({ brokers: await deadAddress(), lingerMs: 0 })
    const aborting = new AbortController()
    await producer.send({ topic: 'logs', value: 'aborted' }, { signal: aborting.signal })
    await producer.send({ topic: 'logs', value: 'given back' })
    aborting.abort()
    const { unsent, failed } = await producer.close({ timeoutMs: 0 })
    expect([unsent.length, failed]).toEqual([1, 2])
    expect(producer.stats().unheardFailures).toBe(0)
  })

  it.each(['onDelivery', 'delivery', 'warning'])('is not told to the process where somebody has %s', async (name) => {
    const told = processWarnings()
    const kafka = await startKafka({ topics: { logs: {} } })
    kafka.fail({ api: 'Produce', topic: 'logs' }, 'INVALID_TIMESTAMP')
    const heard: unknown[] = []
    const hear = (what: unknown) => void heard.push(what)
    const producer = startAsync({ brokers: kafka.bootstrap, ...(name === 'onDelivery' ? { onDelivery: hear } : {}) })
    if (name !== 'onDelivery') producer.on(name as 'warning', hear)
    await producer.send({ topic: 'logs', value: 'lost' })
    await producer.flush()
    await until(() => heard.length > 0, 'it is heard')
    expect(told).toEqual([])
  })
})

it('a codec that fails is told once, and each batch that goes as it is for that is counted', async () => {
  const told = processWarnings()
  const kafka = await startKafka({ topics: { logs: {}, other: {} } })
  const compress = () => { throw new TypeError('out of memory') } // prettier-ignore
  const codecs = [{ name: 'gzip', id: 1, compress, decompress: () => Buffer.alloc(0) }]
  const producer = startProducer({ brokers: kafka.bootstrap, compression: 'gzip', codecs })
  await producer.send({ topic: 'logs', value: 'a' })
  await producer.send({ topic: 'other', value: 'b' })
  expect(producer.stats().codecFailures).toBe(2)
  await until(() => told.length > 0, 'one is told')
  expect(told.map(({ code }) => code)).toEqual(['KAFKA_PRODUCER_CODEC_FAILED'])
  expect(told[0]?.message).toMatch(/the codec 'gzip' failed: out of memory/)
})

describe('a callback that throws or rejects', () => {
  it.each<[string, () => unknown]>([
    ['throws', () => { throw new TypeError('no such field') }], // prettier-ignore
    ['rejects', () => Promise.reject(new TypeError('no such field'))],
  ])('is told once: it %s', async (_, callback) => {
    const told = processWarnings()
    const kafka = await startKafka({ topics: { logs: {} } })
    const producer = startAsync({ brokers: kafka.bootstrap, onDelivery: () => callback() as void })
    await producer.send([
      { topic: 'logs', value: 'a' },
      { topic: 'logs', value: 'b' },
    ])
    await producer.flush()
    await until(() => producer.stats().throwingCallbacks === 2, 'both are counted')
    await until(() => told.length > 0, 'one is told')
    expect(told).toHaveLength(1)
    expect(told[0]?.code).toBe('KAFKA_PRODUCER_THROWING_CALLBACK')
    expect(told[0]?.message).toMatch(/a delivery callback threw or rejected: no such field/)
  })

  it('as a listener of warnings, too; the others hear of it all the same, and of that it threw', async () => {
    const kafka = await startKafka({ topics: { logs: {} } })
    const producer = startAsync({ brokers: kafka.bootstrap, onDelivery: () => { throw new Error('one') } }) // prettier-ignore
    const heard: KafkaProducerWarning[] = []
    producer.on('warning', () => { throw new Error('two') }) // prettier-ignore
    producer.on('warning', (warning) => void heard.push(warning))
    await producer.send({ topic: 'logs', value: 'a' })
    await producer.flush()
    await until(() => producer.stats().throwingCallbacks === 3, 'all are counted: it throws when it is told of itself')
    expect(heard.map(({ code, cause }) => [code, (cause as Error).message])).toEqual([
      ['KAFKA_PRODUCER_THROWING_CALLBACK', 'one'],
      ['KAFKA_PRODUCER_THROWING_CALLBACK', 'two'],
    ])
  })
})

describe('what a callback threw that carries a message', () => {
  const SECRET = 'not-for-any-log'
  const validating = {
    onSend(message: unknown): never {
      throw Object.assign(new Error('not valid'), { input: message })
    },
  }

  it('is told without it, however the warning is logged', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const producer = startProducer({ brokers: kafka.bootstrap, interceptors: [validating] })
    const warned = warningOf(producer)
    await producer.send({ topic: 'orders', value: SECRET })
    const warning = await warned
    expect(warning.cause).toHaveProperty('input.value', SECRET)
    for (const shown of [inspect(warning, { depth: 9 }), JSON.stringify(warning)]) {
      expect(shown).toContain('not valid')
      expect(shown).toContain('KAFKA_PRODUCER_THROWING_CALLBACK')
      expect(shown).not.toContain(SECRET)
    }
  })

  it('is printed for DEBUG without it', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const printed: string[] = []
    const write = vi.spyOn(process.stderr, 'write').mockImplementation((text) => printed.push(String(text)) > 0)
    debug.enable('kafka-producer:warning')
    onTestFinished(() => {
      debug.disable()
      write.mockRestore()
    })
    const producer = startProducer({ brokers: kafka.bootstrap, interceptors: [validating] })
    producer.on('warning', () => undefined)
    await producer.send({ topic: 'orders', value: SECRET })
    const text = printed.join('')
    expect(text).toContain("an interceptor's onSend threw: Error: not valid")
    expect(text).toContain('warnings.test.ts')
    expect(text).not.toContain(SECRET)
  })
})
