import { pbkdf2 } from 'node:crypto'
import { createServer, type Socket } from 'node:net'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { AuthenticationError } from '../../../../src/errors.js'
import { Authenticator } from '../../../../src/network/sasl/authenticator.js'
import { plainMechanism } from '../../../../src/network/sasl/plain.js'
import { SessionRenewal } from '../../../../src/network/sasl/session-renewal.js'
import { Secret } from '../../../../src/network/secret.js'
import { apiVersions } from '../../../../src/protocol/apis/api-versions.js'
import { saslAuthenticate } from '../../../../src/protocol/apis/sasl-authenticate.js'
import { saslHandshake } from '../../../../src/protocol/apis/sasl-handshake.js'
import { encodeResponseFrame, FrameSplitter } from '../../../../src/protocol/frame.js'
import { ServedVersions } from '../../../../src/protocol/versions.js'
import { until } from '../../../embedded/support/producers.js'
import { connectedTo } from '../connection/connected.js'

/** Credentials that could not be had are asked for again after a hundredth of it. */
const LIFETIME_MS = 2_000
const VERSIONS = new ServedVersions(
  new Map([
    [saslHandshake.key, { minVersion: 0, maxVersion: 1 }],
    [saslAuthenticate.key, { minVersion: 0, maxVersion: 1 }],
    [apiVersions.key, { minVersion: 0, maxVersion: 0 }],
  ]),
  'a test',
)
const QUESTION = { clientSoftwareName: 'test', clientSoftwareVersion: '0', clusterId: null, nodeId: -1 }

/** Parts of a session's lifetime are milliseconds here: they pass when a test says so. */
let stoppedAt: number | undefined
const realNow = performance.now.bind(performance)
vi.spyOn(performance, 'now').mockImplementation(() => stoppedAt ?? realNow())
beforeEach(() => (stoppedAt = realNow()))
afterEach(() => (stoppedAt = undefined))

function pass(part: number): void {
  stoppedAt = performance.now() + LIFETIME_MS * part
}

/** A connection whose session, of {@link LIFETIME_MS}, is over by the part given; and what its peer was asked. */
async function sessionAt(part: number, password: () => unknown, timeoutMs = 60_000, answers = true) {
  const asked: number[] = []
  const server = createServer((socket: Socket) => {
    const splitter = new FrameSplitter(8, 10_000)
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) =>
      splitter.push(chunk, (frame) => {
        const key = frame.readInt16BE(0)
        asked.push(key)
        if (answers) socket.write(answerTo(key, frame.readInt32BE(4)))
      }),
    )
  })
  const { connection } = await connectedTo(server)
  const mechanism = plainMechanism(new Secret({ username: 'alice', password: password as () => string }))
  const renewal = new SessionRenewal(connection, VERSIONS, new Authenticator(mechanism, timeoutMs))
  renewal.begunAt(performance.now() - LIFETIME_MS * part, LIFETIME_MS)
  let written = 0
  const request = () =>
    connection
      .request(apiVersions, 0, QUESTION, { timeoutMs: 60_000, onWritten: () => written++ })
      .then(() => 'answered')
  return { connection, asked, request, written: () => written }
}

function answerTo(key: number, correlationId: number): Buffer {
  if (key === saslHandshake.key)
    return encodeResponseFrame(saslHandshake, 1, correlationId, { errorCode: 0, mechanisms: [] })
  if (key === saslAuthenticate.key)
    return encodeResponseFrame(saslAuthenticate, 1, correlationId, {
      errorCode: 0,
      errorMessage: null,
      authBytes: Buffer.alloc(0),
      sessionLifetimeMs: LIFETIME_MS,
    })
  return encodeResponseFrame(apiVersions, 0, correlationId, {
    errorCode: 0,
    apiKeys: [],
    throttleTimeMs: 0,
    supportedFeatures: [],
    finalizedFeaturesEpoch: -1n,
    finalizedFeatures: [],
    zkMigrationReady: false,
  })
}

const away = () => {
  throw new Error('vault is away')
}

