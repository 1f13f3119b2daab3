import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import createDebug from 'debug'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { oidcToken, Producer, ProducerConfig, type ProducerOptions, type SaslOptions } from '../../../src/index.js'
import type { EmbeddedKafka, EmbeddedKafkaOptions } from '../../../src/testing/index.js'
import { CertificateAuthority, type KeyPair } from '../support/certificates.js'
import { startKafka } from '../support/cluster.js'
import { leaks } from '../support/secrets.js'

type Options = ProducerOptions

interface Case {
  /** What the producer is given. */
  readonly options: Pick<Options, 'sasl' | 'ssl'>
  readonly secrets: readonly (string | Buffer)[]
  /** Brokers that let it in. */
  readonly right: EmbeddedKafkaOptions
  /** Brokers that do not. */
  readonly wrong: EmbeddedKafkaOptions
}

const secret = `s3cr3t+${randomBytes(12).toString('base64')}`
const users = { alice: secret }
const topics = { t: {} }

let authority: CertificateAuthority
let server: KeyPair
let client: KeyPair
beforeAll(() => {
  authority = new CertificateAuthority()
  server = authority.issue()
  client = authority.issue({ commonName: 'client' })
})
afterAll(() => authority.remove())

function withSasl(sasl: SaslOptions, secrets: Case['secrets'] = [secret]): Case {
  return {
    options: { sasl },
    secrets,
    right: { topics, sasl: { users, sessionLifetimeMs: 300 } },
    wrong: { topics, sasl: { users: { alice: 'another' }, mechanisms: ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] } },
  }
}

function withTls(make: () => Omit<Case, 'right' | 'wrong'>): () => Case {
  return () => ({
    ...make(),
    right: { topics, ssl: { ...server, ca: authority.cert, requestCert: true, rejectUnauthorized: true } },
    wrong: { topics, ssl: authority.issue({ expired: true }) },
  })
}

function jsonWebToken(): string {
  const part = (json: object) => Buffer.from(JSON.stringify(json)).toString('base64url')
  return `${part({ alg: 'none' })}.${part({ sub: 'alice', exp: Math.floor(Date.now() / 1000) + 3600, jti: secret })}.`
}

function plainToken(): Buffer {
  return Buffer.from(`\0alice\0${secret}`)
}

/** The lines of a key in PEM that are the key. */
function linesOf(pem: string): string[] {
  return pem.split('\n').filter((line) => line !== '' && !line.startsWith('-----'))
}

