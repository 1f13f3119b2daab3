import { TOPIC, type Job } from '../job.js'
import type { Payload } from '../payloads.js'
import type { BenchClient } from './bench-client.js'
import { hostsAndPorts, importPeer } from './peer.js'

interface Message {
  readonly topic: string
  readonly key?: string
  readonly value: string | Buffer
  readonly headers?: Readonly<Record<string, string>>
}

interface KafkaTs {
  readonly createKafkaClient: (options: { clientId: string; bootstrapServers: { host: string; port: number }[] }) => {
    createProducer(options: object): { send(messages: Message[]): Promise<void>; close(): Promise<void> }
  }
}

/** Always acks -1 and idempotent: it has no other way. */
export async function connect({ bootstrap }: Job): Promise<BenchClient> {
  const { createKafkaClient } = await importPeer<KafkaTs>('kafka-ts')
  const producer = createKafkaClient({ clientId: 'bench', bootstrapServers: hostsAndPorts(bootstrap) }).createProducer(
    {},
  )
  return {
    sendBatch: (payloads) => producer.send(payloads.map(message)),
    sendOne: (payload) => producer.send([message(payload)]),
    close: () => producer.close(),
  }
}

/** It changes the messages it is given, and takes bytes as well as strings. */
function message({ key, value, headers }: Payload): Message {
  if (key === undefined) return { topic: TOPIC, value }
  return headers === undefined ? { topic: TOPIC, key, value } : { topic: TOPIC, key, value, headers }
}
