import { expect } from 'vitest'
import type { Producer, RecordMetadata } from '../../../src/index.js'
import type { EmbeddedKafka, StoredRecord } from '../../../src/testing/index.js'
import type { SocketWatch } from '../../kafka/support/sockets.js'
import { turns, until, valuesOf } from './producers.js'

const LARGE_BYTES = 20_000
export const LARGE = 'x'.repeat(LARGE_BYTES)
/** Each large message makes a batch. */
export const BATCH_BYTES = { batchBytes: LARGE_BYTES }

/** Sequences of each producer and epoch in a partition are whole: 0, 1, 2 … */
export function expectWhole(records: readonly StoredRecord[]): void {
  const next = new Map<string, number>()
  for (const { producerId, producerEpoch, sequence } of records) {
    expect(producerId).toBeGreaterThanOrEqual(0)
    const who = `${producerId} ${producerEpoch}`
    expect(sequence, who).toBe(next.get(who) ?? 0)
    next.set(who, sequence + 1)
  }
}

export function epochsIn(kafka: EmbeddedKafka, topic = 'orders'): number[] {
  return [...new Set(kafka.records(topic).map(({ producerEpoch }) => producerEpoch))]
}

/** Sends large messages one by one, so that several batches of the partition are on their way. */
export function sendMany(producer: Producer, from: number, to: number): Promise<RecordMetadata[]>[] {
  const sent: Promise<RecordMetadata[]>[] = []
  for (let i = from; i < to; i++) sent.push(producer.send({ topic: 'orders', value: `${i} ${LARGE}` }))
  return sent
}

/** The numbers of {@link sendMany}'s messages. */
export const numbersIn = (records: readonly StoredRecord[]) => valuesOf(records).map((value) => parseInt(value ?? ''))
export const upTo = (count: number) => Array.from({ length: count }, (_, i) => i)

/**
 * Like {@link sendMany}, to a broker that answers none of them; resolves when all but the last are on the wire, each in a
 * request. The last waits for company, as there is always one that does to a broker that was quick before.
 *
 * @param watch of the producer's sockets since their beginning
 */
export async function putOnTheWire(
  watch: SocketWatch,
  producer: Producer,
  from: number,
  to: number,
): Promise<Promise<RecordMetadata[]>[]> {
  const written = () => watch.sockets.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0)
  const before = written()
  const sent: Promise<RecordMetadata[]>[] = []
  for (let i = from; i < to; i++) {
    sent.push(...sendMany(producer, i, i + 1))
    await turns(5)
  }
  const count = to - from - 1
  await until(() => written() - before >= count * LARGE_BYTES, `${count} large messages are on the wire`)
  return sent
}
