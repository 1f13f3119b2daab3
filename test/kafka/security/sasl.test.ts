/** SASL with real brokers: every mechanism, right and wrong, and sessions that are renewed. */
import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SaslOptions } from '../../../src/index.js'
import { CertificateAuthority, type KeyPair } from '../../embedded/support/certificates.js'
import { readTopic } from '../support/kcat.js'
import { RealKafka } from '../support/real-kafka.js'
import { failureOf, producerOf, reauthentications, releases, sslProperties, type SyncOptions } from './support.js'
import { TokenIssuer, unsignedToken, type Claims } from './token-issuer.js'

const reauthenticationSeconds = Number(process.env['REAUTHENTICATION_SECONDS'] ?? '60')
const password = 'alice=secret,1'

describe.each(releases)('SASL with Kafka %s', (release) => {
  const isOld = release.startsWith('0.')
  /** Since Kafka 3.1 brokers can check signatures. */
  const checksSignatures = release.startsWith('4')
  // Kafka keeps it as typed; RFC 4013 would make the last character a plain 2.
  const scramPassword = isOld ? 'alice-secret' : 'alice-sécret²'
  const issuer = new TokenIssuer()
  let kafka: RealKafka
  let authority: CertificateAuthority
  let client: KeyPair

  beforeAll(async () => {
    authority = new CertificateAuthority()
    client = authority.issue({ commonName: 'client' })
    const { dir } = authority
    await issuer.listen()
    const plain = `org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="${password}";`
    const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;'
    const bearer =
      'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";'
    writeFileSync(join(dir, 'jaas.conf'), `KafkaServer { ${plain} ${scram} };`)
    const perListener = (listener: string): Record<string, string> => ({
      [`listener.name.${listener}.plain.sasl.jaas.config`]: plain,
      [`listener.name.${listener}.scram-sha-256.sasl.jaas.config`]: scram,
      [`listener.name.${listener}.scram-sha-512.sasl.jaas.config`]: scram,
      [`listener.name.${listener}.oauthbearer.sasl.jaas.config`]: bearer,
    })
    kafka = await RealKafka.start({
      release,
      topics: { t: { partitions: 3 }, renewed: { partitions: 3 } },
      listeners: { SASL_PLAINTEXT: 'SASL_PLAINTEXT', SASL_SSL: 'SASL_SSL' },
      jvmFlags: [
        `-Djava.security.auth.login.config=${join(dir, 'jaas.conf')}`,
        `-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${issuer.url}`,
      ],
      config: {
        ...sslProperties(authority),
        'sasl.enabled.mechanisms': isOld
          ? 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512'
          : 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
        ...(isOld
          ? {}
          : {
              'connections.max.reauth.ms': '10000',
              ...perListener('sasl_plaintext'),
              ...perListener('sasl_ssl'),
            }),
        ...(checksSignatures
          ? {
              // Unsigned tokens on the one listener, signed ones on the other.
              'listener.name.sasl_ssl.oauthbearer.sasl.server.callback.handler.class':
                'org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler',
              'listener.name.sasl_ssl.oauthbearer.sasl.oauthbearer.jwks.endpoint.url': issuer.url,
              'listener.name.sasl_ssl.oauthbearer.sasl.oauthbearer.expected.audience': issuer.audience,
              'listener.name.sasl_ssl.oauthbearer.sasl.oauthbearer.expected.issuer': issuer.issuer,
            }
          : {}),
      },
    })
    const where =
      kafka.zookeeper === undefined ? ['--bootstrap-server', kafka.bootstrap] : ['--zookeeper', kafka.zookeeper]
    // One by one: Kafka 4 takes no two mechanisms of a user in one request.
    for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-512']) {
      const credentials = `${mechanism}=[iterations=4096,password=${scramPassword}]`
      await kafka.tool('kafka.admin.ConfigCommand', [
        ...where,
        '--alter',
        '--add-config',
        credentials,
        '--entity-type',
        'users',
        '--entity-name',
        'alice',
      ])
    }
  })
  afterAll(async () => {
    await kafka?.stop()
    issuer.close()
    authority?.remove()
  })

  const ssl = () => ({ ca: authority.cert, ...client })

  describe.each(['SASL_PLAINTEXT', 'SASL_SSL'] as const)('%s', (protocol) => {
    const connection = (): SyncOptions => ({
      brokers: kafka.bootstrapOf(protocol),
      ...(protocol === 'SASL_SSL' ? { ssl: ssl() } : {}),
    })

    it.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)('%s: right and wrong', async (mechanism) => {
      const sasl: SaslOptions = {
        mechanism,
        username: 'alice',
        password: mechanism === 'plain' ? password : scramPassword,
      }
      const [metadata] = await producerOf({ ...connection(), sasl }).send({ topic: 't', value: 'v' })
      expect(metadata?.acknowledged).toBe(true)
      for (const wrong of [{ password: 'guess' }, { username: 'nobody' }]) {
        const error = await failureOf({ ...connection(), sasl: { ...sasl, ...wrong } })
        expect(error).toMatchObject({
          code: 'AUTHENTICATION_FAILED',
          mayHaveBeenWritten: false,
          message: expect.stringMatching(/refuses the credentials given as `sasl`.*look at `username` and `password`/),
        })
      }
    })

    it('tells which mechanisms there are', async () => {
      const error = await failureOf({
        ...connection(),
        sasl: { mechanism: 'ANOTHER', authenticator: { begin: () => ({ next: () => undefined }) } },
      })
      expect(error).toMatchObject({
        code: 'AUTHENTICATION_FAILED',
        message: expect.stringMatching(/does not take ANOTHER; it takes .*PLAIN/),
      })
    })

    const isSigned = protocol === 'SASL_SSL' && checksSignatures
    const tokens = (token: string | (() => string)): SyncOptions => ({
      ...connection(),
      sasl: { mechanism: 'oauthbearer', token },
    })
    const make = (claims: Claims = {}) => (isSigned ? issuer.token(claims) : unsignedToken(claims))

    it.skipIf(isOld)('oauthbearer: takes a token that is right', async () => {
      const [metadata] = await producerOf(tokens(() => make())).send({ topic: 't', value: 'v' })
      expect(metadata?.acknowledged).toBe(true)
    })

    it.skipIf(isOld).each(
      [
        ['has expired', () => make({ iat: 1, exp: 2 }), true],
        [
          'is signed by somebody else',
          () => issuer.token({}, generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey),
          isSigned,
        ],
        ['is not signed', () => unsignedToken({ aud: issuer.audience, iss: issuer.issuer }), isSigned],
        ['is for another audience', () => make({ aud: 'elsewhere' }), isSigned],
        ['is of another issuer', () => make({ iss: 'http://elsewhere.example' }), isSigned],
      ].filter(([, , isLookedAt]) => isLookedAt) as [string, () => string][],
    )('oauthbearer: fails at once where the token %s', async (_, token) => {
      const error = await failureOf(tokens(token))
      expect(error).toMatchObject({
        code: 'AUTHENTICATION_FAILED',
        mayHaveBeenWritten: false,
        message: expect.stringMatching(
          /refuses the credentials.*look at when the token ends, and at its signature, issuer and audience/,
        ),
      })
    })
  })

  it('goes on trying until the deadline where that was asked for', async () => {
    const sasl: SaslOptions = { mechanism: 'scram-sha-256', username: 'alice', password: 'guess' }
    const error = await failureOf({
      brokers: kafka.bootstrapOf('SASL_PLAINTEXT'),
      sasl,
      retryAuthenticationErrors: true,
      deliveryTimeoutMs: 2_000,
    })
    expect(error).toMatchObject({
      code: 'DELIVERY_TIMEOUT',
      mayHaveBeenWritten: false,
      message: expect.stringMatching(/refuses the credentials/),
    })
  })

  it('tells at once that a listener wants SASL, and that one does not', async () => {
    // The broker just hangs up: it is asked for its mechanisms then.
    const missing = await failureOf({ brokers: kafka.bootstrapOf('SASL_PLAINTEXT') })
    expect(missing).toMatchObject({
      code: 'AUTHENTICATION_FAILED',
      mayHaveBeenWritten: false,
      message: expect.stringMatching(/wants SASL on this port, by .*PLAIN.*: give `sasl`/),
    })
    await expect(producerOf({ brokers: kafka.bootstrapOf('SASL_PLAINTEXT') }).connect()).rejects.toMatchObject({
      code: 'AUTHENTICATION_FAILED',
      retriable: false,
    })
    const unwanted = await failureOf({
      brokers: kafka.bootstrap,
      sasl: { mechanism: 'plain', username: 'alice', password },
    })
    expect(unwanted).toMatchObject({
      code: 'AUTHENTICATION_FAILED',
      message: expect.stringMatching(
        /wants no SASL on this port: take the port of its SASL listener, or leave `sasl` out/,
      ),
    })
  })

  it.skipIf(isOld)(
    'renews sessions on live connections, and loses nothing',
    { timeout: (reauthenticationSeconds + 60) * 1000 },
    async () => {
      let asked = 0
      const producer = producerOf({
        brokers: kafka.bootstrapOf('SASL_SSL'),
        ssl: ssl(),
        retries: 0,
        sasl: { mechanism: 'scram-sha-256', username: 'alice', password: () => (asked++, scramPassword) },
      })
      const before = await reauthentications(kafka, 'SASL_SSL')
      const until = performance.now() + reauthenticationSeconds * 1000
      const sent: Promise<unknown>[] = []
      for (let i = 0; performance.now() < until; i++) {
        sent.push(producer.send({ topic: 'renewed', key: String(i), value: String(i) }))
        sent.at(-1)?.catch(() => undefined)
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      const outcomes = await Promise.allSettled(sent)
      expect(outcomes.filter(({ status }) => status === 'rejected')).toEqual([])
      const after = await reauthentications(kafka, 'SASL_SSL')
      const renewed = after.renewed - before.renewed
      // The connection that is always busy, about every nine seconds.
      expect(renewed).toBeGreaterThanOrEqual(Math.floor(reauthenticationSeconds / 10))
      expect(after).toMatchObject({ refused: before.refused, killed: before.killed })
      const read = await readTopic({ bootstrap: kafka.bootstrap, topic: 'renewed', release, count: sent.length })
      expect(read.map(({ value }) => Number(value)).toSorted((a, b) => a - b)).toEqual(sent.map((_, i) => i))
      // None was made in place of another: there is one to begin with, one for metadata and one for messages.
      expect(asked - renewed).toBeLessThanOrEqual(3)
      console.log(`${release}: ${sent.length} messages, ${renewed} renewals, none lost`)
    },
  )
})
