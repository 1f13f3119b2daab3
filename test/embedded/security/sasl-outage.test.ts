import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished, vi } from 'vitest'
import { oidcToken, Producer, type DeliveryError, type ProducerOptions } from '../../../src/index.js'
import { startKafka } from '../support/cluster.js'
import { until } from '../support/producers.js'

const users = { alice: 'wonderland' }

function producerOf(options: ProducerOptions): Producer {
  const producer = new Producer({ deliveryTimeoutMs: 20_000, retryBackoffMs: 10, retryBackoffMaxMs: 50, ...options })
  onTestFinished(async () => {
    await producer.close({ timeoutMs: 0 })
  })
  return producer
}

/** Credentials that a test can take away. */
function vault() {
  const state = { isAway: false }
  const password = () => {
    if (state.isAway) throw new Error('vault is away')
    return users.alice
  }
  return { state, sasl: { mechanism: 'plain', username: 'alice', password } as const }
}

it('credentials away around the end of a session delay messages, and stop none for ever', async () => {
  const partitions = 8
  const sessionLifetimeMs = 600
  const kafka = await startKafka({ topics: { t: { partitions } }, sasl: { users, sessionLifetimeMs } })
  const { state, sasl } = vault()
  // As many requests as may be out can all be held: no further one comes that could begin a renewal.
  const producer = producerOf({ brokers: kafka.bootstrap, maxInFlight: 2, sasl })
  await producer.send({ topic: 't', value: 'first' })
  for (let round = 0; round < 4; round++) {
    state.isAway = true
    const sent: Promise<unknown>[] = []
    const until = performance.now() + sessionLifetimeMs
    while (performance.now() < until) {
      sent.push(producer.send({ topic: 't', partition: sent.length % partitions, value: 'v' }))
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    state.isAway = false
    await Promise.all(sent)
  }
  await producer.send({ topic: 't', value: 'last' })
})

it('the connection that metadata is asked on, held at the end of its session, learns of new leaders afterwards', async () => {
  const sessionLifetimeMs = 400
  const kafka = await startKafka({
    brokers: 2,
    release: '2.8',
    topics: { t: { replicationFactor: 2 } },
    sasl: { users, sessionLifetimeMs },
  })
  kafka.moveLeader('t', 0, 1)
  const { state, sasl } = vault()
  const producer = producerOf({ brokers: kafka.bootstrap, sasl })
  await producer.send({ topic: 't', value: 'first' })
  for (const leader of [2, 1, 2]) {
    state.isAway = true
    kafka.moveLeader('t', 0, leader)
    const sent: Promise<unknown>[] = []
    const until = performance.now() + sessionLifetimeMs
    while (performance.now() < until) {
      sent.push(producer.send({ topic: 't', value: 'v' }))
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    state.isAway = false
    await Promise.all(sent)
  }
})

it('a password that never comes at the end of a session costs messages no more than its time-out', async () => {
  const kafka = await startKafka({ topics: { t: {} }, sasl: { users, sessionLifetimeMs: 300 } })
  let isAway = false
  let hung = 0
  const password = () => (isAway ? new Promise<string>(() => hung++) : users.alice)
  const producer = producerOf({
    brokers: kafka.bootstrap,
    connectTimeoutMs: 200,
    sasl: { mechanism: 'plain', username: 'alice', password },
  })
  await producer.send({ topic: 't', value: 'v' })
  isAway = true
  const sent: Promise<unknown>[] = []
  while (hung < 3) {
    sent.push(producer.send({ topic: 't', value: 'v' }))
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  isAway = false
  await Promise.all(sent)
})

it('a connection is not idle while the credentials for it are asked for', async () => {
  const kafka = await startKafka({ topics: { t: {} }, sasl: { users } })
  let calls = 0
  const password = async () => {
    calls++
    // Longer than the second that lies between two looks at whether a connection is idle.
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    return users.alice
  }
  const producer = producerOf({
    brokers: kafka.bootstrap,
    connectionsMaxIdleMs: 300,
    retries: 0,
    sasl: { mechanism: 'plain', username: 'alice', password },
  })
  await producer.send({ topic: 't', value: 'v' })
  // One for metadata, one for messages.
  expect(calls).toBe(2)
})

it.each<[string, () => unknown]>([
  [
    'throws',
    () => {
      throw new Error('no')
    },
  ],
  ['rejects', () => Promise.reject(new Error('no'))],
  [
    'throws undefined',
    () => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error
      throw undefined
    },
  ],
  [
    'throws what has a getter that throws',
    () => {
      throw Object.defineProperty(new Error('x'), 'message', {
        get: () => {
          throw new Error('getter')
        },
      })
    },
  ],
  ['never settles', () => new Promise(() => undefined)],
  ['gives a thenable that never settles', () => ({ then: () => undefined })],
  [
    'gives a thenable that throws',
    () => ({
      then: () => {
        throw new Error('no')
      },
    }),
  ],
  ['gives nothing', () => undefined],
  ['gives an object', () => ({})],
])('a function for credentials that once %s is asked again, and the message arrives', async (_, misbehave) => {
  const kafka = await startKafka({ topics: { t: {} }, sasl: { users } })
  for (const field of ['username', 'password'] as const) {
    let calls = 0
    const good = { username: 'alice', password: users.alice }
    const ask = () => (++calls === 1 ? (misbehave() as string) : good[field])
    const producer = producerOf({
      brokers: kafka.bootstrap,
      connectTimeoutMs: 300,
      sasl: { mechanism: 'plain', ...good, [field]: ask },
    })
    await producer.send({ topic: 't', value: 'v' })
    expect(calls).toBeGreaterThan(1)
  }
})

it.each<[string, unknown]>([
  ['nothing', undefined],
  ['null', null],
  ['an empty string', ''],
  ['an object without one', { extensions: {} }],
])('a token() that once gives %s is asked again, as a password is', async (_, none) => {
  const kafka = await startKafka({ topics: { t: {} }, sasl: {} })
  const part = (json: object) => Buffer.from(JSON.stringify(json)).toString('base64url')
  const iat = Math.floor(Date.now() / 1_000)
  const good = `${part({ alg: 'none' })}.${part({ sub: 'alice', iat, exp: iat + 3_600 })}.`
  let calls = 0
  const producer = producerOf({
    brokers: kafka.bootstrap,
    sasl: { mechanism: 'oauthbearer', token: () => (++calls === 1 ? (none as string) : good) },
  })
  await producer.send({ topic: 't', value: 'v' })
  expect(calls).toBeGreaterThan(1)
})

it('a function for credentials may send, flush and close the producer it is of', async () => {
  const kafka = await startKafka({ topics: { t: {} }, sasl: { users } })
  let inner: Promise<unknown> | undefined
  const password = () => {
    inner ??= producer.send({ topic: 't', value: 'inner' })
    void producer.flush()
    return { then: (resolve: (value: string) => void) => resolve(users.alice) } as PromiseLike<string>
  }
  const producer: Producer = producerOf({
    brokers: kafka.bootstrap,
    sasl: { mechanism: 'plain', username: 'alice', password: password as () => Promise<string> },
  })
  await producer.send({ topic: 't', value: 'outer' })
  await inner
  expect(kafka.records('t')).toHaveLength(2)

  const closing: Promise<unknown>[] = []
  const closed: Producer = producerOf({
    brokers: kafka.bootstrap,
    sasl: {
      mechanism: 'plain',
      username: 'alice',
      password: () => {
        closing.push(closed.close({ timeoutMs: 0 }))
        return users.alice
      },
    },
  })
  const error: DeliveryError = await closed.send({ topic: 't', value: 'v' }).then(
    () => expect.unreachable(),
    (failure: DeliveryError) => failure,
  )
  expect(error.code).toBe('PRODUCER_CLOSED')
  await until(() => closing.length > 0, 'it is closed')
  await Promise.all(closing)
})

/** A provider of tokens that brokers take for five minutes, whatever it says of them itself. */
async function hourlyProvider(isDown: (asked: number) => boolean = () => false) {
  let asked = 0
  const part = (json: object) => Buffer.from(JSON.stringify(json)).toString('base64url')
  const server = createServer((_, response) => {
    asked++
    if (isDown(asked)) return void response.writeHead(503).end()
    const iat = Math.floor(Date.now() / 1_000)
    const token = `${part({ alg: 'none' })}.${part({ sub: 'alice', iat, exp: iat + 300 })}.`
    response.end(JSON.stringify({ access_token: token, expires_in: 3_600 }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const token = oidcToken({ tokenEndpoint: `http://127.0.0.1:${port}/`, clientId: 'me', clientSecret: 's' })
  return { sasl: { mechanism: 'oauthbearer', token } as const, asked: () => asked }
}

it('a token of oidcToken() that brokers refuse before its time is fetched anew, and fails no message', async () => {
  const kafka = await startKafka({ topics: { t: {} }, sasl: {} })
  const { sasl, asked } = await hourlyProvider()
  await producerOf({ brokers: kafka.bootstrap, sasl }).send({ topic: 't', value: 'v' })
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 600_000 })
  onTestFinished(() => void vi.useRealTimers())
  await producerOf({ brokers: kafka.bootstrap, sasl }).send({ topic: 't', value: 'w' })
  expect(asked()).toBe(2)
})

it('where the provider is away just then, messages wait for another, and do not fail', async () => {
  const kafka = await startKafka({ topics: { t: {} }, sasl: {} })
  const { sasl, asked } = await hourlyProvider((times) => times === 2)
  await producerOf({ brokers: kafka.bootstrap, sasl }).send({ topic: 't', value: 'v' })
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 600_000 })
  onTestFinished(() => void vi.useRealTimers())
  await producerOf({ brokers: kafka.bootstrap, sasl }).send({ topic: 't', value: 'w' })
  expect(asked()).toBe(3)
})

it('one that was just fetched is not: another would be refused, too', async () => {
  const kafka = await startKafka({ topics: { t: {} }, sasl: {} })
  const { sasl, asked } = await hourlyProvider()
  kafka.fail({ api: 'SaslAuthenticate' }, 'SASL_AUTHENTICATION_FAILED')
  const refused = producerOf({ brokers: kafka.bootstrap, sasl }).connect()
  await expect(refused).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED', retriable: false })
  expect(asked()).toBe(1)
})
