import { describe, expect, it } from 'vitest'
import {
  Producer,
  ProducerConfig,
  TransactionalProducer,
  TransactionalProducerConfig,
  type TransactionalProducerOptions,
} from '../../../../src/index.js'

const REQUIRED = { brokers: 'localhost:9092', transactionalId: 'tx' }

describe('the options of a transactional producer', () => {
  it('have the defaults of Kafka, and those of every producer', () => {
    const { config } = new TransactionalProducer(REQUIRED)
    expect(config).toMatchObject({ transactionalId: 'tx', transactionTimeoutMs: 60_000 })
    expect(config.producer).toMatchObject({ type: 'sync', acks: -1 })
  })

  it.each([
    [{ transactionalId: undefined }, 'transactionalId: given was undefined'],
    [{ transactionalId: '' }, "transactionalId: given was ''"],
    [{ transactionalId: 'a\nb' }, 'transactionalId: given was a text'],
    [{ transactionalId: 'x'.repeat(40_000) }, 'transactionalId: given was a text'],
    [{ transactionalId: 'x\ud800' }, 'transactionalId: given was a text'],
    [{ transactionTimeoutMs: 0 }, 'transactionTimeoutMs: given was 0, allowed is a whole number from 1'],
    [{ transactionTimeoutMs: '1' }, 'transactionTimeoutMs: given was'],
    [{ type: 'async' }, 'type: a transactional producer has none'],
    [{ acks: 1 }, 'acks: a transactional producer has -1'],
    [{ idempotent: false }, 'idempotent: a transactional producer is'],
    [{ brokers: undefined }, 'brokers: '],
    [{ transactionalID: 'x' }, "unknown option 'transactionalID': did you mean 'transactionalId'?"],
    [{ transactionTimeoutMS: 7 }, "unknown option 'transactionTimeoutMS': did you mean 'transactionTimeoutMs'?"],
    // Whoever has one is not sent to the class.
    [{ transactionTimeout: 7 }, 'its options for them are transactionalId and transactionTimeoutMs'],
  ])('are refused where they are %o: %s', (wrong, message) => {
    const options = { ...REQUIRED, ...wrong } as unknown as TransactionalProducerOptions
    expect(() => new TransactionalProducer(options)).toThrow(message)
  })

  it('are no object: refused', () => {
    expect(() => new TransactionalProducer(undefined as unknown as TransactionalProducerOptions)).toThrow(/an object/)
  })

  it.each([
    ['a ProducerConfig', new ProducerConfig({ brokers: 'localhost:9092' }), 'compressionChoice'],
    ['one that was spread', { ...new ProducerConfig({ brokers: 'localhost:9092' }), ...REQUIRED }, 'compressionChoice'],
    ['a config of their own that was spread', { ...new TransactionalProducerConfig(REQUIRED) }, 'producer'],
  ])('are %s: it is said what to give, and nothing is named that nobody gave', (_, options, name) => {
    expect(() => new TransactionalProducer(options as never)).toThrow(
      new RegExp(`^unknown option '${name}': .*give the options that it was made of`),
    )
  })

  it('given to a Producer name the class that takes them', () => {
    expect(() => new Producer({ ...REQUIRED } as never)).toThrow(/TransactionalProducer/)
  })

  it('show no more than who it is in a log', () => {
    const producer = new TransactionalProducer({
      ...REQUIRED,
      sasl: { mechanism: 'plain', username: 'u', password: 'pw' },
    })
    expect(JSON.stringify(producer)).toBe(
      '{"clientId":"kafka-producer","transactionalId":"tx","brokers":["localhost:9092"],"state":"uninitialized"}',
    )
  })

  it('and what is no function is refused as a transaction', async () => {
    const producer = new TransactionalProducer(REQUIRED)
    await expect(producer.transaction('work' as never)).rejects.toMatchObject({ code: 'INVALID_CONFIG' })
    for (const generator of [function* () {}, async function* () {}])
      await expect(producer.transaction<unknown>(generator)).rejects.toMatchObject({
        code: 'INVALID_CONFIG',
        message: expect.stringContaining('given was a generator function') as string,
      })
    await expect(producer.close({ timeoutMs: -1 })).rejects.toMatchObject({ code: 'INVALID_CONFIG' })
    await producer.close()
  })
})

it('options are not changed later: parts of the producer would heed it, and others not', () => {
  const config = new TransactionalProducerConfig({ brokers: 'localhost:9092', transactionalId: 'billing-1' })
  expect(() => ((config as { transactionTimeoutMs: number }).transactionTimeoutMs = 1)).toThrow(TypeError)
  expect(() => ((config.producer as { acks: number }).acks = 0)).toThrow(TypeError)
})

describe('out of a properties file of Java', () => {
  const FILE = `
bootstrap.servers=kafka-1:9092,kafka-2:9092
client.id=billing
transactional.id=billing-1
transaction.timeout.ms=30000
enable.idempotence=true
acks=all
compression.type=gzip
linger.ms=5
`

  it('they are those of a transactional producer', async () => {
    const config = TransactionalProducerConfig.fromProperties(FILE)
    expect(config).toMatchObject({ transactionalId: 'billing-1', transactionTimeoutMs: 30_000 })
    expect(config.producer).toMatchObject({ clientId: 'billing', type: 'sync', acks: -1 })
    expect(config.producer.notes).toEqual([expect.stringContaining('linger.ms')])
    await using producer = new TransactionalProducer(config)
    expect(producer.config).toBe(config)
  })

  it('what is given beside it goes before it', () => {
    const config = TransactionalProducerConfig.fromProperties(FILE, { transactionalId: 'billing-2', clientId: 'mine' })
    expect(config).toMatchObject({ transactionalId: 'billing-2', transactionTimeoutMs: 30_000 })
    expect(config.producer.clientId).toBe('mine')
  })

  it.each([
    ['acks=1', /acks: a transactional producer has -1/],
    ['enable.idempotence=false', /idempotent: a transactional producer is/],
    ['producer.type=async', /type: a transactional producer has none/],
    ['transaction.timeout.ms=soon', /transaction\.timeout\.ms: given was 'soon'/],
    ['transactional.id=', /transactionalId: given was undefined/],
    ['transaction.two.phase.commit.enable=true', /two-phase commit is not here/],
  ])('%s is refused', (line, message) => {
    expect(() => TransactionalProducerConfig.fromProperties(`${FILE}\n${line}`)).toThrow(message)
  })
})
