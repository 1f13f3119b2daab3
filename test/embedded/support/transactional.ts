import { onTestFinished } from 'vitest'
import { TransactionalProducer, type TransactionalProducerOptions } from '../../../src/index.js'
import type { EmbeddedKafka } from '../../../src/testing/index.js'

/** Waits so short that a test never notices them; everything else as users have it. */
const QUICK = { retryBackoffMs: 5, retryBackoffMaxMs: 20, deliveryTimeoutMs: 15_000, requestTimeoutMs: 5_000 } as const

type Options = Partial<Omit<TransactionalProducerOptions, 'brokers'>>

/** A transactional producer of strings, closed without waiting when the test ends. */
export function startTransactional(kafka: EmbeddedKafka, options: Options = {}): TransactionalProducer {
  const producer = new TransactionalProducer({ brokers: kafka.bootstrap, transactionalId: 'tx', ...QUICK, ...options })
  onTestFinished(async () => void (await producer.close({ timeoutMs: 0 })))
  return producer
}

/** The values that a reader of committed messages sees, in the order of their offsets, of all partitions in turn. */
export function committed(kafka: EmbeddedKafka, topic: string): (string | undefined)[] {
  return kafka.records(topic, { isolation: 'read_committed' }).map(({ value }) => value?.toString())
}
