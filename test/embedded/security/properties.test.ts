import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { Producer, ProducerConfig, type ProducerOptions } from '../../../src/index.js'
import { CertificateAuthority, type KeyPair } from '../support/certificates.js'
import { startKafka } from '../support/cluster.js'

let authority: CertificateAuthority
let server: KeyPair
let client: KeyPair
beforeAll(() => {
  authority = new CertificateAuthority()
  server = authority.issue()
  client = authority.issue({ commonName: 'client' })
})
afterAll(() => authority.remove())

async function send(file: string, options: Partial<ProducerOptions> = {}): Promise<void> {
  const producer = new Producer(ProducerConfig.fromProperties(file, { deliveryTimeoutMs: 15_000, ...options }))
  onTestFinished(async () => void (await producer.close({ timeoutMs: 0 })))
  await producer.send({ topic: 't', value: 'v' })
}

const oneLine = (pem: string) => pem.trim().replaceAll('\n', ' ')

it('certificates, key and authority in one line each: a broker that wants a certificate lets it in, as with Java', async () => {
  const ssl = { ...server, ca: authority.cert, requestCert: true, rejectUnauthorized: true }
  const kafka = await startKafka({ ssl, topics: { t: {} } })
  await send(
    `bootstrap.servers=SSL://${kafka.bootstrap}\nsecurity.protocol=ssl\nssl.truststore.type=PEM\nssl.keystore.type=PEM\n` +
      `ssl.truststore.certificates=${oneLine(authority.cert)}\nssl.keystore.key=${oneLine(client.key)}\n` +
      `ssl.keystore.certificate.chain=${oneLine(client.cert)}\n`,
  )
  expect(kafka.records('t')).toHaveLength(1)
})

it('a trust store that has the broker’s own certificate and no root is trusted, as with Java', async () => {
  const kafka = await startKafka({ ssl: server, topics: { t: {} } })
  const stranger = new CertificateAuthority('Another')
  onTestFinished(() => stranger.remove())
  const file = (pem: string) =>
    `bootstrap.servers=${kafka.bootstrap}\nsecurity.protocol=SSL\nssl.truststore.type=PEM\nssl.truststore.certificates=${oneLine(pem)}\n`
  await send(file(server.cert))
  await expect(send(file(stranger.cert))).rejects.toMatchObject({ code: 'TLS_FAILED' })
})

it('a file that asks for TLS never goes out without it, whatever is undefined beside it', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  const firstBytes = once(server, 'connection').then(([socket]) => once(socket as Socket, 'data'))
  await once(server, 'listening')
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const sasl = { mechanism: 'plain', username: 'alice', password: 'wonderland' } as const
  const file = `bootstrap.servers=${address}\nsecurity.protocol=SASL_SSL\nsasl.mechanism=PLAIN\n`
  const sent = send(file, { sasl, ssl: undefined, deliveryTimeoutMs: 2_000 }).catch(() => undefined)
  const [bytes] = (await firstBytes) as [Buffer]
  // A handshake of TLS 3.x, where Kafka has the size of a request.
  expect([...bytes.subarray(0, 2)]).toEqual([0x16, 3])
  expect(bytes.includes('wonderland')).toBe(false)
  await sent
  expect(() => ProducerConfig.fromProperties(file, { sasl, ssl: false })).toThrow(/the file asks for TLS/)
})
