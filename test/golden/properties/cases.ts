/** Properties files in the shapes that public ones have, values replaced: each is given to Java's producer and to ours. */
import { readFileSync } from 'node:fs'
import { type ProducerOptions, JsonEncoder } from '../../../src/index.js'

export interface FileCase {
  readonly name: string
  readonly file: string
  /** What the program gives beside it, here; in Java it has its own serializers. */
  readonly beside?: Partial<ProducerOptions>
  /** Java takes it, and why not here; the error says it. */
  readonly refusedHere?: RegExp
  /** Java refuses it, and what is taken here all the same. */
  readonly takenHere?: string
  /** Some of what it comes to here. */
  readonly options?: Readonly<Record<string, unknown>>
}

const read = (file: string) => readFileSync(new URL(file, import.meta.url), 'utf8')
const identity = read('identity.pem')
const [key = '', certificate = ''] = identity.split(/(?<=-----END PRIVATE KEY-----\n)/)
const encryptedKey = read('encrypted-key.pem')

const SERVERS = 'bootstrap.servers=127.0.0.1:9092\n'
const plain = { sasl: { mechanism: 'plain', username: 'u', password: 'p' } } as const
const token = { sasl: { mechanism: 'oauthbearer', token: 'x' } } as const
const own = {
  sasl: { mechanism: 'GSSAPI', authenticator: { begin: () => ({ next: () => undefined }) } },
} as const
const jaas = (module: string, options: string) => `sasl.jaas.config=${module} required ${options};\n`
const plainJaas = jaas('org.apache.kafka.common.security.plain.PlainLoginModule', 'username="u" password="p"')

const oneLine = (pem: string) => pem.trim().replaceAll('\n', ' ')
const escaped = (pem: string) => pem.trim().replaceAll('\n', '\\n')
const continued = (pem: string) => pem.trim().replaceAll('\n', '\\n\\\n')
const pemStore = (form: (pem: string) => string) =>
  `${SERVERS}security.protocol=SSL\nssl.truststore.type=PEM\nssl.truststore.certificates=${form(certificate)}\n` +
  `ssl.keystore.type=PEM\nssl.keystore.certificate.chain=${form(certificate)}\nssl.keystore.key=${form(key)}\n`

/** One line behind the servers. */
function line(text: string, rest: Omit<FileCase, 'name' | 'file'> = {}): FileCase {
  return { name: text.length > 90 ? `${text.slice(0, 90)}…` : text, file: `${SERVERS}${text}\n`, ...rest }
}

const STOCK = `# stock, Kafka 3
bootstrap.servers=localhost:9092
compression.type=none
#partitioner.class=
#request.timeout.ms=
`

const CONFLUENT_CLOUD = `# Required connection configs for Kafka producer, consumer, and admin
bootstrap.servers=localhost:9092
security.protocol=SASL_SSL
${plainJaas}sasl.mechanism=PLAIN
# Required for correctness in Apache Kafka clients prior to 2.6
client.dns.lookup=use_all_dns_ips
# Best practice for higher availability in Apache Kafka clients prior to 3.0
session.timeout.ms=45000
# Best practice for Kafka producer to prevent data loss
acks=all
client.id=ccloud-java-client-ab12
# Required connection configs for Confluent Cloud Schema Registry
schema.registry.url=https://example.invalid
basic.auth.credentials.source=USER_INFO
basic.auth.user.info=K:S
group.id=x
`

const MSK_IAM = `${SERVERS}security.protocol=SASL_SSL
sasl.mechanism=AWS_MSK_IAM
sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required;
sasl.client.callback.handler.class=org.apache.kafka.common.security.plain.internals.PlainServerCallbackHandler
`

