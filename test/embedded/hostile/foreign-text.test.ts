import { createServer } from 'node:tls'
import { inspect } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { saslAuthenticate } from '../../../src/protocol/apis/sasl-authenticate.js'
import { saslHandshake } from '../../../src/protocol/apis/sasl-handshake.js'
import { encodeResponseFrame } from '../../../src/protocol/frame.js'
import { CertificateAuthority } from '../support/certificates.js'
import { HostileServer, type Asked, type Manner } from '../support/hostile-servers.js'
import { deliveryErrorOf, startProducer } from '../support/producers.js'
import { partitionAnswer, ScriptedBroker, withPartitions } from '../support/scripted-broker.js'

/** What a log takes for another line, a terminal for an order, and a reader for something else. */
const EVIL = 'no\n2026-11-25 INFO login ok user=admin \x1b[2J\x1b]0;owned\x07 \x9b2J \u202e\u2028 '
const LONG = EVIL + 'x'.repeat(20_000)

/** Everything that such an error shows, wherever it is printed. */
function expectHarmless(error: Error): void {
  for (let one: unknown = error; one instanceof Error; one = one.cause) {
    expect(one.message).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
    expect(one.message.length).toBeLessThan(1_500)
  }
  // eslint-disable-next-line no-control-regex
  expect(inspect(error, { depth: Infinity, showHidden: true })).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2028]/)
}

it('why a broker refuses messages', async () => {
  const broker = await ScriptedBroker.start({
    produceVersions: [3, 8],
    onProduce: (_, good) => withPartitions(good, () => [partitionAnswer(0, { errorCode: 87, errorMessage: LONG })]),
  })
  const error = await deliveryErrorOf(startProducer(broker.address).send({ topic: 't', value: 'x' }))
  expect(error.message).toMatch(/INVALID_RECORD \(87\): no\\u000a2026-11-25 INFO .*characters\)$/)
  expectHarmless(error)
})

it('why a broker refuses one of several messages', async () => {
  const broker = await ScriptedBroker.start({
    produceVersions: [3, 8],
    onProduce: ({ index }, good) => {
      const recordErrors = [{ batchIndex: 0, batchIndexErrorMessage: LONG }]
      return index > 0 ? good : withPartitions(good, () => [partitionAnswer(0, { errorCode: 87, recordErrors })])
    },
  })
  const producer = startProducer(broker.address)
  const first = deliveryErrorOf(producer.send({ topic: 't', partition: 0, value: 'x' }))
  const second = producer.send({ topic: 't', partition: 0, value: 'x' })
  expectHarmless(await first)
  await second
})

it('topics that a broker was not sent', async () => {
  const broker = await ScriptedBroker.start({
    onProduce: (_, good) => ({ ...good, responses: good.responses.map((topic) => ({ ...topic, name: LONG })) }),
  })
  const error = await deliveryErrorOf(startProducer(broker.address, { retries: 0 }).send({ topic: 't', value: 'x' }))
  expect(error).toMatchObject({ code: 'MALFORMED_RESPONSE', message: expect.stringContaining('which was not sent') })
  expectHarmless(error)
})

it('hosts', async () => {
  const broker = await ScriptedBroker.start({
    onMetadata: (_, good) => ({ ...good, brokers: [{ nodeId: 1, host: LONG, port: 1, rack: null }] }),
  })
  const producer = startProducer(broker.address, { deliveryTimeoutMs: 500 })
  const error = await deliveryErrorOf(producer.send({ topic: 't', value: 'x' }))
  expect(error.message).toContain('a host that is neither a name nor an address')
  expectHarmless(error)
})

function handshake(errorCode: number, mechanisms: string[]) {
  return ({ socket, correlationId }: Asked) =>
    void socket.write(encodeResponseFrame(saslHandshake, 1, correlationId, { errorCode, mechanisms }))
}

function refusal(errorCode: number) {
  return (asked: Asked) => {
    if (asked.apiKey === saslHandshake.key) return handshake(0, ['PLAIN'])(asked)
    const answer = { errorCode, errorMessage: LONG, authBytes: Buffer.alloc(0), sessionLifetimeMs: 0 }
    asked.socket.write(encodeResponseFrame(saslAuthenticate, 2, asked.correlationId, answer))
  }
}

it.each<[string, string, Manner]>([
  ['mechanisms', 'AUTHENTICATION_FAILED', handshake(33, [LONG, 'PLAIN'])],
  [
    'many mechanisms',
    'AUTHENTICATION_FAILED',
    handshake(
      33,
      Array.from({ length: 5_000 }, () => 'PLAIN'),
    ),
  ],
  ['why credentials are refused', 'AUTHENTICATION_FAILED', refusal(58)],
  ['why credentials can not be looked at', 'DELIVERY_TIMEOUT', refusal(34)],
])('%s', async (_, code, manner) => {
  const hostile = await HostileServer.start(manner, { saysVersions: true })
  onTestFinished(() => hostile.stop())
  const producer = startProducer(hostile.address, {
    deliveryTimeoutMs: 500,
    sasl: { mechanism: 'plain', username: 'alice', password: 'wonderland' },
  })
  const error = await deliveryErrorOf(producer.send({ topic: 't', value: 'x' }))
  expect(error.code).toBe(code)
  expectHarmless(error)
})

it('the names in a certificate', async () => {
  const authority = new CertificateAuthority()
  onTestFinished(() => authority.remove())
  const names = Array.from({ length: 200 }, (_, i) => `DNS:other-${i}.example`).join(',')
  const server = createServer(authority.issue({ names }), (socket) => socket.on('error', () => undefined))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as { port: number }
  const producer = startProducer(`localhost:${port}`, { ssl: { ca: authority.cert } })
  const error = await deliveryErrorOf(producer.send({ topic: 't', value: 'x' }))
  expect(error).toMatchObject({ code: 'TLS_FAILED', message: expect.stringContaining('ERR_TLS_CERT_ALTNAME_INVALID') })
  expectHarmless(error)
  expect(inspect(error, { depth: Infinity }).length).toBeLessThan(10_000)
})

it('a name that can not be resolved', async () => {
  const producer = startProducer(`${'a'.repeat(60)}.invalid:9092`, { deliveryTimeoutMs: 1_000 })
  expectHarmless(await deliveryErrorOf(producer.send({ topic: 't', value: 'x' })))
})
