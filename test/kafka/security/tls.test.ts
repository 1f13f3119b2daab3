/** TLS with real brokers: certificates right and wrong on both sides, new ones without a restart, and ports mixed up. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CertificateAuthority, type KeyPair } from '../../embedded/support/certificates.js'
import { RealKafka } from '../support/real-kafka.js'
import type { Listeners } from '../support/server-properties.js'
import { failureFrom, failureOf, keyStore, producerOf, releases, sslProperties } from './support.js'

describe.each(releases)('TLS with Kafka %s', (release) => {
  // Listeners have had certificates of their own since Kafka 0.11; before, each takes a broker.
  const isOld = release.startsWith('0.')
  const clusters: RealKafka[] = []
  let kafka: RealKafka
  let authority: CertificateAuthority
  let stranger: CertificateAuthority
  let client: KeyPair
  let ssl: KeyPair & { readonly ca: string }
  let withExpired: string
  let withAnotherName: string

  beforeAll(async () => {
    authority = new CertificateAuthority()
    stranger = new CertificateAuthority('Another authority')
    client = authority.issue({ commonName: 'client' })
    ssl = { ca: authority.cert, ...client }
    const properties = sslProperties(authority)
    const expired = keyStore(authority, 'expired', authority.issue({ expired: true }))
    const elsewhere = keyStore(authority, 'elsewhere', authority.issue({ names: 'DNS:elsewhere.example' }))
    const start = async (listeners: Listeners, config: Record<string, string>) => {
      const cluster = await RealKafka.start({
        release,
        topics: { t: { partitions: 3 } },
        listeners,
        config: { ...properties, ...config },
      })
      clusters.push(cluster)
      return cluster
    }
    if (isOld) {
      kafka = await start({ SSL: 'SSL' }, {})
      withExpired = (await start({ SSL: 'SSL' }, { 'ssl.keystore.location': expired })).bootstrapOf('SSL')
      withAnotherName = (await start({ SSL: 'SSL' }, { 'ssl.keystore.location': elsewhere })).bootstrapOf('SSL')
    } else {
      kafka = await start(
        { SSL: 'SSL', EXPIRED: 'SSL', ELSEWHERE: 'SSL' },
        {
          'listener.name.expired.ssl.keystore.location': expired,
          'listener.name.elsewhere.ssl.keystore.location': elsewhere,
        },
      )
      withExpired = kafka.bootstrapOf('EXPIRED')
      withAnotherName = kafka.bootstrapOf('ELSEWHERE')
    }
  })
  afterAll(async () => {
    for (const cluster of clusters) await cluster.stop()
    authority?.remove()
    stranger?.remove()
  })

  it('sends, with a certificate on both sides', async () => {
    const [metadata] = await producerOf({ brokers: kafka.bootstrapOf('SSL'), ssl }).send({ topic: 't', value: 'v' })
    expect(metadata?.acknowledged).toBe(true)
  })

  it('fails at once where the broker’s certificate is not trusted', async () => {
    const error = await failureOf({ brokers: kafka.bootstrapOf('SSL'), ssl: client })
    expect(error).toMatchObject({
      code: 'TLS_FAILED',
      retriable: false,
      mayHaveBeenWritten: false,
      message: expect.stringMatching(/not trusted.*`ssl: \{ ca \}`/),
    })
  })

  it('fails at once where it has expired', async () => {
    const error = await failureOf({ brokers: withExpired, ssl })
    expect(error).toMatchObject({
      code: 'TLS_FAILED',
      retriable: false,
      mayHaveBeenWritten: false,
      message: expect.stringMatching(/has expired: the broker needs a new one/),
    })
  })

  it('fails at once where it is for another name, unless that one is given', async () => {
    const brokers = withAnotherName
    const error = await failureOf({ brokers, ssl })
    expect(error).toMatchObject({
      code: 'TLS_FAILED',
      retriable: false,
      mayHaveBeenWritten: false,
      message: expect.stringMatching(/other names.*`ssl: \{ servername \}`.*127\.0\.0\.1/),
    })
    const [metadata] = await producerOf({ brokers, ssl: { ...ssl, servername: 'elsewhere.example' } }).send({
      topic: 't',
      value: 'v',
    })
    expect(metadata?.acknowledged).toBe(true)
  })

  it.each([
    ['is missing', () => ({})],
    ['is signed by a stranger', () => stranger.issue({ commonName: 'client' })],
    ['has expired', () => authority.issue({ commonName: 'client', expired: true })],
  ])('tells what to do where this client’s certificate %s', async (_, own) => {
    const error = await failureOf({
      brokers: kafka.bootstrapOf('SSL'),
      ssl: { ca: authority.cert, ...own() },
      deliveryTimeoutMs: 3_000,
    })
    // Kafka 2.8 says it with bytes that can't be decrypted, which may mean anything.
    expect(error.code).toBe(release.startsWith('2.') ? 'DELIVERY_TIMEOUT' : 'TLS_FAILED')
    expect(error).toMatchObject({
      mayHaveBeenWritten: false,
      message: expect.stringMatching(/certificate.*`ssl: \{ cert, key \}`/),
    })
  })

  it('tells at once that a port has TLS, and that one has none', async () => {
    const toTls = await failureOf({ brokers: kafka.bootstrapOf('SSL') })
    expect(toTls).toMatchObject({
      code: 'TLS_FAILED',
      mayHaveBeenWritten: false,
      message: expect.stringMatching(/speaks TLS on this port: give `ssl: true`/),
    })
    // The broker just hangs up: it is asked without TLS then.
    const toPlain = await failureOf({ brokers: kafka.bootstrap, ssl })
    expect(toPlain).toMatchObject({
      code: 'TLS_FAILED',
      mayHaveBeenWritten: false,
      message: expect.stringMatching(/does not speak TLS on this port: .*leave `ssl` out/),
    })
    for (const options of [{ brokers: kafka.bootstrapOf('SSL') }, { brokers: kafka.bootstrap, ssl }])
      await expect(producerOf(options).connect()).rejects.toMatchObject({ code: 'TLS_FAILED', retriable: false })
    await producerOf({ brokers: kafka.bootstrapOf('SSL'), ssl }).connect()
  })

  it('goes on trying until the deadline where that was asked for', async () => {
    const error = await failureOf({
      brokers: withExpired,
      ssl,
      retryAuthenticationErrors: true,
      deliveryTimeoutMs: 2_000,
    })
    expect(error).toMatchObject({
      code: 'DELIVERY_TIMEOUT',
      mayHaveBeenWritten: false,
      message: expect.stringMatching(/has expired/),
    })
  })

  it('takes up new certificates without a restart', async () => {
    let own = client
    let asked = 0
    const producer = producerOf({
      brokers: kafka.bootstrapOf('SSL'),
      connectionsMaxIdleMs: 300,
      deliveryTimeoutMs: 4_000,
      ssl: () => {
        asked++
        return { ca: authority.cert, ...own }
      },
    })
    /** Sends on connections that are made anew: the ones before are closed for idleness. */
    const sendAnew = async () => {
      const before = asked
      return expect
        .poll(async () => (await producer.send({ topic: 't', value: 'v' }), asked), {
          interval: 1_500,
          timeout: 20_000,
        })
        .toBeGreaterThan(before)
    }
    await producer.send({ topic: 't', value: 'v' })
    own = authority.issue({ commonName: 'client' })
    await sendAnew()
    // That the broker sees the new ones: these it refuses.
    own = stranger.issue({ commonName: 'client' })
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    expect((await failureFrom(producer)).message).toMatch(/certificate.*`ssl: \{ cert, key \}`/)
    own = authority.issue({ commonName: 'client' })
    await producer.send({ topic: 't', value: 'v' })
  })
})
