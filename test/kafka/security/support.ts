/**
 * What the tests of secured listeners share: `npm run test:kafka:security`, for the releases that KAFKA_RELEASES names
 * (default: 0.10.2, 2.8 and the newest; GSSAPI 0.9 too). Certificates are made by openssl, users by Kafka's own tools.
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished } from 'vitest'
import { DeliveryError, Producer, type ProducerOptions } from '../../../src/index.js'
import type { CertificateAuthority, KeyPair } from '../../embedded/support/certificates.js'
import { install } from '../support/install.js'
import { runJava } from '../support/jvm.js'
import type { RealKafka } from '../support/real-kafka.js'

const named = process.env['KAFKA_RELEASES']?.split(',')
export const releases = named ?? ['0.10.2', '2.8', '4']
/** Kafka 0.9 has this mechanism alone, and no question for it. */
export const gssapiReleases = named ?? ['0.9', ...releases]

export type SyncOptions = ProducerOptions

export function producerOf(options: SyncOptions): Producer {
  const producer = new Producer({ deliveryTimeoutMs: 30_000, ...options })
  onTestFinished(async () => {
    await producer.close({ timeoutMs: 0 })
  })
  return producer
}

export async function failureFrom(producer: Producer): Promise<DeliveryError> {
  const error: unknown = await producer.send({ topic: 't', value: 'v' }).catch((cause: unknown) => cause)
  expect(error).toBeInstanceOf(DeliveryError)
  return error as DeliveryError
}

/** How a message fails. Any code but DELIVERY_TIMEOUT tells that it did not wait for its deadline. */
export function failureOf(options: SyncOptions): Promise<DeliveryError> {
  return failureFrom(producerOf(options))
}

/** A broker's key and certificate as Java reads them. */
export function keyStore(authority: CertificateAuthority, name: string, { cert, key }: KeyPair): string {
  writeFileSync(join(authority.dir, `${name}.pem`), cert + key)
  authority.openssl(
    'pkcs12',
    '-export',
    '-in',
    `${name}.pem`,
    '-passout',
    'pass:changeit',
    '-out',
    `${name}.p12`,
    '-name',
    name,
  )
  return join(authority.dir, `${name}.p12`)
}

/** Server properties of listeners that want a client's certificate, signed by this authority. */
export function sslProperties(authority: CertificateAuthority): Record<string, string> {
  const trustStore = join(authority.dir, 'trust.p12')
  // Java finds an authority in PKCS12 only where its own tool has put it.
  execFileSync(
    'keytool',
    [
      '-importcert',
      '-noprompt',
      '-storetype',
      'PKCS12',
      '-keystore',
      trustStore,
      '-storepass',
      'changeit',
      '-alias',
      'ca',
      '-file',
      join(authority.dir, 'ca.pem'),
    ],
    { stdio: 'pipe' },
  )
  return {
    'ssl.keystore.type': 'PKCS12',
    'ssl.keystore.location': keyStore(authority, 'server', authority.issue()),
    'ssl.keystore.password': 'changeit',
    'ssl.key.password': 'changeit',
    'ssl.truststore.type': 'PKCS12',
    'ssl.truststore.location': trustStore,
    'ssl.truststore.password': 'changeit',
    'ssl.client.auth': 'required',
  }
}

/** What the broker itself has counted of sessions on one listener. */
export async function reauthentications(
  kafka: RealKafka,
  listener: string,
): Promise<{ renewed: number; refused: number; killed: number }> {
  const [broker] = kafka.brokers
  const stdout = await runJava({
    java: '17',
    libs: await install(kafka.release),
    main: join(dirname(fileURLToPath(import.meta.url)), 'Reauthentications.java'),
    args: [String(broker?.pid), listener],
  })
  const [renewed = NaN, refused = NaN, killed = NaN] = stdout.toString().trim().split(' ').map(Number)
  return { renewed, refused, killed }
}
