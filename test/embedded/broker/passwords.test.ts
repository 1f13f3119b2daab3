import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import { expect, it, onTestFinished } from 'vitest'
import { Producer } from '../../../src/index.js'
import { saslAuthenticate } from '../../../src/protocol/apis/sasl-authenticate.js'
import { saslHandshake } from '../../../src/protocol/apis/sasl-handshake.js'
import { connectTo, startKafka } from '../support/cluster.js'

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

it.each([
  ['nobody but the user', '\0bob\0builder', true],
  ['the user himself', 'bob\0bob\0builder', true],
  ['another one', 'alice\0bob\0builder', false],
  ['too much', '\0bob\0builder\0', false],
  ['too little', 'bob\0builder', false],
])('PLAIN acts for %s', async (_, token, isRight) => {
  const kafka = await startKafka({ sasl: { users: { bob: 'builder', alice: 'rabbit' } } })
  const client = await connectTo(kafka)
  await client.call(saslHandshake, 1, { mechanism: 'PLAIN' })
  const { errorCode } = await client.call(saslAuthenticate, 1, { authBytes: Buffer.from(token) })
  expect(errorCode).toBe(isRight ? 0 : 58)
})

// librdkafka 2.0.2 comes with its own nonce before that of the broker, which has it already.
it.each([
  ['1.1', true],
  ['2.8', true],
  ['3.9', false],
  ['4', false],
])('SCRAM with more than the nonce of Kafka %s: comes in, %s', async (release, comesIn) => {
  const kafka = await startKafka({ release, sasl: { users: { bob: 'builder' } } })
  const authenticate = async (before: string, after = '') => {
    const client = await connectTo(kafka)
    const ask = async (text: string) => client.call(saslAuthenticate, 0, { authBytes: Buffer.from(text) })
    await client.call(saslHandshake, 1, { mechanism: 'SCRAM-SHA-256' })
    const first = (await ask('n,,n=bob,r=abc')).authBytes.toString()
    const [, nonce = '', salt = ''] = /^r=([^,]+),s=([^,]+),i=4096$/.exec(first) ?? []
    const salted = pbkdf2Sync('builder', Buffer.from(salt, 'base64'), 4096, 32, 'sha256')
    const hmac = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest()
    const clientKey = hmac(salted, 'Client Key')
    const withoutProof = `c=biws,r=${before}${nonce}${after}`
    const signature = hmac(createHash('sha256').update(clientKey).digest(), `n=bob,r=abc,${first},${withoutProof}`)
    const proof = Buffer.from(clientKey.map((byte, at) => byte ^ (signature[at] ?? 0)))
    return ask(`${withoutProof},p=${proof.toString('base64')}`)
  }
  expect((await authenticate('')).errorCode).toBe(0)
  expect((await authenticate('abc')).errorCode).toBe(comesIn ? 0 : 58)
  const { errorCode, errorMessage } = await authenticate('', 'abc')
  expect([errorCode, errorMessage]).toEqual([58, expect.stringMatching(/ SASL mechanism SCRAM-SHA-256$/)])
})
