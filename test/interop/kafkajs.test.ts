import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { startKafka } from '../embedded/support/cluster.js'
import { installKafkajs, kafkajsFolder } from './support/kafkajs.js'

const run = promisify(execFile)

describe.each(['0.11', '2.8', '4'])('kafkajs against an embedded Kafka %s', (release) => {
  beforeAll(installKafkajs, 60_000)

  it('makes a topic, produces, commits and aborts, and reads in a group of two', { timeout: 60_000 }, async () => {
    const kafka = await startKafka({ release, brokers: 2, topics: { orders: { partitions: 3 } } })
    const { stdout } = await run(process.execPath, ['scenario.mjs', kafka.bootstrap], {
      cwd: kafkajsFolder,
      timeout: 40_000,
    })
    const { topics, values } = JSON.parse(stdout)
    expect(topics.sort()).toEqual(['made', 'orders'])
    const plain = Array.from({ length: 30 }, (_, i) => `plain-${i}`)
    expect(values.sort()).toEqual([...plain, ...plain.map(() => 'gzip'), 'committed'].sort())
    const stored = kafka.records('orders')
    expect(stored.find(({ value }) => value?.toString() === 'plain-3')).toMatchObject({ key: Buffer.from('key-3') })
    expect(stored.filter(({ producerId }) => producerId >= 0)).toHaveLength(62)
    const offsets = kafka.committedOffsets('readers').filter(({ topic }) => topic === 'made')
    expect(offsets).toMatchObject([{ partition: 1, offset: 7n }])
  })
})