it('credentials that were away shortly before the last moment are asked for again at the last moment', async () => {
  const password = vi.fn<() => string>(away)
  const { request, asked } = await sessionAt(0.949, password)
  expect(await request()).toBe('answered')
  await until(() => password.mock.calls.length === 1, 'the credentials are asked for')
  pass(0.002)
  password.mockReturnValue('wonderland')
  expect(await Promise.all([request(), request()])).toEqual(['answered', 'answered'])
  expect(asked).toEqual([apiVersions.key, saslHandshake.key, saslAuthenticate.key, apiVersions.key, apiVersions.key])
})

it('while requests are held, credentials are asked for again though no further request comes', async () => {
  let calls = 0
  const { request } = await sessionAt(0.96, () => (++calls < 3 ? away() : 'wonderland'))
  expect(await request()).toBe('answered')
  expect(calls).toBe(3)
})

it('a request that comes just as the credentials have failed is not forgotten, whatever the step', async () => {
  for (let steps = 0; steps < 16; steps++) {
    let held: Promise<string> | undefined
    const { request } = await sessionAt(0.949, () => {
      if (held !== undefined) return 'wonderland'
      void afterMicrotasks(steps, () => {
        pass(0.002)
        held = request()
      })
      return away()
    })
    await request()
    await until(() => held !== undefined, 'the second request')
    expect(await held).toBe('answered')
  }
})

async function afterMicrotasks(count: number, what: () => void): Promise<void> {
  for (let i = 0; i < count; i++) await Promise.resolve()
  what()
}

it.each([
  ['fail each time', away],
  ['never come', () => new Promise<string>(() => undefined)],
  ['never come, as a thenable', () => ({ then: () => undefined })],
])('requests are not held for ever by credentials that %s, and were not written', async (_, password) => {
  const { connection, request, written } = await sessionAt(0.96, password, 200)
  const held = [request(), request()]
  for (const one of held)
    await expect(one).rejects.toMatchObject({
      code: 'CONNECTION_CLOSED',
      message: expect.stringMatching(/could not be renewed/),
    })
  expect(connection.isOpen).toBe(false)
  expect(written()).toBe(0)
})

it('requests are not held for ever by a broker that is silent amid the renewal', async () => {
  const { request, written } = await sessionAt(0.96, () => 'wonderland', 200, false)
  stoppedAt = undefined
  await expect(Promise.all([request(), request()])).rejects.toMatchObject({ retriable: true })
  expect(written()).toBe(0)
})

it('a refusal of the provider for good ends a connection whose requests wait, and no other', async () => {
  const refused = () => {
    throw new AuthenticationError('client is locked')
  }
  const early = await sessionAt(0.92, refused)
  expect(await early.request()).toBe('answered')
  const late = await sessionAt(0.96, refused)
  await expect(late.request()).rejects.toMatchObject({ message: expect.stringMatching(/client is locked/) })
  expect(await early.request()).toBe('answered')
})

it('a connection that nobody uses asks for no credentials', async () => {
  const password = vi.fn<() => string>(away)
  const { request } = await sessionAt(0.92, password)
  await request()
  await until(() => password.mock.calls.length === 1, 'the credentials are asked for')
  pass(0.5)
  await new Promise((resolve) => setImmediate(resolve))
  expect(password).toHaveBeenCalledTimes(1)
})

it('credentials are not asked for amid the sending of a request', async () => {
  let isSending = false
  const seen: boolean[] = []
  const { request } = await sessionAt(0.92, () => {
    seen.push(isSending)
    return 'wonderland'
  })
  isSending = true
  const answer = request()
  isSending = false
  await answer
  await until(() => seen.length > 0, 'the credentials are asked for')
  expect(seen).toEqual([false])
})

it('credentials that came while the process stood still are in time', async () => {
  const { request } = await sessionAt(
    0.96,
    () => {
      const came = promisify(pbkdf2)('password', 'salt', 1, 16, 'sha256')
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_500)
      return came.then(() => 'wonderland')
    },
    1_000,
  )
  expect(await request()).toBe('answered')
})
