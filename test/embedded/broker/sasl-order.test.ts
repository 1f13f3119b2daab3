import { expect, it } from 'vitest'
import { apiVersions } from '../../../src/protocol/apis/api-versions.js'
import { metadata } from '../../../src/protocol/apis/metadata.js'
import { saslAuthenticate } from '../../../src/protocol/apis/sasl-authenticate.js'
import { saslHandshake } from '../../../src/protocol/apis/sasl-handshake.js'
import { connectTo, startKafka } from '../support/cluster.js'
import type { RawClient } from '../support/raw-client.js'
import { metadataRequest } from '../support/requests.js'

type Step = keyof typeof STEPS

/** What a client may send. Each tells the error code of the answer. */
const STEPS = {
  versions: async (client: RawClient) =>
    (
      await client.call(apiVersions, 0, {
        clientSoftwareName: '',
        clientSoftwareVersion: '',
        clusterId: null,
        nodeId: -1,
      })
    ).errorCode,
  handshake: async (client: RawClient) => (await client.call(saslHandshake, 1, { mechanism: 'PLAIN' })).errorCode,
  'another mechanism': async (client: RawClient) =>
    (await client.call(saslHandshake, 1, { mechanism: 'GSSAPI' })).errorCode,
  authenticate: async (client: RawClient) =>
    (await client.call(saslAuthenticate, 0, { authBytes: Buffer.from('\0alice\0wonderland') })).errorCode,
  metadata: async (client: RawClient) => {
    await client.call(metadata, 4, metadataRequest([]))
    return 0
  },
}

// As real brokers of these releases answer, but for a last word that they have before they close where a request comes
// between a handshake and its token.
it.each<[release: string, steps: Step[], told: (number | 'closed')[]]>([
  ['4', ['versions', 'handshake', 'authenticate', 'metadata', 'versions'], [0, 0, 0, 0, 0]],
  ['4', ['versions', 'versions'], [0, 'closed']],
  ['1.1', ['versions', 'versions'], [0, 'closed']],
  ['0.11', ['versions', 'versions', 'handshake'], [0, 0, 0]],
  ['4', ['authenticate'], ['closed']],
  ['4', ['metadata'], ['closed']],
  ['4', ['another mechanism', 'handshake'], [33, 'closed']],
  ['0.11', ['another mechanism', 'versions'], [33, 'closed']],
  ['4', ['handshake', 'handshake'], [0, 'closed']],
  ['4', ['handshake', 'versions'], [0, 'closed']],
  ['4', ['handshake', 'authenticate', 'handshake', 'authenticate', 'metadata'], [0, 0, 34, 34, 0]],
  ['1.1', ['handshake', 'authenticate', 'another mechanism', 'metadata'], [0, 0, 34, 0]],
])('Kafka %s: %j is answered with %j', async (release, steps, told) => {
  const kafka = await startKafka({ release, sasl: { users: { alice: 'wonderland' } } })
  const client = await connectTo(kafka)
  // Handshakes of 0.11 have no other version, and bare tokens after them, which nothing here sends.
  const ask = async (step: Step) => {
    if (release !== '0.11' || (step !== 'handshake' && step !== 'another mechanism')) return STEPS[step](client)
    return (await client.call(saslHandshake, 0, { mechanism: step === 'handshake' ? 'PLAIN' : 'GSSAPI' })).errorCode
  }
  const answers: (number | 'closed')[] = []
  for (const step of steps) answers.push(await ask(step).catch(() => 'closed' as const))
  expect(answers).toEqual(told)
  if (told.includes('closed')) await client.untilClosed()
  expect(client.closed).toBe(told.includes('closed'))
})

it('a handshake that a test has refused is the last request of its connection, as any that is refused', async () => {
  const kafka = await startKafka({ sasl: { users: { alice: 'wonderland' } } })
  kafka.fail({ api: 'SaslHandshake' }, 'UNSUPPORTED_SASL_MECHANISM')
  const client = await connectTo(kafka)
  expect(await STEPS.handshake(client)).toBe(33)
  await expect(STEPS.handshake(client)).rejects.toThrow()
})

it('a session that ends is renewed, any number of times', async () => {
  const kafka = await startKafka({ sasl: { users: { alice: 'wonderland' }, sessionLifetimeMs: 60_000 } })
  const client = await connectTo(kafka)
  for (let time = 0; time < 3; time++)
    expect([await STEPS.handshake(client), await STEPS.authenticate(client)]).toEqual([0, 0])
  expect(kafka.authentications.map(({ renewed }) => renewed)).toEqual([false, true, true])
})

it.each([
  ['alice\0wonderland', 'Invalid SASL/PLAIN response: expected 3 tokens, got 2'],
  ['\0alice\0wonderland\0more\0', 'Invalid SASL/PLAIN response: expected 3 tokens, got 4'],
  ['\0\0wonderland', 'Authentication failed: username not specified'],
  ['\0alice\0', 'Authentication failed: password not specified'],
  ['\0alice\0hatter', 'Authentication failed: Invalid username or password'],
])('PLAIN says what is wrong with %j', async (token, message) => {
  const kafka = await startKafka({ sasl: { users: { alice: 'wonderland' } } })
  const client = await connectTo(kafka)
  await STEPS.handshake(client)
  const answer = await client.call(saslAuthenticate, 1, { authBytes: Buffer.from(token) })
  expect([answer.errorCode, answer.errorMessage]).toEqual([58, message])
})
