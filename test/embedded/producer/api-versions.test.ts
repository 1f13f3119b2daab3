import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { plainMechanism } from '../../../src/network/sasl/plain.js'
import { Secret } from '../../../src/network/secret.js'
import { SessionFactory, type SessionOptions } from '../../../src/network/session/session.js'
import type { EmbeddedKafka } from '../../../src/testing/index.js'
import { startKafka } from '../support/cluster.js'
import { deliveryErrorOf, plainServer, startProducer, stored, turns, until } from '../support/producers.js'
import { ScriptedBroker } from '../support/scripted-broker.js'

const API_VERSIONS = 18
const alice = { username: 'alice', password: 'wonderland' }

function addressOf(bootstrap: string) {
  const { hostname, port } = new URL(`tcp://${bootstrap}`)
  return { host: hostname, port: Number(port) }
}

/** What stands before a broker and breaks each connection that begins with a newer ApiVersions than `known`. */
async function resettingAbove(known: number, kafka?: EmbeddedKafka) {
  const asked: number[] = []
  const { address } = await plainServer((socket) => {
    socket.once('data', (first: Buffer) => {
      if (first.readInt16BE(4) === API_VERSIONS) asked.push(first.readInt16BE(6))
      if (kafka === undefined || first.readInt16BE(6) > known) return void socket.resetAndDestroy()
      const onwards = connect(addressOf(kafka.bootstrap))
      onwards.on('error', () => socket.destroy())
      socket.on('close', () => onwards.destroy())
      onwards.write(first)
      socket.pipe(onwards).pipe(socket)
    })
  })
  return { address, asked }
}

function sessionsWith(options: Partial<SessionOptions>): SessionFactory {
  const sessions = new SessionFactory({
    clientId: 'test',
    connectTimeoutMs: 5_000,
    requestTimeoutMs: 5_000,
    maxResponseBytes: 1_000_000,
    maxIdleMs: 60_000,
    softwareVersion: '0',
    legacyOnly: false,
    ...options,
  })
  onTestFinished(() => sessions.close(1_000))
  return sessions
}

describe.each([
  ['without SASL', false],
  ['with SASL', true],
])('a broker that breaks connections over versions of ApiVersions that it does not know, %s', (_, isSecured) => {
  const startSecured = () =>
    startKafka({ topics: { t: {} }, ...(isSecured ? { sasl: { users: { alice: 'wonderland' } } } : {}) })
  const sasl = isSecured ? { sasl: { mechanism: 'plain', ...alice } as const } : {}

  it.each([
    [4, [5, 3]],
    [3, [5, 3]],
    [1, [5, 3, 0]],
    [0, [5, 3, 0]],
  ])('up to v%i: is asked in v3 and v0, twice each, and from then on in what it answered', async (known, questions) => {
    const { address, asked } = await resettingAbove(known, await startSecured())
    const sessions = sessionsWith(isSecured ? { sasl: plainMechanism(new Secret(alice)) } : {})
    for (let i = 0; i < 4; i++) await sessions.open(addressOf(address))
    expect(asked).toEqual([...questions, ...questions, questions.at(-1), questions.at(-1)])
  })

  it('is asked in the newest again when it hangs up on what it answered before', async () => {
    const kafka = await startSecured()
    const { address, asked } = await resettingAbove(3, kafka)
    const sessions = sessionsWith(isSecured ? { sasl: plainMechanism(new Secret(alice)) } : {})
    for (let i = 0; i < 2; i++) await sessions.open(addressOf(address))
    await kafka.stop()
    await expect(sessions.open(addressOf(address))).rejects.toMatchObject({ code: 'CONNECTION_FAILED' })
    asked.length = 0
    await expect(sessions.open(addressOf(address))).rejects.toMatchObject({ code: 'CONNECTION_FAILED' })
    expect(asked[0]).toBe(5)
  })

  it('but once, as one does that is being stopped: is asked in the newest again the next time', async () => {
    const kafka = await startSecured()
    const asked: number[] = []
    let hangUps = 2
    const { address } = await plainServer((socket) => {
      socket.once('data', (first: Buffer) => {
        asked.push(first.readInt16BE(6))
        if (hangUps-- > 0) return void socket.resetAndDestroy()
        const onwards = connect(addressOf(kafka.bootstrap))
        onwards.on('error', () => socket.destroy())
        socket.on('close', () => onwards.destroy())
        onwards.write(first)
        socket.pipe(onwards).pipe(socket)
      })
    })
    const sessions = sessionsWith(isSecured ? { sasl: plainMechanism(new Secret(alice)) } : {})
    for (let i = 0; i < 3; i++) await sessions.open(addressOf(address))
    expect(asked.slice(-2)).toEqual([5, 5])
  })

  it('serves a producer', async () => {
    const kafka = await startSecured()
    const { address } = await resettingAbove(3, kafka)
    await startProducer(address, sasl).send({ topic: 't', value: 'x' })
    expect(stored(kafka, 't')).toEqual(['x'])
  })

  it('whatever is asked: is asked three times, and fails with the reason', async () => {
    const { address, asked } = await resettingAbove(-1)
    const options = { ...sasl, deliveryTimeoutMs: 1_000, retryBackoffMs: 900, retryBackoffMaxMs: 900 }
    const error = await deliveryErrorOf(startProducer(address, options).send({ topic: 't', value: 'x' }))
    expect(error.message).toContain('broke the connection')
    expect(asked.slice(0, 3)).toEqual([5, 3, 0])
  })
})

it('a broker that answers an unknown version with the ranges of all it has is asked in what it knows', async () => {
  const broker = await ScriptedBroker.start({ tellsAllRanges: true })
  await startProducer(broker.address).send({ topic: 't', value: 'x' })
  expect(broker.versionsAsked).toEqual([5, 3, 5, 3])
})

it('a producer that closes while it finds out whether a broker wants SASL connects no more', async () => {
  const kafka = await startKafka({ sasl: { users: { alice: 'wonderland' } } })
  const ports: unknown[] = []
  let isAsked = false
  const { address } = await plainServer((socket) => {
    // The first is hung up on for want of SASL; the second is to find that out, and is not answered.
    if (ports.push(socket.remotePort) > 1) return void socket.once('data', () => (isAsked = true))
    const onwards = connect(addressOf(kafka.bootstrap))
    onwards.on('error', () => socket.destroy())
    socket.pipe(onwards).pipe(socket)
  })
  const producer = startProducer(address)
  const sending = deliveryErrorOf(producer.send({ topic: 't', value: 'v' }))
  await until(() => isAsked, 'it is being found out')
  await producer.close({ timeoutMs: 0 })
  await sending
  await turns()
  // Whoever connected before this one is seen before it.
  const last = connect(addressOf(address))
  await once(last, 'connect')
  await until(() => ports.includes(last.localPort), 'it is seen')
  expect(ports.slice(2)).toEqual([last.localPort])
  last.destroy()
})
