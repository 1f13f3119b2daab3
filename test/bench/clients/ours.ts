import { Producer } from '../../../src/index.js'
import { TOPIC, type BenchClient, type Mode } from './modes.js'

export function connect(bootstrap: string, mode: Mode): BenchClient {
  let acknowledged = 0
  const common = { brokers: bootstrap, acks: 1 } as const
  if (mode === 'async') {
    const producer = new Producer({ ...common, type: 'async', onDelivery: ({ error }) => void (error === undefined && acknowledged++) })
    return {
      sendBatch: () => Promise.reject(new Error('sync only')),
      sendOne: () => Promise.reject(new Error('sync only')),
      queued: { send: (value) => producer.send({ topic: TOPIC, value }), acknowledged: () => acknowledged },
      close: () => producer.close(),
    }
  }
  const producer = new Producer(common)
  return {
    sendBatch: (values) => producer.send(values.map((value) => ({ topic: TOPIC, value }))),
    sendOne: (value) => producer.send({ topic: TOPIC, value }),
    close: () => producer.close(),
  }
}
