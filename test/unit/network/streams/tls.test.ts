import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { createSecureContext, type ConnectionOptions, type PeerCertificate } from 'node:tls'
import { runInNewContext } from 'node:vm'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { systemClock } from '../../../../src/clock.js'
import { LatestUsed } from '../../../../src/network/latest-used.js'
import { Secret } from '../../../../src/network/secret.js'
import { contentDigest } from '../../../../src/network/streams/content-digest.js'
import { asCause, tlsProblem } from '../../../../src/network/streams/tls-errors.js'
import { TlsClient, type SslOption, type SslOptions } from '../../../../src/network/streams/tls.js'

const address = { host: 'kafka-1', port: 9093 }
const settingsOf = (option: SslOption, of = address) =>
  new TlsClient(new Secret(option), systemClock).settingsFor(of, 1_000)

describe('sessions of TLS', () => {
  /** Whether a session that was begun with the first options is taken up with the second. */
  async function isResumed(first: unknown, second: unknown): Promise<boolean> {
    const option = { ...(first as object) }
    const client = new TlsClient(new Secret(option), systemClock)
    ;(await client.settingsFor(address, 1_000)).keep(Buffer.from('session'))
    for (const field of Object.keys(option)) Reflect.deleteProperty(option, field)
    Object.assign(option, second)
    return (await client.settingsFor(address, 1_000)).options.session !== undefined
  }
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string

  it.each<[string, unknown, unknown]>([
    ['are empty', {}, {}],
    ['are the same text', { ca: 'a', rejectUnauthorized: true }, { rejectUnauthorized: true, ca: 'a' }],
    ['are the same bytes', { ca: Buffer.from('a') }, { ca: new Uint8Array([97]) }],
    ['are lists of the same', { ca: ['a', Buffer.from('b')] }, { ca: ['a', Buffer.from('b')] }],
    ['are objects of the same', { key: [{ pem: 'k', passphrase: 'p' }] }, { key: [{ passphrase: 'p', pem: 'k' }] }],
    ['are objects of another realm', { key: [{ pem: 'k' }] }, runInNewContext("({ key: [{ pem: 'k' }] })")],
  ])('are taken up where the options %s', async (_, first, second) => {
    expect(await isResumed(first, second)).toBe(true)
  })

  const cyclic: Record<string, unknown> = {}
  cyclic['self'] = cyclic
  it.each<[string, unknown, unknown]>([
    ['another authority', { ca: 'a' }, { ca: 'b' }],
    ['other bytes', { ca: Buffer.from('a') }, { ca: Buffer.from('b') }],
    ['text instead of bytes', { ca: 'a' }, { ca: Buffer.from('a') }],
    ['the same pieces, cut elsewhere', { ca: ['ab', 'c'] }, { ca: ['a', 'bc'] }],
    ['one more', { ca: ['a'] }, { ca: ['a', 'b'] }],
    ['a deeper list', { ca: ['a', 'b'] }, { ca: [['a'], 'b'] }],
    ['another passphrase', { pfx: [{ buf: 'p', passphrase: '1' }] }, { pfx: [{ buf: 'p', passphrase: '2' }] }],
    ['checks switched off', { rejectUnauthorized: false }, { rejectUnauthorized: true }],
    ['checks switched on', {}, { rejectUnauthorized: false }],
    ['undefined instead of nothing', { ca: undefined }, {}],
    ['another name', { servername: 'a' }, { servername: 'b' }],
    ['a number for a text', { ecdhCurve: '1' }, { ecdhCurve: 1 }],
  ])('are not taken up with %s', async (_, first, second) => {
    expect(await isResumed(first, second)).toBe(false)
    expect(await isResumed(second, first)).toBe(false)
  })

  const context = createSecureContext({})
  const check = () => undefined
  const key = createPrivateKey(pem)
  it.each<[string, unknown]>([
    ['a secure context', { secureContext: context }],
    ['a function', { checkServerIdentity: check }],
    ['a key as a native object', { key }],
    ['a native object in a list', { key: [key] }],
    ['an instance of a class', { ca: new Map([['a', 'b']]) }],
    ['what leads back to itself', { ca: cyclic }],
    ['a symbol', { ca: Symbol.for('a') }],
  ])('are never taken up with %s, though it is the same one', async (_, options) => {
    expect(await isResumed(options, options)).toBe(false)
  })

  it('are not taken up where an object has other contents by now, anywhere in it', async () => {
    for (const change of [
      (options: { ca: string[]; cert: Buffer; key: { pem: string }[] }) => (options.ca[0] = 'other'),
      (options: { cert: Buffer }) => options.cert.write('X'),
      (options: { key: { pem: string }[] }) => Object.assign(options.key[0] as object, { pem: 'other' }),
      (options: object) => Object.assign(options, { servername: 'other' }),
    ]) {
      const options = { ca: ['a'], cert: Buffer.from('cert'), key: [{ pem: 'k' }] }
      const client = new TlsClient(new Secret(options), systemClock)
      ;(await client.settingsFor(address, 1_000)).keep(Buffer.from('session'))
      expect((await client.settingsFor(address, 1_000)).options.session).toBeDefined()
      change(options)
      expect((await client.settingsFor(address, 1_000)).options.session).toBeUndefined()
    }
  })

  it('are kept for the newest of ever new brokers', async () => {
    const client = new TlsClient(new Secret<SslOption>(true), systemClock)
    const of = (port: number) => client.settingsFor({ host: 'kafka', port }, 1_000)
    for (let port = 1; port <= 2_000; port++) (await of(port)).keep(Buffer.from('session'))
    const isKept = async (port: number) => (await of(port)).options.session !== undefined
    expect([await isKept(2_000), await isKept(1_900), await isKept(1_000), await isKept(1)]).toEqual([
      true,
      true,
      false,
      false,
    ])
  })

  it('are of one broker each, and dropped where a handshake failed', async () => {
    const client = new TlsClient(new Secret<SslOption>(true), systemClock)
    const settings = await client.settingsFor(address, 1_000)
    settings.keep(Buffer.from('session'))
    expect((await client.settingsFor({ ...address, port: 1 }, 1_000)).options.session).toBeUndefined()
    settings.forget()
    expect((await client.settingsFor(address, 1_000)).options.session).toBeUndefined()
  })
})

