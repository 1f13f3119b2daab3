import { randomBytes } from 'node:crypto'
import { Socket } from 'node:net'
import { inspect } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { ProducerOptions } from '../../../src/index.js'
import { SessionFactory } from '../../../src/network/session/session.js'
import type { EmbeddedKafkaOptions } from '../../../src/testing/index.js'
import { CertificateAuthority, type KeyPair } from '../support/certificates.js'
import { startKafka } from '../support/cluster.js'
import { startProducer } from '../support/producers.js'

const secret = `s3cr3t+${randomBytes(12).toString('base64')}`
let authority: CertificateAuthority
let server: KeyPair
let client: KeyPair
beforeAll(() => {
  authority = new CertificateAuthority()
  server = authority.issue()
  client = authority.issue({ commonName: 'client' })
})
afterAll(() => authority.remove())

type Security = Pick<ProducerOptions, 'ssl' | 'sasl'>

/** Every object that a debugger could click through to, with the way there. */
function reachable(from: object): Map<object, string> {
  const found = new Map<object, string>([[from, 'producer']])
  for (const [object, path] of found) {
    const parts: [string, unknown][] = Reflect.ownKeys(object).map((key) => [
      `.${String(key)}`,
      Object.getOwnPropertyDescriptor(object, key)?.value,
    ])
    if (object instanceof Map || object instanceof Set) for (const entry of object.entries()) parts.push(['[]', entry])
    for (const [step, value] of parts) {
      if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value) && !found.has(value))
        found.set(value, path + step)
    }
  }
  return found
}

async function working(security: EmbeddedKafkaOptions, options: Security) {
  const kafka = await startKafka({ topics: { t: {} }, ...security })
  const producer = startProducer(kafka, { ...options, clientId: 'walked' })
  await producer.send({ topic: 't', value: 'x' })
  return producer
}

const mutualTls = () =>
  working(
    { ssl: { ...server, ca: authority.cert, requestCert: true, rejectUnauthorized: true } },
    { ssl: { ca: authority.cert, ...client, passphrase: secret } },
  )
const plain = () =>
  working({ sasl: { users: { alice: secret } } }, { sasl: { mechanism: 'plain', username: 'alice', password: secret } })

it.each([
  ['TLS', mutualTls],
  ['SASL', plain],
])('a producer with %s leads neither to its connections nor to a secret', async (_, make) => {
  const found = reachable(await make())
  for (const [object, path] of found) {
    if (object instanceof Socket || object instanceof SessionFactory) throw new Error(path)
    for (const key of Reflect.ownKeys(object)) {
      const value: unknown = Object.getOwnPropertyDescriptor(object, key)?.value
      const text = typeof value === 'string' ? value : ArrayBuffer.isView(value) ? inspect(value) : ''
      if (text.includes(secret) || text.includes('PRIVATE KEY')) throw new Error(`${path}.${String(key)}`)
    }
  }
  expect(found.size).toBeGreaterThan(5)
})

it('a session factory leads to no socket, should anybody get hold of one', async () => {
  const sessions = new SessionFactory({
    clientId: 'walked',
    connectTimeoutMs: 5_000,
    requestTimeoutMs: 5_000,
    maxResponseBytes: 1e6,
    maxIdleMs: 10_000,
    softwareVersion: '0',
    legacyOnly: false,
  })
  const kafka = await startKafka({})
  try {
    const session = await sessions.open({ host: '127.0.0.1', port: Number(kafka.bootstrap.split(':').at(-1)) })
    const objects = [...reachable(sessions).keys(), ...reachable(session).keys()]
    expect(objects.filter((object) => object instanceof Socket)).toEqual([])
  } finally {
    await sessions.close(1_000)
  }
})

it.each([
  ['inspect()', (producer: object) => inspect(producer)],
  ['inspect() of all depths', (producer: object) => inspect(producer, { depth: Infinity, showHidden: true })],
  ['inspect() inside something else', (producer: object) => inspect({ app: { producer } })],
  ['JSON', (producer: object) => JSON.stringify({ producer })],
])('%s of a producer is short', async (_, show) => {
  const text = show(await plain())
  expect(text).toContain('walked')
  expect(text).toMatch(/state"?: ?["']open/)
  expect(text.length).toBeLessThan(300)
  expect(text).not.toContain(secret)
})

it('inspect() that does not let a producer say how it is shown is short, and has no secret', async () => {
  for (const make of [mutualTls, plain]) {
    const text = inspect(await make(), { customInspect: false, showHidden: true })
    expect(text.length).toBeLessThan(10_000)
    expect(text).not.toContain(secret)
    expect(text).not.toContain('PRIVATE KEY')
  }
})

it('a closed producer says so', async () => {
  const producer = await plain()
  await producer.close()
  expect(JSON.parse(JSON.stringify(producer))).toMatchObject({
    clientId: 'walked',
    type: 'sync',
    state: 'closed',
    messages: 0,
    bytes: 0,
  })
})
