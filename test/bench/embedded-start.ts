/**
 * How long it takes from nothing to the first acknowledged message of a test that uses the embedded broker:
 *
 *   npx tsx test/bench/embedded-start.ts
 *
 * The first line is a process's first time, code not yet compiled; the second the median of those after it.
 */
import { Producer } from '../../src/index.js'
import { EmbeddedKafka } from '../../src/testing/index.js'

const ROUNDS = 20

async function startToAcknowledged(): Promise<number> {
  const began = performance.now()
  const kafka = await EmbeddedKafka.start({ topics: { orders: {} } })
  const producer = new Producer({ brokers: kafka.bootstrap })
  await producer.send({ topic: 'orders', value: 'first' })
  const took = performance.now() - began
  await producer.close()
  await kafka.stop()
  return took
}

const first = await startToAcknowledged()
const others: number[] = []
for (let round = 0; round < ROUNDS; round++) others.push(await startToAcknowledged())
const median = others.sort((a, b) => a - b)[ROUNDS / 2] ?? NaN
console.log(`start to first acknowledged message, first time: ${first.toFixed(1)} ms`)
console.log(`start to first acknowledged message, from then on: ${median.toFixed(1)} ms`)
