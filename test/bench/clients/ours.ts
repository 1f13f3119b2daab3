import type * as Library from '../../../src/index.js'
import { TOPIC, type Job } from '../job.js'
import type { Payload } from '../payloads.js'
import type { BenchClient } from './bench-client.js'

export async function connect(job: Job): Promise<BenchClient> {
  const { bootstrap, mode, acks, codec, level, idempotent, brokerVersion, watching } = job
  const watched = watching === undefined ? undefined : (await import('./watching.js')).watch(watching)
  const { Producer } = (await import(job.library ?? '../../../src/index.js')) as typeof Library
  const compression = { type: codec, ...(level === undefined ? {} : { level }) } as NonNullable<
    Library.ProducerOptions['compression']
  >
  const common = {
    brokers: bootstrap,
    acks,
    compression,
    enqueueTimeoutMs: -1,
    idempotent,
    brokerVersion,
    ...watched?.options,
  } as const
  if (mode === 'async') {
    let acknowledged = 0
    const producer = new Producer({
      ...common,
      type: 'async',
      onDelivery: ({ error }) => void (error === undefined && acknowledged++),
    })
    return {
      queue: { send: (payload) => producer.send(message(payload)), acknowledged: () => acknowledged },
      within: watched?.within,
      close: () => producer.close(),
    }
  }
  const producer = new Producer(common)
  return {
    sendBatch: (payloads) => producer.send(payloads.map(message)),
    sendOne: (payload) => producer.send(message(payload)),
    within: watched?.within,
    close: () => producer.close(),
  }
}

function message({ value, key, headers }: Payload): Library.KeyedMessage {
  if (key === undefined) return { topic: TOPIC, value }
  return headers === undefined ? { topic: TOPIC, key, value } : { topic: TOPIC, key, value, headers }
}
