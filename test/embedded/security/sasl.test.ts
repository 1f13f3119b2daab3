import { inspect } from 'node:util'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { DeliveryError, Producer, type ProducerOptions, type SaslOptions } from '../../../src/index.js'
import type { EmbeddedKafkaOptions } from '../../../src/testing/index.js'
import { startKafka } from '../support/cluster.js'

const users = { alice: 'wonder=land,1', bjørk: 'pässwörd ²' }

function producerOf(options: ProducerOptions): Producer {
  const producer = new Producer({ deliveryTimeoutMs: 15_000, retryBackoffMs: 20, ...options })
  onTestFinished(async () => {
    await producer.close({ timeoutMs: 0 })
  })
  return producer
}

async function failureOf(producer: Producer): Promise<DeliveryError> {
  const error: unknown = await producer.send({ topic: 't', value: 'v' }).then(
    () => undefined,
    (cause: unknown) => cause,
  )
  expect(error).toBeInstanceOf(DeliveryError)
  return error as DeliveryError
}

function token(claims: Record<string, unknown>): string {
  const part = (json: object) => Buffer.from(JSON.stringify(json)).toString('base64url')
  return `${part({ alg: 'none' })}.${part({ sub: 'alice', iat: Math.floor(Date.now() / 1000), ...claims })}.`
}

const soon = () => Math.floor(Date.now() / 1000) + 3600
const mechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const
const topics = { t: { partitions: 2 } }
const withUsers: EmbeddedKafkaOptions = { topics, sasl: { users } }

describe.each(['0.10.2', '1.1', '4'])('SASL as Kafka %s does it', (release) => {
  it.each(mechanisms)('%s: takes the right password', async (mechanism) => {
    const kafka = await startKafka({ ...withUsers, release })
    const producer = producerOf({
      brokers: kafka.bootstrap,
      sasl: { mechanism, username: 'alice', password: async () => users.alice },
    })
    await producer.send({ topic: 't', value: 'v' })
    expect(kafka.records('t')).toHaveLength(1)
    expect(kafka.authentications[0]).toMatchObject({
      mechanism: mechanism.toUpperCase(),
      user: 'alice',
      succeeded: true,
    })
  })

  it.each(mechanisms)('%s: tells of a wrong password at once', async (mechanism) => {
    const kafka = await startKafka({ ...withUsers, release })
    const began = performance.now()
    const error = await failureOf(
      producerOf({ brokers: kafka.bootstrap, sasl: { mechanism, username: 'alice', password: 'guess' } }),
    )
    expect(error).toMatchObject({ code: 'AUTHENTICATION_FAILED', retriable: false, mayHaveBeenWritten: false })
    expect(error.message).toMatch(/refuses the credentials given as `sasl`/)
    expect(performance.now() - began).toBeLessThan(5_000)
  })
})

