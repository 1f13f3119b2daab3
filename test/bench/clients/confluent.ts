import { TOPIC, type Job } from '../job.js'
import type { Payload } from '../payloads.js'
import type { BenchClient } from './bench-client.js'
import { importPeer } from './peer.js'

interface Confluent {
  readonly KafkaJS: {
    readonly logLevel: { readonly NOTHING: number }
    readonly Kafka: new (config: object) => {
      producer(config: object): {
        connect(): Promise<void>
        send(record: { topic: string; messages: Payload[] }): Promise<unknown>
        disconnect(): Promise<void>
      }
    }
  }
}

/** Through the interface that it has in common with kafkajs. */
export async function connect({ bootstrap, acks }: Job): Promise<BenchClient> {
  const { default: confluent } = await importPeer<{ default: Confluent }>('@confluentinc/kafka-javascript')
  const { Kafka, logLevel } = confluent.KafkaJS
  const kafka = new Kafka({ kafkaJS: { brokers: bootstrap.split(','), logLevel: logLevel.NOTHING } })
  const producer = kafka.producer({ kafkaJS: { acks } })
  await producer.connect()
  const send = (messages: Payload[]) => producer.send({ topic: TOPIC, messages })
  return {
    sendBatch: (payloads) => send(payloads.map(message)),
    sendOne: (payload) => send([message(payload)]),
    close: () => producer.disconnect(),
  }
}

function message({ key, value, headers }: Payload): Payload {
  if (key === undefined) return { value }
  return headers === undefined ? { key, value } : { key, value, headers }
}