it('a map of the latest used forgets what was not looked at for longest', () => {
  const map = new LatestUsed<string, number>(2)
  map.set('a', 1)
  map.set('b', 2)
  expect(map.get('a')).toBe(1)
  map.set('c', 3)
  expect([map.get('a'), map.get('b'), map.get('c'), map.size]).toEqual([1, undefined, 3, 2])
})

it('a digest is none where a getter throws', () => {
  expect(
    contentDigest({
      a: Object.defineProperty({}, 'b', {
        enumerable: true,
        get: () => {
          throw new Error('no')
        },
      }),
    }),
  ).toBeUndefined()
})

describe('functions given with `ssl`', () => {
  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('no')
      },
    ],
    ['rejects', () => Promise.reject(new Error('no'))],
    ['gives nothing', () => undefined],
    ['gives a text', () => 'S3CRET'],
    [
      'gives a thenable that throws',
      () => ({
        then: () => {
          throw new Error('no')
        },
      }),
    ],
    ['gives a socket of its own', () => ({ socket: {} })],
    ['gives a session of its own', () => ({ session: Buffer.alloc(1) })],
    ['never settles', () => new Promise(() => undefined)],
    ['gives a thenable that never settles', () => ({ then: () => undefined })],
  ])('one that %s is asked again later', async (_, misbehave) => {
    const client = new TlsClient(new Secret(misbehave as () => SslOptions), systemClock)
    const failure = client.settingsFor(address, 50)
    await expect(failure).rejects.toMatchObject({ code: 'TLS_FAILED', retriable: true })
    await expect(failure).rejects.toMatchObject({ message: expect.not.stringContaining('S3CRET') })
  })

  it('one is not called amid the step that needs it', async () => {
    let isAmid = true
    const seen: boolean[] = []
    const settings = settingsOf(() => {
      seen.push(isAmid)
      return {}
    })
    isAmid = false
    await settings
    expect(seen).toEqual([false])
  })

  const identityOf = async (check: (host: string, certificate: PeerCertificate) => unknown) =>
    (
      await settingsOf({ checkServerIdentity: check as NonNullable<ConnectionOptions['checkServerIdentity']> })
    ).options.checkServerIdentity?.('kafka', {} as PeerCertificate)

  it('checkServerIdentity: what it throws or gives refuses the certificate and goes no further', async () => {
    const problem = new Error('wrong')
    expect(await identityOf(() => undefined)).toBeUndefined()
    expect(await identityOf(() => problem)).toMatchObject({ retriable: false, cause: problem })
    expect(
      await identityOf(() => {
        throw new Error('no')
      }),
    ).toMatchObject({ retriable: true, message: expect.stringMatching(/`ssl: \{ checkServerIdentity \}` failed: no$/) })
    const named = Object.assign(new Error('no such name'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
    expect(await identityOf(() => named)).toMatchObject({ message: expect.stringContaining('`ssl: { servername }`') })
    expect(await identityOf(async () => Promise.reject(new Error('late')))).toBeInstanceOf(Error)
    expect(await identityOf(async () => undefined)).toBeInstanceOf(Error)
    expect(await identityOf(() => 'wrong')).toBeInstanceOf(Error)
  })

  it('pskCallback: what it throws is no key', async () => {
    const { options } = await settingsOf({
      pskCallback: () => {
        throw new Error('no')
      },
    })
    expect(options.pskCallback?.('hint')).toBeNull()
  })

  it('pskCallback: one that rejects does so unheard', async () => {
    const rejects = vi.fn(() => Promise.reject(new Error('no')))
    const { options } = await settingsOf({ pskCallback: rejects as never })
    const rejected = vi.fn()
    process.on('unhandledRejection', rejected)
    onTestFinished(() => void process.off('unhandledRejection', rejected))
    options.pskCallback?.('hint')
    await new Promise((resolve) => setImmediate(resolve))
    expect(rejects).toHaveBeenCalledTimes(1)
    expect(rejected).not.toHaveBeenCalled()
  })
})

