import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { expect, it } from 'vitest'
import { Authenticator } from '../../../../src/network/sasl/authenticator.js'
import type { SaslMechanism } from '../../../../src/network/sasl/mechanism.js'
import { oauthBearerMechanism } from '../../../../src/network/sasl/oauthbearer.js'
import { ownMechanism } from '../../../../src/network/sasl/own-authenticator.js'
import { plainMechanism } from '../../../../src/network/sasl/plain.js'
import { Secret } from '../../../../src/network/secret.js'
import { saslAuthenticate } from '../../../../src/protocol/apis/sasl-authenticate.js'
import { saslHandshake } from '../../../../src/protocol/apis/sasl-handshake.js'
import { encodeResponseFrame, FrameSplitter } from '../../../../src/protocol/frame.js'
import { LEGACY_VERSIONS, ServedVersions } from '../../../../src/protocol/versions.js'
import { connectedTo } from '../connection/connected.js'

/** A peer that answers each frame as told, and a connection to it. */
async function connected(answer: (frame: Buffer, peer: Server) => Buffer | undefined) {
  const peer = createServer((socket) => {
    const splitter = new FrameSplitter(0, 10_000)
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) =>
      splitter.push(chunk, (frame) => socket.write(answer(frame, peer) ?? Buffer.alloc(0))),
    )
  })
  return { peer, ...(await connectedTo(peer)) }
}

it('GSSAPI: a bare token after an empty one is the last, and is not answered', async () => {
  const tokens: string[] = []
  const answers = ['reply', 'offer']
  const { peer, address, connection } = await connected((frame, server) => {
    tokens.push(String(frame))
    const answer = answers.shift()
    if (answer === undefined) server.emit('last token')
    return answer === undefined ? undefined : Buffer.from(`\0\0\0${String.fromCharCode(answer.length)}${answer}`)
  })
  const told: (string | undefined)[] = []
  const own = ['request', '', 'choice']
  const next = (challenge: Uint8Array | undefined) => {
    told.push(challenge && String(challenge))
    const token = own.shift()
    return token === undefined ? undefined : Buffer.from(token)
  }
  const authenticator = new Authenticator(ownMechanism('GSSAPI', new Secret({ begin: () => ({ next }) })), 10_000)
  const lastToken = once(peer, 'last token')
  // As with Kafka 0.9, which has no handshake.
  await authenticator.run(connection, LEGACY_VERSIONS, await authenticator.begin(address))
  await lastToken
  expect(tokens).toEqual(['request', '', 'choice'])
  expect(told).toEqual([undefined, 'reply', 'offer', ''])
})

/** An authentication by a broker that refuses it, saying this. */
async function refusedBy(mechanism: SaslMechanism, says: (frame: Buffer) => string): Promise<number> {
  const { address, connection } = await connected((frame) => {
    if (frame.readInt16BE(0) === saslHandshake.key)
      return encodeResponseFrame(saslHandshake, 1, frame.readInt32BE(4), { errorCode: 0, mechanisms: [] })
    const nothing = { authBytes: Buffer.alloc(0), sessionLifetimeMs: 0 }
    const refusal = { errorCode: 58, errorMessage: says(frame), ...nothing }
    return encodeResponseFrame(saslAuthenticate, 0, frame.readInt32BE(4), refusal)
  })
  const ranges = new Map([
    [saslHandshake.key, { minVersion: 0, maxVersion: 1 }],
    [saslAuthenticate.key, { minVersion: 0, maxVersion: 0 }],
  ])
  const authenticator = new Authenticator(mechanism, 10_000)
  return authenticator.run(connection, new ServedVersions(ranges, 'a test'), await authenticator.begin(address))
}

it.each([
  ['[74909301-1b7d-44fe-b02e-fe699c66c073]: Too many connects', true],
  ['[74909301-1b7d-44fe-b02e-fe699c66c073]: Access denied', false],
])('a broker that refuses credentials, saying %j, may take them the next time: %s', async (says, retriable) => {
  const mechanism = plainMechanism(new Secret({ username: 'alice', password: 'S3CRET=,w0rd' }))
  await expect(refusedBy(mechanism, () => says)).rejects.toMatchObject({
    code: 'AUTHENTICATION_FAILED',
    retriable,
    message: expect.stringContaining(`, saying: ${says}`),
  })
})

it.each([
  ['password', plainMechanism(new Secret({ username: 'alice', password: 'S3CRET=,w0rd' })), 'S3CRET=,w0rd'],
  [
    'password that has the name in it',
    plainMechanism(new Secret({ username: 'admin', password: 'admin-S3CRET' })),
    'admin-S3CRET',
  ],
  [
    'token',
    oauthBearerMechanism(new Secret({ token: { token: 'S3CRET.w0rd==', extensions: { trace: 'one' } } })),
    'S3CRET.w0rd==',
  ],
  [
    'extension',
    oauthBearerMechanism(new Secret({ token: { token: 'tok', extensions: { proof: 'S3CRET w0rd' } } })),
    'S3CRET w0rd',
  ],
])('a broker that says the %s back is not quoted with it', async (_, mechanism, secret) => {
  const failure = refusedBy(mechanism, (frame) => `wrong: ${secret}, in ${frame.toString('latin1')}`)
  await expect(failure).rejects.toMatchObject({
    code: 'AUTHENTICATION_FAILED',
    message: expect.stringMatching(/saying: wrong: \[secret\], in /),
  })
  await expect(failure).rejects.toMatchObject({ message: expect.not.stringContaining(secret) })
})
