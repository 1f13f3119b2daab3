import { describe, expect, it } from 'vitest'
import type { MetadataResponse } from '../../../src/protocol/apis/metadata.js'
import { startProducer, until } from '../support/producers.js'
import {
  partitionAnswer,
  ScriptedBroker,
  topicMetadata,
  withPartitions,
  type Script,
} from '../support/scripted-broker.js'

interface Told {
  readonly leaderId: number
  readonly leaderEpoch: number
}

const TOPIC_ID = Buffer.alloc(16, 7)

/** Two brokers of a topic of one partition: what they tell of its leader, and which one takes messages. */
class TwoBrokers {
  brokers: ScriptedBroker[] = []
  told: Told = { leaderId: 1, leaderEpoch: 0 }
  leader = 1

  /** @param refusal what the other one answers to messages: an error code, or nothing at all */
  static async start(script: Script, refusal: number | 'hang up' = 6, topicId?: Buffer): Promise<TwoBrokers> {
    const both = new TwoBrokers()
    for (const id of [1, 2]) {
      const broker = await ScriptedBroker.start({
        metadataVersions: [0, 12],
        produceVersions: [3, 9],
        ...script,
        onMetadata: (_question, good) => both.metadata(good, topicId),
        onProduce: (_question, good) => {
          if (both.leader === id) return good
          if (refusal === 'hang up') return refusal
          return withPartitions(good, (all) => all.map(({ index }) => partitionAnswer(index, { errorCode: refusal })))
        },
      })
      both.brokers.push(broker)
    }
    return both
  }

  private metadata(good: MetadataResponse, topicId: Buffer | undefined): MetadataResponse {
    const topics = good.topics.map(({ name }) => ({
      ...topicMetadata(name ?? '', 1, this.told),
      ...(topicId === undefined ? {} : { topicId }),
    }))
    const brokers = this.brokers.map(({ port }, i) => ({ nodeId: i + 1, host: '127.0.0.1', port, rack: null }))
    return { ...good, brokers, topics }
  }

  /** The topic is deleted and made anew, or what was told of it before was wrong. */
  moveTo(leaderId: number, leaderEpoch: number): void {
    this.leader = leaderId
    this.told = { leaderId, leaderEpoch }
  }

  get bootstrap(): string {
    return this.brokers.map(({ address }) => address).join(',')
  }

  /** How many Metadata requests there were. */
  get asked(): number {
    return this.brokers.reduce((sum, { asked }) => sum + asked.length, 0)
  }

  valuesAt(id: number): (string | null)[] {
    return this.brokers[id - 1]?.values.flat() ?? []
  }
}

describe('an older leader epoch that keeps coming is taken, where the leader that is known refuses', () => {
  it.each([6, 74, 3, 'hang up'] as const)('without topic ids: a topic made anew elsewhere (%s)', async (refusal) => {
    const both = await TwoBrokers.start({ metadataVersions: [0, 9] }, refusal)
    both.told = { leaderId: 1, leaderEpoch: 7 }
    const producer = startProducer(both.bootstrap)
    await producer.send({ topic: 'orders', value: 'old' })
    both.moveTo(2, 0)
    await producer.send({ topic: 'orders', value: 'new' })
    expect(both.valuesAt(2)).toEqual(['new'])
  })

  it('with topic ids: an epoch that was wrong does not tie a partition to its leader', async () => {
    const both = await TwoBrokers.start({ metadataVersions: [0, 12] }, 6, TOPIC_ID)
    both.told = { leaderId: 1, leaderEpoch: 0x7fffffff }
    const producer = startProducer(both.bootstrap)
    await producer.send({ topic: 'orders', value: 'old' })
    both.moveTo(2, 9)
    await producer.send({ topic: 'orders', value: 'new' })
    expect(both.valuesAt(2)).toEqual(['new'])
  })

  it('with the default back-off within two seconds', async () => {
    const both = await TwoBrokers.start({ metadataVersions: [0, 9] })
    both.told = { leaderId: 1, leaderEpoch: 7 }
    const producer = startProducer(both.bootstrap, { retryBackoffMs: 100, retryBackoffMaxMs: 1_000 })
    await producer.send({ topic: 'orders', value: 'old' })
    both.moveTo(2, 0)
    await producer.send({ topic: 'orders', value: 'new' })
    expect(both.valuesAt(2)).toEqual(['new'])
    // Told by five answers, not by five refusals, whose back-off grows.
    expect(both.valuesAt(1).length).toBeLessThan(6)
  })

  it('not at the first time it comes', async () => {
    const both = await TwoBrokers.start({ metadataVersions: [0, 12] })
    both.told = { leaderId: 1, leaderEpoch: 7 }
    const producer = startProducer(both.bootstrap)
    await producer.send({ topic: 'orders', value: 'old' })
    both.moveTo(2, 0)
    const before = both.asked
    await producer.send({ topic: 'orders', value: 'new' })
    expect(both.asked - before).toBeGreaterThanOrEqual(5)
  })

  it('never while the leader that is known takes messages', async () => {
    const both = await TwoBrokers.start({ metadataVersions: [0, 12] })
    both.told = { leaderId: 1, leaderEpoch: 7 }
    const producer = startProducer(both.bootstrap, { metadataRefreshIntervalMs: 5 })
    await producer.send({ topic: 'orders', value: '0' })
    both.told = { leaderId: 2, leaderEpoch: 6 }
    const before = both.asked
    await until(() => both.asked - before >= 12, 'some refreshes')
    for (const value of ['1', '2']) await producer.send({ topic: 'orders', value })
    expect(both.valuesAt(1)).toEqual(['0', '1', '2'])
    expect(both.valuesAt(2)).toEqual([])
  })
})

it.each([7, 8])(
  'Metadata v%i: leader epochs are not heeded, since its brokers may tell stale ones',
  async (version) => {
    const both = await TwoBrokers.start({ metadataVersions: [0, version] })
    both.told = { leaderId: 1, leaderEpoch: 7 }
    const producer = startProducer(both.bootstrap, { retries: 1 })
    await producer.send({ topic: 'orders', value: 'old' })
    both.moveTo(2, 0)
    await producer.send({ topic: 'orders', value: 'new' })
    expect(both.valuesAt(2)).toEqual(['new'])
    expect(await producer.partitionsFor('orders')).toMatchObject([{ leader: 2, leaderEpoch: -1 }])
  },
)
