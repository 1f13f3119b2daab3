import { once } from 'node:events'
import { EmbeddedKafka, type EmbeddedKafkaOptions } from '../testing/index.js'

/** Runs a cluster until the process is told to end. */
export async function runBroker(options: EmbeddedKafkaOptions): Promise<void> {
  const interrupted = new AbortController()
  const told = Promise.race(['SIGINT', 'SIGTERM'].map((name) => once(process, name, { signal: interrupted.signal })))
  // Nobody waits for it if the cluster does not even start.
  told.catch(() => undefined)
  try {
    const kafka = await EmbeddedKafka.start(options)
    process.stdout.write(`Kafka ${kafka.brokers[0]?.release} is ready at ${kafka.bootstrap}\n`)
    await told
    await kafka.stop()
  } finally {
    interrupted.abort()
  }
}
