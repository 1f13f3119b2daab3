/**
 * Secured listeners of real brokers: `npm run test:kafka:security`, for the releases that KAFKA_RELEASES names (default:
 * 0.10.2, 2.8 and the newest). Certificates are made by openssl, users by Kafka's own tool.
 */
import { createPrivateKey, createSign, generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { FailedToSendMessageError, Producer, type DeliveryError, type ProducerOptions, type SaslOptions } from '../../../src/index.js'
import { CertificateAuthority, type KeyPair } from '../../embedded/support/certificates.js'
import { RealKafka } from '../support/real-kafka.js'

const releases = (process.env['KAFKA_RELEASES'] ?? '0.10.2,2.8,4').split(',')
const reauthenticationSeconds = Number(process.env['REAUTHENTICATION_SECONDS'] ?? '60')

const password = 'alice=secret,1'
const tokenOf = (claims: Record<string, unknown>, header: Record<string, unknown> = { alg: 'none' }, sign: (text: string) => string = () => '') => {
  const part = (json: object) => Buffer.from(JSON.stringify(json)).toString('base64url')
  const text = `${part(header)}.${part({ sub: 'alice', iat: Math.floor(Date.now() / 1000), exp: Math.floor(Date.now() / 1000) + 600, ...claims })}`
  return `${text}.${sign(text)}`
}

type SyncOptions = ProducerOptions<unknown, unknown, 'sync'>

function producerOf(options: SyncOptions): Producer {
  const producer = new Producer({ deliveryTimeoutMs: 30_000, ...options })
  onTestFinished(async () => {
    await producer.close({ timeoutMs: 0 })
  })
  return producer
}

async function failureOf(options: SyncOptions): Promise<DeliveryError> {
  const error: unknown = await producerOf(options).send({ topic: 't', value: 'v' }).catch((cause: unknown) => cause)
  expect(error).toBeInstanceOf(FailedToSendMessageError)
  return (error as FailedToSendMessageError).results[0] as DeliveryError
}

describe.each(releases)('Kafka %s', (release) => {
  const isOld = release.startsWith('0.')
  // Kafka keeps it as typed; RFC 4013 would make the last character a plain 2.
  const scramPassword = isOld ? 'alice-secret' : 'alice-sécret²'
  let kafka: RealKafka
  let authority: CertificateAuthority
  let client: KeyPair
  let jwks: Server
  const signer = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const sign = (text: string) => createSign('RSA-SHA256').update(text).sign(createPrivateKey(signer.privateKey.export({ type: 'pkcs8', format: 'pem' })), 'base64url')

  beforeAll(async () => {
    authority = new CertificateAuthority()
    const server = authority.issue()
    client = authority.issue({ commonName: 'client' })
    const { dir } = authority
    writeFileSync(join(dir, 'server.pem'), server.cert + server.key)
    authority.openssl('pkcs12', '-export', '-in', 'server.pem', '-passout', 'pass:changeit', '-out', 'server.p12', '-name', 'server')
    // Java finds an authority in PKCS12 only where its own tool has put it.
    const { execFileSync } = await import('node:child_process')
    execFileSync('keytool', ['-importcert', '-noprompt', '-storetype', 'PKCS12', '-keystore', join(dir, 'trust.p12'), '-storepass', 'changeit', '-alias', 'ca', '-file', join(dir, 'ca.pem')], { stdio: 'pipe' })
    jwks = createServer((_, response) => {
      const key = { ...signer.publicKey.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'RS256' }
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [key] }))
    })
    await new Promise<void>((resolve) => jwks.listen(0, '127.0.0.1', resolve))
    const jwksUrl = `http://127.0.0.1:${(jwks.address() as AddressInfo).port}/keys`
    const plain = `org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="${password}";`
    const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;'
    const bearer = 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";'
    writeFileSync(join(dir, 'jaas.conf'), `KafkaServer { ${plain} ${scram} };`)
    const packageOf = release.startsWith('4') ? 'org.apache.kafka.common.security.oauthbearer' : 'org.apache.kafka.common.security.oauthbearer.secured'
    const perListener = (listener: string): Record<string, string> => ({
      [`listener.name.${listener}.plain.sasl.jaas.config`]: plain,
      [`listener.name.${listener}.scram-sha-256.sasl.jaas.config`]: scram,
      [`listener.name.${listener}.scram-sha-512.sasl.jaas.config`]: scram,
      [`listener.name.${listener}.oauthbearer.sasl.jaas.config`]: bearer,
    })
    kafka = await RealKafka.start({
      release,
      topics: { t: { partitions: 3 } },
      listeners: ['SSL', 'SASL_PLAINTEXT', 'SASL_SSL'],
      jvmFlags: [`-Djava.security.auth.login.config=${join(dir, 'jaas.conf')}`, `-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${jwksUrl}`],
      config: {
        'ssl.keystore.type': 'PKCS12',
        'ssl.keystore.location': join(dir, 'server.p12'),
        'ssl.keystore.password': 'changeit',
        'ssl.key.password': 'changeit',
        'ssl.truststore.type': 'PKCS12',
        'ssl.truststore.location': join(dir, 'trust.p12'),
        'ssl.truststore.password': 'changeit',
        'ssl.client.auth': 'required',
        'sasl.enabled.mechanisms': isOld ? 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512' : 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
        ...(isOld
          ? {}
          : {
              'connections.max.reauth.ms': '10000',
              ...perListener('sasl_plaintext'),
              ...perListener('sasl_ssl'),
            }),
        ...(release.startsWith('4')
          ? {
              // Unsigned tokens on the one listener, signed ones on the other.
              'listener.name.sasl_ssl.oauthbearer.sasl.server.callback.handler.class': `${packageOf}.OAuthBearerValidatorCallbackHandler`,
              'listener.name.sasl_ssl.oauthbearer.sasl.oauthbearer.jwks.endpoint.url': jwksUrl,
              'listener.name.sasl_ssl.oauthbearer.sasl.oauthbearer.expected.audience': 'kafka',
              'listener.name.sasl_ssl.oauthbearer.sasl.oauthbearer.expected.issuer': 'http://issuer.example',
            }
          : {}),
      },
    })
    const where = kafka.zookeeper === undefined ? ['--bootstrap-server', kafka.bootstrap] : ['--zookeeper', kafka.zookeeper]
    // One by one: Kafka 4 takes no two mechanisms of a user in one request.
    for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-512']) {
      const credentials = `${mechanism}=[iterations=4096,password=${scramPassword}]`
      await kafka.tool('kafka.admin.ConfigCommand', [...where, '--alter', '--add-config', credentials, '--entity-type', 'users', '--entity-name', 'alice'])
    }
  })
  afterAll(async () => {
    await kafka?.stop()
    jwks?.close()
    authority?.remove()
  })

  const ssl = () => ({ ca: authority.cert, ...client })
  it('takes a client’s certificate over TLS', async () => {
    const [metadata] = await producerOf({ brokers: kafka.bootstrapOf('SSL'), ssl: ssl() }).send({ topic: 't', value: 'v' })
    expect(metadata?.acknowledged).toBe(true)
  })

  it('is told what is wrong with TLS', async () => {
    const brokers = kafka.bootstrapOf('SSL')
    expect(await failureOf({ brokers, ssl: { ...client } })).toMatchObject({ code: 'TLS_FAILED', message: expect.stringMatching(/not trusted/) })
    expect(await failureOf({ brokers: brokers.replace('127.0.0.1', '127.0.0.2'), ssl: ssl(), deliveryTimeoutMs: 3_000 })).toMatchObject({ message: expect.stringMatching(/127\.0\.0\.2/) })
    const without = await failureOf({ brokers, ssl: { ca: authority.cert }, deliveryTimeoutMs: 8_000 })
    expect(without.message).toMatch(/certificate.*`ssl: \{ cert, key \}`/)
    const plain = await failureOf({ brokers, deliveryTimeoutMs: 8_000 })
    expect(plain.message).toMatch(/give `ssl/)
    const toPlain = await failureOf({ brokers: kafka.bootstrap, ssl: ssl(), deliveryTimeoutMs: 3_000 })
    expect(toPlain.message).toMatch(/leave `ssl` out/)
  })

  describe.each(['SASL_PLAINTEXT', 'SASL_SSL'] as const)('%s', (protocol) => {
    const connection = (): SyncOptions => ({ brokers: kafka.bootstrapOf(protocol), ...(protocol === 'SASL_SSL' ? { ssl: ssl() } : {}) })

    it.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)('%s: right and wrong', async (mechanism) => {
      const sasl: SaslOptions = { mechanism, username: 'alice', password: mechanism === 'plain' ? password : scramPassword }
      const [metadata] = await producerOf({ ...connection(), sasl }).send({ topic: 't', value: 'v' })
      expect(metadata?.acknowledged).toBe(true)
      const began = performance.now()
      const wrong = await failureOf({ ...connection(), sasl: { ...sasl, password: 'guess' } })
      expect(wrong).toMatchObject({ code: 'AUTHENTICATION_FAILED', mayHaveBeenWritten: false })
      expect(performance.now() - began).toBeLessThan(10_000)
    })

    it('tells which mechanisms there are', async () => {
      const error = await failureOf({ ...connection(), sasl: { mechanism: 'ANOTHER', authenticator: { begin: () => ({ next: () => undefined }) } } })
      expect(error).toMatchObject({ code: 'AUTHENTICATION_FAILED', message: expect.stringMatching(/does not take ANOTHER; it takes .*PLAIN/) })
    })

    it.skipIf(isOld)('oauthbearer: right, expired and unsigned', async () => {
      const isSigned = protocol === 'SASL_SSL' && release.startsWith('4')
      const make = (claims: Record<string, unknown>) => (isSigned ? tokenOf({ aud: 'kafka', iss: 'http://issuer.example', ...claims }, { alg: 'RS256', kid: 'one' }, sign) : tokenOf(claims))
      const [metadata] = await producerOf({ ...connection(), sasl: { mechanism: 'oauthbearer', token: () => make({}) } }).send({ topic: 't', value: 'v' })
      expect(metadata?.acknowledged).toBe(true)
      const expired = await failureOf({ ...connection(), sasl: { mechanism: 'oauthbearer', token: make({ iat: 1, exp: 2 }) } })
      expect(expired).toMatchObject({ code: 'AUTHENTICATION_FAILED' })
      if (isSigned) expect(await failureOf({ ...connection(), sasl: { mechanism: 'oauthbearer', token: tokenOf({ aud: 'kafka' }) } })).toMatchObject({ code: 'AUTHENTICATION_FAILED' })
    })
  })

  it('is told that a listener wants SASL, and that one does not', async () => {
    const missing = await failureOf({ brokers: kafka.bootstrapOf('SASL_PLAINTEXT'), deliveryTimeoutMs: 5_000 })
    expect(missing.message).toMatch(/give `sasl`/)
    const unwanted = await failureOf({ brokers: kafka.bootstrap, sasl: { mechanism: 'plain', username: 'alice', password } })
    expect(unwanted.message).toMatch(/wants no SASL on this port/)
  })

  it.skipIf(isOld)('renews sessions on live connections, and loses nothing', { timeout: (reauthenticationSeconds + 60) * 1000 }, async () => {
    let asked = 0
    const producer = producerOf({
      brokers: kafka.bootstrapOf('SASL_SSL'),
      ssl: ssl(),
      retries: 0,
      sasl: { mechanism: 'scram-sha-256', username: 'alice', password: () => (asked++, scramPassword) },
    })
    const until = performance.now() + reauthenticationSeconds * 1000
    const sent: Promise<unknown>[] = []
    for (let i = 0; performance.now() < until; i++) {
      sent.push(producer.send({ topic: 't', key: String(i), value: String(i) }))
      sent.at(-1)?.catch(() => undefined)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    const outcomes = await Promise.allSettled(sent)
    expect(outcomes.filter(({ status }) => status === 'rejected')).toEqual([])
    // Two connections, each renewed about every nine seconds.
    expect(asked - 2).toBeGreaterThanOrEqual(Math.floor(reauthenticationSeconds / 12))
    console.log(`${release}: ${sent.length} messages, ${asked - 2} renewals, none lost`)
  })
})
