import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Server, Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { oidcToken, type OidcOptions } from '../../../../src/index.js'
import type { SaslExchange } from '../../../../src/network/sasl/mechanism.js'
import { oauthBearerMechanism } from '../../../../src/network/sasl/oauthbearer.js'
import { Secret } from '../../../../src/network/secret.js'
import type { BrokerAddress } from '../../../../src/network/streams/connect.js'
import { CertificateAuthority, type KeyPair } from '../../../embedded/support/certificates.js'
import { deadAddress, errorOf, plainServer, turns, until } from '../../../embedded/support/producers.js'

let authority: CertificateAuthority
let pair: KeyPair
beforeAll(() => {
  authority = new CertificateAuthority()
  pair = authority.issue()
})
afterAll(() => authority.remove())

interface Seen {
  readonly authorization: string | undefined
  readonly body: string
}

/** A provider, by TLS or not, and what it was sent. */
async function provider(
  answer: (response: ServerResponse, request: IncomingMessage) => void = give('tok'),
  isSecure = false,
): Promise<{ tokenEndpoint: string; seen: Seen[]; open: Set<Socket> }> {
  const seen: Seen[] = []
  const listener: RequestListener = (request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += String(chunk)))
    request.on('end', () => {
      const basic = request.headers.authorization?.replace(/^Basic /, '')
      seen.push({ authorization: basic && String(Buffer.from(basic, 'base64')), body })
      answer(response, request)
    })
  }
  const server: Server = isSecure ? createTlsServer(pair, listener) : createServer(listener)
  const open = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { tokenEndpoint: `${isSecure ? 'https' : 'http'}://127.0.0.1:${port}/token`, seen, open }
}

function give(token: string, more: object = { expires_in: 3600 }) {
  return (response: ServerResponse) => void response.end(JSON.stringify({ access_token: token, ...more }))
}

const client = { clientId: 'me', clientSecret: 'S3CRET' }

