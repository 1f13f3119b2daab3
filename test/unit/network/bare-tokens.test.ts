import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { BrokerConnection } from '../../../src/network/broker-connection.js'
import { Authenticator } from '../../../src/network/sasl/authenticator.js'
import { ownMechanism } from '../../../src/network/sasl/own-authenticator.js'
import { Secret } from '../../../src/network/secret.js'
import { FrameSplitter } from '../../../src/protocol/frame.js'
import { LEGACY_VERSIONS } from '../../../src/protocol/versions.js'

it('GSSAPI: the token after an empty one is the last, and is not answered', async () => {
  const tokens: string[] = []
  const answers = ['reply', 'offer']
  const server = createServer((socket) => {
    const splitter = new FrameSplitter(0, 1_000)
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      splitter.push(chunk, (frame) => {
        tokens.push(String(frame))
        const answer = answers.shift()
        if (answer === undefined) server.emit('last token')
        else socket.write(Buffer.from(`\0\0\0${String.fromCharCode(answer.length)}${answer}`))
      })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
  const connection = new BrokerConnection(connect(address), address, 'test', 1_000, 60_000)
  onTestFinished(async () => {
    await connection.close(0)
    server.close()
  })
  const told: (string | undefined)[] = []
  const own = ['request', '', 'choice']
  const next = (challenge: Uint8Array | undefined) => {
    told.push(challenge && String(challenge))
    const token = own.shift()
    return token === undefined ? undefined : Buffer.from(token)
  }
  const authenticator = new Authenticator(ownMechanism('GSSAPI', new Secret({ begin: () => ({ next }) })), 10_000)
  const lastToken = once(server, 'last token')
  // As with Kafka 0.9, which has no handshake.
  await authenticator.run(connection, LEGACY_VERSIONS, await authenticator.begin(address))
  await lastToken
  expect(tokens).toEqual(['request', '', 'choice'])
  expect(told).toEqual([undefined, 'reply', 'offer', ''])
})
