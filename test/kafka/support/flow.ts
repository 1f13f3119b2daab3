/** Messages that flow while something happens to the brokers, and what must be true of them afterwards. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect } from 'vitest'
import type { RecordMetadata } from '../../../src/index.js'
import type { TestProducer } from './fixture.js'
import { expectAt, readBack, type Message } from './read-back.js'
import type { RealKafka } from './real-kafka.js'

const keys = 7
/** Sends under way at a time: enough to have requests out at every moment, few enough to last through what happens. */
const underWay = 4

export interface Flow {
  readonly messages: readonly Message[]
  readonly metadata: readonly RecordMetadata[]
}

/** Sends one message after the other, by key, for as long as `happening` takes, and then some more; none may fail. */
export async function flowDuring(
  producer: TestProducer,
  topic: string,
  happening: () => Promise<void>,
  partition?: number,
): Promise<Flow> {
  const messages: Message[] = []
  const sent: Promise<RecordMetadata[]>[] = []
  const sendOne = (): Promise<RecordMetadata[]> => {
    const index = messages.length
    const message: Message = {
      topic,
      key: `k${index % keys}`,
      value: String(index),
      ...(partition === undefined ? {} : { partition }),
    }
    messages.push(message)
    const one = producer.send(message)
    one.catch(() => undefined)
    sent.push(one)
    return one
  }
  await sendOne()
  let over = false
  const end = happening().finally(() => {
    over = true
  })
  const pump = async (): Promise<void> => {
    while (!over) {
      await sendOne()
      await nextTurn()
    }
    await sendOne()
  }
  // Their failures are those of `sent`, and what happens must end first.
  await Promise.allSettled([end, ...Array.from({ length: underWay }, pump)])
  await end
  return { messages, metadata: (await Promise.all(sent)).flat() }
}

/**
 * Every message stands where its metadata say, and keys are in order. An attempt that nobody knows the outcome of may leave a
 * second copy: copies are allowed where `duplicates` are, and then the first copies are in order.
 */
export async function expectFlowed(
  kafka: RealKafka,
  topic: string,
  { messages, metadata }: Flow,
  { duplicates }: { duplicates: boolean },
): Promise<void> {
  const records = await readBack(kafka, topic)
  expectAt(records, messages, metadata)
  if (!duplicates) expect(records).toHaveLength(messages.length)
  const seen = new Set<string>()
  const newest = new Map<string, number>()
  for (const { key, value } of records) {
    const [name, text] = [key?.toString() ?? '', value?.toString() ?? '']
    if (seen.has(text)) continue
    seen.add(text)
    expect(Number(text)).toBeGreaterThan(newest.get(name) ?? -1)
    newest.set(name, Number(text))
  }
  expect(seen.size).toBe(messages.length)
}
