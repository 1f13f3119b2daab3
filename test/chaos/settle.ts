/** Brings a cluster to where readers see all there is. */
import { setTimeout as delay } from 'node:timers/promises'
import { TransactionalProducer } from '../../src/index.js'
import type { RealKafka } from '../kafka/support/real-kafka.js'

/** Kafka 0.8 tells of replicas that are in sync too late, or never. */
const WHOLE_MS = 30_000

/** @param transactionalIds of producers that may have left a transaction open */
export async function settle(kafka: RealKafka, transactionalIds: readonly string[]): Promise<void> {
  const deadline = Date.now() + WHOLE_MS
  while (!(await kafka.isWhole().catch(() => false)) && Date.now() < deadline) await delay(200)
  for (const transactionalId of transactionalIds) await endOpenTransaction(kafka, transactionalId)
}

/** Readers of committed messages see nothing behind it. */
async function endOpenTransaction(kafka: RealKafka, transactionalId: string): Promise<void> {
  const producer = new TransactionalProducer({ brokers: kafka.bootstrap, transactionalId })
  await producer.transaction(() => undefined)
  await producer.close()
}
