import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { oidcToken } from '../../../../src/index.js'
import { oauthBearerExchange } from '../../../../src/network/sasl/oauthbearer.js'
import { plainExchange } from '../../../../src/network/sasl/plain.js'
import { makeMechanism } from '../../../../src/network/sasl/sasl-options.js'
import { saslprep } from '../../../../src/network/sasl/saslprep.js'
import { scramExchange } from '../../../../src/network/sasl/scram.js'
import { Secret } from '../../../../src/network/secret.js'

describe('SCRAM', () => {
  // RFC 7677, section 3.
  const nonce = 'rOprNGfwEbeRWgbNEkqO'
  const serverFirst = 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'
  const begin = () => scramExchange('sha256', 'user', 'pencil', nonce)
  const bytes = (text: string) => Buffer.from(text)

  it('goes as the example of its RFC does', async () => {
    const exchange = begin()
    expect(String(await exchange.next(undefined))).toBe('n,,n=user,r=rOprNGfwEbeRWgbNEkqO')
    expect(String(await exchange.next(bytes(serverFirst)))).toBe(
      'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    )
    expect(await exchange.next(bytes('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='))).toBeUndefined()
  })

  it.each([
    ['of another password', 'v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='],
    ['too short', 'v=6rri'],
    ['none', ''],
    ['an error', 'e=other-error'],
  ])('takes no server’s signature that is %s', async (_, serverFinal) => {
    const exchange = begin()
    await exchange.next(undefined)
    await exchange.next(bytes(serverFirst))
    await expect(exchange.next(bytes(serverFinal))).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' })
  })

  it.each([
    ['a nonce of somebody else', serverFirst.replace('rOpr', 'xxxx')],
    ['its own nonce alone', `r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`],
    ['too few iterations', serverFirst.replace('4096', '4095')],
    ['too many', serverFirst.replace('4096', '65537')],
    ['a number that is none', serverFirst.replace('4096', '1e9')],
    ['a mandatory extension', `m=x,${serverFirst}`],
    ['nothing', ''],
  ])('goes on from no first message with %s', async (_, message) => {
    const exchange = begin()
    await exchange.next(undefined)
    await expect(exchange.next(bytes(message))).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' })
  })

  it('writes names that have its own signs', async () => {
    expect(String(await scramExchange('sha512', 'a=b,c', 'p', 'n').next(undefined))).toBe('n,,n=a=3Db=2Cc,r=n')
  })
})

describe('SASLprep', () => {
  it.each([
    ['I\u00adX', 'IX'],
    ['user', 'user'],
    ['USER', 'USER'],
    ['\u00aa', 'a'],
    ['\u2168', 'IX'],
    ['a\u00a0b', 'a b'],
    ['\u05d0\u05d1', '\u05d0\u05d1'],
    ['p\u00e4ss', 'p\u00e4ss'],
    ['pa\u0308ss', 'p\u00e4ss'],
  ])('makes %j of it: %j', (text, prepared) => expect(saslprep(text)).toBe(prepared))

  it.each(['\u0007\u00e9', '\u0627\u0031', '\u05d0a\u05d1', '\ue000', '\ufffd'])('forbids %j', (text) =>
    expect(saslprep(text)).toBeUndefined(),
  )
})

describe('PLAIN and OAUTHBEARER', () => {
  it('PLAIN: name and password between zeros, and no others', async () => {
    expect(await plainExchange('n', 'pä').next(undefined)).toEqual(Buffer.from('\0n\0pä'))
    expect(() => plainExchange('n\0m', 'p')).toThrow(/zero/)
  })

  it('OAUTHBEARER: the token and its extensions, and the end of a refusal', async () => {
    const exchange = oauthBearerExchange('a.b.c', { team: 'x y' })
    expect(await exchange.next(undefined)).toEqual(Buffer.from('n,,\x01auth=Bearer a.b.c\x01team=x y\x01\x01'))
    expect(await exchange.next(Buffer.alloc(0))).toBeUndefined()
    expect(await exchange.next(Buffer.from('{}'))).toEqual(Buffer.of(1))
    expect(() => oauthBearerExchange('S3CRET\x01')).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('S3CRET') }),
    )
    expect(() => oauthBearerExchange('a', { auth: 'b' })).toThrow(/extension/)
  })
})