describe('the endpoint', () => {
  it.each(['0', '1'])('an impostor is told nothing, with NODE_TLS_REJECT_UNAUTHORIZED=%s', async (value) => {
    const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED']
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = value
    onTestFinished(() => {
      if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']
      else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before
    })
    const { tokenEndpoint, seen } = await provider(give('tok'), true)
    await expect(oidcToken({ ...client, tokenEndpoint })()).rejects.toMatchObject({
      code: 'AUTHENTICATION_FAILED',
      retriable: true,
      message: expect.stringMatching(/not trusted: give .* `ca` \(/),
    })
    expect(seen).toEqual([])
  })

  it('is trusted by the authority given', async () => {
    const { tokenEndpoint, seen } = await provider(give('tok'), true)
    expect(await oidcToken({ ...client, tokenEndpoint, ca: authority.cert })()).toBe('tok')
    const another = new CertificateAuthority('Another')
    onTestFinished(() => another.remove())
    await expect(oidcToken({ ...client, tokenEndpoint, ca: [another.cert] })()).rejects.toThrow(/not trusted/)
    expect(seen).toHaveLength(1)
  })

  it('is told by its origin alone where its URL has credentials, or is none of https', () => {
    for (const tokenEndpoint of [
      'https://me:s3cretpw@login.example/token',
      'https://s3cretpw@login.example/token?key=s3cretpw',
      'http://me:s3cretpw@login.example/token',
      'me:s3cretpw@login.example',
    ]) {
      expect(() => oidcToken({ ...client, tokenEndpoint }), tokenEndpoint).toThrow(
        expect.objectContaining({ code: 'INVALID_CONFIG', message: expect.not.stringContaining('s3cretpw') }),
      )
    }
    expect(() => oidcToken({ ...client, tokenEndpoint: 'https://a:b@login.example/token' })).toThrow(
      /without credentials.*https:\/\/login\.example with/,
    )
  })

  it('that can’t be reached is told with the reason', async () => {
    const tokenEndpoint = `http://${await deadAddress()}/token`
    await expect(oidcToken({ ...client, tokenEndpoint })()).rejects.toMatchObject({
      retriable: true,
      message: expect.stringMatching(/gave no token: ECONNREFUSED/),
    })
    await expect(
      oidcToken({ ...client, tokenEndpoint: tokenEndpoint.replace('127.0.0.1', 'localhost') })(),
    ).rejects.toThrow(/gave no token: .*ECONNREFUSED/)
  })

  it('that sends elsewhere is not followed there', async () => {
    const { tokenEndpoint: elsewhere, seen } = await provider()
    const { tokenEndpoint } = await provider((response) => response.writeHead(307, { location: elsewhere }).end())
    await expect(oidcToken({ ...client, tokenEndpoint })()).rejects.toThrow(/status 307; redirects are not followed/)
    expect(seen).toEqual([])
  })

  it.each([
    ['a page to log in by', '<html></html>', /gave no token, but what is no JSON: is this its token endpoint\?$/],
    ['another token', '{"id_token":"S3CRET"}', /gave no token, but JSON without an `access_token`$/],
    ['an empty token', '{"access_token":""}', /gave no token, but JSON without an `access_token`$/],
  ])('that answers with %s says so', async (_, text, message) => {
    const { tokenEndpoint } = await provider((response) => void response.end(text))
    await expect(oidcToken({ ...client, tokenEndpoint })()).rejects.toThrow(message)
  })

  it.each<[string, (response: ServerResponse) => void]>([
    ['never answers', () => undefined],
    ['never ends its answer', (response) => void response.write('{')],
  ])('that %s is given up, connection and all, and asked anew', async (_, misbehave) => {
    let asked = 0
    const { tokenEndpoint, open } = await provider((response) => (++asked === 1 ? misbehave : give('tok'))(response))
    const token = oidcToken({ ...client, tokenEndpoint, timeoutMs: 1_000 })
    await expect(token()).rejects.toMatchObject({ retriable: true, message: expect.stringMatching(/within 1000 ms/) })
    await until(() => open.size === 0, 'the connection is closed')
    expect(await token()).toBe('tok')
  })

  it('whose answer is no HTTP is told without what is in it', async () => {
    const text = JSON.stringify({ access_token: 'S3CRET' })
    // As some proxies send it: how long it is is said twice, and differently.
    const head = `HTTP/1.1 200 OK\r\ncontent-length: ${text.length}\r\ntransfer-encoding: chunked\r\n\r\n`
    const { address } = await plainServer((socket) => void socket.once('data', () => socket.end(head + text)))
    const error = await errorOf(oidcToken({ ...client, tokenEndpoint: `http://${address}/token` })())
    expect(error).toMatchObject({ code: 'AUTHENTICATION_FAILED', cause: { code: 'HPE_INVALID_TRANSFER_ENCODING' } })
    expect(JSON.stringify(error.cause)).not.toContain([...Buffer.from('S3CRET')].join())
  })

  it('whose answer is larger than any token is not read to its end', async () => {
    const { tokenEndpoint, open } = await provider((response) => {
      for (let i = 0; i < 64; i++) response.write('x'.repeat(65_536))
      response.end()
    })
    await expect(oidcToken({ ...client, tokenEndpoint })()).rejects.toThrow(/gave no token: the answer is too large$/)
    await until(() => open.size === 0, 'the connection is closed')
  })

  it.each([
    ['a number', { expires_in: 3600 }, 1],
    ['a text', { expires_in: '3600' }, 1],
    ['nothing', {}, 2],
    ['nonsense', { expires_in: 'soon' }, 2],
    ['the past', { expires_in: -1 }, 2],
  ])('tells the lifetime as %s', async (_, lifetime, asked) => {
    const { tokenEndpoint, seen } = await provider(give('tok', lifetime))
    const token = oidcToken({ ...client, tokenEndpoint })
    await token()
    await token()
    expect(seen).toHaveLength(asked)
  })
})

it('a token that ran out while the machine slept, which the clock of timers does not see, is fetched anew', async () => {
  const { tokenEndpoint, seen } = await provider(give('tok'))
  const token = oidcToken({ ...client, tokenEndpoint })
  await token()
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_000_000 })
  onTestFinished(() => void vi.useRealTimers())
  await token()
  expect(seen).toHaveLength(2)
})

