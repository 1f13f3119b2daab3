import { describe, expect, it } from 'vitest'
import { Producer, TransactionalProducer, type TransactionalProducerOptions } from '../../../src/index.js'

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
    [{ transactionTimeoutMs: 0 }, 'transactionTimeoutMs: given was 0, allowed is a whole number from 1'],
    [{ transactionTimeoutMs: '1' }, 'transactionTimeoutMs: given was'],
    [{ type: 'async' }, 'type: a transactional producer has none'],
    [{ acks: 1 }, 'acks: a transactional producer has -1'],
    [{ idempotent: false }, 'idempotent: a transactional producer is'],
    [{ brokers: undefined }, 'brokers: '],
    [{ transactionalID: 'x' }, 'unknown option'],
  ])('are refused where they are %o: %s', (wrong, message) => {
    const options = { ...REQUIRED, ...wrong } as unknown as TransactionalProducerOptions
    expect(() => new TransactionalProducer(options)).toThrow(message)
  })

  it('are no object: refused', () => {
    expect(() => new TransactionalProducer(undefined as unknown as TransactionalProducerOptions)).toThrow(/an object/)
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
    await expect(producer.close({ timeoutMs: -1 })).rejects.toMatchObject({ code: 'INVALID_CONFIG' })
    await producer.close()
  })
})
