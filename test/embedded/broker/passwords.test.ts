import { expect, it, onTestFinished } from 'vitest'
import { Producer } from '../../../src/index.js'
import { startKafka } from '../support/cluster.js'

it('a password for each mechanism: who has another, or none, can not come in', async () => {
  const kafka = await startKafka({
    topics: { orders: {} },
    sasl: { users: { alice: { 'SCRAM-SHA-256': 'rabbit', 'SCRAM-SHA-512': 'hatter' }, bob: 'builder' } },
  })
  const outcome = async (
    username: string,
    mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512',
    password: string,
  ) => {
    const producer = new Producer({ brokers: kafka.bootstrap, sasl: { mechanism, username, password } })
    onTestFinished(async () => {
      await producer.close({ timeoutMs: 0 })
    })
    const sent = producer.send({ topic: 'orders', value: 'v' })
    return sent.then(
      () => 'came in',
      (error: { code: string }) => error.code,
    )
  }
  const refused = 'AUTHENTICATION_FAILED'
  expect(await outcome('alice', 'scram-sha-256', 'rabbit')).toBe('came in')
  expect(await outcome('alice', 'scram-sha-512', 'hatter')).toBe('came in')
  expect(await outcome('alice', 'scram-sha-256', 'hatter')).toBe(refused)
  expect(await outcome('alice', 'plain', 'rabbit')).toBe(refused)
  for (const mechanism of ['plain', 'scram-sha-256', 'scram-sha-512'] as const)
    expect(await outcome('bob', mechanism, 'builder')).toBe('came in')
})