/** An OpenID provider that answers with what it was told, as a careless one may. */
async function provider(token: () => string | undefined): Promise<string> {
  const http = createServer((request, response) => {
    const answer = token()
    if (answer === undefined) response.writeHead(401)
    response.end(
      JSON.stringify({
        access_token: answer,
        expires_in: 60,
        error: 'invalid_client',
        error_description: request.headers.authorization,
      }),
    )
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void http.close())
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}/token`
}

const cases: Record<string, () => Case | Promise<Case>> = {
  'PLAIN, a password': () => withSasl({ mechanism: 'plain', username: 'alice', password: secret }),
  'PLAIN, a function': () => withSasl({ mechanism: 'plain', username: 'alice', password: async () => secret }),
  'SCRAM-SHA-256, a password': () => withSasl({ mechanism: 'scram-sha-256', username: 'alice', password: secret }),
  'SCRAM-SHA-512, a function': () =>
    withSasl({ mechanism: 'scram-sha-512', username: 'alice', password: () => secret }),
  'OAUTHBEARER, a token': () => {
    const token = jsonWebToken()
    return withSasl({ mechanism: 'oauthbearer', token }, [secret, token])
  },
  'OAUTHBEARER, a function with extensions': () => {
    const token = jsonWebToken()
    return withSasl({ mechanism: 'oauthbearer', token: () => ({ token, extensions: { proof: secret } }) }, [
      secret,
      token,
    ])
  },
  'OAUTHBEARER, of a provider': async () => {
    const token = jsonWebToken()
    const tokenEndpoint = await provider(() => token)
    return withSasl(
      { mechanism: 'oauthbearer', token: oidcToken({ tokenEndpoint, clientId: 'me', clientSecret: `${secret}!` }) },
      [secret, token],
    )
  },
  'an authenticator': () =>
    withSasl({
      mechanism: 'PLAIN',
      authenticator: {
        begin: () => ({ next: (challenge?: Uint8Array) => (challenge === undefined ? plainToken() : undefined) }),
        password: secret,
      } as never,
    }),
  'TLS, a key': withTls(() => ({ options: { ssl: { ca: authority.cert, ...client } }, secrets: linesOf(client.key) })),
  'TLS, a function that gives a key': withTls(() => ({
    options: { ssl: async () => ({ ca: authority.cert, ...client }) },
    secrets: linesOf(client.key),
  })),
  'TLS, an encrypted key': withTls(() => {
    const { dir } = authority
    authority.openssl('pkcs8', '-topk8', '-in', 'issued-2.key', '-out', 'encrypted.key', '-passout', `pass:${secret}`)
    return {
      options: {
        ssl: {
          ca: authority.cert,
          cert: client.cert,
          key: readFileSync(join(dir, 'encrypted.key')),
          passphrase: secret,
        },
      },
      secrets: [secret, ...linesOf(authority.read('encrypted.key'))],
    }
  }),
  'TLS, PKCS12': withTls(() => {
    authority.openssl(
      'pkcs12',
      '-export',
      '-in',
      'issued-2.pem',
      '-inkey',
      'issued-2.key',
      '-out',
      'client.p12',
      '-passout',
      `pass:${secret}`,
    )
    const pfx = readFileSync(join(authority.dir, 'client.p12'))
    return {
      options: { ssl: { ca: authority.cert, pfx, passphrase: secret } },
      secrets: [secret, pfx.subarray(100, 148)],
    }
  }),
}

function producerOf(options: Options): Producer {
  const producer = new Producer({ retryBackoffMs: 20, deliveryTimeoutMs: 15_000, ...options })
  onTestFinished(async () => {
    await producer.close({ timeoutMs: 0 })
  })
  return producer
}

/** Runs it with all logs on; what they said is looked at as well. */
async function withLogs(run: () => Promise<void>): Promise<string> {
  let lines = ''
  const write = vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => ((lines += String(chunk)), true))
  createDebug.enable('*')
  try {
    await run()
  } finally {
    createDebug.disable()
    write.mockRestore()
  }
  return lines
}

async function failureOf(producer: Producer): Promise<unknown> {
  return producer.send({ topic: 't', value: 'v' }).then(
    () => expect.unreachable('it was let in'),
    (error: unknown) => error,
  )
}

/** Session after session, each renewal refused, until a message shows it. */
async function refusedRenewal(kafka: EmbeddedKafka, options: Options): Promise<unknown> {
  const producer = producerOf({ ...options, retries: 0, deliveryTimeoutMs: 5_000 })
  await producer.send({ topic: 't', value: 'v' })
  kafka.fail({ api: 'SaslAuthenticate', times: Infinity }, 'SASL_AUTHENTICATION_FAILED')
  for (;;) {
    const error: unknown = await producer.send({ topic: 't', value: 'v' }).then(
      () => undefined,
      (cause: unknown) => cause,
    )
    if (error !== undefined) return error
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

describe('secrets', () => {
  it.each(Object.entries(cases))('are seen nowhere: %s', async (_, make) => {
    const { options, secrets, right, wrong } = await make()
    const nothingIn = (value: unknown) => expect(leaks(value, secrets)).toEqual([])
    const [good, bad] = [await startKafka(right), await startKafka(wrong)]
    const logs = await withLogs(async () => {
      nothingIn(new ProducerConfig({ brokers: good.bootstrap, ...options }))
      const producer = producerOf({ brokers: good.bootstrap, ...options })
      nothingIn(producer)
      nothingIn(await producer.send({ topic: 't', value: 'v' }))
      nothingIn(producer)
      nothingIn(producer.stats())
      if (right.sasl !== undefined) nothingIn(await refusedRenewal(good, { brokers: good.bootstrap, ...options }))

      const refused = producerOf({ brokers: bad.bootstrap, ...options })
      nothingIn(await failureOf(refused))
      nothingIn(refused)
      nothingIn(
        await failureOf(
          producerOf({ brokers: bad.bootstrap, ...options, retryAuthenticationErrors: true, deliveryTimeoutMs: 300 }),
        ),
      )

      const reports: unknown[] = []
      const logger = new Producer({
        brokers: bad.bootstrap,
        ...options,
        type: 'async',
        onDelivery: (report) => reports.push(report),
      })
      await logger.send({ topic: 't', value: 'v' })
      await logger.flush()
      expect(reports).toHaveLength(1)
      nothingIn(reports[0])
      nothingIn(await logger.close())
    })
    expect(logs).toMatch(/kafka-producer:/)
    nothingIn(logs)
  })

  it('are not in the error where a provider sends them back', async () => {
    const tokenEndpoint = await provider(() => undefined)
    const kafka = await startKafka({ topics, sasl: { users } })
    const token = oidcToken({ tokenEndpoint, clientId: 'me', clientSecret: secret })
    expect(
      leaks(await failureOf(producerOf({ brokers: kafka.bootstrap, sasl: { mechanism: 'oauthbearer', token } })), [
        secret,
      ]),
    ).toEqual([])
  })

  it.each([
    [{ mechanism: 'plain', username: 'a' }, /sasl\.password.*missing/],
    [{ mechanism: 'plain', username: 'a', password: 7 }, /sasl\.password/],
    [{ mechanism: 'plain', username: 'a', password: secret, passwrd: secret }, /no field 'passwrd'/],
    [{ mechanism: 'plain', username: 'a', password: [secret] }, /sasl\.password/],
    [{ mechanism: 'oauthbearer', token: { tokn: secret } }, /sasl\.token/],
    [{ mechanism: 'gssapi', password: secret }, /needs an `authenticator`/],
    [secret, /`mechanism`/],
  ])('are not told by what refuses an option: %#', (sasl, text) => {
    let error: unknown
    try {
      new ProducerConfig({ brokers: 'localhost', sasl: sasl as unknown as SaslOptions })
    } catch (thrown) {
      error = thrown
    }
    expect(error).toMatchObject({ code: 'INVALID_CONFIG', message: expect.stringMatching(text) })
    expect(leaks(error, [secret])).toEqual([])
  })

  it.each([
    ['as it is', `the password is ${secret}`],
    ['in an object', { deep: { er: [{ password: secret }] } }],
    ['in a token', plainToken()],
    ['in the base64 of a token', plainToken().toString('base64')],
    ['in a URL', `http://localhost/?secret=${encodeURIComponent(secret)}`],
    ['as numbers', new Uint8Array(Buffer.from(secret))],
    ['in a hidden property', Object.defineProperty({}, 'password', { value: secret })],
    ['in the cause of a cause', new Error('a', { cause: new Error('b', { cause: new Error(secret) }) })],
  ])('would be found %s', (_, value) => {
    expect(leaks(value, [secret])).not.toEqual([])
  })
})
