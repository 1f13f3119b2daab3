import { createServer } from 'node:net'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { Authenticator } from '../../../../src/network/sasl/authenticator.js'
import { oauthBearerExchange } from '../../../../src/network/sasl/oauthbearer.js'
import { ownMechanism, type SaslAuthenticator } from '../../../../src/network/sasl/own-authenticator.js'
import { Secret } from '../../../../src/network/secret.js'
import { LEGACY_VERSIONS } from '../../../../src/protocol/versions.js'
import { connectedTo } from '../connection/connected.js'

const hanging = () => new Promise<never>(() => undefined)

/** A connection to a peer that takes all and says nothing. */
async function silentPeer() {
  const server = createServer((socket) => void socket.on('error', () => undefined).resume())
  const { connection } = await connectedTo(server)
  return connection
}

const authenticatorOf = (own: unknown, timeoutMs = 60_000) =>
  new Authenticator(ownMechanism('GSSAPI', new Secret(own as SaslAuthenticator)), 60_000, timeoutMs)

it.each<[string, () => unknown, RegExp]>([
  ['gives nothing', () => undefined, /no object with a method next\(\)/],
  ['gives no exchange', () => ({ next: 7 }), /no object with a method next\(\)/],
  [
    'throws',
    () => {
      throw new Error('no ticket')
    },
    /no ticket/,
  ],
  ['never settles', hanging, /did not come within 50 ms/],
  ['gives a thenable that never settles', () => ({ then: () => undefined }), /did not come within 50 ms/],
])('begin() that %s is told, and may be tried again', async (_, begin, text) => {
  const { address } = await silentPeer()
  await expect(authenticatorOf({ begin }, 50).begin(address)).rejects.toMatchObject({
    code: 'AUTHENTICATION_FAILED',
    retriable: true,
    message: expect.stringMatching(text),
  })
})

it.each<[string, () => unknown, RegExp, boolean]>([
  ['gives a text', () => 'S3CRET', /neither bytes nor undefined/, false],
  ['gives null', () => null, /neither bytes nor undefined/, false],
  ['gives a number', () => 7, /neither bytes nor undefined/, false],
  [
    'throws',
    () => {
      throw new Error('no ticket')
    },
    /no ticket/,
    false,
  ],
  ['never settles', hanging, /did not come within 50 ms/, true],
])('next() that %s is told', async (_, next, text, retriable) => {
  const connection = await silentPeer()
  const authenticator = authenticatorOf({ begin: () => ({ next }) }, 50)
  const running = authenticator.run(connection, LEGACY_VERSIONS, await authenticator.begin(connection.address))
  await expect(running).rejects.toMatchObject({ retriable, message: expect.stringMatching(text) })
  await expect(running).rejects.toMatchObject({ message: expect.not.stringContaining('S3CRET') })
})

it('bytes of another realm are a token', async () => {
  const { address } = await silentPeer()
  const begin = () => ({ next: () => runInNewContext('new Uint8Array([1, 2])') as Uint8Array })
  expect(await (await authenticatorOf({ begin }).begin(address)).next(undefined)).toEqual(Buffer.of(1, 2))
})

it('nobody waits for credentials or a token of a connection that has ended', async () => {
  const beginning = await silentPeer()
  const begun = authenticatorOf({ begin: hanging }).begin(beginning.address, beginning.gone)
  void beginning.close(0)
  await expect(begun).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })

  const connection = await silentPeer()
  const authenticator = authenticatorOf({ begin: () => ({ next: hanging }) })
  const running = authenticator.run(connection, LEGACY_VERSIONS, await authenticator.begin(connection.address))
  void connection.close(0)
  await expect(running).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
})

it('OAUTHBEARER: extensions that are no texts are refused by name, and undefined and null are none', async () => {
  const exchange = oauthBearerExchange('a.b.c', null)
  expect(String(await exchange.next(undefined))).toBe('n,,\x01auth=Bearer a.b.c\x01\x01')
  const without = oauthBearerExchange('a.b.c', { team: undefined } as never)
  expect(String(await without.next(undefined))).toBe('n,,\x01auth=Bearer a.b.c\x01\x01')
  for (const value of [null, 7, {}]) expect(() => oauthBearerExchange('a', { team: value } as never)).toThrow(/'team'/)
})
