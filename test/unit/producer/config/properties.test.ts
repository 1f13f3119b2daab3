import { describe, expect, test } from 'vitest'
import { IntegerEncoder, InvalidConfigError, NullEncoder, Producer, ProducerConfig } from '../../../../src/index.js'
import { parseProperties } from '../../../../src/producer/config/properties-text.js'

const kafka08 = String.raw`
# A producer of 2014.
metadata.broker.list=broker1:9092,broker2:9092
request.required.acks=1
producer.type=async
serializer.class=kafka.serializer.StringEncoder
key.serializer.class = kafka.serializer.NullEncoder
serializer.encoding=UTF8
compression.codec: 2
compressed.topics=clicks, views
message.send.max.retries=5
retry.backoff.ms=200
topic.metadata.refresh.interval.ms=600000
queue.buffering.max.ms=5000
queue.buffering.max.messages=10000
queue.enqueue.timeout.ms=-1
batch.num.messages=200
request.timeout.ms=10000
send.buffer.bytes=102400
client.id=web-\
  frontend
`

const java = `
bootstrap.servers=[::1]:9092, kafka.example.org
acks=all
key.serializer=org.apache.kafka.common.serialization.IntegerSerializer
value.serializer=org.apache.kafka.common.serialization.StringSerializer
compression.type=gzip
compression.gzip.level=4
retries=2147483647
delivery.timeout.ms=60000
request.timeout.ms=20000
linger.ms=20
batch.size=65536
buffer.memory=16777216
max.block.ms=5000
max.request.size=1048576
max.in.flight.requests.per.connection=3
metadata.max.age.ms=180000
connections.max.idle.ms=300000
socket.connection.setup.timeout.ms=8000
enable.idempotence=false
security.protocol=PLAINTEXT
partitioner.ignore.keys=true
receive.buffer.bytes=32768
`

test('a properties file of Kafka 0.8', () => {
  const config = ProducerConfig.fromProperties(kafka08)
  expect(config).toMatchObject({
    brokers: [
      { host: 'broker1', port: 9092 },
      { host: 'broker2', port: 9092 },
    ],
    type: 'async',
    acks: 1,
    retries: 5,
    retryBackoffMs: 200,
    metadataRefreshIntervalMs: 600_000,
    lingerMs: 5_000,
    queueMessages: 10_000,
    enqueueTimeoutMs: -1,
    batchMessages: 200,
    requestTimeoutMs: 10_000,
    clientId: 'web-frontend',
  })
  expect(config.keyEncoder).toBeInstanceOf(NullEncoder)
  expect(config.compressionChoice.of('clicks')?.codec.name).toBe('snappy')
  expect(config.compressionChoice.of('orders')).toBeNull()
  expect(config.notes.join('\n')).toMatch(/send\.buffer\.bytes[^]*partitioner\.class is not given/)
})

test('keys of such a producer go where Kafka 0.8 sent them', () => {
  const config = ProducerConfig.fromProperties({ 'metadata.broker.list': 'x:9092' })
  const context = { topic: 't', partitionCount: 10, available: [], backlogBytes: () => 0 }
  // "hello".hashCode() is 99162322.
  expect(config.partitioner.partition('hello', 10, 'hello', context)).toBe(2)
  expect(config.acks).toBe(-1)
})

test('a properties file of Java’s producer', () => {
  const config = ProducerConfig.fromProperties(java)
  expect(config).toMatchObject({
    brokers: [
      { host: '::1', port: 9092 },
      { host: 'kafka.example.org', port: 9092 },
    ],
    type: 'sync',
    acks: -1,
    retries: Infinity,
    deliveryTimeoutMs: 60_000,
    batchBytes: 65_536,
    queueBytes: 16_777_216,
    enqueueTimeoutMs: 5_000,
    maxRequestBytes: 1_048_576,
    maxInFlight: 3,
    metadataRefreshIntervalMs: 180_000,
    connectionsMaxIdleMs: 300_000,
    connectTimeoutMs: 8_000,
    idempotent: false,
  })
  expect(config.keyEncoder).toBeInstanceOf(IntegerEncoder)
  expect(config.partitioner.keyUse).toBe('none')
  expect(config.compressionChoice.of('x')).toMatchObject({ codec: { name: 'gzip' }, level: 4 })
  expect(config.notes).toEqual([
    expect.stringContaining('linger.ms'),
    expect.stringContaining('security.protocol'),
    expect.stringContaining('receive.buffer.bytes'),
  ])
})