describe('a token that is to be renewed while the provider is away', () => {
  /** Its endpoint after the first token, and how it answers then. */
  async function aged(part: number, answer: (response: ServerResponse) => void, timeoutMs = 600) {
    let asked = 0
    const { tokenEndpoint, seen } = await provider((response) => (++asked === 1 ? give('old') : answer)(response))
    const token = oidcToken({ ...client, tokenEndpoint, timeoutMs })
    await token()
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + part * 3_600_000 })
    onTestFinished(() => void vi.useRealTimers())
    return { token, seen }
  }
  const status = (code: number) => (response: ServerResponse) => void response.writeHead(code).end('{}')

  it.each<[string, (response: ServerResponse) => void]>([
    ['is down', status(500)],
    ['is busy', status(429)],
    ['never answers', () => undefined],
  ])('is used as long as it is good, where that %s, and asked for anew each time', async (_, answer) => {
    const { token, seen } = await aged(0.9, answer)
    expect([await token(), await token()]).toEqual(['old', 'old'])
    expect(seen).toHaveLength(3)
  })

  it.each<[string, (response: ServerResponse) => void]>([
    ['is down', status(500)],
    ['never answers', () => undefined],
  ])('is used by no broker that has refused it, and by the others, where that %s', async (_, answer) => {
    const { token } = await aged(0.5, answer)
    const mechanism = oauthBearerMechanism(new Secret({ token }))
    const [one, other] = [9_092, 9_093].map((port) => ({ host: 'localhost', port })) as [BrokerAddress, BrokerAddress]
    expect((await mechanism.begin(one)).tryOtherwise?.()).toBe(true)
    expect(await errorOf(mechanism.begin(one) as Promise<SaslExchange>)).toMatchObject({ retriable: true })
    expect(String(await (await mechanism.begin(other)).next(undefined))).toContain('auth=Bearer old')
  })

  it('is used while the provider is silent, and not only when the fetch is given up', async () => {
    let late: ServerResponse | undefined
    const { token } = await aged(0.9, (response) => (late = response), 600_000)
    expect(await token()).toBe('old')
    give('new')(late as ServerResponse)
    // What comes late is used.
    while ((await token()) !== 'new') await turns(1)
  })

  it('is not given in place of one that takes its time, where it is about to end, or is none', async () => {
    // For longer than one that is good would be given in its place.
    const slowly = (response: ServerResponse) => void setTimeout(() => give('new')(response), 1_300)
    expect(await oidcToken({ ...client, tokenEndpoint: (await provider(slowly)).tokenEndpoint })()).toBe('new')
    expect(await (await aged(0.96, slowly, 60_000)).token()).toBe('new')
  })

  it('is not used where it is about to end, nor where the provider refuses the client', async () => {
    const ending = await aged(0.96, status(503))
    await expect(ending.token()).rejects.toMatchObject({ retriable: true, message: expect.stringMatching(/503/) })
    vi.useRealTimers()
    const refused = await aged(0.9, status(401))
    await expect(refused.token()).rejects.toMatchObject({ retriable: false, message: expect.stringMatching(/401/) })
  })
})

describe('clientSecret()', () => {
  it.each<[string, () => unknown]>([
    ['never settles', () => new Promise(() => undefined)],
    ['gives a thenable that never settles', () => ({ then: () => undefined })],
    [
      'throws',
      () => {
        throw new Error('vault')
      },
    ],
    ['rejects', () => Promise.reject(new Error('vault'))],
    ['gives nothing', () => undefined],
    ['gives an empty text', () => ''],
  ])('that once %s fails all who wait, and is asked anew', async (_, misbehave) => {
    const { tokenEndpoint, seen } = await provider()
    let asked = 0
    const clientSecret = () => (++asked === 1 ? (misbehave() as string) : 'S3CRET')
    const token = oidcToken({ ...client, clientSecret, tokenEndpoint, timeoutMs: 1_000 })
    const outcomes = await Promise.allSettled([token(), token(), token()])
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
    expect(outcomes[0]).toMatchObject({ reason: { code: 'AUTHENTICATION_FAILED', retriable: true } })
    expect(seen).toEqual([])
    expect(await token()).toBe('tok')
    expect(asked).toBe(2)
  })

  it('that comes too late is sent to nobody', async () => {
    const { tokenEndpoint, seen } = await provider()
    let tell: (secret: string) => void = () => undefined
    const clientSecret = () => new Promise<string>((resolve) => (tell = resolve))
    await expect(oidcToken({ ...client, clientSecret, tokenEndpoint, timeoutMs: 50 })()).rejects.toThrow(/within 50 ms/)
    tell('S3CRET')
    await turns()
    expect(seen).toEqual([])
  })
})