export const CASES: readonly FileCase[] = [
  // Whole files.
  { name: 'stock, Kafka 1 to 4', file: STOCK },
  {
    name: 'uReplicator',
    file: `${SERVERS}client.id=kafka-mirror-maker-producer\nproducer.type=async\ncompression.type=none\nserializer.class=kafka.serializer.DefaultEncoder\nkey.serializer=org.apache.kafka.common.serialization.ByteArraySerializer\nvalue.serializer=org.apache.kafka.common.serialization.ByteArraySerializer\nrequest.required.acks=1\nmax.in.flight.requests.per.connection=5\nblock.on.buffer.full=true\n`,
    options: { type: 'async', acks: 1, maxInFlight: 5 },
  },
  {
    name: 'MirrorMaker',
    file: `${SERVERS}acks=-1\nmax.block.ms=9223372036854775807\nretries=2147483647\nmax.in.flight.requests.per.connection=1\ndelivery.timeout.ms=2147483647\n`,
    options: { enqueueTimeoutMs: -1, retries: Infinity, maxInFlight: 1, deliveryTimeoutMs: 2147483647 },
  },
  { name: 'Confluent Cloud', file: CONFLUENT_CLOUD, beside: plain, options: { clientId: 'ccloud-java-client-ab12' } },
  { name: 'MSK with IAM', file: MSK_IAM, beside: token },
  {
    name: 'Kerberos',
    file: `${SERVERS}security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.kerberos.service.name=kafka\nsasl.kerberos.kinit.cmd=/bin/kinit\n${plainJaas}`,
    beside: plain,
  },
  {
    name: 'Kerberos, with an authenticator of the program’s for what Java has as PLAIN',
    file: `${SERVERS}security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n${plainJaas}`,
    beside: own,
    refusedHere: /the file has 'PLAIN', the option `sasl` has 'GSSAPI'/,
  },
  {
    name: 'OIDC',
    file: `${SERVERS}security.protocol=SASL_PLAINTEXT\nsasl.mechanism=OAUTHBEARER\nsasl.login.callback.handler.class=org.apache.kafka.common.security.oauthbearer.internals.unsecured.OAuthBearerUnsecuredLoginCallbackHandler\nsasl.oauthbearer.scope.claim.name=scope\nsasl.login.refresh.buffer.seconds=300\n${jaas('org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule', 'unsecuredLoginStringClaim_sub="x"')}`,
    beside: token,
  },
  {
    name: 'Event Hubs',
    file: `bootstrap.servers=localhost:9093\nclient.id=ExampleProducer\nrequest.timeout.ms=60000\nsecurity.protocol=SASL_SSL\nsasl.mechanism=PLAIN\n${jaas('org.apache.kafka.common.security.plain.PlainLoginModule', 'username="$ConnectionString" password="Endpoint=sb://x/;SharedAccessKey=abc="')}`,
    beside: plain,
    options: { requestTimeoutMs: 60_000 },
  },
  {
    name: 'ksqlDB',
    file: `${SERVERS}max.block.ms=9223372036854775807\nlinger.ms=100\nbatch.size=64000\nssl.endpoint.identification.algorithm=\nksql.streams.state.dir=/x\n`,
    options: { enqueueTimeoutMs: -1, batchBytes: 64_000 },
  },
  {
    name: 'Windows: CRLF, tabs, an escaped colon, a name twice',
    file: `bootstrap.servers : 127.0.0.1\\:9092\r\nacks=0\r\n\tacks = 1\r\nclient.id=a=b\r\n`,
    options: { acks: 1, clientId: 'a=b' },
  },
  {
    name: 'SASL over TLS of a JVM’s stores, with both options given',
    file: `${SERVERS}security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\n${plainJaas}ssl.protocol=TLSv1.2\nssl.enabled.protocols=TLSv1.2\n`,
    beside: { ...plain, ssl: true },
  },
  {
    name: 'SASL without what stands in for it',
    file: `${SERVERS}security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\n${plainJaas}`,
    refusedHere: /as the option `sasl`/,
  },
  {
    name: 'TLS switched off beside the file',
    file: `${SERVERS}security.protocol=SSL\n`,
    beside: { ssl: false },
    refusedHere: /asks for TLS/,
  },
  { name: 'a byte order mark', file: `\uFEFF# from Windows\n${SERVERS}` },

  // PEM.
  { name: 'PEM, lines by \\n', file: pemStore(escaped) },
  { name: 'PEM, lines by \\n and continuation', file: pemStore(continued) },
  { name: 'PEM, blanks for line ends', file: pemStore(oneLine) },
  {
    name: 'PEM, an encrypted key',
    file: `${SERVERS}security.protocol=SSL\nssl.keystore.type=PEM\nssl.keystore.certificate.chain=${escaped(certificate)}\nssl.keystore.key=${oneLine(encryptedKey)}\nssl.key.password=changeit \n`,
  },
  {
    name: 'PEM, with a password of the store',
    file: `${SERVERS}security.protocol=SSL\nssl.truststore.type=PEM\nssl.truststore.certificates=${escaped(certificate)}\nssl.truststore.password=changeit\n`,
  },
  {
    name: 'PEM without its type',
    file: `${SERVERS}security.protocol=SSL\nssl.truststore.certificates=${escaped(certificate)}\n`,
    takenHere: 'what is in PEM is known by its first letters',
  },
  {
    name: 'PEM that is none',
    file: `${SERVERS}security.protocol=SSL\nssl.truststore.type=PEM\nssl.truststore.certificates=/ca.pem\n`,
  },
  {
    name: 'a store of certificates, and nobody says TLS',
    file: `${SERVERS}ssl.truststore.type=PEM\nssl.truststore.certificates=${escaped(certificate)}\n`,
    refusedHere: /says how TLS is done, and not that it is/,
  },
  {
    name: 'a store of certificates, and TLS expressly off',
    file: `${SERVERS}security.protocol=PLAINTEXT\nssl.truststore.type=PEM\nssl.truststore.certificates=${escaped(certificate)}\n`,
  },

  // Names.
  ...[
    'transaction.timeout.ms=60000',
    'transaction.two.phase.commit.enable=false',
    'client.rack=us-east-1a',
    'client.rack=us-east-1a\npartitioner.rack.aware=true',
    'bootstrap.resolve.timeout.ms=5000',
    'buffer.memory.allocation.strategy=Incremental',
    'metadata.cluster.check.enable=FALSE',
    'session.timeout.ms=45000',
    'schema.registry.url=http://x',
    'group.id=x',
    'specific.avro.reader=true',
    'auto.offset.reset=earliest',
    'message.timeout.ms=5',
    'spring.json.trusted.packages=*',
    'confluent.monitoring.interceptor.topic=x',
    'groupId=x',
    'ssl.client.auth=required',
    'sasl.username=x',
    'interceptor.classes=',
    'metric.reporters=',
    'config.providers=',
    'security.providers=',
    'ssl.endpoint.identification.algorithm=https',
    'ssl.truststore.type=JKS',
    'sasl.mechanism=GSSAPI',
    'sasl.kerberos.min.time.before.relogin=60000',
  ].map((text) => line(text)),
  line('enable.idempotence=true', { options: { idempotent: true } }),
  line('transactional.id=x', { refusedHere: /TransactionalProducer/ }),
  line('interceptor.classes=org.apache.kafka.clients.producer.ProducerConfig'),

  // Values: any case where Java takes any, blanks, and the ends of its types.
  line('enable.idempotence=FALSE'),
  line('enable.idempotence=no'),
  line('partitioner.ignore.keys=True'),
  line('security.protocol=plaintext'),
  line('security.protocol=Sasl_Plaintext\nsasl.mechanism=PLAIN\n' + plainJaas, { beside: plain }),
  line('security.protocol=TLS'),
  line('compression.type=GZIP'),
  line('compression.type=gzip \ncompression.gzip.level=4', {
    options: { compressionChoice: { config: { compression: { type: 'gzip', level: 4 } } } },
  }),
  line('compression.type=gzip\ncompression.gzip.level=-1'),
  line('compression.type=gzip\ncompression.gzip.level=0'),
  line('compression.type=lz4\ncompression.lz4.level=17'),
  line('compression.type=lz4\ncompression.lz4.level=18'),
  line('compression.type=zstd\ncompression.zstd.level=3'),
  line('compression.type="gzip"'),
  line('acks=ALL'),
  line('acks=all  ', { options: { acks: -1 } }),
  line('acks=2'),
  line('acks=1 # the leader'),
  line('producer.type=async \nlinger.ms=20', { options: { type: 'async', lingerMs: 20 } }),
  line('client.id=@acme/orders', { options: { clientId: '@acme/orders' } }),
  line('client.id=app,ws_az=us-east-1a'),
  line('client.id=', { options: { clientId: '' } }),
  line('max.block.ms=9223372036854775807', { options: { enqueueTimeoutMs: -1 } }),
  line('max.block.ms=9223372036854775808'),
  line('max.block.ms=0', { options: { enqueueTimeoutMs: 0 } }),
  line('max.block.ms=-1'),
  line('metadata.max.age.ms=9223372036854775807', { options: { metadataRefreshIntervalMs: -1 } }),
  line('connections.max.idle.ms=-1', { options: { connectionsMaxIdleMs: 0x7fffffff } }),
  line('connections.max.idle.ms=9223372036854775807', { options: { connectionsMaxIdleMs: 0x7fffffff } }),
  line('connections.max.idle.ms=0', { options: { connectionsMaxIdleMs: 1 } }),
  line('buffer.memory=9223372036854775807', { options: { queueBytes: Number.MAX_SAFE_INTEGER } }),
  line('buffer.memory=500000', { options: { queueBytes: 500_000, batchBytes: 500_000 } }),
  line('max.request.size=500000', { options: { maxRequestBytes: 500_000, batchBytes: 500_000 } }),
  line('max.request.size=2147483648'),
  line('batch.size=2000000', { options: { batchBytes: 2_000_000, maxRequestBytes: 2_000_000 } }),
  line('batch.size=2000000\nmax.request.size=500000', { options: { batchBytes: 500_000, maxRequestBytes: 500_000 } }),
  line('batch.size=0', { options: { batchBytes: 1 } }),
  line('batch.size=-1'),
  line('linger.ms=9223372036854775807'),
  line('producer.type=async\nlinger.ms=9223372036854775807', { options: { lingerMs: 0x7ffffffe } }),
  line('retry.backoff.ms=0', { options: { retryBackoffMs: 1 } }),
  line('retry.backoff.ms=2000', { options: { retryBackoffMs: 1_000, retryBackoffMaxMs: 1_000 } }),
  line('retry.backoff.max.ms=50', { options: { retryBackoffMs: 50, retryBackoffMaxMs: 50 } }),
  line('retries=+5', { options: { retries: 5 } }),
  line('retries=-1'),
  line('retries=0'),
  line('request.timeout.ms=0', { options: { requestTimeoutMs: 1 } }),
  line('request.timeout.ms=2147483648'),
  line('request.timeout.ms=1e3'),
  line('enable.idempotence=false\nmax.in.flight.requests.per.connection=100000', { options: { maxInFlight: 1_000 } }),
  line('max.in.flight.requests.per.connection=0'),
  line('socket.connection.setup.timeout.ms=9223372036854775807', { options: { connectTimeoutMs: 0x7fffffff } }),
  line('delivery.timeout.ms=5000'),
  line('delivery.timeout.ms=5000\nrequest.timeout.ms=4000', {
    options: { deliveryTimeoutMs: 5_000, requestTimeoutMs: 4_000 },
  }),
  line('delivery.timeout.ms=5000\nrequest.timeout.ms=4000\nlinger.ms=1001'),
  line('delivery.timeout.ms=30005', { options: { deliveryTimeoutMs: 30_005 } }),
  line('delivery.timeout.ms=30004'),
  line('request.timeout.ms=300000', { options: { deliveryTimeoutMs: 300_005, requestTimeoutMs: 300_000 } }),
  line('producer.type=async\nlinger.ms=200000', { options: { deliveryTimeoutMs: 230_000, lingerMs: 200_000 } }),

  // Classes, with what stands in for them.
  line('value.serializer=io.confluent.kafka.serializers.KafkaAvroSerializer', {
    beside: { encoder: new JsonEncoder() },
  }),
  line('value.serializer=io.confluent.kafka.serializers.KafkaAvroSerializer', { refusedHere: /as the option encoder/ }),
  line('key.serializer=org.springframework.kafka.support.serializer.JsonSerializer', {
    beside: { keyEncoder: new JsonEncoder() },
  }),
  line('partitioner.class=org.apache.kafka.clients.producer.RoundRobinPartitioner'),
  line('partitioner.class=com.example.Mine', {
    beside: { partitioner: 'random' },
    takenHere: 'there the class may exist',
  }),

  // Servers.
  { name: 'a listener before the address', file: 'bootstrap.servers=PLAINTEXT://127.0.0.1:9092\n' },
  { name: 'two listeners', file: 'bootstrap.servers=SASL_SSL://localhost:9092, my-listener://[::1]:9093\n' },
  { name: 'a comma at the end', file: 'bootstrap.servers=localhost:9092,\n', takenHere: 'as Java did before 4.0' },
  { name: 'a variable that was not filled in', file: 'bootstrap.servers=${KAFKA_BROKERS}\n' },
  { name: 'a variable with a port', file: 'bootstrap.servers=${KAFKA_HOST}:9092\n' },
  { name: 'no port', file: 'bootstrap.servers=localhost\n', takenHere: 'the port is 9092' },
  { name: 'no servers', file: 'acks=all\n' },
  { name: 'empty servers', file: 'bootstrap.servers=\n' },
  { name: 'the name of Kafka 0.7', file: 'broker.list=0:localhost:9092\n' },
]
