import { describe, expect, it } from 'vitest'
import { Producer } from '../../../../src/index.js'
import { nearestName } from '../../../../src/wording/nearest-name.js'

function messageFor(name: string): string {
  try {
    new Producer({ brokers: 'localhost:9092', [name]: 1 })
  } catch (error) {
    return (error as Error).message
  }
  throw new Error(`'${name}' was taken`)
}

describe('an unknown option is told with what to write instead, and never with a guess that is far off', () => {
  it.each([
    // kafkajs
    ['connectionTimeout', 'connectTimeoutMs'],
    ['requestTimeout', 'requestTimeoutMs'],
    ['metadataMaxAge', 'metadataRefreshIntervalMs'],
    ['maxInFlightRequests', 'maxInFlight'],
    ['createPartitioner', 'partitioner'],
    ['retry', 'retryBackoffMs'],
    ['enableIdempotence', 'idempotent'],
    ['transactionalId', 'TransactionalProducer'],
    ['stats_cb', "'onStats'"],
    ['logLevel', 'DEBUG=kafka-producer:*'],
    // kafka-node, @platformatic/kafka and others
    ['kafkaHost', 'brokers'],
    ['bootstrapBrokers', 'brokers'],
    ['requireAcks', 'acks'],
    ['partitionerType', 'partitioner'],
    ['tls', 'ssl'],
    ['serializers', 'keyEncoder'],
    ['autocreateTopics', 'allowAutoTopicCreation'],
    // librdkafka and Java
    ['bootstrap.servers', 'brokers'],
    ['metadata.broker.list', 'brokers'],
    ['max.in.flight.requests.per.connection', 'maxInFlight'],
    ['linger.ms', 'lingerMs'],
    ['batch.size', 'batchBytes'],
    ['buffer.memory', 'queueBytes'],
    ['max.block.ms', 'enqueueTimeoutMs'],
    ['queue.buffering.max.kbytes', '`queueBytes`, in bytes: 1,024 times as many'],
    ['message.timeout.ms', 'deliveryTimeoutMs'],
    ['dr_msg_cb', 'onDelivery'],
    ['security.protocol', '`ssl`'],
    ['sasl.password', 'sasl: { password }'],
    ['ssl.ca.location', 'ssl: { ca }'],
    ['transaction.timeout.ms', 'TransactionalProducer'],
    ['enable.idempotence', 'idempotent'],
    ['topic.metadata.propagation.max.ms', 'unknownTopicTimeoutMs'],
    ['reconnect.backoff.ms', 'retryBackoffMs'],
    ['ssl.truststore.location', 'ssl: { ca }'],
    ['allow.auto.create.topics', 'allowAutoTopicCreation'],
    ['kafkaJS', 'what it holds is given here without it'],
    ['queueSize', 'queueBytes'],
    ['some.other.property', 'ProducerConfig.fromProperties()'],
    ['socket.connection.setup.timeout.max.ms', 'ProducerConfig.fromProperties()'],
  ])('%s: %s', (name, advice) => {
    expect(messageFor(name)).toMatch(/^unknown option '/)
    expect(messageFor(name)).toContain(advice)
  })

  it.each(['foo', 'x', 'tlsx', 'sessionTimeoutMs', 'heartbeat', 'zookeeper', 'fetchSize'])('%s: no guess', (name) => {
    expect(messageFor(name)).toBe(`unknown option '${name}'`)
  })
})

describe('the nearest name', () => {
  it.each([
    ['session.timeout.ms', undefined],
    ['schema.registry.url', undefined],
    ['group.id', undefined],
    ['request.timout.ms', 'request.timeout.ms'],
    ['CLIENT.ID', 'client.id'],
    ['client.ids', 'client.id'],
    ['linger', undefined],
  ])('of %s is %s', (wanted, nearest) => {
    const names = ['request.timeout.ms', 'ssl.keystore.key', 'client.id', 'linger.ms', 'retries', 'acks']
    expect(nearestName(wanted, names)).toBe(nearest)
  })
})
