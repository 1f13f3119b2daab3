import { createServer as createHttpServer } from 'node:http'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { DeliveryError, Producer, type ProducerOptions, type SslOptions } from '../../../src/index.js'
import { CertificateAuthority, type KeyPair } from '../support/certificates.js'
import { startKafka } from '../support/cluster.js'

let authority: CertificateAuthority
let otherAuthority: CertificateAuthority
let server: KeyPair

beforeAll(() => {
  authority = new CertificateAuthority()
  otherAuthority = new CertificateAuthority('Another')
  server = authority.issue()
})
afterAll(() => {
  authority.remove()
  otherAuthority.remove()
})

function producerOf(options: ProducerOptions): Producer {
  const producer = new Producer({ deliveryTimeoutMs: 15_000, ...options })
  onTestFinished(async () => {
    await producer.close({ timeoutMs: 0 })
  })
  return producer
}

/** The error of a single message, and how long it took. */
async function failureOf(options: ProducerOptions): Promise<{ error: DeliveryError; ms: number }> {
  const began = performance.now()
  const error: unknown = await producerOf(options)
    .send({ topic: 't', value: 'v' })
    .then(
      () => undefined,
      (cause: unknown) => cause,
    )
  expect(error).toBeInstanceOf(DeliveryError)
  return { error: error as DeliveryError, ms: performance.now() - began }
}

async function listen(listener: Server): Promise<string> {
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void listener.close())
  return `127.0.0.1:${(listener.address() as AddressInfo).port}`
}

