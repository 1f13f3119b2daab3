/*
 * The recipe of docs/transactions.md as a program: reads `in` with kafkajs, writes `out` in transactions, with the offsets
 * of what it read, and tells of each that is committed. It runs until it is killed.
 */
import { Kafka, logLevel } from 'kafkajs'
import { TransactionalProducer } from '../../../src/index.js'

const [bootstrap = '', transactionalId = ''] = process.argv.slice(2)
const groupId = 'transformers'

const producer = new TransactionalProducer({
  brokers: bootstrap,
  transactionalId,
  clientId: 'transformer',
  retryBackoffMs: 20,
  retryBackoffMaxMs: 200,
})
// Whatever the one before left open is over before its offsets are asked for.
await producer.transaction(() => undefined)

const kafka = new Kafka({ brokers: bootstrap.split(','), logLevel: logLevel.NOTHING })
const consumer = kafka.consumer({ groupId, sessionTimeout: 1_000, rebalanceTimeout: 1_000, heartbeatInterval: 100 })
await consumer.connect()
await consumer.subscribe({ topic: 'in', fromBeginning: true })
await consumer.run({
  autoCommit: false,
  eachBatch: async ({ batch, heartbeat }) => {
    // Some at a time, so that there are many transactions.
    for (let at = 0; at < batch.messages.length; at += 5) {
      const messages = batch.messages.slice(at, at + 5)
      const last = messages.at(-1)
      if (last === undefined) return
      await producer.transaction(async (tx) => {
        for (const { value } of messages) void tx.send({ topic: 'out', value: String(value).toUpperCase() })
        await tx.sendOffsets({ groupId }, [
          { topic: batch.topic, partition: batch.partition, offset: BigInt(last.offset) + 1n },
        ])
      })
      process.stdout.write('committed\n')
      await heartbeat()
    }
  },
})