describe('SASL', () => {
  it('takes names and passwords that are not ASCII, stored as typed or as prepared', async () => {
    const kafka = await startKafka(withUsers)
    // The broker stores it as typed, where preparing changes the last character.
    await producerOf({
      brokers: kafka.bootstrap,
      sasl: { mechanism: 'scram-sha-256', username: 'bjørk', password: users.bjørk },
    }).send({ topic: 't', value: 'v' })
    kafka.setPassword('bjørk', 'pässwörd 2')
    await producerOf({
      brokers: kafka.bootstrap,
      sasl: { mechanism: 'scram-sha-256', username: 'bjørk', password: users.bjørk },
    }).send({ topic: 't', value: 'v' })
  })

  it('names the mechanisms that the broker takes', async () => {
    const kafka = await startKafka({ sasl: { users, mechanisms: ['SCRAM-SHA-512'] } })
    const error = await failureOf(
      producerOf({ brokers: kafka.bootstrap, sasl: { mechanism: 'plain', username: 'alice', password: users.alice } }),
    )
    expect(error.code).toBe('AUTHENTICATION_FAILED')
    expect(error.message).toMatch(/does not take PLAIN; it takes SCRAM-SHA-512/)
  })

  it('tells that a listener wants no SASL, and that one does', async () => {
    const open = await startKafka()
    const unwanted = await failureOf(
      producerOf({ brokers: open.bootstrap, sasl: { mechanism: 'plain', username: 'a', password: 'b' } }),
    )
    expect(unwanted.code).toBe('AUTHENTICATION_FAILED')
    expect(unwanted.message).toMatch(/wants no SASL on this port/)
    const kafka = await startKafka(withUsers)
    const missing = await failureOf(producerOf({ brokers: kafka.bootstrap }))
    expect(missing).toMatchObject({ code: 'AUTHENTICATION_FAILED', retriable: false })
    expect(missing.message).toMatch(/wants SASL on this port, by PLAIN, .*: give `sasl`/)
  })

  it('goes on trying where that was asked for, with credentials asked for anew', async () => {
    const kafka = await startKafka(withUsers)
    let asked = 0
    const password = () => (++asked > 2 ? users.alice : 'guess')
    const producer = producerOf({
      brokers: kafka.bootstrap,
      retryAuthenticationErrors: true,
      sasl: { mechanism: 'plain', username: 'alice', password },
    })
    await producer.send({ topic: 't', value: 'v' })
    expect(asked).toBeGreaterThan(2)
  })

  it('tries again where credentials could not be had', async () => {
    const kafka = await startKafka(withUsers)
    let asked = 0
    const password = () => (++asked > 2 ? users.alice : Promise.reject(new Error('vault is away')))
    await producerOf({ brokers: kafka.bootstrap, sasl: { mechanism: 'plain', username: 'alice', password } }).send({
      topic: 't',
      value: 'v',
    })
    const error = await failureOf(
      producerOf({
        brokers: kafka.bootstrap,
        deliveryTimeoutMs: 400,
        sasl: { mechanism: 'plain', username: 'alice', password: () => Promise.reject(new Error('vault is away')) },
      }),
    )
    expect(error.code).toBe('DELIVERY_TIMEOUT')
    expect(error.message).toMatch(/credentials for PLAIN could not be had: vault is away/)
  })

  // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
  const leak = () => Promise.reject('vault: hunter2')

  it.each<[string, Partial<ProducerOptions>]>([
    ['password()', { sasl: { mechanism: 'plain', username: 'alice', password: leak } }],
    ['ssl()', { ssl: leak }],
  ])('prints nothing of what %s throws that is no Error: it may be a secret', async (_, options) => {
    const kafka = await startKafka(withUsers)
    const producer = producerOf({ brokers: kafka.bootstrap, deliveryTimeoutMs: 400, ...options })
    const error = await failureOf(producer)
    expect(error.message).toMatch(/no Error/)
    const problem = producer.health().problem
    expect(problem).toBeDefined()
    for (const one of [error, problem]) {
      expect(inspect(one, { depth: Infinity, showHidden: true })).not.toContain('hunter2')
      expect(JSON.stringify(one)).not.toContain('hunter2')
    }
    for (let one: unknown = error; one instanceof Error; one = one.cause) expect(one.cause).not.toBeTypeOf('string')
  })

  it('OAUTHBEARER: takes a token, and tells of an expired one', async () => {
    const kafka = await startKafka(withUsers)
    await producerOf({
      brokers: kafka.bootstrap,
      sasl: {
        mechanism: 'oauthbearer',
        token: () => ({ token: token({ exp: soon() }), extensions: { logicalCluster: 'one' } }),
      },
    }).send({ topic: 't', value: 'v' })
    const error = await failureOf(
      producerOf({ brokers: kafka.bootstrap, sasl: { mechanism: 'oauthbearer', token: token({ exp: 1 }) } }),
    )
    expect(error.code).toBe('AUTHENTICATION_FAILED')
    expect(error.message).toMatch(/invalid_token/)
  })

  it('takes tokens from an object of the user’s', async () => {
    const kafka = await startKafka(withUsers)
    const begin = vi.fn(() => ({
      next: (challenge: Uint8Array | undefined) =>
        challenge === undefined ? Buffer.from(`\0alice\0${users.alice}`) : undefined,
    }))
    await producerOf({ brokers: kafka.bootstrap, sasl: { mechanism: 'PLAIN', authenticator: { begin } } }).send({
      topic: 't',
      value: 'v',
    })
    expect(begin).toHaveBeenCalledWith(expect.objectContaining({ host: '127.0.0.1' }))
  })

  it.each([
    [new Error('no ticket'), /: no ticket$/],
    [undefined, /: what was thrown is no Error$/],
  ])('tells what an object of the user’s throws: %s', async (thrown, text) => {
    const kafka = await startKafka(withUsers)
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
    const begin = () => ({ next: () => Promise.reject(thrown) })
    const error = await failureOf(
      producerOf({ brokers: kafka.bootstrap, sasl: { mechanism: 'PLAIN', authenticator: { begin } } }),
    )
    expect(error).toMatchObject({
      code: 'AUTHENTICATION_FAILED',
      mayHaveBeenWritten: false,
      message: expect.stringMatching(text),
    })
  })

  it('does not wait for ever for an object of the user’s', async () => {
    const kafka = await startKafka(withUsers)
    let asked = 0
    const next = () => (++asked > 1 ? Buffer.from(`\0alice\0${users.alice}`) : new Promise<Uint8Array>(() => undefined))
    const begin = () => ({
      next: (challenge: Uint8Array | undefined) => (challenge === undefined ? next() : undefined),
    })
    const producer = producerOf({
      brokers: kafka.bootstrap,
      requestTimeoutMs: 300,
      sasl: { mechanism: 'PLAIN', authenticator: { begin } },
    })
    await producer.send({ topic: 't', value: 'v' })
    const silent = { begin: () => ({ next: () => new Promise<Uint8Array>(() => undefined) }) }
    const error = await failureOf(
      producerOf({
        brokers: kafka.bootstrap,
        requestTimeoutMs: 100,
        deliveryTimeoutMs: 1_000,
        sasl: { mechanism: 'PLAIN', authenticator: silent },
      }),
    )
    expect(error).toMatchObject({
      code: 'DELIVERY_TIMEOUT',
      message: expect.stringMatching(/the next token for PLAIN did not come within 100 ms/),
    })
  })

  it('renews sessions while messages flow, and loses none', async () => {
    const kafka = await startKafka({ topics, sasl: { users, sessionLifetimeMs: 600 } })
    const producer = producerOf({
      brokers: kafka.bootstrap,
      retries: 0,
      sasl: { mechanism: 'scram-sha-256', username: 'alice', password: users.alice },
    })
    const sent: Promise<unknown>[] = []
    const until = performance.now() + 3_000
    for (let i = 0; performance.now() < until; i++) {
      sent.push(producer.send({ topic: 't', key: `k${i}`, value: String(i) }))
      await new Promise((resolve) => setTimeout(resolve, 3))
    }
    await Promise.all(sent)
    expect(kafka.records('t')).toHaveLength(sent.length)
    expect(
      kafka.authentications.filter(({ renewed, succeeded }) => renewed && succeeded).length,
    ).toBeGreaterThanOrEqual(3)
    expect(kafka.expiredConnections).toBe(0)
  })

  it('fails with the reason when the password was changed meanwhile', async () => {
    const kafka = await startKafka({ topics, sasl: { users, sessionLifetimeMs: 300 } })
    const producer = producerOf({
      brokers: kafka.bootstrap,
      sasl: { mechanism: 'plain', username: 'alice', password: users.alice },
    })
    await producer.send({ topic: 't', value: 'v' })
    kafka.setPassword('alice', 'another')
    await new Promise((resolve) => setTimeout(resolve, 350))
    expect((await failureOf(producer)).code).toBe('AUTHENTICATION_FAILED')
  })
})

