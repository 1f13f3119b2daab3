import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Producer, ProducerConfig, type ProducerOptions } from '../../../../src/index.js'

type Options = ProducerOptions

const plain = { mechanism: 'plain', username: 'alice', password: 'wonderland' } as const
const token = { mechanism: 'oauthbearer', token: 'wonderland' } as const
const scram = { mechanism: 'scram-sha-256', username: 'alice', password: 'wonderland' } as const

let warnings: (Error & { code?: string })[]
const onWarning = (warning: Error) => void warnings.push(warning)
beforeEach(() => {
  warnings = []
  process.on('warning', onWarning)
})
afterEach(() => void process.off('warning', onWarning))

/** Warnings come in the next turn. */
async function warningsOf(...all: (Options | ProducerConfig<unknown, unknown, 'sync'>)[]): Promise<string[]> {
  const producers = all.map((options) =>
    options instanceof ProducerConfig ? new Producer(options) : new Producer(options),
  )
  await Promise.all(producers.map((producer) => producer.close()))
  await new Promise(setImmediate)
  return warnings.map(({ name, code, message }) => `${name} ${code}: ${message}`)
}

describe('a password or token that leaves this machine in clear text is warned of', () => {
  it.each<[string, Options]>([
    ['PLAIN', { brokers: 'kafka.example:9092', sasl: plain }],
    ['PLAIN', { brokers: 'kafka.example:9092', sasl: plain, ssl: undefined }],
    ['PLAIN', { brokers: 'kafka.example:9092', sasl: plain, ssl: false }],
    ['PLAIN', { brokers: ['127.0.0.1:9092', '10.0.0.1:9092'], sasl: plain }],
    ['PLAIN', { brokers: 'localhost.example', sasl: plain }],
    ['OAUTHBEARER', { brokers: '[2001:db8::1]:9092', sasl: token }],
    [
      'PLAIN',
      { brokers: 'kafka', sasl: { mechanism: 'PLAIN', authenticator: { begin: () => ({ next: () => undefined }) } } },
    ],
  ])('%s: %o', async (mechanism, options) => {
    const [warning, ...others] = await warningsOf(options)
    expect(warning).toMatch(
      new RegExp(`^KafkaProducerWarning KAFKA_PRODUCER_CLEAR_TEXT_SECRET: ${mechanism} sends the .* in clear text`),
    )
    expect(warning).not.toContain('wonderland')
    expect(others).toEqual([])
  })

  it('once for a producer, whatever it connects to; again for the next one', async () => {
    const options: Options = { brokers: 'a.invalid,b.invalid,c.invalid', sasl: plain, deliveryTimeoutMs: 200 }
    const producer = new Producer(options)
    await producer.send({ topic: 't', value: 'x' }).catch(() => undefined)
    await producer.close()
    expect(await warningsOf(options)).toHaveLength(2)
  })

  it.each<[string, Options]>([
    ['TLS', { brokers: 'kafka.example', sasl: plain, ssl: true }],
    ['a mechanism that proves instead of telling', { brokers: 'kafka.example', sasl: scram }],
    ['no credentials', { brokers: 'kafka.example' }],
    ['this machine', { brokers: 'localhost:1,127.0.0.1:1,127.9.9.9:1,[::1]:1,a.localhost:1', sasl: plain }],
  ])('not with %s', async (_, options) => {
    expect(await warningsOf(options)).toEqual([])
  })

  it('from a file too, where the file asks for it', async () => {
    const file = 'bootstrap.servers=kafka.example:9092\nsecurity.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n'
    const config = ProducerConfig.fromProperties<unknown, unknown, 'sync'>(file, { sasl: plain })
    expect(await warningsOf(config)).toHaveLength(1)
  })
})
