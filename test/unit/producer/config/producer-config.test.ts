import { describe, expect, it } from 'vitest'
import {
  InvalidConfigError,
  Murmur2Partitioner,
  Producer,
  ProducerConfig,
  StickyByBytes,
  StringEncoder,
  type ProducerInterceptor,
  type ProducerOptions,
} from '../../../../src/index.js'
import { OPTIONS } from '../../../../src/producer/config/option-table.js'
import { revoked } from '../../../support/revoked.js'

const brokers = 'localhost:9092'

class ClassAsCodec {
  static compress() {
    return Buffer.of()
  }
}

function refusal(options: unknown): InvalidConfigError {
  try {
    new Producer(options as ProducerOptions)
  } catch (error) {
    if (error instanceof InvalidConfigError) return error
    throw error
  }
  throw new Error('the options were taken')
}

function configOf(options: Partial<ProducerOptions<unknown, unknown>>): ProducerConfig {
  return new ProducerConfig({ brokers, ...options })
}

it('notes that are no list are refused by name', () => {
  expect(() => new ProducerConfig({ brokers }, 7 as never)).toThrow(/^notes: given was 7, allowed is a list of texts$/)
})

describe('options of the other mode', () => {
  it('are taken and noted, so that a setting may switch it', () => {
    const options = { lingerMs: 20, batchMessages: 100, onDelivery: () => undefined, enqueueTimeoutMs: 0 }
    expect(configOf(options).notes).toEqual([
      "lingerMs is about the queue of async mode, and has no effect with type 'sync'",
      "batchMessages is about the queue of async mode, and has no effect with type 'sync'",
      "onDelivery is about the queue of async mode, and has no effect with type 'sync'",
    ])
    expect(new ProducerConfig({ brokers, ...options, type: 'async' }).notes).toEqual([])
  })

  it('are checked all the same', () => {
    expect(() => configOf({ lingerMs: -1 })).toThrow(/lingerMs: given was -1/)
  })
})

