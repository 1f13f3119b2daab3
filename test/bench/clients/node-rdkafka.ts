import { TOPIC, type Job } from '../job.js'
import type { Payload } from '../payloads.js'
import type { BenchClient } from './bench-client.js'
import { importPeer } from './peer.js'

type Fate = (error: Error | null) => void

interface RdKafka {
  readonly Producer: new (
    config: object,
    topicConfig: object,
  ) => {
    connect(options: object, callback: (error: Error | null) => void): void
    setPollInterval(ms: number): void
    poll(): void
    produce(
      topic: string,
      partition: null,
      value: Buffer,
      key: string | null,
      timestamp: null,
      opaque: Fate,
      headers?: object[],
    ): void
    on(event: 'delivery-report', listener: (error: Error | null, report: { opaque: Fate }) => void): void
    disconnect(callback: () => void): void
  }
}

const ERR__QUEUE_FULL = -184
const POLL_INTERVAL_MS = 1

export async function connect({ bootstrap, acks }: Job): Promise<BenchClient> {
  const { default: rdkafka } = await importPeer<{ default: RdKafka }>('node-rdkafka')
  const producer = new rdkafka.Producer({ 'metadata.broker.list': bootstrap, dr_cb: true }, { acks })
  await new Promise<void>((resolve, reject) =>
    producer.connect({}, (error) => (error === null ? resolve() : reject(error))),
  )
  producer.on('delivery-report', (error, { opaque }) => opaque(error))
  producer.setPollInterval(POLL_INTERVAL_MS)

  const produce = async ({ key, value, headers }: Payload, fate: Fate) => {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value
    const list = headers === undefined ? undefined : Object.entries(headers).map(([name, text]) => ({ [name]: text }))
    for (;;) {
      try {
        return producer.produce(TOPIC, null, bytes, key ?? null, null, fate, list)
      } catch (error) {
        if ((error as { code?: number }).code !== ERR__QUEUE_FULL) throw error
        await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS))
      }
    }
  }
  const sendOne = (payload: Payload) =>
    new Promise<void>(
      (resolve, reject) => void produce(payload, (error) => (error === null ? resolve() : reject(error))),
    )
  let acknowledged = 0
  const count: Fate = (error) => void (error === null && acknowledged++)
  return {
    sendBatch: (payloads) => Promise.all(payloads.map(sendOne)),
    sendOne,
    queue: { send: (payload) => produce(payload, count), acknowledged: () => acknowledged },
    close: () => new Promise<void>((resolve) => producer.disconnect(resolve)),
  }
}
