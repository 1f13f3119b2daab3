import { expect } from 'vitest'
import type { ProducerOptions } from '../../../src/index.js'
import { startKafka } from './cluster.js'
import { startProducer } from './producers.js'

/**
 * So many messages that end at once, by their deadline unless the options say otherwise, for `orders`, which is never
 * answered, or a topic that is not there: each is told. Returns in how many turns of the event loop that was.
 */
export async function endTogether(
  topic: string,
  count: number,
  options: Partial<ProducerOptions> = { deliveryTimeoutMs: 1_500 },
): Promise<number> {
  const kafka = await startKafka({ autoCreateTopics: false, topics: { orders: {} } })
  kafka.stall({ api: 'Produce', times: Infinity })
  const producer = startProducer(kafka, options)
  const failed: number[] = []
  let turns = 0
  const sending = Array.from({ length: count }, (_, i) =>
    producer.send({ topic, value: String(i) }).catch(() => failed.push(turns)),
  )
  const counting = setInterval(() => turns++, 0)
  await Promise.all(sending)
  clearInterval(counting)
  expect(failed).toHaveLength(count)
  expect(producer.stats()).toMatchObject({ failed: count })
  return new Set(failed).size
}
