import { connect as connectTcp } from 'node:net'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { blackHole } from '../support/black-hole.js'
import { CertificateAuthority, type KeyPair } from '../support/certificates.js'
import { startKafka } from '../support/cluster.js'
import { HostileServer, MANNERS, type Manner } from '../support/hostile-servers.js'
import {
  deadAddress,
  errorOf,
  plainServer,
  portOf,
  requestsOf,
  startProducer,
  turns,
  until,
} from '../support/producers.js'

/** What the first byte of a TLS connection says. */
const TLS_HANDSHAKE = 22

let authority: CertificateAuthority
let server: KeyPair

beforeAll(() => {
  authority = new CertificateAuthority()
  server = authority.issue()
})
afterAll(() => authority.remove())

const users = { alice: 's3cret' }
const alice = { mechanism: 'plain', username: 'alice', password: users.alice } as const

describe('connect()', () => {
  it('resolves when a broker has answered, and asks for no topic', async () => {
    const kafka = await startKafka()
    const producer = startProducer(kafka)
    await producer.connect()
    await producer.connect()
    expect(requestsOf(kafka, 'Metadata').map(({ topics }) => topics)).toEqual([[], []])
  })

  it('shares its question with whoever else asks', async () => {
    const kafka = await startKafka()
    const producer = startProducer(kafka)
    await Promise.all([producer.connect(), producer.connect(), producer.connect()])
    expect(requestsOf(kafka, 'Metadata')).toHaveLength(1)
  })

  it.each(['0.8.2', '0.10.2', '4'])('asks Kafka %s for no topic, and is healthy', async (release) => {
    const kafka = await startKafka({ release, topics: { orders: {} } })
    const producer = startProducer(kafka)
    await producer.connect()
    expect(producer.health()).toEqual({ healthy: true, problem: undefined })
    expect(requestsOf(kafka, 'Metadata').every(({ topics }) => topics.length === 0)).toBe(true)
    await producer.send({ topic: 'orders', value: 'after' })
  })

  it('goes on to the next of the list', async () => {
    const kafka = await startKafka()
    const producer = startProducer(`${await deadAddress()},${kafka.bootstrap}`)
    await producer.connect()
  })
})

