/** Consume, transform, produce: a program that is killed again and again, at points that chance chooses. */
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { Producer, TransactionalProducer } from '../../../src/index.js'
import { installKafkajs, startTransformer, TRANSFORMER_ID } from '../../interop/support/kafkajs.js'
import type { Dice } from '../../simulation/dice.js'
import { readTopic } from '../support/kcat.js'
import type { RealKafka } from '../support/real-kafka.js'

const PARTITIONS = 3
/** Of a transaction, as the program has them. */
const MESSAGES = 5
const MOST_TRANSACTIONS = 8
/** After a commit: the next one is under way then, at one step or another. */
const LATEST_MS = 30

/**
 * @returns what readers of committed messages see that they must not, or don't see
 */
export async function killAndRestart(kafka: RealKafka, kills: number, dice: Dice): Promise<string[]> {
  await installKafkajs()
  for (const topic of ['in', 'out']) await kafka.createTopic(topic, { partitions: PARTITIONS, replicationFactor: 3 })
  const values: string[] = []
  await using producer = new Producer({ brokers: kafka.bootstrap })
  // Each time as much as it may be waited for: on a busy machine the one before may have left nothing.
  const giveMore = async () => {
    const more = Array.from({ length: MOST_TRANSACTIONS * MESSAGES }, (_, i) => `value-${values.length + i}`)
    values.push(...more)
    await producer.send(more.map((value) => ({ topic: 'in', key: value, value })))
  }
  for (let kill = 0; kill < kills; kill++) {
    await giveMore()
    await run(kafka, async ({ stdout }) => {
      await lines(stdout, dice.between(1, MOST_TRANSACTIONS))
      await delay(dice.below(LATEST_MS))
    })
  }
  await giveMore()
  const read = () => readTopic({ bootstrap: kafka.bootstrap, topic: 'out', release: kafka.release.version })
  await run(kafka, async () => {
    while ((await read()).length < values.length) await delay(500)
  })
  // What the last one left open is over when another one has begun.
  await using heir = new TransactionalProducer({ brokers: kafka.bootstrap, transactionalId: TRANSFORMER_ID })
  await heir.transaction(() => undefined)
  const seen = new Map<string, number>()
  for (const { value } of await read()) seen.set(String(value), (seen.get(String(value)) ?? 0) + 1)
  const expected = values.map((value) => value.toUpperCase())
  return [
    ...expected.filter((value) => !seen.has(value)).map((value) => `${value} is missing`),
    ...[...seen].filter(([, count]) => count > 1).map(([value, count]) => `${value} is there ${count} times`),
  ]
}

/** Resolves when there were so many. */
function lines(stream: Readable, count: number): Promise<void> {
  let left = count
  return new Promise((resolve) => createInterface(stream).on('line', () => void (--left === 0 && resolve())))
}

/** Until the moment has come, and then never again. */
async function run(
  kafka: RealKafka,
  until: (running: ReturnType<typeof startTransformer>) => Promise<void>,
): Promise<void> {
  const running = startTransformer(kafka.bootstrap)
  const ended = once(running, 'exit')
  const early = ended.then(() => {
    throw new Error('The program ended by itself.')
  })
  // Once it is killed nobody waits for this any more.
  early.catch(() => undefined)
  try {
    await Promise.race([until(running), early])
  } finally {
    running.kill('SIGKILL')
    await ended
  }
}