describe('TLS', () => {
  it('sends, by address and by name, with the authority given', async () => {
    const kafka = await startKafka({ ssl: server, topics: { t: {} } })
    await producerOf({ brokers: kafka.bootstrap, ssl: { ca: authority.cert } }).send({ topic: 't', value: 'a' })
    const byName = kafka.bootstrap.replace('127.0.0.1', 'localhost')
    await producerOf({ brokers: byName, ssl: { ca: authority.cert } }).send({ topic: 't', value: 'b' })
    expect(kafka.records('t').map(({ value }) => String(value))).toEqual(['a', 'b'])
  })

  it.each([
    // Java's brokers refuse any other.
    ['written with its final dot', 'kafka.internal.', 'kafka.internal'],
    ['beyond ASCII', 'kafka.bücher.example', 'kafka.xn--bcher-kva.example'],
    ['beyond ASCII, in capitals and with its final dot', 'Kafka.BÜCHER.example.', 'kafka.xn--bcher-kva.example'],
    ['no host of the internet', 'kafka_1', 'kafka_1'],
  ])('asks for a name that is %s as TLS has names', async (_, host, name) => {
    const { key, cert } = authority.issue({ names: `DNS:${name}` })
    const asked: string[] = []
    const SNICallback = (name: string, answer: (error: Error | null) => void) => {
      asked.push(name)
      answer(null)
    }
    const kafka = await startKafka({ ssl: { key, cert, SNICallback }, topics: { t: {} } })
    const createConnection = () => connect({ host: '127.0.0.1', port: Number(kafka.bootstrap.split(':')[1]) })
    const ssl = { ca: authority.cert }
    await producerOf({ brokers: `${host}:9093`, createConnection, ssl, deliveryTimeoutMs: 3_000 }).connect()
    expect(asked).toEqual([name])
  })

  it.each([
    ['not trusted', {}, {}, /not trusted.*`ssl: \{ ca \}`/],
    ['for another name', { names: 'DNS:elsewhere.example' }, { ca: true }, /other names.*servername/],
    ['expired', { expired: true }, { ca: true }, /expired/],
  ])('fails at once where the certificate is %s', async (_, issued, { ca }: { ca?: boolean }, text) => {
    const kafka = await startKafka({ ssl: authority.issue(issued) })
    const { error, ms } = await failureOf({ brokers: kafka.bootstrap, ssl: ca ? { ca: authority.cert } : true })
    expect(error.code).toBe('TLS_FAILED')
    expect(error.message).toMatch(text)
    expect(error).toMatchObject({ retriable: false, mayHaveBeenWritten: false })
    expect(ms).toBeLessThan(5_000)
  })

  it.each<[string, () => SslOptions, RegExp]>([
    ['is revoked', () => ({ crl: authority.revocationList({ revoked: [server] }) }), /revoked.*`ssl: \{ crl \}`/],
    ['has a list of those revoked that has expired', () => ({ crl: authority.revocationList({ expired: true }) }), /`ssl: \{ crl \}` has expired/], // prettier-ignore
    ['has no list of its authority', () => ({ crl: otherAuthority.revocationList() }), /no list in `ssl: \{ crl \}`/],
    ['is one that the program’s own check refuses', () => ({ checkServerIdentity: () => new Error('another pin') }), /`ssl: \{ checkServerIdentity \}` refuses .*: another pin/], // prettier-ignore
  ])('fails at once where the certificate %s, and says nothing of what else may be wrong', async (_, options, text) => {
    const kafka = await startKafka({ ssl: server })
    const { error, ms } = await failureOf({ brokers: kafka.bootstrap, ssl: { ca: authority.cert, ...options() } })
    expect(error).toMatchObject({ code: 'TLS_FAILED', retriable: false, message: expect.stringMatching(text) })
    expect(error.message).not.toMatch(/leave `ssl` out|`ssl: \{ ca \}`/)
    expect(ms).toBeLessThan(5_000)
  })

  it('takes a certificate that is on no list of those revoked', async () => {
    const kafka = await startKafka({ ssl: server, topics: { t: {} } })
    const ssl = { ca: authority.cert, crl: authority.revocationList() }
    await producerOf({ brokers: kafka.bootstrap, ssl }).send({ topic: 't', value: 'v' })
    expect(kafka.records('t')).toHaveLength(1)
  })

  it('is not switched off by the environment', async () => {
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
    try {
      const kafka = await startKafka({ ssl: server })
      expect((await failureOf({ brokers: kafka.bootstrap, ssl: true })).error.code).toBe('TLS_FAILED')
    } finally {
      delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']
    }
  })

  it('goes on trying until the deadline where that was asked for', async () => {
    const kafka = await startKafka({ ssl: server })
    const { error, ms } = await failureOf({
      brokers: kafka.bootstrap,
      ssl: true,
      retryAuthenticationErrors: true,
      deliveryTimeoutMs: 1_200,
    })
    expect(error.code).toBe('DELIVERY_TIMEOUT')
    expect(error.message).toMatch(/not trusted/)
    expect(ms).toBeGreaterThan(1_100)
  })

  it('shows a certificate where the broker wants one, and says so where it has none', async () => {
    const kafka = await startKafka({
      ssl: { ...server, ca: authority.cert, requestCert: true, rejectUnauthorized: true },
      topics: { t: {} },
    })
    const client = authority.issue({ commonName: 'client' })
    await producerOf({ brokers: kafka.bootstrap, ssl: { ca: authority.cert, ...client } }).send({
      topic: 't',
      value: 'v',
    })
    const { error } = await failureOf({
      brokers: kafka.bootstrap,
      ssl: { ca: authority.cert },
      deliveryTimeoutMs: 8_000,
    })
    expect(error.message).toMatch(/certificate.*`ssl: \{ cert, key \}`/)
    const foreign = new CertificateAuthority('Another')
    onTestFinished(() => foreign.remove())
    const refused = await failureOf({
      brokers: kafka.bootstrap,
      ssl: { ca: authority.cert, ...foreign.issue() },
      deliveryTimeoutMs: 8_000,
    })
    expect(refused.error.message).toMatch(/certificate.*`ssl: \{ cert, key \}`/)
  })

  it('asks a function for its options at each connection', async () => {
    const kafka = await startKafka({ ssl: server, topics: { t: {} } })
    const asked: number[] = []
    const producer = producerOf({
      brokers: kafka.bootstrap,
      retryBackoffMs: 10,
      ssl: async ({ port }) => {
        asked.push(port)
        return { ca: authority.cert }
      },
    })
    await producer.send({ topic: 't', value: 'v' })
    const before = asked.length
    kafka.dropConnections(1)
    await producer.send({ topic: 't', value: 'v' })
    expect(before).toBeGreaterThanOrEqual(1)
    expect(asked.length).toBeGreaterThan(before)
  })

  it('tells where the function fails', async () => {
    const { error } = await failureOf({
      brokers: '127.0.0.1:1',
      deliveryTimeoutMs: 500,
      ssl: () => Promise.reject(new Error('no such file')),
    })
    expect(error.message).toMatch(/the function given as `ssl` failed: no such file/)
  })

  it('resumes sessions', async () => {
    const kafka = await startKafka({ ssl: { ...server, maxVersion: 'TLSv1.2' }, topics: { t: {} } })
    const resumed: boolean[] = []
    const sessions = vi.spyOn(TLSSocket.prototype, 'isSessionReused')
    try {
      const producer = producerOf({ brokers: kafka.bootstrap, ssl: { ca: authority.cert }, retryBackoffMs: 10 })
      await producer.send({ topic: 't', value: 'v' })
      kafka.dropConnections(1)
      await producer.send({ topic: 't', value: 'v' })
    } finally {
      resumed.push(...sessions.mock.results.map(({ value }) => value === true))
      sessions.mockRestore()
    }
    // Node asks each new connection, to know whether the certificate was looked at before.
    expect(resumed[0]).toBe(false)
    expect(resumed.at(-1)).toBe(true)
  })

  it('shows neither key nor passphrase while connected', async () => {
    const kafka = await startKafka({ ssl: server, topics: { t: {} } })
    const client = authority.issue()
    const producer = producerOf({
      brokers: kafka.bootstrap,
      ssl: { ca: authority.cert, ...client, passphrase: 'S3CRET' },
    })
    await producer.send({ topic: 't', value: 'v' })
    const shown = inspect(producer, {
      depth: Infinity,
      showHidden: true,
      maxStringLength: Infinity,
      maxArrayLength: Infinity,
    })
    expect(shown).toMatch(/^Producer \{/)
    expect(shown).not.toContain('S3CRET')
    expect(shown).not.toContain('PRIVATE KEY')
    expect(shown).not.toContain(client.key.split('\n')[1])
  })

  it('tells that a port has no TLS, and that one has', async () => {
    const plain = await startKafka()
    const toPlain = await failureOf({ brokers: plain.bootstrap, ssl: true, deliveryTimeoutMs: 2_000 })
    expect(toPlain.error.message).toMatch(/leave `ssl` out/)
    const secure = await startKafka({ ssl: server })
    const toSecure = await failureOf({ brokers: secure.bootstrap, deliveryTimeoutMs: 8_000 })
    expect(toSecure.error.message).toMatch(/give `ssl/)
    expect(toSecure.ms).toBeLessThan(8_500)
  })

  it('knows HTTP and a TLS alert by their first bytes', async () => {
    const http = await listen(createHttpServer())
    const plain = await failureOf({ brokers: http })
    expect(plain.error).toMatchObject({ code: 'CONNECTION_FAILED', retriable: false })
    expect(plain.error.message).toMatch(/answers in HTTP/)
    expect((await failureOf({ brokers: http, ssl: true })).error).toMatchObject({
      code: 'TLS_FAILED',
      retriable: false,
    })
    const alert = await listen(
      createServer((socket) => {
        socket.on('error', () => undefined)
        socket.write(Buffer.from([0x15, 3, 3, 0, 2, 2, 10]))
      }),
    )
    const sniffed = await failureOf({ brokers: alert })
    expect(sniffed.error.code).toBe('TLS_FAILED')
    expect(sniffed.error.message).toMatch(/speaks TLS.*`ssl: true`/)
  })

  it('a byte that changes on the way costs a connection, and no message', async () => {
    const kafka = await startKafka({ ssl: server, topics: { t: {} } })
    let isHarmful = false
    const proxy = createServer((client) => {
      const broker = connect(Number(kafka.bootstrap.split(':')[1]), '127.0.0.1')
      for (const socket of [client, broker]) socket.on('error', () => undefined)
      client.on('close', () => broker.destroy())
      broker.on('close', () => client.destroy())
      broker.on('data', (bytes: Buffer) => client.write(bytes))
      client.on('data', (bytes: Buffer) => {
        if (isHarmful) bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1
        isHarmful = false
        broker.write(bytes)
      })
    })
    const port = Number((await listen(proxy)).split(':')[1])
    const createConnection = () =>
      new Promise<Socket>((resolve, reject) => {
        const socket = connect(port, '127.0.0.1', () => resolve(socket))
        socket.once('error', reject)
      })
    const ssl = { ca: authority.cert }
    const producer = producerOf({ brokers: kafka.bootstrap, ssl, createConnection, retryBackoffMs: 5 })
    await producer.send({ topic: 't', value: 'a' })
    isHarmful = true
    await producer.send({ topic: 't', value: 'b' })
    expect(isHarmful).toBe(false)
    expect(kafka.records('t').map(({ value }) => value?.toString())).toEqual(['a', 'b'])
  })

  it('bounds a handshake that does not end', async () => {
    const silent = await listen(createServer((socket) => void socket.on('error', () => undefined)))
    // Without that bound the deadline would be what it fails with.
    const { error } = await failureOf({ brokers: silent, ssl: true, connectTimeoutMs: 500, deliveryTimeoutMs: 4_000 })
    expect(error.message).toMatch(/did not finish the TLS handshake within \d+ ms/)
  })

  it('refuses options that can’t be used when the producer is made, without telling them', () => {
    const make = (ssl: unknown) => () =>
      new Producer({ brokers: 'localhost', ssl: ssl as ProducerOptions['ssl'] & object })
    expect(make({ key: 'S3CRET', cert: 'none' })).toThrow(
      expect.objectContaining({ code: 'INVALID_CONFIG', message: expect.not.stringContaining('S3CRET') }),
    )
    expect(make('S3CRET')).toThrow(
      expect.objectContaining({ code: 'INVALID_CONFIG', message: expect.not.stringContaining('S3CRET') }),
    )
    expect(make({ port: 1 })).toThrow(/no 'port'/)
  })
})
