/** What kafkajs does against a cluster, as a process of its own: prints what it saw as JSON. */
import { once, EventEmitter } from 'node:events'
import { CompressionTypes, Kafka, logLevel } from 'kafkajs'

const kafka = new Kafka({ clientId: 'kafkajs', brokers: process.argv[2].split(','), logLevel: logLevel.ERROR })
const admin = kafka.admin()
await admin.connect()
await admin.createTopics({ waitForLeaders: true, topics: [{ topic: 'made', numPartitions: 2 }] })
const topics = await admin.listTopics()
await admin.disconnect()

const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
await producer.connect()
const messages = Array.from({ length: 30 }, (_, i) => ({ key: `key-${i}`, value: `plain-${i}`, headers: { n: String(i) } }))
await producer.send({ topic: 'orders', messages })
await producer.send({ topic: 'orders', compression: CompressionTypes.GZIP, messages: messages.map(({ key }) => ({ key, value: 'gzip' })) })
await producer.disconnect()

const transactional = kafka.producer({ transactionalId: 'tx', maxInFlightRequests: 1, idempotent: true })
await transactional.connect()
const aborted = await transactional.transaction()
await aborted.send({ topic: 'orders', messages: [{ value: 'aborted' }] })
await aborted.abort()
const committed = await transactional.transaction()
await committed.send({ topic: 'orders', messages: [{ value: 'committed' }] })
await committed.sendOffsets({ consumerGroupId: 'readers', topics: [{ topic: 'made', partitions: [{ partition: 1, offset: '7' }] }] })
await committed.commit()
await transactional.disconnect()

const values = []
const progress = new EventEmitter()
const consumers = await Promise.all([0, 1].map(async () => {
  const consumer = kafka.consumer({ groupId: 'readers', readUncommitted: false, heartbeatInterval: 200, maxWaitTimeInMs: 200 })
  const joined = once(progress, 'joined')
  consumer.on(consumer.events.GROUP_JOIN, () => progress.emit('joined'))
  await consumer.connect()
  await consumer.subscribe({ topic: 'orders', fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ message }) => {
      values.push(message.value.toString())
      progress.emit('message')
    }
  })
  await joined
  return consumer
}))
while (values.length < 61) await once(progress, 'message')
await Promise.all(consumers.map((consumer) => consumer.disconnect()))
console.log(JSON.stringify({ topics, values }))
