import { createSecureContext, TLSSocket } from 'node:tls'
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest'
import { Producer, type DeliveryError, type ProducerOptions } from '../../../src/index.js'
import { CertificateAuthority, type KeyPair } from '../support/certificates.js'
import { startKafka } from '../support/cluster.js'

type Ssl = NonNullable<ProducerOptions['ssl']>

let authority: CertificateAuthority
let another: CertificateAuthority
let server: KeyPair

beforeAll(() => {
  authority = new CertificateAuthority()
  another = new CertificateAuthority('Another')
  server = authority.issue()
})
afterAll(() => {
  authority.remove()
  another.remove()
})

function producerOf(brokers: string, ssl: Ssl): Producer {
  const producer = new Producer({ brokers, ssl, retryBackoffMs: 10, deliveryTimeoutMs: 20_000 })
  onTestFinished(async () => void (await producer.close({ timeoutMs: 0 })))
  return producer
}

const codeOf = (sending: Promise<unknown>) =>
  sending.then(
    () => 'sent',
    (error: DeliveryError) => error.code,
  )

interface Current {
  ca: string
}

it.each<[string, (current: Current) => Ssl]>([
  ['a secure context made of them', (current) => () => ({ secureContext: createSecureContext(current) })],
  ['the same object', (current) => () => current],
])('an authority that is trusted no more is not trusted by a session resumed: %s', async (_, sslOf) => {
  const kafka = await startKafka({ ssl: { ...server, maxVersion: 'TLSv1.2' }, topics: { t: {} } })
  const current: Current = { ca: authority.cert }
  const producer = producerOf(kafka.bootstrap, sslOf(current))
  await producer.send({ topic: 't', value: 'v' })
  current.ca = another.cert
  kafka.dropConnections(1)
  expect(await codeOf(producer.send({ topic: 't', value: 'v' }))).toBe('TLS_FAILED')
})

it('sessions are resumed where a function gives new objects of the same content', async () => {
  const kafka = await startKafka({ ssl: { ...server, maxVersion: 'TLSv1.2' }, topics: { t: {} } })
  const sessions = vi.spyOn(TLSSocket.prototype, 'isSessionReused')
  onTestFinished(() => sessions.mockRestore())
  const producer = producerOf(kafka.bootstrap, () => ({ ca: Buffer.from(authority.cert) }))
  await producer.send({ topic: 't', value: 'v' })
  kafka.dropConnections(1)
  await producer.send({ topic: 't', value: 'v' })
  expect(sessions.mock.results.at(-1)?.value).toBe(true)
})

it('a checkServerIdentity that throws, or rejects, fails the message and harms nothing else', async () => {
  const kafka = await startKafka({ ssl: server, topics: { t: {} } })
  for (const misbehave of [
    () => {
      throw new Error('no')
    },
    (() => Promise.reject(new Error('no'))) as unknown as () => undefined,
  ]) {
    const producer = new Producer({
      brokers: kafka.bootstrap,
      retryBackoffMs: 10,
      deliveryTimeoutMs: 500,
      ssl: { ca: authority.cert, checkServerIdentity: misbehave },
    })
    expect(await codeOf(producer.send({ topic: 't', value: 'v' }))).toMatch(/DELIVERY_TIMEOUT|TLS_FAILED/)
    await producer.close({ timeoutMs: 0 })
  }
})

it('certificates for the other side are told as such', async () => {
  const forClients = await startKafka({ ssl: authority.issue({ usage: 'clientAuth' }) })
  const refused: DeliveryError = await producerOf(forClients.bootstrap, { ca: authority.cert })
    .send({ topic: 't', value: 'v' })
    .then(
      () => expect.unreachable(),
      (error: DeliveryError) => error,
    )
  expect(refused.code).toBe('TLS_FAILED')
  expect(refused.message).toMatch(/not for servers.*serverAuth/)
})