test('what a file can’t say is given beside it, and goes before it', async () => {
  const config = ProducerConfig.fromProperties(java, { clientId: 'mine', type: 'async', onDelivery() {} })
  expect(config).toMatchObject({ clientId: 'mine', type: 'async' })
  await using producer = new Producer(config)
  expect(producer.config).toBe(config)
})

describe('refused', () => {
  test.each([
    ['metadata.broker.lst=x', /unknown property 'metadata\.broker\.lst': did you mean 'metadata\.broker\.list'/],
    ['bootstrap.servers=x\nacks=2', /acks: given was '2', allowed is 0, 1, -1 or all/],
    ['bootstrap.servers=x\nretries=many', /retries: given was 'many'/],
    ['bootstrap.servers=x\nenable.idempotence=yes', /enable\.idempotence: given was 'yes'/],
    ['bootstrap.servers=x\nacks=1\nenable.idempotence=true', /idempotent: given was true, .*acks/],
    ['bootstrap.servers=x\ntransactional.id=t', /transactional\.id/],
    ['bootstrap.servers=x\nkey.serializer=com.example.Mine', /com\.example\.Mine.*keyEncoder/],
    ['bootstrap.servers=x\npartitioner.class=com.example.Mine', /com\.example\.Mine.*partitioner/],
    ['bootstrap.servers=x\nserializer.encoding=UTF8', /StringEncoder/],
    ['bootstrap.servers=x\ncompression.codec=7', /compression\.codec/],
    ['bootstrap.servers=x\nssl.keystore.location=/k.jks', /ssl\.keystore\.location/],
    ['bootstrap.servers=x\nsasl.jaas.config=x', /sasl\.jaas\.config/],
    ['bootstrap.servers=x\ninterceptor.classes=x', /Java class/],
    ['acks=1', /brokers/],
  ])('%s', (text, message) => {
    expect(() => ProducerConfig.fromProperties(text)).toThrow(message)
    expect(() => ProducerConfig.fromProperties(text)).toThrow(InvalidConfigError)
  })

  test('a value that is no property', () => {
    expect(() => ProducerConfig.fromProperties({ 'bootstrap.servers': ['x'] })).toThrow(/bootstrap\.servers/)
  })
})

test.each([
  ['a Buffer', Buffer.from('security.protocol=SASL_SSL')],
  ['a Map', new Map([['security.protocol', 'SASL_SSL']])],
  ['a promise', Promise.resolve('security.protocol=SASL_SSL')],
  ['a list', ['security.protocol=SASL_SSL']],
  ['undefined', undefined],
  ['null', null],
  ['the path of a file', '/etc/kafka/producer.properties'],
  ['a path from here', './my settings/producer.properties'],
  ['the name of a file', 'producer.properties'],
  ['a path of Windows', 'C:\\kafka\\producer.properties'],
  ['a URL of a file', 'file:///etc/kafka/producer.properties'],
  ['JSON', '{"security.protocol":"SASL_SSL"}'],
  ['JSON of several lines', '{\n  "security.protocol": "SASL_SSL"\n}\n'],
])('what would pass for an empty file is refused: %s', (_, given) => {
  const read = () => ProducerConfig.fromProperties(given as never, { brokers: 'localhost:9092' })
  expect(read).toThrow(InvalidConfigError)
  expect(read).toThrow(/^properties: given was/)
})

test.each(['acks=1', 'acks: 1', 'acks 1', 'acks\\\n=1', '#acks', '! acks', '', ' \n'])(
  'the text of a file may be as short as that: %j',
  (text) => {
    const { acks } = ProducerConfig.fromProperties(text, { brokers: 'localhost:9092' })
    expect(acks).toBe(/\d/.test(text) ? 1 : -1)
  },
)