it('a field that is undefined is one that was not given, whatever the mechanism', () => {
  const plain = { mechanism: 'plain', username: 'a', password: 'b', token: undefined, authenticator: undefined }
  expect(makeMechanism(plain).name).toBe('PLAIN')
  const own = {
    mechanism: 'gssapi',
    authenticator: { begin: () => undefined },
    username: undefined,
    password: undefined,
  }
  expect(makeMechanism(own).name).toBe('GSSAPI')
  expect(() => makeMechanism({ ...plain, password: undefined })).toThrow(/sasl\.password.*missing/)
  for (const none of [undefined, null, 'plain', 7]) expect(() => makeMechanism(none)).toThrow(/`mechanism`/)
})

it.each([
  ['a token with a line end', { mechanism: 'oauthbearer', token: 'S3CRET\n' }],
  ['a token in an object', { mechanism: 'oauthbearer', token: { token: 'S3 CRET' } }],
  ['an extension', { mechanism: 'oauthbearer', token: { token: 'S3CRET', extensions: { auth: 'S3CRET' } } }],
  ['an empty extension', { mechanism: 'oauthbearer', token: { token: 'S3CRET', extensions: { pool: '' } } }],
  ['a name', { mechanism: 'plain', username: 'S3\0CRET', password: () => 'b' }],
  ['a password', { mechanism: 'plain', username: 'a', password: 'S3\0CRET' }],
])('what can’t be sent is refused before it is used, and not shown: %s', (_, given) => {
  let error: unknown
  try {
    makeMechanism(given)
  } catch (cause) {
    error = cause
  }
  expect(error).toMatchObject({ code: 'INVALID_CONFIG' })
  expect(inspect(error)).not.toMatch(/S3|CRET/)
})

it('a secret shows itself to nobody', () => {
  const secret = new Secret('S3CRET')
  expect(`${inspect(secret, { showHidden: true })} ${String(secret)} ${JSON.stringify({ secret })}`).not.toContain(
    'S3CRET',
  )
  expect(secret.reveal()).toBe('S3CRET')
})

describe('oidcToken', () => {
  async function endpoint(
    answer: (request: IncomingMessage, body: string, response: ServerResponse) => void,
  ): Promise<string> {
    const server = createServer((request, response) => {
      let body = ''
      request.on('data', (chunk: Buffer) => (body += String(chunk)))
      request.on('end', () => answer(request, body, response))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`
  }

  it('asks once for many, as the client, and keeps the token until shortly before its end', async () => {
    const asked: string[] = []
    const tokenEndpoint = await endpoint((request, body, response) => {
      asked.push(`${Buffer.from(request.headers.authorization?.slice(6) ?? '', 'base64').toString()} ${body}`)
      response.end(JSON.stringify({ access_token: `token-${asked.length}`, expires_in: asked.length === 1 ? 3 : 60 }))
    })
    const token = oidcToken({ tokenEndpoint, clientId: 'me', clientSecret: async () => 'S3CRET:/', scope: 'kafka' })
    expect(await Promise.all([token(), token(), token()])).toEqual(['token-1', 'token-1', 'token-1'])
    expect(await token()).toBe('token-1')
    await new Promise((resolve) => setTimeout(resolve, 2_700))
    expect(await token()).toBe('token-2')
    expect(asked[0]).toBe('me:S3CRET%3A%2F grant_type=client_credentials&scope=kafka')
  })

  it.each([
    [401, false],
    [503, true],
  ])('status %i: retriable is %s', async (status, retriable) => {
    const tokenEndpoint = await endpoint((_, __, response) =>
      response.writeHead(status).end('{"error":"invalid_client"}'),
    )
    const failure = oidcToken({ tokenEndpoint, clientId: 'me', clientSecret: 'S3CRET' })()
    await expect(failure).rejects.toMatchObject({
      code: 'AUTHENTICATION_FAILED',
      retriable,
      message: expect.stringContaining('invalid_client'),
    })
    await expect(failure).rejects.toMatchObject({ message: expect.not.stringContaining('S3CRET') })
  })

  it('takes no endless answer, and sends the secret over no open wire', async () => {
    const tokenEndpoint = await endpoint((_, __, response) => response.end(Buffer.alloc(2_000_000)))
    await expect(oidcToken({ tokenEndpoint, clientId: 'me', clientSecret: 'x' })()).rejects.toMatchObject({
      retriable: true,
      message: expect.stringContaining('too large'),
    })
    expect(() => oidcToken({ tokenEndpoint: 'http://login.example/token', clientId: 'me', clientSecret: 'x' })).toThrow(
      /https/,
    )
  })
})
