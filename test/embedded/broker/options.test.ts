import { describe, expect, it } from 'vitest'
import { EmbeddedKafka, type EmbeddedKafkaOptions, type Fault } from '../../../src/testing/index.js'
import { revoked } from '../../support/revoked.js'
import { startKafka } from '../support/cluster.js'

// Options as plain JavaScript gives them.
const refusal = (message: RegExp): unknown =>
  expect.objectContaining({
    name: 'EmbeddedKafkaError',
    code: 'INVALID_OPTION',
    message: expect.stringMatching(message) as unknown,
  })

const thrower = () => {
  throw new Error('thrown')
}
const unreadable = new Proxy({}, { get: thrower, has: thrower, ownKeys: thrower, getPrototypeOf: thrower })

it('a cluster is not made by its constructor', () => {
  const Made = EmbeddedKafka as unknown as new (options?: EmbeddedKafkaOptions) => EmbeddedKafka
  for (const make of [() => new Made(), () => new Made({ brokers: 3 })])
    expect(make).toThrow(refusal(/^an embedded Kafka is made by `await EmbeddedKafka\.start\(options\)`$/))
})

describe('a cluster does not start with', () => {
  it.each<[string, unknown, RegExp]>([
    ['nothing', null, /^options: given was null, allowed is an object of brokers, topics/],
    ['a number', 3, /^options: given was 3/],
    ['a misspelt option', { borkers: 3 }, /^there is no 'borkers' in options: did you mean 'brokers'\?$/],
    [
      'a number for a release',
      { release: 4 },
      /^options\.release: given was 4, allowed is a text such as '4' or '3\.9'$/,
    ],
    [
      'a text for a number of brokers',
      { brokers: '3' },
      /^options\.brokers: given was '3', allowed is a whole number of at least 1, or a list/,
    ],
    ['half a broker', { brokers: 1.5 }, /^options\.brokers: given was 1\.5/],
    [
      'a number for a broker',
      { brokers: [1] },
      /^options\.brokers\[0\]: given was 1, allowed is an object of id, port, rack, release$/,
    ],
    [
      'a broker of a misspelt rack',
      { brokers: [{ rak: 'a' }] },
      /^there is no 'rak' in options\.brokers\[0\]: did you mean 'rack'\?$/,
    ],
    ['a list of topics', { topics: ['orders'] }, /^options\.topics: given was a list, allowed is a plain object$/],
    ['a Map of topics', { topics: new Map([['orders', {}]]) }, /^options\.topics: given was an object \(Map\)/],
    [
      'a number for a topic',
      { topics: { orders: 3 } },
      /^options\.topics\['orders'\]: given was 3, allowed is an object of partitions/,
    ],
    [
      'a name of other clients',
      { topics: { orders: { numPartitions: 3 } } },
      /^there is no 'numPartitions' in options\.topics\['orders'\]: did you mean 'partitions'\?$/,
    ],
    [
      'a text for a number of partitions',
      { topics: { orders: { partitions: '3' } } },
      /\['orders'\]\.partitions: given was '3'/,
    ],
    [
      'an object for a setting',
      { topics: { orders: { config: { 'retention.bytes': {} } } } },
      /\.config\['retention\.bytes'\]: given was an object/,
    ],
    [
      'a path for a port',
      { ports: ['kafka.sock'] },
      /^options\.ports\[0\]: given was 'kafka\.sock', allowed is a whole number from 0 to 65535$/,
    ],
    ['a port that is none', { ports: [70_000] }, /^options\.ports\[0\]: given was 70000/],
    ['more ports than brokers', { ports: [0, 0, 0] }, /^ports: given were 3 for 1 broker, which `brokers` says$/],
    ['a number for a host', { host: 5 }, /^options\.host: given was 5/],
    [
      'a text for true',
      { autoCreateTopics: 'false' },
      /^options\.autoCreateTopics: given was 'false', allowed is true or false$/,
    ],
    ['no function', { onHangUp: true }, /^options\.onHangUp: given was true/],
    ['TLS of a promise', { ssl: Promise.resolve({}) }, /^options\.ssl: given was an object \(Promise\)/],
    ['a list for TLS', { ssl: [] }, /^options\.ssl: given was a list/],
    ['users of a promise', { sasl: Promise.resolve({ users: {} }) }, /^options\.sasl: given was an object \(Promise\)/],
    ['TLS without its options', { ssl: true }, /^options\.ssl: given was true/],
    ['TLS without a key', { ssl: { cert: 'x' } }, /^options\.ssl: a server needs `cert` and `key`, or `pfx`$/],
    [
      'a path for a certificate',
      { ssl: { cert: '/etc/server.pem', key: 'secret' } },
      /^options\.ssl\.cert: it holds no PEM certificate: give the content of the file, not its path$/,
    ],
    ['SASL without users', { sasl: true }, /^options\.sasl: given was true, allowed is an object of mechanisms, users/],
    [
      'a misspelt mechanism',
      { sasl: { mechanisms: ['plain'] } },
      /^options\.sasl\.mechanisms\[0\]: given was 'plain', .*did you mean 'PLAIN'\?$/,
    ],
    [
      'a password that is none',
      { sasl: { users: { alice: 4711 } } },
      /^options\.sasl\.users\['alice'\]: allowed is a password, or/,
    ],
    ['a text for a time', { clientMetrics: { intervalMs: '5' } }, /^options\.clientMetrics\.intervalMs: given was '5'/],
    [
      'an id that the wire can’t hold',
      { brokers: [{ id: 2 ** 31 }] },
      /^options\.brokers\[0\]\.id: given was 2147483648, allowed is a whole number from 0 to 2147483647/,
    ],
    ['a list that only has a length', { brokers: Array(3) }, /^options\.brokers\[0\]: given was undefined/],
    ['what throws when it is read', unreadable, /^options can't be read: what reads it threw$/],
    ['such a topic', { topics: { orders: unreadable } }, /^options\.topics\['orders'\] can't be read/],
    ['a proxy that was revoked', { brokers: revoked([]) }, /^options can't be read/],
  ])('%s', async (_, options, message) => {
    const started = EmbeddedKafka.start(options as EmbeddedKafkaOptions)
    // One that starts must not stay.
    void started.then(
      (kafka) => kafka.stop(),
      () => undefined,
    )
    await expect(started).rejects.toEqual(refusal(message))
  })
})

describe('what a cluster does not take', () => {
  it.each<[string, (kafka: Loose) => unknown, RegExp]>([
    ['a topic without a name', (kafka) => kafka['createTopic']?.(), /^name: given was undefined, allowed is a text$/],
    ['a topic without options', (kafka) => kafka['createTopic']?.('x', null), /^options: given was null/],
    [
      'a misspelt setting',
      (kafka) => kafka['recreateTopic']?.('orders', { partition: 3 }),
      /did you mean 'partitions'/,
    ],
    [
      'more replicas than brokers',
      (kafka) => kafka['recreateTopic']?.('orders', { replicationFactor: 2 }),
      /^replicationFactor 2 with 1 brokers$/,
    ],
    [
      'a misspelt setting of Kafka’s',
      (kafka) => kafka['createTopic']?.('x', { config: { 'cleanup.polcy': 'compact' } }),
      /^no topic has the setting 'cleanup\.polcy': did you mean 'cleanup\.policy'\?$/,
    ],
    [
      'a value that such a setting can’t have',
      (kafka) => kafka['recreateTopic']?.('orders', { config: { 'cleanup.policy': 'delete,compacted' } }),
      /^cleanup\.policy: given was 'compacted'.*did you mean 'compact'\?$/,
    ],
    [
      'another such value',
      () => EmbeddedKafka.start({ topics: { x: { config: { 'message.timestamp.type': 'LogAppend' } } } }),
      /^message\.timestamp\.type: given was 'LogAppend'/,
    ],
    ['a text for a number of partitions', (kafka) => kafka['setPartitions']?.('orders', '3'), /^count: given was '3'/],
    [
      'more partitions than fit into memory',
      (kafka) => kafka['setPartitions']?.('orders', 1e9),
      /^count: given was 1000000000, allowed is a whole number from 1 to 100000$/,
    ],
    [
      'as many at the start',
      () => EmbeddedKafka.start({ topics: { x: { partitions: 1e9 } } }),
      /partitions: given was 1000000000, allowed is/,
    ],
    ['a number for a release', (kafka) => kafka['upgradeBroker']?.(1, 4), /^release: given was 4, allowed is a text/],
    [
      'a misspelt port',
      (kafka) => kafka['addBroker']?.({ ports: 1 }),
      /^there is no 'ports' in options: did you mean 'port'\?$/,
    ],
    ['a text for a port', (kafka) => kafka['startBroker']?.(1, { port: 'next' }), /^options\.port: given was 'next'/],
    [
      'a text for a time',
      (kafka) => kafka['stopBroker']?.(1, { electionMs: '5' }),
      /^options\.electionMs: given was '5'/,
    ],
    ['no subscription', (kafka) => kafka['subscribeMetrics']?.(), /^subscription: given was undefined/],
    [
      'a misspelt isolation',
      (kafka) => kafka['records']?.('orders', { isolation: 'committed' }),
      /^options\.isolation: .* 'read_committed'/,
    ],
    ['records without a number', (kafka) => kafka['waitForRecords']?.('orders'), /^count: given was undefined/],
    [
      'a number for options',
      (kafka) => kafka['waitForRecords']?.('orders', 1, 500),
      /^options: given was 500, allowed is an object of timeoutMs$/,
    ],
    [
      'a misspelt request',
      (kafka) => kafka['waitForRequest']?.({ api: 'produce' }),
      /^filter\.api: .*did you mean 'Produce'\?$/,
    ],
    [
      'a text for a broker',
      (kafka) => kafka['moveLeader']?.('orders', 0, '1'),
      /^broker: given was '1', allowed is a whole number of at least -1$/,
    ],
    [
      'no number of hits',
      (kafka) => (kafka['delay']?.({}, 1) as Fault).hit({ timeoutMs: 20 } as never, 20),
      /^count: given was an object \(Object\), allowed is a whole number/,
    ],
    [
      'no time for a hit',
      (kafka) => (kafka['delay']?.({}, 1) as Fault).hit(1, NaN),
      /^timeoutMs: given was NaN, allowed is a number of milliseconds/,
    ],
    ['deletion of no topic', (kafka) => kafka['deleteTopic']?.(Symbol('orders')), /^name: given was a symbol/],
    ['no name of a topic made anew', (kafka) => kafka['recreateTopic']?.(revoked({})), /^name: given was an object/],
    [
      'partitions of no topic',
      (kafka) => kafka['setPartitions']?.(Object.create(null), 3),
      /^name: given was an object/,
    ],
    ['a leader of no topic', (kafka) => kafka['leaderOf']?.(unreadable, 0), /^topic: given was an object/],
    [
      'a leader of a partition in words',
      (kafka) => kafka['leaderOf']?.('orders', '0'),
      /^partition: given was '0', allowed is a whole number of at least 0$/,
    ],
    ['a move of no topic', (kafka) => kafka['moveLeader']?.(7, 0, 1), /^topic: given was 7, allowed is a text$/],
    ['a move of no partition', (kafka) => kafka['moveLeader']?.('orders', null, 1), /^partition: given was null/],
    ['records of no topic', (kafka) => kafka['records']?.(Symbol('orders')), /^topic: given was a symbol/],
    ['offsets of no group', (kafka) => kafka['committedOffsets']?.({ groupId: 'g' }), /^group: given was an object/],
    [
      'babble that is no bytes',
      (kafka) => kafka['babble']?.(1, 64),
      /^bytes: given was 64, allowed is bytes: a Uint8Array or a Buffer$/,
    ],
    ['no requests', (kafka) => kafka['waitForRequest']?.({}, { count: 0 }), /^options\.count: given was 0/],
  ])('%s', async (_, call, message) => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const called = (async () => call(kafka as unknown as Loose))()
    await expect(called).rejects.toEqual(refusal(message))
    expect(kafka.brokers.map(({ state }) => state)).toEqual(['running'])
    expect(kafka.leaderOf('orders', 0)).toBe(1)
  })
})

type Loose = Readonly<Record<string, ((...args: readonly unknown[]) => unknown) | undefined>>

it.each<[string, unknown, unknown, RegExp]>([
  ['a number', 'alice', 4711, /^password: allowed is a text, or null/],
  ['nothing, as of a variable that is not set', 'alice', undefined, /^password: allowed is a text, or null/],
  ['a user without a name', undefined, 'wonderland', /^user: given was undefined/],
])('a password is not set: %s', async (_, user, password, message) => {
  const kafka = await startKafka({ sasl: { users: { alice: 'wonderland' } } })
  const set = () => (kafka as unknown as Loose)['setPassword']?.(user, password)
  expect(set).toThrow(refusal(message))
})

it('a password that is refused is in no error', async () => {
  const sasl = { users: { alice: ['TESTPASSWORD'] } } as never
  await expect(EmbeddedKafka.start({ sasl })).rejects.not.toThrow('TESTPASSWORD')
  await expect(EmbeddedKafka.start({ sasl })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
})
