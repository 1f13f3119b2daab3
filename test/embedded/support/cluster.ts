import { onTestFinished } from 'vitest'
import { EmbeddedKafka, type EmbeddedKafkaOptions } from '../../../src/testing/index.js'
import { RawClient } from './raw-client.js'

/** A cluster that is stopped when the test ends. */
export async function startKafka(options: EmbeddedKafkaOptions = {}): Promise<EmbeddedKafka> {
  const kafka = await EmbeddedKafka.start(options)
  onTestFinished(() => kafka.stop())
  return kafka
}

/** A connection to the broker of that id (default: the first), closed when the test ends. */
export async function connectTo(kafka: EmbeddedKafka, id?: number, clientId?: string): Promise<RawClient> {
  const broker = id === undefined ? kafka.brokers[0] : kafka.brokers.find((one) => one.id === id)
  if (broker === undefined) throw new Error(`no broker ${id}`)
  const client = await RawClient.connect(broker, clientId)
  onTestFinished(() => client.close())
  return client
}
