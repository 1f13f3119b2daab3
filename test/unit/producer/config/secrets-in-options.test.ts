import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { InvalidConfigError, Producer, ProducerConfig, StickyByBytes, StringEncoder } from '../../../../src/index.js'
import { OPTIONS } from '../../../../src/producer/config/option-table.js'

const brokers = 'localhost:9092'
const SECRETS = ['S3CRETkey', 'wonderland'] as const
const CONNECTION_STRING =
  'Endpoint=sb://shop.servicebus.windows.net/;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=S3CRETkey='
const KEY = '-----BEGIN PRIVATE KEY-----\nS3CRETkey\n-----END PRIVATE KEY-----\n'

function errorOf(make: () => unknown): InvalidConfigError {
  try {
    make()
  } catch (error) {
    if (error instanceof InvalidConfigError) return error
    throw error
  }
  throw new Error('it was taken')
}

/** As a log shows it, with everything that hangs on it. */
function checkNothingTold(error: unknown): void {
  const logged = inspect(error, { depth: 10, showHidden: true })
  for (const secret of SECRETS) expect(logged).not.toContain(secret)
}

describe('a secret in the wrong option is not in the error', () => {
  it.each([
    [CONNECTION_STRING, /connection string of Event Hubs is a password: give it as sasl/],
    ['alice:wonderland@kafka:9092', /Names and passwords belong in the option `sasl`/],
    ['wonderland@kafka:9092', /`sasl`/],
    ['kafka:9092;password=wonderland', /`sasl`/],
    ['alice:won,derland@kafka', /`sasl`/],
    [['kafka-1:9092', 'alice:wonderland@kafka-2:9092'], /`sasl`/],
    ['SASL_SSL://alice:wonderland@kafka:9092', /`sasl`/],
    ['alice:wonderland', /'alice' and something else than a port/],
    ['kafka://host/S3CRETkey', /brokers/],
    ['kafka S3CRETkey/x', /brokers/],
    [() => 'S3CRETkey', /given was a function/],
    [[{ host: 'kafka', password: 'wonderland' }], /given was an object/],
  ])('brokers: %o', (given, text) => {
    const error = errorOf(() => new Producer({ brokers: given as never }))
    expect(error.message).toMatch(text)
    checkNothingTold(error)
    expect(error.message).not.toContain('derland')
  })

  it('sasl.mechanism: a password in its place, which a name of that kind may well be', () => {
    for (const mechanism of ['wonderland', 'S3CRETkey']) {
      const sasl = { mechanism, username: 'alice', password: 'plain' } as never
      const error = errorOf(() => new Producer({ brokers, sasl }))
      expect(error.message).toMatch(/^sasl: the mechanism that was given needs an `authenticator`/)
      checkNothingTold(error)
    }
    for (const mechanism of ['GSSAPI', 'digest-md5', 'plainn', 'SCRAM-SHA-1'])
      expect(errorOf(() => new Producer({ brokers, sasl: { mechanism } as never })).message).toContain(`'${mechanism}'`)
  })

  const others = Object.keys(OPTIONS).filter((name) => !['brokers', 'clientId', 'partitioner'].includes(name))
  it.each(others)('%s', (name) => {
    for (const given of [
      CONNECTION_STRING,
      KEY,
      `alice:wonderland`,
      `x${'S3CRETkey'.repeat(9)}`,
      { a: CONNECTION_STRING },
    ]) {
      // An object may be an encoder or TLS's options; what is wrong with it is its fields.
      const error = errorOf(() => new Producer({ brokers, type: 'async', [name]: given } as never))
      expect(error.message).toContain(name)
      checkNothingTold(error)
    }
    const list = [KEY, 'alice:wonderland', 7]
    checkNothingTold(errorOf(() => new Producer({ brokers, type: 'async', [name]: list } as never)))
  })

  it.each<[string, () => unknown]>([
    ['a function for a text', () => new Producer({ brokers, clientId: (() => 'S3CRETkey') as never })],
    ['an unknown option', () => new Producer({ brokers, [CONNECTION_STRING]: 1 } as never)],
    ['the value of an unknown option', () => new Producer({ brokers, password: 'wonderland' } as never)],
    ['no options at all', () => new Producer(CONNECTION_STRING as never)],
    ['a partitioner', () => new Producer({ brokers, partitioner: CONNECTION_STRING as never })],
    ['an option of a partitioner', () => new StickyByBytes({ stickyBytes: CONNECTION_STRING as never })],
    ['an encoding', () => new StringEncoder(CONNECTION_STRING)],
    ['inFlight', () => new Producer({ brokers }).writable({ inFlight: 'alice:wonderland' as never })],
    ['a codec', () => new Producer({ brokers, compression: { type: 'gzip', fallback: CONNECTION_STRING } })],
    ['a level', () => new Producer({ brokers, compression: { type: 'gzip', level: KEY as never } })],
    [
      'a topic’s codec',
      () => new Producer({ brokers, topicCompression: { [CONNECTION_STRING]: { type: 7 } as never } }),
    ],
    ['a version of TLS', () => new Producer({ brokers, ssl: { minVersion: 'wonderland' as never } })],
    ['a field of TLS', () => new Producer({ brokers, ssl: { [CONNECTION_STRING]: 1 } as never })],
    ['a key without its head', () => new Producer({ brokers, ssl: { key: 'S3CRETkey' } })],
    ['a key of another type', () => new Producer({ brokers, ssl: { key: { S3CRETkey: 1 } as never } })],
    ['ciphers', () => new Producer({ brokers, ssl: { ciphers: 'wonderland' } })],
    [
      'a property’s value',
      () => ProducerConfig.fromProperties({ 'bootstrap.servers': brokers, acks: CONNECTION_STRING }),
    ],
    [
      'a property’s number',
      () => ProducerConfig.fromProperties({ 'bootstrap.servers': brokers, retries: 'alice:wonderland' }),
    ],
    [
      'a property’s class',
      () => ProducerConfig.fromProperties({ 'bootstrap.servers': brokers, 'value.serializer': KEY }),
    ],
    ['servers of a file', () => ProducerConfig.fromProperties({ 'bootstrap.servers': CONNECTION_STRING })],
    [
      'a key where its file belongs',
      () =>
        ProducerConfig.fromProperties({
          'bootstrap.servers': brokers,
          'security.protocol': 'SSL',
          'ssl.keystore.type': 'PEM',
          'ssl.keystore.location': KEY,
        }),
    ],
    [
      'a mechanism of a file',
      () =>
        ProducerConfig.fromProperties(
          {
            'bootstrap.servers': brokers,
            'sasl.mechanism': CONNECTION_STRING,
            'security.protocol': 'alice:wonderland',
          },
          { sasl: { mechanism: 'plain', username: 'a', password: 'b' } },
        ),
    ],
    [
      'a password that lost its continuation',
      () => ProducerConfig.fromProperties('sasl.jaas.config=x required \n username="a" \n "S3CRETkey";\n wonderland:x'),
    ],
    ['a key that lost its continuation', () => ProducerConfig.fromProperties(`acks=all\nssl.keystore.key=x\n${KEY}`)],
    ['a name with a secret', () => ProducerConfig.fromProperties(Object.fromEntries([['alice:wonderland@x', 'y']]))],
    ['a value of another type', () => ProducerConfig.fromProperties({ [CONNECTION_STRING]: ['wonderland'] })],
  ])('%s', (_, make) => {
    checkNothingTold(errorOf(make))
  })

  it('nor in the notes of a file', () => {
    const file = `bootstrap.servers=x\nbasic.auth.user.info=alice:wonderland\n${KEY}S3CRETkey\nsasl.jaas.config="S3CRETkey"\nssl.key.password=S3CRETkey`
    const sasl = { mechanism: 'plain', username: 'a', password: 'b' } as const
    const { notes } = ProducerConfig.fromProperties(file, { sasl, ssl: true })
    expect(notes.length).toBeGreaterThan(4)
    checkNothingTold(notes)
  })

  it('flush() and close()', async () => {
    const producer = new Producer({ brokers })
    for (const error of [
      await producer.flush({ timeoutMs: CONNECTION_STRING as never }).catch((cause: unknown) => cause),
      await producer.close({ timeoutMs: CONNECTION_STRING as never }).catch((cause: unknown) => cause),
    ]) {
      expect(error).toBeInstanceOf(InvalidConfigError)
      checkNothingTold(error)
    }
    await producer.close()
  })
})