describe('connect() names what is wrong', () => {
  it('nobody listens', async () => {
    const address = await deadAddress()
    const error = await errorOf(startProducer(address).connect())
    expect(error).toMatchObject({ code: 'METADATA_UNAVAILABLE', retriable: true })
    expect(error.message).toMatch(`can't connect to ${address}: connect ECONNREFUSED`)
  })

  it('each of the list, as far as an error has room', async () => {
    const createConnection = ({ port }: { port: number }) => Promise.reject(new Error(`no way to ${port}`))
    const whyNot = async (count: number) => {
      const brokers = Array.from({ length: count }, (_, i) => `kafka:${i + 1}`)
      const { code, message } = await errorOf(startProducer(brokers.join(), { createConnection }).connect())
      expect(code).toBe('METADATA_UNAVAILABLE')
      return message
    }
    const two = await whyNot(2)
    for (const reason of ['kafka:1: `createConnection` failed: no way to 1', 'no way to 2'])
      expect(two).toContain(reason)
    expect(await whyNot(5)).toMatch(/^none of the bootstrap list answered: ([^;]+; ){3}and 2 more$/)
  })

  it('no such name', async () => {
    const error = await errorOf(startProducer('kafka.invalid:9092').connect())
    expect(error.message).toMatch(/can't connect to kafka\.invalid:9092: .*kafka\.invalid/)
  })

  it('nobody accepts', async () => {
    const { address } = await blackHole()
    const error = await errorOf(startProducer(address).connect({ timeoutMs: 300 }))
    expect(error.code).toBe('METADATA_UNAVAILABLE')
    expect(error.message).toMatch(`no broker answered within 300 ms; connecting to ${address} for`)
  })

  it('somebody accepts and is silent', async () => {
    const { address } = await plainServer(() => undefined)
    const error = await errorOf(startProducer(address).connect({ timeoutMs: 300 }))
    expect(error.message).toMatch(`no broker answered within 300 ms; waiting for ${address} to answer ApiVersions`)
  })

  it('TLS for a port without', async () => {
    const kafka = await startKafka()
    const error = await errorOf(startProducer(kafka, { ssl: { ca: authority.cert } }).connect())
    expect(error).toMatchObject({ code: 'TLS_FAILED', retriable: false })
    expect(error.message).toMatch(
      /does not speak TLS on this port: take the port of its TLS listener, or leave `ssl` out/,
    )
  })

  it('the same where the broker waits for more of what it takes for the size of a request', async () => {
    const kafka = await startKafka()
    const address = await forwarding(kafka.bootstrap, (first) => (first === TLS_HANDSHAKE ? 'is silent' : 'goes on'))
    const error = await errorOf(startProducer(address, { ssl: true, connectTimeoutMs: 2_000 }).connect())
    expect(error).toMatchObject({ code: 'TLS_FAILED', retriable: false })
    expect(error.message).toMatch(/does not speak TLS on this port/)
  })

  it('no TLS for a port that has it', async () => {
    const kafka = await startKafka({ ssl: server })
    const error = await errorOf(startProducer(kafka).connect())
    expect(error).toMatchObject({ code: 'TLS_FAILED', retriable: false })
    expect(error.message).toMatch(/speaks TLS on this port: give `ssl: true`/)
  })

  it.each([
    ['that trusts anybody', false],
    ['that wants a certificate', true],
  ])('the same where the broker, one %s, hangs up without a word as Kafka’s own do', async (_, requestCert) => {
    const kafka = await startKafka({
      ssl: { ...server, ca: authority.cert, requestCert, rejectUnauthorized: requestCert },
    })
    const address = await forwarding(kafka.bootstrap, (first) => (first === TLS_HANDSHAKE ? 'goes on' : 'hangs up'))
    const error = await errorOf(startProducer(address).connect())
    expect(error).toMatchObject({ code: 'TLS_FAILED', retriable: false })
    expect(error.message).toMatch(/speaks TLS on this port: give `ssl: true`/)
  })

  it.each(['hangs up', 'breaks the connection'])('no more than is known of a port that only %s', async (manner) => {
    const address = await hostileServer(manner)
    const withoutTls = await errorOf(startProducer(address, { connectTimeoutMs: 5_000 }).connect())
    expect(withoutTls).toMatchObject({ code: 'METADATA_UNAVAILABLE', retriable: true })
    expect(withoutTls.message).toMatch(/the connection.*if it expects TLS on this port, give `ssl`/)
    const cut = await plainServer((socket) => void socket.once('data', () => socket.destroy()))
    const withTls = await errorOf(startProducer(cut.address, { ssl: true }).connect())
    expect(withTls).toMatchObject({ code: 'METADATA_UNAVAILABLE', retriable: true })
    expect(withTls.message).toMatch(/no TLS handshake: .*if its port has no TLS, leave `ssl` out/)
  })

  it('a certificate that is not trusted', async () => {
    const kafka = await startKafka({ ssl: server })
    const error = await errorOf(startProducer(kafka, { ssl: true }).connect())
    expect(error).toMatchObject({ code: 'TLS_FAILED', retriable: false })
    expect(error.message).toMatch(/not trusted/)
  })

  it('asks a broker once for a connection whether it wants SASL, however many questions it has hung up on', async () => {
    const kafka = await startKafka({ autoCreateTopics: false })
    const stalled = kafka.stall({ api: 'Metadata', times: Infinity })
    const producer = startProducer(kafka, { allowAutoTopicCreation: false })
    const asked: Promise<unknown>[] = []
    for (let i = 0; i < 40; i++) {
      asked.push(errorOf(producer.partitionsFor(`none-${i}`)))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await until(() => requestsOf(kafka, 'Metadata').length === 40, 'all are asked')
    const connections = new Set(requestsOf(kafka, 'Metadata').map(({ connection }) => connection))
    expect(connections.size).toBeLessThan(40)
    kafka.dropConnections(1)
    stalled.release()
    for (const error of await Promise.all(asked)) expect(error).toMatchObject({ code: 'METADATA_UNAVAILABLE' })
    expect(requestsOf(kafka, 'SaslHandshake')).toHaveLength(connections.size)
  })

  it('no SASL for a port that wants it', async () => {
    const kafka = await startKafka({ sasl: { users } })
    const error = await errorOf(startProducer(kafka).connect())
    expect(error).toMatchObject({ code: 'AUTHENTICATION_FAILED', retriable: false })
    expect(error.message).toMatch(/wants SASL on this port, by PLAIN, .*: give `sasl`/)
  })

  it('no want of SASL where the same question was answered before', async () => {
    const kafka = await startKafka()
    const producer = startProducer(kafka)
    await producer.connect()
    // The first time on the connection at hand, too.
    kafka.cut({ api: 'Metadata', times: 3 })
    for (let i = 0; i < 2; i++) {
      const error = await errorOf(producer.connect())
      expect(error.message).toMatch(/closed the connection, and had not answered Metadata/)
      expect(error.message).not.toContain('SASL')
    }
  })

  it('SASL for a port without', async () => {
    const kafka = await startKafka()
    const error = await errorOf(startProducer(kafka, { sasl: alice }).connect())
    expect(error).toMatchObject({ code: 'AUTHENTICATION_FAILED', retriable: false })
    expect(error.message).toMatch(/wants no SASL on this port/)
  })

  it('a wrong password', async () => {
    const kafka = await startKafka({ sasl: { users } })
    const error = await errorOf(startProducer(kafka, { sasl: { ...alice, password: 'guess' } }).connect())
    expect(error).toMatchObject({ code: 'AUTHENTICATION_FAILED', retriable: false })
    expect(error.message).not.toContain('guess')
  })

  it('something else than Kafka', async () => {
    const error = await errorOf(startProducer(await hostileServer('answers in HTTP')).connect())
    expect(error).toMatchObject({ code: 'CONNECTION_FAILED', retriable: false })
    expect(error.message).toMatch(/answers in HTTP: that is no Kafka broker/)
  })
})

describe('connect() ends', () => {
  it('with its signal, before and while it asks', async () => {
    const { address } = await plainServer(() => undefined)
    const producer = startProducer(address)
    const reason = new Error('enough')
    expect(await errorOf(producer.connect({ signal: AbortSignal.abort(reason) }))).toMatchObject({
      code: 'ABORTED',
      message: 'connecting was aborted by its signal',
      cause: reason,
    })
    const controller = new AbortController()
    const connecting = errorOf(producer.connect({ signal: controller.signal }))
    controller.abort(reason)
    expect(await connecting).toMatchObject({ code: 'ABORTED', cause: reason })
  })

  it('with the producer, and is refused after it', async () => {
    const { address } = await plainServer(() => undefined)
    const producer = startProducer(address)
    const connecting = errorOf(producer.connect())
    await producer.close()
    expect((await connecting).code).toBe('PRODUCER_CLOSED')
    expect((await errorOf(producer.connect())).code).toBe('PRODUCER_CLOSED')
  })

  it.each([
    [{ timeoutMs: -1 }, /timeoutMs: given was -1/],
    [{ timeoutMs: 1.5 }, /timeoutMs: given was 1.5/],
    [{ signal: new AbortController() as unknown as AbortSignal }, /signal: given was .*controller\.signal/],
  ])('at once where %o is not allowed', async (options, text) => {
    const error = await errorOf(startProducer(await deadAddress()).connect(options))
    expect(error.code).toBe('INVALID_CONFIG')
    expect(error.message).toMatch(text)
  })
})

describe('health()', () => {
  it('is bad until a broker has answered, and asks on its own', async () => {
    const kafka = await startKafka()
    const producer = startProducer(kafka)
    expect(producer.health()).toMatchObject({ healthy: false, problem: { code: 'METADATA_UNAVAILABLE' } })
    await until(() => producer.health().healthy, 'a probe makes it ask, and a later one hears')
    expect(requestsOf(kafka, 'Metadata')).toHaveLength(1)
  })

  it('tells why no broker answers, and when one does again', async () => {
    const kafka = await startKafka()
    const producer = startProducer(kafka)
    await producer.connect()
    expect(producer.health()).toEqual({ healthy: true, problem: undefined })
    await kafka.stopBroker(1)
    await errorOf(producer.connect())
    expect(producer.health()).toMatchObject({ healthy: false, problem: { code: 'METADATA_UNAVAILABLE' } })
    await kafka.startBroker(1)
    await until(() => producer.health().healthy, 'probes hear that the broker is back')
  })

  it('asks no more often than the back-off, however many probes there are', async () => {
    const { address, connections } = await plainServer((socket) => socket.destroy())
    const producer = startProducer(address, { retryBackoffMs: 60_000, retryBackoffMaxMs: 60_000 })
    await until(() => producer.health().problem?.message.includes('closed the connection') === true, 'it has asked')
    const asked = connections()
    for (let probe = 0; probe < 10; probe++) {
      expect(producer.health().healthy).toBe(false)
      await turns()
    }
    expect(connections()).toBe(asked)
  })

  it('is bad while messages wait and no connection for them can be had', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    // By this name it is one of `brokers`; by the one that it tells of itself it may not be connected to.
    const brokers = kafka.bootstrap.replace('127.0.0.1', 'localhost')
    const producer = startProducer(brokers, { allowBroker: () => false })
    await producer.connect()
    expect(producer.health().healthy).toBe(true)
    const sending = errorOf(producer.send({ topic: 'orders', value: 'waits' }))
    await until(() => !producer.health().healthy, 'the refused connection is told')
    expect(producer.health().problem?.code).toBe('BROKER_NOT_ALLOWED')
    await producer.close({ timeoutMs: 0 })
    await sending
  })

  it('is bad once it is closed', async () => {
    const kafka = await startKafka()
    const producer = startProducer(kafka)
    await producer.connect()
    await producer.close()
    expect(producer.health()).toMatchObject({ healthy: false, problem: { code: 'PRODUCER_CLOSED' } })
  })
})

/** Forwards to a broker what begins as it likes. */
async function forwarding(
  bootstrap: string,
  manner: (firstByte: number | undefined) => 'goes on' | 'is silent' | 'hangs up',
): Promise<string> {
  const { address } = await plainServer((socket) => {
    socket.once('data', (first: Buffer) => {
      const how = manner(first[0])
      if (how === 'hangs up') socket.destroy()
      if (how !== 'goes on') return
      const broker = connectTcp(portOf(bootstrap), '127.0.0.1')
      broker.on('error', () => undefined)
      broker.write(first)
      socket.pipe(broker).pipe(socket)
    })
  })
  return address
}

async function hostileServer(manner: string): Promise<string> {
  const hostile = await HostileServer.start(MANNERS[manner] as Manner)
  onTestFinished(() => hostile.stop())
  return hostile.address
}
