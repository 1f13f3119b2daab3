import { expect, it } from 'vitest'
import { KAFKA_NAMES } from '../../../../src/producer/config/kafka-names.js'
import { unknownOption } from '../../../../src/producer/config/other-names.js'
import { readProperties } from '../../../../src/producer/config/properties.js'

/** What a property may have; the others have a number. */
const VALUES: Readonly<Record<string, string>> = {
  'producer.type': 'async',
  'client.id': 'app',
  acks: 'all',
  'request.required.acks': '-1',
  'enable.idempotence': 'true',
  'enable.metrics.push': 'false',
  'compression.type': 'gzip',
  'compression.codec': 'gzip',
  'compressed.topics': 'orders',
  'partitioner.class': 'kafka.producer.DefaultPartitioner',
  'value.serializer': 'org.apache.kafka.common.serialization.StringSerializer',
  'key.serializer': 'org.apache.kafka.common.serialization.StringSerializer',
  'serializer.class': 'kafka.serializer.StringEncoder',
  'key.serializer.class': 'kafka.serializer.StringEncoder',
}

const pairs = Object.entries(KAFKA_NAMES).flatMap(([option, names]) => names.map((name) => [option, name] as const))

it.each(pairs)('%s is what a properties file calls %s', (option, name) => {
  const isAddress = name === 'bootstrap.servers' || name === 'metadata.broker.list'
  const properties = {
    'producer.type': 'async',
    ...(isAddress ? {} : { 'bootstrap.servers': 'host:9092' }),
    [name]: isAddress ? 'host:9092' : (VALUES[name] ?? '70000'),
  }
  expect(readProperties(properties, {}).options).toHaveProperty(option)
})

it.each(pairs)('%s is named where somebody gives %s as an option', (option, name) => {
  if (name !== option) expect(unknownOption(name)).toMatch(new RegExp(`['\`]${option}['\`]`))
})
