import { TOPIC, type Job } from '../job.js'
import type { Payload } from '../payloads.js'
import type { BenchClient } from './bench-client.js'
import { importPeer } from './peer.js'

interface KafkaJs {
  readonly Kafka: new (config: { brokers: string[]; logLevel: number }) => {
    producer(config: { createPartitioner: unknown }): {
      connect(): Promise<void>
      send(record: { topic: string; acks: number; messages: Payload[] }): Promise<unknown>
      disconnect(): Promise<void>
    }
  }
  readonly Partitioners: { readonly DefaultPartitioner: unknown }
}

const LOG_NOTHING = 0

export async function connect({ bootstrap, acks }: Job): Promise<BenchClient> {
  const { default: kafkajs } = await importPeer<{ default: KafkaJs }>('kafkajs')
  const kafka = new kafkajs.Kafka({ brokers: bootstrap.split(','), logLevel: LOG_NOTHING })
  const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
  await producer.connect()
  const send = (messages: Payload[]) => producer.send({ topic: TOPIC, acks, messages })
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
