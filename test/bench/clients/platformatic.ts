import { TOPIC, type Job } from '../job.js'
import type { Payload } from '../payloads.js'
import type { BenchClient } from './bench-client.js'
import { importPeer } from './peer.js'

type Bytes = Buffer

interface Message {
  readonly topic: string
  readonly key?: Bytes | string
  readonly value: Bytes | string
  readonly headers?: Readonly<Record<string, string>>
  readonly partition?: number
}

interface Platformatic {
  readonly Producer: new (options: Record<string, unknown>) => {
    send(options: { messages: Message[]; acks: number }): Promise<unknown>
    close(): Promise<void>
  }
  readonly stringSerializers: unknown
}

export async function connect({ bootstrap, shape, acks, codec }: Job): Promise<BenchClient> {
  const { Producer, stringSerializers } = await importPeer<Platformatic>('@platformatic/kafka')
  const producer = new Producer({
    clientId: 'bench',
    bootstrapBrokers: bootstrap.split(','),
    compression: codec,
    ...(shape === 'value' ? {} : { serializers: stringSerializers }),
  })
  const send = (messages: Message[]) => producer.send({ messages, acks })
  return {
    sendBatch: (payloads) => send(payloads.map(message)),
    sendOne: (payload) => send([message(payload)]),
    close: () => producer.close(),
  }
}

function message({ key, value, headers }: Payload): Message {
  if (key === undefined) return { topic: TOPIC, value }
  return headers === undefined ? { topic: TOPIC, key, value } : { topic: TOPIC, key, value, headers }
}