describe('what is refused, with what was given and what is allowed', () => {
  const integers: [string, number, number][] = [
    ['requestTimeoutMs', 1, 0x7fffffff],
    ['deliveryTimeoutMs', 1, 0x7fffffff],
    ['retryBackoffMs', 1, 0x7fffffff],
    ['retryBackoffMaxMs', 1, 0x7fffffff],
    ['metadataRefreshIntervalMs', -1, 0x7fffffff],
    ['batchBytes', 1, 0x7fffffff],
    ['maxRequestBytes', 1, 0x7fffffff],
    ['queueMessages', 1, 0x7fffffff],
    ['queueBytes', 1, Number.MAX_SAFE_INTEGER],
    ['enqueueTimeoutMs', -1, 0x7fffffff],
    ['maxInFlight', 1, 1_000],
    ['connectTimeoutMs', 1, 0x7fffffff],
    ['connectionsMaxIdleMs', 1, 0x7fffffff],
  ]

  it.each(integers)('%s: a whole number from %i to %i', (name, min, max) => {
    const numbers = [min - 1, max + 1, 1.5, NaN, Infinity].map((given): [unknown, string] => [given, String(given)])
    const others: [unknown, string][] = [
      ['5', "'5'"],
      [null, 'null'],
      [true, 'true'],
      [5n, '5n'],
      [{}, 'an object'],
    ]
    for (const [given, shown] of [...numbers, ...others]) {
      const { code, message } = refusal({ brokers, [name]: given })
      expect(code).toBe('INVALID_CONFIG')
      expect(message).toBe(`${name}: given was ${shown}, allowed is a whole number from ${min} to ${max}`)
    }
  })

  it.each([
    ['clientId', 'a string without control characters', ['a\nb', '\u0000', '\ud800', 'é'.repeat(16_384), 17, null]],
    ['acks', "0, 1, -1 or 'all'", [2, -2, '1', '-1', 'ALL', null, true]],
    ['retries', 'a whole number from 0, or Infinity', [-1, 0.5, NaN, '3', -Infinity, null]],
    ['allowAutoTopicCreation', 'true or false', ['true', 1, 0, null]],
    ['compressedTopics', 'a list of topics', ['orders', {}, null]],
    ['codecs', 'a list of codecs', [{ name: 'mine', compress: () => '' }, null]],
    ['interceptors', 'a list of objects', [{ onSend: () => undefined }, null]],
    ['logger', 'an object with the methods debug, info, warn and error', [null, 'console', 17]],
    ['topicCompression', 'an object of topics', [new Map([['t', 'gzip']]), ['gzip'], Promise.resolve({ t: 'gzip' })]],
    ['ssl', 'true, false, Node’s options of a TLS connection', [Promise.resolve({}), [], new Map(), 'x', 5, null]],
    ['brokerVersion', "'0.8' or '0.9'", ['0.10', '0.8.', '1', '4.0', 0.8, '', null]],
    ['encoder', 'an object with a method encode()', [() => 'x', {}, null, 'string']],
    ['keyEncoder', 'an object with a method encode()', [() => 'x', {}, null, 'string']],
    [
      'brokers',
      "'host:port,host:port'",
      [17, null, {}, '', 'host:', 'host:0', 'host:65536', 'host:x', ':9092', 'a b:1', 'a:1,,b:2', '::1', [17], ['']],
    ],
  ])('%s', (name, allowed, given) => {
    for (const value of given) {
      const { code, message } = refusal({ brokers, [name]: value })
      expect(code).toBe('INVALID_CONFIG')
      expect(message).toMatch(new RegExp(`^${name}: given was `))
      expect(message).toContain(`allowed is ${allowed}`)
    }
  })

  it.each([
    ['compressedTopics', ['orders', 17], 'compressedTopics[1]: given was 17, allowed is a topic'],
    [
      'compressedTopics',
      ['orders', 'orders '],
      "compressedTopics[1]: given was 'orders ', allowed is a topic: 1 to 249",
    ],
    ['brokers', Array(1), "brokers: given was undefined, allowed is 'host:port"],
    ['codecs', Array(1), 'codecs[0]: given was undefined, allowed is a codec'],
    ['codecs', [{ name: 'mine' }], 'codecs[0]: given was an object, allowed is a codec'],
    ['interceptors', [{ onsend: () => undefined }], 'interceptors[0]: given was an object, allowed is an object with'],
    ['interceptors', [{ onSend: 17 }], 'interceptors[0]: given was an object, allowed is an object with'],
    ['codecs', [null], 'codecs[0]: given was null, allowed is a codec'],
    ['codecs', [ClassAsCodec], 'codecs[0]: given was a function, allowed is a codec'],
    ['interceptors', Array(1), 'interceptors[0]: given was undefined, allowed is an object with'],
    ['interceptors', [null], 'interceptors[0]: given was null, allowed is an object with'],
  ])('%s: which one of the list', (name, value, text) => {
    expect(refusal({ brokers, [name]: value }).message).toContain(text)
  })

  it('a topic that there can’t be', () => {
    expect(refusal({ brokers, topicCompression: { logs: 'gzip', 'clicks*': 'gzip' } }).message).toBe(
      "topicCompression: given was one of a text that is not shown, since it may hold a secret, allowed are topics: 1 to 249 letters, digits, '.', '_' and '-', and neither '.' nor '..'",
    )
  })

  it.each([
    [{ id: Symbol('id') }, "codec 'mine' has the id a symbol, possible are 1 to 7"],
    [{ levels: 5 }, "codec 'mine' has levels that are 5, possible are a list of the lowest and the highest"],
    [{ levels: [1] }, "codec 'mine' has levels that are a list, possible are"],
  ])('a codec with %o', (fields, text) => {
    const mine = { name: 'mine', id: 5, compress: () => Buffer.of(), decompress: () => Buffer.of(), ...fields }
    expect(refusal({ brokers, codecs: [mine], compression: { type: 'mine', level: 1 } }).message).toContain(text)
  })

  it('a codec that can’t be read', () => {
    const codec = { name: 'mine', compress: () => Buffer.of(), decompress: () => Buffer.of() }
    const mine = Object.defineProperty(codec, 'id', {
      get() {
        throw new Error('thrown')
      },
    })
    expect(refusal({ brokers, codecs: [mine] }).message).toBe("codecs can't be read: what reads it threw")
  })

  it.each([
    ['logger', 'console', "logger: given was 'console', allowed is an object"],
    ['logger', 17, 'logger: given was 17, allowed is an object'],
    ['ssl', 'x', 'ssl: given was a text, allowed is true, false'],
    ['ssl', 5, 'ssl: given was 5, allowed is true, false'],
  ])('%s: what was given in its place, %o', (name, value, text) => {
    expect(refusal({ brokers, [name]: value }).message).toContain(text)
  })

  it('a logger, by what it lacks', () => {
    const logger = { debug: () => '', log: () => '', warn: () => '', error: () => '' }
    expect(refusal({ brokers, logger }).message).toBe(
      'logger: given was an object without a method info, allowed is an object with the methods debug, info, warn and error, such as console or a pino',
    )
  })

  it.each([undefined, null, 'localhost:9092', ['localhost:9092']])('options that are none: %o', (options) => {
    expect(() => new ProducerConfig(options as never)).toThrow(
      "the options must be an object with brokers, such as { brokers: 'localhost:9092' }",
    )
  })

  it('brokers that are missing, or none', () => {
    expect(refusal({}).message).toContain('brokers: given was undefined')
    expect(refusal({ brokers: [] }).message).toContain('brokers: given was an empty list')
    expect(refusal({ brokers: '${KAFKA_BROKERS}' }).message).toContain('A place for a variable was not filled in')
    expect(refusal({ brokers: 'SASL_SSL://kafka:9092' }).message).toContain('Leave out the name of the listener')
    // As from `brokers: [process.env.BROKERS]`.
    expect(refusal({ brokers: ['kafka-1:9092,kafka-2:9092'] }).message).toContain(
      'several addresses is given by itself, and not in a list',
    )
    expect(refusal({ brokers: '::1' }).message).toContain('An IPv6 address stands in brackets')
  })

  it.each([
    ['kafka-1:9092;kafka-2:9092', 'Addresses are separated by commas'],
    ['kafka-1:9092 kafka-2:9092', 'Addresses are separated by commas'],
    ['kafka-1:9092\nkafka-2:9092', 'Addresses are separated by commas'],
    [['kafka-1:9092 kafka-2:9092'], 'Addresses are separated by commas'],
    ['kafka-1:9092|kafka-2:9092', 'Addresses are separated by commas'],
    ['kafka-1:9092,', 'An address is missing before or behind a comma'],
    ['localhost:99999', 'A port is a number from 1 to 65,535'],
    ['localhost:0', 'A port is a number from 1 to 65,535'],
    // As from `[host, port].join()`: it was a second broker of that name.
    ['localhost,9092', 'A port stands behind its host, with a colon between'],
    [['localhost', '9092'], 'A port stands behind its host, with a colon between'],
    ['9092', 'A port stands behind its host, with a colon between'],
    // As from `${process.env.KAFKA_HOST}:9092`: it was looked up until the deadline.
    ['undefined:9092', 'The variable that it is made of was not set'],
    ['kafka-1:9092,null:9092', 'The variable that it is made of was not set'],
    [['undefined'], 'The variable that it is made of was not set'],
  ])('brokers that are written otherwise: %o', (given, remedy) => {
    expect(refusal({ brokers: given }).message).toMatch(new RegExp(`^brokers: .*\\. ${remedy}$`, 's'))
  })

  it('a broker whose name but begins as that of nothing', () => {
    expect(new ProducerConfig({ brokers: 'null-1:9092' }).brokers).toEqual([{ host: 'null-1', port: 9092 }])
  })

  it('a broker by the number of its address', () => {
    expect(new ProducerConfig({ brokers: '2130706433:9092' }).brokers).toEqual([{ host: '2130706433', port: 9092 }])
  })

  it('a partitioner that is none', () => {
    for (const partitioner of [17, {}, { partition: 'x' }, null]) {
      if (partitioner === null) continue
      expect(refusal({ brokers, partitioner }).code).toBe('INVALID_CONFIG')
    }
    expect(refusal({ brokers, partitioner: 'murmur' }).message).toContain("did you mean 'murmur2'?")
  })

  it.each(['ssl', 'sasl', 'compression', 'topicCompression', 'encoder', 'keyEncoder', 'partitioner', 'logger'])(
    '%s whose fields can’t be read',
    (name) => {
      const secret = () => {
        // eslint-disable-next-line @typescript-eslint/only-throw-error
        throw 'wonderland'
      }
      for (const option of [new Proxy({}, { get: secret, has: secret, ownKeys: secret }), revoked()]) {
        const error = refusal({ brokers, [name]: option })
        expect(error).toMatchObject({ code: 'INVALID_CONFIG', message: `${name} can't be read: what reads it threw` })
        expect(String(error.cause)).not.toContain('wonderland')
      }
    },
  )

  it('a partitioner’s class in place of a partitioner', () => {
    // As a compiler for old engines makes of a class.
    function Compiled() {} // eslint-disable-line @typescript-eslint/no-empty-function
    Object.assign(Compiled.prototype as object, { partition: () => 0 })
    for (const partitioner of [Murmur2Partitioner, StickyByBytes, class {}, Compiled])
      expect(refusal({ brokers, partitioner }).message).toBe(
        'partitioner: given was a class, allowed is an object made of it with `new`',
      )
    expect(() => new ProducerConfig({ brokers, partitioner: () => 0 })).not.toThrow()
  })

  it('an option that can’t be read, by its name', () => {
    const options = {
      brokers,
      get lingerMs() {
        throw new Error('boom')
      },
    }
    expect(refusal(options)).toMatchObject({
      code: 'INVALID_CONFIG',
      message: expect.stringMatching(/^'lingerMs' can't be read/),
    })
    const beside = () => ProducerConfig.fromProperties('bootstrap.servers=a', options as never)
    expect(beside).toThrow(InvalidConfigError)
  })

  it.each([[undefined], [null], ['localhost:9092'], [17]])('options that are %s', (options) => {
    expect(refusal(options).code).toBe('INVALID_CONFIG')
  })

  it.each([
    ['requestTimeout', 'requestTimeoutMs'],
    ['ack', 'acks'],
    ['clientID', 'clientId'],
    ['broker', 'brokers'],
    ['maxInflight', 'maxInFlight'],
    ['lingerMS', 'lingerMs'],
    ['deliveryTimoutMs', 'deliveryTimeoutMs'],
  ])('an unknown option %s: the nearest is %s', (given, nearest) => {
    expect(refusal({ brokers, [given]: 1 }).message).toContain(`unknown option '${given}': did you mean '${nearest}'?`)
  })

  it('those of a ProducerConfig that was spread: it says so, and names none that nobody has given alone', () => {
    const config = new ProducerConfig({ brokers })
    expect(refusal({ ...config, clientId: 'x' }).message).toMatch(/: it is of a ProducerConfig that was spread, or /)
  })

  it('names that every object has', () => {
    for (const name of ['toString', 'constructor', '__proto__']) {
      const options: Record<string, unknown> = { brokers }
      Object.defineProperty(options, name, { value: 1, enumerable: true })
      expect(refusal(options).message).toContain(`unknown option '${name}'`)
    }
  })
})

describe('rules between options', () => {
  it.each([
    [
      { retryBackoffMs: 200, retryBackoffMaxMs: 100 },
      'retryBackoffMs: given was 200, allowed is at most retryBackoffMaxMs, which is 100',
    ],
    [
      { batchBytes: 2_000, queueBytes: 1_000 },
      'batchBytes: given was 2000, allowed is at most queueBytes, which is 1000',
    ],
    [
      { batchBytes: 2_000, maxRequestBytes: 1_000 },
      'batchBytes: given was 2000, allowed is at most maxRequestBytes, which is 1000',
    ],
    [
      { type: 'async', batchMessages: 20, queueMessages: 10 },
      'batchMessages: given was 20, allowed is at most queueMessages, which is 10',
    ],
    [
      { type: 'async', lingerMs: 1_000, deliveryTimeoutMs: 1_000 },
      'lingerMs: given was 1000, allowed is less than deliveryTimeoutMs, which is 1000',
    ],
    [
      { type: 'async', lingerMs: 120_000 },
      'lingerMs: given was 120000, allowed is less than deliveryTimeoutMs, which is 120000',
    ],
  ])('%o', (options, message) => {
    expect(refusal({ brokers, ...options }).message).toContain(message)
  })

  it('equal ones are fine', () => {
    configOf({ retryBackoffMs: 100, retryBackoffMaxMs: 100, batchBytes: 500, queueBytes: 500, maxRequestBytes: 500 })
  })

  it.each([
    [{ maxRequestBytes: 500_000 }, { batchBytes: 500_000 }],
    [{ queueBytes: 400_000, maxRequestBytes: 500_000 }, { batchBytes: 400_000 }],
    [{ batchBytes: 2_000_000 }, { maxRequestBytes: 2_000_000 }],
    [{ batchBytes: 50_000_000 }, { queueBytes: 50_000_000, maxRequestBytes: 50_000_000 }],
    [{ retryBackoffMaxMs: 50 }, { retryBackoffMs: 50 }],
    [{ retryBackoffMs: 2_000 }, { retryBackoffMaxMs: 2_000 }],
    [{ type: 'async', queueMessages: 10 }, { batchMessages: 10 }],
    [{ type: 'async', batchMessages: 600_000 }, { queueMessages: 600_000 }],
    [{ batchMessages: 600_000 }, { queueMessages: 500_000 }],
    [{ type: 'async', deliveryTimeoutMs: 5 }, { lingerMs: 4 }],
    [{ type: 'async', deliveryTimeoutMs: 1 }, { lingerMs: 0 }],
    [
      { requestTimeoutMs: 30_000, deliveryTimeoutMs: 5_000 },
      { requestTimeoutMs: 30_000, deliveryTimeoutMs: 5_000 },
    ],
  ] as const)('a default gives way to what was given: %o', (options, expected) => {
    expect(configOf(options as Partial<ProducerOptions<unknown, unknown>>)).toMatchObject(expected)
  })
})

describe('what is taken', () => {
  it('lists as they are now', () => {
    const interceptors: ProducerInterceptor[] = [{ onSend: (message) => message }]
    const config = configOf({ interceptors })
    interceptors.push(17 as never)
    expect(config.interceptors).toHaveLength(1)
  })

  it('the defaults', () => {
    expect(configOf({})).toMatchObject({
      brokers: [{ host: 'localhost', port: 9092 }],
      clientId: 'kafka-producer',
      acks: -1,
      requestTimeoutMs: 30_000,
      deliveryTimeoutMs: 120_000,
      retries: Infinity,
      retryBackoffMs: 100,
      retryBackoffMaxMs: 1_000,
      metadataRefreshIntervalMs: 300_000,
      allowAutoTopicCreation: true,
      batchBytes: 1_000_000,
      maxRequestBytes: 1_000_000,
      queueMessages: 500_000,
      queueBytes: 33_554_432,
      enqueueTimeoutMs: 60_000,
      maxInFlight: 5,
      connectTimeoutMs: 10_000,
      connectionsMaxIdleMs: 180_000,
      brokerVersion: undefined,
    })
  })

  it.each([
    [
      'a:1, b:2 ,c',
      [
        ['a', 1],
        ['b', 2],
        ['c', 9092],
      ],
    ],
    [
      ['a:1', 'b'],
      [
        ['a', 1],
        ['b', 9092],
      ],
    ],
    [
      '[::1]:19092,[fe80::1%eth0]',
      [
        ['::1', 19092],
        ['fe80::1%eth0', 9092],
      ],
    ],
    ['kafka-1.example.com:65535', [['kafka-1.example.com', 65535]]],
    // Each once.
    [
      'a:1,b, a:1,b:9092',
      [
        ['a', 1],
        ['b', 9092],
      ],
    ],
  ])('brokers %o', (given, expected) => {
    expect(configOf({ brokers: given }).brokers.map(({ host, port }) => [host, port])).toEqual(expected)
  })

  it.each([
    [0, 0],
    [1, 1],
    [-1, -1],
    ['all', -1],
  ] as const)('acks %s', (given, acks) => {
    expect(configOf({ acks: given }).acks).toBe(acks)
  })

  it('the ends of each range, and clientId of no letters', () => {
    configOf({ metadataRefreshIntervalMs: -1, enqueueTimeoutMs: -1, retries: 0, maxInFlight: 1 })
    configOf({ metadataRefreshIntervalMs: 0, enqueueTimeoutMs: 0, retries: Infinity, maxInFlight: 1_000, clientId: '' })
    for (const brokerVersion of ['0.8', '0.8.2.2', '0.9', '0.9.0.1']) configOf({ brokerVersion })
  })

  it.each([
    ['zones, as brokers of object stores want them', 'orders,ws_az=us-east-1a'],
    ['zones, another way', 'automq_type=producer&automq_az=a'],
    ['a package', '@acme/orders'],
    ['blanks and more', 'a b|c;d é 日本'],
    ['as many bytes as the protocol has room for', 'x'.repeat(32_767)],
  ])('a clientId of %s', (_, clientId) => {
    expect(configOf({ clientId }).clientId).toBe(clientId)
    expect(ProducerConfig.fromProperties({ 'bootstrap.servers': brokers, 'client.id': clientId }).clientId).toBe(
      clientId,
    )
  })

  it('keys have the encoder of values unless they have their own', () => {
    const encoder = new StringEncoder('latin1')
    expect(configOf({ encoder: encoder }).keyEncoder).toBe(encoder)
    const keyEncoder = new StringEncoder()
    const both = configOf({ encoder: encoder, keyEncoder: keyEncoder })
    expect([both.encoder, both.keyEncoder]).toEqual([encoder, keyEncoder])
  })

  it('a config made before serves several producers', async () => {
    const config = new ProducerConfig({ brokers })
    const producers = [new Producer(config), new Producer(config)]
    expect(producers.every((producer) => producer.config === config)).toBe(true)
    await Promise.all(producers.map((producer) => producer.close()))
  })
})

it('every option has its text, what is allowed and a default that is allowed', () => {
  for (const [name, { text, allowed, fallback, parse }] of Object.entries(OPTIONS)) {
    expect(text, name).toMatch(/^[A-ZH].*[.)]$/s)
    expect(allowed.length, name).toBeGreaterThan(3)
    if (fallback !== undefined) expect(() => parse(fallback, name), name).not.toThrow()
  }
})