describe('the client', () => {
  const strange = { clientId: 'me~1', clientSecret: 'a+/=~: b' }

  it.each<[OidcOptions['clientAuthentication'], string | undefined, string]>([
    [undefined, 'me%7E1:a%2B%2F%3D%7E%3A+b', 'grant_type=client_credentials&audience=k'],
    ['basic', 'me%7E1:a%2B%2F%3D%7E%3A+b', 'grant_type=client_credentials&audience=k'],
    ['basic-raw', 'me~1:a+/=~: b', 'grant_type=client_credentials&audience=k'],
    ['post', undefined, 'grant_type=client_credentials&audience=k&client_id=me%7E1&client_secret=a%2B%2F%3D%7E%3A+b'],
  ])('says who it is in the way that was asked for: %s', async (how, authorization, body) => {
    const { tokenEndpoint, seen } = await provider()
    const given = how === undefined ? {} : { clientAuthentication: how }
    await oidcToken({ ...strange, tokenEndpoint, parameters: { audience: 'k' }, ...given })()
    expect(seen).toEqual([{ authorization, body }])
  })

  it.each(['S3CRET', ['S3CRET'], 'https://me:S3CRET@login.example/token'])(
    'is no client where that is another form of it, which the error does not quote: it may be the secret',
    (options) => {
      expect(() => oidcToken(options as unknown as OidcOptions)).toThrow(
        expect.objectContaining({ code: 'INVALID_CONFIG', message: expect.not.stringContaining('S3CRET') }),
      )
    },
  )

  it.each([undefined, null, 'https://login.example/token'])('is no client where that is %s', (options) => {
    const make = () => oidcToken(options as unknown as OidcOptions)
    expect(make).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG' }))
  })

  it('may be of a class of settings, whose accessors are inherited', async () => {
    const { tokenEndpoint, seen } = await provider()
    class Settings {
      readonly clientId = 'me'
      get tokenEndpoint() {
        return tokenEndpoint
      }
      get clientSecret() {
        return 'S3CRET'
      }
      get scope() {
        return 'kafka'
      }
    }
    await oidcToken(new Settings())()
    expect(seen).toEqual([{ authorization: 'me:S3CRET', body: 'grant_type=client_credentials&scope=kafka' }])
  })

  it.each<[string, object]>([
    ['clientAuthentication', { clientAuthentication: 'raw' }],
    ['timeoutMs', { timeoutMs: 0 }],
    ['ca', { ca: '/etc/ca.pem' }],
    ['parameters', { parameters: { audience: 7 } }],
    ['parameters', { parameters: null }],
    ['parameters', { parameters: new Map([['audience', 'k']]) }],
    ['parameters', { parameters: new URLSearchParams({ audience: 'k' }) }],
    ['clientId', { clientId: '' }],
    ['clientId', { clientId: () => 'me' }],
    ['clientSecret', { clientSecret: '' }],
    ['scope', { scope: ['S3CRET'] }],
    ['clientSecrt', { clientSecrt: 'S3CRET' }],
  ])('is refused by the name of what is wrong: %s', (name, wrong) => {
    const make = () => oidcToken({ ...client, tokenEndpoint: 'https://login.example/token', ...wrong })
    expect(make).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG', message: expect.stringContaining(name) }))
    expect(make).toThrow(expect.objectContaining({ message: expect.not.stringContaining('S3CRET') }))
  })
})
