/** What happens to partitions and topics. */
import type { Dice } from '../../simulation/dice.js'
import type { Stage } from '../stage.js'
import type { Fault } from './fault.js'

const MOST_PARTITIONS = 12
export const FLEETING = { partitions: 3, replicationFactor: 3, config: { 'min.insync.replicas': '2' } }

export const topicFaults: readonly Fault[] = [
  {
    name: 'leader moves',
    weight: 4,
    begin(stage, dice) {
      const topic = dice.pick([...stage.topics.steady, stage.topics.ledger])
      const [which, whereTo] = [dice.number(), dice.number()]
      const over = async (): Promise<void> => {
        const partition = await drawPartition(stage, topic, which)
        const leader = await stage.kafka.leaderOf(topic, partition)
        const others = stage.kafka.brokers.map(({ id }) => id).filter((id) => id !== leader)
        await stage.kafka.moveLeader(topic, partition, others[Math.floor(whereTo * others.length)] ?? leader)
      }
      return { what: `one of ${topic}`, over: over() }
    },
  },
  {
    name: 'reassignment',
    weight: 2,
    begin(stage, dice) {
      const topic = dice.pick([...stage.topics.steady, stage.topics.ledger])
      const all = shuffled(
        stage.kafka.brokers.map(({ id }) => id),
        dice,
      )
      const chance = dice.number()
      const over = async (): Promise<void> => {
        const partition = await drawPartition(stage, topic, chance)
        await stage.kafka.reassign(topic, partition, all.slice(0, 2))
        await stage.kafka.reassign(topic, partition, all)
      }
      return { what: `one of ${topic} to brokers ${all.slice(0, 2).join(', ')}, then to all`, over: over() }
    },
  },
  {
    name: 'more partitions',
    weight: 1,
    begin(stage, dice) {
      const topic = dice.pick(stage.topics.steady)
      const over = async (): Promise<void> => {
        const count = await stage.kafka.partitionCount(topic)
        if (count < MOST_PARTITIONS) await stage.kafka.addPartitions(topic, count + 1)
      }
      return { what: topic, over: over() }
    },
  },
  {
    name: 'topic made anew',
    weight: 1,
    begin(stage, dice) {
      const topic = stage.topics.fleeting
      const away = dice.pick([0, dice.between(0, 3_000)])
      const over = async (): Promise<void> => {
        await stage.kafka.deleteTopic(topic)
        await stage.hold(away)
        await stage.kafka.createTopic(topic, FLEETING)
      }
      return { what: `${topic}, away for ${away} ms`, over: over() }
    },
  },
]

async function drawPartition({ kafka }: Stage, topic: string, chance: number): Promise<number> {
  return Math.floor(chance * (await kafka.partitionCount(topic)))
}

function shuffled<T>(items: readonly T[], dice: Dice): T[] {
  return items
    .map((item) => ({ item, place: dice.number() }))
    .sort((one, other) => one.place - other.place)
    .map(({ item }) => item)
}