it.each([
  ['an option', (config: Mutable) => (config['acks'] = 0)],
  ['a broker', ({ brokers }: Mutable) => (brokers as object[]).push({ host: 'elsewhere', port: 9092 })],
  ['a broker’s address', ({ brokers }: Mutable) => ((brokers as { host: string }[]).at(0)!.host = 'elsewhere')],
  ['an interceptor', ({ interceptors }: Mutable) => (interceptors as object[]).push({ onSend: () => undefined })],
  ['a note', ({ notes }: Mutable) => (notes as string[]).pop()],
])('%s is not changed later: parts of the producer would heed it, and others not', (_, change) => {
  const { config } = new Producer({ brokers, lingerMs: 1 })
  const before = { ...config, brokers: structuredClone(config.brokers), notes: [...config.notes] }
  expect(() => change(config as unknown as Mutable)).toThrow(TypeError)
  expect({ ...config }).toEqual(before)
})

it('a class of settings may be made of it', () => {
  class Settings extends ProducerConfig {
    readonly owner: string
    constructor() {
      super({ brokers })
      this.owner = 'billing'
    }
  }
  expect(new Settings()).toMatchObject({ owner: 'billing', acks: -1 })
})

type Mutable = Record<string, unknown>

it.each([
  ['a generator function', function* () {}],
  ['an async one', async function* () {}],
])('%s is refused as a callback: called, it would run nothing', (_, generator) => {
  const callbacks: [string, object][] = [
    ['onDelivery', { type: 'async', onDelivery: generator }],
    ['onStats', { onStats: generator }],
    ['allowBroker', { allowBroker: generator }],
    ['createConnection', { createConnection: generator }],
    ['interceptors[0].onSend', { interceptors: [{ onSend: generator }] }],
    ['interceptors[1].onAcknowledgement', { interceptors: [{ onSend() {} }, { onAcknowledgement: generator }] }],
  ]
  for (const [name, options] of callbacks)
    expect(() => new ProducerConfig({ brokers: 'localhost:9092', ...options })).toThrow(
      `${name}: given was a generator function, allowed is one that runs when it is called`,
    )
})
