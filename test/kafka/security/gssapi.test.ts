/** GSSAPI with real brokers and a real Kerberos realm, through an authenticator that is given to the producer. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { readTopic } from '../support/kcat.js'
import { RealKafka } from '../support/real-kafka.js'
import { gssapiBridge } from './gssapi-bridge.js'
import { ensureKerberos, Kerberos, REALM } from './kerberos.js'
import { failureOf, gssapiReleases, producerOf, reauthentications, type SyncOptions } from './support.js'

/** Of a session, where the release limits it. */
const LIFETIME_MS = 3_000

const missing = await ensureKerberos().then(
  () => undefined,
  (error: Error) => error.message,
)
if (missing !== undefined) {
  console.log(`NOT RUN: GSSAPI: ${missing}`)
  // Nothing else would fail.
  if (process.env['CI'] === 'true') it('GSSAPI has what it takes to be tested', () => expect(missing).toBeUndefined())
}

describe.skipIf(missing !== undefined).each(gssapiReleases)('GSSAPI with Kafka %s', (release) => {
  const isOld = release.startsWith('0.')
  let kerberos: Kerberos
  let kafka: RealKafka
  let alice: NodeJS.ProcessEnv

  beforeAll(async () => {
    kerberos = await Kerberos.start()
    const broker = `kafka/127.0.0.1@${REALM}`
    const keyTable = await kerberos.addPrincipal(broker)
    // A service that is known, and is not the brokers'.
    await kerberos.addPrincipal(`other/127.0.0.1@${REALM}`)
    alice = await kerberos.signIn('alice', await kerberos.addPrincipal('alice'))
    const jaas = join(kerberos.dir, 'jaas.conf')
    writeFileSync(
      jaas,
      `KafkaServer {
      com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true keyTab="${keyTable}" principal="${broker}";
    };`,
    )
    kafka = await RealKafka.start({
      release,
      topics: { t: { partitions: 3 }, renewed: {} },
      listeners: { SASL_PLAINTEXT: 'SASL_PLAINTEXT' },
      jvmFlags: [
        `-Djava.security.krb5.conf=${kerberos.configuration}`,
        `-Djava.security.auth.login.config=${jaas}`,
        // What Kafka asks the JVM's own classes for the default realm by.
        '--add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED',
      ],
      config: {
        'sasl.enabled.mechanisms': 'GSSAPI',
        'sasl.kerberos.service.name': 'kafka',
        ...(isOld ? {} : { 'connections.max.reauth.ms': String(LIFETIME_MS) }),
      },
    })
  })
  afterAll(async () => {
    await kafka?.stop()
    await kerberos?.stop()
  })

  const listener = (): SyncOptions => ({
    brokers: kafka.bootstrapOf('SASL_PLAINTEXT'),
    ...(release === '0.9' ? { brokerVersion: release } : {}),
  })

  function gssapi(env: NodeJS.ProcessEnv, service = 'kafka'): SyncOptions {
    const { authenticator, close } = gssapiBridge(service, env)
    onTestFinished(close)
    return { ...listener(), sasl: { mechanism: 'GSSAPI', authenticator } }
  }

  it('sends with a ticket, and the messages are there', async () => {
    const values = Array.from({ length: 20 }, (_, i) => `value ${i}`)
    await producerOf(gssapi(alice)).send(values.map((value) => ({ topic: 't', value })))
    const read = await readTopic({ bootstrap: kafka.bootstrap, topic: 't', release, count: values.length })
    expect(read.map(({ value }) => String(value)).toSorted()).toEqual(values.toSorted())
  })

  it.skipIf(isOld)('renews its session on the live connection', async () => {
    const producer = producerOf({ ...gssapi(alice), retries: 0 })
    const before = await reauthentications(kafka, 'SASL_PLAINTEXT')
    const until = performance.now() + 2 * LIFETIME_MS
    for (let i = 0; performance.now() < until; i++) {
      await producer.send({ topic: 'renewed', value: String(i) })
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    const after = await reauthentications(kafka, 'SASL_PLAINTEXT')
    expect(after.renewed).toBeGreaterThan(before.renewed)
    expect(after).toMatchObject({ refused: before.refused, killed: before.killed })
  })

  it('fails at once without a ticket', async () => {
    const error = await failureOf(gssapi(kerberos.signedOut()))
    expect(error).toMatchObject({
      code: 'AUTHENTICATION_FAILED',
      mayHaveBeenWritten: false,
      message: expect.stringMatching(/no token for kafka@127\.0\.0\.1.*credential/i),
    })
  })

  it('fails at once where no such service is known', async () => {
    const error = await failureOf(gssapi(alice, 'nobody'))
    expect(error).toMatchObject({
      code: 'AUTHENTICATION_FAILED',
      mayHaveBeenWritten: false,
      message: expect.stringMatching(/no token for nobody@127\.0\.0\.1.*not found/i),
    })
  })

  it('fails at once where the ticket is for another service', async () => {
    const error = await failureOf(gssapi(alice, 'other'))
    expect(error).toMatchObject({
      code: 'AUTHENTICATION_FAILED',
      mayHaveBeenWritten: false,
      message: expect.stringMatching(
        /refuses the credentials given as `sasl` for GSSAPI.*look at what its `authenticator`/,
      ),
    })
  })

  it('is told of the mechanism that there is', async () => {
    const error = await failureOf({
      ...listener(),
      sasl: { mechanism: 'plain', username: 'alice', password: 'secret' },
    })
    expect(error).toMatchObject({
      code: 'AUTHENTICATION_FAILED',
      message: expect.stringMatching(/does not take PLAIN; it takes GSSAPI|Kafka 0\.9 has GSSAPI alone, not PLAIN/),
    })
  })
})
