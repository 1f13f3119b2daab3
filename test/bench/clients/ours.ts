import type * as Library from '../../../src/index.js'
import { TOPIC, type Job } from '../job.js'
import type { Payload } from '../payloads.js'
import type { BenchClient } from './bench-client.js'

export async function connect(job: Job): Promise<BenchClient> {
  const { bootstrap, mode, acks, codec, level, idempotent, brokerVersion } = job
  const library = (await import(job.library ?? '../../../src/index.js')) as typeof Library
  const compression = { type: codec, ...(level === undefined ? {} : { level }) } as NonNullable<
    Library.ProducerOptions['compression']
  >
  const common = {
    brokers: bootstrap,
    acks,
    compression,
    enqueueTimeoutMs: -1,
    // An older release has none of these options.
    ...(idempotent === undefined ? {} : { idempotent }),
    ...(brokerVersion === undefined ? {} : { brokerVersion }),
  } as const
  return clientOf(library, common, mode)
}

/** A producer with these options, which sends by the mode. */
export function clientOf(
  { Producer }: Pick<typeof Library, 'Producer'>,
  options: Library.ProducerOptions,
  mode: Job['mode'],
): BenchClient {
  if (mode === 'async') {
    let acknowledged = 0
    const producer = new Producer({
      ...options,
      type: 'async',
      onDelivery: ({ error }) => void (error === undefined && acknowledged++),
    })
    return {
      queue: { send: (payload) => producer.send(message(payload)), acknowledged: () => acknowledged },
      close: () => producer.close(),
    }
  }
  const producer = new Producer(options)
  return {
    sendBatch: (payloads) => producer.send(payloads.map(message)),
    sendOne: (payload) => producer.send(message(payload)),
    close: () => producer.close(),
  }
}

function message({ value, key, headers }: Payload): Library.KeyedMessage {
  if (key === undefined) return { topic: TOPIC, value }
  return headers === undefined ? { topic: TOPIC, key, value } : { topic: TOPIC, key, value, headers }
}