describe('faults of authentication', () => {
  const alice: SaslOptions = { mechanism: 'scram-sha-256', username: 'alice', password: users.alice }

  it.each(['0.10.2', '1.1', '4'])('Kafka %s refuses credentials that were good, until released', async (release) => {
    const kafka = await startKafka({ ...withUsers, release })
    const producer = producerOf({ brokers: kafka.bootstrap, sasl: alice })
    await producer.send({ topic: 't', value: 'before' })
    const expired = kafka.fail({ api: 'SaslAuthenticate', times: Infinity }, 'SASL_AUTHENTICATION_FAILED')
    await producer.send({ topic: 't', value: 'connected' })
    kafka.dropConnections(1)
    expect((await failureOf(producer)).code).toBe('AUTHENTICATION_FAILED')
    expect(kafka.authentications.at(-1)).toMatchObject({ succeeded: false })
    expect(expired.hits).toBeGreaterThanOrEqual(1)
    expired.release()
    await producer.send({ topic: 't', value: 'after' })
    expect(
      kafka
        .records('t')
        .map(({ value }) => String(value))
        .toSorted(),
    ).toEqual(['after', 'before', 'connected'])
  })

  it('a session that can’t be renewed ends, and a new connection carries on', async () => {
    const kafka = await startKafka({ topics, sasl: { users, sessionLifetimeMs: 400 } })
    const producer = producerOf({ brokers: kafka.bootstrap, sasl: alice })
    await producer.send({ topic: 't', value: '0' })
    const expired = kafka.fail({ api: 'SaslAuthenticate' }, 'SASL_AUTHENTICATION_FAILED')
    const sent: Promise<unknown>[] = []
    while (expired.hits === 0) {
      sent.push(producer.send({ topic: 't', value: String(sent.length + 1) }))
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    await Promise.all(sent)
    expect(kafka.authentications.filter(({ succeeded }) => !succeeded)).toMatchObject([{ renewed: true }])
    expect(kafka.records('t')).toHaveLength(sent.length + 1)
  })

  it('a session is not renewed under another name: a new connection carries on with that', async () => {
    const kafka = await startKafka({ topics, sasl: { sessionLifetimeMs: 100 } })
    let sub = 'alice'
    const producer = producerOf({
      brokers: kafka.bootstrap,
      sasl: { mechanism: 'oauthbearer', token: () => token({ sub, exp: soon() }) },
    })
    await producer.send({ topic: 't', value: 'first' })
    sub = 'bob'
    const hasBob = () => kafka.authentications.some(({ user, succeeded }) => user === 'bob' && succeeded)
    let sent = 1
    while (!hasBob()) {
      await producer.send({ topic: 't', value: 'next' })
      sent++
    }
    const ofBob = kafka.authentications.filter(({ user }) => user === 'bob')
    expect(ofBob[0]).toMatchObject({ renewed: true, succeeded: false })
    expect(ofBob.find(({ succeeded }) => succeeded)).toMatchObject({ renewed: false })
    expect(kafka.records('t')).toHaveLength(sent)
  })

  it('what was held back for a renewal that failed was not written, and goes over another connection at no cost', async () => {
    const kafka = await startKafka({ topics, sasl: { users, sessionLifetimeMs: 400 } })
    const producer = producerOf({ brokers: kafka.bootstrap, retries: 0, sasl: alice })
    await producer.send({ topic: 't', value: '0' })
    const renewal = kafka.stall({ api: 'SaslAuthenticate' })
    kafka.fail({ api: 'SaslAuthenticate' }, 'SASL_AUTHENTICATION_FAILED')
    const sent: Promise<unknown>[] = []
    while (renewal.hits === 0) {
      // What is under way when the session ends fails with it.
      const outcome = producer.send({ topic: 't', partition: 0, value: String(sent.length) }).catch(() => undefined)
      sent.push(outcome)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    // Of another partition, so that it waits for nothing but the renewal.
    const held = producer.send({ topic: 't', partition: 1, value: 'held' })
    // A few turns of the event loop, and the connection has it.
    await new Promise((resolve) => setTimeout(resolve, 20))
    renewal.release()
    // One that may have been written would be an attempt too many.
    await held
    await Promise.all(sent)
  })

  it('answers another error to a handshake, and shows both requests', async () => {
    const kafka = await startKafka(withUsers)
    const refused = kafka.fail({ api: 'SaslHandshake', times: Infinity }, 'UNSUPPORTED_SASL_MECHANISM')
    const producer = producerOf({ brokers: kafka.bootstrap, sasl: alice })
    expect((await failureOf(producer)).message).toMatch(/does not take SCRAM-SHA-256; it takes none/)
    refused.release()
    await producer.send({ topic: 't', value: 'v' })
    await kafka.waitForRequest({ api: 'SaslHandshake' })
    await kafka.waitForRequest({ api: 'SaslAuthenticate' })
  })
})

it('fails at once all that waits for a broker that refuses the credentials', async () => {
  const kafka = await startKafka(withUsers)
  const producer = producerOf({
    brokers: kafka.bootstrap,
    batchBytes: 1,
    sasl: { mechanism: 'plain', username: 'alice', password: users.alice },
  })
  await producer.send({ topic: 't', value: 'v' })
  kafka.setPassword('alice', 'another')
  kafka.dropConnections(1)
  const began = performance.now()
  // A batch each, of one partition: one after another they would wait for a connection each.
  const outcomes = await Promise.allSettled(
    Array.from({ length: 30 }, () => producer.send({ topic: 't', partition: 0, value: 'v' })),
  )
  expect(outcomes.map((outcome) => outcome.status === 'rejected' && (outcome.reason as DeliveryError).code)).toEqual(
    Array.from({ length: 30 }, () => 'AUTHENTICATION_FAILED'),
  )
  expect(performance.now() - began).toBeLessThan(4_000)
})
