/**
 * Three embedded brokers and what goes wrong with them, in a process of their own, so that the memory that is watched is the
 * producers' alone. Told by messages: `start`, `end`, `counts`.
 */
import { EmbeddedKafka } from '../../src/testing/index.js'
import { Dice } from '../simulation/dice.js'
import { FaultSchedule } from './faults.js'

const RETAINED_BYTES = 1024 * 1024

const [seed = '1', everyMs = '1000', ...topics] = process.argv.slice(2)
const kafka = await EmbeddedKafka.start({
  brokers: 3,
  topics: Object.fromEntries(topics.map((topic) => [topic, { partitions: 6 }])),
  retentionBytes: RETAINED_BYTES,
  requestHistory: 10,
})
const schedule = new FaultSchedule(kafka, topics, new Dice(Number(seed)), Number(everyMs))

/** How many messages a topic was ever given. */
function written(topic: string): number {
  const ends = new Map<number, number>()
  for (const { partition, offset } of kafka.records(topic)) ends.set(partition, Number(offset) + 1)
  return [...ends.values()].reduce((sum, end) => sum + end, 0)
}

process.on('message', (what) => {
  if (what === 'start') schedule.start()
  else if (what === 'end') void schedule.end().then(() => process.send?.('all is well'))
  else
    process.send?.({
      faults: schedule.counts,
      written: Object.fromEntries(topics.map((name) => [name, written(name)])),
    })
})
process.on('disconnect', () => process.exit(0))
process.send?.({ bootstrap: kafka.bootstrap })