test.each([
  ['a promise', Promise.resolve({ ssl: true }), /^the options must be an object, given was an object \(Promise\)$/],
  ['a Map', new Map([['ssl', true]]), /^the options must be an object, given was an object \(Map\)$/],
  ['null', null, /^the options must be an object, given was null$/],
  ['a symbol for a time', { requestTimeoutMs: Symbol('s') }, /^requestTimeoutMs: given was a symbol/],
  ['a bigint for a time', { lingerMs: 5n }, /^lingerMs: given was 5n/],
  ['no text for a time', { requestTimeoutMs: Object.create(null) as object }, /^requestTimeoutMs: given was an object/],
])('what can be no option beside a file is refused: %s', (_, given, message) => {
  const read = () => ProducerConfig.fromProperties('bootstrap.servers=localhost:9092', given as never)
  expect(read).toThrow(InvalidConfigError)
  expect(read).toThrow(message)
})

test.each([
  { ssl: true },
  { 'ssl.enabled': 'true' },
  { tls: 1 },
  { useTls: 'TRUE' },
  { enableSsl: true },
  { 'kafka.use-ssl': 'yes' },
])('TLS that is asked for by an option among the properties is not left out: %j', (asked) => {
  const read = (beside: object = {}, more: object = {}) =>
    ProducerConfig.fromProperties({ 'bootstrap.servers': 'a', ...asked, ...more }, beside)
  expect(() => read()).toThrow(/asks for TLS.*security\.protocol.*`ssl`$/)
  expect(read({ ssl: true }).ssl).toBeDefined()
  expect(read({}, { 'security.protocol': 'PLAINTEXT' }).ssl).toBeUndefined()
})

test.each([{ ssl: false }, { 'ssl.enabled': 'false' }, { 'ssl.enabled.foo': 'true' }])(
  'a property that asks for no TLS is noted as any that is unknown: %j',
  (asked) => {
    const { ssl, notes } = ProducerConfig.fromProperties({ 'bootstrap.servers': 'a', ...asked })
    expect(ssl).toBeUndefined()
    expect(notes).toContainEqual(expect.stringContaining('unknown property'))
  },
)

test.each([
  'security.protcol',
  'Security.Protocol',
  'security_protocol',
  'securityProtocol',
  'producer.security.protocol',
  'producer.override.security.protocol',
  'kafka.security.protocol',
  'spring.kafka.properties.security.protocol',
])('TLS that is asked for by a misspelt name, or one with a prefix, is not left out: %s', (name) => {
  const sasl = { mechanism: 'plain', username: 'u', password: 'p' } as const
  const read = (value: string, beside: object = {}) =>
    ProducerConfig.fromProperties({ 'bootstrap.servers': 'a', [name]: value }, { sasl, ...beside })
  for (const value of ['SSL', 'SASL_SSL', 'sasl_ssl'])
    expect(() => read(value)).toThrow(/did you mean security\.protocol\?/)
  expect(read('SASL_SSL', { ssl: true }).ssl).toBeDefined()
  expect(read('SASL_SSL', { ssl: false }).ssl).toBeUndefined()
  expect(read('SASL_PLAINTEXT').ssl).toBeUndefined()
})

test('a store of certificates whose name has a prefix is not left out', () => {
  const read = (text: string) => ProducerConfig.fromProperties(`bootstrap.servers=a\n${text}`)
  for (const name of ['producer.ssl.truststore.location', 'spring.kafka.ssl.key-store-location'])
    expect(() => read(`${name}=/etc/store`)).toThrow(/asks for TLS.*security\.protocol/)
  expect(read('producer.ssl.truststore.location=').ssl).toBeUndefined()
  expect(read('producer.ssl.truststore.location=/etc/store\nsecurity.protocol=PLAINTEXT').ssl).toBeUndefined()
  expect(read('consumer.ssl.truststore.location=/etc/store\nconsumer.security.protocol=SSL').ssl).toBeUndefined()
})

test('the text is read as Java reads it', () => {
  const text = String.raw`
! comment
  # comment
a=1
b : 2
c 3
d\ e=\u00e9\t\
     continued
f
g=x\\
h=y=z
a=last`
  expect(Object.fromEntries(parseProperties(text))).toEqual({
    a: 'last',
    b: '2',
    c: '3',
    'd e': 'é\tcontinued',
    f: '',
    g: 'x\\',
    h: 'y=z',
  })
})

test('a time that leaves too little for a request is told as the file has it', () => {
  const text = 'bootstrap.servers=x:9092\ndelivery.timeout.ms=0'
  expect(() => ProducerConfig.fromProperties(text)).toThrow(/^delivery\.timeout\.ms: given was 0, allowed is at least/)
})