it('a certificate that is not for servers is told as such', () => {
  const error = Object.assign(new Error('unsuitable certificate purpose'), { code: 'INVALID_PURPOSE' })
  expect(tlsProblem(error, 'kafka-1:9093')?.message).toMatch(/not for servers.*`serverAuth`/)
})

it('what OpenSSL has against a certificate and Node has no name for is no want of TLS, and final', () => {
  const error = Object.assign(new Error('EE certificate key too weak'), { code: 'UNSPECIFIED' })
  const problem = tlsProblem(error, 'kafka-1:9093')
  expect(problem).toMatchObject({ retriable: false, message: expect.stringMatching(/certificate.*key too weak/) })
  expect(problem?.message).not.toMatch(/leave `ssl` out|`ssl: \{ ca \}`/)
})

it.each([
  ['bytes that changed on the way', 'ERR_SSL_SSLV3_ALERT_BAD_RECORD_MAC', 'open'],
  ['the same, once the broker has answered', 'ERR_SSL_SSLV3_ALERT_UNEXPECTED_MESSAGE', 'answered'],
] as const)('an alert for %s blames no certificate, and passes', (_, code, progress) => {
  const problem = tlsProblem(Object.assign(new Error('alert'), { code }), 'kafka-1:9093', progress)
  expect(problem).toMatchObject({ code: 'TLS_FAILED', retriable: true })
  expect(problem?.message).not.toContain('certificate')
})

it('what failed is the cause of an error without its certificate, whatever realm it is of', () => {
  const failure: unknown = runInNewContext(
    "Object.assign(new Error('not trusted'), { code: 'CODE', cert: { raw: 'DER' } })",
  )
  const cause = asCause(failure)
  expect(cause).toMatchObject({ message: 'not trusted', code: 'CODE' })
  expect(cause).not.toHaveProperty('cert')
})
